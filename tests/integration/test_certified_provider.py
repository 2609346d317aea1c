"""bearerguard against a certified identity provider that others wrote: both run, and nothing is mocked."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.integration.programs import API, IdentityProvider

pytestmark = pytest.mark.integration

ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
OPAQUE = "https://api.test/opaque"


def resource(algorithm: str) -> str:
    """The resource whose tokens the provider signs with an algorithm."""
    return f"https://api.test/{algorithm}"


def header(token: str) -> dict[str, Any]:
    segment = token.partition(".")[0]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return decoded


def with_another_signature(token: str) -> str:
    """The token with the first bit of its signature flipped."""
    signed, _, signature = token.rpartition(".")
    octets = bytearray(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)))
    octets[0] ^= 0x80
    return f"{signed}.{base64.urlsafe_b64encode(octets).rstrip(b'=').decode()}"


def assert_invalid_token(response: httpx2.Response, because: str) -> None:
    """The answer is a 401 in JSON with an RFC 6750 challenge, and the client is told why."""
    assert response.status_code == 401
    body = response.json()
    assert because in body["message"]
    assert body["error"] == "invalid_token"
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')


def assert_try_again(response: httpx2.Response) -> int:
    """The answer is a 503 that blames no token; returns the seconds after which to try again."""
    assert response.status_code == 503
    assert "invalid_token" not in str(response.headers) + response.text
    retry_after = int(response.headers["Retry-After"])
    assert retry_after > 0
    return retry_after


@pytest.fixture(scope="module")
def provider(start_provider: Callable[[], IdentityProvider]) -> IdentityProvider:
    """A provider that runs as long as the tests of this module; those that stop one start their own."""
    return start_provider()


@pytest.fixture(scope="module")
def api(provider: IdentityProvider, start_api: Callable[..., API]) -> API:
    """An API for which each of the provider's resources is its audience."""
    return start_api(provider.issuer, *provider.resources)


@pytest.fixture(scope="module")
def other_api(provider: IdentityProvider, start_api: Callable[..., API]) -> API:
    """An API that trusts the same provider, and is not one of its resources."""
    return start_api(provider.issuer, "https://another-api.test")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_is_accepted_and_its_claims_reach_the_app(
    algorithm: str, provider: IdentityProvider, api: API
) -> None:
    token = provider.token(resource(algorithm))
    assert header(token).items() >= {"alg": algorithm, "typ": "at+jwt"}.items()

    response = api.get(token)

    assert response.status_code == 200
    caller = response.json()
    assert caller["claims"]["iss"] == provider.issuer
    assert caller["claims"]["aud"] == resource(algorithm)
    assert caller["claims"]["sub"] == caller["client_id"] == "reporting"
    assert caller["scopes"] == ["reports:read"]
    assert caller["provider"] == "certified"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_for_one_api_is_refused_by_another(
    algorithm: str, provider: IdentityProvider, other_api: API
) -> None:
    assert_invalid_token(other_api.get(provider.token(resource(algorithm))), because="audience")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_whose_signature_is_altered_is_refused(
    algorithm: str, provider: IdentityProvider, api: API
) -> None:
    token = provider.token(resource(algorithm))

    assert_invalid_token(
        api.get(with_another_signature(token)), because="not issued by a provider that this API trusts"
    )
    assert api.get(token).status_code == 200


def test_a_request_without_a_token_gets_a_challenge_without_an_error(api: API) -> None:
    response = api.get(None)

    assert response.status_code == 400
    assert response.json().keys() == {"message", "error"}
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert "error" not in response.headers["WWW-Authenticate"]


def test_an_opaque_token_is_refused_and_the_message_says_what_it_is(
    provider: IdentityProvider, api: API
) -> None:
    assert_invalid_token(api.get(provider.token(OPAQUE)), because="opaque")


def test_a_token_bound_to_a_dpop_key_is_refused_as_a_bearer_token(
    provider: IdentityProvider, api: API
) -> None:
    """Who steals a sender-constrained token gets nowhere with it: its owner's key is missing."""
    key = ECKey.generate_key("P-256")
    proof = jwt.encode(
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)},
        {"htm": "POST", "htu": f"{provider.issuer}/token", "iat": int(time.time()), "jti": str(uuid.uuid4())},
        key,
    )

    assert_invalid_token(api.get(provider.token(resource("RS256"), DPoP=proof)), because="bound to a key")


def test_a_websocket_with_a_token_connects(provider: IdentityProvider, api: API) -> None:
    headers = {"Authorization": f"Bearer {provider.token(resource('ES256'))}"}

    with connect(f"ws://{api.netloc}/whoami", additional_headers=headers, proxy=None) as websocket:
        caller = json.loads(websocket.recv())

    assert caller["claims"]["client_id"] == "reporting"
    assert caller["provider"] == "certified"


def test_a_websocket_without_a_token_is_refused_before_it_opens(api: API) -> None:
    with pytest.raises(InvalidStatus) as refusal, connect(f"ws://{api.netloc}/whoami", proxy=None):
        pass

    assert refusal.value.response.status_code == 403


def test_a_token_is_refused_once_it_has_expired(
    provider: IdentityProvider, start_api: Callable[..., API]
) -> None:
    api = start_api(provider.issuer, *provider.resources)
    token = provider.token(resource("PS256"))
    claims = api.get(token).json()["claims"]

    api.advance_clock(claims["exp"] - claims["iat"] + 10)  # and the leeway

    assert_invalid_token(api.get(token), because="expired")


def test_after_a_rotation_the_first_token_under_a_new_key_passes_and_those_under_the_old_one_are_refused(
    start_provider: Callable[[], IdentityProvider], start_api: Callable[..., API]
) -> None:
    provider = start_provider()
    api = start_api(provider.issuer, *provider.resources)
    old = provider.token(resource("RS256"))
    assert api.get(old).status_code == 200

    provider.stop()
    provider.start()
    new = provider.token(resource("RS256"))

    assert header(new)["kid"] != header(old)["kid"]
    assert api.get(new).status_code == 200
    assert_invalid_token(api.get(old), because="not issued by a provider that this API trusts")


def test_an_api_that_has_the_keys_outlasts_half_an_hour_without_its_provider_but_not_two(
    start_provider: Callable[[], IdentityProvider], start_api: Callable[..., API]
) -> None:
    provider = start_provider()
    api = start_api(provider.issuer, *provider.resources)
    first, second, third = (provider.token(resource(algorithm)) for algorithm in ("PS256", "ES384", "EdDSA"))
    assert api.get(first).status_code == 200

    provider.stop()

    assert api.get(second).status_code == 200
    assert_invalid_token(
        api.get(with_another_signature(second)), because="not issued by a provider that this API trusts"
    )
    api.advance_clock(30 * 60)
    assert [api.get(token).status_code for token in (first, second, third)] == [200, 200, 200]
    api.advance_clock(60 * 60)
    assert_try_again(api.get(first))


def test_an_api_started_while_its_provider_is_down_asks_for_patience_and_recovers_without_a_restart(
    start_provider: Callable[[], IdentityProvider], start_api: Callable[..., API]
) -> None:
    provider = start_provider()
    token = provider.token(resource("ES256"))
    provider.stop()
    api = start_api(provider.issuer, *provider.resources)

    retry_after = assert_try_again(api.get(token))

    provider.start()
    api.advance_clock(retry_after)
    assert api.get(provider.token(resource("ES256"))).status_code == 200
