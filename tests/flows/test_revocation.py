"""Tokens that were taken back: asked about on every request, remembered or not, before a proof is spent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf
from typing import Any, cast

import pytest

from bearerguard import AccessToken, AuthError, Provider
from bearerguard._core.credentials import BEARER
from bearerguard._core.denylist import Denylist, Entry, Kind, named, plain_name, single
from bearerguard._flows.binding import ANYBODY, Binding, Presented
from bearerguard._flows.effects import Answered, AskIntrospection, HearRevocations, WaitForKeys
from bearerguard._flows.jwt import Effect, Verdict
from bearerguard._flows.pipeline import Pipeline
from bearerguard._flows.places import Places
from bearerguard._flows.revocation import Revoked, described_of, name_of_issuer
from bearerguard._flows.signer import pipeline_of
from bearerguard.errors import InvalidDPoPProof
from bearerguard.provider import Header
from bearerguard.testing import Clock, Issuer
from tests.flows.asking import OPAQUE, Source, active, provider
from tests.flows.pipeline import ISSUER, JWKS, NOW, TOKEN, StubSource

HORIZON = 1800.0


class Ear:
    """Whoever hears of revocations; what it says, and what it does meanwhile, a test sets."""

    def __init__(self) -> None:
        self.asked = 0
        self.says: float | None = None
        self.brings: Callable[[], None] = lambda: None


class Server:
    """A pipeline with a list of revocations."""

    def __init__(
        self,
        *providers: Provider,
        keys: StubSource | None = None,
        says: dict[str, Any] | None = None,
        binding: Binding | None = None,
        limit: int = 100,
        opens: bool = False,
    ) -> None:
        self.now = NOW
        self.ear = Ear()
        self.list = Denylist(HORIZON, limit=limit)
        self.revoked = Revoked(self.list, self.ear, opens=opens)
        self.keys = StubSource(JWKS) if keys is None else keys
        chosen = providers or (
            Provider(ISSUER.url, audience=ISSUER.audience, keys="https://issuer.test/jwks"),
        )
        asked = {one.name: cast("Any", Source(one.name)) for one in chosen if one.introspection}
        self.says = says or {}
        self.waited_for: list[Effect] = []
        self.fetches: Callable[[], None] = lambda: None
        trusted = [(one, self.keys) for one in chosen]
        self.pipeline: Pipeline = pipeline_of(trusted, lambda: self.now, binding, asked, self.revoked)

    def revoke(self, kind: Kind, value: str, issuer: str = ISSUER.url, at: float | None = None) -> None:
        at = self.now if at is None else at
        assert self.list.add(Entry(named(plain_name, kind, issuer, value), int(at)), self.now)

    def revoke_token(self, token: AccessToken) -> None:
        self.revoke(*single(described_of(token)))

    def admit(
        self, token: str | bytes = TOKEN, scheme: str = BEARER, pipeline: Pipeline | None = None
    ) -> AccessToken:
        raw = token if isinstance(token, bytes) else token.encode()
        outcome = (pipeline or self.pipeline).admit(raw, None, scheme)
        if isinstance(outcome, AccessToken):
            return outcome
        try:
            effect = next(outcome)
            while True:
                self.waited_for.append(effect)
                effect = outcome.send(self.carry_out(effect))
        except StopIteration as stop:
            return cast("AccessToken", stop.value)

    def carry_out(self, effect: Effect) -> Any:
        if isinstance(effect, HearRevocations):
            assert effect.ear is self.ear
            self.ear.asked += 1
            self.ear.brings()
            return self.ear.says
        if isinstance(effect, WaitForKeys):
            self.fetches()
            return None
        assert isinstance(effect, AskIntrospection)
        return Answered(dict(self.says))

    def refusal(self, token: str | bytes = TOKEN, **options: Any) -> AuthError:
        with pytest.raises(AuthError) as refused:
            self.admit(token, **options)
        return refused.value


def opaque(**says: Any) -> Server:
    return Server(provider(), says=active(**says))


# -- V-3: after the signature, on every request ----------------------------------------------------


def test_v3_a_revoked_token_is_refused_when_it_comes_first() -> None:
    server = Server()
    server.revoke("sub", "user-1")
    assert server.refusal().reason == "revoked"


def test_v3_a_token_that_is_remembered_is_refused_once_it_is_revoked() -> None:
    server = Server()
    token = server.admit()
    for _ in range(2):
        assert server.admit() == token
    server.revoke_token(token)
    assert server.refusal().reason == "revoked"
    assert server.refusal().reason == "revoked"


def test_v3_a_token_after_a_wait_for_keys_is_asked_about() -> None:
    server = Server(keys=StubSource())
    server.revoke("sub", "user-1")
    server.fetches = lambda: server.keys.publish(JWKS)
    assert server.refusal().reason == "revoked"


def test_v3_c7_an_answer_of_introspection_is_asked_about_when_it_is_new_and_when_it_is_remembered() -> None:
    server = opaque(iat=NOW - 5, sid="s")
    token = server.admit(OPAQUE)
    assert server.admit(OPAQUE).is_opaque
    assert len(server.waited_for) == 1, "the second was remembered"
    server.revoke("sid", "s")
    assert server.refusal(OPAQUE).reason == "revoked"
    other = opaque(iat=NOW - 5)
    other.revoke_token(token)
    assert other.refusal(OPAQUE).reason == "revoked"


def test_v3_a_forged_token_is_refused_for_its_signature_before_anybody_looks_it_up() -> None:
    server = Server()
    server.revoke("sub", "user-1")
    assert server.refusal(TOKEN[:-4] + "AAAA").reason == "signature"


def test_v4_a_revoked_token_is_answered_401_invalid_token_with_the_reason_revoked() -> None:
    server = Server()
    server.revoke("sub", "user-1")
    refused = server.refusal()
    assert (refused.status, refused.code, refused.reason) == (401, "invalid_token", "revoked")
    assert refused.provider == ISSUER.url
    assert refused.facts == {"sub": "user-1", "client_id": "test-client"}


def test_the_client_that_got_a_token_is_revoked_with_all_that_it_got() -> None:
    server = Server()
    server.revoke("client", "another-client")
    server.admit()
    server.revoke("client", "test-client")
    assert server.refusal().reason == "revoked"


def test_it_is_noted_for_good_once_a_token_came_that_says_of_which_session_it_is() -> None:
    server = Server()
    noted = []
    for token in (ISSUER.token(), ISSUER.token(sid="s"), ISSUER.token()):
        server.admit(token)
        noted.append(server.revoked.has_seen_sessions)
    assert noted == [False, True, True]


def test_a_revocation_of_somebody_else_costs_a_token_one_more_look_and_no_more() -> None:
    server = Server()
    server.admit()
    server.revoke("sub", "somebody-else")
    server.admit()
    looks: list[Any] = []
    server.revoked.list = cast("Any", Watched(server.list, looks))
    server.admit()
    assert looks == []
    server.revoke("sub", "another")
    server.admit()
    assert len(looks) == 1


def calls_of(act: Callable[[], Any]) -> int:
    """How many functions are called meanwhile, of Python and of C."""
    called: list[str] = []
    sys.setprofile(lambda _, event, __: called.append(event) if "call" in event else None)
    try:
        act()
    finally:
        sys.setprofile(None)
    return len(called)


def test_a_token_that_is_remembered_costs_no_call_more_where_tokens_may_be_taken_back() -> None:
    server = Server()
    plain = Pipeline(
        [(Provider(ISSUER.url, audience=ISSUER.audience, keys="https://x.test/k"), StubSource(JWKS))],
        lambda: NOW,
    )
    server.revoke("sub", "somebody-else")
    raw = TOKEN.encode()
    for pipeline in (plain, server.pipeline):
        for _ in range(3):
            assert isinstance(pipeline.admit(raw), AccessToken)
    assert calls_of(lambda: server.pipeline.admit(raw)) == calls_of(lambda: plain.admit(raw))


def test_a_bound_token_that_is_remembered_is_looked_up_only_where_the_list_has_changed() -> None:
    server = Server(binding=ANYBODY)
    bound = ISSUER.token(cnf={"jkt": "0" * 43}).encode()
    for _ in range(3):
        server.admit(bound)
    again = calls_of(lambda: server.pipeline.admit(bound))
    server.revoke("sub", "somebody-else")
    assert calls_of(lambda: server.pipeline.admit(bound)) > again
    assert calls_of(lambda: server.pipeline.admit(bound)) == again
    server.revoke("sub", "user-1")
    assert server.refusal(bound).reason == "revoked"


class Watched:
    """A list that says when it is looked into."""

    def __init__(self, denylist: Denylist, looks: list[Any]) -> None:
        self._list, self._looks = denylist, looks

    def refuse(self, token: Any, now: float) -> None:
        self._looks.append(token)
        self._list.refuse(token, now)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._list, name)


def test_two_texts_of_one_token_without_jti_are_revoked_together() -> None:
    """An ECDSA signature (r, s) has a second form, (r, n - s), and this library takes both."""
    from bearerguard._jose import base64url

    token = ISSUER.token(jti=None)
    signed, _, tail = token.rpartition(".")
    signature = base64url.decode(tail.encode())
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other_s = order - int.from_bytes(signature[32:])
    other = f"{signed}.{base64url.encode(signature[:32] + other_s.to_bytes(32)).decode()}"
    server = Server()
    assert server.admit(other).subject == "user-1"
    server.revoke_token(server.admit(token))
    assert server.refusal(token).reason == "revoked"
    assert server.refusal(other).reason == "revoked"


# -- the horizon -----------------------------------------------------------------------------------


def test_a_token_that_is_remembered_is_refused_when_it_becomes_too_old() -> None:
    server = Server()
    server.admit()
    server.now = NOW + HORIZON - 1
    server.admit()
    server.now = NOW + HORIZON
    assert server.refusal().reason == "too_old"


def test_a_jwt_without_iat_is_refused_by_a_server_with_a_list_as_often_as_it_comes() -> None:
    server, token = Server(), ISSUER.token(iat=None)
    for _ in range(3):
        assert server.refusal(token).reason == "too_old"


def test_an_opaque_token_without_iat_is_accepted_as_its_provider_is_asked() -> None:
    assert opaque().admit(OPAQUE).issued_at is None


# -- what was not heard ----------------------------------------------------------------------------


def silent(server: Server) -> Server:
    server.list.since, server.list.until = inf, -inf
    return server


def test_a_list_may_be_relied_on_from_when_it_was_heard_until_that_ends() -> None:
    server = Server()
    server.list.since, server.list.until = NOW, NOW + 5
    heard = [server.revoked.has_heard(NOW + seconds) for seconds in (-1, 0, 4, 5)]
    assert heard == [False, True, True, False]


def test_a_remembered_token_waits_to_hear_in_the_very_second_in_which_the_list_ends() -> None:
    server = Server()
    server.list.since, server.list.until = NOW, NOW + 5
    for server.now, asked in ((NOW, 0), (NOW + 4, 0), (NOW + 5, 1)):
        server.admit()
        assert server.ear.asked == asked


def test_a_remembered_token_waits_to_hear_where_the_clock_was_set_back_behind_what_was_heard() -> None:
    server = Server()
    server.admit()
    server.list.since = NOW + 10
    for server.now, asked in ((NOW + 10, 0), (NOW + 1, 1)):
        server.admit()
        assert server.ear.asked == asked


@pytest.mark.parametrize("times", [1, 2])
def test_what_was_revoked_is_heard_first_where_it_is_not_known(times: int) -> None:
    server = Server()
    for _ in range(times - 1):
        server.admit()
    silent(server)
    assert server.admit().subject == "user-1"
    assert server.ear.asked == 1
    server.ear.brings = lambda: server.revoke("sub", "user-1")
    assert server.refusal().reason == "revoked"


@pytest.mark.parametrize("is_silent", [False, True])
def test_a_token_that_is_looked_up_is_dated_by_its_own_request(is_silent: bool) -> None:
    server = Server()
    for server.now in (NOW, NOW + 1):
        if is_silent:
            silent(server)
        assert server.admit().verified_at == server.now


@pytest.mark.parametrize("times", [1, 2])
def test_a_request_is_answered_503_while_nothing_can_be_heard(times: int) -> None:
    server = Server()
    for _ in range(times - 1):
        server.admit()
    silent(server).ear.says = 3.0
    refused = server.refusal()
    assert (refused.status, refused.reason, refused.retry_after) == (503, "revocation_store", 3.0)
    assert refused.provider == ISSUER.url
    assert str(refused) == "Whether the token was revoked cannot be told right now."


def test_an_opaque_token_waits_for_what_is_not_heard_too() -> None:
    server = silent(opaque(iat=NOW))
    server.ear.says = 3.0
    assert server.refusal(OPAQUE).reason == "revocation_store"
    server.ear.says = None
    assert server.admit(OPAQUE).is_opaque


def test_unheard_revocations_are_accepted_only_where_the_program_asked_for_it() -> None:
    server = silent(Server(opens=True))
    server.ear.says = 3.0
    assert server.admit().subject == "user-1"
    server.revoke("sub", "user-1")
    assert server.refusal().reason == "revoked", "what was heard before still counts"
    assert Revoked(server.list, server.ear).opens is False


def test_a_list_that_is_full_lets_nobody_in_as_it_may_lack_one() -> None:
    server = Server(limit=1)
    server.admit()
    server.revoke("sub", "somebody-else")
    refused = server.refusal()
    assert (refused.status, refused.reason, refused.retry_after) == (503, "revocation_store", 1.0)


# -- and proofs ------------------------------------------------------------------------------------


class OnceOnly(Binding):
    """A binding that counts the proofs that it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = 0

    def prove(self, verdict: Verdict, presented: Presented, now: float) -> None:
        self.shown += 1
        raise InvalidDPoPProof("proof", "refused")


@pytest.mark.parametrize("says", [None, 3.0])
def test_no_proof_is_spent_on_a_request_that_is_refused_for_a_revocation(says: float | None) -> None:
    binding = OnceOnly()
    server = Server(binding=binding)
    token = ISSUER.token(cnf={"jkt": "0" * 43})
    assert server.refusal(token).reason == "proof"
    assert binding.shown == 1
    server.revoke("sub", "user-1")
    assert server.refusal(token).reason == "revoked"
    silent(server).ear.says = says
    assert server.refusal(token).reason in ("revoked", "revocation_store")
    assert binding.shown == 1


# -- whose it is -----------------------------------------------------------------------------------


def test_aliases_of_an_issuer_are_one_and_tenants_are_many() -> None:
    plain = Provider(ISSUER.url, audience="a", issuer_aliases="https://alias.test")
    assert name_of_issuer(plain, "https://alias.test") == ISSUER.url
    domain = Provider(None, trust_domain="example.org", audience="a", keys=JWKS)
    assert name_of_issuer(domain, "https://any.test") == ""
    tenants = Provider(
        "https://login.test/{tid}/v2.0", name="t", audience="a", tenants=["a1"], keys="https://login.test/k"
    )
    assert name_of_issuer(tenants, "https://login.test/a1/v2.0") == "https://login.test/a1/v2.0"
    assert name_of_issuer(tenants, None) == ""


def test_a_token_of_a_tenant_is_revoked_under_the_name_of_its_tenant() -> None:
    tenants = Provider(
        "https://login.test/{tid}", name="t", audience=ISSUER.audience, tenants=["a", "b"],
        keys="https://login.test/k",
    )  # fmt: skip
    server = Server(tenants)
    one, another = (ISSUER.token(iss=f"https://login.test/{tid}", tid=tid) for tid in "ab")
    server.revoke("sub", "user-1", issuer="https://login.test/a")
    assert server.refusal(one).reason == "revoked"
    assert server.admit(another).subject == "user-1"


# -- load balancers, places, explanations ----------------------------------------------------------


def test_a_token_in_a_place_of_its_own_is_asked_about() -> None:
    denylist = Denylist(HORIZON)
    own = Provider(ISSUER.url, audience=ISSUER.audience, keys=JWKS, source=Header("X-Token"))
    places = Places([(own, StubSource(JWKS))], lambda: NOW, None, revoked=Revoked(denylist, Ear()))
    (pipeline,) = places.pipelines
    assert isinstance(pipeline.admit(TOKEN.encode()), AccessToken)
    denylist.add(Entry(named(plain_name, "sub", ISSUER.url, "user-1"), int(NOW)), NOW)
    with pytest.raises(AuthError, match="revoked"):
        pipeline.admit(TOKEN.encode())


def test_an_explanation_is_told_of_a_revocation() -> None:
    server = Server()
    server.revoke("sub", "user-1")
    assert server.refusal(pipeline=server.pipeline.apart()).reason == "revoked"


def test_a_program_that_revokes_verifies_a_token_whoever_may_use_it() -> None:
    server = silent(Server())
    server.revoke("sub", "user-1")
    bound = ISSUER.token(cnf={"jkt": "0" * 43})
    assert server.admit(bound, pipeline=server.pipeline.unbound()).subject == "user-1"


SIGNER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/name/0123456789abcdef"
BALANCER = Issuer("https://idp.test", algorithm="ES256", clock=Clock(NOW))


def balancer(keys: StubSource | None = None) -> Server:
    one = Provider(
        None, name="balancer", audience=None, signer=SIGNER, keys="https://keys.test/jwks",
        algorithms="ES256",
    )  # fmt: skip
    return Server(one, keys=StubSource(BALANCER.jwks()) if keys is None else keys)


def of_balancer(**claims: Any) -> str:
    header = {"signer": SIGNER, "exp": NOW + 60, "iss": "https://idp.test", "client": "c"}
    return BALANCER.token(header=header, iat=int(NOW), aud=None, **claims)


@pytest.mark.parametrize("waits", [False, True])
def test_a_token_of_a_load_balancer_is_asked_about(waits: bool) -> None:
    server = balancer(StubSource() if waits else None)
    if waits:
        server.fetches = lambda: server.keys.publish(BALANCER.jwks())
    assert server.admit(of_balancer()).subject == "user-1"
    if waits:
        server.keys.key_set = None
    server.revoke("sub", "user-1", issuer="")
    assert server.refusal(of_balancer()).reason == "revoked"


def test_a_token_of_a_load_balancer_waits_for_what_is_not_heard() -> None:
    server = silent(balancer())
    server.ear.says = 3.0
    assert server.refusal(of_balancer()).reason == "revocation_store"
