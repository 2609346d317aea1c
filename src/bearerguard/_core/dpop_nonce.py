"""The server's nonces for DPoP proofs (RFC 9449 section 9): the time, told by a secret. Nothing is kept.

Who has the secret can tell of each nonce when it was made; to everybody else it is random. All clients get
the same one: it shows that a proof was not made ahead of time, and the key shows who made it.
"""

from __future__ import annotations

from hmac import compare_digest, digest

from bearerguard._jose import base64url
from bearerguard._limits import NONCE_BYTES, NONCE_SECONDS, NONCE_STEPS


class Nonces:
    """The nonces of one secret. Safe to share by threads.

    Args:
        secret: 32 bytes or more; every process that answers for the same API needs the same.
    """

    __slots__ = ("_made", "_secret")

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        # Replaced as a whole: those of the step that was asked for last, the newest first.
        self._made: tuple[int, tuple[bytes, ...]] = (-1, ())

    def newest(self, now: float) -> str:
        """Return the nonce to hand out."""
        return self._good(int(now // NONCE_SECONDS))[0].decode()

    def good_until(self, nonce: str, now: float) -> float | None:
        """Return until when, in seconds since 1970, a nonce is good; None where it is not."""
        step = int(now // NONCE_SECONDS)
        given = nonce.encode()
        for past, good in enumerate(self._good(step)):
            if compare_digest(given, good):
                return float((step - past + NONCE_STEPS) * NONCE_SECONDS)
        return None

    def _good(self, step: int) -> tuple[bytes, ...]:
        made = self._made
        if made[0] != step:
            made = self._made = (step, tuple(self._nonce(step - past) for past in range(NONCE_STEPS)))
        return made[1]

    def _nonce(self, step: int) -> bytes:
        told = digest(self._secret, b"DPoP-Nonce %d" % step, "sha256")
        return base64url.encode(told[:NONCE_BYTES])
