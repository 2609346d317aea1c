"""What was revoked before its time: a list of names, and whether a verified token is on it.

An entry names a token, or a subject, a session, a client or a whole issuer with "nothing issued up to T". No
entry shows whom it names: each is a hash. An entry is forgotten only when no token that it refuses could be
accepted any more, which is why a token older than the horizon is refused whatever the list says. A list that
is full says so, and forgets nothing.

It knows no clock, and nobody who tells it of revocations. Reading takes no lock; whoever adds holds one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Literal

import msgspec

from bearerguard._core.claims import ClaimsSet
from bearerguard._limits import FORGOTTEN_AT_ONCE, MAX_LEEWAY, MAX_REVOCATIONS, REVOCATION_NAME_BYTES
from bearerguard.errors import InvalidToken

Kind = Literal["jti", "signed", "text", "sub", "sid", "client", "all", "logout"]
"""What an entry names: a token by its `jti`, by what is signed of it, or by its text; or many tokens. A
`logout` is not an entry of the list: it names a logout token, which is good once."""
OF_MANY: frozenset[Kind] = frozenset({"sub", "sid", "client", "all"})
Naming = Callable[[bytes], bytes]
"""Makes a name of what is to be named: a hash, or an HMAC where those who share it have a secret."""
_BUCKET = 60
"""Entries are forgotten in bundles, by the minute in which they end."""

encode = msgspec.json.Encoder().encode


def plain_name(named: bytes) -> bytes:
    """Return the name for a list that nobody else reads."""
    return sha256(named).digest()


class Entry(msgspec.Struct, frozen=True):
    """A revocation.

    Attributes:
        name: whom it names, as `named` makes it.
        at: T, in whole seconds since 1970: what is issued up to it is refused. Of a single token, when it
            was revoked.
    """

    name: bytes
    at: int


class Described(msgspec.Struct, frozen=True):
    """A verified token, as far as a list has to know it.

    Attributes:
        issuer: the name of its issuer here.
        claims: what it says, or what its provider says of it.
        client: the client that got it.
        text: its text.
        is_opaque: whether nothing of it was verified here.
    """

    issuer: str
    claims: ClaimsSet
    client: str | None
    text: bytes
    is_opaque: bool


def named(naming: Naming, kind: Kind, issuer: str, value: str) -> bytes:
    """Return the name of a token, a subject, a session, a client, or of all that an issuer has issued.

    Raises:
        ValueError: a value has half a character, which no claim has.
    """
    return naming(encode((kind, issuer, value)))[:REVOCATION_NAME_BYTES]


def single(token: Described) -> tuple[Kind, str]:
    """Return what identifies one token among all of its issuer.

    A token without `jti` is named by what is signed of it: an ECDSA signature has a second form, and a hash
    of the whole text would let the other one in.
    """
    if token.is_opaque:
        return "text", sha256(token.text).hexdigest()
    token_id = token.claims.get("jti")
    if token_id.__class__ is str and token_id:
        return "jti", token_id
    return "signed", sha256(token.text.rpartition(b".")[0]).hexdigest()


def ends_with(horizon: float, claims: ClaimsSet) -> float:
    """Return from when on a token is too old, in seconds since 1970; infinity if it has no `iat`."""
    issued_at: float | None = claims.get("iat")
    return math.inf if issued_at is None else issued_at + horizon


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.3g} h"


class Denylist:
    """What is revoked, as far as this process has heard.

    Args:
        horizon: seconds after which a token is too old.
        naming: makes names.
        limit: how many entries it holds.

    Attributes:
        version: another object after each change: what was found not to be revoked need not be looked up
            again as long as it is the same.
        since: from when, in seconds since 1970, what was heard may be relied on.
        until: up to when; with nobody to hear from, for ever.
    """

    __slots__ = ("_at", "_ending", "_limit", "_soonest", "horizon", "naming", "since", "until", "version")

    def __init__(self, horizon: float, naming: Naming = plain_name, limit: int = MAX_REVOCATIONS) -> None:
        self.horizon = horizon
        self.naming = naming
        self.version: object = object()
        self.since = -math.inf
        self.until = math.inf
        self._limit = limit
        self._at: dict[bytes, int] = {}
        self._ending: dict[int, list[bytes]] = {}
        self._soonest: float = math.inf

    def __len__(self) -> int:
        return len(self._at)

    @property
    def is_full(self) -> bool:
        """Whether it holds all that it can: then it may lack one, and nobody can be let in."""
        return len(self._at) >= self._limit

    def add(self, entry: Entry, now: float) -> bool:
        """Note a revocation; return False where there is no place for it.

        Of two of the same name the later one counts, so nothing that was heard is taken back.
        """
        self.forget(now, FORGOTTEN_AT_ONCE)
        before = self._at.get(entry.name)
        if before is not None and before >= entry.at:
            return True
        if before is None and self.is_full:
            return False
        self._at[entry.name] = entry.at
        ends = self._ends(entry.at)
        self._ending.setdefault(ends, []).append(entry.name)
        self._soonest = min(self._soonest, ends)
        self.version = object()  # after the entry: who finds the new version finds the entry
        return True

    def forget(self, now: float, at_most: int | None = None) -> None:
        """Forget what refuses no token any more: all of it, or a few, as all at once would be a pause."""
        left = len(self._at) if at_most is None else at_most
        while self._soonest <= now:
            names = self._ending[int(self._soonest)]
            while names:
                if left <= 0:
                    return
                left -= 1
                name = names.pop()
                at = self._at.get(name)
                if at is not None and self._ends(at) <= now:  # else it was revoked again since
                    del self._at[name]
            del self._ending[int(self._soonest)]
            self._soonest = min(self._ending, default=math.inf)

    def _ends(self, at: int) -> int:
        """When an entry may go: what it refuses is too old by then, though its clock was ahead of ours."""
        return math.ceil((at + self.horizon + 2 * MAX_LEEWAY) / _BUCKET) * _BUCKET

    def refuse(self, token: Described, now: float) -> None:
        """Refuse a token that is revoked, or so old that nobody remembers whether it is.

        Args:
            token: what was verified.
            now: in seconds since 1970.

        Raises:
            InvalidToken: `too_old` or `revoked`.
        """
        issued_at: float | None = token.claims.get("iat")
        if issued_at is None:
            if not token.is_opaque:  # of an opaque one its provider is asked, again and again
                raise InvalidToken("too_old", "The token does not say when it was issued ('iat').")
        elif not now < issued_at + self.horizon:
            oldest = _hours(self.horizon)
            raise InvalidToken("too_old", f"The token was issued more than {oldest} ago.")
        if self._at and self._is_listed(token, issued_at):
            raise InvalidToken("revoked", "The token was revoked.")

    def _is_listed(self, token: Described, issued_at: float | None) -> bool:
        at, issuer, claims = self._at, token.issuer, token.claims
        if self._name(*single(token), issuer) in at:
            return True
        token_id = claims.get("jti")
        if token.is_opaque and token_id.__class__ is str and self._name("jti", token_id, issuer) in at:
            return True
        many: tuple[tuple[Kind, Any], ...] = (
            ("sub", claims.get("sub")),
            ("sid", claims.get("sid")),
            ("client", token.client),
            ("all", ""),
        )
        for kind, value in many:
            if value.__class__ is str:
                until = at.get(self._name(kind, value, issuer))
                if until is not None and (issued_at is None or issued_at <= until):
                    return True
        return False

    def _name(self, kind: Kind, value: Any, issuer: str) -> bytes:
        return named(self.naming, kind, issuer, value)
