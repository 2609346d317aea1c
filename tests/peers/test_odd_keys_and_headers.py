"""Keys and headers that are not quite what the RFCs say: bearerguard and four other libraries are asked.

The table in `docs/keys.md` is what they answer, and says why wherever bearerguard refuses.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bearerguard import AuthError, ConfigurationError, Provider, ResourceServer
from bearerguard.testing import Issuer
from bearerguard.testing.signing_keys import SigningKey, signing_key
from tests.seeds.seed_sources import ROOT, interpreter

HERE = Path(__file__).parent
PEERS = ["PyJWT", "joserfc", "Authlib", "python-jose"]
ALGORITHMS = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
Jwk = dict[str, Any]


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def data(member: str) -> bytes:
    return base64.urlsafe_b64decode(member + "=" * (-len(member) % 4))


def short_key() -> SigningKey:
    """A P-256 key of which x begins with a zero byte: found by trying, a few hundred at most."""
    while True:
        private = ec.generate_private_key(ec.SECP256R1())
        if private.public_key().public_numbers().x < 1 << 248:
            return SigningKey("short", private)


SIGNING = {"RSA": signing_key("RSA"), "EC": short_key(), "OKP": signing_key("Ed25519")}


def member(**members: Any) -> Callable[[Jwk], Jwk]:
    return lambda jwk: {**jwk, **members}


def changed(name: str, change: Callable[[str], str]) -> Callable[[Jwk], Jwk]:
    return lambda jwk: {**jwk, name: change(jwk[name])}


KEYS: dict[str, tuple[str, Callable[[Jwk], Jwk]]] = {
    "`alg: null`": ("RSA", member(alg=None)),
    '`alg: ""`': ("RSA", member(alg="")),
    "`use: null`": ("RSA", member(use=None)),
    '`use: ""`': ("RSA", member(use="")),
    "`key_ops: null`": ("RSA", member(key_ops=None)),
    '`key_ops: "verify"`': ("RSA", member(key_ops="verify")),
    "`x5c: null`": ("RSA", member(x5c=None)),
    "`d: null`": ("RSA", member(d=None)),
    "members that nobody knows": ("RSA", member(ext=True, revoked=None)),
    "zero bytes in front of `n`": ("RSA", changed("n", lambda n: text(bytes(1) + data(n)))),
    "zero bytes in front of `e`": ("RSA", changed("e", lambda e: text(bytes(2) + data(e)))),
    "`x` that lost its zero byte": ("EC", changed("x", lambda x: text(data(x).lstrip(bytes(1))))),
    "zero bytes in front of `y`": ("EC", changed("y", lambda y: text(bytes(1) + data(y)))),
    "`n` with padding": ("RSA", changed("n", lambda n: n + "==")),
    "`n` with `+` and `/`": ("RSA", changed("n", lambda n: base64.b64encode(data(n)).decode())),
    "`n` in several lines": ("RSA", changed("n", lambda n: n[:76] + "\n" + n[76:])),
    "`n` with other characters": ("RSA", changed("n", lambda n: "!" + n)),
    "`e` as a number": ("RSA", member(e=65537)),
    "`x` of Ed25519 with a zero byte too many": ("OKP", changed("x", lambda x: text(data(x) + bytes(1)))),
    "`kid: 1`": ("RSA", member(kid=1)),
    '`kty: "rsa"`': ("RSA", member(kty="rsa")),
    '`crv: "secp256r1"`': ("EC", member(crv="secp256r1")),
    '`alg: "RSA"`': ("RSA", member(alg="RSA")),
    "`alg` of another algorithm": ("RSA", member(alg="RS512")),
    '`use: "SIG"`': ("RSA", member(use="SIG")),
    '`use: "enc"`': ("RSA", member(use="enc")),
    "`key_ops: []`": ("RSA", member(key_ops=[])),
    '`key_ops: ["sign"]`': ("RSA", member(key_ops=["sign"])),
    "`p` of the private key": ("RSA", member(p="AQAB")),
}
HEADERS: dict[str, dict[str, Any]] = {
    '`zip: "NONE"` in the header': {"zip": "NONE"},
    '`zip: "DEF"` in the header': {"zip": "DEF"},
    "`typ: null` in the header": {"typ": None},
    "`jku`, `jwk`, `x5c` or `x5t` in the header": {"jku": "", "jwk": None, "x5c": [], "x5t": None},
    "members that nobody knows in the header": {"revoked": 1},
    '`crit: ["zip"]` in the header': {"crit": ["zip"], "zip": "DEF"},
    "`crit: []` in the header": {"crit": []},
    "`b64: true` in the header": {"b64": True},
    "`enc` in the header": {"enc": "A128GCM"},
    '`cty: "JWT"` in the header': {"cty": "JWT"},
    "`cty: null` in the header": {"cty": None},
    "`kid: 1` in the header": {"kid": 1},
}


def asked() -> dict[str, tuple[Jwk, str, str]]:
    """For each row a key set, a token and its algorithm."""
    questions: dict[str, tuple[Jwk, str, str]] = {}
    for name, (kty, change) in KEYS.items():
        key = SIGNING[kty]
        jwk = change({**key.public_jwk(), "kid": "k"})
        questions[name] = ({"keys": [jwk]}, signed(key, ALGORITHMS[kty], {}), ALGORITHMS[kty])
    for name, header in HEADERS.items():
        key = SIGNING["RSA"]
        jwk = {**key.public_jwk(), "kid": "k"}
        questions[name] = ({"keys": [jwk]}, signed(key, "RS256", header), "RS256")
    return questions


ISSUER = Issuer()
CLAIMS = {"iss": ISSUER.url, "aud": "https://api.test", "sub": "ada", "exp": 4_000_000_000}


def signed(key: SigningKey, alg: str, header: dict[str, Any]) -> str:
    members = {"alg": alg, "kid": "k", "typ": "JWT", **header}
    signing_input = ".".join(text(json.dumps(part).encode()) for part in (members, CLAIMS))
    return f"{signing_input}.{text(key.sign(alg, signing_input.encode()))}"


def taken(keys: Jwk, token: str) -> bool:
    """Whether bearerguard takes the token, with the keys given in this form."""
    try:
        provider = Provider(ISSUER.url, audience="https://api.test", keys=keys)
        return ResourceServer(provider, clock=ISSUER.clock).verify(token).subject == "ada"
    except (AuthError, ConfigurationError):
        return False


def documented() -> dict[str, list[str]]:
    """The rows of the table in the documentation, by their first cell."""
    below = (ROOT / "docs" / "keys.md").read_text("utf-8").split("\n## Odd keys and headers\n", 1)[1]
    lines = [line for line in below.split("\n## ", 1)[0].splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert rows[0][1:6] == ["bearerguard", *PEERS]
    return {row[0]: row[1:] for row in rows[2:]}


def test_the_table_says_what_bearerguard_takes_and_why_it_refuses_what_it_does() -> None:
    rows, questions = documented(), asked()
    assert list(rows) == list(questions)
    for name, (keys, token, _) in questions.items():
        assert (name, rows[name][0]) == (name, "yes" if taken(keys, token) else "no")
        assert bool(rows[name][5]) == (rows[name][0] == "no"), f"{name}: a reason where it is refused"


def test_the_table_says_what_four_other_libraries_take() -> None:
    rows, questions = documented(), asked()
    python = interpreter(HERE / "requirements.txt", "venv-peers")
    answer = subprocess.run(
        [python, str(HERE / "ask_peers.py")],
        input=json.dumps(list(questions.values())),
        check=True,
        capture_output=True,
        text=True,
    )
    verdicts = dict(zip(questions, json.loads(answer.stdout), strict=True))
    said = {name: ["yes" if verdict[peer] else "no" for peer in PEERS] for name, verdict in verdicts.items()}
    assert said == {name: row[1:5] for name, row in rows.items()}


@pytest.mark.parametrize("kty", SIGNING)
def test_an_ordinary_key_and_header_are_taken(kty: str) -> None:
    key = SIGNING[kty]
    assert taken({"keys": [{**key.public_jwk(), "kid": "k"}]}, signed(key, ALGORITHMS[kty], {}))
