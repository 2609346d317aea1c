"""What is in force for every test of the kit: loopback is reached directly, whatever proxy there is."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def loopback_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
