"""`auth_mock`: for the length of one test, any bearer string stands for a token with the claims of the test.

Nothing is switched off. The bearer string is exchanged for a token that is really signed, and a
`ResourceServer` with the settings of the application's own, but the keys of the signer, really verifies it.
Only servers that take keys from the test's `jwks_uri` are concerned, and not the tokens of other providers
that they trust; there is no hook for this in the library, so nothing can be left on: the one method that
everything goes through, `Pipeline.admit`, is replaced for the test, and outside pytest not at all.
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
import warnings
from base64 import urlsafe_b64decode
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from bearerguard._core.credentials import BEARER, is_one_token, token_behind
from bearerguard._flows.pipeline import Pipeline, Stages
from bearerguard._io.static_keys import StaticKeySource
from bearerguard._limits import MAX_TOKEN_BYTES
from bearerguard.errors import AuthError, InvalidToken, SecurityWarning
from bearerguard.provider import Provider
from bearerguard.request import Incoming
from bearerguard.testing.clock import Clock
from bearerguard.testing.issuer import Issuer
from bearerguard.testing.signing_keys import ALGORITHMS
from bearerguard.token import AccessToken, Claims

__all__ = ["auth_mock", "standing_in"]

# How a made-up bearer string is refused where nobody exchanges it, or where its keys would be fetched.
_MISMATCH = {"malformed", "provider_unavailable"}
_quiet = threading.Lock()


@pytest.fixture
def auth_mock(request: pytest.FixtureRequest, jwks_uri: str, token_body: dict[str, Any]) -> Iterator[None]:
    """Verify any bearer string as if it carried `token_body`, where keys come from `jwks_uri`.

    Both are fixtures of yours. Claims that a valid token must have and `token_body` lacks are added for the
    verification and not shown to the application. Times in `token_body` are believed: the verification
    takes place within them. A JWT whose `iss` is that of another provider of the same server, one that has
    its keys from elsewhere, is verified as ever.

    Raises:
        AssertionError: the application was given such a string, but takes its keys from another URL.
        RuntimeError: there is no test running.
        TypeError: `token_body` is not JSON.
    """
    with standing_in(request, jwks_uri, token_body):
        yield


@contextmanager
def standing_in(
    request: pytest.FixtureRequest, jwks_uri: str, token_body: Mapping[str, Any]
) -> Generator[None, None, None]:
    """`auth_mock` as a context manager, for the test whose `request` it is."""
    _require_pytest(request)
    json.dumps(token_body)  # anything but JSON fails at once
    issuer = Issuer()
    admit = Pipeline.admit

    def admit_exchanged(  # noqa: PLR0917 - the first is the `self` of `Pipeline.admit`, which it replaces
        pipeline: Pipeline,
        text: bytes,
        request: Incoming | None = None,
        scheme: str = BEARER,
        resource: str | None = None,
        start: int = 0,
    ) -> AccessToken | Stages:
        raw = token_behind(scheme, text[start:]) if start else text
        with _mismatch_told(pipeline, jwks_uri):
            # A field of a header has no such characters; a text that a program hands over may.
            readable = request is None or (raw.isascii() and is_one_token(raw))
            stands_in = readable and scheme is BEARER
            outcome = (exchanged(pipeline, raw) if stands_in else None) or admit(
                pipeline, text, request, scheme, resource, start
            )
        return outcome if isinstance(outcome, AccessToken) else told(pipeline, outcome)

    def exchanged(pipeline: Pipeline, raw: bytes) -> AccessToken | None:
        if len(raw) > MAX_TOKEN_BYTES:
            return None
        token = raw.decode(errors="surrogatepass")
        providers = _providers_at(jwks_uri, pipeline)
        if not providers or _is_anothers(token, pipeline, providers):
            return None
        _require_pytest(request)
        return _verified(token, providers, token_body, issuer, admit)

    def told(pipeline: Pipeline, stages: Stages) -> Stages:
        with _mismatch_told(pipeline, jwks_uri):
            return (yield from stages)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pipeline, "admit", admit_exchanged)
        yield


class _StandIn(AccessToken):
    """What a bearer string comes to: the claims of the test, and an end where they name none."""

    __slots__ = ("_end",)

    def __init__(
        self, bearer: str, provider: Provider, token_body: Mapping[str, Any], minted: AccessToken
    ) -> None:
        claims = json.loads(json.dumps(token_body))
        super().__init__(
            bearer.encode(errors="replace"), Claims(provider, 0, None, None), minted.verified_at, claims
        )
        self._end = minted.expires_at

    def _text(self) -> bytes:
        return self._raw  # which may be any text at all

    @property
    def expires_at(self) -> float | None:
        """When the token ends: every verified token does."""
        return self._end


def _require_pytest(request: pytest.FixtureRequest) -> None:
    # The variable proves little: a program that a test starts has it too, and anybody can set it.
    session = getattr(request, "session", None)
    if not isinstance(session, pytest.Session) or "PYTEST_CURRENT_TEST" not in os.environ:
        raise RuntimeError("auth_mock works in a test that pytest runs, and nowhere else.")


def _providers_at(jwks_uri: str, pipeline: Pipeline) -> list[Provider]:
    return [provider for provider in pipeline.providers if _url_of(provider) == jwks_uri]


def _url_of(provider: Provider) -> str | None:
    return None if provider.remote_keys is None else provider.remote_keys.url


def _is_anothers(token: str, pipeline: Pipeline, providers: list[Provider]) -> bool:
    """Whether this is a JWT by its own account of a provider of `pipeline` that is not among `providers`."""
    claims = _claims_in(token)
    if claims is None:
        return False
    issuer = claims.get("iss")
    others = {provider.issuer for provider in pipeline.providers if provider not in providers}
    # A list is not a valid `iss`; the verification says so.
    named = issuer if isinstance(issuer, list) else [issuer]
    if any(isinstance(name, str) and name in others for name in named):
        return True
    return None in others and issuer not in [provider.issuer for provider in providers]


def _claims_in(token: str) -> dict[str, Any] | None:
    """The claims of what looks like a JWT; read generously, or bad tokens of others would be exchanged."""
    parts = token.split(".")
    if len(parts) < 2:
        return None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=="))
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _verified(
    bearer: str, providers: list[Provider], token_body: Mapping[str, Any], issuer: Issuer, admit: Any
) -> AccessToken:
    """Exchange `bearer` for a real token and verify that as a provider says; show what the test wants."""
    clock = Clock(_moment_within(token_body))
    refusals: list[InvalidToken] = []
    for provider in sorted(providers, key=lambda provider: provider.issuer != token_body.get("iss")):
        token = _minted(provider, token_body, clock, issuer)
        try:
            minted = admit(_pipeline(_keyed(provider, issuer), clock), token.encode())
        except InvalidToken as refusal:
            refusals.append(refusal)
        else:
            return _StandIn(bearer, provider, token_body, minted)
    raise refusals[0]


def _pipeline(provider: Provider, clock: Clock) -> Pipeline:
    assert provider.key_set is not None  # noqa: S101 - `_keyed` gave it keys as an object
    return Pipeline([(provider, StaticKeySource(provider.key_set))], clock)


def _keyed(provider: Provider, issuer: Issuer) -> Provider:
    """The application's settings, with the keys of the signer, and nobody to be asked about its tokens."""
    with _quiet, warnings.catch_warnings():  # its filters are those of all threads
        # The application was warned of what these settings leave unchecked when it made them.
        warnings.simplefilter("ignore", SecurityWarning)
        return dataclasses.replace(provider, keys=issuer.jwks(), introspection=None)


def _minted(provider: Provider, token_body: Mapping[str, Any], clock: Clock, issuer: Issuer) -> str:
    """A token with the claims of `token_body`, and with those that `provider` asks for beyond them."""
    now = int(clock())
    audience = provider.audiences[0] if provider.audiences else "https://api.test"
    claims = {
        **dict.fromkeys(("jti", "client_id", "sub", *provider.profile.required_claims), "stand-in"),
        "iss": provider.issuer or issuer.url,
        "exp": now + 3_600,
        "iat": now,
        provider.audience_claim: audience,
        **{claim: accepted[0] for claim, accepted in provider.required_values.items()},
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


@contextmanager
def _mismatch_told(pipeline: Pipeline, jwks_uri: str) -> Generator[None, None, None]:
    """Say what is wrong where a made-up string comes to a server that gets its keys only at other URLs."""
    try:
        yield
    except AuthError as error:
        others = [url for url in map(_url_of, pipeline.providers) if url is not None]
        if error.reason in _MISMATCH and others and jwks_uri not in others:
            raise AssertionError(
                f"auth_mock stands in for {jwks_uri}, but the application takes its keys from "
                f"{', '.join(others)}: have the fixture jwks_uri return that."
            ) from error
        raise
