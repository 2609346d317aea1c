"""The pipeline as plain functions and a pure generator: no network, no thread, no clock but a number."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from msgspec import structs

from bearerguard import (
    ID_TOKEN,
    JWT,
    RFC9068,
    AccessToken,
    InvalidToken,
    Profile,
    Provider,
    ProviderUnavailable,
    Request,
)
from bearerguard._core.credentials import DPOP
from bearerguard._flows.effects import WaitForKeys
from bearerguard._flows.pipeline import Pipeline, Stages
from bearerguard._jose.key_material import read_keys
from bearerguard._jose.key_set import KeyIndex
from bearerguard._limits import MAX_TOKEN_BYTES
from bearerguard.provider import ANY_JWT
from bearerguard.testing import Clock, Issuer, signing_key
from tests.flows.pipeline import (
    ISSUER,
    JWKS,
    NOW,
    PROVING,
    TOKEN,
    Admitting,
    ProvenError,
    StubSource,
    accepted,
    admitted,
    admitting,
    refusal,
    wanted,
)

CLAIMS = {
    "iss": ISSUER.url,
    "aud": ISSUER.audience,
    "sub": "user-1",
    "exp": NOW + 60,
}

# -- the common case


def test_a_valid_token_is_accepted_at_once() -> None:
    source = StubSource(JWKS)
    token = accepted(admitting(source).attempt(TOKEN, NOW))
    assert (token.issuer, token.subject, token.raw) == (ISSUER.url, "user-1", TOKEN)
    assert token.provider.name == "a"
    assert token.verified_at == NOW
    assert source.asked_ahead == []


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: "", "malformed"),
        (lambda: "opaque", "malformed"),
        (lambda: None, "malformed"),
        (lambda: b"a" * 20_000, "too_large"),
        (lambda: TOKEN + "é", "malformed"),
        (lambda: "?" + TOKEN, "malformed"),
        (lambda: TOKEN.replace(".", ".?", 1), "malformed"),
        (lambda: TOKEN + "=", "malformed"),
        (lambda: ISSUER.sign(b"[]"), "malformed"),
        (lambda: ISSUER.sign(b"{"), "malformed"),
        (lambda: TOKEN + "a" * MAX_TOKEN_BYTES, "too_large"),
        (lambda: TOKEN + ".a.a", "encrypted"),
        (lambda: ISSUER.with_header(crit=["exp"]), "critical"),
        (lambda: ISSUER.with_header(typ="dpop+jwt"), "type"),
        (lambda: ISSUER.with_header(alg="none"), "algorithm"),
        (lambda: ISSUER.with_header(alg="HS256"), "algorithm"),
        (ISSUER.unsigned, "algorithm"),
        (ISSUER.forged, "signature"),
        (lambda: TOKEN.rpartition(".")[0] + ".", "signature"),
        (lambda: ISSUER.token(iss="https://another.example"), "issuer"),
        (lambda: ISSUER.token(iss=[ISSUER.url]), "invalid_claim"),
        (lambda: ISSUER.token(iss=None), "missing_claim"),
        (ISSUER.expired, "expired"),
        (ISSUER.not_yet_valid, "not_yet_valid"),
        (ISSUER.for_another_audience, "audience"),
        (lambda: ISSUER.token(cnf={"jkt": "a"}), "sender_constrained"),
    ],
    ids=[
        "empty",
        "no dots",
        "no text",
        "too many bytes",
        "not ASCII",
        "header",
        "payload",
        "signature padded",
        "array",
        "not JSON",
        "too long",
        "JWE",
        "crit",
        "typ",
        "alg none",
        "alg HS256",
        "unsigned",
        "forged",
        "no signature",
        "issuer",
        "issuer list",
        "no issuer",
        "expired",
        "not yet valid",
        "audience",
        "bound",
    ],
)
def test_a_token_that_is_not_valid_is_refused_with_its_reason(make: Any, reason: str) -> None:
    refused = refusal(admitting(StubSource(JWKS, is_fixed=True)), make())
    assert isinstance(refused, InvalidToken)
    assert refused.reason == reason


def test_nothing_is_learnt_from_claims_before_the_signature_is_checked() -> None:
    forged = ISSUER.forged(exp=0, aud="another", cnf={})
    assert refusal(admitting(StubSource(JWKS)), forged).reason == "signature"


def test_a_refusal_names_the_provider_and_the_key_for_the_log() -> None:
    refused = refusal(admitting(StubSource(JWKS)), ISSUER.expired())
    assert (refused.provider, refused.kid) == ("a", ISSUER.signing_key.kid)
    before_any_provider = refusal(admitting(StubSource(JWKS)), ISSUER.token(iss="https://another.example"))
    assert (before_any_provider.provider, before_any_provider.kid) == (None, None)


def test_whatever_a_provider_refuses_operators_are_told_which_and_for_what_key() -> None:
    source, other, empty = StubSource(JWKS), StubSource(Issuer(algorithm="ES256").jwks()), StubSource()
    kid = ISSUER.signing_key.kid
    for refused in (
        refusal(admitting(source), ISSUER.with_header(alg="none")),
        refusal(admitting(source), ISSUER.with_header(typ="dpop+jwt")),
        refusal(admitting(source), ISSUER.forged()),
        refusal(admitting(source), ISSUER.expired()),
        refusal(admitting(empty), TOKEN, waited={empty: 30.0}),
        refusal(admitting(other), TOKEN, waited={other: 30.0}),
        refusal(admitting(other), TOKEN, waited={other: None}),
    ):
        assert (refused.provider, refused.kid) == ("a", kid), refused.reason


def test_operators_are_told_of_whom_a_token_says_it_is_and_who_is_trusted() -> None:
    refused = refusal(admitting(StubSource(JWKS)), ISSUER.token(iss="https://another.example"))
    assert refused.facts == {"issuers": (ISSUER.url,), "unverified_iss": "https://another.example"}


def test_operators_are_told_for_whom_a_token_is_and_for_whom_it_should_be() -> None:
    refused = refusal(admitting(StubSource(JWKS)), ISSUER.token(aud="other", client_id="app"))
    assert refused.facts == {
        "sub": "user-1",
        "client_id": "app",
        "audience_expected": (ISSUER.audience,),
        "audience_found": "other",
    }


def test_a_token_that_does_not_say_who_issued_it_is_told_so() -> None:
    server = admitting(StubSource(JWKS))
    assert refusal(server, ISSUER.token(iss=None)).description == "The token has no 'iss' claim."
    assert refusal(server, ISSUER.token(iss=7)).description == "The token's 'iss' claim is malformed."


def test_only_the_algorithms_of_the_provider_are_accepted() -> None:
    server = admitting(StubSource(JWKS), algorithms=["RS256"])
    assert refusal(server, TOKEN).reason == "algorithm"
    accepted(server.attempt(ISSUER.token(alg="RS256"), NOW))


@pytest.mark.parametrize(
    ("profile", "typ", "verdict"),
    [
        (None, "at+jwt", "accepted"),
        (None, "application/at+JWT", "accepted"),
        (None, "JWT", "accepted"),
        (None, None, "accepted"),
        (None, "logout+jwt", "type"),
        (RFC9068, "at+jwt", "accepted"),
        (RFC9068, "JWT", "type"),
        (RFC9068, None, "type"),
        (ID_TOKEN, "JWT", "accepted"),
        (ID_TOKEN, None, "accepted"),
        (ID_TOKEN, "at+jwt", "type"),
    ],
)
def test_the_profile_says_which_types_are_accepted(profile: Any, typ: str | None, verdict: str) -> None:
    server = admitting(StubSource(JWKS), **({} if profile is None else {"profile": profile}))
    token = ISSUER.with_header(typ=typ)
    if verdict == "accepted":
        accepted(server.attempt(token, NOW))
    else:
        assert refusal(server, token).reason == verdict


@pytest.mark.parametrize(
    ("profile", "required"), [(RFC9068, {"sub", "client_id", "iat", "jti"}), (ID_TOKEN, {"sub", "iat"})]
)
def test_the_profile_says_which_claims_are_required(profile: Any, required: set[str]) -> None:
    server = admitting(StubSource(JWKS), profile=profile)
    header = {"typ": "at+jwt" if profile is RFC9068 else "JWT"}
    for claim in ("sub", "client_id", "iat", "jti"):
        absent: dict[str, Any] = {claim: None}
        token = ISSUER.token(header=header, **absent)
        if claim in required:
            assert refusal(server, token).reason == "missing_claim"
        else:
            accepted(server.attempt(token, NOW))


# -- which keys are tried


def test_a_token_without_a_kid_may_be_of_any_key_that_fits() -> None:
    token = ISSUER.with_header(kid=None)
    accepted(admitting(StubSource(JWKS)).attempt(token, NOW))


def test_a_token_with_a_kid_may_be_of_a_key_that_was_published_without_one() -> None:
    unnamed = {name: value for name, value in ISSUER.signing_key.public_jwk().items() if name != "kid"}
    accepted(admitting(StubSource(unnamed)).attempt(TOKEN, NOW))


def test_keys_that_share_a_kid_are_all_tried() -> None:
    impostor = {**signing_key("P-256").public_jwk(), "kid": ISSUER.signing_key.kid}
    source = StubSource(impostor, ISSUER.signing_key.public_jwk())
    accepted(admitting(source).attempt(TOKEN, NOW))


def test_a_named_key_that_does_not_verify_is_not_replaced_by_an_unnamed_one() -> None:
    unnamed = {name: value for name, value in ISSUER.signing_key.public_jwk().items() if name != "kid"}
    impostor = {**signing_key("P-256").public_jwk(), "kid": ISSUER.signing_key.kid}
    assert refusal(admitting(StubSource(impostor, unnamed)), TOKEN).reason == "signature"


def test_given_keys_are_never_waited_for() -> None:
    other = Issuer(algorithm="ES256").jwks()
    server = admitting(StubSource(other, is_fixed=True))
    assert refusal(server, TOKEN).reason == "unknown_key"
    assert refusal(server, ISSUER.with_header(kid=None)).reason == "signature"


# -- waiting for keys


def test_without_keys_the_token_waits_for_them() -> None:
    source = StubSource()
    assert wanted(admitting(source).attempt(TOKEN, NOW)) == WaitForKeys(source, "missing")


def test_a_token_that_no_key_could_save_waits_for_none() -> None:
    server = admitting(StubSource())
    for token in (
        ISSUER.unsigned(),
        ISSUER.with_header(typ="dpop+jwt"),
        ISSUER.token(iss="https://a.example"),
    ):
        assert isinstance(refusal(server, token), InvalidToken)


def test_keys_that_are_due_are_used_while_they_are_refreshed() -> None:
    source = StubSource(JWKS, refresh_at=NOW, usable_until=NOW + 10)
    accepted(admitting(source).attempt(TOKEN, NOW))
    assert source.asked_ahead == [NOW]


def test_keys_that_are_too_old_are_waited_for() -> None:
    source = StubSource(JWKS, refresh_at=NOW - 10, usable_until=NOW)
    assert wanted(admitting(source).attempt(TOKEN, NOW)) == WaitForKeys(source, "missing")


@pytest.mark.parametrize("kid", ["unknown", None], ids=str)
def test_a_key_that_is_not_there_may_have_been_published_since(kid: str | None) -> None:
    source = StubSource(Issuer(algorithm="ES256").jwks())
    token = ISSUER.with_header(kid=kid)
    assert wanted(admitting(source).attempt(token, NOW)) == WaitForKeys(source, "unknown_kid")


def test_after_waiting_in_vain_the_key_is_unknown() -> None:
    source = StubSource(Issuer(algorithm="ES256").jwks())
    server = admitting(source)
    assert refusal(server, TOKEN, waited={source: None}).reason == "unknown_key"
    assert refusal(server, ISSUER.with_header(kid=None), waited={source: None}).reason == "signature"


def test_trouble_at_the_provider_is_not_a_bad_token() -> None:
    source = StubSource(Issuer(algorithm="ES256").jwks())
    refused = refusal(admitting(source), TOKEN, waited={source: 12.5})
    assert isinstance(refused, ProviderUnavailable)
    assert refused.retry_after == 12.5


def test_keys_that_were_waited_for_and_are_not_there_are_unavailable() -> None:
    source = StubSource()
    server = admitting(source)
    failed, vanished = (
        refusal(server, TOKEN, waited={source: 30.0}),
        refusal(server, TOKEN, waited={source: None}),
    )
    assert isinstance(failed, ProviderUnavailable)
    assert isinstance(vanished, ProviderUnavailable)
    assert (failed.retry_after, vanished.retry_after) == (30.0, 1.0)


def stages_of(server: Admitting) -> Stages:
    assert server.stages is not None
    return server.stages


def test_the_stages_wait_once_and_then_decide_by_the_clock_of_that_moment() -> None:
    source = StubSource()
    server = admitting(source)
    assert server.attempt(TOKEN, NOW) == WaitForKeys(source, "missing")
    server.now = NOW + 100
    source.publish(JWKS)
    with pytest.raises(StopIteration) as stop:
        stages_of(server).send(None)
    assert stop.value.value.verified_at == NOW + 100


def test_a_verdict_that_was_waited_for_is_remembered() -> None:
    source = StubSource()
    server = admitting(source)
    server.attempt(TOKEN, NOW)
    source.publish(JWKS)
    with pytest.raises(StopIteration):
        stages_of(server).send(None)
    accepted(server.attempt(TOKEN, NOW))


def test_the_stages_end_in_a_refusal_where_waiting_brought_nothing() -> None:
    source = StubSource()
    server = admitting(source)
    server.attempt(TOKEN, NOW)
    with pytest.raises(ProviderUnavailable):
        stages_of(server).send(7.0)


def test_the_stages_wait_for_each_source_at_most_once() -> None:
    first, second = StubSource(), StubSource()
    server = admitting(first, second)
    assert wanted(server.attempt(TOKEN, NOW)).source is first
    first.publish(Issuer(algorithm="ES256").jwks())  # new keys, and the token's is not among them
    assert wanted(stages_of(server).send(None)).source is second
    with pytest.raises(ProviderUnavailable):
        stages_of(server).send(3.0)


class CountingKeys(KeyIndex):
    """Keys that count how often they are tried, and verify nothing."""

    def __init__(self) -> None:
        super().__init__(read_keys(JWKS)[0])
        self.tried = 0
        self._any = {"ES256": (self.verify,)}

    def verify(self, signature: bytes, signing_input: bytes, _: object = None, /) -> bool:
        self.tried += 1
        return False


@pytest.mark.parametrize(("brought_other_keys", "tried"), [(False, 1), (True, 2)])
def test_keys_that_were_tried_before_a_wait_are_not_tried_after_it(
    brought_other_keys: bool, tried: int
) -> None:
    source, keys = StubSource(JWKS), CountingKeys()
    assert source.key_set is not None
    source.key_set = structs.replace(source.key_set, keys=keys)
    server = admitting(source)
    wanted(server.attempt(ISSUER.with_header(kid=None), NOW))
    if brought_other_keys:
        other = CountingKeys()
        other._any = {"ES256": (keys.verify,)}
        source.key_set = structs.replace(source.key_set, keys=other)
    with pytest.raises(InvalidToken):
        stages_of(server).send(None)
    assert keys.tried == tried


class Counted:
    """Signature checks, counted over all keys; none verifies."""

    def __init__(self) -> None:
        self.checks = 0

    def index(self, number: int) -> KeyIndex:
        """An index of so many keys, which any token is tried with."""
        index = KeyIndex(read_keys([{**key.public_jwk()} for key in SIGNERS[:number]])[0])
        for alg, verifiers in index._any.items():
            index._any[alg] = tuple(self.verify for _ in verifiers)
        return index

    def verify(self, signature: bytes, signing_input: bytes, _: object = None, /) -> bool:
        self.checks += 1
        return False


def brought(source: StubSource, counted: Counted, other_keys: bool) -> None:
    if other_keys:
        assert source.key_set is not None
        source.key_set = structs.replace(source.key_set, keys=counted.index(6))


SIGNERS = [signing_key("P-256") for _ in range(6)]


@pytest.mark.parametrize("providers", [1, 3])
@pytest.mark.parametrize("brings_other_keys", [False, True], ids=["the same keys", "other keys"])
def test_a_refused_token_costs_four_signatures_for_each_provider_and_key_set(
    providers: int, brings_other_keys: bool
) -> None:
    """Counted over the whole request, waits included; without `kid`, so that any key might be its own."""
    counted = Counted()
    sources = [StubSource(*[key.public_jwk() for key in SIGNERS]) for _ in range(providers)]
    for source in sources:
        assert source.key_set is not None
        source.key_set = structs.replace(source.key_set, keys=counted.index(6))
    server = admitting(*sources)
    wanted(server.attempt(ISSUER.with_header(kid=None), NOW))
    for source in sources[:-1]:
        brought(source, counted, brings_other_keys)
        wanted(stages_of(server).send(None))
    brought(sources[-1], counted, brings_other_keys)
    with pytest.raises(InvalidToken):
        stages_of(server).send(None)
    assert counted.checks == providers * (8 if brings_other_keys else 4)


# -- a new key under the old name


def test_a_bad_signature_under_a_known_kid_waits_for_a_key_that_may_have_replaced_it() -> None:
    impostor = {**signing_key("P-256").public_jwk(), "kid": ISSUER.signing_key.kid}
    source = StubSource(impostor)
    server = admitting(source)
    assert server.attempt(TOKEN, NOW) == WaitForKeys(source, "signature")
    source.publish(JWKS)
    with pytest.raises(StopIteration) as stop:
        stages_of(server).send(None)
    assert accepted(stop.value.value).subject == "user-1"


@pytest.mark.parametrize("outcome", [None, 30.0], ids=["in vain", "in trouble"])
def test_where_it_waited_in_vain_a_bad_signature_stays_a_401(outcome: float | None) -> None:
    source = StubSource(JWKS)
    refused = refusal(admitting(source), ISSUER.forged(), waited={source: outcome})
    assert (refused.status, refused.reason) == (401, "signature")


def test_under_given_keys_a_bad_signature_is_refused_at_once() -> None:
    server = admitting(StubSource(JWKS, is_fixed=True))
    with pytest.raises(InvalidToken):
        server.attempt(ISSUER.forged(), NOW)
    assert server.stages is None


# -- tokens of other kinds


@pytest.mark.parametrize(
    ("profile", "header", "claims", "verdict"),
    [
        (JWT, {"typ": "JWT"}, {"typ": "ID"}, "type"),
        (JWT, {"typ": None}, {"at_hash": "a"}, "type"),
        (JWT, {"typ": "at+jwt"}, {"at_hash": "a"}, "accepted"),
        (ANY_JWT, {"typ": "JWT"}, {"at_hash": "a", "typ": "ID"}, "accepted"),
        (ID_TOKEN, {"typ": "JWT"}, {"at_hash": "a", "nonce": "b"}, "accepted"),
    ],
)
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "after a wait"])
def test_a_token_of_another_kind_is_refused_where_the_profile_says_so(
    profile: Profile, header: dict[str, Any], claims: dict[str, Any], verdict: str, waits: bool
) -> None:
    source = StubSource(*([] if waits else [JWKS]))
    server = admitting(source, profile=profile)
    token = ISSUER.token(header=header, **claims)
    if waits:
        wanted(server.attempt(token, NOW))
        source.publish(JWKS)
    decide = partial(stages_of(server).send, None) if waits else partial(server.attempt, token, NOW)
    if verdict == "accepted" and not waits:
        accepted(decide())
        return
    with pytest.raises(InvalidToken if verdict == "type" else StopIteration) as end:
        decide()
    assert verdict == getattr(end.value, "reason", "accepted")


# -- binding


@pytest.mark.parametrize("cnf", [{"jkt": "a"}, {}, None, "a", []], ids=str)
def test_a_bound_token_is_refused_again_where_its_verdict_is_remembered(cnf: Any) -> None:
    source = StubSource(JWKS)
    server, token = admitting(source), ISSUER.sign({**CLAIMS, "cnf": cnf})
    first = refusal(server, token)
    source.key_set = structs.replace(source.key_set, keys=source.key_set.keys) if source.key_set else None
    again = refusal(server, token)
    assert (first.reason, again.reason) == ("sender_constrained", "sender_constrained")
    assert (first.provider, again.provider) == ("a", "a")


def test_a_bound_token_whose_keys_were_waited_for_is_refused() -> None:
    source = StubSource()
    server = admitting(source)
    wanted(server.attempt(ISSUER.token(cnf={"jkt": "a"}), NOW))
    source.publish(JWKS)
    with pytest.raises(InvalidToken, match="bound to a key"):
        stages_of(server).send(None)


def test_a_token_that_is_not_bound_is_refused_as_dpop_where_no_proofs_are_taken_either() -> None:
    server, raw = admitting(StubSource(JWKS)), ISSUER.token().encode()
    for _ in range(3):
        with pytest.raises(InvalidToken) as refused:
            server.pipeline.admit(raw, None, DPOP)
        assert refused.value.reason == "not_bound"


def test_the_proof_beside_a_token_whose_keys_were_waited_for_is_for_the_request_as_it_came() -> None:
    source = StubSource()
    provider = Provider(ISSUER.url, audience=ISSUER.audience, keys="https://issuer.test/jwks")
    request = Request("GET", "https://api.example/orders", [])
    raw = ISSUER.token(cnf={"jkt": "0" * 43}).encode()
    pipeline = Pipeline([(provider, source)], lambda: NOW, PROVING)
    stages = pipeline.admit(raw, request, DPOP, "https://api.example")
    assert not isinstance(stages, AccessToken)
    next(stages)
    source.publish(JWKS)
    with pytest.raises(ProvenError) as proven:
        stages.send(None)
    assert proven.value.args == (raw, request, DPOP, "https://api.example", NOW)


# -- several providers


def test_the_issuer_of_the_token_chooses_the_provider() -> None:
    other = Issuer("https://other.test", algorithm="ES256", clock=Clock(NOW))
    server = Admitting(
        (
            Provider(issuer.url, name=issuer.url, audience=issuer.audience, keys=issuer.jwks()),
            StubSource(issuer.jwks()),
        )
        for issuer in (ISSUER, other)
    )
    assert accepted(server.attempt(TOKEN, NOW)).provider.name == ISSUER.url
    assert accepted(server.attempt(other.token(), NOW)).provider.name == other.url
    assert (
        refusal(server, other.token(iss=ISSUER.url, header={"kid": ISSUER.signing_key.kid})).reason
        == "signature"
    )


def test_of_providers_that_share_an_issuer_any_that_accepts_will_do() -> None:
    provider_a = Provider(ISSUER.url, name="a", audience="https://another-api.test", keys=JWKS)
    provider_b = Provider(ISSUER.url, name="b", audience=ISSUER.audience, keys=JWKS)
    server = Admitting([(provider_a, StubSource(JWKS)), (provider_b, StubSource(JWKS))])
    assert accepted(server.attempt(TOKEN, NOW)).provider is provider_b
    assert accepted(server.attempt(ISSUER.for_another_audience(), NOW)).provider is provider_a


def test_configuration_order_decides_and_not_who_is_reachable() -> None:
    first, second = StubSource(), StubSource(JWKS)
    server = admitting(first, second)
    assert wanted(server.attempt(TOKEN, NOW)).source is first
    first.publish(JWKS)
    with pytest.raises(StopIteration) as stop:
        stages_of(server).send(None)
    assert stop.value.value.provider.name == "a"


def test_a_verdict_made_while_another_provider_was_in_trouble_is_not_remembered() -> None:
    first, second = StubSource(), StubSource(JWKS)
    server = admitting(first, second)
    assert admitted(server, TOKEN, waited={first: 5.0}).provider.name == "b"
    assert wanted(server.attempt(TOKEN, NOW)).source is first
    first.publish(JWKS)
    assert accepted(server.attempt(TOKEN, NOW)).provider.name == "a"
    first.key_set = None
    refused_first = admitting(StubSource(Issuer(algorithm="ES256").jwks(), is_fixed=True), second)
    assert accepted(refused_first.attempt(TOKEN, NOW)).provider.name == "b"


def test_a_refusal_waits_for_the_providers_that_might_still_accept() -> None:
    source = StubSource()
    server = admitting(StubSource(JWKS, is_fixed=True), source)
    assert wanted(server.attempt(ISSUER.forged(), NOW)).source is source


def test_of_several_refusals_the_one_that_got_furthest_is_told() -> None:
    stranger = StubSource(Issuer(algorithm="ES256").jwks(), is_fixed=True)
    ours = StubSource(JWKS, is_fixed=True)
    assert refusal(admitting(stranger, ours), ISSUER.expired()).reason == "expired"
    assert refusal(admitting(ours, stranger), ISSUER.expired()).reason == "expired"
    assert refusal(admitting(stranger, ours), ISSUER.forged()).reason == "signature"
    unavailable = StubSource()
    server = admitting(ours, unavailable)
    assert refusal(server, ISSUER.expired(), waited={unavailable: 5.0}).reason == "provider_unavailable"


def test_a_refusal_for_the_algorithm_tells_least() -> None:
    stranger = StubSource(Issuer(algorithm="ES256").jwks(), is_fixed=True)
    settings: dict[str, Any] = {"audience": ISSUER.audience, "keys": JWKS}
    narrow = Provider(ISSUER.url, name="a", algorithms=["ES256"], profile=ID_TOKEN, **settings)
    other = Provider(ISSUER.url, name="b", algorithms=["ES256", "RS256"], **settings)
    for token in (TOKEN, ISSUER.token(alg="RS256")):
        server = Admitting([(narrow, stranger), (other, stranger)])
        assert refusal(server, token).reason == "unknown_key"
        assert refusal(server, token).provider == "b"


def test_a_token_of_the_greatest_length_is_judged() -> None:
    assert "opaque" in refusal(admitting(StubSource(JWKS)), "a" * MAX_TOKEN_BYTES).description


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_a_provider_of_any_issuer_takes_what_no_other_does() -> None:
    other = Issuer("https://other.test", algorithm="ES256", clock=Clock(NOW))
    named = Provider(ISSUER.url, audience=ISSUER.audience, keys=JWKS)
    anybody = Provider(
        None, name="any", audience=ISSUER.audience, keys=other.jwks(), dangerously_accept_any_issuer=True
    )
    server = Admitting([(named, StubSource(JWKS)), (anybody, StubSource(other.jwks(), is_fixed=True))])
    assert accepted(server.attempt(other.token(), NOW)).provider is anybody
    assert accepted(server.attempt(other.token(iss=None), NOW)).issuer == ""
    assert accepted(server.attempt(TOKEN, NOW)).provider is named
    assert refusal(server, other.token(iss=7)).reason == "invalid_claim"
    # The issuer that has a provider of its own is only that one's.
    assert (
        refusal(server, other.token(iss=ISSUER.url, header={"kid": ISSUER.signing_key.kid})).reason
        == "signature"
    )
