"""What is fuzzed: functions of bytes, each of which fails by raising anything at all.

`fuzz/fuzz.py` feeds them for as long as it is told; `test_corpus.py` replays what it found worth keeping.
Keys and clock are fixed, so that an input does the same in every process. What is accepted is checked again
by an oracle that shares no code with the library.
"""

from __future__ import annotations

import json
import math
import re
from base64 import b64decode
from binascii import unhexlify
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from posixpath import normpath
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bearerguard import AuthError, DPoP, InvalidToken, Provider, Request, ResourceServer
from bearerguard._core.certificate_field import FORMATS, thumbprint_in
from bearerguard._core.introspection_answer import MalformedAnswer, compose_answer_check, read_answer
from bearerguard._jose import base64url
from bearerguard._jose.json_object import decode_json
from bearerguard._jose.key_material import UnusableKeys, read_keys
from bearerguard.stores import ReplayKey
from bearerguard.testing import SigningKey
from tests.challenge import challenge_of
from tests.hostile.challenge_grammar import parse_challenge
from tests.proxies_writing import WRITE

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
CERTIFICATE = b"\x30\x82\x01\x00" + bytes(range(256))
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 60, "sub": "a", "roles": ["b", {"c": 1.5}]}
CHECK_ANSWER = compose_answer_check(
    issuers=(ISSUER,),
    leeway=LEEWAY,
    audiences=(AUDIENCE,),
    audience_claim="aud",
    audience_checked_by_issuer=False,
    required_values={},
    refuses_other_kinds=True,
)


def signed(header: bytes, payload: bytes, alg: str) -> str:
    """A compact JWS of any bytes."""
    text = b".".join((base64url.encode(header), base64url.encode(payload)))
    return f"{text.decode()}.{base64url.encode(KEYS[alg].sign(alg, text)).decode()}"


TOKENS = {
    alg: signed(json.dumps({"alg": alg, "kid": key.kid}).encode(), json.dumps(CLAIMS).encode(), alg)
    for alg, key in KEYS.items()
}
BEARER = {f"bearer {token}".encode() for token in TOKENS.values()}

# A token that is bound to the key of a client, and a proof of that key.
ADDRESS = "https://api.test/orders"
JWK = {name: value for name, value in KEYS["ES256"].public_jwk().items() if name not in ("kid", "use")}
BOUND = signed(
    json.dumps({"alg": "EdDSA", "kid": "ed"}).encode(),
    json.dumps({**CLAIMS, "cnf": {"jkt": KEYS["ES256"].thumbprint}}).encode(),
    "EdDSA",
)
PROOF_HEADER = {"typ": "dpop+jwt", "alg": "ES256", "jwk": JWK}
PROOF_CLAIMS = {
    "jti": "1",
    "htm": "GET",
    "htu": ADDRESS,
    "iat": NOW,
    "ath": base64url.encode(sha256(BOUND.encode()).digest()).decode(),
}
PROOF = signed(json.dumps(PROOF_HEADER).encode(), json.dumps(PROOF_CLAIMS).encode(), "ES256")


class NothingSeen:
    """A store for which every proof is new: an input does the same whatever came before it."""

    def add(self, key: ReplayKey, seconds: float) -> bool:
        assert len(key.digest) == 32
        assert 0 < seconds <= 76
        return True

    def seen(self, key: ReplayKey) -> bool:
        return False


def _proving() -> ResourceServer:
    server = ResourceServer(
        Provider(ISSUER, audience=AUDIENCE, keys=PUBLISHED[:1]), dpop=DPoP(), clock=lambda: NOW
    )
    checks = server._pipeline._binding.proofs
    assert checks is not None
    checks._store = NothingSeen()
    return server


PROVING = _proving()


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


def proof(data: bytes) -> None:
    """A DPoP proof with some of its characters changed, or any header and payload properly signed."""
    if not data:
        return
    if data[0] & 0x80:
        header, _, payload = data[1:].partition(b"\n")
        if _is_proven(signed(header, payload, "ES256")):
            _judge_proof(
                json.loads(header, object_pairs_hook=_once), json.loads(payload, object_pairs_hook=_once)
            )
        return
    text = bytearray(PROOF.encode())
    for place, change in zip(data[1::3], data[2::3], strict=False):
        at = (place * len(text) // 256 + change) % max(len(text), 1)
        text[at : at + (change & 3)] = bytes([change]) * (change >> 6)
    fields = text.decode("latin-1").split("\n")
    if _is_proven(*fields):
        assert [field.strip(" \t") for field in fields] == [PROOF], "an altered proof was accepted"


def certificate(data: bytes) -> None:
    """A client's certificate in a header field: what is read is what a reader finds who minds nothing."""
    if not data:
        return
    name = sorted(FORMATS)[data[0] % len(FORMATS)]
    value = data[1:]
    if data[0] & 0x80:  # what the proxy writes, with some of its characters changed
        field = bytearray(WRITE[name](CERTIFICATE))
        for place, change in zip(data[1::3], data[2::3], strict=False):
            at = (place * len(field) // 256 + change) % max(len(field), 1)
            field[at : at + (change & 3)] = bytes([change]) * (change >> 6)
        value = bytes(field)
    try:
        found = thumbprint_in(value, FORMATS[name])
    except ValueError:
        return
    plain = unquote_to_bytes(value)
    hashes = {unhexlify(text) for text in re.findall(rb"(?=([0-9A-Fa-f]{64}))", plain)}
    for text in re.findall(rb"[0-9A-Za-z+/]+={0,2}", re.sub(rb"[\r\n]|-----[A-Z ]+-----", b"", plain)):
        with suppress(ValueError):
            hashes.add(sha256(b64decode(text)).digest())
    assert base64url.decode(found.encode()) in hashes


def answer(data: bytes) -> None:
    """What an introspection endpoint says: what is accepted is what somebody accepts who reads RFC 7662."""
    try:
        claims = read_answer(data)
    except MalformedAnswer:
        return
    said = json.loads(data, object_pairs_hook=_named_once)
    assert said["active"] is (claims is not None)
    if claims is None:
        return
    assert _same({**claims, "active": True}, said)
    try:
        CHECK_ANSWER(claims, NOW)
    except InvalidToken as error:
        parse_challenge(challenge_of(error).encode("ascii"))
        return
    assert said.get("iss") in (None, ISSUER)
    assert AUDIENCE in ([said["aud"]] if isinstance(said["aud"], str) else said["aud"])
    assert str(said.get("token_type") or "Bearer").lower() in {"bearer", "dpop"}
    assert str(said.get("token_use") or "access").lower().startswith("access")
    assert said.get("exp", NOW) > NOW - LEEWAY
    assert said.get("nbf", NOW) <= NOW + LEEWAY
    assert said.get("iat", NOW) <= NOW + LEEWAY
    if str(said.get("token_type")).lower() == "dpop":
        assert said["cnf"]["jkt"] is not None


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    assert len(members) == len(pairs), "a member that is named twice was accepted"
    return members


TARGETS: dict[str, Callable[[bytes], None]] = {
    "answer": answer,
    "parser": parser,
    "verify": verify,
    "key_set": key_set,
    "authorization": authorization,
    "certificate": certificate,
    "proof": proof,
}


def _is_proven(*proofs: str) -> bool:
    fields = [("authorization", f"DPoP {BOUND}"), *(("dpop", one) for one in proofs)]
    try:
        PROVING.authenticate(Request("GET", ADDRESS, fields))
    except AuthError as error:
        parse_challenge(challenge_of(error).encode("ascii"))
        return False
    return True


def _judge_proof(header: dict[str, Any], claims: dict[str, Any]) -> None:
    """What is accepted must be acceptable to somebody who reads RFC 9449 with Python's own parsers."""
    assert header["typ"].lower().removeprefix("application/") == "dpop+jwt"
    assert header["alg"] == "ES256"
    assert not {"crit", "b64"} & header.keys()
    assert header["jwk"].items() >= JWK.items()
    assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & header["jwk"].keys()
    assert isinstance(claims["jti"], str)
    assert 0 < len(claims["jti"]) <= 256
    assert claims["htm"] == "GET"
    url = urlsplit(claims["htu"])
    assert (url.scheme, url.hostname, url.port or 443) in (
        ("https", "api.test", 443),
        ("wss", "api.test", 443),
    )
    assert url.username is None
    assert normpath(unquote(url.path, "latin-1")).lstrip("/") == "orders"
    assert type(claims["iat"]) in (int, float)
    assert NOW - 60 <= claims["iat"] <= NOW + 15
    assert claims["ath"] == base64url.encode(sha256(BOUND.encode()).digest()).decode()
    assert claims.get("exp", NOW + 1) > NOW
    assert claims.get("nbf", NOW) <= NOW + 15


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose members have names of their own."""
    assert len(dict(pairs)) == len(pairs), "a member that is named twice was accepted"
    return dict(pairs)


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
