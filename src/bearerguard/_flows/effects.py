"""What a flow may ask of the world, as frozen values, and the ports through which it is asked.

Each port has a look that never waits, and an effect that may. To add an effect (asking an introspection
endpoint, looking into a replay store) is to add a value here, a `yield` in a flow, and one branch in each
driver in `bearerguard._io.drive`, which a type checker misses where it is not there.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, final

import msgspec

from bearerguard._jose.key_set import KeySet

Cause = Literal["missing", "unknown_kid", "signature"]
"""Why keys are wanted: there are none that may be used, none that fits the token, or none that verifies it.

After the last the token is refused, whatever came of the wait: it is for keys that were replaced under the
same `kid`, and most such tokens are forged.
"""


class KeySource(Protocol):
    """Where the pipeline finds a provider's keys. Reading `key_set` never waits."""

    @property
    def key_set(self) -> KeySet | None:
        """The newest snapshot, or None before the first."""

    def refresh_ahead(self, now: float) -> None:
        """Start a refresh that nobody waits for, if one may be started now. Never blocks, never raises."""


@final
class WaitForKeys(msgspec.Struct, frozen=True):
    """Wait until the source's keys are as new as they can be had.

    The answer is None when they are, or the seconds after which to try again where the provider failed.
    """

    source: KeySource
    cause: Cause


class HttpGet(msgspec.Struct, frozen=True):
    """Fetch `url`, in at most a share of the time that is left; the answer is an `HttpAnswer`."""

    url: str
    etag: str | None = None
    share: float = 1.0


class HttpAnswer(msgspec.Struct, frozen=True):
    """The parts of a response that matter; header values are None where they were not sent."""

    status: int
    body: bytes
    cache_control: str | None = None
    etag: str | None = None


class CallSource(msgspec.Struct, frozen=True):
    """Call a function of the user's own that returns key material; the answer is what it returned."""

    function: Any


class FetchFailed(Exception):
    """A fetch brought nothing that can be used. `kind` is stable, the message says what happened."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
