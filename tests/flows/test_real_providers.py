"""What only some providers need: tenants, trust domains, keys one by one, signers of load balancers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Generator, Mapping
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearerguard import (
    AccessToken,
    AuthError,
    ConfigurationError,
    InvalidToken,
    Profile,
    Provider,
    RemoteKeys,
    Request,
)
from bearerguard._core.credentials import BEARER, DPOP
from bearerguard._flows.binding import Binding, Presented
from bearerguard._flows.by_subject import of_trust_domain
from bearerguard._flows.effects import (
    AskIntrospection,
    AskReplays,
    FetchFailed,
    HttpAnswer,
    HttpGet,
    KeySource,
    ReplayKey,
)
from bearerguard._flows.jwt import NOT_TRUSTED, Verdict
from bearerguard._flows.key_fetch import Discovered, Published, fetch_keys
from bearerguard._flows.pipeline import Pipeline, Stages
from bearerguard._flows.signer import SignerPipeline, pipeline_of
from bearerguard._flows.signer import _unpadded as unpadded
from bearerguard._jose.key_material import read_keys
from bearerguard._jose.key_set import KeyIndex, KeySet
from bearerguard.errors import InvalidDPoPProof
from bearerguard.testing import SigningKey
from tests.certificates import certificate_der, x5t_s256
from tests.flows import asking
from tests.flows.pipeline import (
    FROM_PROXY,
    ISSUER,
    JWKS,
    NOW,
    PROVING,
    Admitting,
    ProvenError,
    StubSource,
    admitted,
    refusal,
    showing,
)

PLACE = "https://login.example/{tid}/v2.0"
KEYS = "https://login.example/keys"


def reason(server: Admitting, token: str, waited: Mapping[StubSource, float | None] | None = None) -> str:
    return refusal(server, token, waited=waited).reason


def many(tenants: Any, *jwks: Any, **options: Any) -> Admitting:
    provider = Provider(PLACE, audience=ISSUER.audience, keys=KEYS, tenants=tenants, **options)
    return Admitting([(provider, StubSource(*(jwks or (JWKS,))))])


def of_tenant(tenant: str, **claims: Any) -> str:
    return ISSUER.token(**{"iss": PLACE.format(tid=tenant), "tid": tenant, **claims})


# -- tenants


@pytest.mark.parametrize("tenants", [["a", "b"], lambda tenant: tenant in ("a", "b")])
def test_tokens_of_the_tenants_that_are_trusted_are_accepted(tenants: Any) -> None:
    server = many(tenants)
    assert admitted(server, of_tenant("a")).issuer == PLACE.format(tid="a")
    assert admitted(server, of_tenant("b")).claims["tid"] == "b"
    assert reason(server, of_tenant("c")) == "issuer"
    assert reason(server, of_tenant("a", iss=PLACE.format(tid="b"))) == "invalid_claim"
    assert reason(server, of_tenant("a", tid=None)) == "missing_claim"
    assert reason(server, of_tenant("a", iss=PLACE)) == "issuer"
    assert reason(server, ISSUER.token(iss=None, tid="a")) == "missing_claim"
    assert reason(server, of_tenant("a", aud="other")) == "audience"


def test_the_function_is_asked_only_of_tokens_whose_signature_holds() -> None:
    asked: list[str] = []

    def trusts(tenant: str) -> bool:
        asked.append(tenant)
        return True

    server = many(trusts)
    assert reason(server, ISSUER.forged(iss=PLACE.format(tid="a"), tid="a")) == "signature"
    assert asked == []
    admitted(server, of_tenant("a"))
    assert asked == ["a"]


@pytest.mark.parametrize("answer", [1, "yes", object(), None, [True]])
def test_only_true_is_a_yes(answer: Any) -> None:
    assert reason(many(lambda _: answer), of_tenant("a")) == "issuer"


def with_issuer(issuer: str) -> dict[str, Any]:
    return {"keys": [{**key, "issuer": issuer} for key in JWKS["keys"]]}


def test_a_key_that_names_an_issuer_signs_for_that_one_only() -> None:
    server = many(["a", "b"], with_issuer(PLACE.format(tid="a")))
    assert admitted(server, of_tenant("a")).claims["tid"] == "a"
    assert reason(server, of_tenant("b")) == "unknown_key"
    assert reason(server, ISSUER.token(iss=PLACE.format(tid="b"), tid="b", many=[[]] * 99)) == "unknown_key"
    assert reason(server, of_tenant("b", many=[[]] * 99)) == "unknown_key"


def test_a_key_that_names_a_template_signs_for_all_tenants() -> None:
    server = many(["a", "b"], with_issuer("https://login.example/{tenantid}/v2.0"))
    assert admitted(server, of_tenant("b")).claims["tid"] == "b"


def test_a_key_of_another_name_says_nothing_of_this_one() -> None:
    other = {**ISSUER.jwks()["keys"][0], "kid": "other", "issuer": "https://login.example/x/v2.0"}
    assert admitted(many(["a"], JWKS, other), of_tenant("a")).claims["tid"] == "a"
    theirs = many(["a", "b"], other, with_issuer(PLACE.format(tid="a")))
    assert admitted(theirs, of_tenant("a")).claims["tid"] == "a"
    assert reason(theirs, of_tenant("b")) == "unknown_key", "the second key is looked at too"


def test_a_tenant_that_is_not_trusted_or_whose_key_is_of_another_is_told_the_same() -> None:
    said = "The token was not issued by a provider that this API trusts."
    for tenants in (["a"], lambda _: False):
        assert str(refusal(many(tenants), of_tenant("b"))) == said
    assert str(refusal(many(["a", "b"], with_issuer(PLACE.format(tid="a"))), of_tenant("b"))) == said


@pytest.mark.parametrize("tenant", ["a", "b"])
def test_a_rich_token_is_compared_with_the_issuer_of_its_key_after_a_wait_too(tenant: str) -> None:
    source = StubSource()
    provider = Provider(PLACE, audience=ISSUER.audience, keys=KEYS, tenants=["a", "b"])
    server = Admitting([(provider, source)])
    assert not isinstance(server.attempt(of_tenant(tenant, many=[[]] * 99)), AccessToken)
    source.publish(with_issuer(PLACE.format(tid="a")))
    assert server.stages is not None
    if tenant == "b":
        with pytest.raises(InvalidToken) as refused:
            server.stages.send(None)
        assert refused.value.reason == "unknown_key"
        return
    with pytest.raises(StopIteration) as stop:
        server.stages.send(None)
    assert stop.value.value.claims["tid"] == "a"


def test_the_issuer_of_a_key_is_compared_after_a_wait_too() -> None:
    source = StubSource()
    provider = Provider(PLACE, audience=ISSUER.audience, keys=KEYS, tenants=["a", "b"])
    server = Admitting([(provider, source)])
    effect = server.attempt(of_tenant("b"))
    assert not isinstance(effect, AccessToken)
    source.publish(with_issuer(PLACE.format(tid="a")))
    assert server.stages is not None
    with pytest.raises(InvalidToken) as refused:
        server.stages.send(None)
    assert refused.value.reason == "unknown_key"


def test_a_tenants_token_is_accepted_after_a_wait_too() -> None:
    source = StubSource()
    provider = Provider(PLACE, audience=ISSUER.audience, keys=KEYS, tenants=["a"])
    server = Admitting([(provider, source)])
    assert not isinstance(server.attempt(of_tenant("a")), AccessToken)
    source.publish(JWKS)
    assert server.stages is not None
    with pytest.raises(StopIteration) as stop:
        server.stages.send(None)
    assert stop.value.value.claims["tid"] == "a"


def test_two_apis_of_one_template_are_told_apart_by_their_audience() -> None:
    def provider(audience: str) -> Provider:
        return Provider(PLACE, audience=audience, keys=KEYS, tenants=lambda _: True, name=audience)

    server = Admitting((provider(name), StubSource(JWKS)) for name in ("one", "two"))
    assert admitted(server, of_tenant("a", aud="two")).provider.name == "two"


def test_other_texts_of_the_same_issuer_are_accepted() -> None:
    provider = Provider(
        "https://accounts.example", audience=ISSUER.audience, keys=KEYS, issuer_aliases="accounts.example"
    )
    server = Admitting([(provider, StubSource(JWKS))])
    assert admitted(server, ISSUER.token(iss="accounts.example")).issuer == "accounts.example"
    assert admitted(server, ISSUER.token(iss="https://accounts.example")).provider is provider
    assert reason(server, ISSUER.token(iss="http://accounts.example")) == "issuer"


def test_a_typ_that_says_dpop_needs_a_key_where_it_is_required() -> None:
    provider = Provider(
        ISSUER.url, audience=ISSUER.audience, keys=KEYS, required_claims={"typ": ["Bearer", "DPoP"]}
    )
    server = Admitting([(provider, StubSource(JWKS))])
    assert admitted(server, ISSUER.token(typ="Bearer")).claims["typ"] == "Bearer"
    assert reason(server, ISSUER.token(typ="DPoP")) == "invalid_claim"
    assert reason(server, ISSUER.token(typ="ID")) == "invalid_claim"
    assert reason(server, ISSUER.token(typ="DPoP", cnf={"jkt": "x"})) not in {"invalid_claim", "type"}


# -- clients and roles


def test_client_and_roles_stand_where_the_provider_says() -> None:
    provider = Provider(
        ISSUER.url,
        audience=ISSUER.audience,
        keys=KEYS,
        client_claim="cid",
        roles_claim="urn:roles",
        roles_are_keys=True,
    )
    claims: dict[str, Any] = {"urn:roles": {"admin": {"1": "a"}, "reader": {}}}
    token = ISSUER.token(cid="app", **claims)
    verified = admitted(Admitting([(provider, StubSource(JWKS))]), token)
    assert verified.client_id == "app"
    assert verified.roles == {"admin", "reader"}


@pytest.mark.parametrize("claims", [{}, {"cid": 1}, {"cid": None, "urn:roles": ["admin"]}])
def test_nobody_is_taken_for_a_client_by_another_claim(claims: dict[str, Any]) -> None:
    provider = Provider(
        ISSUER.url,
        audience=ISSUER.audience,
        keys=KEYS,
        client_claim="cid",
        roles_claim="urn:roles",
        roles_are_keys=True,
    )
    verified = admitted(Admitting([(provider, StubSource(JWKS))]), ISSUER.token(**claims))
    assert verified.client_id is None
    assert verified.roles == frozenset()


def test_roles_may_stand_in_several_places() -> None:
    provider = Provider(
        ISSUER.url,
        audience=ISSUER.audience,
        keys=KEYS,
        roles_claim=[["realm_access", "roles"], ["resource_access", "my.api", "roles"]],
    )
    token = ISSUER.token(
        realm_access={"roles": ["staff"]},
        resource_access={"my.api": {"roles": ["admin"]}, "other": {"roles": ["root"]}},
    )
    assert admitted(Admitting([(provider, StubSource(JWKS))]), token).roles == {"staff", "admin"}


# -- trust domains

SVID = Profile("JWT-SVID", frozenset({None, "jwt", "jose"}), ("sub",))


def svid(sub: Any = "spiffe://prod.example/web", **claims: Any) -> str:
    return ISSUER.token(sub=sub, header={"typ": "JOSE"}, **{"iss": None, "client_id": None, **claims})


def domain(name: str, source: StubSource) -> tuple[Provider, StubSource]:
    return Provider(None, audience=ISSUER.audience, keys=KEYS, trust_domain=name, profile=SVID), source


def test_the_trust_domain_chooses_the_keys() -> None:
    others = StubSource({"keys": [{**JWKS["keys"][0], "kid": "other"}]})
    server = Admitting([domain("prod.example", StubSource(JWKS)), domain("test.example", others)])
    assert admitted(server, svid()).provider.name == "prod.example"
    assert admitted(server, svid(iss="https://whoever.example")).subject == "spiffe://prod.example/web"
    error = refusal(server, svid("spiffe://test.example/web"), waited={others: None})
    assert (error.reason, error.provider) == ("unknown_key", "test.example")
    error = refusal(server, svid("spiffe://dev.example/web"))
    assert (error.reason, error.description) == ("issuer", NOT_TRUSTED)
    assert reason(server, svid("ada")) == "issuer"
    assert reason(server, svid(None)) == "issuer"
    assert admitted(server, svid(many=[[]] * 99)).subject == "spiffe://prod.example/web"
    assert reason(server, svid(7, many=[[]] * 99)) == "issuer"


LONGEST = "/" + "x" * (2048 - len("spiffe://prod.example/"))


@pytest.mark.parametrize("path", ["/", "/a/", "//a", "/../a", "/a/.", "/a b", "/%61", "/ä", f"{LONGEST}x"])
def test_a_subject_that_is_not_a_spiffe_id_is_refused(path: str) -> None:
    server = Admitting([domain("prod.example", StubSource(JWKS))])
    error = refusal(server, svid(f"spiffe://prod.example{path}"))
    assert (error.reason, error.provider) == ("invalid_claim", "prod.example")
    assert error.description == "The token's 'sub' claim is not a SPIFFE ID."


@pytest.mark.parametrize(("path", "asked"), [("", "prod.example"), ("?x", None)])
def test_a_subject_that_ends_where_its_path_should_begin_is_of_nobody(path: str, asked: str | None) -> None:
    error = refusal(
        Admitting([domain("prod.example", StubSource(JWKS))]), svid(f"spiffe://prod.example{path}")
    )
    assert (error.reason, error.provider, error.description) == ("issuer", asked, NOT_TRUSTED)


def test_a_spiffe_id_of_the_greatest_length_is_accepted() -> None:
    server = Admitting([domain("prod.example", StubSource(JWKS))])
    assert len(admitted(server, svid(f"spiffe://prod.example{LONGEST}")).subject or "") == 2048


@pytest.mark.parametrize("sub", ["spiffe://evil.example/web", "spiffe://prod.example.evil/web", 7, None])
def test_a_subject_of_another_trust_domain_is_refused_whoever_chose_the_keys(sub: Any) -> None:
    with pytest.raises(InvalidToken) as refused:
        of_trust_domain("prod.example")({"sub": sub})
    assert (refused.value.reason, refused.value.description) == ("issuer", NOT_TRUSTED)


def test_an_issuer_that_is_there_chooses_nothing() -> None:
    issuer = (Provider(ISSUER.url, audience=ISSUER.audience, keys=KEYS), StubSource(JWKS))
    templates = (
        Provider(PLACE, audience=ISSUER.audience, keys=KEYS, tenants=lambda _: True),
        StubSource(JWKS),
    )
    server = Admitting([issuer, domain("prod.example", StubSource(JWKS)), templates])
    assert admitted(server, svid(iss=ISSUER.url)).provider.name == "prod.example"
    assert admitted(server, svid(iss=PLACE.format(tid="a"))).provider.name == "prod.example"
    assert admitted(server, ISSUER.token()).provider.name == ISSUER.url
    assert admitted(server, of_tenant("a")).provider.name == PLACE


def test_two_providers_of_one_trust_domain_are_asked_in_turn() -> None:
    one = Provider(None, audience="one", keys=KEYS, trust_domain="prod.example", name="one", profile=SVID)
    two = Provider(None, audience="two", keys=KEYS, trust_domain="prod.example", name="two", profile=SVID)
    server = Admitting([(one, StubSource(JWKS)), (two, StubSource(JWKS))])
    assert admitted(server, svid(aud="two")).provider.name == "two"
    assert reason(server, svid(aud="three")) == "audience"


def test_a_payload_that_cannot_be_read_is_of_no_trust_domain() -> None:
    server = Admitting([domain("prod.example", StubSource(JWKS))])
    odd = b'{"aud": "x", "many": [' + b"[]," * 99 + b'[]], "sub": "spiffe://prod.example/\xff"}'
    assert reason(server, ISSUER.sign(odd)) == "issuer"


def test_keys_for_svids_are_told_by_their_use() -> None:
    bundle = {
        "keys": [
            {**JWKS["keys"][0], "use": "jwt-svid"},
            {**JWKS["keys"][1], "use": "x509-svid"},
            {**JWKS["keys"][2], "use": "sig"},
        ]
    }
    keys, left_out = read_keys(bundle, use="jwt-svid")
    assert [key.kid for key in keys] == [JWKS["keys"][0]["kid"]]
    assert left_out == []
    with pytest.raises(ConfigurationError, match="no key whose use is 'jwt-svid'"):
        Provider(
            None,
            audience="a",
            keys={"keys": bundle["keys"][1:]},
            trust_domain="a.example",
            key_use="jwt-svid",
        )


# -- keys one by one


class StubKeysByKid:
    """A source for each key id that a test names; None beyond those."""

    key_set = None

    def __init__(self, sources: Mapping[str, StubSource], absent: frozenset[str] = frozenset()) -> None:
        self.sources = sources
        self.absent = absent
        self.asked: list[str] = []

    def source_of(self, kid: str) -> StubSource | None:
        self.asked.append(kid)
        return self.sources.get(kid)

    def is_absent(self, kid: str) -> bool:
        return kid in self.absent

    def refresh_ahead(self, now: float) -> None:
        raise AssertionError(now)


KID: str = ISSUER.signing_key.kid
BY_KID = RemoteKeys("https://keys.example/{kid}", kid_pattern="[A-Za-z0-9_-]{1,80}")


def one_by_one(keys: StubKeysByKid, **options: Any) -> Admitting:
    provider = Provider(ISSUER.url, audience=ISSUER.audience, keys=BY_KID, **options)
    return Admitting([(provider, keys)])


def test_the_key_that_a_token_names_is_used() -> None:
    keys = StubKeysByKid({KID: StubSource(JWKS)})
    server = one_by_one(keys)
    assert admitted(server, ISSUER.token()).subject == "user-1"
    assert reason(server, ISSUER.forged()) == "signature"
    assert keys.asked == [KID, KID]


@pytest.mark.parametrize("kid", [None, "", "..", "a/b", "a?b", "a b", "x" * 81, "a\n"])
def test_no_key_is_looked_for_under_an_odd_id(kid: str | None) -> None:
    keys = StubKeysByKid({})
    assert reason(one_by_one(keys), ISSUER.with_header(kid=kid)) == "unknown_key"
    assert keys.asked == []


def test_no_key_is_looked_for_before_algorithm_and_type_fit() -> None:
    keys = StubKeysByKid({})
    server = one_by_one(keys, algorithms="RS256")
    assert reason(server, ISSUER.token()) == "algorithm"
    assert reason(server, ISSUER.token(alg="RS256", header={"typ": "logout+jwt"})) == "type"
    assert keys.asked == []


def test_what_a_provider_with_keys_one_by_one_did_not_sign_is_told_the_same() -> None:
    source = StubSource()
    server = one_by_one(StubKeysByKid({KID: source}, frozenset({KID})), algorithms="ES256")
    for token in (
        ISSUER.token(alg="RS256"),
        ISSUER.token(header={"typ": "logout+jwt"}),
        ISSUER.with_header(kid=".."),
        ISSUER.token(),
    ):
        assert refusal(server, token, waited={source: 5.0}).description == NOT_TRUSTED


def test_of_two_providers_with_keys_one_by_one_the_second_is_asked_after_the_first() -> None:
    source = StubSource()
    one = Provider(ISSUER.url, audience=ISSUER.audience, keys=BY_KID, name="one")
    two = Provider(ISSUER.url, audience=ISSUER.audience, keys=BY_KID, name="two")
    server = Admitting([(one, StubKeysByKid({KID: source})), (two, StubKeysByKid({KID: StubSource(JWKS)}))])
    assert admitted(server, ISSUER.token(), waited={source: 5.0}).provider is two


def test_a_key_that_may_not_be_asked_for_now_is_trouble_not_a_bad_token() -> None:
    assert reason(one_by_one(StubKeysByKid({})), ISSUER.token()) == "provider_unavailable"


def test_a_key_that_the_provider_has_not_is_unknown() -> None:
    source = StubSource()
    absent = one_by_one(StubKeysByKid({KID: source}, frozenset({KID})))
    assert reason(absent, ISSUER.token(), {source: 5.0}) == "unknown_key"
    down = one_by_one(StubKeysByKid({KID: source}))
    assert reason(down, ISSUER.token(), {source: 5.0}) == "provider_unavailable"


def test_a_key_that_comes_after_a_wait_is_used() -> None:
    source = StubSource()
    server = one_by_one(StubKeysByKid({KID: source}))
    effect = server.attempt(ISSUER.token())
    assert not isinstance(effect, AccessToken)
    source.publish(JWKS)
    assert server.stages is not None
    with pytest.raises(StopIteration) as stop:
        server.stages.send(None)
    assert stop.value.value.subject == "user-1"


def pem_of(key: SigningKey) -> bytes:
    public: Any = key.private.public_key()  # type: ignore[union-attr]  # an issuer's key is not a secret
    pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_is_not_at_its_address_is_absent(status: int) -> None:
    flow = fetch_keys(Published("https://keys.example/a", kid="a"), None)
    assert next(flow) == HttpGet("https://keys.example/a")
    with pytest.raises(FetchFailed) as failed:
        flow.send(HttpAnswer(status, b""))
    assert failed.value.kind == "absent"
    said = f"https://keys.example/a answered HTTP {status}: there is no such key"
    assert str(failed.value) == said


def test_a_key_in_pem_is_filed_under_the_id_of_its_address() -> None:
    flow = fetch_keys(Published("https://keys.example/a", kid="a"), None)
    next(flow)
    with pytest.raises(StopIteration) as stop:
        flow.send(HttpAnswer(200, pem_of(ISSUER.signing_key)))
    assert [key.kid for key in stop.value.value.keys.all] == ["a"]


def test_of_what_is_fetched_only_keys_of_the_use_that_is_asked_for_count() -> None:
    bundle = {
        "keys": [
            {**key, "use": use, "kid": use}
            for key, use in zip(JWKS["keys"], ("sig", "jwt-svid", "x509-svid"), strict=False)
        ]
    }
    flow = fetch_keys(Published(KEYS, use="jwt-svid"), None)
    next(flow)
    with pytest.raises(StopIteration) as stop:
        flow.send(HttpAnswer(200, json.dumps(bundle).encode()))
    assert [key.kid for key in stop.value.value.keys.all] == ["jwt-svid"]


# -- metadata at an address of its own

INSIDE = "http://127.0.0.1:8080/realms/shop/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("issuer", "named"),
    [("https://login.example/realms/shop",) * 2, (PLACE, "https://login.example/{tenantid}/v2.0")],
)
def test_metadata_may_be_fetched_elsewhere_than_the_issuer_says(issuer: str, named: str) -> None:
    flow = fetch_keys(Discovered(issuer, metadata_url=INSIDE), None)
    assert next(flow) == HttpGet(INSIDE)
    told = {"issuer": named, "jwks_uri": "http://127.0.0.1:8080/certs"}
    assert flow.send(HttpAnswer(200, json.dumps(told).encode())) == HttpGet("http://127.0.0.1:8080/certs")


def test_metadata_are_fetched_elsewhere_again_where_there_are_keys_in_hand() -> None:
    keys = KeySet(KeyIndex(read_keys(JWKS)[0]), address="http://127.0.0.1:8080/certs")
    flow = fetch_keys(Discovered("https://login.example/realms/shop", metadata_url=INSIDE), keys)
    effect = next(flow)
    assert isinstance(effect, HttpGet)
    assert effect.url == INSIDE


def test_metadata_fetched_elsewhere_still_has_to_be_of_the_issuer() -> None:
    flow = fetch_keys(Discovered("https://login.example/realms/shop", metadata_url=INSIDE), None)
    next(flow)
    told = {"issuer": "http://127.0.0.1:8080/realms/shop", "jwks_uri": "http://127.0.0.1:8080/certs"}
    with pytest.raises(FetchFailed) as failed:
        flow.send(HttpAnswer(200, json.dumps(told).encode()))
    assert failed.value.kind == "issuer_mismatch"


# -- load balancers

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/0123456789abcdef"


def padded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data)


def of_balancer(
    payload: bytes = b'{"sub": "ada", "email": "ada@shop.example"}',
    encode: Callable[[bytes], bytes] = padded,
    **header: Any,
) -> bytes:
    members = {
        "alg": "ES256",
        "typ": "JWT",
        "kid": KID,
        "signer": ARN,
        "iss": "https://idp.example",
        "client": "app",
        "exp": NOW + 60,
        **header,
    }
    text = {name: value for name, value in members.items() if value is not None}
    signing_input = encode(json.dumps(text).encode()) + b"." + encode(payload)
    return signing_input + b"." + encode(ISSUER.signing_key.sign("ES256", signing_input))


BALANCER = Provider(None, audience=None, signer=ARN, keys=BY_KID, algorithms="ES256", client_claim="client")


def balancer(keys: StubKeysByKid, binding: Binding | None = None) -> Admitting:
    issuer = (Provider(ISSUER.url, audience=ISSUER.audience, keys=KEYS), StubSource(JWKS))
    server = Admitting([issuer])
    server.pipeline = pipeline_of([issuer, (BALANCER, keys)], lambda: server.now, binding)
    return server


def balancers_keys() -> StubKeysByKid:
    return StubKeysByKid({KID: StubSource(JWKS)})


def bare(data: bytes) -> bytes:
    return padded(data).rstrip(b"=")


@pytest.mark.parametrize("encode", [padded, bare])
@pytest.mark.parametrize("email", ["a", "aa", "aaa"])
def test_a_token_of_the_load_balancer_is_accepted(encode: Any, email: str) -> None:
    server = balancer(balancers_keys())
    payload = json.dumps({"sub": "ada", "email": email, "exp": "soon"}).encode()
    token = server.pipeline.admit(of_balancer(payload, encode))
    assert isinstance(token, AccessToken)
    assert (token.subject, token.client_id, token.issuer) == ("ada", "app", "https://idp.example")
    assert (token.expires_at, token.claims["email"]) == (NOW + 60, email)
    token.claims_copy()["sub"] = "eve"
    assert token.subject == "ada"


@pytest.mark.parametrize("field", [b"Bearer %b", b"Bearer   %b", b"Bearer %b  "])
def test_a_token_of_the_load_balancer_is_accepted_in_the_field_that_it_came_in(field: bytes) -> None:
    raw = of_balancer()
    token = balancer(balancers_keys()).pipeline.admit(field % raw, None, BEARER, None, len("Bearer "))
    assert isinstance(token, AccessToken)
    assert token.raw == raw.decode()


def outcome_of(server: Admitting, raw: bytes) -> AccessToken:
    """What comes of a token, where keys that have to be waited for do not come."""
    outcome = server.pipeline.admit(raw)
    if not isinstance(outcome, AccessToken):
        next(outcome)
        outcome.send(5.0)
        raise AssertionError("it neither was refused nor waited")
    return outcome


def refused_by(server: Admitting, raw: bytes) -> AuthError:
    with pytest.raises(AuthError) as refused:
        outcome_of(server, raw)
    return refused.value


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (of_balancer(exp=NOW - 60), "expired"),
        (of_balancer(exp=None), "missing_claim"),
        (of_balancer(exp="later"), "invalid_claim"),
        (of_balancer(signer=ARN[:-1]), "malformed"),
        (of_balancer(signer=[ARN]), "malformed"),
        (of_balancer(signer=None), "malformed"),
        (of_balancer(alg="none"), "algorithm"),
        (of_balancer(kid="a/b"), "unknown_key"),
        (of_balancer(crit=["exp"]), "critical"),
        (of_balancer(b"[]"), "malformed"),
        (of_balancer(b'{"a": [' + b"[]," * 99 + b"1]}"), "malformed"),
        (of_balancer(b'{"sub": "ada", "cnf": {"jkt": "x"}}'), "sender_constrained"),
        (of_balancer() + b"=", "malformed"),
        (of_balancer().replace(b".", b"=.", 1), "malformed"),
        (b"." + of_balancer(), "malformed"),
        (b"x" * 20_000, "too_large"),
        (b"", "malformed"),
    ],
)
def test_any_other_token_of_a_load_balancer_is_refused(raw: bytes, expected: str) -> None:
    assert refused_by(balancer(balancers_keys()), raw).reason == expected


def test_a_refused_token_of_a_load_balancer_tells_operators_of_whom() -> None:
    error = refused_by(balancer(balancers_keys()), of_balancer(exp=NOW - 60))
    assert (error.provider, error.kid) == (ARN, KID)


def test_a_token_of_a_load_balancer_that_is_bound_is_refused_as_any_other() -> None:
    bound = of_balancer(b'{"sub": "ada", "cnf": {"jkt": "x"}}')
    assert refused_by(balancer(balancers_keys()), bound).provider == ARN


def test_the_keys_of_a_load_balancer_vouch_only_for_its_own_tokens() -> None:
    keys = balancers_keys()
    server = balancer(keys)
    assert admitted(server, ISSUER.token()).provider.name == ISSUER.url
    assert reason(server, ISSUER.token(iss="https://idp.example")) == "issuer"
    assert reason(server, ISSUER.token(iss=None)) == "missing_claim"
    assert keys.asked == []


def test_a_token_that_cannot_be_read_goes_to_its_provider_beside_a_load_balancer_too() -> None:
    login = asking.provider()
    source = asking.Source(login.name)
    trusted: list[tuple[Provider, KeySource]] = [(login, StubSource(JWKS)), (BALANCER, balancers_keys())]
    stages = pipeline_of(trusted, lambda: NOW, None, {login.name: cast("Any", source)}).admit(asking.OPAQUE)
    assert not isinstance(stages, AccessToken)
    assert isinstance(question := next(stages), AskIntrospection)
    assert question.source is source


def test_padding_is_taken_of_no_other_provider() -> None:
    server = balancer(balancers_keys())
    assert isinstance(server.attempt(ISSUER.token()), AccessToken)
    signing_input = ISSUER.token(sub="a" * 8).rpartition(".")[0].encode()
    head, _, body = signing_input.partition(b".")
    for fill in (head, body):
        assert len(fill) % 4 != 1
    raw = head + b"=" * (-len(head) % 4 or 4) + b"." + body + b".AA"
    assert refused_by(server, raw).reason == "malformed"


@pytest.mark.parametrize(("text", "bare"), [(b"abcX", b"abcX"), (b"abX=", b"abX"), (b"aX==", b"aX")])
def test_only_padding_is_taken_off_a_part(text: bytes, bare: bytes) -> None:
    assert unpadded(text) == bare


def test_a_key_of_the_load_balancer_is_waited_for() -> None:
    source = StubSource()
    server = balancer(StubKeysByKid({KID: source}))
    assert refused_by(server, of_balancer()).reason == "provider_unavailable"
    stages = server.pipeline.admit(of_balancer())
    assert not isinstance(stages, AccessToken)
    next(stages)
    source.publish(JWKS)
    with pytest.raises(StopIteration) as stop:
        stages.send(None)
    assert stop.value.value.subject == "ada"


def waiting(server: Admitting, source: StubSource, seconds: float) -> Stages:
    """The stages of a token whose key comes after some seconds."""
    stages = server.pipeline.admit(of_balancer())
    assert not isinstance(stages, AccessToken)
    next(stages)
    server.now = NOW + seconds
    source.publish(JWKS)
    return stages


def test_a_token_whose_key_was_waited_for_is_judged_by_the_clock_of_that_moment() -> None:
    source = StubSource()
    server = balancer(StubKeysByKid({KID: source}))
    with pytest.raises(StopIteration) as stop:
        waiting(server, source, 10).send(None)
    assert stop.value.value.verified_at == NOW + 10


def test_a_token_that_is_refused_after_a_wait_tells_operators_of_whom() -> None:
    source = StubSource()
    server = balancer(StubKeysByKid({KID: source}))
    with pytest.raises(AuthError) as refused:
        waiting(server, source, 100).send(None)
    assert (refused.value.reason, refused.value.provider, refused.value.kid) == ("expired", ARN, KID)


class Noting(Binding):
    """Has each request noted where a fleet does."""

    def prove(self, verdict: Verdict, presented: Presented, now: float) -> Generator[AskReplays, Any, None]:
        if not (yield AskReplays(cast("Any", None), ReplayKey("x", b"y"), now)):
            raise InvalidDPoPProof("proof_replayed", "It was used before.")


def test_what_has_to_be_noted_by_a_fleet_is_waited_for() -> None:
    server = balancer(balancers_keys(), Noting())
    stages = server.pipeline.admit(of_balancer(), None, DPOP)
    assert not isinstance(stages, AccessToken)
    assert isinstance(next(stages), AskReplays)
    with pytest.raises(StopIteration) as stop:
        stages.send(True)
    assert stop.value.value.subject == "ada"


def test_what_a_fleet_has_noted_before_is_told_with_the_key_of_the_load_balancer() -> None:
    stages = balancer(balancers_keys(), Noting()).pipeline.admit(of_balancer(), None, DPOP)
    assert not isinstance(stages, AccessToken)
    next(stages)
    with pytest.raises(InvalidDPoPProof) as refused:
        stages.send(False)
    assert refused.value.kid == KID


def test_a_server_without_load_balancers_has_the_plain_pipeline() -> None:
    assert type(pipeline_of([], lambda: NOW)) is Pipeline
    plain = Provider(ISSUER.url, audience=ISSUER.audience, keys=KEYS)
    assert type(pipeline_of([(plain, StubSource(JWKS))], lambda: NOW)) is Pipeline
    server = balancer(balancers_keys())
    assert isinstance(server.pipeline, SignerPipeline)
    assert [provider.name for provider in server.pipeline.providers] == [ISSUER.url, ARN]


# -- load balancers, and tokens that are bound to a certificate

LEAF = certificate_der()


@pytest.mark.parametrize("waits", [False, True])
def test_tokens_of_a_load_balancer_are_as_bound_as_any_other(waits: bool) -> None:
    binding = Binding(certificate=FROM_PROXY)
    source = StubSource() if waits else StubSource(JWKS)
    server = balancer(StubKeysByKid({KID: source}), binding=binding)
    cnf = {"cnf": {"x5t#S256": x5t_s256(LEAF)}}
    raw = of_balancer(json.dumps({"sub": "ada", **cnf}).encode())
    for request, expected in ((showing(LEAF), None), (showing(certificate_der()), "certificate")):
        source.key_set = None if waits else source.key_set
        assert ended(server.pipeline, raw, request, source) == expected


def test_the_tokens_of_other_issuers_are_bound_beside_a_load_balancer_too() -> None:
    server = balancer(balancers_keys(), binding=Binding(certificate=FROM_PROXY))
    raw = ISSUER.token(cnf={"x5t#S256": x5t_s256(LEAF)}).encode()
    assert ended(server.pipeline, raw, showing(LEAF)) is None
    assert ended(server.pipeline, raw, showing(certificate_der())) == "certificate"


def ended(pipeline: Pipeline, raw: bytes, request: Request, source: StubSource | None = None) -> str | None:
    """The reason of a refusal, None where the token is accepted; keys that are waited for come."""
    try:
        outcome = pipeline.admit(raw, request)
        if not isinstance(outcome, AccessToken):
            next(outcome)
            assert source is not None
            source.publish(JWKS)
            with pytest.raises(StopIteration) as stop:
                outcome.send(None)
            outcome = stop.value.value
    except AuthError as error:
        return error.reason
    assert isinstance(outcome, AccessToken)
    assert outcome.raw.encode() == raw
    return None


def test_a_proof_beside_a_load_balancer_is_for_the_address_that_the_guard_knows() -> None:
    server = balancer(balancers_keys(), binding=PROVING)
    request = Request("GET", "https://api.example/orders", [])
    bound = {"jkt": "0" * 43}
    said = json.dumps({"sub": "ada", "cnf": bound}).encode()
    for raw in (of_balancer(said), ISSUER.token(cnf=bound).encode()):
        with pytest.raises(ProvenError) as proven:
            server.pipeline.admit(raw, request, "DPoP", "https://api.example")
        assert proven.value.args == (raw, request, "DPoP", "https://api.example", NOW)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (of_balancer(crit=["exp"]), "The token's header has a critical extension that is not supported."),
        (of_balancer() + b"=", "The token's payload or signature is not base64url."),
        (of_balancer().replace(b".", b".AA.", 1), "The token's payload or signature is not base64url."),
        (
            of_balancer(b'{"a": [' + b"[]," * 99 + b"1]}"),
            "The token's payload has too many arrays and objects.",
        ),
    ],
)
def test_what_is_said_of_a_token_of_a_load_balancer(raw: bytes, said: str) -> None:
    assert refused_by(balancer(balancers_keys()), raw).description == said
