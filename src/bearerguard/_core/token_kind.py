"""Tokens that an issuer signs for other purposes with the same keys, told apart from access tokens.

An ID token tells a client who logged in; a refresh token, a logout token and an authorization response are
for others still. If their audience fits, only what they say of themselves keeps them out. It looks at
claims whose signature was checked; a signed answer of the userinfo endpoint says nothing of itself, so it
cannot be told here (RFC 9068 tokens can: their header names their kind).
"""

from __future__ import annotations

from bearerguard._core.claims import ClaimsSet
from bearerguard.errors import InvalidToken

_TYPES = {
    "id": "an ID token",
    "serialized-id": "an ID token",
    "refresh": "a refresh token",
    "offline": "a refresh token",
    "logout": "a logout token",
}
"""The claim `typ`, which Keycloak puts into every token, in lower case."""
_USES = {"id": "an ID token", "refresh": "a refresh token"}
"""The claim `token_use`, which Cognito puts into every token."""
_SAYS_ACCESS = {"bearer", "dpop", "access"}


def refuse_other_kinds(claims: ClaimsSet) -> None:
    """A token that says of itself that it is not an access token.

    - `typ` and `token_use` that name another kind;
    - `events`: a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4) or another security event
      (RFC 8417, section 2.2);
    - `code`: an authorization response (JARM, section 2.1);
    - `at_hash`, `c_hash` or `nonce`: an ID token (OpenID Connect Core 1.0, sections 2 and 3.3.2.11). Access
      tokens of some providers have a `nonce`: a `scope`, or a kind that says access, outweighs it.

    Raises:
        InvalidToken: `type`.
    """
    typ, use = claims.get("typ"), claims.get("token_use")
    kind = _TYPES.get(typ.lower()) if isinstance(typ, str) else None
    if kind is None and isinstance(use, str):
        kind = _USES.get(use.lower())
    if kind is None:
        if "events" in claims:
            kind = "a logout token or another security event"
        elif "code" in claims:
            kind = "an authorization response"
        elif "at_hash" in claims or "c_hash" in claims or ("nonce" in claims and not _says_access(claims)):
            kind = "an ID token"
    if kind is not None:
        raise InvalidToken("type", f"The token is not an access token: it is {kind}.")


def refuse_unbound_dpop(claims: ClaimsSet) -> None:
    """A token that says in its claim `typ` that it is bound by DPoP names the key (RFC 9449, section 6.1).

    Raises:
        InvalidToken: `invalid_claim`.
    """
    if claims.get("typ") == "DPoP" and "cnf" not in claims:
        raise InvalidToken("invalid_claim", "The token's 'typ' claim says DPoP, but it is bound to no key.")


def _says_access(claims: ClaimsSet) -> bool:
    if "scope" in claims or "scp" in claims:
        return True
    says = (claims.get("typ"), claims.get("token_use"))
    return any(isinstance(one, str) and one.lower() in _SAYS_ACCESS for one in says)
