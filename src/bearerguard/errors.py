"""Everything that bearerguard raises, and nothing else: the tree, the codes, the reasons.

    AuthError                         a request is refused
    ├── MissingCredentials            401  no error code (RFC 6750 section 3.1)
    ├── InvalidRequest                400  invalid_request
    ├── InvalidToken                  401  invalid_token
    ├── InsufficientScope             403  insufficient_scope
    ├── AccessDenied                  403  no error code: nothing that a client could ask for would help
    ├── InsufficientUserAuthentication 401 insufficient_user_authentication (RFC 9470)
    ├── InvalidDPoPProof              401  invalid_dpop_proof (RFC 9449 section 7.1)
    ├── UseDPoPNonce                  401  use_dpop_nonce (RFC 9449 section 9), with the nonce to use
    ├── TooManyProofs                 429  no error code, with Retry-After
    └── ProviderUnavailable           503  temporarily_unavailable, with Retry-After
    ConfigurationError (ValueError)   the program is set up wrongly; raised when something is built
    SecurityWarning (UserWarning)     the program switched a check off

`code` is what the client is told, `reason` is finer, stable, and meant for logs, metrics and tests.
No error says the token, a part of it, or a claim that was not verified. How an error becomes a header or an
answer is not known here: see `bearerguard.answer`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

__all__ = [
    "AccessDenied",
    "AuthError",
    "ConfigurationError",
    "InsufficientScope",
    "InsufficientUserAuthentication",
    "InvalidDPoPProof",
    "InvalidRequest",
    "InvalidToken",
    "MissingCredentials",
    "ProviderUnavailable",
    "SecurityWarning",
    "TooManyProofs",
    "UseDPoPNonce",
]


class ConfigurationError(ValueError):
    """The program asks for something that cannot be safe or cannot work; the message says what to write."""


class SecurityWarning(UserWarning):
    """A check that everybody should have is switched off; the message says which, and how to switch it on."""


class AuthError(Exception):
    """A request is refused. Doors turn it into an answer; applications may catch it.

    Attributes:
        status: the HTTP status of the answer.
        code: the RFC 6750 error code that the client is told, or None.
        reason: a stable, finer code, such as `expired` or `signature`.
        description: one sentence for the client, free of token text.
        provider: the name of the provider that refused, if one was chosen. For logs only.
        kid: the key id that the token named. Unverified: for logs only, bounded and escaped.
        hint: what may be wrong with how the API was set up, where the request shows it. For logs only.
        scheme: the authentication scheme by which the request presented its token; None where it did not.
        rule: the `Rule` that the route asked for, where a guard refused. For handlers on the server's side:
            it stands in no text, and an error that is pickled or copied leaves it behind, as it does `token`.
        token: the verified `AccessToken`, where it was the rule that refused it.
        seconds: how long it took to refuse; None where nobody observes the server.
        facts: what is known of the refused token, by the names under which it is logged: claims of a token
            whose signature was verified, and `unverified_iss` of one whose was not. For logs only; left
            behind as `rule` and `token` are.
    """

    status: ClassVar[int] = 401
    code: ClassVar[str | None] = None

    provider: str | None = None
    kid: str | None = None
    hint: str | None = None
    scheme: str | None = None
    rule: Any = None
    token: Any = None
    seconds: float | None = None
    facts: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, reason: str, description: str) -> None:
        self.reason = reason
        self.description = description

    def __str__(self) -> str:
        return self.description

    @property
    def retry_after(self) -> float | None:
        """Seconds after which it is worth trying again, where waiting helps."""
        return None

    def parameters(self) -> list[tuple[str, str | None]]:
        """Return what a challenge says of this refusal; None stands for a parameter to be left out.

        Examples:
            >>> InvalidToken("expired", "The token has expired.").parameters()
            [('error', 'invalid_token'), ('error_description', 'The token has expired.')]
        """
        return [("error", self.code), ("error_description", self.description if self.code else None)]

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by calling the class: each has arguments of its own.
        state = {name: value for name, value in vars(self).items() if name not in ("rule", "token", "facts")}
        return _restored, (type(self), state)


def _restored(kind: type[AuthError], state: dict[str, Any]) -> AuthError:
    error = kind.__new__(kind)
    vars(error).update(state)
    return error


class MissingCredentials(AuthError):
    """The request carries no token that could be checked: 401, and no error code (RFC 6750, section 3.1).

    Reasons: `no_credentials`, `other_scheme`; `proof_required` for a Bearer token where only DPoP will do.
    """


class InvalidRequest(AuthError):
    """The credentials are not written as RFC 6750 section 2.1 says: 400.

    Reasons: `malformed_header`, `repeated_header`; where a provider has its tokens elsewhere (`source`),
    `several_tokens` and `request_unknown`.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str | None] = "invalid_request"


class InvalidToken(AuthError):
    """The token is not one that this API accepts: 401.

    Reasons: `too_large`, `malformed`, `encrypted`, `algorithm`, `type`, `critical`, `issuer`, `unknown_key`,
    `signature`, `expired`, `not_yet_valid`, `audience`, `missing_claim`, `invalid_claim`,
    `inactive`, `revoked`, `too_old`, `logout_replayed`, `sender_constrained`, `key_binding`, `not_bound`,
    `certificate_missing`, `certificate`; and `invalid_token` where
    `bearerguard.starlette.on_error` answers for another backend.
    """

    code: ClassVar[str | None] = "invalid_token"


class InvalidDPoPProof(AuthError):
    """The request does not prove that it has the key that its token is bound to: 401 (RFC 9449, section 7.1).

    Reasons: `proof_missing`, `proof_repeated`, `proof_malformed`, `proof_type`, `proof_algorithm`,
    `proof_key`, `proof_signature`, `proof_claims`, `proof_method`, `proof_url`, `proof_expired`,
    `proof_in_future`, `proof_token_hash`, `proof_replayed`.
    """

    code: ClassVar[str | None] = "invalid_dpop_proof"


class UseDPoPNonce(AuthError):
    """The proof needs a nonce of this API: 401 (RFC 9449, section 9). A client repeats the request with it.

    Reasons: `nonce_missing`, `nonce`.

    Attributes:
        nonce: what to send back as `DPoP-Nonce`.
    """

    code: ClassVar[str | None] = "use_dpop_nonce"

    def __init__(self, reason: str, description: str, nonce: str) -> None:
        super().__init__(reason, description)
        self.nonce = nonce


class TooManyProofs(AuthError):
    """The key has signed more proofs lately than are kept of one: 429. Reason: `too_many_proofs`."""

    status: ClassVar[int] = 429

    def __init__(self, description: str, *, retry_after: float) -> None:
        super().__init__("too_many_proofs", description)
        self._retry_after = retry_after

    @property
    def retry_after(self) -> float:
        """Seconds after which it is worth trying again."""
        return self._retry_after


class InsufficientScope(AuthError):
    """The token is valid, but does not reach this far: 403.

    Attributes:
        scopes: the scopes that would be enough; empty where more scope would not help.
    """

    status: ClassVar[int] = 403
    code: ClassVar[str | None] = "insufficient_scope"

    def __init__(self, reason: str, description: str, scopes: Iterable[str] = ()) -> None:
        super().__init__(reason, description)
        self.scopes: tuple[str, ...] = tuple(scopes)

    def parameters(self) -> list[tuple[str, str | None]]:
        """Return the code, the sentence and the scopes."""
        return [*super().parameters(), ("scope", " ".join(self.scopes) or None)]


class AccessDenied(AuthError):
    """The token is valid, but its bearer may not do this: 403.

    A role or another claim is missing, and neither another scope nor a new login would change that, so the
    challenge promises nothing. Reasons: `denied`; `cross_site`, where the token is in a cookie and another
    site may have had the browser send it.
    """

    status: ClassVar[int] = 403


class InsufficientUserAuthentication(AuthError):
    """The user has to log in again, or more strongly: 401 (RFC 9470, section 3).

    Attributes:
        max_age: the greatest age of the login, in seconds, or None.
        acr_values: the authentication contexts that are enough, best first.
    """

    status: ClassVar[int] = 401
    code: ClassVar[str | None] = "insufficient_user_authentication"

    def __init__(
        self, reason: str, description: str, *, max_age: float | None = None, acr_values: Iterable[str] = ()
    ) -> None:
        super().__init__(reason, description)
        self.max_age = max_age
        self.acr_values: tuple[str, ...] = tuple(acr_values)

    def parameters(self) -> list[tuple[str, str | None]]:
        """Return the code, the sentence and what login would do."""
        max_age = None if self.max_age is None else str(math.floor(self.max_age))
        acr_values = " ".join(self.acr_values) or None
        return [*super().parameters(), ("acr_values", acr_values), ("max_age", max_age)]


class ProviderUnavailable(AuthError):
    """What the check needs from elsewhere cannot be had right now: 503, whatever the token is.

    Reasons: `provider_unavailable`; `replay_store` where no proof can be noted; `revocation_store` where
    nobody can tell whether a token was revoked, or a revocation cannot be noted.
    """

    status: ClassVar[int] = 503
    code: ClassVar[str | None] = "temporarily_unavailable"

    def __init__(self, description: str, *, retry_after: float, reason: str = "provider_unavailable") -> None:
        super().__init__(reason, description)
        self._retry_after = retry_after

    @property
    def retry_after(self) -> float:
        """Seconds after which it is worth trying again."""
        return self._retry_after

    def parameters(self) -> list[tuple[str, str | None]]:
        """Return nothing: RFC 6750's codes describe problems with the token, and this is not one."""
        return []
