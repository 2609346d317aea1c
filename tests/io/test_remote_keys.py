"""Single steps of a key source; its whole life, among threads, loops and forks, is in tests/keys."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from bearerguard._flows.key_fetch import Called
from bearerguard._io.remote_keys import RemoteKeySource
from bearerguard.testing import Clock, signing_key

NOW = 1_700_000_000.0
KEY = signing_key("P-256").public_jwk()


class Provider:
    """A function of the user's own that counts how often it is called."""

    calls = 0

    def __call__(self) -> dict[str, str]:
        self.calls += 1
        return KEY


def source(function: Callable[[], Any], clock: Clock | None = None) -> RemoteKeySource:
    return RemoteKeySource(
        Called(function),
        clock=clock or Clock(NOW),
        client=None,
        lifetime=None,
        chance=lambda: 0.0,
    )


def test_a_request_that_comes_too_late_for_a_refresh_finds_its_keys_and_causes_no_other() -> None:
    """It saw that there were no keys, and the refresh of another ended before it asked for one."""
    provider = Provider()
    keys = source(provider)
    assert keys.wait("missing") is None
    assert keys.wait("missing") is None
    assert provider.calls == 1


def test_keys_that_are_too_old_are_asked_for_again() -> None:
    provider = Provider()
    clock = Clock(NOW)
    keys = source(provider, clock)
    assert keys.wait("missing") is None
    clock.advance(600 + 3600)
    assert keys.wait("missing") is None
    assert provider.calls == 2


@pytest.mark.parametrize("problem", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_whatever_a_function_raises_fails_the_refresh_at_once(problem: BaseException) -> None:
    def function() -> Any:
        raise problem

    keys = source(function)
    assert keys.wait("missing") is not None
    assert keys.last_failure is not None
    assert keys.last_failure.kind != "timeout"


def test_a_thread_that_cannot_be_started_fails_the_refresh_and_leaves_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_more(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    keys = source(lambda: KEY)
    monkeypatch.setattr(threading.Thread, "start", no_more)
    assert keys.wait("missing") is not None
    assert keys.last_failure is not None
    assert keys.last_failure.kind == "thread"


def test_what_is_waited_for_and_never_comes_is_given_up_at_its_deadline() -> None:
    release = threading.Event()
    keys = source(lambda: (release.wait(30), KEY)[1])
    keys._timeout = 0.05
    assert keys.wait("missing") is not None
    assert keys.last_failure is not None
    assert keys.last_failure.kind == "timeout"
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("bearerguard refresh"):
            thread.join()
    assert keys.key_set is None  # what came late was thrown away
