"""A logout token from its text to a revocation: whose keys, which effects, and in which order."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bearerguard import AuthError, InvalidToken, Provider, RemoteKeys
from bearerguard._core.denylist import Entry, named, plain_name
from bearerguard._core.logout_token import Logout
from bearerguard._flows.effects import Resolution, ResolveIssuer, SpendOnce, WaitForKeys, WriteRevocation
from bearerguard._flows.jwt import Effect
from bearerguard._flows.logout import Logouts
from bearerguard._flows.pipeline import Pipeline
from bearerguard._flows.trusting import TrustedIssuer, TrustingPipeline
from bearerguard.testing import Clock, Issuer
from tests.flows.pipeline import ISSUER, JWKS, NOW, StubSource

WEB = "orders-web"
PROVIDER = Provider(ISSUER.url, audience=ISSUER.audience, keys="https://issuer.test/jwks")


def good(**changes: Any) -> str:
    return ISSUER.logout_token("ada", **{"client_id": WEB, **changes})


class Taking:
    """A pipeline to which logout tokens are sent; what every effect does is noted."""

    def __init__(
        self, pipeline: Pipeline, keys: StubSource | None = None, *, requires_exp: bool = True
    ) -> None:
        self.pipeline = pipeline
        self.keys = keys
        self.ear = cast("Any", object())
        self.effects: list[Effect] = []
        self.is_new = True
        self.resolution: Any = None
        self.logouts = Logouts(WEB, requires_exp, clock=lambda: NOW, naming=plain_name, ear=self.ear)

    def take(self, text: str) -> tuple[Logout, Provider]:
        flow = self.logouts.take(self.pipeline, text.encode())
        try:
            effect = next(flow)
            while True:
                self.effects.append(effect)
                effect = flow.send(self.carry_out(effect))
        except StopIteration as stop:
            return cast("tuple[Logout, Provider]", stop.value)

    def carry_out(self, effect: Effect) -> Any:
        if isinstance(effect, SpendOnce):
            return self.is_new
        if isinstance(effect, ResolveIssuer):
            return self.resolution
        if isinstance(effect, WaitForKeys):
            assert self.keys is not None
            self.keys.publish(JWKS)
        return None

    def refusal(self, text: str) -> AuthError:
        with pytest.raises(AuthError) as refused:
            self.take(text)
        return refused.value


def taking(*providers: Provider, keys: StubSource | None = None) -> Taking:
    source = StubSource(JWKS) if keys is None else keys
    trusted = [(one, source) for one in providers or (PROVIDER,)]
    return Taking(Pipeline(trusted, lambda: NOW), source)


def name(kind: Any, value: str, issuer: str = ISSUER.url) -> bytes:
    return named(plain_name, kind, issuer, value)


def test_the_revocation_is_written_before_the_token_is_spent() -> None:
    server = taking()
    logout, provider = server.take(good(sid="s1", jti="j1"))
    assert (logout.kind, logout.value, provider.name) == ("sid", "s1", ISSUER.url)
    assert server.effects == [
        WriteRevocation(server.ear, Entry(name("sid", "s1"), int(NOW))),
        SpendOnce(server.ear, name("logout", "j1"), 130.0),
    ]


def test_b6_a_token_that_was_spent_is_refused_and_takes_back_what_it_did_before() -> None:
    server = taking()
    server.is_new = False
    assert server.refusal(good()).reason == "logout_replayed"
    assert [type(effect) for effect in server.effects] == [WriteRevocation, SpendOnce]


def test_b9_a_subject_alone_is_logged_out_up_to_the_iat_of_the_token_and_not_up_to_now() -> None:
    server = taking()
    server.take(good(iat=int(NOW) - 60))
    assert server.effects[0] == WriteRevocation(server.ear, Entry(name("sub", "ada"), int(NOW) - 60))


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "logout+jwt", "LOGOUT+JWT", "application/logout+jwt"])
def test_b3_the_type_may_be_absent_or_jwt_or_logout_jwt_in_any_case(typ: Any) -> None:
    assert taking().take(good(header={"typ": typ}))


@pytest.mark.parametrize("typ", ["at+jwt", "secevent+jwt", "dpop+jwt", "id+jwt", "x"])
def test_b3_every_other_type_is_refused(typ: str) -> None:
    assert taking().refusal(good(header={"typ": typ})).reason == "type"


def test_b2_the_signature_is_checked_with_the_keys_of_the_provider_that_iss_chooses() -> None:
    other = Issuer("https://other.test", algorithm="ES256", clock=Clock(NOW))
    server = taking()
    assert server.refusal(other.logout_token("ada", client_id=WEB)).reason == "issuer"
    assert server.refusal(other.logout_token("ada", client_id=WEB, iss=ISSUER.url)).reason == "unknown_key"
    assert server.refusal(good()[:-8] + "AAAAAAAA").reason == "signature"
    assert server.effects
    assert {type(effect) for effect in server.effects} == {WaitForKeys}


def test_b2_an_algorithm_that_the_provider_does_not_have_is_refused() -> None:
    assert (
        taking(Provider(ISSUER.url, audience="a", keys="https://x.test/k", algorithms="RS256"))
        .refusal(good())
        .reason
        == "algorithm"
    )


@pytest.mark.parametrize("algorithm", ["RS512", "PS384", "ES384", "EdDSA"])
def test_b2_a_logout_is_taken_in_every_algorithm_of_its_provider(algorithm: Any) -> None:
    other = Issuer("https://other.test", algorithm=algorithm, clock=Clock(NOW))
    server = taking(Provider(other.url, audience="a", keys="https://x.test/k"), keys=StubSource(other.jwks()))
    assert server.take(other.logout_token("ada", client_id=WEB))[0].value == "ada"


def test_b3_exp_is_required_unless_the_program_says_otherwise() -> None:
    assert taking().refusal(good(exp=None)).reason == "missing_claim"
    server = Taking(Pipeline([(PROVIDER, StubSource(JWKS))], lambda: NOW), requires_exp=False)
    assert server.take(good(exp=None))[0].value == "ada"


@pytest.mark.parametrize("issuer", [None, 7, ["x"]])
def test_a_token_without_an_issuer_is_refused_and_nobody_is_asked_about_it(issuer: Any) -> None:
    text = ISSUER.sign({"iss": issuer} if issuer is not None else {})
    asking = Taking(TrustingPipeline(Register(), lambda: NOW))
    for server in (taking(), asking):
        assert server.refusal(text).reason == "issuer"
        assert server.effects == []


def test_b8_an_encrypted_token_is_refused() -> None:
    assert taking().refusal("a.b.c.d.e").reason == "encrypted"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "malformed"),
        ("opaque", "malformed"),
        ("e30.@.AAAA", "malformed"),
        ("e30.e30.AAAA", "malformed"),
        ("a" * 16_384, "malformed"),
        ("a" * 16_385, "too_large"),
    ],
)
def test_what_is_not_a_jwt_is_refused(text: str, reason: str) -> None:
    assert taking().refusal(text).reason == reason


NOT_TRUSTED = "The token was not issued by a provider that this API trusts."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a" * 16_385, "The token is too long."),
        ("a.b.c.d.e", "The token is encrypted (JWE), which is not supported."),
        (f"{good().partition('.')[0]}.@.AAAA", "The token is not three parts of base64url."),
        (ISSUER.sign({}), NOT_TRUSTED),
        (good(iss="https://other.test"), NOT_TRUSTED),
    ],
    ids=["long", "encrypted", "not base64url", "no issuer", "another issuer"],
)
def test_a_refusal_says_what_is_wrong_in_a_whole_sentence(text: str, said: str) -> None:
    assert str(taking().refusal(text)) == said


def test_b6_a_replayed_token_is_told_that_each_is_good_once() -> None:
    server = taking()
    server.is_new = False
    assert str(server.refusal(good())) == "The logout token was used before: each is good once."


def test_a_payload_that_is_not_base64url_or_too_rich_is_refused() -> None:
    head, _, tail = good().split(".")
    assert taking().refusal(f"{head}.@.{tail}").reason == "malformed"
    assert taking().refusal(good(extra=[[] for _ in range(100)])).reason == "issuer"


def test_keys_that_are_not_there_are_waited_for() -> None:
    server = taking(keys=StubSource())
    server.take(good())
    assert [type(effect) for effect in server.effects] == [WaitForKeys, WriteRevocation, SpendOnce]


def test_an_alias_and_a_tenant_are_named_as_their_access_tokens_are() -> None:
    alias = taking(
        Provider(ISSUER.url, audience="a", keys="https://x.test/k", issuer_aliases="https://a.test")
    )
    alias.take(good(iss="https://a.test"))
    assert alias.effects[0] == WriteRevocation(alias.ear, Entry(name("sub", "ada"), int(NOW)))
    for tenants in (["a1"], lambda _: True):
        one = Provider(
            "https://login.test/{tid}", name="t", audience="a", tenants=tenants, keys="https://login.test/k"
        )
        server = taking(one)
        server.take(good(iss="https://login.test/a1", tid="a1"))
        said = Entry(name("sub", "ada", "https://login.test/a1"), int(NOW))
        assert server.effects[0] == WriteRevocation(server.ear, said)
        assert server.refusal(good(iss="https://elsewhere.test/a1", tid="a1")).reason == "issuer"
        assert server.refusal(good(iss="https://login.test/a1", tid="b2")).reason == "invalid_claim"


class ByKid:
    """A source for each key."""

    def __init__(self, source: StubSource) -> None:
        self.source = source

    def source_of(self, kid: str) -> StubSource:
        return self.source


def test_a_provider_with_an_address_for_each_key_is_asked_for_the_one_of_the_token() -> None:
    keys = RemoteKeys("https://keys.test/{kid}", kid_pattern="[A-Za-z0-9_-]+")
    one = Provider(ISSUER.url, audience="a", keys=keys)
    server = Taking(Pipeline([(one, cast("Any", ByKid(StubSource(JWKS))))], lambda: NOW))
    server.take(good())
    assert isinstance(server.effects[0], WriteRevocation)


class Register:
    """A register of issuers that knows what a test tells it."""

    def __init__(self, known: TrustedIssuer | None = None, *, has_refused: bool = False) -> None:
        self.known = known
        self.says_no = has_refused

    def get(self, issuer: str, /) -> Any:
        return self.known

    def __contains__(self, issuer: str) -> bool:
        return self.known is not None

    def has_refused(self, issuer: str) -> bool:
        return self.says_no


def trusted_issuer() -> TrustedIssuer:
    return TrustedIssuer(PROVIDER, StubSource(JWKS), lambda: NOW, lambda: None)


def test_an_issuer_that_a_function_accepted_logs_out_and_the_function_is_asked_where_it_is_new() -> None:
    known = Taking(TrustingPipeline(Register(trusted_issuer()), lambda: NOW))
    assert known.take(good())
    new = Taking(TrustingPipeline(Register(), lambda: NOW))
    new.resolution = Resolution(trusted_issuer())
    assert new.take(good())
    assert isinstance(new.effects[0], ResolveIssuer)


def test_an_issuer_that_the_function_refuses_or_cannot_judge_logs_nobody_out() -> None:
    server = Taking(TrustingPipeline(Register(), lambda: NOW))
    server.resolution = Resolution()
    assert server.refusal(good()).reason == "issuer"
    server.resolution = Resolution(retry_after=2.0)
    assert server.refusal(good()).retry_after == 2.0
    refused = Taking(TrustingPipeline(Register(has_refused=True), lambda: NOW))
    assert isinstance(refused.refusal(good()), InvalidToken)
    assert refused.effects == []
