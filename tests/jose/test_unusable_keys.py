"""Why a key cannot be used, word for word, as configuration errors and warnings in the log say it."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard._jose.base64url import encode
from bearerguard._jose.jwk import UnusableKey, import_exact_jwk, import_jwk
from bearerguard._jose.key_material import UnusableKeys, read_keys
from bearerguard.testing import signing_key

RSA, EC, OKP = (signing_key(kind).public_jwk() for kind in ("RSA", "P-256", "Ed25519"))
MODULUS = int.from_bytes(bytes.fromhex("80" + "00" * 254 + "01"))


def number(value: int, size: int | None = None) -> str:
    return encode(value.to_bytes(size or (value.bit_length() + 7) // 8)).decode()


def rsa(n: int, e: int = 65537) -> dict[str, str]:
    return {"kty": "RSA", "n": number(n), "e": number(e)}


SENTENCES: dict[str, list[dict[str, Any]]] = {
    "its kty is missing or not a string": [{}, {"kty": None}, {"kty": 1}],
    "its kty is 'AKP', which is not a kind of signature key known here": [{"kty": "AKP"}],
    "its kty is a word, which is not a kind of signature key known here": [{"kty": "hunter2"}, {"kty": ""}],
    "its kid is not a string of at most 512 characters": [{**EC, "kid": 1}, {**EC, "kid": "k" * 513}],
    "its use is not 'sig'": [{**EC, "use": "enc"}],
    "its key_ops do not include 'verify'": [{**EC, "key_ops": ["sign"]}, {**EC, "key_ops": "sign"}],
    "it is symmetric, and a published key cannot be; for a key given as an object, name its algorithm, as "
    "algorithms=['HS256']": [{"kty": "oct", "k": number(1, 64)}],
    "it is a private key; publish only its public part, and replace it": [{**EC, "d": "AA"}],
    "no signature algorithm fits it: see its alg, its curve and its length": [{**EC, "alg": "ES384"}],
    "its n is missing or not a string": [{"kty": "RSA", "e": "AQAB"}],
    "its e is not base64url without padding (RFC 7515, section 2)": [
        {**RSA, "e": "AQAB===="},
        {**RSA, "e": "A+AB"},
        {**RSA, "e": "AQ\nAB"},
    ],
    "its x is not base64url without padding (RFC 7515, section 2)": [{**EC, "x": "A+AB"}, {**OKP, "x": "é"}],
    "its y is not base64url without padding (RFC 7515, section 2)": [{**EC, "y": "AQAB===="}],
    "it has 0 bits, and 2048 to 8192 are accepted": [{**RSA, "n": ""}],
    "it has 2047 bits, and 2048 to 8192 are accepted": [rsa(MODULUS >> 1)],
    "it has 8193 bits, and 2048 to 8192 are accepted": [rsa(1 << 8192)],
    "its exponent is even, below 3 or huge": [rsa(MODULUS, e) for e in (1, 2, 65536, 2**64 + 1)],
    "its modulus is even": [rsa(MODULUS + 1)],
    "its curve is not P-256, P-384 or P-521": [{**EC, "crv": "P-192"}, {**EC, "crv": "secp256k1"}],
    "its members do not make a valid EC key": [
        {**EC, "x": number(1, 32), "y": number(1, 32)},
        {**EC, "crv": "P-521"},
    ],
    "its curve is not Ed25519": [{**OKP, "crv": "X25519"}, {**OKP, "crv": "Ed448"}],
    "its x is not 32 bytes long": [{**OKP, "x": number(1, 31)}, {**OKP, "x": number(1, 33)}],
    "its point is of small order or not canonical": [{**OKP, "x": number(0, 32)}],
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_key_that_cannot_be_used_says_why(sentence: str) -> None:
    for jwk in SENTENCES[sentence]:
        with pytest.raises(UnusableKey) as refusal:
            import_jwk(jwk, allow_secret=False)
        assert str(refusal.value) == sentence


def test_an_empty_secret_says_so() -> None:
    with pytest.raises(UnusableKey) as refusal:
        import_jwk({"kty": "oct", "k": ""}, allow_secret=True)
    assert str(refusal.value) == "its secret is empty"


def test_a_short_secret_says_how_long_it_should_be() -> None:
    with pytest.raises(UnusableKey) as refusal:
        import_jwk({"kty": "oct", "k": number(1, 31)}, allow_secret=True)
    assert (
        str(refusal.value) == "its secret is too short: HS256 takes 32 bytes or more (RFC 7518, section 3.2)"
    )
    with pytest.raises(UnusableKey, match="no signature algorithm fits it"):
        import_jwk({"kty": "oct", "k": number(1, 32), "alg": "HS512"}, allow_secret=True)


def test_an_inexact_key_of_a_stranger_says_so() -> None:
    for jwk, sentence in (
        ({**EC, "d": None}, "it has a member of a private or symmetric key"),
        ({**RSA, "e": "AAEAAQ"}, "its numbers are not as long as they should be (RFC 7518, section 6)"),
    ):
        with pytest.raises(UnusableKey) as refusal:
            import_exact_jwk(jwk)
        assert str(refusal.value) == sentence


def test_a_key_of_the_faulty_generator_says_so() -> None:
    primes = [p for p in range(2, 168) if all(p % q for q in range(2, p))]
    product = 1
    for prime in primes:
        product *= prime
    modulus = pow(65537, 7, product) + product * (1 << (2048 - product.bit_length()))
    with pytest.raises(UnusableKey) as refusal:
        import_jwk(rsa(modulus), allow_secret=False)
    assert str(refusal.value) == "it was made by a generator whose keys can be factored (CVE-2017-15361)"


def test_an_entry_that_is_not_a_key_says_so() -> None:
    with pytest.raises(UnusableKeys) as refusal:
        read_keys({"keys": [1]})
    assert str(refusal.value) == "key 1 of 1 cannot be used: it is not a JSON object"
