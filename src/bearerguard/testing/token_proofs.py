"""DPoP proofs of clients that ask for a token, which is bound to the key of the proof (RFC 9449 section 5).

An issuer of tests takes a proof once, and asks for no nonce.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from bearerguard._core.dpop_proof import Expected, check_signature, claims_of, key_of, the_proof_in
from bearerguard._core.htu import normal_form
from bearerguard.errors import InvalidDPoPProof
from bearerguard.testing.endpoints.refused import Refused
from bearerguard.testing.signing_keys import ALGORITHMS, key_type_of

__all__ = ["PROOF_ALGORITHMS", "TokenProofs"]

PROOF_ALGORITHMS = tuple(algorithm for algorithm in ALGORITHMS if key_type_of(algorithm) != "oct")
_MAX_AGE = 60.0  # seconds


class TokenProofs:
    """Takes proofs, each of them once; safe to use from threads.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._used: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def key_of(self, value: str | None, token_endpoint: str) -> str | None:
        """The thumbprint of the key that a client proves to have; None where it proves none.

        Args:
            value: that of the request's `DPoP` field.
            token_endpoint: its address.

        Raises:
            Refused: with `invalid_dpop_proof`, and what is wrong with the proof.
        """
        if value is None:
            return None
        expected = Expected("POST", normal_form(token_endpoint), None, self._clock(), _MAX_AGE)
        try:
            proof = the_proof_in([value.encode("latin-1", "replace")])
            key = key_of(proof.header, frozenset(PROOF_ALGORITHMS))
            claims = claims_of(proof.payload, expected)
            check_signature(proof, key)
        except InvalidDPoPProof as problem:
            raise Refused("invalid_dpop_proof", problem.description) from None
        used = (key.thumbprint, claims["jti"])
        with self._lock:
            if used in self._used:
                raise Refused("invalid_dpop_proof", "The DPoP proof was used before: each is good once.")
            self._used.add(used)
        return key.thumbprint
