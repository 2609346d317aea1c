"""The dearest refused request that is found, against a valid token of its size that was never seen.

The sender of a token chooses all that is in it, so this searches: JSON that is dear to read, as payload under
a known and an unknown key id and as header, in several sizes. Nothing in it is verified when it is refused.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator

from bearerguard import AuthError, ResourceServer
from bearerguard.testing import Issuer
from bench.report import Figure, Findings
from bench.rounds import Spread
from bench.settings import Settings

SIZES = (1_000, 4_000, 11_800)
TARGET = 5.0
UNITS = (
    b"[]", b"{}", b"[[]]", b"[[[[]]]]", b'""', b"1", b"null", b"1e3", b"123456789", b'"["', b'"\\\\"',
    b'"\\u0041"', b'{"a":1}', b'{"":[]}', b'"[\\"{"', b"[" * 60 + b"]" * 60,
)  # fmt: skip
"""What a list is made of."""


def measure(settings: Settings) -> Findings:
    """Return the dearest request of each size."""
    issuer = Issuer(algorithm="RS256")
    server = ResourceServer(issuer.provider(keys=issuer.jwks()))
    looks = 20 if settings.rounds < 20 else 60
    figures = []
    for size in SIZES:
        valid = itertools.cycle(_valid(issuer, size, looks + 1))
        accepted = _fastest(server, lambda valid=valid: next(valid), looks)
        found = [
            (_fastest(server, lambda token=token: token, looks) / accepted, name)
            for name, token in _refused(issuer, size)
        ]
        ratio, name = max(found)
        what = (
            f"dearest of {len(found)} refused requests of {size:,} bytes ({name}), against a valid new token"
        )
        figures.append(Figure(what, Spread.of([ratio]), "x", TARGET))
    return Findings(figures=figures)


def _valid(issuer: Issuer, size: int, number: int) -> list[str]:
    bare = len(issuer.token().split(".")[1]) * 3 // 4
    padding = "x" * max(0, size - bare - 14)
    return [issuer.token(jti=f"{index:06}", padding=padding) for index in range(number)]


def _refused(issuer: Issuer, size: int) -> Iterator[tuple[str, str]]:
    known = {"alg": "RS256", "kid": issuer.signing_key.kid, "typ": "at+jwt"}
    head = json.dumps({"iss": issuer.url}).encode()[:-1] + b',"a":'
    for name, payload in _payloads(head, size):
        yield f"{name}, known kid", _token(json.dumps(known).encode(), payload)
        yield f"{name}, unknown kid", _token(json.dumps({**known, "kid": "x"}).encode(), payload)
        yield f"{name}, as header", _token(payload, b"{}")


def _payloads(head: bytes, size: int) -> Iterator[tuple[str, bytes]]:
    room = size - len(head) - 3
    for unit in UNITS:
        count = room // (len(unit) + 1)
        yield f"a list of {unit[:12].decode()}", head + b"[" + b",".join([unit] * count) + b"]}"
    for value in (b"1", b"[]", b"{}"):
        members = (b'"%x":%s' % (index, value) for index in range(room // (len(value) + 8)))
        yield f"members with {value.decode()}", head + b"0," + b",".join(members) + b"}"
    for name, filling in (("[", b"["), ("escapes", b"\\u0041"), ("letters", b"a")):
        yield f"a text of {name}", head + b'"' + filling * (room // len(filling)) + b'"}'
    yield "a long number", head + b"9" * room + b"}"
    yield "nesting", head + b"[" * (room // 2) + b"]" * (room // 2) + b"}"
    yield "open brackets", b"[" * size


def _token(header: bytes, payload: bytes, signature: bytes = bytes(256)) -> str:
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in (header, payload, signature))


def _fastest(server: ResourceServer, token: Callable[[], str], looks: int) -> float:
    """The shortest of some looks, in seconds: what disturbs only makes one longer."""
    fastest = float("inf")
    for _ in range(looks):
        text = token()
        began = time.perf_counter()
        with contextlib.suppress(AuthError):
            server.verify(text)
        fastest = min(fastest, time.perf_counter() - began)
    return fastest
