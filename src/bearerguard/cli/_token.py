"""How a token gets to a command: from an argument, from standard input, or by a prompt that shows nothing.

A command line stays in the history of the shell, so it is the last choice. A token is handed on as it is:
what surrounds it is for the checks to name.
"""

from __future__ import annotations

import os
import sys

from bearerguard._extra import extra

with extra("cli"):
    import click

__all__ = ["token_from"]

_LONGEST = 1_000_000


def token_from(argument: str | None) -> str:
    """Return the token.

    Args:
        argument: what was given on the command line; `-`, or None without it, for standard input.

    Raises:
        click.UsageError: there is nothing.
    """
    if argument is not None and argument != "-":
        text = argument
    elif argument is None and sys.stdin.isatty():
        text = _prompted("Paste the token (it is not shown), then press Enter: ")
    else:
        text = sys.stdin.read(_LONGEST).rstrip("\r\n")
    if not text:
        raise click.UsageError("There is no token: give it on standard input, or paste it at the prompt.")
    return text


def _prompted(question: str) -> str:
    """What somebody types or pastes, unseen.

    getpass and click leave the terminal in its mode for lines, which cuts off all but the first 4,095
    characters of one: tokens with many groups are longer.
    """
    try:
        import termios  # noqa: PLC0415 - Windows has none
    except ImportError:
        return str(click.prompt(question.removesuffix(": "), hide_input=True))
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    unseen = termios.tcgetattr(terminal)
    unseen[3] &= ~(termios.ECHO | termios.ICANON)
    try:
        termios.tcsetattr(terminal, termios.TCSADRAIN, unseen)
        print(question, end="", file=sys.stderr, flush=True)
        return _line(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        print(file=sys.stderr)


def _line(terminal: int) -> str:
    """One line, whatever its length; Ctrl-D ends it too, backspace takes a character back."""
    typed = bytearray()
    while len(typed) < _LONGEST:
        read = os.read(terminal, 4096)
        if not read:
            break
        for byte in read:
            if byte in b"\r\n\x04":
                return typed.decode("utf-8", "replace").strip()
            if byte in b"\x08\x7f":
                del typed[-1:]
            else:
                typed.append(byte)
    return typed.decode("utf-8", "replace").strip()
