"""What a shared store shows: names that say nothing, values that only the secret makes and reads."""

from __future__ import annotations

import pytest

from bearerguard._core.sealing import name_of, opened, sealed
from bearerguard._limits import SEAL_NONCE_BYTES

SECRET = b"a secret that has 32 bytes or so"
OTHER = b"another secret, of the same size"
NAME = "bearerguard:k:name"
NONCE = bytes(range(SEAL_NONCE_BYTES))


def test_a_name_begins_with_the_prefix_and_shows_nothing_of_what_it_is_of() -> None:
    name = name_of("orders", SECRET, "s", b"https://login.example", b"ada")
    assert name.startswith("orders:s:")
    assert "ada" not in name
    assert len(name) == len("orders:s:") + 43


def test_what_is_told_apart_has_names_that_differ() -> None:
    names = {
        name_of("a", None, "s", b"ab", b"c"),
        name_of("a", None, "s", b"a", b"bc"),
        name_of("a", None, "s", b"abc"),
        name_of("a", None, "t", b"ab", b"c"),
        name_of("a", SECRET, "s", b"ab", b"c"),
        name_of("a", OTHER, "s", b"ab", b"c"),
        name_of("b", None, "s", b"ab", b"c"),
    }
    assert len(names) == 7


def test_a_name_is_the_same_in_every_process() -> None:
    assert name_of("a", SECRET, "s", b"ada") == name_of("a", SECRET, "s", b"ada")


def test_a_sealed_value_is_ascii_text_that_shows_nothing_and_opens_again() -> None:
    text = sealed(SECRET, NAME, 1, b"ada lovelace", NONCE)
    assert text.isascii()
    assert b"ada" not in text
    assert opened(SECRET, NAME, 1, text) == b"ada lovelace"


@pytest.mark.parametrize(
    ("secret", "name", "version"),
    [(OTHER, NAME, 1), (SECRET, "bearerguard:k:another", 1), (SECRET, NAME, 2)],
    ids=["another secret", "another name", "another version"],
)
def test_a_value_opens_only_where_it_was_sealed(secret: bytes, name: str, version: int) -> None:
    assert opened(secret, name, version, sealed(SECRET, NAME, 1, b"ada", NONCE)) is None


def test_a_value_that_was_changed_in_any_byte_does_not_open() -> None:
    text = sealed(SECRET, NAME, 1, b"ada", NONCE)
    for at in range(len(text)):
        changed = text[:at] + (b"A" if text[at : at + 1] != b"A" else b"B") + text[at + 1 :]
        assert opened(SECRET, NAME, 1, changed) is None


@pytest.mark.parametrize("text", [b"", b"AAAA", b"not base64url!", b"AAAAAAAAAAAAAAAA"])
def test_what_was_never_sealed_does_not_open(text: bytes) -> None:
    assert opened(SECRET, NAME, 1, text) is None


def test_names_and_values_are_those_that_processes_of_another_release_write_and_read() -> None:
    secret = bytes(range(32))
    with_secret = name_of("bearerguard", secret, "p", b"ada", b"key")
    without = name_of("bearerguard", None, "p", b"ada", b"key")
    assert with_secret == "bearerguard:p:jR9Z92PTjpVoF0ethnGzPiqXGJiarc63i-_ZxmY3w0s"
    assert without == "bearerguard:p:lR8iRGrJjG5m9-HHt66Kt0WXw34mFKqj6VG6o-GB_qE"
    value = sealed(secret, "bearerguard:k:x", 1, b"value", bytes(SEAL_NONCE_BYTES))
    assert value == b"AAAAAAAAAAAAAAAAp2FESlT_fvxUiIBdDWVHe3KtcHOJ"
