"""CVE-2017-15361 (the RSA library of a chip maker, known as ROCA).

Elsewhere keys made by a faulty generator were trusted, though they can be factored. Here such a key is
recognized by its modulus when it is read, and left out.
"""

from __future__ import annotations

import math

import pytest

from bearerguard import ConfigurationError
from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting

PRIMES = [prime for prime in range(2, 168) if all(prime % other for other in range(2, prime))]


def marked(bits: int) -> dict[str, str]:
    """A key whose modulus is a power of 65537 modulo many small primes, as that generator's are."""
    product = math.prod(PRIMES)
    modulus = pow(65537, 1234, product) + product * (1 << (bits - product.bit_length()))
    assert modulus.bit_length() == bits
    return {"kty": "RSA", "n": minting.b64(modulus.to_bytes(bits // 8)), "e": "AQAB"}


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_a_key_of_that_generator_is_refused(bits: int) -> None:
    with pytest.raises(ConfigurationError, match="CVE-2017-15361"):
        minting.server(keys=marked(bits))


def test_it_is_left_out_of_a_set_and_a_good_one_is_not() -> None:
    good = minting.key_for("RS256").public_jwk()
    server = minting.server(keys={"keys": [marked(2048), good]})
    assert verdict(server, minting.token("RS256")) == ACCEPTED
    assert server.health()["providers"][server.providers[0].name]["keys"] == 1
