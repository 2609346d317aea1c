"""The keys and tokens that every measurement shares, minted once and written to files.

Each process that measures, whatever its virtual environment or language, reads the same tokens, so that no
verifier gets an easier one. There are more distinct tokens than any cache here can hold: going round the
pool, a token comes back only after `POOL_SIZE - 1` others, three times the 4,096 that bearerguard remembers,
and is new again. No private key is written; tokens that expire within the hour are minted anew.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "https://issuer.test/"
AUDIENCE = "https://api.test"
ALGORITHMS = ("RS256", "ES256", "EdDSA")
POOL_SIZE = 3 * 4096
REFUSED_SIZE = 2048
LARGE_TOKEN_BYTES = 1200
TOKEN_SIZES = (512, 1024, 2048, 4096, 8192, 15 * 1024)
GROWTH_SIZE = 256
KEY_COUNT = 1000
LIFETIME_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Material:
    """Tokens and public keys, read from the files of one directory.

    Attributes:
        directory: Where `mint` wrote them.
    """

    directory: Path

    def tokens(self, name: str) -> list[str]:
        """The tokens of one file, in their order, for example `RS256.new` or `RS256.expired`."""
        return (self.directory / f"{name}.txt").read_text("ascii").splitlines()

    def key_set(self, name: str) -> dict[str, Any]:
        """A JWK set; under the name of an algorithm the one that signs with it, holding a single key."""
        key_set: dict[str, Any] = json.loads((self.directory / f"{name}.jwks.json").read_text("utf-8"))
        return key_set

    def public_key(self, algorithm: str) -> Any:
        """The public key of one algorithm, as `cryptography` loads it."""
        return serialization.load_pem_public_key((self.directory / f"{algorithm}.pem").read_bytes())


def encode(octets: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _uint(number: int, length: int | None = None) -> str:
    return encode(number.to_bytes(length or (number.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class _Signer:
    algorithm: str
    kid: str
    key: Any

    def token(self, claims: dict[str, Any]) -> str:
        header = {"alg": self.algorithm, "typ": "at+jwt", "kid": self.kid}
        message = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
        return f"{message}.{encode(self.sign(message.encode()))}"

    def sign(self, message: bytes) -> bytes:
        if self.algorithm == "RS256":
            return bytes(self.key.sign(message, padding.PKCS1v15(), hashes.SHA256()))
        if self.algorithm == "ES256":
            r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return bytes(self.key.sign(message))

    def jwk(self) -> dict[str, str]:
        public = self.key.public_key()
        common = {"kid": self.kid, "alg": self.algorithm, "use": "sig"}
        if self.algorithm == "RS256":
            numbers = public.public_numbers()
            return {"kty": "RSA", "n": _uint(numbers.n), "e": _uint(numbers.e), **common}
        if self.algorithm == "ES256":
            numbers = public.public_numbers()
            return {
                "kty": "EC",
                "crv": "P-256",
                "x": _uint(numbers.x, 32),
                "y": _uint(numbers.y, 32),
                **common,
            }
        return {"kty": "OKP", "crv": "Ed25519", "x": encode(public.public_bytes_raw()), **common}

    def pem(self) -> bytes:
        public = self.key.public_key()
        return bytes(
            public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )


_GENERATE: dict[str, Callable[[], Any]] = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def _claims(now: int) -> Iterator[dict[str, Any]]:
    """Claims of the size and kind of RFC 9068's own example, every token with its own `jti`."""
    number = 0
    while True:
        number += 1
        yield {
            "iss": ISSUER,
            "sub": "5ba552d67",
            "aud": AUDIENCE,
            "client_id": "s6BhdRkqt3_",
            "scope": "openid profile reademail",
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": f"dbe39bf3a3ba4238a513f51d6e1{number:07d}",
        }


def _with_another_signature(tokens: list[str]) -> list[str]:
    """Each token under the signature of its neighbour: well formed in everything, valid in nothing."""
    parts = [token.rpartition(".") for token in tokens]
    return [f"{message}.{parts[number - 1][2]}" for number, (message, _, _) in enumerate(parts)]


def _junk(count: int) -> list[str]:
    """What is no JWT at all: opaque tokens, noise without a dot, three segments of noise."""
    noise = encode(bytes(range(256)) * 2)
    kinds = (
        lambda number: f"mF_9.B5f-4.1JqM{number}",
        lambda number: f"{number:032x}",
        lambda number: f"{noise}{number}",
        lambda number: f"{noise[:60]}{number}.{noise[:280]}.{noise[:342]}",
    )
    return [kinds[number % len(kinds)](number) for number in range(count)]


def _padded(claims: dict[str, Any], signer: _Signer, size: int) -> str:
    """A token of about `size` bytes, filled up with role names as providers do it."""
    roles: list[str] = []
    claims = {**claims, "roles": roles}
    missing = size - len(signer.token(claims))
    roles.extend(f"role-{number:08d}" for number in range(max(0, missing * 3 // 4 // 17)))
    return signer.token(claims)


def is_fresh(directory: Path, now: float) -> bool:
    """Whether the files of `directory` are there and their tokens live for another hour."""
    try:
        return float((directory / "expires.txt").read_text("ascii")) > now + 3600
    except (OSError, ValueError):
        return False


def mint(directory: Path) -> Material:
    """Write the keys and tokens that the parts read, unless fresh ones are there already.

    Args:
        directory: Where to write them; made if it is missing.

    Returns:
        The material, ready to be read.
    """
    now = int(time.time())
    if is_fresh(directory, now):
        return Material(directory)
    directory.mkdir(parents=True, exist_ok=True)

    def write(name: str, lines: list[str]) -> None:
        (directory / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), "ascii")

    def write_key_set(name: str, keys: list[dict[str, str]]) -> None:
        (directory / f"{name}.jwks.json").write_text(json.dumps({"keys": keys}), "utf-8")

    signers = {name: _Signer(name, f"{name.lower()}-2026-01", make()) for name, make in _GENERATE.items()}
    for name, signer in signers.items():
        claims = _claims(now)
        pool = [signer.token(next(claims)) for _ in range(POOL_SIZE)]
        write(f"{name}.new", pool)
        write(f"{name}.forged", _with_another_signature(pool[:REFUSED_SIZE]))
        write(
            f"{name}.expired",
            [signer.token({**next(claims), "exp": now - 3600}) for _ in range(REFUSED_SIZE)],
        )
        write_key_set(name, [signer.jwk()])
        (directory / f"{name}.pem").write_bytes(signer.pem())
    write("junk", _junk(REFUSED_SIZE))

    signer, claims = signers["RS256"], _claims(now)
    write("RS256.large", [_padded(next(claims), signer, LARGE_TOKEN_BYTES) for _ in range(POOL_SIZE)])
    for size in TOKEN_SIZES:
        write(f"RS256.{size}", [_padded(next(claims), signer, size) for _ in range(GROWTH_SIZE)])

    # One RSA key is what signs; a set grows by elliptic-curve keys, of which a thousand are made in a moment.
    others = [_Signer("ES256", f"other-{number}", _GENERATE["ES256"]()) for number in range(KEY_COUNT - 1)]
    write_key_set("growth", [signer.jwk(), *(other.jwk() for other in others)])
    (directory / "expires.txt").write_text(str(now + LIFETIME_SECONDS), "ascii")
    return Material(directory)
