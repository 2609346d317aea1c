"""What a guard promises of WebSockets: tokens among subprotocols, and an end with the token."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from bearerguard import ConfigurationError, ResourceServer, Revocation
from bearerguard._websocket import Offer, read_offer, with_websockets
from bearerguard.asgi import Guard
from bearerguard.fastapi import Guard as FastAPIGuard
from bearerguard.litestar import Guard as LitestarGuard
from bearerguard.starlette import Guard as StarletteGuard
from bearerguard.testing import Clock, Issuer

KUBERNETES = "base64url.bearer.authorization.k8s.io."


# -- what is offered -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "offer"),
    [
        ([], Offer((), (), None)),
        (["chat.v1"], Offer((), ("chat.v1",), "chat.v1")),
        (["chat.v1", "BEARER", "a.b.c"], Offer(("a.b.c",), ("chat.v1",), "BEARER")),
        (["bearer"], Offer(("",), (), "bearer")),
        (["bearer", "bearer"], Offer(("bearer",), (), "bearer")),
        ([KUBERNETES + "YS5iLmM", "binary.k8s.io"], Offer(("a.b.c",), ("binary.k8s.io",), "binary.k8s.io")),
        ([KUBERNETES + "YS5iLmM"], Offer(("a.b.c",), (), None)),
        ([KUBERNETES + "YS5+LmM"], Offer(("",), (), None)),
        ([KUBERNETES + "w7w"], Offer(("",), (), None)),
        ([KUBERNETES + "Y", "bearer", "a.b.c"], Offer(("", "a.b.c"), (), "bearer")),
    ],
)
def test_an_offer_is_taken_apart_into_tokens_and_names(offered: list[str], offer: Offer) -> None:
    assert read_offer(offered, "bearer") == offer


@pytest.mark.parametrize("name", ["", "two words", "a,b", 7, True, "x" * 65])
@pytest.mark.parametrize("guard", [Guard, StarletteGuard, FastAPIGuard], ids=lambda guard: guard.__module__)
def test_the_name_before_a_token_is_one_that_a_client_can_offer(
    guard: type[Guard], name: Any, issuer: Issuer
) -> None:
    with pytest.raises(ConfigurationError, match="give a name such as 'bearer'"):
        guard(issuer.resource_server(), websocket_subprotocol=name)


# -- what the application sees ---------------------------------------------------------------------------


async def opened(app: Any, *offered: str, fields: Any = ()) -> list[Any]:
    """What the server is sent when a client opens a WebSocket and then says nothing."""
    sent: list[Any] = []
    headers = [(b"host", b"api.test"), (b"sec-websocket-protocol", ", ".join(offered).encode()), *fields]
    scope = {"type": "websocket", "path": "/", "headers": headers, "subprotocols": list(offered)}

    async def receive() -> Any:
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert scope["headers"] is headers, "a server may look at its scope again"
    return sent


def with_subprotocols(app: Any) -> Any:
    return with_websockets(app, subprotocol="bearer", seconds_left=None)


@pytest.mark.anyio
async def test_the_application_finds_the_token_in_authorization_and_nowhere_else() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["subprotocols"], dict(scope["headers"])))

    await opened(with_subprotocols(app), "bearer", "a.b.c", "chat.v1")
    await opened(with_subprotocols(app), "bearer", "a.b.c")
    fields = {b"host": b"api.test", b"authorization": b"Bearer a.b.c"}
    assert seen == [(["chat.v1"], fields | {b"sec-websocket-protocol": b"chat.v1"}), ([], fields)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("offered", "own", "chosen"),
    [
        (["bearer", "a.b.c", "chat.v1"], None, "bearer"),
        (["bearer", "a.b.c", "chat.v1"], "chat.v1", "chat.v1"),
        ([KUBERNETES + "YS5iLmM", "chat.v1"], None, "chat.v1"),
        (["chat.v1"], None, None),  # without a token, the choice is the application's
    ],
)
async def test_a_name_is_chosen_where_the_application_chooses_none(
    offered: list[str], own: str | None, chosen: str | None
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept", "subprotocol": own})

    sent = await opened(with_subprotocols(app), *offered)
    assert sent == [{"type": "websocket.accept", "subprotocol": chosen}]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["http", "lifespan"])
async def test_what_is_not_a_websocket_passes_as_it_is(kind: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    scope = {"type": kind, "headers": [(b"sec-websocket-protocol", b"bearer, a.b.c")]}
    await with_subprotocols(app)(scope, None, None)
    assert seen == [scope]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "options",
    [{"websocket_subprotocol": "bearer"}, {"close_at_expiry": True}],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize(
    "guard", [StarletteGuard, FastAPIGuard, LitestarGuard], ids=lambda guard: guard.__module__
)
async def test_a_route_without_install_says_that_it_was_forgotten(
    guard: type[StarletteGuard | FastAPIGuard | LitestarGuard], options: dict[str, Any], issuer: Issuer
) -> None:
    made = guard(issuer.resource_server(), **options)
    with pytest.raises(ConfigurationError, match=r"call guard\.install\(app\)"):
        await made.admit_scope({"type": "websocket", "headers": [], "path": "/"}, made.demand())


def test_a_guard_without_these_options_leaves_the_application_as_it_is(server: ResourceServer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    assert Guard(server).websockets(app) is app


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    return issuer.resource_server()


# -- the end of a token ----------------------------------------------------------------------------------


def test_the_seconds_that_a_token_is_still_good_reach_to_its_end_and_the_leeway(issuer: Issuer) -> None:
    clock = Clock(issuer.clock())
    server = issuer.resource_server(clock=clock, leeway=5)
    token = server.verify(issuer.token(exp=clock() + 60))
    assert server.seconds_left(token) == pytest.approx(65)
    clock.advance(70)
    left = server.seconds_left(token)
    assert left is not None
    assert left == pytest.approx(-5)


class Token:
    """How long it is still good; each look takes as long as the test says."""

    def __init__(self, *left: float | None) -> None:
        self.left = list(left)
        self.ended = anyio.Event()

    def __call__(self, scope: Any) -> float | None:
        left = self.left.pop(0)
        if left is not None and left <= 0:
            self.ended.set()
        return left


def closing(app: Callable[[Any, Any, Any], Awaitable[None]], token: Token) -> Any:
    return with_websockets(app, subprotocol=None, seconds_left=token)


CLOSED = {"type": "websocket.close", "code": 4401, "reason": "The token has expired."}


@pytest.mark.anyio
async def test_a_connection_ends_with_its_token_also_while_the_application_is_silent() -> None:
    token = Token(0.001, 0.001, 0)

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await token.ended.wait()
        await anyio.wait_all_tasks_blocked()

    assert await opened(closing(silent, token)) == [{"type": "websocket.accept"}, CLOSED]


@pytest.mark.anyio
async def test_what_is_sent_after_the_end_finds_a_client_that_is_gone() -> None:
    token = Token(0)

    async def talking(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await token.ended.wait()
        with pytest.raises(OSError, match="expired"):
            await send({"type": "websocket.send", "text": "more"})

    assert await opened(closing(talking, token)) == [{"type": "websocket.accept"}, CLOSED]


@pytest.mark.anyio
async def test_where_two_guards_stand_one_closes_and_neither_fails() -> None:
    outer, inner = Token(0), Token(0)
    outer.ended = inner.ended

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await inner.ended.wait()
        await anyio.wait_all_tasks_blocked()

    both = closing(closing(silent, inner), outer)
    assert await opened(both) == [{"type": "websocket.accept"}, CLOSED]


@pytest.mark.anyio
async def test_a_client_that_has_gone_before_its_token_is_no_error() -> None:
    token = Token(0)

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await token.ended.wait()
        await anyio.wait_all_tasks_blocked()

    async def gone(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "websocket.close":
                raise OSError  # as uvicorn's `ClientDisconnected` is one
            await send(message)

        await closing(silent, token)(scope, receive, sending)

    assert await opened(gone) == [{"type": "websocket.accept"}]


@pytest.mark.anyio
async def test_a_token_that_does_not_end_ends_no_connection() -> None:
    async def talking(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await anyio.wait_all_tasks_blocked()
        await send({"type": "websocket.send", "text": "more"})

    sent = await opened(closing(talking, Token(None)))
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send"]


@pytest.mark.anyio
async def test_a_connection_that_ends_by_itself_leaves_nobody_waiting_for_its_token() -> None:
    async def short(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        await anyio.wait_all_tasks_blocked()

    async def left(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    assert [message["type"] for message in await opened(closing(short, Token(math.inf)))] == [
        "websocket.accept",
        "websocket.close",
    ]
    assert await opened(closing(left, Token(math.inf))) == [{"type": "websocket.accept"}]


@pytest.mark.anyio
async def test_an_error_of_the_application_stays_what_it_is() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        raise LookupError("of its own")

    with pytest.raises(LookupError, match="of its own"):
        await opened(closing(failing, Token(math.inf)))


@pytest.mark.anyio
async def test_a_connection_that_is_refused_has_no_token_to_end_with(issuer: Issuer) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("entered")

    guarded = Guard(issuer.resource_server(keys=issuer.jwks()), close_at_expiry=True).protect(app)
    sent = await opened(guarded, fields=[(b"authorization", b"Bearer " + issuer.expired().encode())])
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert sent[0]["code"] == 1008


@pytest.mark.anyio
async def test_a_guard_closes_a_connection_when_the_servers_clock_says_so(issuer: Issuer) -> None:
    clock = Clock(issuer.clock())
    server = issuer.resource_server(keys=issuer.jwks(), clock=clock, leeway=0)
    ended = anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        clock.advance(61)
        await send({"type": "websocket.accept"})
        await ended.wait()

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def noting(message: Any) -> None:
            await send(message)
            if message["type"] == "websocket.close":
                ended.set()

        await Guard(server, close_at_expiry=True).protect(app)(scope, receive, noting)

    token = issuer.token(exp=clock() + 60).encode()
    sent = await opened(watched, fields=[(b"authorization", b"Bearer " + token)])
    assert sent == [{"type": "websocket.accept"}, CLOSED]


@pytest.mark.anyio
async def test_a_guard_closes_a_connection_whose_token_is_revoked(issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), revocation=Revocation(max_lag=1))
    ended = anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await server.arevoke(subject="ada")
        await ended.wait()

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def noting(message: Any) -> None:
            await send(message)
            if message["type"] == "websocket.close":
                ended.set()

        await Guard(server, close_at_expiry=True).protect(app)(scope, receive, noting)

    token = issuer.token("ada").encode()
    sent = await opened(watched, fields=[(b"authorization", b"Bearer " + token)])
    assert sent == [{"type": "websocket.accept"}, {**CLOSED, "reason": "The token was revoked."}]


def test_where_tokens_may_be_revoked_somebody_looks_again_within_max_lag(issuer: Issuer) -> None:
    introspected = issuer.provider(introspection=issuer.introspection())
    revocation = Revocation(max_lag=10)
    server = ResourceServer(introspected, revocation=revocation, clock=issuer.clock)
    endless = server.verify(issuer.opaque_token("ada", exp=None))
    assert server.seconds_left(endless) == 5
    here = issuer.resource_server(keys=issuer.jwks(), revocation=revocation)
    token = here.verify(issuer.token("ada"))
    assert here.seconds_left(token) == 5
    assert here.ended(token).reason == "expired"
    here.revoke(subject="ada")
    assert (here.seconds_left(token), here.ended(token).reason) == (0.0, "revoked")
    assert issuer.resource_server(keys=issuer.jwks()).ended(token).reason == "expired"
