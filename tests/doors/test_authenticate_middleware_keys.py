"""Where the middleware's keys come from, how long they are fresh, and what it refuses to be built with."""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from collections.abc import Iterator
from math import inf
from typing import Any, cast

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearerguard import RFC9068, ConfigurationError, Provider, RemoteKeys, SecurityWarning
from bearerguard.starlette import AuthenticateMiddleware
from bearerguard.testing import Clock, Issuer
from tests.doors.protected_apps import APPS, Api, described

DAY, YEAR = 86_400.0, 365 * 86_400.0


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(algorithm="ES256", clock=Clock(1_700_000_000))


def pem(issuer: Issuer) -> str:
    public = cast("Any", issuer.signing_key.private).public_key()
    return cast("bytes", public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).decode()


def certificate(issuer: Issuer) -> str:
    key = cast("Any", issuer.signing_key.private)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.test")])
    start = dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + dt.timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


# -- keys as an object

FORMS: dict[str, Any] = {
    "JWK": lambda issuer: issuer.signing_key.public_jwk(),
    "JWK set": lambda issuer: issuer.jwks(),
    "JSON of a JWK": lambda issuer: json.dumps(issuer.signing_key.public_jwk()),
    "JSON of a JWK set": lambda issuer: json.dumps(issuer.jwks()),
    "PEM": pem,
    "certificate": certificate,
    "kid to PEM": lambda issuer: {"another": pem(Issuer()), issuer.signing_key.kid: pem(issuer)},
    "kid to certificate": lambda issuer: {issuer.signing_key.kid: certificate(issuer)},
    "JSON of kid to certificate": lambda issuer: json.dumps({issuer.signing_key.kid: certificate(issuer)}),
    "list": lambda issuer: [Issuer().jwks(), pem(Issuer()), issuer.signing_key.public_jwk()],
}


@pytest.mark.parametrize("form", list(FORMS))
def test_keys_may_be_an_object_of_any_form_and_then_nothing_touches_the_network(
    issuer: Issuer, form: str
) -> None:
    def unreachable(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(f"asked for {request.url}")

    options = {"transport": httpx2.MockTransport(unreachable)}
    api = Api(
        {"login": described(issuer, keys=FORMS[form](issuer), http_options=options)}, clock=issuer.clock
    )
    assert api.get(issuer.token()).status_code == 200
    assert api.get(issuer.forged()).status_code == 401
    assert api.get(issuer.with_header(kid="unknown")).status_code == (
        200 if form in ("PEM", "certificate") else 401
    )
    issuer.clock.advance(10 * YEAR)
    assert api.get(issuer.token()).status_code == 200
    assert issuer.requests == ()


def test_unusable_keys_among_good_ones_are_skipped_with_a_warning(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    keys = {
        "keys": [
            {"kty": "RSA", "use": "enc", "kid": "enc-1"},
            *issuer.jwks()["keys"],
            {"kty": "oct", "k": "AAAA"},
        ]
    }
    api = Api({"login": described(issuer, keys=keys)}, clock=issuer.clock)
    assert api.get(issuer.token()).status_code == 200
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 2
    assert all("'login'" in message for message in warned)
    assert "enc-1" in warned[0]


# -- keys that are fetched


@pytest.fixture
def served(issuer: Issuer) -> Iterator[Issuer]:
    with issuer.serve():
        yield issuer


def test_keys_may_be_a_url_that_is_fetched_once(served: Issuer) -> None:
    api = Api({"login": described(served, keys=served.jwks_uri)}, clock=served.clock)
    assert [api.get(served.token()).status_code for _ in range(3)] == [200, 200, 200]
    assert [request.path for request in served.requests] == ["/jwks"]


def test_without_keys_they_are_discovered_from_the_issuer(served: Issuer) -> None:
    provider = {"issuer": served.url, "audience": served.audience}
    api = Api({"login": provider}, clock=served.clock)
    assert [api.get(served.token()).status_code for _ in range(3)] == [200, 200, 200]
    assert [request.path for request in served.requests] == ["/.well-known/openid-configuration", "/jwks"]


def test_a_url_may_publish_a_mapping_of_kid_to_certificate(issuer: Issuer) -> None:
    def publish(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={issuer.signing_key.kid: certificate(issuer)})

    options = {"transport": httpx2.MockTransport(publish)}
    provider = described(issuer, keys="https://certificates.test/v1", http_options=options)
    assert Api({"login": provider}, clock=issuer.clock).get(issuer.token()).status_code == 200


# -- get_keys


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_source_of_ones_own_gets_what_the_provider_has_in_keys(
    issuer: Issuer, colour: str, loop: str
) -> None:
    asked: list[tuple[Any, str]] = []

    def get_keys(url_or_keys: Any) -> Any:
        asked.append((url_or_keys, threading.current_thread().name))
        return issuer.jwks()

    async def get_keys_later(url_or_keys: Any) -> Any:
        return get_keys(url_or_keys)

    api = Api(
        {"login": described(issuer, keys="https://vault.test/keys")},
        get_keys=get_keys if colour == "sync" else get_keys_later,
        clock=issuer.clock,
        loop=loop,
    )
    assert asked == []
    assert [api.get(issuer.token()).status_code for _ in range(2)] == [200, 200]
    assert [url for url, _ in asked] == ["https://vault.test/keys"]
    assert asked[0][1] != threading.current_thread().name
    assert issuer.requests == ()


def test_a_source_of_ones_own_is_asked_for_each_provider(issuer: Issuer) -> None:
    other = Issuer("https://other.test", algorithm="ES256", clock=issuer.clock)
    keys = {"a": issuer.jwks(), None: other.jwks()}
    provider = {"issuer": other.url, "audience": other.audience}
    api = Api(
        {"login": described(issuer, keys="a"), "partner": provider}, get_keys=keys.get, clock=issuer.clock
    )
    assert api.get(issuer.token()).status_code == 200
    assert api.get(other.token()).status_code == 200


def test_a_source_of_ones_own_serves_provider_objects_too(issuer: Issuer) -> None:
    asked: list[Any] = []

    def get_keys(url_or_keys: Any) -> Any:
        asked.append(url_or_keys)
        return issuer.jwks()

    api = Api(
        {"login": issuer.provider(keys="https://vault.test/keys")}, get_keys=get_keys, clock=issuer.clock
    )
    assert api.get(issuer.token()).status_code == 200
    assert asked == ["https://vault.test/keys"]


def test_a_source_of_ones_own_that_fails_is_a_503(issuer: Issuer) -> None:
    def get_keys(url_or_keys: Any) -> Any:
        raise ConnectionError

    api = Api({"login": described(issuer)}, get_keys=get_keys, clock=issuer.clock)
    assert api.get(issuer.token()).status_code == 503
    assert api.entered == []


# -- key_refresh_minutes


def fetches_after(issuer: Issuer, seconds: float, **options: Any) -> int:
    """How often keys were fetched by a first request and one that much later."""
    providers = options.pop("providers", {"login": described(issuer, keys=issuer.jwks_uri)})
    for provider in providers.values():
        if isinstance(provider, dict):
            provider["http_options"] = {"transport": issuer.transport}
    api = Api(providers, clock=issuer.clock, **options)
    assert api.get(issuer.token()).status_code == 200
    issuer.clock.advance(seconds)
    assert api.get(issuer.token()).status_code == 200
    for thread in threading.enumerate():
        if thread.name.startswith("bearerguard refresh"):
            thread.join()
    return issuer.count("/jwks")


@pytest.mark.parametrize(
    ("minutes", "seconds", "fetches"),
    [
        (None, 400, 1),
        (None, 599, 2),
        (1, 40, 1),
        (1, 59, 2),
        (0.5, 29, 2),
        (60, 2000, 1),
        (60, 3599, 2),
        (inf, 10 * YEAR, 1),
        ({"login": 1}, 59, 2),
        ({"login": inf}, 10 * YEAR, 1),
        ({}, 599, 2),
    ],
    ids=str,
)
def test_the_lifetime_of_a_key_set_is_given_in_minutes(
    issuer: Issuer, minutes: Any, seconds: float, fetches: int
) -> None:
    assert fetches_after(issuer, seconds, key_refresh_minutes=minutes) == fetches


def test_each_provider_may_have_a_lifetime_of_its_own(issuer: Issuer) -> None:
    other = Issuer("https://other.test", algorithm="ES256", clock=issuer.clock)
    providers = {
        "login": described(issuer, keys=issuer.jwks_uri, http_options={"transport": issuer.transport}),
        "partner": other.provider(keys=other.jwks_uri),
    }
    api = Api(providers, key_refresh_minutes={"partner": inf}, clock=issuer.clock)
    for _ in range(2):
        assert api.get(issuer.token()).status_code == api.get(other.token()).status_code == 200
        issuer.clock.advance(5000)  # past the lifetime of the one, and past its grace
    assert (issuer.count("/jwks"), other.count("/jwks")) == (2, 1)


def test_a_lifetime_outweighs_that_of_a_provider_object(issuer: Issuer) -> None:
    provider = issuer.provider(keys=RemoteKeys(lifetime=10))
    assert fetches_after(issuer, 400, providers={"login": provider}, key_refresh_minutes=60) == 1


def test_without_one_a_provider_object_keeps_its_own(issuer: Issuer) -> None:
    provider = issuer.provider(keys=RemoteKeys(lifetime=inf))
    assert fetches_after(issuer, YEAR, providers={"login": provider}) == 1


def test_a_source_of_ones_own_is_asked_again_too(issuer: Issuer) -> None:
    asked: list[Any] = []

    def get_keys(url_or_keys: Any) -> Any:
        asked.append(url_or_keys)
        return issuer.jwks()

    fetches_after(issuer, DAY, get_keys=get_keys, key_refresh_minutes=5)
    assert len(asked) == 2


# -- the options of a provider


def test_a_provider_may_have_all_its_options_in_the_mapping(issuer: Issuer) -> None:
    provider = described(
        issuer, algorithms=["ES256"], leeway=0, profile=RFC9068, required_claims={"tenant": ["a", "b"]}
    )
    api = Api({"login": provider}, clock=issuer.clock)
    assert api.get(issuer.token(tenant="a")).status_code == 200
    assert api.get(issuer.token(tenant="c")).status_code == 401
    assert api.get(issuer.token(tenant="a", jti=None)).status_code == 401
    assert api.get(issuer.token(tenant="a", alg="RS256")).status_code == 401
    assert api.get(issuer.token(tenant="a", header={"typ": "JWT"})).status_code == 401
    token = issuer.token(tenant="a", expires_in=1)
    issuer.clock.advance(1)
    assert api.get(token).status_code == 401


def built(providers: Any, **options: Any) -> AuthenticateMiddleware:
    return AuthenticateMiddleware(cast("Any", APPS["starlette"]()), providers, **options)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("no issuer", {"issuer": None}, "write the exact 'iss'"),
    ("empty issuer", {"issuer": ""}, "write the exact 'iss'"),
    ("empty audience", {"audience": ""}, "write what its tokens for this API carry"),
    ("no audiences", {"audience": []}, "write what its tokens for this API carry"),
    ("plain http", {"keys": "http://login.example/jwks"}, "it is not https: give an https:// URL"),
    ("no usable keys", {"keys": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "none of its keys can be used"),
    ("empty keys", {"keys": {"keys": []}}, "Give an https:// URL, a JWK"),
    ("misspelt algorithms", {"algorithm": ["ES256"]}, "did you mean 'algorithms'?"),
    ("misspelt audience", {"audiences": ["a"]}, "did you mean 'audience'?"),
    ("misspelt required claims", {"require_claims": {}}, "did you mean 'required_claims'?"),
]


@pytest.mark.parametrize(("options", "instead"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_provider_that_is_not_safe_is_refused_by_name_with_what_to_write(
    issuer: Issuer, options: dict[str, Any], instead: str
) -> None:
    with pytest.raises(ConfigurationError, match="'login'") as refused:
        built({"sound": described(issuer), "login": {**described(issuer), **options}})
    assert instead in str(refused.value)
    assert "sound" not in str(refused.value)


@pytest.mark.parametrize("missing", ["issuer", "audience"])
def test_a_provider_that_lacks_something_is_told_what(issuer: Issuer, missing: str) -> None:
    provider = described(issuer)
    del provider[missing]
    with pytest.raises(ConfigurationError, match=f"'login' lacks {missing}: write "):
        built({"login": provider})


@pytest.mark.parametrize("provider", [None, "https://login.example", ["https://login.example"]], ids=str)
def test_what_is_not_a_provider_is_shown_what_one_is(provider: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"'login' is .*: give a Provider, or a mapping"):
        built({"login": provider})


@pytest.mark.parametrize("providers", [None, {}], ids=str)
def test_it_is_not_built_without_providers(providers: Any) -> None:
    with pytest.raises(ConfigurationError, match="AuthenticateMiddleware needs providers"):
        built(providers)


@pytest.mark.parametrize("minutes", [-1, float("nan"), "5", True, {"login": -1}], ids=str)
def test_a_lifetime_that_is_not_one_is_refused_by_name(issuer: Issuer, minutes: Any) -> None:
    with pytest.raises(ConfigurationError, match="'login'"):
        built({"login": described(issuer)}, key_refresh_minutes=minutes)


def test_an_option_that_means_nothing_here_is_warned_of(issuer: Issuer) -> None:
    with pytest.warns(SecurityWarning, match="'login' has 'uri'") as warned:
        built({"login": described(issuer, uri="https://login.example")})
    assert len(warned) == 1


def test_minutes_for_a_provider_that_does_not_exist_are_refused(issuer: Issuer) -> None:
    with pytest.raises(ConfigurationError, match="'lgoin'"):
        built({"login": described(issuer)}, key_refresh_minutes={"lgoin": 5})


@pytest.mark.parametrize(
    "options", [{"providers": "list"}, {"get_keys": "vault"}, {"public_paths": 5}], ids=str
)
def test_arguments_of_another_type_are_a_configuration_error(issuer: Issuer, options: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"providers": {"login": described(issuer)}, **options}
    if settings["providers"] == "list":
        settings["providers"] = [described(issuer)]
    with pytest.raises(ConfigurationError):
        built(**settings)


def test_a_provider_object_may_be_used_twice(issuer: Issuer) -> None:
    provider = Provider(issuer.url, audience=issuer.audience, keys=issuer.jwks())
    first, second = Api({"a": provider}, clock=issuer.clock), Api({"b": provider}, clock=issuer.clock)
    assert first.get(issuer.token()).json()["provider"] == "a"
    assert second.get(issuer.token()).json()["provider"] == "b"


# -- how keys are fetched, as options beside them


def remote_keys_of(provider: Any, **options: Any) -> RemoteKeys:
    """How the middleware's server fetches the keys of a provider."""
    remote = built({"login": provider}, **options)._server.providers[0].remote_keys
    assert remote is not None
    return remote


def test_options_of_fetching_stand_beside_the_keys_of_a_mapping(issuer: Issuer) -> None:
    fetching = {"http_options": {"timeout": 1}, "key_set_lifetime": 60, "pinned_thumbprints": ["A" * 43]}
    for keys in (None, issuer.jwks_uri, RemoteKeys(issuer.jwks_uri, lifetime=5)):
        remote = remote_keys_of(described(issuer, keys=keys, **fetching))
        assert remote.url == (None if keys is None else issuer.jwks_uri)
        assert (remote.http_options, remote.lifetime) == ({"timeout": 1}, 60)
        assert remote.pinned_thumbprints == frozenset({"A" * 43})


def test_minutes_for_a_provider_object_leave_the_rest_of_how_it_fetches(issuer: Issuer) -> None:
    keys = RemoteKeys(issuer.jwks_uri, pinned_thumbprints="A" * 43, http_options={"timeout": 1})
    remote = remote_keys_of(issuer.provider(keys=keys), key_refresh_minutes=2)
    assert (remote.url, remote.lifetime) == (issuer.jwks_uri, 120)
    assert (remote.pinned_thumbprints, remote.http_options) == (frozenset({"A" * 43}), {"timeout": 1})


def test_a_source_of_ones_own_keeps_the_pins_and_the_lifetime_of_a_provider_object(issuer: Issuer) -> None:
    keys = RemoteKeys(issuer.jwks_uri, lifetime=60, pinned_thumbprints="A" * 43)
    remote = remote_keys_of(issuer.provider(keys=keys), get_keys=lambda url: url)
    assert (remote.url, remote.lifetime, remote.pinned_thumbprints) == (None, 60, frozenset({"A" * 43}))
    assert remote.function is not None
    assert remote.function() == issuer.jwks_uri


@pytest.mark.parametrize(
    ("options", "instead"),
    [
        ({"keys": {"keys": []}, "pinned_thumbprints": ["A" * 43]}, "give only those that you accept"),
        ({"keys": None, "key_set_lifetime": 0}, "seconds above 0"),
        ({"keys": None, "pinned_thumbprints": []}, "RFC 7638"),
        ({"keys": None, "http_options": "timeout=1"}, "give a mapping"),
    ],
    ids=["pins of an object", "no lifetime", "no pins", "no mapping"],
)
def test_an_option_of_fetching_that_is_wrong_is_refused_with_the_name_of_the_provider(
    issuer: Issuer, options: dict[str, Any], instead: str
) -> None:
    with pytest.raises(ConfigurationError, match="'login'") as refused:
        built({"login": described(issuer, **options)})
    assert instead in str(refused.value)
