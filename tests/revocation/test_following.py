"""One thread follows what all processes revoke: what requests wait for, what is never unheard, and forks."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from typing import Any

import anyio
import anyio.to_thread
import pytest

from bearerguard import (
    ProviderUnavailable,
    Revocation,
)
from bearerguard._core.denylist import Entry, named, plain_name
from bearerguard._flows.effects import StoreFailed, StreamEntry
from bearerguard._io.followed_revocations import FollowedRevocations
from bearerguard._io.revocations import WHILE_FULL
from bearerguard._limits import MAX_LEEWAY, REVOCATIONS_AT_ONCE
from bearerguard.testing import Clock

NOW = 1_700_000_000
PATIENCE = 60
LEEWAY = 10.0


class Log:
    """A log in memory. What happens to it, a test says."""

    def __init__(self) -> None:
        self.entries: list[StreamEntry] = []
        self.number = 0
        self.reads = 0
        self.spent: set[bytes] = set()
        self.trouble: Exception | None = None
        self.may_read = threading.Event()
        self.may_read.set()
        self.kept: list[float] = []

    def naming(self, message: bytes) -> bytes:
        return plain_name(message)

    def put(self, entry: Entry | None) -> None:
        """What another process writes."""
        self.number += 1
        self.entries.append(StreamEntry(b"%d" % self.number, entry))

    def read(self, after: bytes | None) -> list[StreamEntry] | None:
        self.reads += 1
        assert self.may_read.wait(PATIENCE)
        self._check()
        positions = [one.position for one in self.entries]
        if after is not None and after not in positions:
            return None
        begin = 0 if after is None else positions.index(after) + 1
        return self.entries[begin : begin + REVOCATIONS_AT_ONCE]

    def append(self, entry: Entry, keep: float) -> None:
        self._check()
        self.kept.append(keep)
        self.put(entry)

    async def append_async(self, entry: Entry, keep: float) -> None:
        await anyio.lowlevel.checkpoint()
        self.append(entry, keep)

    def spend(self, name: bytes, seconds: float) -> bool:
        self._check()
        assert seconds > 0
        is_new = name not in self.spent
        self.spent.add(name)
        return is_new

    async def spend_async(self, name: bytes, seconds: float) -> bool:
        await anyio.lowlevel.checkpoint()
        return self.spend(name, seconds)

    def _check(self) -> None:
        if self.trouble is not None:
            raise self.trouble


def entry(value: str, at: int = NOW) -> Entry:
    return Entry(named(plain_name, "sub", "", value), at)


class Following:
    """A process that follows a log; a test reads for its thread, unless it starts one."""

    def __init__(self, log: Log | None = None, *, limit: int = 1000, **options: Any) -> None:
        self.clock = Clock(NOW)
        self.log = Log() if log is None else log
        revocation = Revocation(**{"horizon": 600, **options})
        self.kept = FollowedRevocations(revocation, self.clock, self.log, LEEWAY, PATIENCE, limit)

    def read(self) -> None:
        self.kept.read_once()

    def has(self, value: str) -> bool:
        return entry(value).name in self.kept.list._at

    def has_heard(self) -> bool:
        return self.kept.revoked.has_heard(self.clock())


def away(retry_after: float = 2.0) -> StoreFailed:
    return StoreFailed("connection", "away", retry_after=retry_after)


# -- what is read ------------------------------------------------------------------------------------


def test_what_others_wrote_is_read_from_where_this_process_was() -> None:
    here = Following()
    for value in "ab":
        here.log.put(entry(value))
    here.read()
    assert here.has("a")
    assert here.has("b")
    here.log.put(entry("c"))
    here.read()
    assert here.has("c")
    assert here.kept.health() == {"entries": 3, "full": False, "lag": 0.0, "skipped": 0}


def test_a_long_history_is_read_in_parts_up_to_its_end() -> None:
    here = Following(limit=10**6)
    for number in range(2 * REVOCATIONS_AT_ONCE + 1):
        here.log.put(entry(str(number)))
    here.read()
    assert here.kept.health()["entries"] == 2 * REVOCATIONS_AT_ONCE + 1
    assert here.log.reads == 3


def test_what_was_heard_stays_when_the_store_is_emptied_and_what_comes_then_is_heard() -> None:
    here = Following()
    for value in "abc":
        here.log.put(entry(value))
    here.read()
    here.log.entries.clear()
    here.read()
    assert here.has("a")
    assert here.has_heard()
    here.log.number = 0  # an engine that has never had the others, and gives its own positions
    here.log.put(entry("d"))
    here.read()
    assert here.has("d")
    assert here.has("a")


def test_an_engine_that_lost_the_last_writes_is_read_from_the_beginning() -> None:
    here = Following()
    for value in "abc":
        here.log.put(entry(value))
    here.read()
    del here.log.entries[2]
    here.log.entries.insert(1, StreamEntry(b"1b", entry("x")))  # written there meanwhile, before our position
    here.read()
    assert here.has("x")
    assert here.has("c")


def test_a_log_that_vanishes_between_two_reads_is_read_again_at_the_next() -> None:
    here = Following()
    here.log.put(entry("a"))
    here.read()
    here.log.read = lambda after: None  # type: ignore[method-assign]  # what may happen
    here.read()
    assert here.has("a")


def test_an_earlier_entry_takes_nothing_back() -> None:
    here = Following()
    here.log.put(entry("a", NOW))
    here.log.put(entry("a", NOW - 500))
    here.read()
    assert here.kept.list._at[entry("a").name] == NOW


@pytest.mark.parametrize("bad", [None, entry("a", NOW + int(LEEWAY) + 1)])
def test_an_entry_that_cannot_be_read_or_lies_ahead_is_skipped_told_and_counted(
    bad: Entry | None, caplog: pytest.LogCaptureFixture
) -> None:
    here = Following()
    here.log.put(bad)
    here.log.put(entry("b", NOW + int(LEEWAY)))
    here.read()
    assert (here.has("a"), here.has("b")) == (False, True)
    assert here.kept.health()["skipped"] == 1
    assert "1 entries of revocations" in caplog.text
    here.read()
    assert here.kept.health()["skipped"] == 1


# -- how old what was heard may be ------------------------------------------------------------------


def test_a_process_that_has_never_heard_the_store_has_not_heard() -> None:
    assert not Following().has_heard()


def test_what_was_heard_may_be_relied_on_for_max_lag_and_no_longer() -> None:
    here = Following(max_lag=5)
    here.read()
    here.clock.advance(4.9)
    assert here.has_heard()
    here.log.trouble = away()
    here.read()
    assert here.has_heard(), "one read that fails takes nothing back"
    here.clock.advance(0.2)
    assert not here.has_heard()
    assert here.kept.health()["lag"] == pytest.approx(5.1)
    here.log.trouble = None
    here.read()
    assert here.has_heard()


def test_a_clock_that_was_set_back_is_not_believed_for_longer_than_max_lag() -> None:
    here = Following(max_lag=5)
    here.read()
    here.clock.advance(-6)
    assert not here.has_heard()


def test_strict_hears_for_each_request() -> None:
    here = Following(strict=True)
    here.read()
    assert not here.has_heard()


def test_a_list_that_is_full_hears_no_more_until_there_is_place() -> None:
    here = Following(limit=2)
    for value in "abc":
        here.log.put(entry(value))
    here.read()
    assert not here.has_heard()
    assert here.kept.health()["full"]
    assert here.kept.hear() == WHILE_FULL
    here.kept.close()
    here.clock.advance(600 + 2 * MAX_LEEWAY + 60)
    here.log.put(entry("d", int(here.clock())))
    here.read()
    assert here.has_heard()
    assert here.has("d")


# -- requests that wait ------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_threads_and_tasks_wait_for_one_read_that_begins_after_them() -> None:
    here = Following()
    here.log.may_read.clear()
    heard: list[Any] = []
    threads = [threading.Thread(target=lambda: heard.append(here.kept.hear())) for _ in range(4)]
    for thread in threads:
        thread.start()
    async with anyio.create_task_group() as group:

        async def wait() -> None:
            heard.append(await here.kept.hear_async())

        for _ in range(4):
            group.start_soon(wait)
        await anyio.lowlevel.checkpoint()
        here.log.may_read.set()
    for thread in threads:
        await anyio.to_thread.run_sync(thread.join, PATIENCE)
    assert heard == [None] * 8
    assert len([one for one in threading.enumerate() if one is here.kept._thread]) == 1
    here.kept.close()


def test_a_request_is_told_when_to_come_back_while_the_store_is_away() -> None:
    here = Following()
    here.log.trouble = away(7.0)
    assert here.kept.hear() == 7.0
    here.log.trouble = None
    assert here.kept.hear() is None
    here.kept.close()


def test_a_read_that_does_not_end_in_time_is_not_waited_for() -> None:
    here = Following()
    here.kept._seconds = 0.01
    here.log.may_read.clear()
    assert here.kept.hear() == 1.0
    here.log.may_read.set()
    here.kept.close()


def test_the_thread_goes_on_after_a_mistake_of_a_client(caplog: pytest.LogCaptureFixture) -> None:
    here = Following()
    here.log.trouble = RuntimeError("a client that raises anything")
    assert here.kept.hear() == 1.0
    here.log.trouble = None
    assert here.kept.hear() is None
    assert "RuntimeError" in caplog.text
    here.kept.close()


def test_where_no_thread_can_be_started_the_next_request_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Following()

    def refuse(_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert here.kept.hear() == 1.0
    assert here.kept.hear() is None
    here.kept.close()


def test_the_thread_ends_when_the_server_is_closed_and_when_nobody_holds_it() -> None:
    here = Following()
    here.kept.hear()
    thread = here.kept._thread
    assert thread is not None
    assert thread.daemon
    here.kept.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    other = Following()
    other.kept.hear()
    thread, gone = other.kept._thread, weakref.ref(other.kept)
    assert thread is not None
    other.kept._wake.set()
    del other
    deadline = PATIENCE * 100
    while gone() is not None and deadline:
        gc.collect()
        thread.join(0.01)
        deadline -= 1
    assert gone() is None


# What CPython 3.12 and later say of a fork with threads is what this is about.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_keeps_what_was_heard_and_starts_a_thread_of_its_own() -> None:
    here = Following()
    here.log.put(entry("a"))
    here.kept.hear()
    assert here.has("a")
    assert here.has_heard()
    here.log.put(entry("b"))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"0"
        try:
            unheard = not here.has_heard() and here.has("a")
            said = b"1" if unheard and here.kept.hear() is None and here.has("b") else b"0"
        finally:
            os.write(writer, said)
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"1"
    os.close(reader)
    os.close(writer)
    here.kept.close()


# -- writing -----------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_what_this_process_writes_is_in_force_here_at_once_and_in_the_log() -> None:
    here = Following()
    here.read()
    here.kept.write(entry("a"))
    await here.kept.write_async(entry("b"))
    assert here.has("a")
    assert here.has("b")
    assert [one.entry for one in here.log.entries] == [entry("a"), entry("b")]
    assert here.log.kept[0] > 600 + 2 * MAX_LEEWAY, "the log keeps it for as long as any process may need it"


async def told(outcome: Any) -> None:
    if outcome is not None:
        await outcome


@pytest.mark.anyio
async def test_a_revocation_that_cannot_be_written_is_not_in_force_and_says_so() -> None:
    here = Following()
    here.log.trouble = away(3.0)
    for write in (here.kept.write, here.kept.write_async):
        with pytest.raises(ProviderUnavailable, match="not in force") as refused:
            await told(write(entry("a")))
        assert (refused.value.status, refused.value.retry_after) == (503, 3.0)
    assert not here.has("a")


@pytest.mark.anyio
async def test_what_is_good_once_is_used_up_for_all_and_not_while_the_store_is_away() -> None:
    here = Following()
    assert here.kept.spend(b"x", 10)
    assert not await here.kept.spend_async(b"x", 10)
    here.log.trouble = away(3.0)
    with pytest.raises(ProviderUnavailable):
        here.kept.spend(b"y", 10)
    with pytest.raises(ProviderUnavailable):
        await here.kept.spend_async(b"y", 10)
