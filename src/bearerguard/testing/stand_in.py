"""`auth_mock`: for the length of one test, any bearer string stands for a token with the claims of the test.

Nothing is switched off. The bearer string is exchanged for a token that is really signed, and a
`ResourceServer` with the settings of the application's own, but the keys of the signer, really verifies it.
Only servers that take their keys from the test's `jwks_uri` are concerned; there is no hook for this in the
library, so nothing can be left on: the two methods concerned are replaced for the test, and outside pytest
not at all.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from bearerguard.errors import AuthError
from bearerguard.provider import Provider
from bearerguard.server import ResourceServer
from bearerguard.testing.clock import Clock
from bearerguard.testing.issuer import Issuer
from bearerguard.testing.signing_keys import ALGORITHMS
from bearerguard.token import AccessToken

__all__ = ["auth_mock", "standing_in"]

# What a made-up bearer string comes to where nobody exchanges it, or where its keys would be fetched.
_MISMATCH = {"malformed", "provider_unavailable"}


@pytest.fixture
def auth_mock(jwks_uri: str, token_body: dict[str, Any]) -> Iterator[None]:
    """Verify any bearer string as if it carried `token_body`, where keys come from `jwks_uri`.

    Both are fixtures of yours. Claims that a sound token must have and `token_body` lacks are added for the
    verification and not shown to the application. Times in `token_body` are believed: the verification
    takes place within them.

    Raises:
        AssertionError: the application was given such a string, but takes its keys from another URL.
        RuntimeError: there is no test running.
        TypeError: `token_body` is not JSON.
    """
    with standing_in(jwks_uri, token_body):
        yield


@contextmanager
def standing_in(jwks_uri: str, token_body: Mapping[str, Any]) -> Generator[None, None, None]:
    """`auth_mock` as a context manager."""
    _require_pytest()
    json.dumps(token_body)  # what is no JSON is told at once
    issuer = Issuer()
    verify, averify = ResourceServer.verify, ResourceServer.averify

    def verify_exchanged(server: ResourceServer, token: str) -> AccessToken:
        provider = _provider_at(jwks_uri, server)
        if provider is not None:
            return _verified(token, provider, token_body, issuer, verify)
        try:
            return verify(server, token)
        except AuthError as error:
            _tell_mismatch(error, server, jwks_uri)
            raise

    async def averify_exchanged(server: ResourceServer, token: str) -> AccessToken:
        provider = _provider_at(jwks_uri, server)
        if provider is not None:
            return _verified(token, provider, token_body, issuer, verify)
        try:
            return await averify(server, token)
        except AuthError as error:
            _tell_mismatch(error, server, jwks_uri)
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ResourceServer, "verify", verify_exchanged)
        patch.setattr(ResourceServer, "averify", averify_exchanged)
        yield


def _require_pytest() -> None:
    if "PYTEST_CURRENT_TEST" not in os.environ:
        raise RuntimeError("auth_mock works in a test that pytest runs, and nowhere else.")


def _provider_at(jwks_uri: str, server: ResourceServer) -> Provider | None:
    return next((provider for provider in server.providers if provider.keys == jwks_uri), None)


def _verified(
    bearer: str, provider: Provider, token_body: Mapping[str, Any], issuer: Issuer, verify: Any
) -> AccessToken:
    """Exchange `bearer` for a real token and verify that as `provider` says; show what the test wants."""
    _require_pytest()
    clock = Clock(_moment_within(token_body))
    token = _minted(provider, token_body, clock, issuer)
    keyed = dataclasses.replace(provider, keys=issuer.jwks(), http_options={}, pinned_thumbprints=None)
    verify(ResourceServer(keyed, clock=clock), token)
    return AccessToken(bearer, provider, json.dumps(token_body).encode(), clock())


def _minted(provider: Provider, token_body: Mapping[str, Any], clock: Clock, issuer: Issuer) -> str:
    """A token with the claims of `token_body`, and with those that `provider` asks for beyond them."""
    now = int(clock())
    audience = provider.audiences[0] if provider.audiences else "https://api.test"
    claims = {
        "iss": provider.issuer or issuer.url,
        "exp": now + 3_600,
        "iat": now,
        "jti": "stand-in",
        "client_id": "stand-in",
        "sub": "stand-in",
        provider.audience_claim: audience,
        **token_body,
    }
    algorithm = next(algorithm for algorithm in ALGORITHMS if algorithm in provider.algorithms)
    header = {"typ": "at+jwt" if "at+jwt" in provider.profile.types else "JWT"}
    return issuer.sign(claims, alg=algorithm, header=header)


def _moment_within(token_body: Mapping[str, Any]) -> float:
    """A moment at which a token with these times is valid, now if that is one; nonsense will be refused."""
    moment = time.time()
    expires = token_body.get("exp")
    if isinstance(expires, int | float) and expires <= moment:
        moment = expires - 1
    for start in (token_body.get("nbf"), token_body.get("iat")):
        if isinstance(start, int | float) and start > moment:
            moment = start
    return moment


def _tell_mismatch(error: AuthError, server: ResourceServer, jwks_uri: str) -> None:
    """Say what is wrong where a made-up string came to a server that gets its keys at another URL."""
    others = [provider.keys for provider in server.providers if isinstance(provider.keys, str)]
    if error.reason in _MISMATCH and others:
        raise AssertionError(
            f"auth_mock stands in for {jwks_uri}, but the application takes its keys from "
            f"{', '.join(others)}: have the fixture jwks_uri return that."
        ) from error
