from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jwk as joserfc_jwk

from bearerguard._jose.jwk import UnusableKey, import_jwk
from bearerguard._jose.signing import read_signing_key

RSA = rsa.generate_private_key(65537, 2048)
CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
EC = {name: ec.generate_private_key(curve) for name, curve in CURVES.items()}
ED25519 = Ed25519PrivateKey.generate()
KEYS: dict[str, Any] = {"RSA": RSA, **EC, "Ed25519": ED25519}
USUAL = {"RSA": "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}


def pem(key: Any, encryption: Any = NoEncryption()) -> str:  # noqa: B008 - a value without state
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return text.decode()


def jwk(name: str, **members: Any) -> dict[str, Any]:
    """The private key as another implementation writes it."""
    kind = {"RSA": "RSA", "Ed25519": "OKP"}.get(name, "EC")
    imported: Any = joserfc_jwk.import_key(pem(KEYS[name]), kind)  # type: ignore[call-overload]  # one of its words
    written: dict[str, Any] = imported.as_dict(private=True)
    written.pop("kid", None)
    return {**written, **members}


def public_jwk(name: str) -> dict[str, Any]:
    return {
        member: value for member, value in jwk(name).items() if member in ("kty", "crv", "x", "y", "n", "e")
    }


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("form", ["PEM", "bytes", "JWK", "JSON"])
def test_a_key_signs_with_the_algorithm_of_its_kind_whatever_form_it_is_in(name: str, form: str) -> None:
    material = {
        "PEM": pem(KEYS[name]),
        "bytes": pem(KEYS[name]).encode(),
        "JWK": jwk(name),
        "JSON": json.dumps(jwk(name)),
    }[form]
    key = read_signing_key(material)
    assert (key.algorithm, key.kid) == (USUAL[name], None)
    verify = import_jwk(public_jwk(name), allow_secret=False).verifiers[key.algorithm]
    assert verify(key.sign(b"message"), b"message")
    assert not verify(key.sign(b"message"), b"another")


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256", "PS384", "PS512"])
def test_the_algorithm_of_a_jwk_counts(algorithm: str) -> None:
    key = read_signing_key(jwk("RSA", alg=algorithm, kid="of-2026"))
    assert (key.algorithm, key.kid) == (algorithm, "of-2026")
    verify = import_jwk(public_jwk("RSA"), allow_secret=False).verifiers[algorithm]
    assert verify(key.sign(b"message"), b"message")


@pytest.mark.parametrize("primes", [(), ("p",), ("q",)], ids=["none", "p", "q"])
def test_an_rsa_key_without_both_of_its_primes_is_taken_too(primes: tuple[str, ...]) -> None:
    named = ("kty", "n", "e", "d", *primes)
    members = {name: value for name, value in jwk("RSA").items() if name in named}
    verify = import_jwk(public_jwk("RSA"), allow_secret=False).verifiers["RS256"]
    assert verify(read_signing_key(members).sign(b"message"), b"message")


def test_the_json_text_of_a_key_may_have_anything_in_its_kid_and_space_before_it() -> None:
    kid = "-----BEGIN " + 501 * "k"
    for text in (json.dumps(jwk("P-256", kid=kid)), f" \n{json.dumps(jwk('P-256', kid=kid))}"):
        assert read_signing_key(text).kid == kid
        assert read_signing_key(text.encode()).kid == kid


def test_nothing_of_a_key_stands_in_its_repr() -> None:
    assert repr(read_signing_key(jwk("P-256", kid="mine"))) == "SigningKey('ES256', kid='mine')"


def small() -> str:
    return base64.urlsafe_b64encode(b"\x01").rstrip(b"=").decode()


NO_ALGORITHM = "it is of a kind that no algorithm here signs with: give an RSA, EC or Ed25519 key"


@pytest.mark.parametrize(
    ("material", "said"),
    [
        (7, "it is a int, neither a JWK nor PEM text"),
        ("text", "it is neither PEM nor the JSON text of a JWK"),
        (b"\xff", "it is neither PEM nor the JSON text of a JWK"),
        ("\ud800", "it is neither PEM nor the JSON text of a JWK"),
        ("[]", "it is neither PEM nor the JSON text of a JWK"),
        (pem(RSA, BestAvailableEncryption(b"password")), "it is encrypted: give it decrypted"),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "it is not PEM text of a private key",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\n\ud800\n-----END PRIVATE KEY-----",
            "it is not PEM text of a private key",
        ),
        (
            RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "it is a public key: give the private one",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "it is a public key: give the private one",
        ),
        (public_jwk("RSA"), "it is a public key: give the private one"),
        (public_jwk("P-256"), "it is a public key: give the private one"),
        (public_jwk("Ed25519"), "it is a public key: give the private one"),
        ({"kty": "oct", "k": "AAAA"}, "it is symmetric: give a private RSA, EC or Ed25519 key"),
        ({"kty": "AKP", "d": "AAAA"}, "its kty is none of RSA, EC and OKP"),
        ({}, "its kty is none of RSA, EC and OKP"),
        (jwk("P-256", kid=7), "its kid is not a string, or too long"),
        (jwk("P-256", kid="k" * 513), "its kid is not a string, or too long"),
        (jwk("P-256", d=small()), "its members do not make a valid private EC key"),
        (jwk("P-256", d=7), "its members do not make a valid private EC key"),
        (jwk("P-256", crv="P-1"), "its members do not make a valid private EC key"),
        (jwk("RSA", d=small()), "its members do not make a valid private RSA key"),
        (jwk("Ed25519", x=jwk("Ed25519")["d"]), "its members do not make a valid private OKP key"),
        (jwk("Ed25519", crv="X25519"), "its members do not make a valid private OKP key"),
        (jwk("RSA", alg="ES256"), "its alg is not one that such a key signs with"),
        (jwk("P-256", alg="ES384"), "its alg is not one that such a key signs with"),
        (jwk("P-256", alg="none"), "its alg is not one that such a key signs with"),
        (jwk("P-256", alg=["ES256"]), "its alg is not one that such a key signs with"),
        (pem(ec.generate_private_key(ec.SECP256K1())), NO_ALGORITHM),
        (pem(ed448.Ed448PrivateKey.generate()), NO_ALGORITHM),
        (pem(dsa.generate_private_key(2048)), NO_ALGORITHM),
        (
            pem(rsa.generate_private_key(65537, 1024)),  # noqa: S505 - too short, to be refused
            "it is an RSA key of 1024 bits; from 2048 to 8192 are used",
        ),
    ],
)
def test_any_other_key_is_refused_and_told_without_showing_it(material: Any, said: str) -> None:
    with pytest.raises(UnusableKey) as refused:
        read_signing_key(material)
    assert str(refused.value) == said
