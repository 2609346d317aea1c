from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import bearerguard
from bearerguard import (
    AccessDenied,
    AuthError,
    ConfigurationError,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidDPoPProof,
    InvalidRequest,
    InvalidToken,
    MissingCredentials,
    ProviderUnavailable,
    SecurityWarning,
    TooManyProofs,
    UseDPoPNonce,
    role,
)
from bearerguard.answer import ChallengeContext, answer, challenges
from bearerguard.testing import Issuer
from tests.challenge import challenge_of

REFUSALS: list[tuple[AuthError, int, str | None, str]] = [
    (MissingCredentials("no_credentials", "The Authorization header is missing."), 401, None, "Bearer"),
    (
        InvalidRequest("malformed_header", "There is no token."),
        400,
        "invalid_request",
        'Bearer error="invalid_request", error_description="There is no token."',
    ),
    (
        InvalidToken("expired", "The token has expired."),
        401,
        "invalid_token",
        'Bearer error="invalid_token", error_description="The token has expired."',
    ),
    (
        InsufficientScope("scope", "The token lacks a scope.", ["orders:read", "orders:write"]),
        403,
        "insufficient_scope",
        (
            'Bearer error="insufficient_scope", error_description="The token lacks a scope.", '
            'scope="orders:read orders:write"'
        ),
    ),
    (
        InsufficientScope("scope", "The token lacks a scope."),
        403,
        "insufficient_scope",
        'Bearer error="insufficient_scope", error_description="The token lacks a scope."',
    ),
    (AccessDenied("denied", "The token's bearer may not do this."), 403, None, "Bearer"),
    (
        InsufficientUserAuthentication("login", "Log in again.", max_age=300.9, acr_values=["mfa", "pwd"]),
        401,
        "insufficient_user_authentication",
        (
            'Bearer error="insufficient_user_authentication", error_description="Log in again.", '
            'acr_values="mfa pwd", max_age="300"'
        ),
    ),
    (
        InsufficientUserAuthentication("login", "Log in again."),
        401,
        "insufficient_user_authentication",
        'Bearer error="insufficient_user_authentication", error_description="Log in again."',
    ),
    (
        InvalidDPoPProof("proof_url", "The proof is for another address."),
        401,
        "invalid_dpop_proof",
        'Bearer error="invalid_dpop_proof", error_description="The proof is for another address."',
    ),
    (
        UseDPoPNonce("nonce_missing", "The proof needs a nonce.", "n-1"),
        401,
        "use_dpop_nonce",
        'Bearer error="use_dpop_nonce", error_description="The proof needs a nonce."',
    ),
    (TooManyProofs("Slow down.", retry_after=7), 429, None, "Bearer"),
    (
        ProviderUnavailable("The keys cannot be fetched.", retry_after=12.2),
        503,
        "temporarily_unavailable",
        "Bearer",
    ),
]
each_refusal = pytest.mark.parametrize(
    ("error", "status", "code", "challenge"),
    REFUSALS,
    ids=[f"{number}-{type(error).__name__}" for number, (error, *_) in enumerate(REFUSALS)],
)


@each_refusal
def test_a_refusal_knows_its_status_its_code_and_its_challenge(
    error: AuthError, status: int, code: str | None, challenge: str
) -> None:
    assert (error.status, error.code, challenge_of(error)) == (status, code, challenge)
    assert ("WWW-Authenticate", challenge) in challenges(error)
    assert str(error) == error.description


@each_refusal
def test_a_challenge_may_name_a_realm_and_the_resources_metadata(
    error: AuthError, status: int, code: str | None, challenge: str
) -> None:
    address = "https://api.example/.well-known/oauth-protected-resource"
    full = challenge_of(error, realm="shop", resource_metadata=address)
    assert full.startswith('Bearer realm="shop"')
    assert full.endswith(f'resource_metadata="{address}"')
    assert challenges(error, ChallengeContext("shop", address))[0] == ("WWW-Authenticate", full)


def test_every_kind_of_refusal_is_in_the_table() -> None:
    kinds = {
        value
        for value in vars(bearerguard).values()
        if isinstance(value, type) and issubclass(value, AuthError) and value is not AuthError
    }
    assert {type(error) for error, *_ in REFUSALS} == kinds


def test_without_credentials_no_error_is_named() -> None:
    """RFC 6750, section 3.1."""
    assert "error" not in challenge_of(MissingCredentials("no_credentials", "There is none."))


@pytest.mark.parametrize(
    ("retry_after", "header"), [(0.0, "1"), (-5.0, "1"), (0.2, "1"), (1.0, "1"), (29.01, "30")]
)
def test_retry_after_is_a_whole_number_of_seconds_and_never_zero(retry_after: float, header: str) -> None:
    error = ProviderUnavailable("The keys cannot be fetched.", retry_after=retry_after)
    assert ("Retry-After", header) in challenges(error)
    assert error.reason == "provider_unavailable"


def test_a_challenge_carries_no_text_that_could_end_the_header() -> None:
    error = InvalidToken("malformed", 'a"\r\nSet-Cookie: b=c\\')
    assert challenge_of(error) == 'Bearer error="invalid_token", error_description="a\'??Set-Cookie: b=c/"'


def test_who_refused_is_kept_for_the_log_and_out_of_the_answer() -> None:
    error = InvalidToken("expired", "The token has expired.")
    assert (error.provider, error.kid) == (None, None)
    error.provider, error.kid = "login", "k1"
    answer = f"{error} {challenges(error)}"
    assert "login" not in answer
    assert "k1" not in answer


def test_configuration_errors_are_value_errors_and_no_refusals() -> None:
    assert issubclass(ConfigurationError, ValueError)
    assert not issubclass(ConfigurationError, AuthError)
    assert issubclass(SecurityWarning, UserWarning)


# -- what an error carries for the server's side only ----------------------------------------------------

ISSUER = Issuer(algorithm="ES256")
TOKEN = ISSUER.resource_server(keys=ISSUER.jwks()).verify(ISSUER.token("ada"))


def complete(error: AuthError) -> AuthError:
    """The same with all that it may carry."""
    error = copy.copy(error)
    error.rule, error.token, error.provider, error.kid = role("admin"), TOKEN, "login", "k1"
    return error


@pytest.mark.parametrize(
    "travel",
    [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))],  # noqa: S301 - its own
    ids=["copy", "deepcopy", "pickle"],
)
@each_refusal
def test_an_error_that_travels_says_the_same_and_leaves_rule_and_token_behind(
    error: AuthError, status: int, code: str | None, challenge: str, travel: Any
) -> None:
    sent = complete(error)
    arrived = travel(sent)
    assert type(arrived) is type(error)
    assert (arrived.rule, arrived.token) == (None, None)
    assert (arrived.status, arrived.code, challenge_of(arrived), str(arrived)) == (
        status,
        code,
        challenge,
        error.description,
    )
    assert (arrived.provider, arrived.kid, arrived.reason) == ("login", "k1", error.reason)
    assert answer(arrived) == answer(error)


@each_refusal
def test_rule_and_token_are_in_no_text_of_an_error(
    error: AuthError, status: int, code: str | None, challenge: str
) -> None:
    sent = complete(error)
    told = f"{sent} {sent!r} {sent.args}"
    assert "admin" not in told
    assert "ada" not in told
    assert TOKEN.raw not in told
