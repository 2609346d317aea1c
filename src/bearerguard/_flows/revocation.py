"""Whether a verified token was revoked. Asked for each request, also where the verdict was remembered.

What was found not to be revoked is not looked up again until something is revoked. The list is in memory; it
is kept by somebody who hears of revocations, and where he has not heard for too long, hearing is waited for.
Nothing here reads a store.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bearerguard._core.denylist import Denylist, Described, ends_with
from bearerguard._flows.effects import Ear, HearRevocations
from bearerguard._flows.jwt import Verdict
from bearerguard.errors import InvalidToken, ProviderUnavailable
from bearerguard.provider import Provider
from bearerguard.token import AccessToken, claims_of


class Revoked:
    """A list of revocations, and who hears of further ones.

    Args:
        list_: what is revoked.
        ear: keeps it, and hears of the revocations of other processes.
        opens: whether tokens are let in while nothing is heard.

    Attributes:
        has_seen_sessions: whether a token came that says of which session it is.
    """

    __slots__ = ("ear", "has_seen_sessions", "list", "opens")

    def __init__(self, list_: Denylist, ear: Ear, *, opens: bool = False) -> None:
        self.list = list_
        self.ear = ear
        self.opens = opens
        self.has_seen_sessions = False

    def has_heard(self, now: float) -> bool:
        """Whether the list may be relied on at the moment. A look that never waits."""
        return self.list.since <= now < self.list.until

    def refuse(self, verdict: Verdict, token: AccessToken, now: float) -> None:
        """Refuse a token that was revoked, by the list as it is; else note that it was not.

        Args:
            verdict: about the token.
            token: the token.
            now: in seconds since 1970.

        Raises:
            InvalidToken: `revoked` or `too_old`.
            ProviderUnavailable: the list is full, so one revocation may be missing.
        """
        version = self.list.version  # before the look: whoever adds changes it afterwards
        if self.list.is_full:
            raise self._named(verdict, _unheard(1.0))
        described = described_of(token)
        self.has_seen_sessions = self.has_seen_sessions or "sid" in described.claims
        try:
            self.list.refuse(described, now)
        except InvalidToken as error:
            if not token.is_opaque:
                error.facts = {"sub": token.subject, "client_id": token.client_id}
            raise self._named(verdict, error) from None
        verdict.until = min(verdict.until, ends_with(self.list.horizon, described.claims))
        verdict.cleared = version

    def hear(self, verdict: Verdict) -> Generator[HearRevocations, Any, None]:
        """Have heard what was revoked up to now.

        Raises:
            ProviderUnavailable: nobody can be heard.
        """
        retry_after: float | None = yield HearRevocations(self.ear)
        if retry_after is not None and not self.opens:
            raise self._named(verdict, _unheard(retry_after))

    @staticmethod
    def _named(verdict: Verdict, error: Any) -> Any:
        error.provider = verdict.provider.name
        return error


def _unheard(retry_after: float) -> ProviderUnavailable:
    return ProviderUnavailable(
        "Whether the token was revoked cannot be told right now.",
        retry_after=retry_after,
        reason="revocation_store",
    )


def described_of(token: AccessToken) -> Described:
    """Return a token as a list of revocations knows it."""
    claims = claims_of(token)
    return Described(
        name_of_issuer(token.provider, claims.get("iss")),
        claims,
        token.client_id,
        token.raw.encode(),
        token.is_opaque,
    )


def name_of_issuer(provider: Provider, issuer: Any) -> str:
    """Return under which name an issuer's tokens are revoked: one name for all its aliases.

    A provider without an issuer of its own is one issuer; of one with tenants, each tenant is.
    """
    if provider.issuer_template is not None:
        return issuer if isinstance(issuer, str) else ""
    return provider.issuer or ""
