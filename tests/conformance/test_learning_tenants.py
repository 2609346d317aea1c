"""Whom an API trusts is not learnt from its refusals: whatever forgers make is refused in the same words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearerguard import ResourceServer
from bearerguard._jose.base64url import encode
from bearerguard.testing import Issuer
from tests.doors_under_test.door import Door
from tests.doors_under_test.doors import at_every_door
from tests.doors_under_test.exchange import Answer


def junk(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token that anybody can write."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), b"\1" * 256)
    return b".".join(map(encode, parts)).decode()


def said(answer: Answer) -> Any:
    return answer.status, sorted(pair for pair in answer.fields if pair[0] != "date"), answer.body


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    """Trusts two, in whose names others ask."""
    other = Issuer("https://tenant-2.test", algorithm="ES256")
    return ResourceServer(
        issuer.provider(keys=issuer.jwks(), algorithms=["RS256"]),
        other.provider(keys=other.jwks(), audience=issuer.audience),
        clock=issuer.clock,
    )


@at_every_door
def test_forged_tokens_of_trusted_issuers_and_of_others_are_refused_alike(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    kid = issuer.jwks()["keys"][0]["kid"]
    tokens = {
        (issuer_name, name): junk(header, {"iss": url, "aud": issuer.audience, "exp": 2**40})
        for issuer_name, url in (
            ("the first", issuer.url),
            ("the second", "https://tenant-2.test"),
            ("nobody's", "https://tenant-3.test"),
        )
        for name, header in {
            "an unknown key": {"alg": "RS256", "kid": "nobody's"},
            "no key": {"alg": "RS256"},
            "a bad signature": {"alg": "RS256", "kid": kid},
            "another algorithm": {"alg": "PS512", "kid": kid},
            "a secret's algorithm": {"alg": "HS256"},
            "no algorithm": {"alg": "none"},
            "another type": {"alg": "RS256", "kid": kid, "typ": "logout+jwt"},
        }.items()
    }
    tokens["the first", "forged by another"] = issuer.forged()
    answers = {case: said(opened.get(token)) for case, token in tokens.items()}
    assert {answer[0] for answer in answers.values()} == {401}
    different = {case: answer for case, answer in answers.items() if answer != answers["nobody's", "no key"]}
    assert different == {}
