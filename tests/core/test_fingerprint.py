"""By what hash the signature of a remembered token is known again."""

from __future__ import annotations

import hashlib
from typing import Any

from bearerguard._core.fingerprint import fingerprint, or_sha512


def refused(_: bytes, /) -> Any:
    raise ValueError("[digital envelope routines] unsupported")


def test_it_is_blake2b_in_full_length() -> None:
    assert fingerprint(b"signature").digest() == hashlib.blake2b(b"signature", digest_size=64).digest()


def test_an_interpreter_that_has_blake2b_takes_it() -> None:
    assert or_sha512(hashlib.blake2b) is hashlib.blake2b


def test_an_interpreter_that_is_held_to_fips_140_takes_sha_512() -> None:
    assert or_sha512(refused) is hashlib.sha512


def test_an_interpreter_without_it_takes_sha_512() -> None:
    assert or_sha512(None) is hashlib.sha512
