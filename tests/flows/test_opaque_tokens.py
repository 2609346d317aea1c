"""Tokens that only their provider can read: who is asked, what is believed, for how long, and what is not."""

from __future__ import annotations

from sys import getsizeof
from typing import Any

import pytest

from bearerguard import (
    RFC9068,
    AccessToken,
    AuthError,
    ConfigurationError,
    DPoP,
    Introspection,
    Provider,
    Request,
    limit_verdict_memory,
    scope,
)
from bearerguard._core.confirmation import Confirmation
from bearerguard._core.credentials import BEARER, DPOP
from bearerguard._core.shared_bound import weight_of
from bearerguard._flows.binding import Binding
from bearerguard._flows.effects import Answered, AskIntrospection, ReplayKey
from bearerguard._flows.jwt import Verdict
from bearerguard._flows.pipeline import Pipeline
from bearerguard._flows.proof_checks import ProofChecks
from bearerguard._limits import (
    CONFIRMATION_BYTES,
    KEPT_CLAIMS_BYTES,
    REMEMBERED_REFUSALS,
    VERDICT_BYTES,
    VERDICT_MEMORY_BYTES,
)
from bearerguard.provider import ANY_JWT
from bearerguard.testing import Issuer
from tests.flows.asking import OPAQUE, Server, Source, active, provider
from tests.flows.pipeline import ISSUER, JWKS, NOW, PROVING, TOKEN, ProvenError, StubSource

FOREIGN = Issuer("https://elsewhere.test", algorithm="ES256", clock=ISSUER.clock).token()
URL = "https://login.example/introspect"


def weight_of_kept(verdict: Verdict) -> int:
    assert verdict.kept is not None
    return KEPT_CLAIMS_BYTES + weight_of(verdict.kept.claims) + weight_of(verdict.kept.containers)


# -- what a token says -----------------------------------------------------------------------------


def test_a_token_of_which_the_provider_says_that_it_is_active_is_accepted() -> None:
    said = active(scope="read write", client_id="web", roles=["clerk"], iat=NOW - 5)
    server = Server(provider(), login=said)
    token = server.admit()
    assert server.asked == ["login"]
    assert token.is_opaque
    assert (token.subject, token.client_id) == ("ada", "web")
    assert token.scopes == {"read", "write"}
    assert token.roles == {"clerk"}
    assert (token.expires_at, token.issued_at, token.verified_at) == (NOW + 600, NOW - 5, NOW)
    assert token.raw == OPAQUE.decode()
    assert token.provider.name == "login"


def test_c5_its_claims_are_the_answer_and_each_request_has_a_copy_of_its_own() -> None:
    said = active(extra={"a": [1]})
    server = Server(provider(), login=said)
    first = server.admit()
    first.claims["extra"]["a"].append(2)
    assert first.claims == {**said, "extra": {"a": [1, 2]}}
    assert server.admit().claims == said
    assert server.admit().claims_copy() == said


def test_its_issuer_is_the_provider_that_was_asked_where_the_answer_names_none() -> None:
    assert Server(provider()).admit().issuer == ISSUER.url


def test_p5_a_token_of_which_the_provider_does_not_say_when_it_ends_has_no_end() -> None:
    server = Server(provider(), login={"aud": ISSUER.audience, "token_type": "Bearer"})
    token = server.admit()
    assert token.expires_at is None
    assert server.admit(now=NOW + 10**6).expires_at is None
    assert server.asked == ["login", "login"]


def test_p20_a_token_without_a_subject_has_none_and_a_user_name_is_not_taken_for_one() -> None:
    server = Server(provider(), login={"aud": ISSUER.audience, "username": "ada"})
    assert server.admit().subject is None


def test_p21_claims_of_other_rfcs_are_where_they_are_in_a_jwt() -> None:
    details = [{"type": "payment"}]
    said = active(authorization_details=details, act={"sub": "svc"}, acr="high", auth_time=NOW)
    claims = Server(provider(), login=said).admit().claims
    assert (claims["authorization_details"], claims["act"], claims["acr"], claims["auth_time"]) == (
        details,
        {"sub": "svc"},
        "high",
        NOW,
    )


def test_p18_a_scope_that_is_a_list_is_taken_too() -> None:
    assert Server(provider(), login=active(scope=["a", "b"])).admit().scopes == {"a", "b"}


def test_c4_what_a_rule_refuses_is_refused_after_the_memory_and_another_route_is_served_from_it() -> None:
    server = Server(provider(), login=active(scope="read"))
    assert not scope("write").allows(server.admit())
    assert scope("read").allows(server.admit())
    assert server.asked == ["login"]


def test_a_profile_is_about_jwts_and_asks_nothing_of_an_answer() -> None:
    assert Server(provider(profile=RFC9068)).admit().is_opaque


# -- what is remembered ----------------------------------------------------------------------------


def test_an_answer_is_believed_for_the_budget_and_not_longer() -> None:
    server = Server(provider())
    for after in (0, 15, 29.9):
        server.admit(now=NOW + after)
    assert server.asked == ["login"]
    server.says["login"] = False
    assert server.refusal(now=NOW + 30).reason == "inactive"


def test_a_budget_of_nothing_asks_each_time() -> None:
    server = Server(provider(revocation_budget=0))
    server.admit()
    server.admit()
    assert server.asked == ["login", "login"]
    server.says["login"] = False
    assert server.refusal().reason == server.refusal().reason == "inactive"
    assert len(server.asked) == 3


def test_c1_an_answer_is_never_believed_past_exp() -> None:
    server = Server(provider(revocation_budget=3600), login=active(exp=NOW + 100))
    server.admit(now=NOW)
    server.admit(now=NOW + 99)
    assert server.asked == ["login"]
    server.says["login"] = False
    assert server.refusal(now=NOW + 100).reason == "inactive"


def test_within_the_leeway_a_token_is_asked_about_each_time_and_may_be_accepted() -> None:
    server = Server(provider(), login=active(exp=NOW + 100))
    server.admit(now=NOW + 105)
    server.admit(now=NOW + 105)
    assert server.asked == ["login", "login"]
    assert server.refusal(now=NOW + 110).reason == "expired"


def test_c8_what_is_remembered_ends_by_the_clock_of_the_server_with_nobody_to_tidy_up() -> None:
    server = Server(provider())
    server.admit(now=NOW)
    server.admit(now=NOW - 1)  # it was set back: what was said at another time is not believed
    assert server.asked == ["login", "login"]


@pytest.mark.parametrize("said", [active(exp=NOW), active(exp=NOW - 5), Answered(active(), NOW - 30)])
def test_an_answer_that_holds_no_longer_when_it_comes_is_not_kept(said: Any) -> None:
    server = Server(provider(), login=said)
    server.admit()
    assert len(server.pipeline._verdicts) == 0


@pytest.mark.parametrize("later", [-5, 30, 40])
def test_an_answer_takes_the_place_of_one_that_does_not_hold(later: int) -> None:
    server = Server(provider())
    for seconds in (0, later, later + 1):
        server.admit(now=NOW + seconds)
    assert server.asked == ["login", "login"]


def test_of_two_tokens_that_end_alike_the_one_that_came_last_is_remembered() -> None:
    server = Server(provider())
    for token in (OPAQUE, b"another" + OPAQUE):
        for _ in range(2):
            server.admit(token)
    assert server.asked == ["login", "login"]


@pytest.mark.parametrize("token", [b"short", b"x", OPAQUE, b"a" * 5000, FOREIGN.encode()])
def test_a_token_of_any_length_is_found_again_and_no_other_is_taken_for_it(token: bytes) -> None:
    server = Server(provider())
    server.admit(token)
    server.admit(token)
    assert server.asked == ["login"]
    server.says["login"] = False
    for other in (b"X" + token, token[:-1] + b"_", b"A" + token[1:]):
        if other != token:
            assert server.refusal(other).reason == "inactive"


@pytest.mark.parametrize("token", [b"short", b"x", OPAQUE])
def test_a_token_of_any_length_is_found_again_in_the_field_that_it_came_in(token: bytes) -> None:
    server = Server(provider())
    server.admit(token)
    again = server.pipeline.admit(b"Bearer " + token, None, BEARER, None, len("Bearer "))
    assert isinstance(again, AccessToken)
    assert again.raw == token.decode()
    assert server.asked == ["login"]


def test_no_more_than_one_character_of_an_opaque_token_is_kept_beside_the_end_that_finds_it() -> None:
    server = Server(provider())
    for _ in range(3):
        server.admit()
    (piece,) = server.pipeline._verdicts.young  # of the end of the token
    assert OPAQUE.endswith(piece)
    assert len(piece) == 16
    assert server.pipeline._verdicts.young[piece].known == OPAQUE[:1]


@pytest.mark.parametrize("more", [{}, {"extra": {"a": ["b" * 1000]}}])
def test_a_verdict_weighs_all_that_is_kept_of_an_answer(more: dict[str, Any]) -> None:
    server = Server(provider(), login=active(**more))
    server.admit()
    [verdict] = server.pipeline._verdicts.young.values()
    assert verdict.confirmation is None
    assert verdict.weight == VERDICT_BYTES + weight_of_kept(verdict)


def test_a_jwt_that_was_verified_too_is_known_by_hashes_at_first_and_weighed() -> None:
    server = Server(provider(jwts="verify_then_ask"), login=active(sub="user-1", exp=None))
    for known in (b"", TOKEN[: TOKEN.rindex(".") + 1].encode()):
        server.admit(TOKEN)
        [verdict] = server.pipeline._verdicts.young.values()
        assert verdict.known == known
        more = getsizeof(known) if known else 0
        assert verdict.weight == VERDICT_BYTES + weight_of_kept(verdict) + more
    assert len(server.asked) == 1


def test_what_is_remembered_of_answers_counts_for_the_bound_of_all_tokens() -> None:
    limit_verdict_memory(0)
    try:
        server = Server(provider())
        server.admit()
        server.admit()
        assert server.asked == ["login", "login"]
    finally:
        limit_verdict_memory(VERDICT_MEMORY_BYTES)


def test_who_waited_together_remembers_one_answer() -> None:
    server = Server(provider())
    waiting = [server.pipeline.admit(OPAQUE) for _ in range(3)]
    for stages in waiting:
        assert not isinstance(stages, AccessToken)
        assert isinstance(next(stages), AskIntrospection)
    kept: set[int] = set()
    for number, stages in enumerate(waiting):
        assert not isinstance(stages, AccessToken)
        server.now = NOW + number // 2  # two in one moment, and one later
        with pytest.raises(StopIteration) as stop:
            stages.send(Answered(active()))
        assert stop.value.value.subject == "ada"
        kept.update(id(verdict) for verdict in server.pipeline._verdicts.young.values())
    assert len(kept) == 1


# -- refusals, and which of them are remembered ----------------------------------------------------


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (False, "inactive"),
        (active(aud="https://other.example"), "audience"),
        (active(aud=None), "missing_claim"),
        (active(aud=[]), "missing_claim"),
        (active(token_type="N_A"), "type"),
        (active(token_use="refresh"), "type"),
        (active(typ="ID"), "type"),
    ],
)
def test_c3_a_definite_refusal_is_remembered_for_ten_seconds(said: Any, reason: str) -> None:
    server = Server(provider(), login=said)
    assert server.refusal(now=NOW).reason == reason
    server.says["login"] = active()
    for after in (0, 5, 9.9):
        refusal = server.refusal(now=NOW + after)
        assert (refusal.reason, refusal.provider) == (reason, "login")
    assert server.asked == ["login"]
    assert server.admit(now=NOW + 10).subject == "ada"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (active(exp=NOW - 11), "expired"),
        (active(nbf=NOW + 60), "not_yet_valid"),
        (active(iat=NOW + 60), "not_yet_valid"),
        (active(iss="https://other.example"), "issuer"),
        (active(token_type="DPoP"), "sender_constrained"),
        (active(tenant="red"), "invalid_claim"),
    ],
)
def test_c3_a_refusal_that_may_change_is_not_remembered(said: Any, reason: str) -> None:
    server = Server(provider(required_claims={"tenant": "blue"}), login={"tenant": "blue", **said})
    assert server.refusal().reason == reason
    server.says["login"] = active(tenant="blue")
    assert server.admit().subject == "ada"
    assert server.asked == ["login", "login"]


def test_c3_trouble_is_not_remembered_and_is_a_503_that_says_when_to_come_back() -> None:
    server = Server(provider(), login=7.0)
    refusal = server.refusal()
    assert (refusal.status, refusal.reason, refusal.retry_after) == (503, "provider_unavailable", 7.0)
    assert refusal.provider == "login"
    server.says["login"] = active()
    assert server.admit().subject == "ada"


def test_operators_are_told_of_a_refused_token_what_they_are_told_of_a_jwt() -> None:
    said = active(aud="https://other.example", client_id="web")
    refusal = Server(provider(), login=said).refusal()
    assert refusal.facts == {
        "sub": "ada",
        "client_id": "web",
        "audience_expected": (ISSUER.audience,),
        "audience_found": "https://other.example",
    }
    assert Server(provider(), login=active(token_type="mac")).refusal().facts["sub"] == "ada"
    assert Server(provider(), login=False).refusal().facts == {}, "of one that is not active nothing is read"


@pytest.mark.parametrize("name", ["client_id", "azp", "appid"])
def test_operators_are_told_of_the_client_by_whichever_claim_names_it(name: str) -> None:
    server = Server(provider(), login=active(token_type="mac", **{name: "web"}))
    assert server.refusal().facts["client_id"] == "web"


@pytest.mark.parametrize("said", [False, 5, {"aud": "https://other.example"}, {"token_type": "mac"}])
def test_operators_are_told_of_a_verified_jwt_whatever_its_provider_says(said: Any) -> None:
    server = Server(provider(jwts="verify_then_ask"), login=said)
    for _ in range(2):  # also from memory
        facts = server.refusal(ISSUER.token("ada", client_id="web")).facts
        assert (facts["sub"], facts["client_id"]) == ("ada", "web")


def test_operators_are_told_of_which_audience_a_verified_jwt_is_whose_provider_names_another() -> None:
    server = Server(provider(jwts="verify_then_ask"), login={"aud": "https://other.example"})
    assert server.refusal(TOKEN).facts["audience_found"] == "https://other.example"
    assert server.refusal(TOKEN).facts["audience_expected"] == (ISSUER.audience,), "from memory too"


def test_a_remembered_refusal_is_told_at_once_in_the_plain_call() -> None:
    server = Server(provider(), login=False)
    server.refusal()
    with pytest.raises(Exception, match="not active"):
        server.pipeline.admit(OPAQUE)


def test_a_refusal_remembered_while_others_waited_is_theirs_too() -> None:
    server = Server(provider(), login=False)
    late = server.pipeline.admit(OPAQUE)
    server.refusal()
    assert not isinstance(late, AccessToken)
    with pytest.raises(Exception, match="not active"):
        next(late)


def test_a_remembered_refusal_does_not_count_before_its_time() -> None:
    server = Server(provider(), login=False)
    server.refusal(now=NOW)
    server.refusal(now=NOW - 1)
    assert server.asked == ["login", "login"]


def test_c6_junk_pushes_out_no_answer_about_a_good_token() -> None:
    server = Server(provider())
    server.admit()
    server.says["login"] = False
    for number in range(3 * REMEMBERED_REFUSALS):
        server.refusal(b"junk-%d" % number)
    server.asked.clear()
    server.admit()
    assert server.asked == []


def test_c6_only_so_many_refusals_are_remembered() -> None:
    server = Server(provider(), login=False)
    for number in range(3 * REMEMBERED_REFUSALS):
        server.refusal(b"junk-%d" % number)
    server.asked.clear()
    for number in range(3 * REMEMBERED_REFUSALS):
        server.refusal(b"junk-%d" % number)
    assert len(server.asked) >= 2 * REMEMBERED_REFUSALS


def test_c2_servers_that_differ_share_nothing() -> None:
    first, second = Server(provider()), Server(provider(), login=False)
    first.admit()
    assert second.refusal().reason == "inactive"
    assert first.admit().subject == "ada"


# -- which tokens are asked about ------------------------------------------------------------------


def test_a_jwt_of_the_providers_is_verified_here_and_never_asked_about() -> None:
    server = Server(provider())
    assert not server.admit(TOKEN).is_opaque
    assert server.asked == []


@pytest.mark.parametrize(
    "token",
    [
        OPAQUE,
        b"two.parts",
        b"six.parts.are.in.this.one",
        b"a.b.c.d.e",
        b"not.a.jwt",
        b"e30.e30.e30",
        b"tok~en+with/all-of_it==",
        FOREIGN.encode(),
    ],
)
def test_everything_else_is_asked_about(token: bytes) -> None:
    server = Server(provider())
    assert server.admit(token).is_opaque
    assert server.asked == ["login"]


def spoiled(part: int, text: str) -> str:
    parts = TOKEN.split(".")
    parts[part] = text
    return ".".join(parts)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (spoiled(0, "!!"), "malformed"),
        (spoiled(0, "eyJhbGciOiJFUzI1NiIsImNyaXQiOlsiYSJdfQ"), "critical"),
        (spoiled(2, "A"), "malformed"),
        (ISSUER.token(header={"typ": "logout+jwt"}), "type"),
    ],
)
def test_a_jwt_of_the_providers_that_is_spoiled_is_refused_and_not_asked_about(
    token: str, reason: str
) -> None:
    server = Server(provider())
    assert server.refusal(token).reason == reason
    assert server.asked == []


J7 = [
    "token-introspection+jwt",
    "logout+jwt",
    "secevent+jwt",
    "dpop+jwt",
    "client-authentication+jwt",
    "statuslist+jwt",
    "oauth-authz-req+jwt",
    "txntoken+jwt",
]


@pytest.mark.parametrize("typ", J7)
@pytest.mark.parametrize("prefix", ["", "application/"])
def test_j7_a_jwt_of_another_type_is_not_an_access_token(typ: str, prefix: str) -> None:
    token = ISSUER.token(header={"typ": prefix + typ})
    assert Server(provider()).refusal(token).reason == "type"
    assert Server(provider(jwts="verify_then_ask")).refusal(token).reason == "type"


@pytest.mark.parametrize(
    "token", [b"a token", b"a,b", b"tok\x00en", b'"token"', b"tok=en", b"", b"\xc3\xa9", b"a:b"]
)
def test_i4_what_does_not_look_like_a_token_is_refused_and_not_asked_about(token: bytes) -> None:
    server = Server(provider())
    assert server.refusal(token).reason == "malformed"
    assert server.asked == []


def test_i4_a_token_of_more_than_16_kib_is_refused_and_not_asked_about() -> None:
    server = Server(provider())
    assert server.refusal(b"a" * 16_385).reason == "too_large"
    assert server.asked == []
    assert server.admit(b"a" * 16_384).is_opaque


def words(server: Server, token: str | bytes) -> tuple[str, str]:
    error = server.refusal(token)
    return error.reason, error.description


def test_a_jwt_that_nobody_vouches_for_is_refused_in_the_words_for_forged_ones() -> None:
    """Else a stranger who writes tokens could find out whose are verified here."""
    server = Server(provider(), login=False)
    _, forged = words(server, ISSUER.forged())
    assert words(server, FOREIGN) == ("inactive", forged)
    assert words(server, FOREIGN) == ("inactive", forged), "from memory too"
    assert server.refusal(FOREIGN).provider == "login"
    assert words(server, OPAQUE) != ("inactive", forged), "an opaque token names no issuer"
    server = Server(provider(token_prefix="lg_"))
    assert words(server, FOREIGN) == ("malformed", forged)


def test_what_is_said_of_a_jwt_that_its_provider_knows_is_told() -> None:
    server = Server(provider(), login=active(aud="another"))
    assert words(server, FOREIGN) == ("audience", "The token is meant for another audience.")


def test_where_no_jwt_is_verified_all_that_are_not_active_are_refused_in_the_same_words() -> None:
    server = Server(provider(jwts="ask"), login=False)
    assert words(server, FOREIGN) == words(server, TOKEN) == words(server, OPAQUE)


def test_without_introspection_an_opaque_token_is_refused_as_before() -> None:
    refusal = Server(provider(introspection=None)).refusal()
    assert (refusal.reason, str(refusal)) == (
        "malformed",
        "The token is not a JWT: it has no dots (an opaque token, perhaps).",
    )
    assert Server(provider(introspection=None)).refusal(FOREIGN).reason == "issuer"


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_a_jwt_of_nobody_known_is_verified_by_whoever_takes_any_issuer() -> None:
    anyone = provider(
        "anyone", issuer=None, introspection=None, keys=JWKS, dangerously_accept_any_issuer=True
    )
    server = Server(provider(jwts="ask"), anyone)
    assert server.refusal(FOREIGN).reason == "unknown_key"
    assert server.asked == []
    assert server.admit(TOKEN).provider.name == "login"
    assert server.asked == ["login"]


# -- jwts="ask" and "verify_then_ask" --------------------------------------------------------------


def test_ask_asks_about_jwts_too_and_looks_at_no_key() -> None:
    server = Server(provider(jwts="ask"), login=active(sub="eve"))
    server.keys["login"].key_set = None
    token = server.admit(TOKEN)
    assert (token.subject, token.is_opaque, token.client_id) == ("eve", True, None)
    assert server.admit(TOKEN).claims["sub"] == "eve"
    assert server.asked == ["login"]


def test_ask_needs_both_of_two_providers_of_one_issuer() -> None:
    with pytest.raises(ConfigurationError, match="'other' has the issuer of another one that is asked"):
        Server(provider(jwts="ask"), provider("other", introspection=None))
    renamed = provider("other", issuer="https://new.example", issuer_aliases=ISSUER.url)
    with pytest.raises(ConfigurationError, match="'other' has the issuer of another one that is asked"):
        Server(provider(jwts="ask"), renamed)
    with pytest.raises(ConfigurationError) as refused:
        Server(provider(jwts="ask"), provider("other"))
    assert str(refused.value) == (
        "Provider 'other' has the issuer of another one that is asked about its JWTs, and would verify them: "
        "give both an Introspection with jwts='ask', or neither."
    )
    Server(provider(jwts="ask"), provider("other", jwts="ask"))


def test_providers_that_are_asked_about_the_jwts_of_one_issuer_are_asked_in_order() -> None:
    server = Server(provider(jwts="ask"), provider("other", jwts="ask"), login=False)
    assert server.admit(TOKEN).provider.name == "other"
    assert server.asked == ["login", "other"]


def test_a_token_that_no_provider_knows_is_refused_in_the_name_of_the_last_that_was_asked() -> None:
    server = Server(
        provider(), provider("other", issuer="https://other.example", keys=JWKS), login=False, other=False
    )
    assert server.refusal().provider == "other"
    assert server.asked == ["login", "other"]


def test_an_answer_that_somebody_else_got_is_remembered_from_when_it_was_asked_for() -> None:
    server = Server(provider(revocation_budget=30), login=Answered(active(), asked_at=NOW - 20))
    server.admit()
    server.admit(now=NOW + 9)
    assert server.asked == ["login"]
    server.admit(now=NOW + 10)
    assert server.asked == ["login", "login"]


def test_verify_then_ask_does_both_and_the_claims_are_the_jwts_with_the_answers_on_top() -> None:
    jwt = ISSUER.token("ada", "read", extra="signed", more="kept")
    said = {"sub": "ada", "extra": "answered", "scope": "read write", "token_type": "Bearer"}
    server = Server(provider(jwts="verify_then_ask"), login=said)
    token = server.admit(jwt)
    assert server.asked == ["login"]
    assert not token.is_opaque
    assert (token.claims["extra"], token.claims["more"]) == ("answered", "kept")
    assert token.scopes == {"read", "write"}
    assert token.issuer == ISSUER.url
    assert server.admit(jwt).claims == token.claims
    assert server.asked == ["login"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES512", "EdDSA"])
def test_verify_then_ask_takes_every_algorithm(algorithm: str) -> None:
    issuer = Issuer(ISSUER.url, algorithm=algorithm, clock=ISSUER.clock)
    server = Server(provider(jwts="verify_then_ask"), login={})
    server.keys["login"].publish(issuer.jwks())
    jwt = issuer.token("ada")
    assert server.admit(jwt).subject == "ada"
    signed, _, _ = issuer.token("eve").rpartition(".")
    assert server.refusal(f"{signed}.{jwt.rpartition('.')[2]}").reason == "signature"
    assert server.asked == ["login"]


def test_verify_then_ask_asks_about_each_token_by_its_own_hash() -> None:
    server = Server(provider(jwts="verify_then_ask"), login={"sub": "ada", "token_type": "Bearer"})
    server.admit(ISSUER.token("ada"))
    server.says["login"] = False
    assert server.refusal(ISSUER.token("ada", "read")).reason == "inactive"
    assert server.asked == ["login", "login"]


@pytest.mark.parametrize("empty", [[], "", None])
def test_verify_then_ask_leaves_the_jwt_its_audience_where_the_answer_has_none(empty: Any) -> None:
    server = Server(provider(jwts="verify_then_ask"), login={"aud": empty, "token_type": "Bearer"})
    assert server.admit(TOKEN).claims["aud"] == ISSUER.audience


def test_verify_then_ask_asks_about_nothing_that_is_refused_here() -> None:
    server = Server(provider(jwts="verify_then_ask"))
    assert server.refusal(ISSUER.token(expires_in=-60)).reason == "expired"
    assert server.refusal(ISSUER.token(aud="https://other.example")).reason == "audience"
    assert server.asked == []


def test_verify_then_ask_refuses_what_either_refuses() -> None:
    server = Server(provider(jwts="verify_then_ask"), login=False)
    refusal = server.refusal(TOKEN)
    assert (refusal.reason, refusal.provider) == ("inactive", "login")
    assert refusal.kid is not None


@pytest.mark.parametrize(
    "said", [{"iss": "https://other.example"}, {"sub": "eve"}, {"client_id": "other"}, {"exp": NOW + 1}]
)
def test_verify_then_ask_refuses_what_they_say_otherwise(said: dict[str, Any]) -> None:
    server = Server(provider(jwts="verify_then_ask"), login=said)
    assert server.refusal(ISSUER.token("ada", client_id="web")).reason == "invalid_claim"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"aud": "https://other.example"}, "audience"),
        ({"token_type": "N_A"}, "type"),
        ({"token_use": "id"}, "type"),
        ({"typ": "Refresh"}, "type"),
        ({"nbf": NOW + 60}, "not_yet_valid"),
    ],
)
def test_verify_then_ask_judges_the_answer_as_any(said: dict[str, Any], reason: str) -> None:
    assert Server(provider(jwts="verify_then_ask"), login=said).refusal(TOKEN).reason == reason


def test_a_profile_that_takes_all_kinds_takes_them_from_the_answer_too() -> None:
    server = Server(provider(jwts="verify_then_ask", profile=ANY_JWT), login={"nonce": "n"})
    assert server.admit(TOKEN).claims["nonce"] == "n"


def test_verify_then_ask_remembers_no_longer_than_either_allows() -> None:
    jwt = ISSUER.token(expires_in=20)
    server = Server(provider(jwts="verify_then_ask"), login={})
    server.admit(jwt, NOW)
    server.admit(jwt, NOW + 19)
    assert server.asked == ["login"]
    server.admit(jwt, NOW + 20)
    server.admit(jwt, NOW + 29)
    assert server.asked == ["login", "login", "login"]
    assert server.refusal(jwt, NOW + 30).reason == "expired"


def test_verify_then_ask_asks_again_when_the_key_has_left() -> None:
    server = Server(provider(jwts="verify_then_ask"), login={})
    server.admit(TOKEN)
    server.keys["login"].publish(Issuer(algorithm="ES256").jwks())
    server.waited[server.keys["login"]] = lambda: None
    assert server.refusal(TOKEN).reason == "unknown_key"
    assert server.asked == ["login"]


def test_verify_then_ask_waits_for_keys_first() -> None:
    server = Server(provider(jwts="verify_then_ask"), login={})
    source = server.keys["login"]
    source.key_set = None

    def come() -> None:
        source.publish(JWKS)

    server.waited[source] = come
    assert server.admit(TOKEN).subject is not None
    assert server.asked == ["login"]


def test_verify_then_ask_reads_a_payload_of_many_parts_after_its_signature() -> None:
    jwt = ISSUER.token(many=[[] for _ in range(80)])
    assert len(Server(provider(jwts="verify_then_ask"), login={}).admit(jwt).claims["many"]) == 80


def test_opaque_tokens_are_asked_about_whatever_is_done_about_jwts() -> None:
    for jwts in ("local", "verify_then_ask", "ask"):
        assert Server(provider(jwts=jwts)).admit().is_opaque


def test_two_providers_of_one_issuer_decide_as_the_first_that_accepts() -> None:
    first = provider("first", jwts="verify_then_ask", audience="https://other.example")
    server = Server(first, provider("second", jwts="verify_then_ask"), second={})
    assert server.admit(TOKEN).provider.name == "second"
    assert server.asked == ["second"]
    server = Server(
        provider("first", jwts="verify_then_ask"), provider("second", introspection=None), first=3.0
    )
    assert server.admit(TOKEN).provider.name == "second"
    server.says["first"] = {}
    assert server.admit(TOKEN).provider.name == "first"  # what trouble decided was not remembered


def test_an_answer_that_is_not_to_be_remembered_is_not_however_many_providers_there_are() -> None:
    both = provider("a", jwts="verify_then_ask", revocation_budget=0), provider("b", introspection=None)
    server = Server(*both, a={})
    server.admit(TOKEN)
    server.admit(TOKEN)
    assert server.asked == ["a", "a"]


# -- several providers -----------------------------------------------------------------------------


def two(**says: Any) -> Server:
    other = provider("other", issuer="https://other.example")
    return Server(provider("login"), other, **says)


def test_providers_are_asked_in_the_order_of_configuration_until_one_knows_the_token() -> None:
    server = two(login=False)
    assert server.admit().provider.name == "other"
    assert server.asked == ["login", "other"]
    server.admit()
    assert server.asked == ["login", "other"]


def test_who_said_that_a_token_is_not_active_is_not_asked_again_a_moment_later() -> None:
    server = two(login=False, other=5.0)
    server.refusal()
    server.refusal()
    assert server.asked == ["login", "other", "other"]


def test_a_token_is_refused_as_inactive_only_when_all_say_so() -> None:
    server = two(login=False, other=False)
    assert server.refusal().reason == "inactive"
    assert server.refusal().reason == "inactive"
    assert server.asked == ["login", "other"]


@pytest.mark.parametrize("says", [{"login": 5.0, "other": False}, {"login": False, "other": 5.0}])
def test_where_one_is_in_trouble_and_none_knows_the_token_it_is_a_503(says: dict[str, Any]) -> None:
    assert two(**says).refusal().status == 503


def test_where_one_is_in_trouble_another_may_know_the_token() -> None:
    assert two(login=5.0).admit().provider.name == "other"


def test_an_active_answer_that_is_refused_ends_the_question() -> None:
    server = two(login=active(aud="https://other.example"))
    assert server.refusal().reason == "audience"
    assert server.refusal().reason == "audience"
    assert server.asked == ["login"]


def with_prefixes(*prefixes: str | None) -> Server:
    return Server(
        *(
            provider(name, issuer=f"https://{name}.example", token_prefix=prefix)
            for name, prefix in zip("abc", prefixes, strict=False)
        ),
        a=False,
        b=False,
        c=False,
    )


@pytest.mark.parametrize(
    ("prefixes", "asked"),
    [
        (("ory_at_", "ghu_"), ["a"]),
        (("ghu_", "ory_at_"), ["b"]),
        (("ghu_", None), ["b"]),
        ((None, "ory_at_"), ["a", "b"]),
        (("ory_", "ory_at_", None), ["a", "b", "c"]),
        ((None, None), ["a", "b"]),
    ],
)
def test_a_prefix_chooses_and_who_has_none_is_asked_about_every_token(
    prefixes: tuple[str | None, ...], asked: list[str]
) -> None:
    server = with_prefixes(*prefixes)
    server.refusal(b"ory_at_1234567890")
    assert server.asked == asked


def test_where_no_prefix_fits_nobody_is_asked() -> None:
    server = with_prefixes("ory_at_", "ghu_")
    assert server.refusal(b"gho_1234567890").reason == "malformed"
    assert server.asked == []


def test_a_jwt_of_a_providers_issuer_is_asked_of_that_provider_only() -> None:
    other = provider("other", issuer="https://other.example", jwts="ask")
    server = Server(other, provider("login", jwts="ask"))
    assert server.admit(TOKEN).provider.name == "login"
    assert server.asked == ["login"]


def test_a_jwt_that_names_an_alias_of_an_issuer_is_asked_of_that_provider_only_too() -> None:
    other = provider("other", issuer="https://other.example")
    renamed = provider("login", issuer="https://new.example", issuer_aliases=ISSUER.url, jwts="ask")
    server = Server(other, renamed)
    assert server.admit(TOKEN).provider.name == "login"
    assert server.asked == ["login"]


# -- bound tokens ----------------------------------------------------------------------------------

CNF = {"jkt": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}


@pytest.mark.parametrize("cnf", [CNF, {"x5t#S256": CNF["jkt"]}, {}, {"kid": "1"}, "text", [CNF]])
def test_p17_a_bound_token_is_refused_as_bearer_like_a_jwt_also_from_memory(cnf: Any) -> None:
    server = Server(provider(), login=active(cnf=cnf))
    jwt = Server(provider(introspection=None)).refusal(ISSUER.token(cnf=cnf))
    for _ in range(2):
        refusal = server.refusal()
        assert (refusal.reason, refusal.provider) == (jwt.reason, "login")
    assert server.asked == ["login"]


def test_a_verdict_about_a_bound_token_keeps_what_it_is_bound_to_and_weighs_more() -> None:
    server = Server(provider(), login=active(cnf=CNF))
    server.refusal()
    [verdict] = server.pipeline._verdicts.young.values()
    assert verdict.confirmation == Confirmation(CNF["jkt"])
    assert verdict.weight == VERDICT_BYTES + weight_of_kept(verdict) + CONFIRMATION_BYTES


def test_p17_a_confirmation_of_null_is_none() -> None:
    assert Server(provider(), login=active(cnf=None)).admit().confirmation is None


def test_a_token_that_is_not_bound_is_refused_with_the_scheme_of_bound_ones() -> None:
    server = Server(provider())
    assert server.refusal(scheme=DPOP).reason == server.refusal(scheme=DPOP).reason == "not_bound"
    assert server.asked == ["login"]


def test_a_place_whose_providers_are_asked_about_nothing_refuses_as_if_nobody_were() -> None:
    """The providers of another place may be asked: what is asked is handed to all places of a server."""
    plain = [(Provider(ISSUER.url, audience=ISSUER.audience, keys=JWKS), StubSource(JWKS))]
    elsewhere: Any = Source("elsewhere")
    for raw in (OPAQUE, b"a.b.c", ISSUER.token(iss=None).encode()):
        said = []
        for asked in (None, {"elsewhere": elsewhere}):
            with pytest.raises(AuthError) as refused:
                Pipeline(plain, lambda: NOW, asked=asked).admit(raw)
            said.append((refused.value.reason, refused.value.description))
        assert said[0] == said[1]


HEAD = TOKEN.partition(".")[0]
NOT_READ_HERE = pytest.mark.parametrize(
    "raw", [OPAQUE, f"{HEAD}.AAAA.AAAA".encode(), f"{HEAD}.e30.A".encode(), FOREIGN.encode()]
)
"""No JWT; one without claims, one without a signature, and one of an issuer that is not verified here."""


@NOT_READ_HERE
def test_the_proof_beside_a_token_that_only_its_provider_reads_is_for_the_request_as_it_came(
    raw: bytes,
) -> None:
    login = provider()
    source: Any = Source(login.name)
    pipeline = Pipeline([(login, StubSource(JWKS))], lambda: NOW, PROVING, {login.name: source})
    request = Request("GET", "https://api.example/orders", [])
    stages = pipeline.admit(raw, request, DPOP, "https://api.example")
    assert not isinstance(stages, AccessToken)
    next(stages)
    with pytest.raises(ProvenError) as proven:
        stages.send(Answered(active(cnf=CNF)))
    assert proven.value.args == (raw, request, DPOP, "https://api.example", NOW)


@NOT_READ_HERE
def test_nobody_is_asked_again_about_a_token_that_was_refused_a_moment_ago(raw: bytes) -> None:
    server = Server(provider(), login=False)
    assert server.refusal(raw).reason == server.refusal(raw).reason == "inactive"
    assert server.asked == ["login"]


def test_the_binding_of_a_jwt_that_is_asked_about_stays() -> None:
    server = Server(provider(jwts="verify_then_ask"), login={"sub": None})
    assert (
        server.refusal(ISSUER.token(cnf=CNF)).reason
        == Server(provider()).refusal(ISSUER.token(cnf=CNF)).reason
    )


class Store:
    """Notes no proof: none is to be noted."""

    def add(self, key: ReplayKey, seconds: float) -> bool:
        raise AssertionError((key, seconds))

    def seen(self, key: ReplayKey) -> bool:
        raise AssertionError(key)


def test_a_proof_beside_a_token_that_needs_none_is_told_once_of_opaque_tokens_too() -> None:
    told: list[str] = []
    binding = Binding(ProofChecks(DPoP(), None, Store(), lambda: told.append("stray")))
    server = Server(provider(), binding=binding)
    server.admit(request=Request("GET", "https://api.example/", {"DPoP": "a proof"}))
    assert told == ["stray"]


# -- the audience ----------------------------------------------------------------------------------


def test_p12_an_answer_without_an_audience_is_accepted_from_an_issuer_that_checks_it() -> None:
    said = {"token_type": "Bearer", "exp": NOW + 60}
    assert Server(provider(audience_checked_by_issuer=True), login=said).admit().is_opaque
    assert Server(provider(), login=said).refusal().reason == "missing_claim"


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_where_any_audience_is_accepted_the_answer_has_to_say_that_it_is_an_access_token() -> None:
    anything = provider(audience=None, dangerously_accept_any_audience=True)
    assert Server(anything).admit().is_opaque
    assert Server(anything, login={"aud": "x"}).refusal().reason == "type"


def test_aliases_of_an_issuer_are_its_names_in_answers_too() -> None:
    old = provider(issuer_aliases="https://old.example")
    assert Server(old, login=active(iss="https://old.example")).admit().issuer == "https://old.example"


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_a_provider_of_any_issuer_is_asked_at_its_address() -> None:
    anyone = provider(issuer=None, url=URL, keys=JWKS, dangerously_accept_any_issuer=True, jwts="ask")
    server = Server(anyone, login=active(iss="https://anyone.example"))
    assert server.admit().issuer == "https://anyone.example"
    assert server.admit(FOREIGN).issuer == "https://anyone.example"


def test_a_token_of_a_tenant_that_is_spoiled_is_not_asked_about() -> None:
    tenants = provider(
        "tenants", issuer="https://{tid}.test", tenants=lambda _: True, introspection=None, keys=JWKS
    )
    server = Server(tenants, provider("other", issuer="https://other.example"))
    parts = FOREIGN.split(".")
    assert server.refusal(f"{parts[0]}.{parts[1]}.A").reason == "malformed"
    assert server.asked == []


def test_an_introspection_is_of_one_issuer() -> None:
    with pytest.raises(ConfigurationError, match="leave one out"):
        provider(
            issuer="https://{tid}.test",
            tenants="a",
            introspection=Introspection("orders-api", "secret", url=URL),
        )
