"""Starts the browser that the tests here look through, headless, with nothing in reach but loopback.

Where Chromium, npm or Playwright is missing, the tests are skipped with the reason, or, with
BEARERGUARD_REQUIRE_BROWSER=1 in the environment, fail with it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from blockbuster import BlockBuster

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = Path(__file__).parent
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def lacking(reason: str) -> NoReturn:
    if os.environ.get("BEARERGUARD_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason} (and BEARERGUARD_REQUIRE_BROWSER=1)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def swagger_ui() -> Path:
    """The folder of Swagger UI's files, as npm has them and as FastAPI's page names them."""
    folder = HERE / "node_modules" / "swagger-ui-dist"
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]["swagger-ui-dist"]
    installed = folder / "package.json"
    if not installed.is_file() or json.loads(installed.read_text())["version"] != wanted:
        npm = shutil.which("npm")
        if npm is None:
            lacking("npm is not installed")
        install = [npm, "ci", "--ignore-scripts", "--loglevel=error"]
        done = subprocess.run(install, cwd=HERE, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            first_line, _, _ = done.stderr.partition("\n")
            lacking(f"npm could not install Swagger UI: {first_line}")
    return folder


@pytest.fixture(scope="module")
def browser(blocking_calls_fail_on_an_event_loop: BlockBuster) -> Iterator[Browser]:
    """Chromium. Its driver runs an event loop in this thread, on which the test itself may block."""
    chromium = shutil.which("chromium")
    if chromium is None:
        lacking("Chromium is not installed")
    if importlib.util.find_spec("playwright") is None:
        lacking("Playwright is not installed")
    from playwright.sync_api import sync_playwright

    blocking_calls_fail_on_an_event_loop.deactivate()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
            yield browser
            browser.close()
    finally:
        blocking_calls_fail_on_an_event_loop.activate()
