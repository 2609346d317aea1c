"""What the pipeline asks of a register of issuers, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bearerguard import AccessToken, AuthError, Provider
from bearerguard._core.denylist import Denylist, Entry, named, plain_name
from bearerguard._flows.binding import Binding
from bearerguard._flows.effects import Resolution, ResolveIssuer, WaitForKeys
from bearerguard._flows.jwt import NOT_TRUSTED
from bearerguard._flows.pipeline import Pipeline
from bearerguard._flows.revocation import Revoked
from bearerguard._flows.trusting import TrustedIssuer, TrustingPipeline
from tests.certificates import certificate_der, x5t_s256
from tests.flows.pipeline import FROM_PROXY, ISSUER, JWKS, NOW, StubSource, showing

KEYS = "https://issuer.test/jwks"


class StubRegister:
    """Knows the issuers that a test puts in, and counts proofs."""

    def __init__(self) -> None:
        self.known: dict[str, TrustedIssuer] = {}
        self.refused: set[str] = set()
        self.proofs = 0

    def get(self, issuer: str, /) -> TrustedIssuer | None:
        return self.known.get(issuer)

    def has_refused(self, issuer: str) -> bool:
        return issuer in self.refused

    def prove(self) -> None:
        self.proofs += 1

    def trusted(self, source: StubSource, audience: str = "https://api.test") -> TrustedIssuer:
        provider = Provider(ISSUER.url, audience=audience, keys=KEYS)
        return TrustedIssuer(provider, source, lambda: NOW, self.prove)


@pytest.fixture
def register() -> StubRegister:
    return StubRegister()


def admit(register: StubRegister, token: str) -> Any:
    return TrustingPipeline(register, lambda: NOW).admit(token.encode())


def refusal(register: StubRegister, token: str, *answers: Any) -> AuthError:
    with pytest.raises(AuthError) as refused:
        follow(register, token, answers)
    return refused.value


def reason(register: StubRegister, token: str, *answers: Any) -> tuple[str | None, str | None]:
    refused = refusal(register, token, *answers)
    return refused.reason, refused.provider


def follow(register: StubRegister, token: str, answers: Any) -> None:
    stages = admit(register, token)
    next(stages)
    for answer in answers:
        stages.send(answer)


def test_a_known_issuer_is_decided_at_once_and_proven_once(register: StubRegister) -> None:
    register.known[ISSUER.url] = register.trusted(StubSource(JWKS))
    pipeline = TrustingPipeline(register, lambda: NOW)
    for _ in range(2):
        assert isinstance(pipeline.admit(ISSUER.token().encode()), AccessToken)
    assert register.proofs == 1
    assert register.known[ISSUER.url].clock() == NOW


def test_a_forged_token_proves_nothing(register: StubRegister) -> None:
    register.known[ISSUER.url] = register.trusted(StubSource(JWKS))
    assert reason(register, ISSUER.forged(), None) == ("signature", ISSUER.url)
    assert register.proofs == 0


def test_a_known_issuer_whose_keys_have_to_be_waited_for_is_proven_then(register: StubRegister) -> None:
    source = StubSource()
    register.known[ISSUER.url] = register.trusted(source)
    stages = admit(register, ISSUER.token())
    assert isinstance(next(stages), WaitForKeys)
    source.publish(JWKS)
    with pytest.raises(StopIteration) as stop:
        stages.send(None)
    assert stop.value.value.subject == "user-1"
    assert register.proofs == 1


def test_an_unknown_issuer_is_asked_about_once(register: StubRegister) -> None:
    source = StubSource()
    stages = admit(register, ISSUER.token())
    assert next(stages) == ResolveIssuer(register, ISSUER.url)
    assert isinstance(stages.send(Resolution(register.trusted(source))), WaitForKeys)
    source.publish(JWKS)
    with pytest.raises(StopIteration) as stop:
        stages.send(None)
    assert stop.value.value.subject == "user-1"


def test_an_issuer_whose_keys_are_at_hand_is_decided_when_it_is_known(register: StubRegister) -> None:
    stages = admit(register, ISSUER.token())
    next(stages)
    with pytest.raises(StopIteration) as stop:
        stages.send(Resolution(register.trusted(StubSource(JWKS))))
    assert stop.value.value.subject == "user-1"


def test_what_the_function_says_decides(register: StubRegister) -> None:
    assert reason(register, ISSUER.token(), Resolution()) == ("issuer", None)
    assert reason(register, ISSUER.token(), Resolution(retry_after=5.0)) == ("provider_unavailable", None)
    other = Resolution(register.trusted(StubSource(JWKS), audience="other"))
    assert reason(register, ISSUER.token(), other) == ("audience", ISSUER.url)


def test_what_is_said_of_an_issuer_that_is_not_trusted(register: StubRegister) -> None:
    assert refusal(register, ISSUER.token(), Resolution()).description == NOT_TRUSTED
    assert refusal(register, ISSUER.token(iss="not an issuer")).description == NOT_TRUSTED
    assert refusal(register, ISSUER.token(iss=None)).description == "The token has no 'iss' claim."
    assert refusal(register, ISSUER.token(iss=["a"])).description == "The token's 'iss' claim is malformed."
    assert refusal(register, ISSUER.token(), Resolution(retry_after=5.0)).retry_after == 5.0


def test_nobody_is_asked_about_what_was_refused_or_cannot_be_an_issuer(register: StubRegister) -> None:
    register.refused.add(ISSUER.url)
    assert reason(register, ISSUER.token()) == ("issuer", None)
    assert reason(register, ISSUER.token(iss="https://a.example?b")) == ("issuer", None)
    assert reason(register, ISSUER.token(iss=None)) == ("missing_claim", None)
    assert reason(register, ISSUER.token(iss=["a"])) == ("invalid_claim", None)


def test_who_signs_for_an_issuer_is_in_the_register_or_asked_of_its_function(
    register: StubRegister,
) -> None:
    pipeline = TrustingPipeline(register, lambda: NOW)
    found = register.trusted(StubSource(JWKS))
    asking = pipeline.trusted_for(ISSUER.url)
    assert next(asking) == ResolveIssuer(register, ISSUER.url)
    with pytest.raises(StopIteration) as asked:
        asking.send(Resolution(found))
    register.known[ISSUER.url] = found
    with pytest.raises(StopIteration) as known:
        next(pipeline.trusted_for(ISSUER.url))
    assert asked.value.value == known.value.value == ((found.provider, found.source),)
    assert isinstance(found.source, StubSource)


ITSELF_OR_APART = pytest.mark.parametrize("of", [lambda pipeline: pipeline, Pipeline.apart])


@ITSELF_OR_APART
def test_a_bound_token_of_an_issuer_that_is_trusted_needs_its_certificate(
    register: StubRegister, of: Callable[[Pipeline], Pipeline]
) -> None:
    register.known[ISSUER.url] = register.trusted(StubSource(JWKS))
    binding = Binding(certificate=FROM_PROXY)
    pipeline = of(TrustingPipeline(register, lambda: NOW, binding))
    certificate = certificate_der()
    raw = ISSUER.token(cnf={"x5t#S256": x5t_s256(certificate)}).encode()
    assert isinstance(pipeline.admit(raw, showing(certificate)), AccessToken)
    with pytest.raises(AuthError) as refused:
        pipeline.admit(raw, showing(certificate_der()))
    assert refused.value.reason == "certificate"


class Ear:
    """Hears of revocations."""


@ITSELF_OR_APART
def test_a_token_of_an_issuer_that_is_trusted_is_refused_once_it_is_revoked(
    register: StubRegister, of: Callable[[Pipeline], Pipeline]
) -> None:
    register.known[ISSUER.url] = register.trusted(StubSource(JWKS))
    revoked = Revoked(Denylist(1800.0), Ear())
    pipeline = of(TrustingPipeline(register, lambda: NOW, revoked=revoked))
    assert isinstance(pipeline.admit(ISSUER.token().encode()), AccessToken)
    revoked.list.add(Entry(named(plain_name, "sub", ISSUER.url, "user-1"), int(NOW)), NOW)
    with pytest.raises(AuthError) as refused:
        pipeline.admit(ISSUER.token().encode())
    assert refused.value.reason == "revoked"
