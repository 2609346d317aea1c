"""Key confusion: public keys taken for secrets, secrets that are not, keys under which anything verifies."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bearerguard import ConfigurationError, InvalidToken, Provider, ResourceServer
from bearerguard.testing import SigningKey, signing_key
from tests.hostile import minting
from tests.hostile.minting import b64
from tests.hostile.oracle import Row, check_text, table, token_row

ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
SYMMETRIC = ["HS256", "HS384", "HS512"]


@pytest.fixture(scope="module")
def server() -> ResourceServer:
    return minting.server()


def refusal(server: ResourceServer, token: str) -> str:
    with pytest.raises(InvalidToken) as refused:
        server.verify(token)
    return refused.value.reason


# -- symmetric signatures with what everybody knows --------------------------------------------------------


def public_encodings(key: SigningKey) -> dict[str, bytes]:
    """A public key in every encoding that somebody might take for a secret."""
    assert not isinstance(key.private, bytes)
    public = key.private.public_key()
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    jwk = key.public_jwk()
    encodings = {
        "PEM": public.public_bytes(pem, spki),
        "PEM without its last line end": public.public_bytes(pem, spki).strip(),
        "PEM with CRLF": public.public_bytes(pem, spki).replace(b"\n", b"\r\n"),
        "PEM in one line": public.public_bytes(pem, spki).replace(b"\n", b""),
        "PEM behind white space": b"\n " + public.public_bytes(pem, spki),
        "the base64 of the PEM": b"".join(public.public_bytes(pem, spki).splitlines()[1:-1]),
        "DER": public.public_bytes(der, spki),
        "JWK": json.dumps(jwk).encode(),
        "JWK without white space": json.dumps(jwk, separators=(",", ":")).encode(),
        "JWK sorted": json.dumps(jwk, sort_keys=True).encode(),
        "JWK set": json.dumps(minting.issuer.jwks()).encode(),
        "kid": key.kid.encode(),
        "nothing": b"",
        "NUL": b"\0",
        "null": b"null",
    }
    if isinstance(public, rsa.RSAPublicKey):
        encodings["PKCS1"] = public.public_bytes(pem, serialization.PublicFormat.PKCS1)
        encodings["modulus"] = minting.unb64(jwk["n"])
        encodings["modulus as text"] = jwk["n"].encode()
        encodings["certificate"] = certificate(key)
    if isinstance(public, ec.EllipticCurvePublicKey):
        encodings["point"] = public.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        encodings["x"] = minting.unb64(jwk["x"])
    return encodings


def certificate(key: SigningKey) -> bytes:
    """A self-signed certificate of an RSA key, as PEM."""
    assert isinstance(key.private, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.test")])
    day = dt.datetime.fromtimestamp(minting.NOW, dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.private.public_key(), 1, day, day)
    return builder.sign(key.private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def confusions() -> Iterator[Row]:
    for key_alg in ("RS256", "ES256"):
        key = minting.key_for(key_alg)
        for name, secret in public_encodings(key).items():
            for alg in SYMMETRIC:
                for kid in (key.kid, minting.ABSENT):
                    named = "its kid" if kid == key.kid else "no kid"
                    yield token_row(
                        f"{alg} with the {key_alg} key's {name}, {named}",
                        minting.symmetric(secret, alg, kid),
                        "algorithm",
                    )


CONFUSIONS = list(confusions())
SECRET = signing_key("oct")


@table(CONFUSIONS)
def test_a_public_key_is_never_a_secret(
    case: Row, server: ResourceServer, caplog: pytest.LogCaptureFixture
) -> None:
    check_text(server, case, caplog)


@pytest.fixture(scope="module")
def server_with_secret() -> ResourceServer:
    """One whose provider has an `oct` key beside the public ones, and takes HS256 by name."""
    keys = {"keys": [*minting.issuer.jwks()["keys"], SECRET.secret_jwk()]}
    return minting.server(keys=keys, algorithms=[*ASYMMETRIC, *SYMMETRIC])


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in CONFUSIONS])
def test_a_public_key_is_not_a_secret_where_there_is_one_either(
    case: Row, server_with_secret: ResourceServer
) -> None:
    assert refusal(server_with_secret, case.token) in {"signature", "unknown_key"}


@pytest.mark.parametrize("alg", SYMMETRIC)
def test_a_secret_that_was_given_and_named_verifies(alg: str, server_with_secret: ResourceServer) -> None:
    assert isinstance(SECRET.private, bytes)
    server_with_secret.verify(minting.symmetric(SECRET.private, alg, SECRET.kid))


@pytest.mark.parametrize(("alg", "octets"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_shorter_than_the_hash_is_refused(alg: str, octets: int) -> None:
    """RFC 7518, section 3.2."""
    for size in (0, 1, octets - 1):
        with pytest.raises(ConfigurationError):
            minting.server(keys={"kty": "oct", "k": b64(b"k" * size)}, algorithms=[alg])
    minting.server(keys={"kty": "oct", "k": b64(b"k" * octets)}, algorithms=[alg])


def test_a_secret_is_taken_for_the_hashes_that_it_is_long_enough_for() -> None:
    secret = b"k" * 32
    server = minting.server(keys={"kty": "oct", "k": b64(secret)}, algorithms=["HS256", "HS512"])
    server.verify(minting.symmetric(secret, "HS256", None))
    assert refusal(server, minting.symmetric(secret, "HS512", None)) == "unknown_key"


@pytest.mark.parametrize("text", ["secret", "0123456789" * 10, "", '{"kty":"oct","k":"AAAA"}', "[]"])
def test_text_is_never_a_secret(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Provider(minting.ISSUER, audience=minting.AUDIENCE, keys=text, algorithms=["HS256"])


@pytest.mark.parametrize("version", [1, 3, 127])
def test_a_certificate_of_an_unknown_version_is_not_a_key(version: int) -> None:
    """It has an error of its own in the library that reads certificates."""
    pem = certificate(minting.key_for("RS256"))
    octets = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    altered = octets.replace(bytes.fromhex("a003020102"), bytes([0xA0, 3, 2, 1, version]), 1)
    assert altered != octets
    text = base64.encodebytes(altered).decode()
    with pytest.raises(ConfigurationError, match="not a PEM public key"):
        minting.server(keys=f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")


# -- keys that fit any signature ---------------------------------------------------------------------------


SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_an_ed25519_point_of_small_order_is_no_key(point: str) -> None:
    """Every encoding of the eight points, canonical or not: under some a signature of zeros fits anything."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes.fromhex(point))}
    with pytest.raises(ConfigurationError, match="small order"):
        minting.server(keys=jwk)


@pytest.mark.parametrize(
    ("n", "e"),
    [
        ("AQAB", "AQAB"),
        ("modulus", "AQ"),
        ("modulus", "Ag"),
        ("modulus", "AA"),
        ("modulus", ""),
        ("", "AQAB"),
        ("even", "AQAB"),
        ("short", "AQAB"),
        ("long", "AQAB"),
        ("modulus", b64(b"\xff" * 9)),
        ("modulus", "modulus"),
    ],
)
def test_an_rsa_key_with_numbers_that_no_key_has_is_refused(n: str, e: str) -> None:
    modulus = minting.unb64(minting.key_for("RS256").public_jwk()["n"])
    numbers = {
        "modulus": modulus, "even": modulus[:-1] + b"\0", "short": modulus[:255],
        "long": b"\xff" * 1025,
    }  # fmt: skip
    jwk = {
        "kty": "RSA",
        "n": b64(numbers[n]) if n in numbers else n,
        "e": b64(numbers[e]) if e in numbers else e,
    }
    with pytest.raises(ConfigurationError):
        minting.server(keys=jwk)
