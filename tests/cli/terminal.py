"""A command on a real pseudo-terminal: what somebody sees there, and what they type."""

from __future__ import annotations

import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from fcntl import ioctl
from pathlib import Path

SECONDS = 60.0
"""After which a command that says nothing more has hung."""
_TAKE_IT = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal that of the process's session, as a login does, so that Ctrl-C reaches it.

Who started the tests may have them ignore that.
"""
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_MOVE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command that runs on a terminal of its own.

    Args:
        *command: what stands after `bearerguard`.
        columns: how wide the terminal is.
        colour: whether it has colours that somebody wants.
        cwd: where the command is started.
        environ: what its environment has beside.
    """

    def __init__(
        self,
        *command: str,
        columns: int = 80,
        colour: bool = True,
        cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        surroundings = {
            name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}
        }
        surroundings |= {"TERM": "xterm-256color", **(environ or {})}
        if not colour:
            surroundings["NO_COLOR"] = "1"
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", _TAKE_IT, sys.executable, "-m", "bearerguard", *command],
            stdin=slave, stdout=slave, stderr=slave, cwd=cwd, env=surroundings, close_fds=True,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.text = ""

    def wait_for(self, words: str) -> None:
        """Read until these words have come."""
        while words not in self.text:
            if not self._read():
                raise AssertionError(f"the command ended before it said {words!r}:\n{self.text}")

    def type(self, text: str) -> None:
        """Type text, however long."""
        data = text.encode()
        while data:
            data = data[os.write(self._master, data[:1024]) :]

    def shows_what_is_typed(self) -> bool:
        """Whether the terminal echoes, as it did before the command began."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def finish(self) -> int:
        """Read to the end; return the exit status."""
        while self._read():
            pass
        os.close(self._master)
        return self._process.wait(SECONDS)

    def lines(self) -> list[str]:
        """What is seen, line by line, without colours."""
        plain = _MOVE.sub("", self.text)
        return [line.rpartition("\r")[2].rstrip() for line in plain.replace("\r\n", "\n").split("\n")]

    @property
    def has_colour(self) -> bool:
        """Whether anything of it is in colour, or bold."""
        return _STYLE.search(self.text) is not None

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], SECONDS)
        if not ready:
            self._process.kill()
            raise AssertionError(f"nothing came for {SECONDS} s:\n{self.text}")
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so where the other end is closed
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)
