from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from bearerguard._jose.algorithms import ALGORITHMS, PublicKey, Verify, _ecdsa_by, bind, fitting
from bearerguard.testing import SigningKey, signing_key

KEYS = {key_type: signing_key(key_type) for key_type in ("RSA", "P-256", "P-384", "P-521", "Ed25519", "oct")}
MESSAGE = b"header.payload"
each_algorithm = pytest.mark.parametrize("alg", list(ALGORITHMS))


def key_of(alg: str) -> SigningKey:
    return next(key for key in KEYS.values() if key.fits(alg))


def public(key: SigningKey) -> PublicKey:
    return key.private if isinstance(key.private, bytes) else key.private.public_key()


def verify_of(alg: str) -> Verify:
    return bind(ALGORITHMS[alg], public(key_of(alg)))


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def test_there_is_no_algorithm_none() -> None:
    assert not [name for name in ALGORITHMS if "none" in name.lower()]


@each_algorithm
def test_a_signature_verifies_over_what_was_signed_and_over_nothing_else(alg: str) -> None:
    verify, signature = verify_of(alg), key_of(alg).sign(alg, MESSAGE)
    assert verify(signature, MESSAGE)
    assert not verify(signature, MESSAGE + b".")
    assert not verify(signature, b"")
    for position in (0, len(signature) // 2, len(signature) - 1):
        assert not verify(flipped(signature, position), MESSAGE)


@each_algorithm
@pytest.mark.parametrize("signature", [b"", b"\0", b"\0" * 64, b"\xff" * 512], ids=["empty", "0", "00", "ff"])
def test_a_signature_of_any_length_gets_a_verdict(alg: str, signature: bytes) -> None:
    assert not verify_of(alg)(signature, MESSAGE)


@each_algorithm
@pytest.mark.filterwarnings("ignore:.*EdDSA.*")
def test_what_joserfc_signed_verifies(alg: str) -> None:
    private = cast("Any", key_of(alg).private)
    kinds: dict[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey, "oct": OctKey}
    key = kinds[ALGORITHMS[alg].kty].import_key(private)
    token = jws.serialize_compact({"alg": alg}, b"payload", key, algorithms=[alg])
    signing_input, _, signature = token.rpartition(".")
    assert verify_of(alg)(base64.urlsafe_b64decode(signature + "=="), signing_input.encode())


@each_algorithm
def test_a_hash_that_is_at_hand_is_used_only_where_the_algorithm_takes_that_hash(alg: str) -> None:
    verify, signature = verify_of(alg), key_of(alg).sign(alg, MESSAGE)
    takes_it = alg in ("RS256", "PS256", "ES256")
    assert verify(signature, MESSAGE, sha256(MESSAGE).digest())
    assert verify(signature, MESSAGE, sha256(b"another").digest()) is not takes_it
    assert verify(signature, b"another", sha256(MESSAGE).digest()) is takes_it


@each_algorithm
def test_a_signature_under_one_algorithm_is_not_one_under_another_of_the_same_key(alg: str) -> None:
    signature = key_of(alg).sign(alg, MESSAGE)
    others = [name for name in ALGORITHMS if name != alg and key_of(name) is key_of(alg)]
    verdicts = {name: verify_of(name)(signature, MESSAGE) for name in others}
    assert [name for name, verdict in verdicts.items() if verdict] == (
        [name for name in ("EdDSA", "Ed25519") if name != alg] if alg in ("EdDSA", "Ed25519") else []
    )


@pytest.mark.parametrize(
    ("key_type", "names"),
    [
        ("RSA", {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        ("P-256", {"ES256"}),
        ("P-384", {"ES384"}),
        ("P-521", {"ES512"}),
        ("Ed25519", {"EdDSA", "Ed25519"}),
        ("oct", {"HS256", "HS384", "HS512"}),
    ],
)
def test_a_key_fits_only_the_algorithms_of_its_type_and_curve(key_type: str, names: set[str]) -> None:
    kty = {"RSA": "RSA", "Ed25519": "OKP", "oct": "oct"}.get(key_type, "EC")
    curve = None if kty in ("RSA", "oct") else key_type
    assert set(fitting(kty, curve, public(KEYS[key_type]))) == names


@pytest.mark.parametrize(
    ("length", "names"),
    [(0, set()), (31, set()), (32, {"HS256"}), (63, {"HS256", "HS384"}), (64, {"HS256", "HS384", "HS512"})],
)
def test_a_secret_fits_no_hash_that_is_longer(length: int, names: set[str]) -> None:
    assert set(fitting("oct", None, b"k" * length)) == names


# -- the form of ECDSA signatures


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_an_ecdsa_signature_in_der_is_refused(alg: str) -> None:
    private = key_of(alg).private
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    der = private.sign(MESSAGE, ec.ECDSA(ALGORITHMS[alg].hash))
    decode_dss_signature(der)
    assert not verify_of(alg)(der, MESSAGE)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_r_and_s_lie_between_one_and_the_order_less_one(alg: str) -> None:
    verify, signature, private = verify_of(alg), key_of(alg).sign(alg, MESSAGE), key_of(alg).private
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    size, order = len(signature) // 2, private.curve.group_order
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    assert verify(r.to_bytes(size, "big") + s.to_bytes(size, "big"), MESSAGE)
    assert verify(r.to_bytes(size, "big") + (order - s).to_bytes(size, "big"), MESSAGE)  # its other half
    top = 256**size - 1
    for pair in ((0, s), (r, 0), (0, 0), (order, s), (r, order), (order, order), (top, s), (r, top)):
        assert not verify(b"".join(number.to_bytes(size, "big") for number in pair), MESSAGE)
    if r + order <= top:  # the same number, written differently
        assert not verify((r + order).to_bytes(size, "big") + signature[size:], MESSAGE)


# -- the parameters of the others


@pytest.mark.parametrize("salt", [0, 20, 48, pytest.param(padding.PSS.MAX_LENGTH, id="longest")])
def test_the_salt_of_pss_is_as_long_as_the_hash(salt: Any) -> None:
    private = key_of("PS256").private
    assert isinstance(private, rsa.RSAPrivateKey)
    sha = hashes.SHA256()
    form = padding.PSS(mgf=padding.MGF1(sha), salt_length=salt)
    assert not verify_of("PS256")(private.sign(MESSAGE, form, sha), MESSAGE)


def test_both_names_of_ed25519_mean_the_same_check() -> None:
    key = public(KEYS["Ed25519"])
    assert isinstance(key, Ed25519PublicKey)
    signature = KEYS["Ed25519"].sign("EdDSA", MESSAGE)
    assert all(verify(signature, MESSAGE) for verify in fitting("OKP", "Ed25519", key).values())


each_elliptic = pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])


@each_elliptic
def test_each_number_of_an_elliptic_signature_has_its_whole_length_and_no_more(alg: str) -> None:
    """Else two texts would be one token (RFC 7518, section 3.4)."""
    verify, key = verify_of(alg), key_of(alg)
    signatures = (key.sign(alg, MESSAGE) for _ in range(20_000))
    half = len(key.sign(alg, MESSAGE)) // 2
    signature = next(one for one in signatures if one[half] == 0)  # so begins the second number
    assert verify(signature, MESSAGE)
    assert not verify(signature[:half] + signature[half + 1 :], MESSAGE)
    assert not verify(signature[:half] + b"\0" + signature[half:], MESSAGE)
    assert not verify(b"\0" + signature, MESSAGE)
    assert not verify(signature + b"\0", MESSAGE)


@each_elliptic
def test_a_number_that_no_elliptic_signature_has_is_not_even_shown_to_the_key(alg: str) -> None:
    key = key_of(alg).private
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    order, size = key.curve.group_order, (key.curve.key_size + 7) // 8
    shown: list[bytes] = []

    def is_refused(r: int, s: int) -> bool:
        before = len(shown)
        signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
        is_taken = _ecdsa_by(alg)(lambda text, *_: shown.append(text), signature, MESSAGE)
        assert is_taken is (len(shown) > before)
        return not is_taken

    last = order - 1
    assert not [numbers for numbers in ((1, 1), (1, last), (last, 1), (last, last)) if is_refused(*numbers)]
    assert all(is_refused(number, 1) and is_refused(1, number) for number in (0, order, order + 1))


def test_a_signature_without_the_zero_that_it_begins_with_is_another_signature() -> None:
    """OpenSSL takes it for PSS: two texts would be one token (RFC 8017, section 8.1.2, step 1)."""
    key = rsa.generate_private_key(65537, 2048)
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    signatures = (key.sign(b"input", pss, hashes.SHA256()) for _ in range(20_000))
    signature = next(one for one in signatures if one[0] == 0)
    verify = bind(ALGORITHMS["PS256"], key.public_key())
    assert verify(signature, b"input")
    assert not verify(signature[1:], b"input")
    assert not verify(b"\0" + signature, b"input")
