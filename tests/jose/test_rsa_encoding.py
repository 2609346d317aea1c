"""PKCS #1 v1.5 signatures (RFC 8017, section 8.2): one encoding of a hash is right, all others are refused.

The encodings are made by hand and signed with the bare private key, as whoever forges one would like to. What
`cryptography` says of the same signature, when it is asked by the name of the hash, is the second opinion.
"""

from __future__ import annotations

import hashlib
from typing import cast

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from bearerguard._jose import algorithms
from bearerguard._jose.algorithms import ALGORITHMS, bind
from bearerguard.testing import signing_key

KEY = signing_key("RSA")
PRIVATE = cast("RSAPrivateKey", KEY.private)
PUBLIC = PRIVATE.public_key()
NUMBERS = PRIVATE.private_numbers()
MODULUS = NUMBERS.public_numbers.n
SIZE = PRIVATE.key_size // 8
MESSAGE = b"header.payload"
HASH = hashlib.sha256(MESSAGE).digest()
NAME = bytes.fromhex("300d06096086480165030402010500")
"""The AlgorithmIdentifier of SHA-256, with its NULL."""
NAME_WITHOUT_NULL = bytes.fromhex("300b0609608648016503040201")


def info(name: bytes = NAME, digest: bytes = HASH) -> bytes:
    """A DigestInfo in DER (RFC 8017, section 9.2)."""
    content = name + b"\x04" + bytes([len(digest)]) + digest
    return b"\x30" + bytes([len(content)]) + content


def padded(text: bytes, *, block: bytes = b"\x00\x01", fill: bytes = b"\xff", behind: bytes = b"") -> bytes:
    length = SIZE - len(block) - 1 - len(text) - len(behind)
    return block + fill * length + b"\x00" + text + behind


def signed(encoded: bytes) -> bytes:
    assert len(encoded) == SIZE
    number = int.from_bytes(encoded, "big")
    of_p, of_q = pow(number, NUMBERS.dmp1, NUMBERS.p), pow(number, NUMBERS.dmq1, NUMBERS.q)
    of_n = of_q + NUMBERS.q * ((of_p - of_q) * NUMBERS.iqmp % NUMBERS.p)
    return of_n.to_bytes(SIZE, "big")


def verifies(signature: bytes, message: bytes = MESSAGE, alg: str = "RS256") -> bool:
    """The verdict, which must be the one that `cryptography` gives by the name of the hash."""
    verdict = bind(ALGORITHMS[alg], PUBLIC)(signature, message)
    try:
        PUBLIC.verify(signature, message, padding.PKCS1v15(), ALGORITHMS[alg].hash)
    except InvalidSignature:
        assert not verdict
    else:
        assert verdict
    return verdict


def test_the_one_encoding_verifies() -> None:
    assert verifies(signed(padded(info())))


@pytest.mark.parametrize(
    "encoded",
    [
        padded(info(NAME_WITHOUT_NULL)),
        padded(info(bytes.fromhex("300d06096086480165030402020500"))),
        padded(info(bytes.fromhex("300906052b0e03021a0500"))),
        padded(info(bytes.fromhex("300f060960864801650304020105000500"))),
        padded(b"\x30\x81" + info()[1:]),
        padded(HASH),
        padded(info(digest=HASH[:-1])),
        padded(info(digest=HASH + b"\x00")),
        padded(info(digest=hashlib.sha256(b"another").digest())),
        padded(info(), behind=b"\x00"),
        padded(info(), behind=bytes(SIZE - 3 - 8 - len(info()))),
        padded(info(), block=b"\x00\x02"),
        padded(info(), block=b"\x00\x00"),
        padded(info(), block=b"\x00\x01\xff\x00"),
        padded(info(), fill=b"\xfe"),
        padded(info(), fill=b"\x00"),
        padded(b""),
        b"\x00\x01" + b"\xff" * (SIZE - 2),
        bytes(SIZE),
        bytes(SIZE - 1) + b"\x01",
    ],
    ids=[
        "no NULL",
        "another hash's name",
        "SHA-1's name",
        "two NULLs",
        "a length written longer",
        "the bare hash",
        "a hash cut short",
        "a longer hash",
        "of another text",
        "a byte behind it",
        "as much behind it as the padding allows",
        "padding of encryption",
        "padding of type 0",
        "padding that ends early",
        "padding with other bytes",
        "padding with zeros",
        "nothing",
        "no end of padding",
        "zero",
        "one",
    ],
)
def test_every_other_encoding_is_refused(encoded: bytes) -> None:
    assert not verifies(signed(encoded))


@pytest.mark.parametrize(
    "signature",
    [
        signed(padded(info()))[1:],
        b"\x00" + signed(padded(info())),
        signed(padded(info())) + b"\x00",
        (int.from_bytes(signed(padded(info())), "big") + MODULUS).to_bytes(SIZE + 1, "big"),
        MODULUS.to_bytes(SIZE, "big"),
        b"\xff" * SIZE,
        b"",
    ],
    ids=["a byte less", "a zero before it", "a zero behind it", "plus modulus", "modulus", "huge", "empty"],
)
def test_a_signature_is_as_long_as_the_modulus_and_less_than_it(signature: bytes) -> None:
    assert not verifies(signature)


def test_a_signature_that_begins_with_a_zero_keeps_it() -> None:
    messages = (b"header.%d" % number for number in range(10_000))
    both = ((message, KEY.sign("RS256", message)) for message in messages)
    message, signature = next((message, signature) for message, signature in both if signature[0] == 0)
    assert verifies(signature, message)
    assert not verifies(signature[1:], message)


@pytest.mark.parametrize(("exponent", "bits"), [(65537, 2050), (65537, 2056), (3, 2048)])
def test_keys_of_other_sizes_and_exponents_verify_what_they_signed(exponent: int, bits: int) -> None:
    private = generate_private_key(exponent, bits)
    assert private.key_size == bits
    sha = ALGORITHMS["RS256"].hash
    pss = padding.PSS(mgf=padding.MGF1(sha), salt_length=sha.digest_size)
    forms: dict[str, padding.AsymmetricPadding] = {"RS256": padding.PKCS1v15(), "PS256": pss}
    for alg, form in forms.items():
        verify = bind(ALGORITHMS[alg], private.public_key())
        signature = private.sign(MESSAGE, form, sha)
        assert verify(signature, MESSAGE)
        for other in (signature[1:], signature[:-1], b"\x00" + signature, signature + b"\x00"):
            assert not verify(other, MESSAGE)


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512"])
@settings(max_examples=40)
@given(position=st.integers(0, SIZE - 1), bit=st.integers(0, 7))
def test_no_bit_of_an_encoding_can_be_another(alg: str, position: int, bit: int) -> None:
    signature = KEY.sign(alg, MESSAGE)
    encoded = bytearray(pow(int.from_bytes(signature, "big"), 65537, MODULUS).to_bytes(SIZE, "big"))
    assert verifies(signed(bytes(encoded)), alg=alg)
    encoded[position] ^= 1 << bit
    if int.from_bytes(encoded, "big") < MODULUS:
        assert not verifies(signed(bytes(encoded)), alg=alg)


def test_a_cryptography_without_encoded_hashes_is_asked_by_the_name_of_the_hash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(algorithms, "_ENCODED", None)
    assert verifies(signed(padded(info())))
    assert not verifies(signed(padded(info(NAME_WITHOUT_NULL))))
