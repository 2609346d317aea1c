"""What a flow may ask of the world, as frozen values, and the ports through which it is asked.

Each port has a look that never waits, and an effect that may. To add an effect (looking into a replay store,
say) is to add a value here, a `yield` in a flow, and one branch in each
driver in `bearerguard._io.drive`, which a type checker misses where it is not there.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, final

import msgspec

from bearerguard._core.denylist import Entry
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
        ...

    def refresh_ahead(self, now: float) -> None:
        """Start a refresh that nobody waits for, if one may be started now. Never blocks, never raises."""
        ...


class ReplayKey(msgspec.Struct, frozen=True, gc=False):
    """What a proof is known by: nobody can use up the proofs of another key.

    Attributes:
        thumbprint: of the key that signed it, by which a store may count.
        digest: the SHA-256 of the thumbprint and the proof's `jti`, 32 bytes.
    """

    thumbprint: str
    digest: bytes


class ReplayStore(Protocol):
    """Where proofs are noted, so that each is good once (RFC 9449, section 11.1)."""

    def add(self, key: ReplayKey, seconds: float) -> bool:
        """Note a proof for so many seconds, in one step; False where it was there already.

        Raises:
            TooManyProofs: too many of this key are noted.
            ProviderUnavailable: reason `replay_store`: it cannot be noted.
        """
        ...

    def seen(self, key: ReplayKey) -> bool:
        """Whether a proof is there; only to explain, as it may be a moment later."""
        ...


class SharedReplays(Protocol):
    """Where the processes of a fleet note proofs, as `ReplayStore` does for one; it has to be waited for."""

    def ask(self, key: ReplayKey, seconds: float | None) -> bool | Unanswered:
        """Note a proof for so many seconds, in one step; return whether it was not there. Blocks meanwhile.

        Args:
            key: what it is known by.
            seconds: for how long; None only looks.
        """
        ...

    async def ask_async(self, key: ReplayKey, seconds: float | None) -> bool | Unanswered:
        """The same for a task of any event loop."""
        ...


@final
class AskReplays(msgspec.Struct, frozen=True):
    """Note a proof where a fleet does; the answer is whether it is new, or an `Unanswered`.

    Attributes:
        store: where.
        key: what it is known by.
        seconds: for how long; None only looks.
    """

    store: SharedReplays
    key: ReplayKey
    seconds: float | None


class SharedValues(Protocol):
    """What the processes of a fleet tell each other, sealed. Asked on threads that no request owns.

    Nothing here raises: if the store does not answer, each process goes on by itself.
    """

    def name(self, kind: str, *parts: bytes) -> str:
        """Return the name of something: a hash of what it is of."""
        ...

    def get(self, name: str) -> bytes | None:
        """Return what was put under a name by somebody who has the secret; it may be old."""
        ...

    def put(self, name: str, value: bytes, seconds: float) -> None:
        """Put a value under a name, for so many seconds."""
        ...

    def lead(self, name: str, seconds: float) -> str | None:
        """Return a word by which to let go again; None where another process leads, for so long at most."""
        ...

    def let_go(self, name: str, word: str) -> None:
        """Lead no more."""
        ...


class KeySourceByKid(Protocol):
    """Where the pipeline finds the keys of a provider that publishes each at an address of its own."""

    def source_of(self, kid: str) -> KeySource | None:
        """Return the source of one key; None where no further one may be begun now. Never waits."""
        ...

    def is_absent(self, kid: str) -> bool:
        """Whether the provider said that it has no key of this id."""
        ...


@final
class WaitForKeys(msgspec.Struct, frozen=True):
    """Wait until the source's keys are as new as they can be had.

    The answer is None when they are, or the seconds after which to try again where the provider failed.
    """

    source: KeySource
    cause: Cause


class Ear(Protocol):
    """What keeps a list of revocations, and hears of those of other processes."""


@final
class HearRevocations(msgspec.Struct, frozen=True):
    """Hear of everything that was revoked before now.

    The answer is None when it is heard, or the seconds after which to try again.
    """

    ear: Ear


@final
class WriteRevocation(msgspec.Struct, frozen=True):
    """Revoke, for all who share the list; the answer is None when it is in force here.

    Where it cannot be noted, `ProviderUnavailable` is raised.
    """

    ear: Ear
    entry: Entry


@final
class SpendOnce(msgspec.Struct, frozen=True):
    """Use up what is good once, for all who share the list; the answer is whether it had not been used.

    Where it cannot be noted, `ProviderUnavailable` is raised.

    Attributes:
        ear: keeps the list.
        name: of what is used up, a hash.
        seconds: for which that is remembered.
    """

    ear: Ear
    name: bytes
    seconds: float


class StreamEntry(msgspec.Struct, frozen=True):
    """An entry of the log of revocations, as it was read; None in place of one that cannot be read."""

    position: bytes
    entry: Entry | None


class RevocationLog(Protocol):
    """The log of revocations that many processes write and follow. What is written comes in one order."""

    def naming(self, message: bytes, /) -> bytes:
        """Return the hash of what is named, the same in every process."""
        ...

    def read(self, after: bytes | None, /) -> list[StreamEntry] | None:
        """Return some entries behind a position, from the first on where that is None.

        Fewer than `REVOCATIONS_AT_ONCE` are the last. None says that the position is not there any more: what
        is there may have come before it, and has to be read from the first on.

        Raises:
            StoreFailed: the log cannot be read.
        """
        ...

    def append(self, entry: Entry, keep: float, /) -> None:
        """Write an entry; what is older than `keep` seconds may be dropped.

        Raises:
            StoreFailed: nobody knows whether it was written.
        """
        ...

    async def append_async(self, entry: Entry, keep: float, /) -> None:
        """The same as `append`, for a task."""
        ...

    def spend(self, name: bytes, seconds: float, /) -> bool:
        """Note in one step what is good once, for so many seconds; False where it was there.

        Raises:
            StoreFailed: nobody knows whether it was noted.
        """
        ...

    async def spend_async(self, name: bytes, seconds: float, /) -> bool:
        """The same as `spend`, for a task."""
        ...


class AnswerSource(Protocol):
    """Where the pipeline has a provider asked about tokens. What is remembered of answers is its own."""


@final
class AskIntrospection(msgspec.Struct, frozen=True):
    """Ask a provider about a token; the answer is an `Answered` or an `Unanswered`.

    Attributes:
        source: which asks.
        token: its text.
        digest: the SHA-256 of it, by which equal questions are one.
    """

    source: AnswerSource
    token: bytes
    digest: bytes


@final
class Answered(msgspec.Struct, frozen=True):
    """What a provider said of a token: its claims, or None of a token that is not active.

    `asked_at` is when another process of a fleet asked, in seconds since 1970; None where this one has, now.
    """

    claims: dict[str, Any] | None
    asked_at: float | None = None


@final
class Unanswered(msgspec.Struct, frozen=True):
    """Who was to be asked could not be, or gave no answer; `retry_after` is in seconds."""

    retry_after: float


class IssuerRegister(Protocol):
    """Where the pipeline has a function of the program asked about issuers. `get` never waits."""

    def get(self, issuer: str, /) -> Any:
        """Return who verifies an issuer's tokens; None where that is not known, or not any more."""
        ...

    def has_refused(self, issuer: str) -> bool:
        """Whether the function said no a moment ago."""
        ...


@final
class ResolveIssuer(msgspec.Struct, frozen=True):
    """Ask the function of the program about an issuer; the answer is a `Resolution`."""

    register: IssuerRegister
    issuer: str


class Resolution(msgspec.Struct, frozen=True):
    """What came of asking: who verifies, nobody, or, in seconds, when to come back."""

    verifier: Any = None
    retry_after: float | None = None


class HttpGet(msgspec.Struct, frozen=True):
    """Fetch `url`, in at most a share of the time that is left; the answer is an `HttpAnswer`."""

    url: str
    etag: str | None = None
    share: float = 1.0


class HttpPost(msgspec.Struct, frozen=True):
    """Send a form to `url`; the answer is an `HttpAnswer`. Its `repr` shows nothing that is sent."""

    url: str
    form: bytes
    headers: dict[str, str]

    def __repr__(self) -> str:
        return f"HttpPost({self.url!r})"


class HttpAnswer(msgspec.Struct, frozen=True):
    """The parts of a response that matter; header values are None where they were not sent."""

    status: int
    body: bytes
    cache_control: str | None = None
    etag: str | None = None
    content_type: str | None = None
    retry_after: str | None = None


class CallSource(msgspec.Struct, frozen=True):
    """Call a function of the user's own that returns key material; the answer is what it returned."""

    function: Any


class WantMetadata(msgspec.Struct, frozen=True):
    """Get the issuer's metadata (RFC 8414); the answer is a mapping."""


class FetchFailed(Exception):
    """A fetch brought nothing that can be used. `kind` is stable, the message says what happened."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class QuestionFailed(FetchFailed):
    """A question about a token was asked, and brought nothing that says anything of the token.

    Attributes:
        retry_after: seconds after which the provider wants to be asked again, if it says so.
        is_ours: whether it is this API's configuration that the provider refuses.
    """

    def __init__(
        self, kind: str, message: str, *, retry_after: float | None = None, is_ours: bool = False
    ) -> None:
        super().__init__(kind, message)
        self.retry_after = retry_after
        self.is_ours = is_ours


class StoreFailed(Exception):
    """A shared store did not answer in time, refused, or is left alone after that.

    `kind` is stable: `timeout`, `connection`, `refused`, `resting`. The message says what happened, and shows
    nothing of what was asked.

    Attributes:
        retry_after: seconds after which it is worth trying again.
    """

    def __init__(self, kind: str, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after
