"""Every way in that hostile input takes: each door by a request, and each that has them by a WebSocket.

All of them trust the issuer of `minting`. What one answers otherwise than another is said here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from tests.doors_under_test.door import Door, Opened
from tests.doors_under_test.doors import DOORS
from tests.doors_under_test.exchange import Answer, Fields
from tests.hostile import minting

NO_CREDENTIALS = {"no_credentials", "other_scheme"}
BAD_REQUEST = {"malformed_header", "repeated_header"}

# The reason in place of the one in a table, by the row's name, where a server joins the fields of one name.
JOINED = {
    "twice the same": "malformed_header",
    "valid, then bad": "malformed_header",
    "bad, then valid": "malformed_header",
    "valid, then empty": "malformed_header",
    "empty, then valid": "other_scheme",
    "basic, then valid": "other_scheme",
    "a thousand times": "too_large",
}


@dataclass(frozen=True)
class Entrance:
    """A door, asked by a request or by the opening of a WebSocket, whose client sees 101 or 403."""

    door: Door
    is_websocket: bool = False

    @property
    def name(self) -> str:
        return f"{self.door.name}, WebSocket" if self.is_websocket else self.door.name

    def ask(self, fields: Fields, **changes: Any) -> tuple[Answer, bool]:
        """The answer to a request with these fields, and whether the application was entered."""
        opened = _opened(self.door)
        opened.api.entered.clear()
        ask = opened.websocket if self.is_websocket else opened.get
        return ask(fields=fields, **changes), bool(opened.api.entered)

    def reason(self, row: str, reason: str | None) -> str | None:
        """The reason of a row's refusal here."""
        return JOINED.get(row, reason) if self.door.joins_fields else reason

    def status(self, reason: str | None) -> int:
        """The status for a reason."""
        if self.is_websocket:
            return 101 if reason is None else 403
        if reason is None:
            return 200
        if reason in NO_CREDENTIALS:
            return self.door.without_credentials
        if reason in BAD_REQUEST:
            return self.door.badly_put
        return 503 if reason == "provider_unavailable" else 401

    def challenges(self, reason: str) -> bool:
        """Whether the answer to a refusal for this reason has a challenge."""
        return not self.is_websocket and (reason not in NO_CREDENTIALS or self.door.challenges_the_anonymous)


@functools.cache
def _opened(door: Door) -> Opened:
    return door.open_for(minting.issuer)


ENTRANCES = [Entrance(door) for door in DOORS if door.is_http] + [
    Entrance(door, is_websocket=True) for door in DOORS if door.has_websockets
]
