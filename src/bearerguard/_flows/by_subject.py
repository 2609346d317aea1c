"""JWT-SVIDs of SPIFFE, whose issuer is told by their subject: the trust domain of `sub` chooses the keys.

They need no `iss`, and one that is there chooses nothing (JWT-SVID, section 3). So where a server trusts a
trust domain, `sub` is looked at before `iss`, and only there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

from bearerguard._core.claims import ClaimCheck, ClaimsSet
from bearerguard._flows.jwt import NOT_TRUSTED, Deciding, SameIssuer, Verdict, Verifier
from bearerguard._jose.json_object import decode_json, decode_part
from bearerguard.errors import AuthError, InvalidToken

_SCHEME = "spiffe://"
# SPIFFE ID, section 2.2: segments of letters, digits, '.', '-' and '_', none of them empty, '.' or '..'.
_PATH = r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)+"


class BySubject(Struct, frozen=True):
    """Chooses among trust domains by `sub`; a token that names none of them is for whoever else is asked.

    Attributes:
        domains: who verifies the tokens of each trust domain.
        otherwise: who is asked about all other tokens; None where nobody is.
    """

    domains: Mapping[str, Verifier | SameIssuer]
    otherwise: Verifier | SameIssuer | None

    def decide(self, *parts: Any) -> Verdict | Deciding:
        """Decide as the verifier that `sub` chooses; the parts are those of `JwtVerifier.decide`.

        Raises:
            AuthError: its refusal.
        """
        claims, payload = parts[1], parts[2]
        subject = _unread_subject(payload) if claims is None else claims.get("sub")
        chosen = self.domains.get(_trust_domain_of(subject), self.otherwise)
        if chosen is None:
            raise InvalidToken("issuer", NOT_TRUSTED)
        try:
            outcome = chosen.decide(*parts)
        except AuthError as error:
            raise _named(error, chosen) from None
        return outcome if isinstance(outcome, Verdict) else _deciding(outcome, chosen)


def _deciding(deciding: Deciding, chosen: Verifier | SameIssuer) -> Deciding:
    try:
        return (yield from deciding)
    except AuthError as error:
        raise _named(error, chosen) from None


def _named(error: AuthError, chosen: Verifier | SameIssuer) -> AuthError:
    """Add for operators who was asked."""
    if not isinstance(chosen, SameIssuer):
        error.provider = chosen.provider.name
    return error


def _trust_domain_of(subject: Any) -> str:
    """The trust domain of a SPIFFE ID; empty where `subject` is something else."""
    if not isinstance(subject, str) or not subject.startswith(_SCHEME):
        return ""
    return subject[len(_SCHEME) :].partition("/")[0]


def of_trust_domain(domain: str) -> ClaimCheck:
    """Return the check that `sub` is an ID of the domain (JWT-SVID, section 3.1; SPIFFE ID, section 2)."""
    start = f"{_SCHEME}{domain}"

    def check(claims: ClaimsSet) -> None:
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject.startswith(f"{start}/"):
            raise InvalidToken("issuer", NOT_TRUSTED)
        if len(subject) > 2048 or not re.fullmatch(_PATH, subject[len(start) :]):
            raise InvalidToken("invalid_claim", "The token's 'sub' claim is not a SPIFFE ID.")

    return check


class _Subject(Struct, gc=False):
    """Of a payload, the one member that says whom to ask; of the others nothing is made."""

    sub: Raw = Raw()


_read_subject = Decoder(_Subject).decode


def _unread_subject(payload: bytes) -> Any:
    """The `sub` of a payload that is not to be read before its signature was checked."""
    try:
        text = bytes(decode_part(payload, _read_subject).sub)
        return decode_json(text) if text[:1] == b'"' else None
    except ValueError:  # whoever is asked then refuses it when it is read whole
        return None
