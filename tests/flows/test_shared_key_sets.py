"""Keys that another process of a fleet got: they may be older than the key that a token wants."""

from __future__ import annotations

import msgspec
import pytest

from bearerguard import AccessToken, InvalidToken
from bearerguard._flows.effects import WaitForKeys
from bearerguard.testing import Clock, Issuer
from tests.flows.pipeline import ISSUER, JWKS, NOW, TOKEN, Admitting, StubSource, admitting, wanted

OTHER = Issuer(ISSUER.url, algorithm="ES256", clock=Clock(NOW)).jwks()
FURTHER = Issuer(ISSUER.url, algorithm="ES256", clock=Clock(NOW)).jwks()


def take_over(source: StubSource, *jwks: object) -> None:
    """Have the source hold keys that another process got."""
    source.publish(*jwks)
    assert source.key_set is not None
    source.key_set = msgspec.structs.replace(source.key_set, is_shared=True)


def ended(server: Admitting) -> AccessToken:
    assert server.stages is not None
    with pytest.raises(StopIteration) as stop:
        server.stages.send(None)
    assert isinstance(stop.value.value, AccessToken)
    return stop.value.value


@pytest.mark.parametrize("in_hand", [(), (OTHER,)], ids=["missing", "unknown kid"])
def test_a_key_that_is_not_among_them_is_waited_for_once_more(in_hand: tuple[object, ...]) -> None:
    source = StubSource(*in_hand)
    server = admitting(source)
    wanted(server.attempt(TOKEN, NOW))
    take_over(source, FURTHER)
    assert server.stages is not None
    assert server.stages.send(None) == WaitForKeys(source, "unknown_kid")
    source.publish(JWKS)
    assert ended(server).subject == "user-1"


def test_a_key_that_is_among_them_is_not_waited_for_again() -> None:
    source = StubSource(OTHER)
    server = admitting(source)
    wanted(server.attempt(TOKEN, NOW))
    take_over(source, JWKS)
    assert ended(server).subject == "user-1"


def test_nobody_waits_a_third_time() -> None:
    source = StubSource(OTHER)
    server = admitting(source)
    wanted(server.attempt(TOKEN, NOW))
    take_over(source, FURTHER)
    assert server.stages is not None
    server.stages.send(None)
    take_over(source, OTHER)
    with pytest.raises(InvalidToken) as refused:
        server.stages.send(None)
    assert refused.value.reason == "unknown_key"


def test_a_signature_under_a_kid_that_another_process_saw_replaced_is_waited_for_by_its_own_pause() -> None:
    kid = JWKS["keys"][0]["kid"]
    replaced = {"keys": [{**FURTHER["keys"][0], "kid": kid}]}
    source = StubSource(OTHER)
    server = admitting(source)
    wanted(server.attempt(TOKEN, NOW))
    take_over(source, replaced)
    assert server.stages is not None
    assert server.stages.send(None) == WaitForKeys(source, "signature")
    source.publish(JWKS)
    assert ended(server).subject == "user-1"


def test_keys_that_stay_the_same_are_waited_for_once() -> None:
    source = StubSource()
    take_over(source, OTHER)
    server = admitting(source)
    wanted(server.attempt(TOKEN, NOW))
    assert server.stages is not None
    with pytest.raises(InvalidToken) as refused:
        server.stages.send(None)
    assert refused.value.reason == "unknown_key"
