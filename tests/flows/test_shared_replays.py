"""Proofs that a fleet notes: where the pipeline waits for it, and what follows from each answer."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any, cast

import pytest

from bearerguard import AuthError, ConfigurationError, DPoP, SecurityWarning
from bearerguard._core.credentials import encoded
from bearerguard._flows.binding import Binding
from bearerguard._flows.effects import (
    AskReplays,
    ReplayKey,
    SharedReplays,
    StoreFailed,
    Unanswered,
    WaitForKeys,
)
from bearerguard._flows.pipeline import Pipeline, Stages
from bearerguard._flows.proof_checks import ProofChecks
from bearerguard._flows.signer import pipeline_of
from bearerguard._io.drive import Admission
from bearerguard._io.key_sources import KeySources
from bearerguard._jose.jws import parse_header
from bearerguard.request import Request
from bearerguard.token import AccessToken
from tests.hostile import minting
from tests.proofs import TOKEN, proof, request


class Fleet:
    """Notes proofs as an engine does, or is away."""

    def __init__(self) -> None:
        self.noted: dict[ReplayKey, float] = {}
        self.asked: list[float | None] = []
        self.is_away = False

    def ask(self, key: ReplayKey, seconds: float | None) -> bool | Unanswered:
        self.asked.append(seconds)
        if self.is_away:
            return Unanswered(2.0)
        is_new = key not in self.noted
        if seconds is not None:
            self.noted.setdefault(key, seconds)
        return is_new

    async def ask_async(self, key: ReplayKey, seconds: float | None) -> bool | Unanswered:
        await asyncio.sleep(0)
        return self.ask(key, seconds)


def accepting() -> DPoP:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return DPoP(dangerously_accept_replays=True)


def pipeline(fleet: SharedReplays, dpop: DPoP | None = None, **options: Any) -> Pipeline:
    provider = minting.issuer.provider(**{"keys": minting.issuer.jwks(), **options})
    clock = minting.issuer.clock
    proofs = ProofChecks(dpop or DPoP(), None, fleet, None)
    trusted = [(provider, cast("Any", KeySources(clock).add(provider)))]
    return pipeline_of(trusted, clock, Binding(proofs), {})


def admit(at: Pipeline, asked: Request, token: str = TOKEN) -> Stages:
    """The stages that are left, of a token whose keys are in memory: something has to be waited for."""
    outcome = at.admit(encoded(token), asked, "DPoP")
    assert not isinstance(outcome, AccessToken)
    return outcome


def test_a_proof_is_noted_where_the_fleet_does_as_the_last_of_its_checks() -> None:
    fleet = Fleet()
    at = pipeline(fleet)
    sent = proof()
    for expected in ("new", "new token, known key"):
        stages = admit(at, request(proof()))
        effect = next(stages)
        assert isinstance(effect, AskReplays), expected
        assert effect.store is fleet
        assert effect.seconds is not None
        assert 60 < effect.seconds <= 62
    assert Admission(admit(at, request(sent))).wait().confirmation == "dpop"
    with pytest.raises(AuthError) as refused:
        Admission(admit(at, request(sent))).wait()
    assert (refused.value.reason, refused.value.provider) == ("proof_replayed", minting.ISSUER)


def test_operators_are_told_the_key_of_a_new_token_whose_proof_was_used_before() -> None:
    fleet, sent = Fleet(), proof()
    Admission(admit(pipeline(fleet), request(sent))).wait()
    with pytest.raises(AuthError, match="used before") as refused:
        Admission(admit(pipeline(fleet), request(sent))).wait()
    assert refused.value.kid == parse_header(encoded(TOKEN).partition(b".")[0]).kid


def test_a_task_waits_for_the_same() -> None:
    at, sent = pipeline(Fleet()), proof()

    async def twice() -> str:
        await Admission(admit(at, request(sent)))
        with pytest.raises(AuthError) as refused:
            await Admission(admit(at, request(sent)))
        return refused.value.reason

    assert asyncio.run(twice()) == "proof_replayed"


def test_a_proof_that_is_refused_is_not_noted() -> None:
    fleet = Fleet()
    at = pipeline(fleet)
    for sent in (proof(htm="POST"), proof(iat=1)):
        with pytest.raises(AuthError):
            at.admit(encoded(TOKEN), request(sent), "DPoP")
    assert fleet.asked == []


def test_while_the_store_is_away_nobody_gets_in() -> None:
    fleet = Fleet()
    fleet.is_away = True
    at = pipeline(fleet)
    for _ in range(2):  # a token that is new, and one that is remembered
        with pytest.raises(AuthError) as refused:
            Admission(admit(at, request(proof()))).wait()
        assert (refused.value.status, refused.value.reason) == (503, "replay_store")
        assert refused.value.retry_after == 2.0
    fleet.is_away = False
    assert Admission(admit(at, request(proof()))).wait().confirmation == "dpop"


def test_who_accepts_replays_by_the_long_name_is_let_in_meanwhile_and_only_then() -> None:
    fleet, sent = Fleet(), proof()
    at = pipeline(fleet, accepting())
    Admission(admit(at, request(sent))).wait()
    with pytest.raises(AuthError, match="used before"):
        Admission(admit(at, request(sent))).wait()
    fleet.is_away = True
    assert Admission(admit(at, request(sent))).wait().confirmation == "dpop"


def test_the_long_name_warns_where_it_is_written() -> None:
    with pytest.warns(SecurityWarning, match="leave it out") as told:
        DPoP(dangerously_accept_replays=True)
    assert told[0].filename == __file__
    with pytest.raises(ConfigurationError, match="True or False"):
        DPoP(dangerously_accept_replays=cast("Any", "yes"))


def test_a_failure_of_a_store_says_when_to_come_back() -> None:
    failure = StoreFailed("timeout", "no answer", retry_after=2.0)
    assert (failure.kind, str(failure), failure.retry_after) == ("timeout", "no answer", 2.0)
    assert StoreFailed("timeout", "no answer").retry_after == 1.0


def test_an_explanation_looks_and_notes_nothing() -> None:
    fleet, sent = Fleet(), proof()
    at = pipeline(fleet)
    Admission(admit(at.apart(), request(sent))).wait()
    Admission(admit(at.apart(), request(sent))).wait()
    assert fleet.asked == [None, None]
    Admission(admit(at, request(sent))).wait()
    with pytest.raises(AuthError, match="used before"):
        Admission(admit(at.apart(), request(sent))).wait()


def test_two_guards_of_one_request_note_its_proof_once() -> None:
    fleet = Fleet()
    at = pipeline(fleet)
    asked = Noted(request(proof()))
    Admission(admit(at, cast("Request", asked))).wait()
    assert isinstance(at.admit(encoded(TOKEN), cast("Request", asked), "DPoP"), AccessToken)
    assert len(fleet.noted) == 1


class Noted:
    """A view of a request that has notes, as those of doors do."""

    def __init__(self, of: Request) -> None:
        self._of = of
        self.notes: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)


def test_a_token_whose_keys_were_waited_for_then_waits_for_the_store() -> None:
    at = pipeline(Fleet(), keys="https://issuer.test/jwks")
    stages = admit(at, request(proof()))
    effect = next(stages)
    assert isinstance(effect, WaitForKeys)
    given = KeySources(minting.issuer.clock).add(minting.issuer.provider(keys=minting.issuer.jwks()))
    cast("Any", effect.source).key_set = cast("Any", given).key_set  # as a fetch would have set it
    asked = stages.send(None)
    assert isinstance(asked, AskReplays)
    with pytest.raises(StopIteration) as ended:
        stages.send(True)
    assert isinstance(ended.value.value, AccessToken)
