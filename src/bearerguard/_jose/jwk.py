"""JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2) and PEM text, turned into checked keys.

A key that is weak, private, for encryption, malformed or of an unknown kind is refused with a reason; the
reader of a whole set decides what that means. A key's own `alg`, `use` and `key_ops` bind: they can only
narrow what it is used for. `x5c`, `x5u` and the like are ignored: a certificate chain proves nothing here.

Providers write numbers with zero bytes too many or too few, and null for what is not there. That is taken
from them (`import_jwk`), and nothing of it is kept: members and thumbprint are those of RFC 7518 and 7638. A
key that comes from anybody else has to be written exactly so (`import_exact_jwk`).
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bearerguard._jose import base64url
from bearerguard._jose.algorithms import CURVE_NAMES, CURVES, PublicKey, Verify, fitting
from bearerguard._limits import MAX_KID_CHARACTERS, MAX_RSA_BITS, MAX_RSA_EXPONENT_BITS, MIN_RSA_BITS


class UnusableKey(Exception):
    """A key cannot be used to verify a token; the message says why, without any part of the key."""


class VerificationKey(msgspec.Struct, frozen=True):
    """A key that is ready to verify.

    Attributes:
        kid: the key id it is published under, or None.
        verifiers: the verify function of each algorithm that the key may be used for.
        jwk: the members that define the key, and `kid`, `alg` and `issuer` where given; empty for a secret.
        thumbprint: SHA-256, base64url (RFC 7638); empty for a secret.
        valid: for a key out of a certificate, from when and until when that is valid, in seconds since 1970.
    """

    kid: str | None
    verifiers: Mapping[str, Verify]
    jwk: Mapping[str, str]
    thumbprint: str
    valid: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return f"VerificationKey(kid={self.kid!r}, thumbprint={self.thumbprint!r})"

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes two published keys the same key."""
        return (self.kid, self.thumbprint, frozenset(self.verifiers), self.issuer)

    @property
    def issuer(self) -> str | None:
        """For whom alone the key signs, where a key set that issuers share says so."""
        return self.jwk.get("issuer")


_KTY: Final = r"[A-Za-z]{1,4}"
_WRITTEN_LINE_END: Final = r"(?:\\+r)?\\+n|\\+r"
_PEM_LABEL: Final = r"-----BEGIN ([A-Z0-9 ]{1,40})-----"
_PEM_LABELS: Final = ("PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE")
# The members that define a key, and no others, by kty (RFC 7638 section 3.2, RFC 8037 section 2).
_DEFINING: Final = {"RSA": ("e", "n"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
# RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2; one prime of an RSA key is as good as all.
_PRIVATE: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth"))

_SECRET: Final = frozenset(("k", *_PRIVATE))


def import_jwk(
    jwk: Mapping[str, Any], *, allow_secret: bool, algorithm: str | None = None
) -> VerificationKey:
    """Return the checked key that a JWK of a provider describes, as providers write them.

    Args:
        jwk: the members of the JWK.
        allow_secret: whether an `oct` key is acceptable: never for one that came over the network.
        algorithm: the only one that the key is made ready for; by default all that it fits.

    Raises:
        UnusableKey: for any other JWK, whatever is in it.
    """
    kty = _text(jwk, "kty")
    kid = _kid(jwk)
    _refuse_other_use(jwk)
    if kty == "oct":
        if not allow_secret:
            raise UnusableKey(
                "it is symmetric, and a published key cannot be; for a key given as an object, name its "
                "algorithm, as algorithms=['HS256']"
            )
        key: PublicKey = _secret(jwk)
        defining: dict[str, str] = {}
    elif kty in _DEFINING:
        if not _PRIVATE.isdisjoint(jwk) and any(jwk.get(member) is not None for member in _PRIVATE):
            raise UnusableKey("it is a private key; publish only its public part, and replace it")
        try:
            key, defining = _IMPORTERS[kty](jwk)
        except (ValueError, UnsupportedAlgorithm):
            raise UnusableKey(f"its members do not make a valid {kty} key") from None
    else:
        shown = f"is {kty!r}" if re.fullmatch(_KTY, kty) else "is a word"
        raise UnusableKey(f"its kty {shown}, which is not a kind of signature key known here")
    alg = None if jwk.get("alg") == "" else jwk.get("alg")
    prepared = _prepare(kty, key, defining, kid, alg, algorithm=algorithm)
    issuer = jwk.get("issuer")
    if not isinstance(issuer, str) or not prepared.jwk:
        return prepared
    return msgspec.structs.replace(prepared, jwk={**prepared.jwk, "issuer": issuer})


def import_exact_jwk(jwk: Mapping[str, Any], algorithm: str | None = None) -> VerificationKey:
    """Return the checked key that a stranger's JWK describes, as in a proof (RFC 9449, section 4.2).

    One key has one text: canonical lengths (RFC 7518, sections 6.2.1 and 6.3.1), base64url, and no member
    that a private or symmetric key has, not even as null.

    Args:
        jwk: the members of the JWK.
        algorithm: as `import_jwk` has it.

    Raises:
        UnusableKey: for any other JWK, whatever is in it.
    """
    if not _SECRET.isdisjoint(jwk):
        raise UnusableKey("it has a member of a private or symmetric key")
    key = import_jwk(jwk, allow_secret=False, algorithm=algorithm)
    if not key.jwk.items() <= jwk.items():
        raise UnusableKey("its numbers are not as long as they should be (RFC 7518, section 6)")
    return key


def import_pem(pem: str, *, kid: str | None = None) -> VerificationKey:
    """Return the checked key in a PEM public key or certificate.

    Raises:
        UnusableKey: not PEM, a private key, or a key that cannot be used.
    """
    pem = re.sub(_WRITTEN_LINE_END, "\n", pem)  # as it stands in a variable of the environment, or in JSON
    if "PRIVATE KEY-----" in pem:
        raise UnusableKey("it is a private key; give only its public part")
    try:
        key, valid = _load_pem(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        label = re.search(_PEM_LABEL, pem)
        named = f": it is a {label[1]}" if label and label[1] not in _PEM_LABELS else ""
        raise UnusableKey(f"it is not a PEM public key or certificate{named}") from None
    if isinstance(key, rsa.RSAPublicKey):
        _check_rsa(key.public_numbers())
    elif isinstance(key, Ed25519PublicKey):
        _refuse_small_order(key.public_bytes_raw())
    elif not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVE_NAMES:
        raise UnusableKey("it is of a kind that does not sign tokens")
    defining = _members(key)
    return msgspec.structs.replace(_prepare(defining["kty"], key, defining, kid, None), valid=valid)


def _load_pem(pem: str) -> tuple[object, tuple[float, float] | None]:
    """The public key, and from when until when the certificate around it is valid, if there is one."""
    data = pem.encode("utf-8", "replace")
    if "BEGIN CERTIFICATE-----" not in pem:
        # With it comes all of OpenSSH's formats: a fifth of the import, for what few have.
        from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - only keys as PEM need it

        return load_pem_public_key(data), None
    # Here, because certificates are a third of the import time, and hardly anybody gives one.
    from cryptography import x509  # noqa: PLC0415 - only keys as PEM need it

    try:
        certificate = x509.load_pem_x509_certificate(data)
    except x509.InvalidVersion:  # the one error of its own kind
        raise ValueError("not a version of X.509") from None
    dates = (certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp())
    return certificate.public_key(), dates


def _members(key: PublicKey) -> dict[str, str]:
    """The members that define a public key, each in the one text that it should have."""
    if isinstance(key, rsa.RSAPublicKey):
        return _rsa_members(key.public_numbers())
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _ec_members(key.public_numbers())
    return _okp_members(cast("Ed25519PublicKey", key).public_bytes_raw())


def _rsa_members(numbers: rsa.RSAPublicNumbers) -> dict[str, str]:
    return {"kty": "RSA", "e": _uint(numbers.e), "n": _uint(numbers.n)}


def _ec_members(point: ec.EllipticCurvePublicNumbers) -> dict[str, str]:
    crv, size = CURVE_NAMES[point.curve.name], (point.curve.key_size + 7) // 8
    return {"kty": "EC", "crv": crv, "x": _uint(point.x, size), "y": _uint(point.y, size)}


def _okp_members(raw: bytes) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(raw).decode()}


_encode_in_order: Final = msgspec.json.Encoder(order="sorted").encode


def thumbprint(defining: dict[str, str]) -> str:
    """Return the JWK thumbprint (RFC 7638, section 3) of a key's defining members.

    Examples:
        >>> thumbprint({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
        'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'
    """
    canonical = _encode_in_order(defining)
    return base64url.encode(hashlib.sha256(canonical).digest()).decode()


def _prepare(
    kty: str,
    key: PublicKey,
    defining: dict[str, str],
    kid: str | None,
    alg: object,
    *,
    algorithm: str | None = None,
) -> VerificationKey:
    """Bind the key to every algorithm it fits, narrowed by its own `alg` (RFC 7517, section 4.4)."""
    verifiers = fitting(kty, defining.get("crv"), key, algorithm)
    if alg is not None:
        verifiers = {name: verify for name, verify in verifiers.items() if name == alg}
    if not verifiers and alg is None and isinstance(key, bytes):
        raise UnusableKey("its secret is too short: HS256 takes 32 bytes or more (RFC 7518, section 3.2)")
    if not verifiers and algorithm is None:
        raise UnusableKey("no signature algorithm fits it: see its alg, its curve and its length")
    if not defining:
        return VerificationKey(kid, verifiers, {}, "")
    text = thumbprint(defining)
    if kid is not None:
        defining["kid"] = kid
    if isinstance(alg, str):
        defining["alg"] = alg
    return VerificationKey(kid, verifiers, defining, text)


def _refuse_other_use(jwk: Mapping[str, Any]) -> None:
    """`use` and `key_ops`, where they say something, must name signatures (RFC 7517, sections 4.2, 4.3)."""
    if jwk.get("use") not in (None, "", "sig"):
        raise UnusableKey("its use is not 'sig'")
    operations = jwk.get("key_ops")
    if isinstance(operations, str):  # one, out of its array
        operations = [operations]
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        raise UnusableKey("its key_ops do not include 'verify'")


def _kid(jwk: Mapping[str, Any]) -> str | None:
    kid = jwk.get("kid")
    if kid is None:
        return None
    if not isinstance(kid, str) or len(kid) > MAX_KID_CHARACTERS:
        raise UnusableKey(f"its kid is not a string of at most {MAX_KID_CHARACTERS} characters")
    return kid


def _text(jwk: Mapping[str, Any], member: str) -> str:
    value = jwk.get(member)
    if not isinstance(value, str):
        raise UnusableKey(f"its {member} is missing or not a string")
    return value


def _bytes(jwk: Mapping[str, Any], member: str) -> bytes:
    try:
        return base64url.decode(_text(jwk, member).encode("ascii"))
    except ValueError:
        raise _not_base64url(member) from None


def _not_base64url(member: str) -> UnusableKey:
    return UnusableKey(f"its {member} is not base64url without padding (RFC 7515, section 2)")


def _number(jwk: Mapping[str, Any], member: str) -> int:
    """A number in big-endian bytes. Zero bytes in front are Java's sign, or are lost with some: no matter."""
    return int.from_bytes(_bytes(jwk, member), "big")


def _uint(number: int, size: int | None = None) -> str:
    """Base64urlUInt (RFC 7518, section 2); of a fixed size for a coordinate (section 6.2.1.2)."""
    length = size or (number.bit_length() + 7) // 8
    return base64url.encode(number.to_bytes(length, "big")).decode()


Imported = tuple[PublicKey, dict[str, str]]
"""A key, and the members that define it, each in the one text that it should have."""


def _rsa(jwk: Mapping[str, Any]) -> Imported:
    numbers = rsa.RSAPublicNumbers(_number(jwk, "e"), _number(jwk, "n"))
    _check_rsa(numbers)
    return numbers.public_key(), _rsa_members(numbers)


def _check_rsa(numbers: rsa.RSAPublicNumbers) -> None:
    """RFC 7518 section 3.3 for the lower bound; the upper ones keep a check from being made slow."""
    bits = numbers.n.bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        raise UnusableKey(f"it has {bits} bits, and {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted")
    if numbers.e < 3 or numbers.e % 2 == 0 or numbers.e.bit_length() > MAX_RSA_EXPONENT_BITS:
        raise UnusableKey("its exponent is even, below 3 or huge")
    if numbers.n % 2 == 0:
        raise UnusableKey("its modulus is even")
    if all(numbers.n % prime in powers for prime, powers in _roca().items()):
        raise UnusableKey("it was made by a generator whose keys can be factored (CVE-2017-15361)")


# That generator (Nemec and others, ACM CCS 2017) made primes that are powers of 65537 modulo many small
# primes, so its moduli are too. Of those small primes, the ones under which a good modulus is seldom one.
@functools.cache
def _roca() -> dict[int, frozenset[int]]:
    return {
        prime: frozenset(pow(65537, exponent, prime) for exponent in range(prime))
        for prime in (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
    }


def _ec(jwk: Mapping[str, Any]) -> Imported:
    crv = _text(jwk, "crv")
    curve = CURVES.get(crv)
    if curve is None:
        raise UnusableKey("its curve is not P-256, P-384 or P-521")
    size = (curve.key_size + 7) // 8
    (x, x_text), (y, y_text) = _coordinate(jwk, "x", size), _coordinate(jwk, "y", size)
    # A ValueError where the point is not on the curve (SEC 1, section 2.3.4; 4: it is not compressed).
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + x + y)
    return key, {"kty": "EC", "crv": crv, "x": x_text, "y": y_text}


def _coordinate(jwk: Mapping[str, Any], member: str, size: int) -> tuple[bytes, str]:
    """A coordinate as long as it should be, and its text (RFC 7518, section 6.2.1.2)."""
    text = _text(jwk, member)
    try:
        raw = base64url.decode(text.encode())
    except ValueError:
        raise _not_base64url(member) from None
    if len(raw) == size:  # then it has this one text
        return raw, text
    number = int.from_bytes(raw, "big")
    if number.bit_length() > 8 * size:
        raise ValueError("not on the curve")
    return number.to_bytes(size, "big"), _uint(number, size)


def _okp(jwk: Mapping[str, Any]) -> Imported:
    if _text(jwk, "crv") != "Ed25519":
        raise UnusableKey("its curve is not Ed25519")
    raw = _bytes(jwk, "x")
    if len(raw) != 32:
        raise UnusableKey("its x is not 32 bytes long")
    _refuse_small_order(raw)
    return Ed25519PublicKey.from_public_bytes(raw), _okp_members(raw)


_P: Final = 2**255 - 19
# The y of the points of order 8; the others of small order have y 0, 1 or -1.
_Y_OF_ORDER_8: Final = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_SMALL_ORDER_Y: Final = frozenset((0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8))


def _refuse_small_order(raw: bytes) -> None:
    """Under one of these points (RFC 8032, section 5.1) a signature of zeros fits any message."""
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _P or y in _SMALL_ORDER_Y:
        raise UnusableKey("its point is of small order or not canonical")


def _secret(jwk: Mapping[str, Any]) -> bytes:
    secret = _bytes(jwk, "k")
    if not secret:
        raise UnusableKey("its secret is empty")
    return secret


_IMPORTERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Imported]]] = {
    "RSA": _rsa,
    "EC": _ec,
    "OKP": _okp,
}
