"""What a token is bound to: the claim `cnf` (RFC 7800 section 3.1), also of an introspection answer.

Only reads what a provider has signed or answered. Whether a request proves any of it is not known here.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Literal

from msgspec import Struct

from bearerguard._jose import base64url
from bearerguard.errors import InvalidToken

Method = Literal["dpop", "mtls", "dpop+mtls"]
"""By what a token is bound: by a key that signs proofs, by the client's certificate, or by both."""


class Confirmation(Struct):
    """The members of a `cnf` that are known here; empty for one that is malformed, which nobody can prove.

    Attributes:
        jkt: the thumbprint of the key that signs proofs (RFC 9449, section 6.1).
        x5t: the SHA-256 of the client's certificate, `x5t#S256` (RFC 8705, section 3.1).
        token_hash: the hash of the one token that says this, as proofs name it, once one was looked at.
    """

    jkt: str | None = None
    x5t: str | None = None
    token_hash: str | None = None

    def hash_of(self, token: bytes) -> str:
        """Return the `ath` of proofs for the token that says this (RFC 9449, section 4.2)."""
        if self.token_hash is None:
            self.token_hash = base64url.encode(sha256(token).digest()).decode()
        return self.token_hash

    @property
    def method(self) -> Method | None:
        """By what the token is bound; None where nothing is known here, so that nobody can prove it."""
        if self.jkt is None:
            return None if self.x5t is None else "mtls"
        return "dpop" if self.x5t is None else "dpop+mtls"


def read_confirmation(cnf: Any) -> Confirmation:
    """Return what a token that has a `cnf`, of whatever type, is bound to.

    Where it is not an object, or names nothing that is known here, the token is bound to something unknown.

    Examples:
        >>> read_confirmation({"kid": "1"}).method is None
        True
    """
    if not isinstance(cnf, dict):
        return Confirmation()
    return Confirmation(_sha256(cnf, "jkt"), _sha256(cnf, "x5t#S256"))


def check_well_formed(bound: Confirmation) -> None:
    """The known members are base64url texts of a SHA-256 (RFC 9449, section 6.1; RFC 8705, section 3.1).

    Raises:
        InvalidToken: `invalid_claim`: one is not.
    """
    if bound.jkt == "" or bound.x5t == "":
        raise InvalidToken("invalid_claim", "The token's 'cnf' claim is malformed.")


def _sha256(cnf: dict[str, Any], member: str) -> str | None:
    if member not in cnf:
        return None
    text = cnf[member]
    if text.__class__ is str and len(text) == 43:
        try:
            base64url.decode(text.encode())
        except ValueError:
            return ""
        return str(text)
    return ""
