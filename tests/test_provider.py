from __future__ import annotations

import dataclasses
import math
from typing import Any, cast

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearerguard import (
    ID_TOKEN,
    JWT,
    RFC9068,
    ConfigurationError,
    Cookie,
    Header,
    Provider,
    RemoteKeys,
    SecurityWarning,
)
from bearerguard._limits import MAX_LEEWAY
from bearerguard.testing import Issuer, signing_key

URL = "https://login.example/jwks"
PLACE = "https://login.example/{tid}/v2.0"
ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/0123456789abcdef"
ISSUER = Issuer(algorithm="ES256")
KEY = ISSUER.signing_key.public_jwk()
SECRET = signing_key("oct").secret_jwk()
PEM = (
    cast("Any", ISSUER.signing_key.private)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


async def trusts_elsewhere(_: str) -> bool:
    return True


def provider(**options: Any) -> Provider:
    settings = {
        "issuer": "https://login.example/",
        "audience": "https://api.example",
        "name": "login",
        **options,
    }
    return Provider(settings.pop("issuer"), **settings)


# -- what it says of itself


def test_the_least_that_is_needed_is_issuer_and_audience() -> None:
    least = Provider("https://login.example/", audience="https://api.example")
    assert least.issuer == least.name == "https://login.example/"
    assert least.audiences == ("https://api.example",)
    assert (least.keys, least.key_set, least.leeway, least.profile) == (None, None, 10, JWT)
    assert least.audience_claim == "aud"
    assert not any(name.startswith("HS") for name in least.algorithms)
    assert {"RS256", "PS512", "ES384", "EdDSA", "Ed25519"} <= set(least.algorithms)


@pytest.mark.parametrize(
    "several", [["a", "b"], ("a", "b"), (name for name in "ab")], ids=["list", "tuple", "iterator"]
)
def test_an_audience_may_be_several(several: Any) -> None:
    assert provider(audience=several).audiences == ("a", "b")


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_it_has_the_name_it_is_given() -> None:
    assert provider(name="login").name == "login"
    assert provider(name="").name == "https://login.example/"
    assert Provider(None, audience="a", keys=KEY, dangerously_accept_any_issuer=True).name == "without issuer"


def test_a_name_of_none_is_the_issuer() -> None:
    assert provider(name=None).name == "https://login.example/"


def test_nothing_of_it_can_be_changed() -> None:
    frozen: Any = provider(required_claims={"token_use": "access"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        frozen.issuer = "https://evil.example/"
    with pytest.raises(TypeError):
        frozen.required_values["more"] = 1


def test_what_it_was_given_can_change_without_changing_it() -> None:
    claims, audiences = {"token_use": ["access"]}, ["https://api.example"]
    built = provider(required_claims=claims, audience=audiences)
    claims["token_use"].append("id")
    audiences.append("https://evil.example")
    assert built.required_values == {"token_use": ("access",)}
    assert built.audiences == ("https://api.example",)


def test_it_can_be_built_anew_with_a_change() -> None:
    remote = RemoteKeys(http_options={"timeout": 1})
    first = provider(keys=remote, algorithms=["ES256"], required_claims={"token_use": "access"})
    second = dataclasses.replace(first, name="other")
    assert second.name == "other"
    assert second.remote_keys is remote
    for option in ("issuer", "audiences", "algorithms", "required_values"):
        assert getattr(second, option) == getattr(first, option)
    assert dataclasses.replace(first, keys=KEY).remote_keys is None


def test_it_can_be_built_anew_where_the_audience_was_an_iterator() -> None:
    first = provider(audience=(name for name in "ab"))
    assert dataclasses.replace(first, name="other").audiences == ("a", "b")


def test_two_providers_are_never_equal() -> None:
    assert provider() != provider()
    assert len({provider(), provider()}) == 2


def test_its_repr_shows_neither_keys_nor_options() -> None:
    shown = repr(provider(keys=SECRET, algorithms=["HS256"]))
    assert shown == "Provider('https://login.example/', audience=('https://api.example',), name='login')"


@pytest.mark.parametrize("one", ["RS256", ["RS256"], {"RS256"}, ("RS256", "RS256")], ids=str)
def test_algorithms_may_be_one_or_several(one: Any) -> None:
    assert provider(algorithms=one).algorithms == {"RS256"}


@pytest.mark.parametrize("profile", [JWT, RFC9068, ID_TOKEN], ids=lambda profile: profile.name)
def test_a_profile_is_taken_as_it_is(profile: Any) -> None:
    assert provider(profile=profile).profile is profile


@pytest.mark.parametrize(
    ("wanted", "values"),
    [("access", ("access",)), (["a", "b"], ("a", "b")), (True, (True,)), ({"a": 1}, ({"a": 1},)), (0, (0,))],
    ids=str,
)
def test_a_required_claim_has_one_value_or_several(wanted: Any, values: tuple[Any, ...]) -> None:
    assert provider(required_claims={"claim": wanted}).required_values == {"claim": values}


@pytest.mark.parametrize("leeway", [0, 0.5, MAX_LEEWAY])
def test_a_leeway_of_up_to_five_minutes_is_taken(leeway: float) -> None:
    assert provider(leeway=leeway).leeway == leeway


def test_a_path_to_scopes_or_roles_is_kept_as_it_was_given() -> None:
    built = provider(scope_claim="a.b", roles_claim=["resource_access", "my.api", "roles"])
    assert (built.scope_claim, built.roles_claim) == ("a.b", ("resource_access", "my.api", "roles"))
    assert (provider().scope_claim, provider().roles_claim) == (None, "roles")


# -- keys


@pytest.mark.parametrize(
    "keys",
    [None, URL, "http://127.0.0.1:8080/jwks", "http://localhost/jwks", lambda: KEY, RemoteKeys()],
    ids=str,
)
def test_keys_that_are_fetched_are_not_fetched_when_it_is_built(keys: Any) -> None:
    built = provider(keys=keys)
    assert (built.keys, built.key_set, built.left_out) == (keys, None, ())
    assert built.remote_keys is not None


def test_an_address_nothing_and_a_function_are_short_for_remote_keys() -> None:
    def function() -> Any: ...

    for keys, url, called in ((URL, URL, None), (None, None, None), (function, None, function)):
        remote = provider(keys=keys).remote_keys
        assert remote is not None
        assert (remote.url, remote.function, remote.lifetime) == (url, called, None)


@pytest.mark.parametrize(
    "keys",
    [KEY, {"keys": [KEY]}, [KEY], PEM, PEM.encode(), {"k1": PEM}],
    ids=["JWK", "set", "list", "PEM", "bytes", "mapping"],
)
def test_keys_that_are_given_are_read_when_it_is_built(keys: Any) -> None:
    key_set = provider(keys=keys).key_set
    assert key_set is not None
    assert len(key_set.keys.all) == 1
    assert key_set.refresh_at == math.inf


def test_unusable_keys_among_given_ones_are_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    built = provider(keys={"keys": [KEY, {**KEY, "kid": "k2", "use": "enc"}, SECRET]})
    assert built.key_set is not None
    assert [key.kid for key in built.key_set.keys.all] == [KEY["kid"]]
    assert len(built.left_out) == 2
    assert all(sentence.startswith("key ") for sentence in built.left_out)
    assert SECRET["k"] not in str(built.left_out)
    assert caplog.records == []  # a server that is given the provider writes them to its log


def test_a_secret_is_taken_where_its_algorithm_is_named() -> None:
    key_set = provider(keys=SECRET, algorithms=["HS256"]).key_set
    assert key_set is not None
    assert len(key_set.keys.all) == 1


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_where_any_issuer_is_accepted_keys_must_come_from_elsewhere() -> None:
    assert provider(issuer=None, keys=URL, dangerously_accept_any_issuer=True).issuer is None


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_where_any_audience_is_accepted_none_is_given() -> None:
    assert provider(audience=None, dangerously_accept_any_audience=True).audiences == ()


def test_an_issuer_that_is_not_a_url_is_fine_where_the_keys_are_elsewhere() -> None:
    assert provider(issuer="accounts.example", keys=URL).issuer == "accounts.example"


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_keys_are_discovered_from_an_issuer_over_plain_http_by_the_option_with_the_long_name() -> None:
    issuer = "http://login.example"
    with pytest.raises(ConfigurationError, match="it is not https"):
        provider(issuer=issuer, keys=RemoteKeys())
    assert provider(issuer=issuer, keys=RemoteKeys(dangerously_allow_http=True)).issuer == issuer


@pytest.mark.parametrize("check", ["issuer", "audience"])
def test_a_check_that_is_switched_off_is_warned_of(check: str) -> None:
    settings: dict[str, Any] = {check: None, f"dangerously_accept_any_{check}": True}
    with pytest.warns(SecurityWarning, match=f"'login' .* Pass {check}=") as warned:
        provider(keys=KEY, **settings)
    assert [warning.filename for warning in warned] == [__file__]


@pytest.mark.parametrize(
    "option",
    [
        {"dangerously_allow_http": True},
        {"http_options": {"verify": False}},
        {"http_options": {"verify": 0}},
        {"http_options": {"transport": httpx2.HTTPTransport(verify=False)}},
        {"http_options": {"mounts": {"all://": httpx2.HTTPTransport(verify=False)}}},
    ],
    ids=["http", "verify=False", "verify=0", "transport", "mounts"],
)
def test_a_way_to_keys_that_others_can_change_is_warned_of(option: dict[str, Any]) -> None:
    with pytest.warns(SecurityWarning, match="RemoteKeys"):
        RemoteKeys(**option)


# -- what it refuses, and what it says to write instead

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("no issuer", {"issuer": None}, "write the exact 'iss' of its tokens"),
    ("empty issuer", {"issuer": ""}, "write the exact 'iss' of its tokens"),
    ("issuer of another type", {"issuer": ["https://login.example/"]}, "write the exact 'iss' of its tokens"),
    ("issuer and any", {"dangerously_accept_any_issuer": True}, "choose one"),
    ("no audience", {"audience": None}, "write what its tokens for this API carry in 'aud'"),
    ("empty audience", {"audience": ""}, "write what its tokens for this API carry in 'aud'"),
    ("no audiences", {"audience": []}, "such as 'https://api.example'"),
    ("an empty one among audiences", {"audience": ["https://api.example", ""]}, "a list of such names"),
    ("audience of another type", {"audience": 5}, "a list of such names"),
    ("audiences of another type", {"audience": [5]}, "a list of such names"),
    ("bytes as audience", {"audience": b"https://api.example"}, "a list of such names"),
    (
        "no audience in another claim",
        {"audience": None, "audience_claim": "client_id"},
        "carry in 'client_id'",
    ),
    ("audience and any", {"dangerously_accept_any_audience": True}, "choose one"),
    ("no algorithm", {"algorithms": []}, "choose from RS256"),
    ("algorithm none", {"algorithms": ["none"]}, "algorithms has none: choose from RS256"),
    ("unknown algorithm", {"algorithms": ["RS256", "rs256"]}, "algorithms has rs256: choose from RS256"),
    ("negative leeway", {"leeway": -1}, "seconds from 0 to 300"),
    ("long leeway", {"leeway": 301}, "seconds from 0 to 300"),
    ("leeway as text", {"leeway": "10"}, "seconds from 0 to 300"),
    ("leeway that is not a number", {"leeway": math.nan}, "seconds from 0 to 300"),
    ("profile by name", {"profile": "RFC9068"}, "JWT, RFC9068 or ID_TOKEN"),
    ("no audience claim", {"audience_claim": ""}, "as 'aud'"),
    ("audience claim of another type", {"audience_claim": None}, "as 'aud'"),
    ("required claim without value", {"required_claims": {"token_use": None}}, "the one it must have"),
    (
        "required claim of no values",
        {"required_claims": {"token_use": []}},
        "required_claims['token_use'] has no value",
    ),
    ("required claim of no value", {"required_claims": {"a": ["b", None]}}, "the one it must have"),
    ("no scope claim", {"scope_claim": ""}, "a path such as 'realm_access.roles'"),
    ("no roles claim", {"roles_claim": None}, "a path such as 'realm_access.roles'"),
    ("empty roles claim", {"roles_claim": []}, "or its keys"),
    ("roles claim of another type", {"roles_claim": ["roles", 0]}, "or its keys"),
    ("a password in an address", {"keys": "https://a:hunter2@login.example/"}, "holds a password"),
    ("keys over http", {"keys": "http://login.example/jwks"}, "it is not https: give an https:// URL"),
    ("keys in docker compose", {"keys": "http://keycloak:8080/jwks"}, "dangerously_allow_http=True"),
    (
        "metadata as keys",
        {"keys": "https://login.example/.well-known/openid-configuration"},
        "give the jwks_uri",
    ),
    ("keys from a file", {"keys": "file:///etc/jwks.json"}, "give an https:// URL"),
    ("keys over ftp", {"keys": "ftp://login.example/jwks"}, "neither https nor http: give an https:// URL"),
    ("keys with a password", {"keys": "https://a:b@login.example/jwks"}, "http_options"),
    ("keys at no address", {"keys": "https://"}, "it is not a URL"),
    ("discovery from no URL", {"issuer": "accounts.example"}, "would be discovered"),
    ("discovery over http", {"issuer": "http://login.example"}, "it is not https"),
    ("discovery in docker compose", {"issuer": "http://keycloak:8080"}, "dangerously_allow_http=True"),
    ("a bare domain", {"issuer": "tenant.auth0.com"}, "such as 'https://tenant.auth0.com/'"),
    ("a line end", {"issuer": "https://login.example/\n"}, "write 'https://login.example/'"),
    ("a line end where keys are given", {"issuer": "x\n", "keys": URL}, "write 'x'"),
    (
        "the address of metadata",
        {"issuer": "https://login.example/.well-known/openid-configuration"},
        "such as 'https://login.example'",
    ),
    ("an issuer with a password", {"issuer": "https://u:hunter2@login.example/"}, "holds a password"),
    (
        "discovery from any issuer",
        {"issuer": None, "dangerously_accept_any_issuer": True},
        "would be discovered",
    ),
    ("a secret as it is", {"keys": "hunter2", "algorithms": "HS256"}, "{'kty': 'oct', 'k': ...}"),
    ("a path", {"keys": "/etc/keys.pem"}, "keys=Path(...).read_text()"),
    ("metadata", {"keys": {"issuer": "x", "jwks_uri": URL}}, "give its jwks_uri as keys"),
    ("HTML", {"keys": "<html>"}, "a login page, perhaps?"),
    ("keys of no form", {"keys": 5}, "Give an https:// URL, a JWK, a JWK set, a PEM public key"),
    ("empty keys", {"keys": {"keys": []}}, "or leave keys out to discover them"),
    (
        "keys of which none is usable",
        {"keys": {**KEY, "use": "enc"}},
        "none of its keys can be used: key 1 of 1",
    ),
    ("a host without scheme", {"keys": "login.example/jwks"}, "Give an https:// URL"),
    ("a secret without algorithm", {"keys": SECRET}, "none of its keys can be used"),
    ("a secret beside others", {"keys": KEY, "algorithms": ["HS256"]}, "algorithms=['HS256']"),
    ("keys for other algorithms", {"keys": KEY, "algorithms": ["RS256"]}, "fits the algorithms RS256"),
    ("a secret by URL", {"keys": URL, "algorithms": ["HS256"]}, "as an object with the oct key"),
    ("a secret by remote keys", {"keys": RemoteKeys(), "algorithms": ["HS256"]}, "as an object with the oct"),
    ("a place without tenants", {"issuer": PLACE, "keys": URL}, "give a list of tenants to trust"),
    ("tenants without a place", {"tenants": ["a"]}, "write it as 'https://login.example/{tid}/v2.0'"),
    ("two places", {"issuer": "https://{a}.example/{b}", "keys": URL, "tenants": ["a"]}, "with one place"),
    ("no tenants", {"issuer": PLACE, "keys": URL, "tenants": []}, "name the tenants to trust"),
    ("every tenant", {"issuer": PLACE, "keys": URL, "tenants": "*"}, "there is no way to trust them all"),
    (
        "tenants who are asked elsewhere",
        {"issuer": PLACE, "keys": URL, "tenants": trusts_elsewhere},
        "ResourceServer.trusting",
    ),
    ("discovery from a template", {"issuer": PLACE, "tenants": ["a"]}, "there is not one issuer"),
    ("aliases that are not text", {"issuer_aliases": [5]}, "give the exact 'iss' values"),
    ("an alias with a place", {"issuer_aliases": PLACE}, "with braces in it: write it without"),
    (
        "aliases of a template",
        {"issuer": PLACE, "keys": URL, "tenants": ["a"], "issuer_aliases": "x"},
        "without one exact issuer",
    ),
    ("an alias with white space", {"issuer_aliases": "x "}, "write 'x'"),
    ("a trust domain and an issuer", {"trust_domain": "prod.example"}, "exclude each other"),
    (
        "a trust domain as an ID",
        {"issuer": None, "trust_domain": "spiffe://a.example"},
        "without 'spiffe://'",
    ),
    ("a trust domain without keys", {"issuer": None, "trust_domain": "a.example"}, "give keys, such as"),
    ("a signer and an issuer", {"signer": ARN}, "issuer= and signer= exclude each other"),
    ("a signer and an audience", {"issuer": None, "signer": ARN, "keys": URL}, "audience= and signer="),
    (
        "a signer that is not an ARN",
        {"issuer": None, "audience": None, "signer": "lb", "keys": URL},
        "give the whole ARN",
    ),
    ("keys for encryption", {"key_use": "enc"}, "leave it out, or write 'jwt-svid'"),
    ("a client claim of another type", {"client_claim": ["cid"]}, "name the claim that names the client"),
    ("an empty client claim", {"client_claim": ""}, "as 'cid'"),
    ("roles in several places, one odd", {"roles_claim": [["a"], [5]]}, "or its keys"),
    ("a secret by discovery", {"algorithms": ["HS256", "HS512"]}, "as an object with the oct key"),
]


@pytest.mark.parametrize(("options", "instead"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_missing_or_unsafe_is_refused_by_name_with_what_to_write(
    options: dict[str, Any], instead: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        provider(**options)
    message = str(refused.value)
    assert message.startswith("Provider 'login': ")
    assert instead in message
    assert message.endswith(".")


def test_a_provider_without_a_name_is_named_by_its_issuer() -> None:
    with pytest.raises(ConfigurationError, match=r"^Provider 'https://login\.example/': audience"):
        Provider("https://login.example/", audience="")


def test_a_name_must_be_a_string() -> None:
    with pytest.raises(ConfigurationError, match="a int: it must be a string"):
        provider(name=5)


K = SECRET["k"]


@pytest.mark.parametrize(
    "options",
    [
        {"keys": {**SECRET, "use": "enc"}},
        {"keys": {**SECRET, "kty": K}},
        {"keys": {"kty": "oct", "k": K[:20]}},
        {"keys": {"k": K}},
        {"keys": K},
        {"keys": K.encode()},
        {"keys": [K]},
        {"keys": {"k1": K}},
        {"keys": f"/{K}"},
        {"keys": f"{K}.pem"},
        {"audience": SECRET},
        {"profile": SECRET},
        {"leeway": SECRET},
        {"leeway": K},
        {"key_set_lifetime": SECRET},
        {"key_set_lifetime": K},
        {"name": SECRET},
        {"issuer": SECRET},
        {"issuer": f"https://u:{K}@login.example/", "name": None},
        {"required_claims": K},
        {"required_claims": {"a": [K, None]}},
        {"http_options": K},
        {"http_options": [SECRET]},
        {"pinned_thumbprints": K[:-1]},
        {"pinned_thumbprints": [SECRET]},
        {"scope_claim": [SECRET, K]},
        {"roles_claim": [SECRET]},
        {"audience_claim": SECRET},
    ],
    ids=lambda options: (
        "-".join([*options, *(type(value).__name__ for value in options.values())]) + f"-{len(str(options))}"
    ),
)
def test_no_message_shows_a_part_of_a_secret_wherever_it_was_put(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        provider(**{"algorithms": ["HS256"], **options})
    message = str(refused.value)
    assert not any(K[start : start + 8] in message for start in range(len(K) - 8))


@pytest.mark.parametrize(
    "options",
    [
        {"algorithms": None},
        {"algorithms": 5},
        {"algorithms": [["RS256"]]},
        {"required_claims": ["token_use"]},
        {"scope_claim": 5},
    ],
    ids=str,
)
def test_an_option_of_another_type_is_a_configuration_error_too(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="'login'"):
        provider(**options)


def test_a_secret_from_a_function_is_refused_as_it_can_never_be_taken() -> None:
    with pytest.raises(ConfigurationError, match="as an object with the oct key"):
        provider(keys=lambda: SECRET, algorithms=["HS256"])


@pytest.mark.parametrize(
    ("option", "instead"),
    [
        ("http_options", "keys=RemoteKeys(..., http_options=...)"),
        ("key_set_lifetime", "keys=RemoteKeys(..., lifetime=...)"),
        ("pinned_thumbprints", "keys=RemoteKeys(..., pinned_thumbprints=...)"),
        ("dangerously_allow_http", "keys=RemoteKeys(..., dangerously_allow_http=...)"),
    ],
)
def test_an_option_that_has_moved_is_refused_with_where_it_stands_now(option: str, instead: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        provider(**{option: None})
    assert instead in str(refused.value)


def test_an_option_that_never_was_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="'colour'"):
        provider(colour="red")


# -- where its tokens stand ------------------------------------------------------------------------------


def test_its_tokens_stand_in_authorization_unless_it_says_otherwise() -> None:
    assert provider().source is None


def test_a_header_is_known_by_its_name_in_any_case() -> None:
    assert Header("Cf-Access-Jwt-Assertion") == Header("cf-access-jwt-assertion")
    assert str(Header("X-Token")) == "the header x-token"
    assert str(Cookie("Token")) == "the cookie Token"


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a=b", "a:b", "tökén", 7, None, b"x-token", "x" * 129])
@pytest.mark.parametrize("source", [Header, Cookie])
def test_a_place_has_a_name_that_a_request_can_carry(source: Any, name: Any) -> None:
    with pytest.raises(ConfigurationError, match="give a name such as 'access-token'"):
        source(name)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("Authorization", "leave source out"),
        ("COOKIE", r"write Cookie\(name\)"),
        ("Host", "it names the server"),
        ("dpop", "it carries the proof"),
        ("Proxy-Authorization", "it is for a proxy"),
    ],
)
def test_a_header_that_is_for_something_else_is_not_a_place_for_tokens(name: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=remedy):
        Header(name)


def test_peers_are_networks() -> None:
    with pytest.raises(ConfigurationError, match="give the addresses or networks"):
        Header("X-Forwarded-Access-Token", peers=["proxy.internal"])


@pytest.mark.parametrize("source", ["X-Token", Header, object()])
def test_a_source_is_a_header_or_a_cookie(source: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"give Header\(name\) or Cookie\(name\)"):
        provider(source=source)
