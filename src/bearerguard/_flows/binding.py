"""Whether a request proves what its token is bound to. Judged for each request, never remembered.

A token with `cnf` (RFC 7800) is good only for a client that can prove that the key is its own. It says
nothing about who issued the token: that verdict is there already.
"""

from __future__ import annotations

from typing import NoReturn

from bearerguard._flows.jwt import Verdict
from bearerguard.errors import InvalidToken
from bearerguard.request import Incoming


def prove(verdict: Verdict, request: Incoming | None) -> NoReturn:  # noqa: ARG001 - no proof is read yet
    """Refuse a bound token: as plain Bearer it may be stolen (RFC 9449, section 7.2).

    Args:
        verdict: about a token with `cnf`.
        request: what presents the token; None if the caller has only a token.

    Raises:
        InvalidToken: `sender_constrained`.
    """
    error = InvalidToken("sender_constrained", "The token is bound to a key, and cannot be used as Bearer.")
    error.provider = verdict.provider.name
    raise error
