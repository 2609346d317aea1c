"""What somebody sees who runs `bearerguard demo` before anything else, in a terminal of 80 columns."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bearerguard.cli.demo import orders_of
from bearerguard.testing import Issuer


@pytest.fixture(scope="module")
def told() -> str:
    command = [sys.executable, "-m", "bearerguard", "demo", "--once"]
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_guard_and_a_401_come_before_the_table(told: str) -> None:
    before, line, table = told.partition("┏")
    assert line
    assert "guard = Guard(ResourceServer(Provider(issuer, audience=AUDIENCE)))" in before
    assert '@guard.requires(scope("orders:read"))' in before
    assert "HTTP/1.1 401 Unauthorized" in before
    assert 'WWW-Authenticate: Bearer scope="orders:read"' in before
    assert "WRONG" not in table
    assert "All as it should be" in table


def test_it_fits_into_eighty_columns(told: str) -> None:
    assert [line for line in told.splitlines() if len(line.rstrip()) > 80] == []


def test_the_lines_that_are_shown_are_those_that_run(issuer: Issuer) -> None:
    assert orders_of(issuer.url).__name__ == "orders"
