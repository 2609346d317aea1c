"""Private keys that sign tokens, and their public halves as JWKs.

For tests: a real signature by a real key for every algorithm that the library verifies. It refuses to sign
with an algorithm that does not fit the key, and writes a private key down only where it is asked to, for an
API that is configured with one.

An RSA key takes some 60 ms to make, everything else far less than one. So RSA keys are lent: a key whose
borrower is gone is lent again, under a new `kid`, and no two borrowers alive hold the same one.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import secrets
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

__all__ = [
    "ALGORITHMS",
    "KEY_TYPES",
    "SigningKey",
    "algorithm_for",
    "compact",
    "forgers_key",
    "key_type_of",
    "signing_key",
]

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey | bytes

# algorithm -> (type of key, size of the hash): RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864
_ALGORITHMS = {
    "RS256": ("RSA", 256),
    "RS384": ("RSA", 384),
    "RS512": ("RSA", 512),
    "PS256": ("RSA", 256),
    "PS384": ("RSA", 384),
    "PS512": ("RSA", 512),
    "ES256": ("P-256", 256),
    "ES384": ("P-384", 384),
    "ES512": ("P-521", 512),
    "EdDSA": ("Ed25519", 512),
    "Ed25519": ("Ed25519", 512),
    "HS256": ("oct", 256),
    "HS384": ("oct", 384),
    "HS512": ("oct", 512),
}
ALGORITHMS = tuple(_ALGORITHMS)
KEY_TYPES = ("RSA", "P-256", "P-384", "P-521", "Ed25519", "oct")

_HASHES = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}
_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_CURVE_NAMES = {curve.name: name for name, curve in _CURVES.items()}

_idle_rsa_keys: list[rsa.RSAPrivateKey] = []


def key_type_of(algorithm: str) -> str:
    """The type of key that `algorithm` needs, one of `KEY_TYPES`; `ValueError` where it is unknown."""
    try:
        return _ALGORITHMS[algorithm][0]
    except KeyError:
        raise ValueError(
            f"There is no algorithm {algorithm!r} here: take one of {', '.join(ALGORITHMS)}."
        ) from None


@dataclass(frozen=True, eq=False)
class SigningKey:
    """A private key and the `kid` under which its public half is published."""

    kid: str
    private: PrivateKey = field(repr=False)

    @property
    def key_type(self) -> str:
        """One of `KEY_TYPES`."""
        if isinstance(self.private, bytes):
            return "oct"
        if isinstance(self.private, rsa.RSAPrivateKey):
            return "RSA"
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return _CURVE_NAMES[self.private.curve.name]
        return "Ed25519"

    def fits(self, algorithm: str) -> bool:
        """Whether this key can sign with `algorithm`."""
        return key_type_of(algorithm) == self.key_type

    def sign(self, algorithm: str, message: bytes) -> bytes:
        """The signature of `message` as JWS wants it (RFC 7518 section 3; R and S are joined, not DER)."""
        if not self.fits(algorithm):
            raise ValueError(f"A key of type {self.key_type} cannot sign with {algorithm}.")
        size = _ALGORITHMS[algorithm][1]
        if isinstance(self.private, bytes):
            return hmac.digest(self.private, message, f"sha{size}")
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(message, _rsa_padding(algorithm, size), _HASHES[size])
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(_HASHES[size])))
            width = (self.private.curve.key_size + 7) // 8
            return r.to_bytes(width, "big") + s.to_bytes(width, "big")
        return self.private.sign(message)

    def has_signed(self, algorithm: str, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is one of this key's, of `message` and with `algorithm`, which fits it."""
        size = _ALGORITHMS[algorithm][1]
        if isinstance(self.private, bytes):
            return hmac.compare_digest(signature, self.sign(algorithm, message))
        try:
            if isinstance(self.private, rsa.RSAPrivateKey):
                public = self.private.public_key()
                public.verify(signature, message, _rsa_padding(algorithm, size), _HASHES[size])
            elif isinstance(self.private, ec.EllipticCurvePrivateKey):
                half = len(signature) // 2
                r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
                der = encode_dss_signature(r, s)
                self.private.public_key().verify(der, message, ec.ECDSA(_HASHES[size]))
            else:
                self.private.public_key().verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def public_jwk(self) -> dict[str, str]:
        """The public half as a JWK (RFC 7517), without `alg`: an RSA key here signs with six algorithms."""
        if isinstance(self.private, bytes):
            raise ValueError("An oct key has no public half; secret_jwk() is the secret itself.")
        common = {"use": "sig", "kid": self.kid}
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.public_key().public_numbers()
            return {
                "kty": "RSA",
                **common,
                "n": _base64url_integer(numbers.n),
                "e": _base64url_integer(numbers.e),
            }
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            point = self.private.public_key().public_numbers()
            width = (self.private.curve.key_size + 7) // 8
            x, y = (_base64url(coordinate.to_bytes(width, "big")) for coordinate in (point.x, point.y))
            return {"kty": "EC", **common, "crv": self.key_type, "x": x, "y": y}
        return {
            "kty": "OKP",
            **common,
            "crv": "Ed25519",
            "x": _base64url(self.private.public_key().public_bytes_raw()),
        }

    @property
    def thumbprint(self) -> str:
        """The thumbprint of the public half (RFC 7638): what a token is bound to by DPoP."""
        jwk = self.public_jwk()
        defining = {name: jwk[name] for name in sorted({"kty", "crv", "x", "y", "n", "e"} & jwk.keys())}
        return _base64url(hashlib.sha256(_json(defining)).digest())

    def private_pem(self) -> str:
        """The private key as PEM text (PKCS #8): for a client's configuration, published nowhere."""
        if isinstance(self.private, bytes):
            raise ValueError("An oct key is not written as PEM; secret_jwk() is the secret itself.")
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def secret_jwk(self) -> dict[str, str]:
        """An `oct` key as a JWK (RFC 7518 section 6.4): for the API's configuration, published nowhere."""
        if not isinstance(self.private, bytes):
            raise ValueError("Only an oct key is shared as a secret; public_jwk() is for all others.")
        return {"kty": "oct", "use": "sig", "kid": self.kid, "k": _base64url(self.private)}


def signing_key(key_type: str) -> SigningKey:
    """A key of `key_type` that nobody else holds, with a `kid` that nobody else has."""
    kid = f"{key_type.lower()}-{secrets.token_hex(4)}"
    if key_type == "RSA":
        return _borrowed_rsa_key(kid)
    if key_type == "oct":
        return SigningKey(kid, secrets.token_bytes(64))
    if key_type == "Ed25519":
        return SigningKey(kid, Ed25519PrivateKey.generate())
    return SigningKey(kid, ec.generate_private_key(_CURVES[key_type]))


@functools.cache
def forgers_key(key_type: str) -> SigningKey:
    """A key of `key_type` that belongs to no issuer: one per process, since a forger needs no fresh one."""
    return signing_key(key_type)


def compact(
    header: Mapping[str, Any], payload: Mapping[str, Any] | bytes, key: SigningKey, algorithm: str
) -> str:
    """A compact JWS (RFC 7515 section 7.1), signed by `key` with `algorithm`, whatever the header says."""
    message = signing_input(header, payload)
    return f"{message}.{_base64url(key.sign(algorithm, message.encode()))}"


def algorithm_for(key: SigningKey) -> str:
    """The first algorithm that a key can sign with."""
    return next(algorithm for algorithm in ALGORITHMS if key.fits(algorithm))


def signing_input(header: Mapping[str, Any], payload: Mapping[str, Any] | bytes) -> str:
    """Header and payload as they are signed (RFC 7515 section 5.1, step 5)."""
    content = payload if isinstance(payload, bytes) else _json(payload)
    return f"{_base64url(_json(header))}.{_base64url(content)}"


def _borrowed_rsa_key(kid: str) -> SigningKey:
    try:
        private = _idle_rsa_keys.pop()
    except IndexError:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    borrowed = SigningKey(kid, private)
    weakref.finalize(borrowed, _idle_rsa_keys.append, private).atexit = False
    return borrowed


def _rsa_padding(algorithm: str, size: int) -> padding.AsymmetricPadding:
    if algorithm.startswith("RS"):
        return padding.PKCS1v15()
    return padding.PSS(mgf=padding.MGF1(_HASHES[size]), salt_length=size // 8)  # RFC 7518 section 3.5


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _base64url_integer(value: int) -> str:
    return _base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))
