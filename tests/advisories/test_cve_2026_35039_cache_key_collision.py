"""CVE-2026-35039 (fast-jwt).

Elsewhere verified tokens were remembered under a key that two tokens could share, so that one got the other's
claims. Here a verdict holds only for the whole token, compared as it is or by a hash, by one server, for one
provider.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from bearerguard import ResourceServer
from bearerguard.testing import Clock, Issuer
from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting


def test_tokens_that_differ_in_one_character_are_different_tokens() -> None:
    server, token = minting.server(), minting.token()
    assert verdict(server, token) == ACCEPTED
    for at in range(len(token)):
        altered = f"{token[:at]}{'A' if token[at] != 'A' else 'B'}{token[at + 1 :]}"
        assert verdict(server, altered) != ACCEPTED
    assert verdict(server, token) == ACCEPTED


def test_a_signature_that_was_not_verified_is_not_covered_by_one_that_was() -> None:
    server, token = minting.server(), minting.token()
    server.verify(token)
    signed = token.rpartition(".")[0]
    for signature in ("", "AAAA", minting.token(sub="other").rpartition(".")[2]):
        assert verdict(server, f"{signed}.{signature}") == "signature"


def test_everybody_gets_their_claims_copy() -> None:
    """Of many more tokens than are remembered, in no order, many times over."""
    issuer = Issuer(algorithm="EdDSA", clock=Clock(1_700_000_000))
    server = issuer.resource_server(keys=issuer.jwks())
    tokens = [(issuer.token(sub=f"user-{number}"), f"user-{number}") for number in range(500)]
    shuffled = random.Random(7)
    for _ in range(3):
        shuffled.shuffle(tokens)
        for token, subject in tokens:
            assert server.verify(token).subject == subject


def test_what_one_request_does_to_its_claims_no_other_sees() -> None:
    server, token = minting.server(), minting.token(roles=["reader"], nested={"a": [1]})
    first = server.verify(token)
    first.claims["roles"].append("admin")
    first.claims["nested"]["a"].clear()
    with pytest.raises(TypeError):
        first.claims["sub"] = "admin"  # type: ignore[index]
    second = server.verify(token)
    assert (second.claims["roles"], second.claims["nested"]) == (["reader"], {"a": [1]})


def test_a_verdict_of_one_provider_or_server_is_not_one_of_another() -> None:
    token = minting.token()
    configurations: list[dict[str, Any]] = [
        {},
        {"audience": "https://other.test"},
        {"algorithms": ["RS256"]},
        {"required_claims": {"x": 1}},
    ]
    servers = [minting.server(**configuration) for configuration in configurations]
    for _ in range(2):
        assert [verdict(server, token) for server in servers] == [
            ACCEPTED, "audience", "algorithm", "missing_claim",
        ]  # fmt: skip


def test_a_verdict_ends_with_the_key_that_gave_it() -> None:
    issuer = Issuer(clock=Clock(1_700_000_000))
    server = issuer.resource_server()
    token = issuer.token()
    assert verdict(server, token) == ACCEPTED
    issuer.rotate(overlap=False)
    assert verdict(server, issuer.token()) == ACCEPTED
    assert verdict(server, token) == "unknown_key"


def test_a_verdict_carries_over_to_no_other_server_through_exported_keys() -> None:
    issuer = Issuer(clock=Clock(1_700_000_000))
    server = issuer.resource_server()
    server.verify(issuer.token())
    exported = json.loads(json.dumps(server.snapshot()))
    heir = ResourceServer(issuer.provider(), clock=issuer.clock, snapshot=exported)
    assert verdict(heir, issuer.forged()) == "signature"
