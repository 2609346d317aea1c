"""The keys sign what libraries that are not this one accept."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import warnings
from typing import Any

import joserfc.jwk
import joserfc.jws
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bearerguard.testing.signing_keys import (
    ALGORITHMS,
    KEY_TYPES,
    SigningKey,
    compact,
    forgers_key,
    key_type_of,
    signing_key,
)

PAYLOAD = {"sub": "zoë", "n": [1, None, True]}


def jwk_of(key: SigningKey) -> dict[str, Any]:
    return dict(key.secret_jwk() if key.key_type == "oct" else key.public_jwk())


def compact_of(key: SigningKey, algorithm: str) -> str:
    return compact({"alg": algorithm, "kid": key.kid}, PAYLOAD, key, algorithm)


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "Ed25519"])
def test_pyjwt_accepts_what_is_signed_with(algorithm: str) -> None:
    key = signing_key(key_type_of(algorithm))
    public = jwt.PyJWK(jwk_of(key), algorithm=algorithm)
    assert jwt.decode(compact_of(key, algorithm), public, algorithms=[algorithm]) == PAYLOAD


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_joserfc_accepts_what_is_signed_with(algorithm: str) -> None:
    key = signing_key(key_type_of(algorithm))
    public = joserfc.jwk.import_key(jwk_of(key))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*EdDSA.*")  # joserfc on the name that RFC 9864 retires
        verified = joserfc.jws.deserialize_compact(compact_of(key, algorithm), public, algorithms=[algorithm])
    assert json.loads(verified.payload) == PAYLOAD


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "Ed25519"])
def test_pyjwt_refuses_the_same_token_under_another_key(algorithm: str) -> None:
    key, other = signing_key(key_type_of(algorithm)), signing_key(key_type_of(algorithm))
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(compact_of(key, algorithm), jwt.PyJWK(jwk_of(other), algorithm), algorithms=[algorithm])


def test_a_payload_of_bytes_is_signed_as_it_is() -> None:
    key = signing_key("oct")
    token = compact({"alg": "HS256"}, b"\xff not JSON", key, "HS256")
    verified = jwt.PyJWS().decode(token, jwt.PyJWK(key.secret_jwk(), "HS256"), algorithms=["HS256"])
    assert verified == b"\xff not JSON"


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_a_key_tells_its_type_and_shows_nothing_private(key_type: str) -> None:
    key = signing_key(key_type)
    assert key.key_type == key_type
    assert repr(key) == f"SigningKey(kid={key.kid!r})"


@pytest.mark.parametrize("key_type", [name for name in KEY_TYPES if name != "oct"])
def test_a_published_key_has_only_public_members(key_type: str) -> None:
    private_members = {"d", "p", "q", "dp", "dq", "qi", "k"}
    assert not private_members & signing_key(key_type).public_jwk().keys()


def test_a_secret_is_not_published_and_a_private_key_is_not_shared() -> None:
    with pytest.raises(ValueError, match="no public half"):
        signing_key("oct").public_jwk()
    with pytest.raises(ValueError, match="public_jwk"):
        signing_key("P-256").secret_jwk()


@pytest.mark.parametrize("key_type", [name for name in KEY_TYPES if name != "oct"])
def test_a_private_key_is_written_as_pem_where_it_is_asked_to(key_type: str) -> None:
    key = signing_key(key_type)
    read = load_pem_private_key(key.private_pem().encode(), None)
    assert read.public_key() == key.private.public_key()  # type: ignore[union-attr]  # not an oct key's bytes


def test_a_secret_is_not_written_as_pem() -> None:
    with pytest.raises(ValueError, match="secret_jwk"):
        signing_key("oct").private_pem()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_knows_its_own_signatures(algorithm: str) -> None:
    key, other = signing_key(key_type_of(algorithm)), signing_key(key_type_of(algorithm))
    signature = key.sign(algorithm, b"message")
    assert key.has_signed(algorithm, b"message", signature)
    assert not key.has_signed(algorithm, b"another message", signature)
    assert not key.has_signed(algorithm, b"message", signature[:-2])
    assert not other.has_signed(algorithm, b"message", signature)


def test_a_key_does_not_sign_with_an_algorithm_of_another_type() -> None:
    with pytest.raises(ValueError, match="P-256 cannot sign with ES384"):
        signing_key("P-256").sign("ES384", b"message")


def test_an_unknown_algorithm_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no algorithm 'RS1' here: take one of RS256, "):
        key_type_of("RS1")


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_no_two_borrowers_hold_one_key_or_one_kid(key_type: str) -> None:
    keys = [signing_key(key_type), signing_key(key_type), forgers_key(key_type)]
    assert len({json.dumps({**jwk_of(key), "kid": ""}) for key in keys}) == 3
    assert len({key.kid for key in keys}) == 3


def test_an_rsa_key_is_lent_again_under_a_new_kid_once_its_borrower_is_gone() -> None:
    key = signing_key("RSA")
    kid, private = key.kid, key.private
    del key
    gc.collect()
    borrowed = [signing_key("RSA")]
    while borrowed[-1].private is not private:  # other tests may have left some
        borrowed.append(signing_key("RSA"))
        assert len(borrowed) < 100
    assert borrowed[-1].kid != kid


def test_a_process_has_one_forger() -> None:
    assert forgers_key("RSA") is forgers_key("RSA")


def test_importing_the_kit_makes_no_key_and_needs_no_pytest_and_no_http_client() -> None:
    program = (
        "import sys, bearerguard.testing.plugin, bearerguard.testing as kit\n"
        "from bearerguard.testing import signing_keys\n"
        "kit.Issuer()\n"
        "assert signing_keys._idle_rsa_keys == []\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    program = (
        "import sys\nsys.modules['pytest'] = None\n"
        "from bearerguard.testing import Issuer\n"
        "print(Issuer().token().count('.'), 'httpx2' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["2", "False"]
