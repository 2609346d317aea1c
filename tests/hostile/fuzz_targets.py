"""What is fuzzed: four functions of bytes, each of which fails by raising anything at all.

`fuzz/fuzz.py` feeds them for as long as it is told; `test_corpus.py` replays what it found worth keeping.
Keys and clock are fixed, so that an input does the same in every process. What is accepted is checked again
by an oracle that shares no code with the library.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bearerguard import AuthError, Provider, ResourceServer
from bearerguard._jose import base64url
from bearerguard._jose.json_object import decode_json
from bearerguard._jose.key_material import UnusableKeys, read_keys
from bearerguard.testing import SigningKey
from tests.challenge import challenge_of
from tests.hostile.challenge_grammar import parse_challenge

NOW = 1_700_000_000
ISSUER = "https://issuer.test"
AUDIENCE = "https://api.test"
LEEWAY = 10

KEYS = {
    "EdDSA": SigningKey("ed", Ed25519PrivateKey.from_private_bytes(bytes(range(32)))),
    "ES256": SigningKey("ec", ec.derive_private_key(0xC0FFEE, ec.SECP256R1())),
    "HS256": SigningKey("oct", bytes(range(64))),
}
PUBLISHED = [KEYS["EdDSA"].public_jwk(), KEYS["ES256"].public_jwk(), KEYS["HS256"].secret_jwk()]
SERVER = ResourceServer(
    Provider(ISSUER, audience=AUDIENCE, keys=PUBLISHED, algorithms=list(KEYS), leeway=LEEWAY),
    clock=lambda: NOW,
)
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 60, "sub": "a", "roles": ["b", {"c": 1.5}]}


def signed(header: bytes, payload: bytes, alg: str) -> str:
    """A compact JWS of any bytes."""
    text = b".".join((base64url.encode(header), base64url.encode(payload)))
    return f"{text.decode()}.{base64url.encode(KEYS[alg].sign(alg, text)).decode()}"


TOKENS = {
    alg: signed(json.dumps({"alg": alg, "kid": key.kid}).encode(), json.dumps(CLAIMS).encode(), alg)
    for alg, key in KEYS.items()
}
BEARER = {f"bearer {token}".encode() for token in TOKENS.values()}


def parser(data: bytes) -> None:
    """base64url and JSON: one text for each byte string, and the value that Python's own parser reads."""
    try:
        decoded = base64url.decode(data)
    except ValueError:
        pass
    else:
        assert base64url.encode(decoded) == data
    try:
        value = decode_json(data)
    except ValueError:
        return
    assert _same(value, json.loads(data))


def verify(data: bytes) -> None:
    """A valid token with some of its characters changed, or any header and payload properly signed."""
    if not data:
        return
    alg = list(KEYS)[data[0] % 3]
    if data[0] & 0x80:
        header, _, payload = data[1:].partition(b"\n")
        _expect(signed(header, payload, alg), header, payload)
        return
    token = bytearray(TOKENS[alg].encode())
    for place, change in zip(data[1::3], data[2::3], strict=False):
        at = (place * len(token) // 256 + change) % max(len(token), 1)
        token[at : at + (change & 3)] = bytes([change]) * (change >> 6)
    text = token.decode("latin-1")
    if text not in TOKENS.values():
        assert _reason(text) is not None, "an altered token was accepted"


def key_set(data: bytes) -> None:
    """The importer of key sets, as for one that came over the network."""
    try:
        keys, left_out = read_keys(data)
    except UnusableKeys:
        return
    assert keys
    for key in keys:
        assert len(key.thumbprint) == 43
        assert not any(alg.startswith("HS") for alg in key.verifiers)
        for check in key.verifiers.values():
            assert not check(b"signature", b"signed")
            assert not check(bytes(64), b"signed")
    for sentence in left_out:
        assert len(sentence) < 400


def authorization(data: bytes) -> None:
    """The Authorization header, as one field for each line."""
    fields = [(b"authorization", line) for line in data.split(b"\n")]
    try:
        SERVER.authenticate(fields)
    except AuthError as error:
        parse_challenge(challenge_of(error).encode("ascii"))
        return
    scheme, _, token = fields[0][1].partition(b" ")
    assert b" ".join((scheme.lower(), token.strip(b" "))) in BEARER
    assert len(fields) == 1


TARGETS: dict[str, Callable[[bytes], None]] = {
    "parser": parser,
    "verify": verify,
    "key_set": key_set,
    "authorization": authorization,
}


def _reason(token: str) -> str | None:
    try:
        SERVER.verify(token)
    except AuthError as error:
        parse_challenge(challenge_of(error).encode("ascii"))
        return error.reason
    return None


def _expect(token: str, header: bytes, payload: bytes) -> None:
    """What is accepted must be acceptable to somebody who reads the RFCs with Python's own parser."""
    if _reason(token) is not None:
        return
    members, claims = json.loads(header), json.loads(payload)
    key = KEYS[members["alg"]]
    assert members.get("kid") in (None, key.kid)
    assert not {"crit", "b64", "enc"} & members.keys()
    assert str(members.get("typ") or "jwt").lower().removeprefix("application/") in {"jwt", "at+jwt"}
    assert claims["iss"] == ISSUER
    assert AUDIENCE in ([claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"])
    assert "cnf" not in claims
    for name in ("exp", "nbf", "iat"):
        time = claims.get(name)
        assert name not in claims or (type(time) in (int, float) and math.isfinite(time))
    assert claims["exp"] + LEEWAY > NOW
    assert (claims.get("nbf") or 0) - LEEWAY <= NOW
    assert (claims.get("iat") or 0) - LEEWAY <= NOW


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: `1`, `1.0` and `true` are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
