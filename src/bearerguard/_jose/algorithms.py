"""One table of every signature algorithm this library knows, and how each binds to a key.

RFC 7518 section 3.1, RFC 8037, RFC 9864. Nothing else in the library switches on `alg`. There is no `none`
in the table, so there is no code that could accept it.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol, cast

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | bytes
"""What a signature is checked with; bytes are the secret of an `oct` key."""


class Verify(Protocol):
    """The check of one key under one algorithm."""

    def __call__(self, signature: bytes, signing_input: bytes, sha256: bytes | None = None, /) -> bool:
        """Whether the signature is the key's. Never raises.

        Args:
            signature: the signature.
            signing_input: what it is over.
            sha256: the SHA-256 of that, where it is known already.
        """
        ...


class Algorithm(msgspec.Struct, frozen=True):
    """One row of the table: which keys the algorithm takes, and with which hash."""

    name: str
    kty: Literal["RSA", "EC", "OKP", "oct"]
    hash: hashes.HashAlgorithm
    curve: str | None = None
    pss: bool = False

    @property
    def is_symmetric(self) -> bool:
        """Whether verifying takes the secret that signing takes."""
        return self.kty == "oct"


_SHA: Final = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_DIGEST_INFO: Final = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
"""What stands before the hash in a PKCS #1 v1.5 signature (RFC 8017, section 9.2, note 1)."""
# Since cryptography 47; `verify` takes it, as is documented there, though its annotation leaves it out.
_ENCODED: Final = cast(
    "hashes.HashAlgorithm | None", utils.NoDigestInfo() if hasattr(utils, "NoDigestInfo") else None
)
_EC_CURVES: Final = {"256": "P-256", "384": "P-384", "512": "P-521"}
CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
"""By the name that a JWK has for it (RFC 7518, section 6.2.1.1)."""
CURVE_NAMES: Final = {curve.name: name for name, curve in CURVES.items()}
"""By the name that the library has for it."""
_EC_SIZES: Final = {name: ((curve.key_size + 7) // 8, curve.group_order) for name, curve in CURVES.items()}
"""The bytes of a coordinate, and the order of the group."""

ALGORITHMS: Final[Mapping[str, Algorithm]] = MappingProxyType(
    {
        algorithm.name: algorithm
        for algorithm in (
            *(Algorithm(f"RS{bits}", "RSA", sha) for bits, sha in _SHA.items()),
            *(Algorithm(f"PS{bits}", "RSA", sha, pss=True) for bits, sha in _SHA.items()),
            *(Algorithm(f"ES{bits}", "EC", sha, _EC_CURVES[bits]) for bits, sha in _SHA.items()),
            # Both names mean Ed25519 here (RFC 9864); a key published for one is not used for the other.
            *(Algorithm(name, "OKP", hashes.SHA512(), "Ed25519") for name in ("EdDSA", "Ed25519")),
            *(Algorithm(f"HS{bits}", "oct", sha) for bits, sha in _SHA.items()),
        )
    }
)

_ROWS: Final[Mapping[tuple[str, str | None], tuple[Algorithm, ...]]] = {
    (one.kty, one.curve): tuple(
        row for row in ALGORITHMS.values() if (row.kty, row.curve) == (one.kty, one.curve)
    )
    for one in ALGORITHMS.values()
}
"""The algorithms of each type of key and curve."""

ASYMMETRIC: Final = frozenset(name for name, row in ALGORITHMS.items() if not row.is_symmetric)
"""The algorithms that a provider takes unless told otherwise."""


def fitting(kty: str, curve: str | None, key: PublicKey, only: str | None = None) -> dict[str, Verify]:
    """Return each algorithm that a key of this type and curve can verify, with its verify function bound.

    Args:
        kty: the type of the key.
        curve: its curve, if it has one.
        key: the key.
        only: the one algorithm that is wanted; by default all.
    """
    verifiers = {}
    for row in _ROWS.get((kty, curve), ()):
        # A secret shorter than the hash it is used with does not fit (RFC 7518, section 3.2).
        if (only is None or only == row.name) and not (
            isinstance(key, bytes) and len(key) < row.hash.digest_size
        ):
            verifiers[row.name] = bind(row, key)
    return verifiers


def bind(algorithm: Algorithm, key: PublicKey) -> Verify:
    """Return the check of one key under one algorithm, with everything that can be prepared prepared."""
    return _BINDING[algorithm.kty](algorithm, key)


def _rsa(algorithm: Algorithm, key: rsa.RSAPublicKey) -> Verify:
    """RFC 7518, sections 3.3 and 3.5: the salt of PSS is as long as the hash."""
    sha, takes_sha256 = algorithm.hash, algorithm.hash.name == "sha256"
    digest, prehashed = getattr(hashlib, sha.name), utils.Prehashed(sha)
    form: padding.AsymmetricPadding = padding.PKCS1v15()
    if algorithm.pss:
        form = padding.PSS(mgf=padding.MGF1(sha), salt_length=sha.digest_size)
    elif _ENCODED is not None:
        return _rsa_encoded(algorithm, key, _ENCODED)
    check = key.verify
    size = (key.key_size + 7) // 8

    def verify(signature: bytes, signing_input: bytes, sha256: bytes | None = None, /) -> bool:
        if len(signature) != size:  # RFC 8017, 8.1.2; OpenSSL takes one without the zeros in front
            return False
        hashed = sha256 if takes_sha256 and sha256 is not None else digest(signing_input).digest()
        try:
            check(signature, hashed, form, prehashed)
        except InvalidSignature:
            return False
        return True

    return verify


def _rsa_encoded(algorithm: Algorithm, key: rsa.RSAPublicKey, encoded: hashes.HashAlgorithm) -> Verify:
    """RFC 8017, section 8.2.2: what was signed is, to the byte, the hash behind a constant that names it.

    Put together here, as OpenSSL takes 1.2 of 17 us to find out by the name of the hash how that is done.
    """
    prefix = _DIGEST_INFO[algorithm.hash.name]
    digest = getattr(hashlib, algorithm.hash.name)
    form = padding.PKCS1v15()
    size = (key.key_size + 7) // 8
    check = key.verify

    takes_sha256 = algorithm.hash.name == "sha256"

    def verify(signature: bytes, signing_input: bytes, sha256: bytes | None = None, /) -> bool:
        if len(signature) != size:  # step 1; OpenSSL leaves it to its caller
            return False
        hashed = sha256 if takes_sha256 and sha256 is not None else digest(signing_input).digest()
        try:
            check(signature, prefix + hashed, form, encoded)
        except InvalidSignature:
            return False
        return True

    return verify


def _ecdsa(algorithm: Algorithm, key: ec.EllipticCurvePublicKey) -> Verify:
    """RFC 7518, section 3.4: the signature is r and s, each as long as the curve's coordinates, never DER.

    Both lie between 1 and the order of the curve's group, less 1.
    """
    return functools.partial(_ecdsa_by(algorithm.name), key.verify)


@functools.cache  # keys of clients come with their proofs: what is the same for all is made once
def _ecdsa_by(name: str) -> Callable[..., bool]:
    """The check of any key under one algorithm, whose first argument is what the key checks."""
    row = ALGORITHMS[name]
    size, order = _EC_SIZES[cast("str", row.curve)]
    ecdsa, takes_sha256 = ec.ECDSA(utils.Prehashed(row.hash)), row.hash.name == "sha256"
    digest = getattr(hashlib, row.hash.name)
    number = int.from_bytes

    def verify(
        check: Callable[..., None],
        signature: bytes,
        signing_input: bytes,
        sha256: bytes | None = None,
        /,
    ) -> bool:
        if len(signature) != 2 * size:
            return False
        r, s = number(signature[:size], "big"), number(signature[size:], "big")
        if not (0 < r < order and 0 < s < order):
            return False
        hashed = sha256 if takes_sha256 and sha256 is not None else digest(signing_input).digest()
        try:
            check(encode_dss_signature(r, s), hashed, ecdsa)
        except InvalidSignature:
            return False
        return True

    return verify


def _ed25519(_: Algorithm, key: Ed25519PublicKey) -> Verify:
    """RFC 8037, section 3.1."""
    check = key.verify

    def verify(signature: bytes, signing_input: bytes, _: bytes | None = None, /) -> bool:
        try:
            check(signature, signing_input)
        except InvalidSignature:
            return False
        return True

    return verify


def _hmac(algorithm: Algorithm, secret: bytes) -> Verify:
    """RFC 7518, section 3.2, compared in constant time."""
    name = algorithm.hash.name
    digest, equal = hmac.digest, hmac.compare_digest

    def verify(signature: bytes, signing_input: bytes, _: bytes | None = None, /) -> bool:
        return equal(digest(secret, signing_input, name), signature)

    return verify


# By the type of the key that the algorithm is for; to ask the key for its class would take longer.
_BINDING: Final[Mapping[str, Callable[[Algorithm, Any], Verify]]] = {
    "RSA": _rsa,
    "EC": _ecdsa,
    "OKP": _ed25519,
    "oct": _hmac,
}
