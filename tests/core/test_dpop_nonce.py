"""Nonces that tell the time: which are good, for how long, and that nobody can make one."""

from __future__ import annotations

import re

from bearerguard._core.dpop_nonce import Nonces

NOW = 1_700_000_000.0
STEP = NOW // 120 * 120
"""When the step of 120 s began that `NOW` is in."""
SECRET = b"s" * 32


def test_a_nonce_is_good_for_the_rest_of_its_step_and_two_more() -> None:
    nonces = Nonces(SECRET)
    nonce = nonces.newest(STEP)
    for later in (0, 119.9, 120, 239.9, 240, 359.9):
        assert nonces.good_until(nonce, STEP + later) == STEP + 360
    assert nonces.good_until(nonce, STEP + 360) is None


def test_a_nonce_of_the_end_of_a_step_is_good_for_four_minutes() -> None:
    nonces = Nonces(SECRET)
    nonce = nonces.newest(STEP + 119.9)
    assert nonces.good_until(nonce, STEP + 119.9 + 240) == STEP + 360


def test_a_nonce_of_the_future_is_not_good() -> None:
    nonces = Nonces(SECRET)
    assert nonces.good_until(nonces.newest(STEP + 120), STEP) is None


def test_all_who_share_a_secret_take_each_others_nonces_and_nobody_elses() -> None:
    nonce = Nonces(SECRET).newest(NOW)
    assert Nonces(SECRET).good_until(nonce, NOW) is not None
    assert Nonces(b"t" * 32).good_until(nonce, NOW) is None


def test_a_nonce_is_compared_whole_and_in_its_case() -> None:
    nonces = Nonces(SECRET)
    nonce = nonces.newest(NOW)
    for other in ("", " ", "null", "garbage", nonce[:-1], f"{nonce} ", nonce.swapcase(), "\u00e4" * 24):
        assert nonces.good_until(other, NOW) is None


def test_a_nonce_is_written_in_characters_that_a_header_and_a_json_text_take() -> None:
    """RFC 9449, section 8.1: 1*NQCHAR."""
    assert re.fullmatch(r"[!#-\[\]-~]{24}", Nonces(SECRET).newest(NOW))


def test_each_step_has_a_nonce_of_its_own() -> None:
    nonces = Nonces(SECRET)
    made = [nonces.newest(STEP + 120 * step) for step in range(100)]
    assert len(set(made)) == 100
    assert [nonces.newest(STEP + 120 * step) for step in range(100)] == made
