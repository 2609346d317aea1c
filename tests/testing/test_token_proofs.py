"""Who proves a key by DPoP when asking for a token gets one that is bound to it (RFC 9449 section 5)."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bearerguard import DPoP, Request
from bearerguard.testing import APIClient, Clock, Issuer, signing_key

CLIENT = {"grant_type": "client_credentials", "client_id": "test-client", "client_secret": "test-secret"}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(audience="https://api.test", clock=Clock(1_700_000_000))


@pytest.fixture
def prover(issuer: Issuer) -> APIClient:
    """Somebody who has a key, and no token yet."""
    return APIClient("", signing_key("P-256"), issuer.clock)


def asked(issuer: Issuer, proof: str | None) -> httpx2.Response:
    headers = {} if proof is None else {"DPoP": proof}
    with httpx2.Client(transport=issuer.transport) as client:
        return client.post(issuer.token_endpoint, data=CLIENT, headers=headers)


def made(prover: APIClient, issuer: Issuer, **changes: Any) -> str:
    return prover.proof("POST", issuer.token_endpoint, **{"ath": None, **changes})


def test_the_token_is_good_with_a_proof_of_the_same_key_and_not_without(
    issuer: Issuer, prover: APIClient
) -> None:
    answer = asked(issuer, made(prover, issuer)).json()
    assert answer["token_type"] == "DPoP"
    server = issuer.resource_server(dpop=DPoP())
    owner = APIClient(answer["access_token"], prover.key, issuer.clock)
    url = "https://api.test/orders"
    assert server.explain(Request("GET", url, owner.headers("GET", url))).accepted
    thief = APIClient(answer["access_token"], signing_key("P-256"), issuer.clock)
    assert server.explain(Request("GET", url, thief.headers("GET", url))).reason == "key_binding"


def test_without_a_proof_the_token_is_a_bearer_token(issuer: Issuer) -> None:
    answer = asked(issuer, None).json()
    assert answer["token_type"] == "Bearer"
    assert issuer.resource_server().verify(answer["access_token"]).subject == "test-client"


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "GET"},
        {"htu": "https://elsewhere.test/token"},
        {"iat": 1_700_000_000 - 120},
        {"iat": 1_700_000_000 + 120},
        {"jti": ""},
        {"ath": "x"},
    ],
    ids=repr,
)
def test_a_proof_that_is_not_for_this_request_is_refused(
    issuer: Issuer, prover: APIClient, changes: dict[str, Any]
) -> None:
    answer = asked(issuer, made(prover, issuer, **changes))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


def test_a_proof_is_good_once_and_only_with_its_own_signature(issuer: Issuer, prover: APIClient) -> None:
    proof = made(prover, issuer)
    assert asked(issuer, proof[:-8] + "AAAAAAAA").status_code == 400
    assert asked(issuer, proof).status_code == 200
    assert asked(issuer, proof).json()["error_description"].endswith("used before: each is good once.")


def test_the_metadata_say_so(issuer: Issuer) -> None:
    with httpx2.Client(transport=issuer.transport) as client:
        metadata = client.get(f"{issuer.url}/.well-known/openid-configuration").json()
    assert "ES256" in metadata["dpop_signing_alg_values_supported"]
    assert "HS256" not in metadata["dpop_signing_alg_values_supported"]
