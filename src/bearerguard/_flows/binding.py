"""Whether a request proves what its token is bound to. Judged for each request, never remembered.

A token with `cnf` (RFC 7800) is good only for a client that can prove that the key is its own: by a proof
that it signs (DPoP), or by its certificate (mutual TLS). Each member that is known has to be proven. Nothing
here says who issued the token: that verdict is there already.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from bearerguard._core.confirmation import check_well_formed
from bearerguard._core.credentials import BEARER, DPOP
from bearerguard._flows.effects import AskReplays
from bearerguard._flows.jwt import Verdict
from bearerguard.errors import AuthError, InvalidToken
from bearerguard.request import Incoming

if TYPE_CHECKING:
    from bearerguard._flows.proof_checks import ProofChecks
    from bearerguard.certificate import ClientCertificate


Noting = Generator[AskReplays, Any, None]
"""What is left of a check that has to wait for where a fleet notes proofs."""


class Presented(Struct, frozen=True):
    """A token as a request presents it.

    Attributes:
        token: its text.
        request: None where a program asks about the token only.
        scheme: `BEARER` or `DPOP`.
        resource: the URL of the API as the guard knows it, if it does.
    """

    token: bytes
    request: Incoming | None = None
    scheme: str = BEARER
    resource: str | None = None


class Binding:
    """What a server can have proven. Without anything, every bound token is refused.

    Args:
        proofs: checks proofs, where DPoP is taken.
        certificate: where the certificates of clients come from, where they do.
    """

    __slots__ = ("certificate", "proofs")

    def __init__(
        self, proofs: ProofChecks | None = None, certificate: ClientCertificate | None = None
    ) -> None:
        self.proofs = proofs
        self.certificate = certificate

    def looking(self) -> Binding:
        """Return the same binding, which looks proofs up and notes none: to explain, not to admit."""
        return Binding(None if self.proofs is None else self.proofs.looking(), self.certificate)

    def prove(self, verdict: Verdict, presented: Presented, now: float) -> Noting | None:
        """Check that a request proves all that is known here of what its token is bound to.

        Asked of tokens that are bound, and of those that are presented as if they were.

        Args:
            verdict: about the token.
            presented: the token, and the request.
            now: in seconds since 1970.

        Returns:
            What is left to do, where the store of proofs has to be waited for.

        Raises:
            AuthError: it does not.
        """
        name = verdict.provider.name
        try:
            noting = self._prove(verdict, presented, now)
        except AuthError as error:
            error.provider = name
            raise
        return None if noting is None else _named(noting, name)

    def _prove(self, verdict: Verdict, presented: Presented, now: float) -> Noting | None:
        bound, request = verdict.confirmation, presented.request
        if bound is None:
            raise _not_bound()
        if bound.jkt is None and bound.x5t is None:
            raise _sender_constrained()
        if request is None or (request.url is None and request.target is None):
            raise _sender_constrained()
        if (bound.jkt is not None) != (presented.scheme == DPOP):
            # As Bearer it may be stolen (RFC 9449, section 7.2).
            raise _not_bound() if bound.jkt is None else _sender_constrained()
        if bound.x5t is not None:
            from bearerguard._flows.certificate import prove_certificate  # noqa: PLC0415 - few tokens need it

            prove_certificate(bound.x5t, request, self.certificate)
        check_well_formed(bound)
        if bound.jkt is None:
            return None
        if self.proofs is None:
            raise _sender_constrained()
        return self.proofs.check(bound, presented, request, now)


def _named(noting: Noting, name: str) -> Noting:
    try:
        yield from noting
    except AuthError as error:
        error.provider = name
        raise


class _Anybody(Binding):
    """Asks for no proof: for a program that has a token, and lets nobody in by it."""

    def prove(self, verdict: Verdict, presented: Presented, now: float) -> Noting | None:
        """Do nothing."""


ANYBODY = _Anybody()


def _sender_constrained() -> InvalidToken:
    return InvalidToken("sender_constrained", "The token is bound to a key, and cannot be used as Bearer.")


def _not_bound() -> InvalidToken:
    return InvalidToken("not_bound", "The token is not bound to a key: it cannot be used with DPoP.")
