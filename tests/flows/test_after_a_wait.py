"""What a token that had to wait for keys meets after the wait: the same checks as any other, each once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from bearerguard import AccessToken, AuthError, InvalidToken, ProviderUnavailable
from bearerguard._flows.effects import WaitForKeys
from bearerguard.testing import Clock, Issuer
from tests.flows.pipeline import (
    ISSUER,
    JWKS,
    NOW,
    TOKEN,
    Admitting,
    StubSource,
    accepted,
    admitting,
    refusal,
    wanted,
)

Publish = Callable[[StubSource], None]


def finished(server: Admitting, sent: Any = None) -> AccessToken:
    """The token, where the stages that are left wait for nothing more."""
    assert server.stages is not None
    with pytest.raises(StopIteration) as stop:
        server.stages.send(sent)
    token: AccessToken = stop.value.value
    return token


def test_keys_that_came_due_meanwhile_are_used_and_refreshed() -> None:
    source = StubSource()
    server = admitting(source)
    server.attempt(TOKEN, NOW)
    source.publish(JWKS, refresh_at=NOW, usable_until=NOW + 10)
    assert finished(server).subject == "user-1"
    assert source.asked_ahead == [NOW]


def test_keys_that_are_fresh_are_not_refreshed() -> None:
    source = StubSource()
    server = admitting(source)
    server.attempt(TOKEN, NOW)
    source.publish(JWKS, refresh_at=NOW + 1, usable_until=NOW + 10)
    assert source.key_set is not None
    source.key_set = replace(source.key_set, fetched_at=NOW)
    finished(server)
    assert source.asked_ahead == []


def test_keys_that_came_after_now_as_the_clock_was_set_back_meanwhile_are_used_and_refreshed() -> None:
    source = StubSource()
    server = admitting(source)
    server.attempt(TOKEN, NOW)
    source.publish(JWKS)
    assert source.key_set is not None
    source.key_set = replace(source.key_set, fetched_at=NOW + 1)
    assert finished(server).subject == "user-1"
    assert source.asked_ahead == [NOW]


def test_of_a_token_that_comes_while_another_waits_only_the_issuer_is_read_before_the_wait() -> None:
    unreadable = ISSUER.sign(b'{"iss":"%s","sub":"\xff"}' % ISSUER.url.encode())
    source = StubSource()
    server = admitting(source)
    with pytest.raises(InvalidToken):
        server.attempt(unreadable)
    wanted(server.attempt(TOKEN))
    first = server.stages
    assert wanted(server.attempt(unreadable)).cause == "missing"
    source.publish(JWKS)
    with pytest.raises(InvalidToken) as refused:
        finished(server)
    assert refused.value.reason == "malformed"
    server.stages = first
    assert finished(server).subject == "user-1"
    source.key_set = None
    with pytest.raises(InvalidToken):
        server.attempt(unreadable)


def test_keys_that_grew_too_old_meanwhile_are_not_used() -> None:
    source = StubSource()
    server = admitting(source)
    server.attempt(TOKEN, NOW)
    source.publish(JWKS, refresh_at=NOW - 10, usable_until=NOW)
    assert server.stages is not None
    with pytest.raises(ProviderUnavailable):
        server.stages.send(None)
    assert source.asked_ahead == []


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA", "HS256"])
@pytest.mark.parametrize("parts", [0, 100])
@pytest.mark.parametrize("known", [[], [JWKS]], ids=["no keys", "other keys"])
def test_tokens_of_every_algorithm_and_size_are_accepted_and_remembered(
    algorithm: str, parts: int, known: list[Any]
) -> None:
    issuer = Issuer(algorithm=algorithm, clock=Clock(NOW))
    secret = algorithm.startswith("HS")
    keys = issuer.signing_key.secret_jwk() if secret else issuer.jwks()
    source = StubSource(*known)
    options: dict[str, Any] = {"issuer": issuer.url, "audience": issuer.audience, "algorithms": [algorithm]}
    if secret:
        options["keys"] = keys
    server = admitting(source, **options)
    token = issuer.token(parts=[[]] * parts)
    server.attempt(token, NOW)
    source.publish(keys)
    assert finished(server).claims["parts"] == [[]] * parts
    assert source.key_set is not None
    source.key_set.keys.named.clear()  # verified again, it would be of an unknown key
    assert accepted(server.attempt(token, NOW)).claims["parts"] == [[]] * parts


def test_claims_that_were_read_after_the_wait_are_for_one_request_and_not_kept() -> None:
    source = StubSource()
    server = admitting(source)
    server.attempt(ISSUER.token(parts=[[]] * 1000), NOW)
    source.publish(JWKS)
    token = finished(server)
    [verdict] = server.pipeline._verdicts.young.values()
    assert verdict.read is None
    assert verdict.kept is None
    assert len(token.claims["parts"]) == 1000
    assert verdict.kept is None


def test_a_token_is_remembered_again_under_the_keys_that_were_waited_for() -> None:
    source = StubSource(JWKS)
    server = admitting(source)
    accepted(server.attempt(TOKEN, NOW))
    source.publish(JWKS, refresh_at=NOW, usable_until=NOW)  # too old to be used
    wanted(server.attempt(TOKEN, NOW))
    source.publish(JWKS)
    finished(server)
    assert source.key_set is not None
    source.key_set.keys.named.clear()  # verified again, it would be of an unknown key
    accepted(server.attempt(TOKEN, NOW))


def test_a_key_under_another_name_is_not_tried() -> None:
    named = [{**key, "kid": f"another-{number}"} for number, key in enumerate(JWKS["keys"])]
    source = StubSource()
    server = admitting(source)
    server.attempt(TOKEN, NOW)
    source.publish(*named)
    assert server.stages is not None
    with pytest.raises(AuthError) as refused:
        server.stages.send(None)
    assert refused.value.reason == "unknown_key"


# -- several providers of one issuer


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_the_second_of_several_decides_like_the_first(algorithm: str) -> None:
    signer, other = Issuer(algorithm=algorithm, clock=Clock(NOW)), Issuer(algorithm="ES256").jwks()
    for parts in (0, 100):
        token = signer.token(parts=[[]] * parts)
        first, second = StubSource(), StubSource(signer.jwks())
        server = admitting(first, second, issuer=signer.url, audience=signer.audience)
        assert wanted(server.attempt(token, NOW)) == WaitForKeys(first, "missing")
        first.publish(other, usable_until=NOW + 10**9)
        accepted_by = finished_after_second_look(server)
        assert accepted_by.provider.name == "b"
        assert accepted_by.claims["parts"] == [[]] * parts
        assert second.key_set is not None
        second.key_set.keys.named.clear()  # verified again, it would be of an unknown key
        assert accepted(server.attempt(token, NOW)).provider.name == "b"


def finished_after_second_look(server: Admitting) -> AccessToken:
    """The token, where the first provider is asked once more for a key of an unknown name."""
    assert server.stages is not None
    try:
        server.stages.send(None)
    except StopIteration as stop:
        token: AccessToken = stop.value
        return token
    return finished(server)


def test_a_verdict_that_another_provider_could_not_confirm_is_not_remembered() -> None:
    first, second = StubSource(), StubSource(JWKS)
    server = admitting(first, second)
    server.attempt(TOKEN, NOW)
    assert finished(server, 5.0).provider.name == "b"
    assert len(server.pipeline._verdicts) == 0


def test_who_refused_is_told_where_one_of_several_had_to_wait() -> None:
    first, second = StubSource(), StubSource(Issuer(algorithm="ES256").jwks(), is_fixed=True)
    server = admitting(first, second)
    refused = refusal(server, TOKEN, waited={first: 5.0})
    assert isinstance(refused, ProviderUnavailable)
    assert refused.provider == "a"


def test_the_second_of_several_is_waited_for_once() -> None:
    first = StubSource(Issuer(algorithm="ES256").jwks(), is_fixed=True)
    second = StubSource()
    server = admitting(first, second)
    assert wanted(server.attempt(TOKEN, NOW)) == WaitForKeys(second, "missing")
    second.publish(Issuer(algorithm="ES256").jwks())
    assert server.stages is not None
    with pytest.raises(AuthError) as refused:
        server.stages.send(None)
    assert refused.value.reason == "unknown_key"
