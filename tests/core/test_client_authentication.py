"""How the API says who it is: values that were worked out elsewhere, and another implementation's verdict."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import unquote_plus

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bearerguard._core.client_authentication import basic, client_assertion
from bearerguard._jose.signing import read_signing_key

NOW = 1_700_000_000.75
ISSUER = "https://login.example"


def halves(value: str) -> list[str]:
    scheme, _, text = value.partition(" ")
    assert scheme == "Basic"
    return [unquote_plus(half) for half in base64.b64decode(text).decode().split(":")]


def test_id_and_secret_are_form_encoded_before_they_are_joined() -> None:
    # The known answer of AppAuth-Android's issue 337.
    value = basic("1PpG/Q 1", "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw=")
    assert value == (
        "Basic MVBwRyUyRlErMTp6JTJGdFo5VndGWnFBcG1JUSUyQlpIMUk1cExrJTJG"
        "dUI0dWQlM0FYMiUyRjhiTCUyQndmRlR0MXJGdyUzRA=="
    )


@pytest.mark.parametrize(
    ("client_id", "secret"), [("a:b", "c:d"), ("ä ~%+&=", "日本"), ("*-._", "https://x.example/?a=b")]
)
def test_what_a_server_decodes_is_what_was_given(client_id: str, secret: str) -> None:
    assert halves(basic(client_id, secret)) == [client_id, secret]


def test_what_a_form_leaves_as_it_is_and_what_it_does_not() -> None:
    assert base64.b64decode(basic("*-._", "~", form_encoded=True)[6:]) == b"*-._:%7E"


def test_a_server_that_does_not_decode_is_given_both_as_they_are() -> None:
    assert base64.b64decode(basic("a/b", "c d", form_encoded=False)[6:]) == b"a/b:c d"


def pem(key: Any) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return text.decode()


@pytest.mark.parametrize(
    "private",
    [
        rsa.generate_private_key(65537, 2048),
        *(ec.generate_private_key(curve()) for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)),
        Ed25519PrivateKey.generate(),
    ],
    ids=["RS256", "ES256", "ES384", "ES512", "EdDSA"],
)
def test_an_assertion_is_a_jwt_that_another_implementation_accepts(private: Any) -> None:
    key = read_signing_key(pem(private))
    text = client_assertion("orders-api", ISSUER, key, now=NOW, jti="once")
    verified: Any = jwt.api_jwt.decode(
        text,
        private.public_key(),
        algorithms=[key.algorithm],
        audience=ISSUER,
        issuer="orders-api",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert verified == {
        "iss": "orders-api",
        "sub": "orders-api",
        "aud": ISSUER,
        "iat": 1_700_000_000,
        "exp": 1_700_000_060,
        "jti": "once",
    }
    assert jwt.get_unverified_header(text) == {"alg": key.algorithm, "typ": "JWT"}


def test_an_assertion_names_its_key_where_the_key_has_a_name() -> None:
    key = read_signing_key(pem(Ed25519PrivateKey.generate()))
    named = type(key)(key.algorithm, "of-2026", key.sign)
    text = client_assertion("orders-api", ISSUER, named, now=NOW, jti="once")
    assert jwt.get_unverified_header(text)["kid"] == "of-2026"
