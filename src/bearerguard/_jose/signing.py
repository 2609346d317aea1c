"""Private keys that sign what this program says of itself: a client's assertion (RFC 7523, section 2.2).

Reads a JWK or PEM text and chooses the algorithm; it knows nothing of what is signed. A key that is public,
weak, encrypted or symmetric is refused with a reason, and no part of a key stands in a text or a `repr`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bearerguard._jose import base64url
from bearerguard._jose.algorithms import ALGORITHMS, CURVE_NAMES, CURVES, Algorithm
from bearerguard._jose.json_object import decode_object
from bearerguard._jose.jwk import UnusableKey
from bearerguard._limits import MAX_KID_CHARACTERS, MAX_RSA_BITS, MIN_RSA_BITS

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey

_BY_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


class SigningKey(msgspec.Struct, frozen=True):
    """A key that is ready to sign.

    Attributes:
        algorithm: the one `alg` that it signs with.
        kid: the key id under which its public half is known, or None.
        sign: returns the signature of some bytes, as a JWS wants it (RFC 7518, section 3).
    """

    algorithm: str
    kid: str | None
    sign: Callable[[bytes], bytes]

    def __repr__(self) -> str:
        return f"SigningKey({self.algorithm!r}, kid={self.kid!r})"


def read_signing_key(material: Any) -> SigningKey:
    """Return the key that a private JWK, its JSON text or PEM text describes.

    The algorithm is the JWK's `alg`, without it RS256, ES256, ES384 or ES512 by the curve, or EdDSA.

    Raises:
        UnusableKey: for anything else; the message shows nothing of it.
    """
    if isinstance(material, bytes):
        material = material.decode("utf-8", "replace")
    if isinstance(material, str) and "-----BEGIN" in material and not material.lstrip().startswith("{"):
        return _ready(_from_pem(material), None, None)
    if isinstance(material, str):
        try:
            material = decode_object(material.encode("utf-8", "replace"))
        except ValueError:
            raise UnusableKey("it is neither PEM nor the JSON text of a JWK") from None
    if not isinstance(material, Mapping):
        raise UnusableKey(f"it is a {type(material).__name__}, neither a JWK nor PEM text")
    kid = material.get("kid")
    if kid is not None and (not isinstance(kid, str) or len(kid) > MAX_KID_CHARACTERS):
        raise UnusableKey("its kid is not a string, or too long")
    return _ready(_from_jwk(material), material.get("alg"), kid)


def _from_pem(text: str) -> PrivateKey:
    if "PUBLIC KEY" in text or "CERTIFICATE" in text:
        raise UnusableKey("it is a public key: give the private one")
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - as in `jwk`

    try:
        key = load_pem_private_key(text.encode("utf-8", "replace"), None)
    except TypeError:
        raise UnusableKey("it is encrypted: give it decrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey("it is not PEM text of a private key") from None
    return cast("PrivateKey", key)  # of whatever type: `_ready` looks


def _from_jwk(jwk: Mapping[str, Any]) -> PrivateKey:
    """RFC 7518, sections 6.2.2 and 6.3.2; RFC 8037, section 2."""
    kty = jwk.get("kty")
    if kty == "oct":
        raise UnusableKey("it is symmetric: give a private RSA, EC or Ed25519 key")
    if kty not in _IMPORTERS:
        raise UnusableKey("its kty is none of RSA, EC and OKP")
    if jwk.get("d") is None:
        raise UnusableKey("it is a public key: give the private one")
    try:
        return _IMPORTERS[kty](jwk)
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        raise UnusableKey(f"its members do not make a valid private {kty} key") from None


def _rsa(jwk: Mapping[str, Any]) -> PrivateKey:
    public = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"]))
    d = _number(jwk["d"])
    if jwk.get("p") is not None and jwk.get("q") is not None:
        p, q = _number(jwk["p"]), _number(jwk["q"])
    else:
        p, q = rsa.rsa_recover_prime_factors(public.n, public.e, d)
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return numbers.private_key()


def _ec(jwk: Mapping[str, Any]) -> PrivateKey:
    curve = CURVES[jwk["crv"]]
    public = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve)
    return ec.EllipticCurvePrivateNumbers(_number(jwk["d"]), public).private_key()


def _ed25519(jwk: Mapping[str, Any]) -> PrivateKey:
    if jwk["crv"] != "Ed25519":
        raise ValueError("another curve")
    key = Ed25519PrivateKey.from_private_bytes(base64url.decode(jwk["d"].encode()))
    if key.public_key().public_bytes_raw() != base64url.decode(jwk["x"].encode()):
        raise ValueError("the two halves are not of one key")
    return key


_IMPORTERS: Mapping[Any, Callable[[Mapping[str, Any]], PrivateKey]] = {
    "RSA": _rsa,
    "EC": _ec,
    "OKP": _ed25519,
}


def _number(text: Any) -> int:
    if not isinstance(text, str):
        raise TypeError("not text")
    return int.from_bytes(base64url.decode(text.encode()), "big")


def _ready(key: PrivateKey, wanted: Any, kid: str | None) -> SigningKey:
    """Choose the algorithm and bind it to the key."""
    if isinstance(key, rsa.RSAPrivateKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise UnusableKey(
                f"it is an RSA key of {key.key_size} bits; from {MIN_RSA_BITS} to {MAX_RSA_BITS} are used"
            )
        kty, curve, usual = "RSA", None, "RS256"
    elif isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVE_NAMES:
        curve = CURVE_NAMES[key.curve.name]
        kty, usual = "EC", _BY_CURVE[curve]
    elif isinstance(key, Ed25519PrivateKey):
        kty, curve, usual = "OKP", "Ed25519", "EdDSA"
    else:
        raise UnusableKey("it is of a kind that no algorithm here signs with: give an RSA, EC or Ed25519 key")
    row = ALGORITHMS.get(usual if wanted is None else wanted) if isinstance(wanted, str | None) else None
    if row is None or row.kty != kty or row.curve != curve:
        raise UnusableKey("its alg is not one that such a key signs with")
    return SigningKey(row.name, kid, _signer(row, key))


def _signer(row: Algorithm, key: PrivateKey) -> Callable[[bytes], bytes]:
    if isinstance(key, rsa.RSAPrivateKey):
        form: padding.AsymmetricPadding = padding.PKCS1v15()
        if row.pss:
            form = padding.PSS(mgf=padding.MGF1(row.hash), salt_length=row.hash.digest_size)
        return lambda message: key.sign(message, form, row.hash)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        width = (key.curve.key_size + 7) // 8

        def sign(message: bytes) -> bytes:
            """RFC 7518, section 3.4: r and s side by side, not DER."""
            r, s = decode_dss_signature(key.sign(message, ec.ECDSA(row.hash)))
            return r.to_bytes(width, "big") + s.to_bytes(width, "big")

        return sign
    return key.sign
