"""What a pipeline is for one explanation: the same, but it remembers and notes nothing."""

from __future__ import annotations

from typing import Any

from bearerguard import AccessToken, DPoP, Provider
from bearerguard._core.credentials import DPOP
from bearerguard._flows.binding import Binding
from bearerguard._flows.effects import AskIntrospection
from bearerguard._flows.pipeline import Pipeline
from bearerguard._flows.places import Places
from bearerguard._flows.proof_checks import PROVEN, LookingStore, ProofChecks
from bearerguard._flows.signer import SignerPipeline, pipeline_of
from bearerguard._flows.trusting import TrustingPipeline
from bearerguard.asgi import ASGIRequest
from bearerguard.stores import MemoryReplayStore, ReplayKey
from tests import proofs
from tests.flows import asking
from tests.flows.pipeline import ISSUER, JWKS, NOW, TOKEN, StubSource
from tests.flows.test_trusting import StubRegister
from tests.hostile import minting

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/0123456789abcdef"


def trusted() -> list[tuple[Provider, StubSource]]:
    return [(ISSUER.provider(), StubSource(JWKS))]


def test_it_decides_the_same_and_remembers_no_token() -> None:
    pipeline = Pipeline(trusted(), lambda: NOW)
    apart = pipeline.apart()
    assert isinstance(apart.admit(TOKEN.encode()), AccessToken)
    assert (len(apart._verdicts), len(pipeline._verdicts)) == (0, 0)
    pipeline.admit(TOKEN.encode())
    assert len(pipeline._verdicts) == 1


def test_one_with_signers_keeps_them() -> None:
    signer = Provider(None, audience=None, signer=ARN, keys=JWKS)
    apart = pipeline_of([*trusted(), (signer, StubSource(JWKS))], lambda: NOW).apart()
    assert isinstance(apart, SignerPipeline)
    assert [provider.signer for provider in apart.providers] == [None, ARN]


def test_one_whose_providers_are_asked_about_tokens_asks_the_same() -> None:
    login = asking.provider()
    source: Any = asking.Source(login.name)
    pipeline = Pipeline([(login, StubSource(JWKS))], lambda: NOW, asked={login.name: source})
    stages = pipeline.apart().admit(asking.OPAQUE)
    assert not isinstance(stages, AccessToken)
    assert isinstance(question := next(stages), AskIntrospection)
    assert question.source is source


def test_one_that_trusts_by_a_function_asks_the_same_register() -> None:
    register = StubRegister()
    register.known[ISSUER.url] = register.trusted(StubSource(JWKS), "https://api.test")
    apart = TrustingPipeline(register, lambda: NOW).apart()
    assert isinstance(apart, TrustingPipeline)
    assert isinstance(apart.admit(TOKEN.encode()), AccessToken)
    assert len(apart._verdicts) == 0


def test_places_stay_where_they_are() -> None:
    places = Places(trusted(), lambda: NOW, None)
    raw, _, pipeline = places.apart().found(proofs.request(token=TOKEN, scheme="Bearer"))
    assert raw == TOKEN.encode()
    assert pipeline not in places._pipelines.values()
    assert isinstance(pipeline.admit(raw), AccessToken)


def admit(pipeline: Pipeline, request: Any) -> Any:
    return pipeline.admit(proofs.TOKEN.encode(), request, DPOP, proofs.URL)


def test_a_proof_is_looked_up_and_neither_noted_nor_told_of() -> None:
    told: list[int] = []
    store = MemoryReplayStore(lambda: NOW)
    checks = ProofChecks(DPoP(), None, store, lambda: told.append(1))
    source = StubSource(minting.issuer.jwks())
    pipeline = Pipeline([(minting.issuer.provider(), source)], lambda: NOW, Binding(checks))
    apart = pipeline.apart()
    sent = proofs.proof()
    fields = [(b"dpop", sent.encode())]
    scope = {"type": "http", "method": "GET", "path": "/orders", "raw_path": b"/orders", "headers": fields}
    request = ASGIRequest(scope)
    assert isinstance(admit(apart, request), AccessToken)
    assert len(store) == 0
    assert PROVEN not in request.notes
    assert isinstance(admit(pipeline, request), AccessToken)
    assert isinstance(admit(apart, request), AccessToken), "the request has proven it already"
    apart.admit(proofs.PLAIN.encode(), request)
    assert told == []


def test_what_only_looks_into_a_store_says_what_is_there() -> None:
    store = MemoryReplayStore(lambda: NOW)
    looking, key = LookingStore(store), ReplayKey("a", b"1")
    assert looking.add(key, 60)
    assert not looking.seen(key)
    store.add(key, 60)
    assert not looking.add(key, 60)
    assert looking.seen(key)
