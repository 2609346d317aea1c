"""The keys and tokens that every measurement shares, minted once and written to files.

Each process that measures, whatever its virtual environment or language, reads the same tokens, so that no
verifier gets an easier one. Of the example and of the worst kinds there are more distinct tokens than the
servers under test remember: going round the pool, a token comes back only after `POOL_SIZE - 1` others, and
is new again. Of the others there are as many as a batch needs. No private key is written; tokens that expire
within the hour are minted anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bench import kinds
from bench.kinds import KINDS, LIFETIME_SECONDS, WORST, Claims, Kind

EXAMPLE = KINDS["example"]
ISSUER, AUDIENCE = EXAMPLE.issuer, EXAMPLE.audience
ALGORITHMS = ("RS256", "ES256", "EdDSA")
POOL_SIZE = 3 * 4096
COMPARED = (EXAMPLE, KINDS[WORST])
"""The kinds that every verifier is measured with, the example and the worst real one: many of each."""
SUBJECTS = tuple((algorithm, kind) for algorithm in ALGORITHMS for kind in COMPARED)
FEW = 1024
"""So many tokens there are of every other kind."""
REFUSED_SIZE = 2048
LARGE_TOKEN_BYTES = 1200
TOKEN_SIZES = (512, 1024, 2048, 4096, 8192, 15 * 1024)
GROWTH_SIZE = 256
KEY_COUNT = 1000


@dataclass(frozen=True)
class Material:
    """Tokens and public keys, read from the files of one directory.

    Attributes:
        directory: Where `mint` wrote them.
    """

    directory: Path

    def tokens(self, name: str) -> list[str]:
        """The tokens of one file, in their order, for example `RS256.entra` or `RS256.expired`."""
        return (self.directory / f"{name}.txt").read_text("ascii").splitlines()

    def key_set(self, name: str) -> dict[str, Any]:
        """A JWK set; under `RS256.entra` the one of that algorithm and kind, holding a single key."""
        key_set: dict[str, Any] = json.loads((self.directory / f"{name}.jwks.json").read_text("utf-8"))
        return key_set

    def public_key(self, algorithm: str) -> Any:
        """The public key of one algorithm, as `cryptography` loads it."""
        return serialization.load_pem_public_key((self.directory / f"{algorithm}.pem").read_bytes())


def providers_of(
    material: Material, kinds: Iterable[Kind], algorithm: str = "RS256"
) -> dict[str, dict[str, Any]]:
    """The providers of some kinds, each issuer once, as `AuthenticateMiddleware` takes them."""
    providers = {
        kind.issuer: {
            "issuer": kind.issuer,
            "audience": kind.audience,
            "keys": material.key_set(f"{algorithm}.{kind.name}"),
            **kind.options,
        }
        for kind in kinds
    }
    return {str(number): provider for number, provider in enumerate(providers.values())}


def encode(octets: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _uint(number: int, length: int | None = None) -> str:
    return encode(number.to_bytes(length or (number.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class _Signer:
    algorithm: str
    key: Any

    def token(self, claims: Claims, header: Mapping[str, str] = EXAMPLE.header) -> str:
        parts = ({"alg": self.algorithm, **header}, claims)
        message = ".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        return f"{message}.{encode(self.sign(message.encode()))}"

    def tokens(self, kind: Kind, count: int, now: int) -> list[str]:
        """So many tokens of a kind; signing lets go of the interpreter lock."""
        with ThreadPoolExecutor() as threads:
            return list(
                threads.map(
                    lambda number: self.token(kind.claims(number, now), kind.header), range(1, count + 1)
                )
            )

    def sign(self, message: bytes) -> bytes:
        if self.algorithm == "RS256":
            return bytes(self.key.sign(message, padding.PKCS1v15(), hashes.SHA256()))
        if self.algorithm == "ES256":
            r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return bytes(self.key.sign(message))

    def jwk(self, kid: str = EXAMPLE.header["kid"]) -> dict[str, str]:
        public = self.key.public_key()
        common = {"kid": kid, "alg": self.algorithm, "use": "sig"}
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


def _with_another_signature(tokens: list[str]) -> list[str]:
    """Each token under the signature of its neighbour: well formed in everything, valid in nothing."""
    parts = [token.rpartition(".") for token in tokens]
    return [f"{message}.{parts[number - 1][2]}" for number, (message, _, _) in enumerate(parts)]


def _junk(count: int) -> list[str]:
    """What is not a JWT at all: opaque tokens, noise without a dot, three segments of noise."""
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
    """Whether the files of `directory` are what this source mints, and their tokens live for another hour."""
    try:
        expires, source = (directory / "expires.txt").read_text("ascii").split()
    except (OSError, ValueError):
        return False
    return float(expires) > now + 3600 and source == _source()


def _source() -> str:
    files = (Path(__file__), Path(kinds.__file__))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def mint(directory: Path) -> Material:
    """Write the keys and tokens that `make bench` reads, unless fresh ones are there already.

    Args:
        directory: Where to write them; made if it is missing.

    Returns:
        The material, ready to be read.
    """
    now = int(time.time())
    if is_fresh(directory, now):
        return Material(directory)
    signers = _signers(ALGORITHMS)
    _write_kinds(
        directory,
        signers,
        lambda algorithm, kind: POOL_SIZE if kind in COMPARED else FEW,
        now,
    )
    for name, signer in signers.items():
        pool = Material(directory).tokens(f"{name}.example")
        _write(directory, f"{name}.forged", _with_another_signature(pool[:REFUSED_SIZE]))
        past = [{**EXAMPLE.claims(number, now), "exp": now - 3600} for number in range(REFUSED_SIZE)]
        _write(directory, f"{name}.expired", [signer.token(claims) for claims in past])
    _write(directory, "junk", _junk(REFUSED_SIZE))

    signer = signers["RS256"]

    def padded(size: int, count: int) -> list[str]:
        return [_padded(EXAMPLE.claims(number, now), signer, size) for number in range(count)]

    _write(directory, "RS256.large", padded(LARGE_TOKEN_BYTES, POOL_SIZE))
    for size in TOKEN_SIZES:
        _write(directory, f"RS256.{size}", padded(size, GROWTH_SIZE))

    # One RSA key is what signs; a set grows by elliptic-curve keys, of which a thousand are made in a moment.
    others = [
        _Signer("ES256", _GENERATE["ES256"]()).jwk(f"other-{number}") for number in range(KEY_COUNT - 1)
    ]
    _write_key_set(directory, "growth", [signer.jwk(), *others])
    (directory / "expires.txt").write_text(f"{now + LIFETIME_SECONDS} {_source()}", "ascii")
    return Material(directory)


def mint_few(directory: Path, count: int) -> Material:
    """Write the same for `make instructions`: `count` tokens of each kind, under RS256 only, minted anew."""
    _write_kinds(directory, _signers(["RS256"]), lambda algorithm, kind: count, int(time.time()))
    return Material(directory)


def _signers(algorithms: Iterable[str]) -> dict[str, _Signer]:
    return {name: _Signer(name, _GENERATE[name]()) for name in algorithms}


def _write(directory: Path, name: str, lines: list[str]) -> None:
    (directory / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), "ascii")


def _write_key_set(directory: Path, name: str, keys: list[dict[str, str]]) -> None:
    (directory / f"{name}.jwks.json").write_text(json.dumps({"keys": keys}), "utf-8")


def _write_kinds(
    directory: Path, signers: Mapping[str, _Signer], count: Callable[[str, Kind], int], now: int
) -> None:
    """Write each signer's public key, and its tokens and key set of each kind."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, signer in signers.items():
        (directory / f"{name}.pem").write_bytes(signer.pem())
        for kind in KINDS.values():
            _write(directory, f"{name}.{kind.name}", signer.tokens(kind, count(name, kind), now))
            _write_key_set(directory, f"{name}.{kind.name}", [signer.jwk(kind.header["kid"])])
    checked = {kind.name: [kind.issuer, kind.audience, "aud" in kind.claims(0, 0)] for kind in KINDS.values()}
    (directory / "kinds.json").write_text(json.dumps(checked), "utf-8")
