"""What a request may cost, counted: keys imported, headers parsed, signatures checked, payloads decoded.

Counted where the library leaves its own code, by the interpreter's own report of every call, so nothing is
replaced and no name of the library's insides is known here. Times are measured in `bench/`, never here.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bearerguard import AccessToken, InvalidToken, Provider, ResourceServer, limit_verdict_memory
from bearerguard._limits import VERDICT_MEMORY_BYTES
from bearerguard.starlette import AuthenticateMiddleware
from bearerguard.testing import Issuer

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
SIGNATURE_CHECK = "cryptography verify"
JSON_DECODED = "msgspec decode"
CHECKING = {SIGNATURE_CHECK, "cryptography encode_dss_signature", "cryptography algorithm"}
"""All that checking a signature calls; anything else there is a key being made."""
WAITED_FOR = ("_thread", "threading", "asyncio", "anyio", "concurrent")


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the calls of this thread into `cryptography`, `msgspec`'s JSON, threads and event loops."""
    calls: Counter[str] = Counter()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            owner = getattr(argument, "__self__", None)
            module = getattr(argument, "__module__", None) or type(owner).__module__
            # A decoder of `bytes` reads base64, not JSON.
            if getattr(owner, "type", None) is not bytes:
                calls[f"{module.partition('.')[0]} {argument.__name__}"] += 1
        elif event == "call":
            calls[f"{frame.f_globals.get('__name__', '').partition('.')[0]} {frame.f_code.co_name}"] += 1

    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def of(calls: Counter[str], *packages: str) -> dict[str, int]:
    """The counted calls into some packages."""
    return {name: count for name, count in calls.items() if name.partition(" ")[0] in packages}


def keys_made(calls: Counter[str]) -> set[str]:
    """The counted calls of `cryptography` that are not for checking a signature."""
    return of(calls, "cryptography").keys() - CHECKING


def waited_for(calls: Counter[str]) -> dict[str, int]:
    """The counted calls that make or wait for threads, tasks and locks."""
    return of(calls, *WAITED_FOR)


@pytest.fixture(params=ALGORITHMS)
def issuer(request: pytest.FixtureRequest) -> Issuer:
    return Issuer(algorithm=request.param)


def server_that_knows(issuer: Issuer) -> ResourceServer:
    """Has its keys in memory and has seen the header of the issuer's tokens."""
    server = issuer.resource_server(clock=time.time)  # the issuer's own clock takes a lock
    server.verify(issuer.token())
    return server


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    return server_that_knows(issuer)


def test_the_count_sees_what_an_unknown_key_and_header_cost(issuer: Issuer) -> None:
    token, keys = issuer.token(), issuer.jwks()
    with counted() as calls:
        ResourceServer(Provider(issuer.url, audience=issuer.audience, keys=keys), clock=issuer.clock).verify(
            token
        )
    assert keys_made(calls)
    assert calls[JSON_DECODED] == 2


def test_a_new_token_costs_one_signature_check_and_one_decoded_payload(
    server: ResourceServer, issuer: Issuer
) -> None:
    token = issuer.token()
    with counted() as calls:
        server.verify(token)
    assert not keys_made(calls)
    assert calls[SIGNATURE_CHECK] == 1
    assert calls[JSON_DECODED] == 1


def test_a_repeated_token_costs_no_key_no_header_and_no_signature(
    server: ResourceServer, issuer: Issuer
) -> None:
    token = issuer.token()
    server.verify(token)
    with counted() as calls:
        server.verify(token)
    assert of(calls, "cryptography") == {}
    assert calls[JSON_DECODED] == 0


@pytest.mark.parametrize("seen", [False, True], ids=["new", "repeated"])
def test_the_payload_is_decoded_once_however_much_is_asked_of_the_token(
    server: ResourceServer, issuer: Issuer, seen: bool
) -> None:
    text = issuer.token(sub="ada", scope="orders:read")
    if seen:
        server.verify(text)
    with counted() as calls:
        token = server.verify(text)
        assert (token.subject, token.claims["sub"], token.issuer) == ("ada", "ada", issuer.url)
        assert token.scopes == {"orders:read"}
        assert token.expires_at is not None
        assert token.expires_at > issuer.clock()
    assert calls[JSON_DECODED] == 1


def bring(app: Any, token: str) -> list[dict[str, Any]]:
    """Send a GET request with a token through an ASGI application; returns what it sent."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/who",
        "raw_path": b"/who",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"api.test"), (b"authorization", f"Bearer {token}".encode())],
    }
    asyncio.run(app(scope, receive, send))
    return sent


@pytest.mark.parametrize("seen", [False, True], ids=["new", "repeated"])
def test_a_request_decodes_one_payload_though_the_application_reads_all_claims(
    server: ResourceServer, issuer: Issuer, seen: bool
) -> None:
    async def who(request: Request) -> Response:
        token: AccessToken = request.scope["bearerguard.token"]
        return JSONResponse([request.scope["oauth2-claims"]["sub"], token.subject, sorted(token.scopes)])

    app = AuthenticateMiddleware(Starlette(routes=[Route("/who", who)]), server=server)
    text = issuer.token(sub="ada", scope="orders:read")
    if seen:
        server.verify(text)
    with counted() as calls:
        start, body = bring(app, text)
    assert (start["status"], body["body"]) == (200, b'["ada","ada",["orders:read"]]')
    assert calls[JSON_DECODED] == 1
    assert calls[SIGNATURE_CHECK] == (0 if seen else 1)


REFUSED: dict[str, tuple[Callable[[Issuer], str], int]] = {
    "forged": (Issuer.forged, 1),
    "expired": (Issuer.expired, 1),
    "for another audience": (Issuer.for_another_audience, 1),
    "unsigned": (Issuer.unsigned, 0),
    "no JWT at all": (lambda issuer: "mF_9.B5f-4.1JqM", 0),
    "opaque": (lambda issuer: "2YotnFZFEjr1zCsicMWpAA", 0),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_token_costs_no_more_than_an_accepted_one(
    server: ResourceServer, issuer: Issuer, kind: str
) -> None:
    make, checks = REFUSED[kind]
    token = make(issuer)
    with counted() as calls, pytest.raises(InvalidToken):
        server.verify(token)
    assert calls[SIGNATURE_CHECK] == checks
    assert not keys_made(calls)
    assert calls[JSON_DECODED] <= 2  # a header that is not the issuer's own is parsed


@pytest.mark.parametrize("part", [[], {}, [[]]], ids=ascii)
def test_a_forged_token_of_many_parts_has_none_of_them_made(
    server: ResourceServer, issuer: Issuer, part: Any
) -> None:
    """Each array and object is dear to make, and whoever forges a token chooses how many are in it."""
    good = issuer.token(parts=[part] * 1_500)
    header, payload, _ = issuer.token(parts=[part] * 1_500, sub="eve").split(".")
    forged = f"{header}.{payload}.{good.rpartition('.')[2]}"
    before = containers_made(lambda: server.verify(issuer.token(parts=[])))
    assert containers_made(lambda: server.verify(good)) - before > 1_000

    def refuse() -> None:
        with suppress(InvalidToken):
            server.verify(forged)

    assert containers_made(refuse) - before < 500


def containers_made(call: Callable[[], object]) -> int:
    """How many more arrays and objects are alive while `call` runs, where C code has just returned."""
    most = 0

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal most
        if event == "c_return":
            most = max(most, gc.get_count()[0])

    gc.collect()
    gc.disable()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
        gc.enable()
    return most


@pytest.mark.parametrize("seen", [False, True], ids=["new", "repeated"])
def test_averify_with_keys_in_memory_takes_no_task_no_thread_and_no_lock(
    server: ResourceServer, issuer: Issuer, seen: bool
) -> None:
    text = issuer.token()
    if seen:
        server.verify(text)
    coroutine = server.averify(text)
    with counted() as calls, pytest.raises(StopIteration) as finished:
        coroutine.send(None)  # no event loop runs here: it has to end without one
    assert finished.value.value.raw == text
    assert waited_for(calls) == {}


def test_verify_with_keys_in_memory_takes_no_thread_and_no_lock(
    server: ResourceServer, issuer: Issuer
) -> None:
    text = issuer.token()
    with counted() as calls:
        server.verify(text)
        server.verify(text)
    assert waited_for(calls) == {}


def test_the_count_sees_a_lock_and_a_thread(issuer: Issuer) -> None:
    server = issuer.resource_server()
    with counted() as calls:
        server.verify(issuer.token())  # the keys are fetched first
    assert waited_for(calls)


def test_an_eviction_costs_a_few_calls_and_never_a_pause() -> None:
    issuer = Issuer(algorithm="ES256")
    server = server_that_knows(issuer)
    costs = set()
    limit_verdict_memory(1024 * 1024)
    try:
        for number in range(3 * 2500):  # fills the memory and then replaces all of it, twice
            token = issuer.token(jti=str(number))
            with counted() as calls:
                server.verify(token)
            costs.add(calls.total())
    finally:
        limit_verdict_memory(VERDICT_MEMORY_BYTES)
    assert max(costs) - min(costs) <= 40


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_leaves_nothing_to_the_garbage_collector(
    server: ResourceServer, issuer: Issuer, kind: str
) -> None:
    token = REFUSED[kind][0](issuer)
    with suppress(InvalidToken):
        server.verify(token)  # the first may have the provider asked for a key that replaced the old one
    gc.collect()
    gc.disable()
    try:
        with suppress(InvalidToken):
            server.verify(token)
        assert gc.collect() == 0
    finally:
        gc.enable()
