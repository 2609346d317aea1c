"""The signature: what a forger sends in its place, and whose key it is checked with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bearerguard import InvalidToken, ResourceServer
from bearerguard.testing import signing_key
from tests.hostile import minting
from tests.hostile.minting import b64
from tests.hostile.oracle import Row, check_everywhere, table, token_row

ALGORITHMS = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
]
ECDSA = ["ES256", "ES384", "ES512"]
ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": int(f"{'F' * 48}C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16),
    "ES512": int(f"1{'F' * 64}FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
}
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def parts(alg: str) -> tuple[str, bytes]:
    """What is signed, and the valid signature of it."""
    signed, _, signature = minting.token(alg).rpartition(".")
    return signed, minting.unb64(signature)


def put(name: str, alg: str, signature: bytes, reason: str | None = "signature") -> Row:
    """A row about other bytes in place of the signature of a valid token."""
    return token_row(f"{alg} {name}", f"{parts_of[alg][0]}.{b64(signature)}", reason)


parts_of = {alg: parts(alg) for alg in ALGORITHMS}


def altered() -> Iterator[Row]:
    for alg, (_, valid) in parts_of.items():
        size = len(valid)
        yield put("valid", alg, valid, None)
        yield put("empty", alg, b"")
        yield put("one octet", alg, b"\0")
        yield put("without its last octet", alg, valid[:-1])
        yield put("without its first octet", alg, valid[1:])
        yield put("with an octet behind", alg, valid + b"\0")
        yield put("with an octet in front", alg, b"\0" + valid)
        yield put("twice", alg, valid * 2)
        yield put("zeros", alg, bytes(size))
        yield put("ones", alg, b"\xff" * size)
        yield put("first bit", alg, bytes([valid[0] ^ 0x80]) + valid[1:])
        yield put("last bit", alg, valid[:-1] + bytes([valid[-1] ^ 1]))
        yield put("reversed", alg, valid[::-1])
        yield put("of another token", alg, parts(alg)[1][::-1])
        yield put("8 kB", alg, valid + bytes(8000))
        yield put("the text of the header", alg, parts_of[alg][0].encode()[:size])


def ecdsa() -> Iterator[Row]:
    for alg in ECDSA:
        valid = parts_of[alg][1]
        half = len(valid) // 2
        r, s, n = int.from_bytes(valid[:half]), int.from_bytes(valid[half:]), ORDERS[alg]

        def raw(r: int, s: int, half: int = half) -> bytes:
            return r.to_bytes(half) + s.to_bytes(half)

        yield put("DER", alg, encode_dss_signature(r, s))
        yield put("DER, cut to length", alg, encode_dss_signature(r, s)[: 2 * half])
        yield put("r and s swapped", alg, raw(s, r))
        for name, pair in {
            "r is zero": (0, s), "s is zero": (r, 0), "both are zero": (0, 0), "both are one": (1, 1),
            "r is the order": (n, s), "s is the order": (r, n), "both are the order": (n, n),
            "r is the order and one": (n + 1, s), "s is the order and one": (r, n + 1),
            "s is zero, r is one": (1, 0), "r is zero, s is one": (0, 1),
            "r is negative": (256**half - r, s), "r and s are as large as can be": (256**half - 1,) * 2,
        }.items():  # fmt: skip
            yield put(name, alg, raw(*pair))
        # Two signatures for one message are ECDSA's nature; neither says more than the other.
        yield put("s is negated", alg, raw(r, n - s), None)


def eddsa() -> Iterator[Row]:
    for alg in ("EdDSA", "Ed25519"):
        valid = parts_of[alg][1]
        s = int.from_bytes(valid[32:], "little")
        yield put("s is not reduced", alg, valid[:32] + (s + ED25519_ORDER).to_bytes(32, "little"))
        yield put("r is the neutral point", alg, (1).to_bytes(32, "little") + bytes(32))


def mislabelled() -> Iterator[Row]:
    """A valid signature under the name of each other algorithm, by the same key where it fits."""
    for alg in ALGORITHMS:
        key = minting.key_for(alg)
        for label in ALGORITHMS:
            if label == alg or {label, alg} == {"EdDSA", "Ed25519"}:
                continue
            header = {"alg": label, "kid": key.kid, **minting.HEADER}
            token = minting.sign(header, minting.CLAIMS, key, alg)
            reason = "signature" if key.fits(label) else "unknown_key"
            yield token_row(f"{alg} called {label}", token, reason)


def strangers() -> Iterator[Row]:
    """Keys that the issuer does not have, under each of its kids and none."""
    for alg in ALGORITHMS:
        mine, theirs = minting.key_for(alg), minting.key_for(alg, minting.attacker)
        for name, kid, reason in (
            ("its kid", mine.kid, "signature"),
            ("no kid", minting.ABSENT, "signature"),
            ("a kid of its own", theirs.kid, "unknown_key"),
        ):
            header = {"alg": alg, "kid": kid, **minting.HEADER}
            yield token_row(
                f"{alg}, a stranger's key, {name}", minting.sign(header, minting.CLAIMS, theirs, alg), reason
            )


ROWS = [*altered(), *ecdsa(), *eddsa(), *mislabelled(), *strangers()]


@table([one for one in ROWS if one.name.startswith(("RS256", "ES256", "EdDSA"))])
def test_a_signature_that_is_not_the_keys_is_refused(case: Row, caplog: pytest.LogCaptureFixture) -> None:
    check_everywhere(case, caplog)


# -- what a key says of itself -----------------------------------------------------------------------------


def published_with(signs: str, **members: Any) -> ResourceServer:
    """A server whose issuer publishes the key of an algorithm with these members, beside another key."""
    jwk = {**minting.key_for(signs).public_jwk(), **members}
    other = signing_key("P-384" if signs == "ES512" else "P-521").public_jwk()
    return minting.server(keys={"keys": [jwk, other]})


def refusal(server: ResourceServer, token: str) -> str:
    with pytest.raises(InvalidToken) as refused:
        server.verify(token)
    return refused.value.reason


UNFIT: list[dict[str, Any]] = [
    {"use": "enc"}, {"use": "SIG"}, {"use": False}, {"use": ["sig"]}, {"use": 1},
    {"key_ops": []}, {"key_ops": ["sign"]}, {"key_ops": ["encrypt"]}, {"key_ops": "sign"}, {"key_ops": {}},
    {"key_ops": ["VERIFY"]}, {"key_ops": 1}, {"key_ops": True},
    {"alg": "none"}, {"alg": False}, {"alg": "HS256"}, {"alg": "RSA-OAEP"}, {"alg": "ES256K"}, {"alg": 1},
    {"alg": []}, {"kid": 1}, {"kid": ["x"]}, {"kid": "x" * 513}, {"kty": "oct"}, {"kty": "rsa"},
    {"kty": None}, {"d": "AAAA"},
]  # fmt: skip


@pytest.mark.parametrize("members", UNFIT, ids=lambda members: f"{members!a:.50}")
@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_key_that_is_not_for_verifying_tokens_verifies_none(alg: str, members: dict[str, Any]) -> None:
    assert refusal(published_with(alg, **members), minting.token(alg)) == "unknown_key"


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("named", ALGORITHMS)
def test_a_key_published_for_one_algorithm_verifies_no_other(alg: str, named: str) -> None:
    server = published_with(alg, alg=named)
    if named == alg:
        assert server.verify(minting.token(alg)).subject == minting.CANARY
    else:
        assert refusal(server, minting.token(alg)) == "unknown_key"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_key_for_verifying_verifies(alg: str) -> None:
    server = published_with(alg, use="sig", key_ops=["verify", "sign"], alg=alg)
    assert server.verify(minting.token(alg)).subject == minting.CANARY


@pytest.mark.parametrize(("alg", "key_type"), [("ES256", "P-384"), ("ES384", "P-256"), ("ES512", "P-256")])
def test_a_key_of_another_curve_under_the_same_kid_verifies_nothing(alg: str, key_type: str) -> None:
    jwk = {**signing_key(key_type).public_jwk(), "kid": minting.key_for(alg).kid}
    assert refusal(minting.server(keys=jwk), minting.token(alg)) == "unknown_key"
