"""The first ten minutes, as `docs/getting-started.md` has them: its commands, and what they print.

Only the two ports differ, so that the page can be followed on a machine where they are taken.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "getting-started.md").read_text("utf-8")
ISSUER, API = "http://127.0.0.1:9000", "http://127.0.0.1:8000"
BIN = str(Path(sys.executable).parent)
ENVIRON = {
    **os.environ,
    "PATH": f"{BIN}:{os.environ['PATH']}",
    "PYTHONUNBUFFERED": "1",
    "NO_PROXY": "127.0.0.1",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def command(beginning: str) -> str:
    """The command of the page that begins like this."""
    (found,) = [line for block in blocks("sh") for line in block.splitlines() if line.startswith(beginning)]
    return found


@contextmanager
def started(line: str, folder: Path) -> Generator[str]:
    """Run a server of the page at a free port; yield the address that it prints when it is there."""
    program = subprocess.Popen(
        [*shlex.split(line), "--port", "0"],
        cwd=folder,
        env=ENVIRON,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert program.stdout is not None
        said = ""
        for printed in program.stdout:
            said += printed
            if address := re.search(r"http://127\.0\.0\.1:\d+", printed):
                yield address[0]
                break
        else:
            pytest.fail(said)
    finally:
        program.terminate()
        program.communicate(timeout=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where somebody follows the page."""
    return tmp_path_factory.mktemp("first_steps")


@pytest.fixture(scope="module")
def addresses(folder: Path) -> Iterator[tuple[str, str]]:
    """Where the issuer and the API are, both started as the page says."""
    with started(command("bearerguard issuer"), folder) as issuer:
        (folder / "main.py").write_text(blocks("python")[0].replace(ISSUER, issuer), "utf-8")
        with started(command("uvicorn"), folder) as api:
            yield issuer, api


def answers(printed: str) -> list[str]:
    """What `curl -i` prints, as the page shows it: status, challenge and body, without regard to spaces."""
    found = []
    for one in re.split(r"(?=HTTP/1\.1 \d)", printed.replace("\r\n", "\n"))[1:]:
        head, _, body = one.partition("\n\n")
        status, *fields = head.splitlines()
        challenges = [field for field in fields if field.lower().startswith("www-authenticate:")]
        found.append(squeezed("".join([status, *challenges, body])))
    return found


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text).replace("www-authenticate:", "WWW-Authenticate:")


def test_the_commands_of_the_page_print_what_it_shows(addresses: tuple[str, str]) -> None:
    issuer, api = addresses
    script = "".join(block for block in blocks("sh") if "curl" in block)
    script = script.replace(ISSUER, issuer).replace(API, api)
    done = subprocess.run(
        ["bash", "-euc", script], env=ENVIRON, capture_output=True, text=True, check=True, timeout=60
    )
    assert answers(done.stdout) == [squeezed(shown) for shown in blocks("http")]


def test_what_the_page_explains_is_the_token_that_opens_the_route(
    addresses: tuple[str, str], folder: Path
) -> None:
    (asking,) = [block for block in blocks("sh") if block.startswith("token() {")]
    function, _, _ = asking.partition("\n\n")
    script = f"{function}\n{command('token orders:read |')}"
    done = subprocess.run(
        ["bash", "-euc", script.replace(ISSUER, addresses[0])],
        cwd=folder,
        env=ENVIRON,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("accepted\n")
