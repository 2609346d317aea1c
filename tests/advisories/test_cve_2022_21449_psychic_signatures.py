"""CVE-2022-21449 (Java).

Elsewhere an ECDSA signature of zeros was valid for any message under any key. Here r and s lie between 1
and the order of the group less 1 (SEC 1, section 4.1.4), checked before anything is computed with them.
"""

from __future__ import annotations

import pytest

from tests.advisories.verdict import verdict
from tests.hostile import minting

SIZES = {"ES256": 32, "ES384": 48, "ES512": 66}
DER = bytes.fromhex("3006020100020100")


@pytest.mark.parametrize("alg", SIZES)
@pytest.mark.parametrize(("r", "s"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_signature_of_zeros_is_not_a_signature(alg: str, r: int, s: int) -> None:
    size = SIZES[alg]
    signed = minting.token(alg).rpartition(".")[0]
    for signature in (r.to_bytes(size) + s.to_bytes(size), DER, bytes(1), b""):
        assert verdict(minting.server(), f"{signed}.{minting.b64(signature)}") == "signature"
