"""The door of gRPC: rules by method and service, all four arities, and streams that end with their token."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest

from bearerguard import ClientCertificate, ConfigurationError, Revocation, scope
from bearerguard.context import verified_token
from bearerguard.grpc import Guard
from bearerguard.grpc.call import GRPCRequest
from bearerguard.testing import Clock, Issuer
from tests.certificates import Authority
from tests.doors_under_test.exchange import run
from tests.doors_under_test.grpc_doors import aio_serving, thread_serving
from tests.hostile.challenge_grammar import parse_challenge

UNAUTHENTICATED, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
ARITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
ENOUGH = 60.0
"""Seconds after which an answer is called missing."""


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server(keys=issuer.jwks()), resource="https://api.test", realm="shop")


def sent_with(token: str | None) -> tuple[tuple[str, str], ...]:
    return () if token is None else (("authorization", f"Bearer {token}"),)


# -- servers that say who calls ----------------------------------------------------------------------------


class Kind(NamedTuple):
    """A kind of server, and of handlers on it."""

    is_aio: bool
    handlers: Callable[[Any], dict[str, Any]]


def made(**behaviors: Any) -> dict[str, Any]:
    """Handlers by arity, each at `/shop.Orders/` and its name."""
    return {
        f"/shop.Orders/{arity}": getattr(grpc, f"{arity}_rpc_method_handler")(behavior)
        for arity, behavior in behaviors.items()
    }


def who(guard: Guard) -> bytes:
    token = guard.token_or_none()
    assert token is verified_token()
    return b"nobody" if token is None else str(token.subject).encode()


def tasks(guard: Guard) -> dict[str, Any]:
    async def once(request: bytes, context: Any) -> bytes:
        return request + b" " + who(guard)

    async def many(request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in (b"1", b"2"):
            await asyncio.sleep(0)
            yield number + b" " + who(guard)

    async def collected(requests: Any, context: Any) -> bytes:
        return b"+".join([request async for request in requests]) + b" " + who(guard)

    async def echoed(requests: Any, context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request + b" " + who(guard)

    return made(unary_unary=once, unary_stream=many, stream_unary=collected, stream_stream=echoed)


def writers(guard: Guard) -> dict[str, Any]:
    """Streams by what their context has for it."""

    async def many(request: bytes, context: Any) -> None:
        for number in (b"1", b"2"):
            await context.write(number + b" " + who(guard))

    async def echoed(requests: Any, context: Any) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(request + b" " + who(guard))

    return {**tasks(guard), **made(unary_stream=many, stream_stream=echoed)}


def functions(guard: Guard) -> dict[str, Any]:
    def once(request: bytes, context: Any) -> bytes:
        return request + b" " + who(guard)

    def many(request: bytes, context: Any) -> Iterator[bytes]:
        for number in (b"1", b"2"):
            yield number + b" " + who(guard)

    def collected(requests: Iterator[bytes], context: Any) -> bytes:
        return b"+".join(requests) + b" " + who(guard)

    def echoed(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            yield request + b" " + who(guard)

    return made(unary_unary=once, unary_stream=many, stream_unary=collected, stream_stream=echoed)


KINDS = {
    "tasks": Kind(True, tasks),
    "tasks that write": Kind(True, writers),
    "functions on a server of asyncio": Kind(True, functions),
    "functions": Kind(False, functions),
}
at_each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
ANSWERS = {
    "unary_unary": [b"a ada"],
    "unary_stream": [b"1 ada", b"2 ada"],
    "stream_unary": [b"a+b ada"],
    "stream_stream": [b"a ada", b"b ada"],
}


class Refused(Exception):
    def __init__(self, error: Any) -> None:
        self.code, self.details = error.code(), error.details()
        self.trailing = [(name, str(value)) for name, value in error.trailing_metadata() or ()]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.trailing if key == name]

    @property
    def challenge(self) -> dict[str, str]:
        (challenge,) = self.all("www-authenticate")
        return parse_challenge(challenge.encode())


def ask(guard: Guard, kind: Kind, method: str, token: str | None, /, **options: Any) -> list[bytes]:
    """What a method answers to a call, of the arity that its name says.

    Raises:
        Refused: the status is another one than OK.
    """
    arity = method.rpartition("/")[2]
    arity = arity if arity in ARITIES else "unary_unary"
    handlers = kind.handlers(guard)
    handlers |= {method: handlers[f"/shop.Orders/{arity}"]}
    is_refused = options.pop("is_refused", False)
    metadata = sent_with(token)
    if not kind.is_aio:
        with thread_serving(guard.sync_interceptor(**options), handlers) as channel:
            request: Any = iter([b"a", b"b"]) if arity.startswith("stream") else b"a"
            try:
                found = getattr(channel, arity)(method)(request, metadata=metadata, timeout=ENOUGH)
                return list(found) if arity.endswith("stream") else [found]
            except grpc.RpcError as error:
                raise Refused(error) from None

    async def requests() -> AsyncIterator[bytes]:
        if is_refused:  # a client that writes then has an error of its own, now and then
            await asyncio.Event().wait()
        for request in (b"a", b"b"):
            yield request

    async def call() -> list[bytes]:
        async with aio_serving(guard.interceptor(**options), handlers) as channel:
            request: Any = requests() if arity.startswith("stream") else b"a"
            try:
                called = getattr(channel, arity)(method)(request, metadata=metadata, timeout=ENOUGH)
                return [one async for one in called] if arity.endswith("stream") else [await called]
            except grpc.aio.AioRpcError as error:
                raise Refused(error) from None

    answers: list[bytes] = run(call)
    return answers


def status(*arguments: Any, **options: Any) -> Any:
    try:
        ask(*arguments, **options)
    except Refused as refused:
        return refused.code
    return grpc.StatusCode.OK


@pytest.mark.parametrize("arity", ARITIES)
@at_each_kind
def test_a_method_keeps_its_arity_and_finds_the_token_at_each_point(
    kind: Kind, arity: str, guard: Guard, issuer: Issuer
) -> None:
    assert ask(guard, kind, f"/shop.Orders/{arity}", issuer.token("ada")) == ANSWERS[arity]
    guard.close_at_expiry = True
    assert ask(guard, kind, f"/shop.Orders/{arity}", issuer.token("ada")) == ANSWERS[arity]
    assert verified_token() is None


@pytest.mark.parametrize("arity", ARITIES)
@at_each_kind
def test_a_method_is_refused_by_the_status_and_challenged_in_trailing_metadata(
    kind: Kind, arity: str, guard: Guard, issuer: Issuer
) -> None:
    rules = {f"/shop.Orders/{arity}": scope("orders:write")}
    where = {"realm": "shop", "resource_metadata": "https://api.test/.well-known/oauth-protected-resource"}

    def refusal(token: str | None) -> Refused:
        with pytest.raises(Refused) as refused:
            ask(guard, kind, f"/shop.Orders/{arity}", token, rules=rules, is_refused=True)
        return refused.value

    nobody = refusal(None)
    assert (nobody.code, nobody.challenge) == (UNAUTHENTICATED, {"scope": "orders:write", **where})
    expired = refusal(issuer.expired())
    assert (expired.code, expired.challenge["error"]) == (UNAUTHENTICATED, "invalid_token")
    assert expired.details == "The token has expired."
    weak = refusal(issuer.token(scope="orders:read"))
    assert (weak.code, weak.challenge["error"]) == (DENIED, "insufficient_scope")
    assert weak.challenge["scope"] == "orders:write"


@at_each_kind
def test_an_outage_says_when_to_try_again_as_gRPCs_own_retries_read_it(kind: Kind, issuer: Issuer) -> None:  # noqa: N802 - its name
    guard = Guard(issuer.resource_server())
    with issuer.outage(), pytest.raises(Refused) as refused:
        ask(guard, kind, "/shop.Orders/unary_unary", issuer.token())
    assert refused.value.code == grpc.StatusCode.UNAVAILABLE
    (seconds,) = refused.value.all("retry-after")
    assert refused.value.all("grpc-retry-pushback-ms") == [f"{seconds}000"]


# -- names -------------------------------------------------------------------------------------------------


@at_each_kind
def test_a_methods_own_rule_stands_before_its_services_and_that_before_the_default(
    kind: Kind, guard: Guard, issuer: Issuer
) -> None:
    rules = {"/shop.Orders/Delete": scope("own"), "/shop.Orders/*": scope("service")}
    for method, needed in (
        ("/shop.Orders/Delete", "own"),
        ("/shop.Orders/List", "service"),
        ("/shop.Other/List", "default"),
    ):
        for name in ("own", "service", "default"):
            found = status(
                guard, kind, method, issuer.token(scope=name), rules=rules, default=scope("default")
            )
            assert found == (grpc.StatusCode.OK if name == needed else DENIED), (method, name)


def test_without_a_default_all_other_methods_ask_for_any_valid_token(guard: Guard, issuer: Issuer) -> None:
    kind = KINDS["tasks"]
    assert ask(guard, kind, "/shop.Orders/List", issuer.token("ada")) == [b"a ada"]
    assert status(guard, kind, "/shop.Orders/List", None) == UNAUTHENTICATED


@at_each_kind
def test_public_and_optional_methods_are_named_one_by_one_or_by_service(
    kind: Kind, guard: Guard, issuer: Issuer
) -> None:
    options: dict[str, Any] = {
        "rules": {"/grpc.health.v1.Health/Watch": scope("watch")},
        "public": {"/grpc.health.v1.Health/*", "/shop.Orders/Open"},
        "optional": ["/shop.Greeter/*"],
    }
    for method in ("/grpc.health.v1.Health/Check", "/shop.Orders/Open"):
        for token in (None, issuer.token("ada"), issuer.forged()):
            assert ask(guard, kind, method, token, **options) == [b"a nobody"]
    assert status(guard, kind, "/grpc.health.v1.Health/Watch", None, **options) == UNAUTHENTICATED
    assert ask(guard, kind, "/shop.Greeter/Greet", None, **options) == [b"a nobody"]
    assert ask(guard, kind, "/shop.Greeter/Greet", issuer.token("ada"), **options) == [b"a ada"]
    assert status(guard, kind, "/shop.Greeter/Greet", issuer.forged(), **options) == UNAUTHENTICATED


@pytest.mark.parametrize(
    "name",
    ["shop.Orders/Delete", "/shop.Orders", "/shop.Orders/", "/*", "/*/Delete", "/shop/*/*", "/a/b c", "", 7],
)
@pytest.mark.parametrize("option", ["rules", "public", "optional"])
def test_another_form_of_a_name_is_refused_with_what_to_write(option: str, name: Any, guard: Guard) -> None:
    given: Any = {name: scope("a")} if option == "rules" else {name}
    for build in (guard.interceptor, guard.sync_interceptor):
        with pytest.raises(ConfigurationError, match=r"is not the name of a method: write '/shop\.Ord"):
            build(**{option: given})


def test_what_cannot_be_meant_is_refused(guard: Guard) -> None:
    with pytest.raises(ConfigurationError, match="stands twice"):
        guard.interceptor({"/a.B/C": scope("a")}, public={"/a.B/C"})
    with pytest.raises(ConfigurationError, match=r"public is '/a\.B/C': give names"):
        guard.interceptor(public="/a.B/C")
    with pytest.raises(ConfigurationError, match="is not a rule"):
        guard.interceptor({"/a.B/C": "orders:read"})  # type: ignore[dict-item]  # a mistake, on purpose
    with pytest.raises(ConfigurationError, match="give a rule for each name"):
        guard.interceptor(scope("a"))  # type: ignore[arg-type]  # a mistake, on purpose
    assert not hasattr(guard, "requires")
    assert not hasattr(guard, "optional")


@at_each_kind
def test_an_unknown_method_is_unimplemented_and_asks_for_nothing(
    kind: Kind, guard: Guard, issuer: Issuer
) -> None:
    async def missing(channel: Any) -> Any:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await channel.unary_unary("/shop.Orders/Missing")(b"", timeout=ENOUGH)
        return error.value.code()

    async def one() -> Any:
        async with aio_serving(guard.interceptor(), kind.handlers(guard)) as channel:
            return await missing(channel)

    if kind.is_aio:
        assert run(one) == grpc.StatusCode.UNIMPLEMENTED
        return
    with thread_serving(guard.sync_interceptor(), kind.handlers(guard)) as channel:
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary("/shop.Orders/Missing")(b"", timeout=ENOUGH)
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


@at_each_kind
def test_what_a_method_itself_answers_is_not_changed(kind: Kind, guard: Guard, issuer: Issuer) -> None:
    async def aborted(request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
        raise AssertionError

    def aborted_in_thread(request: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
        raise AssertionError

    def aborted_stream(request: bytes, context: Any) -> Iterator[bytes]:
        yield b"1"
        context.abort(grpc.StatusCode.NOT_FOUND, "no such order")

    behavior: Any = aborted_in_thread if kind.handlers is functions else aborted
    behaviors = {"unary_unary": behavior}
    if not kind.is_aio:  # on one of asyncio, grpcio 1.71 tells nobody of this
        behaviors["unary_stream"] = aborted_stream
    only = Kind(kind.is_aio, lambda guard: made(**behaviors))
    for guard.close_at_expiry, arity in itertools.product((False, True), behaviors):
        with pytest.raises(Refused) as refused:
            ask(guard, only, f"/shop.Orders/{arity}", issuer.token())
        assert (refused.value.code, refused.value.details) == (grpc.StatusCode.NOT_FOUND, "no such order")
        assert refused.value.all("www-authenticate") == []


def test_token_raises_where_there_is_none(guard: Guard) -> None:
    with pytest.raises(LookupError, match="no verified token"):
        guard.token()


# -- the end of a token ------------------------------------------------------------------------------------


class Silent:
    """Handlers that answer once, and then nothing until they are ended or the test is over.

    Args:
        clock: passes the end of every token once somebody has been admitted, and stands still before.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.over = threading.Event()
        self.ended = threading.Event()
        self._clock = clock

    def _admitted(self) -> None:
        if self._clock is not None:
            self._clock.advance(60)

    def tasks(self, _: Guard) -> dict[str, Any]:
        async def many(request: bytes, context: Any) -> AsyncIterator[bytes]:
            try:
                yield b"1"
                self._admitted()
                await asyncio.Event().wait()
            finally:
                self.ended.set()

        async def collected(requests: Any, context: Any) -> bytes:
            try:
                async for _ in requests:
                    self._admitted()
            finally:
                self.ended.set()
            return b""

        return made(unary_stream=many, stream_unary=collected)

    def functions(self, _: Guard) -> dict[str, Any]:
        def many(request: bytes, context: Any) -> Iterator[bytes]:
            try:
                yield b"1"
                self._admitted()
                self.over.wait(ENOUGH)
                yield b"2"
            finally:
                self.ended.set()

        def collected(requests: Iterator[bytes], context: Any) -> bytes:
            try:
                for _ in requests:
                    self._admitted()
            finally:
                self.ended.set()
            return b""

        return made(unary_stream=many, stream_unary=collected)


def about_to_end(issuer: Issuer) -> tuple[tuple[str, str], ...]:
    """A token whose end somebody looks for soon."""
    return sent_with(issuer.token(exp=issuer.clock() + 0.5))


@pytest.mark.parametrize("kind", ["tasks", "functions on a server of asyncio"])
@pytest.mark.parametrize("arity", ["unary_stream", "stream_unary"])
def test_a_stream_ends_with_its_token_also_while_nobody_says_anything(arity: str, kind: str) -> None:
    issuer = Issuer(clock=Clock(1_700_000_000))
    guard = Guard(issuer.resource_server(keys=issuer.jwks(), leeway=0), close_at_expiry=True)
    silent = Silent(issuer.clock)
    handlers = silent.tasks(guard) if kind == "tasks" else silent.functions(guard)

    async def requests() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    async def answers(channel: Any) -> list[bytes]:
        call = getattr(channel, arity)(f"/shop.Orders/{arity}")
        metadata = about_to_end(issuer)
        if arity == "stream_unary":
            return [await call(requests(), metadata=metadata, timeout=ENOUGH)]
        return [answer async for answer in call(b"", metadata=metadata, timeout=ENOUGH)]

    async def story() -> Refused:
        async with aio_serving(guard.interceptor(), handlers) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await answers(channel)
            silent.over.set()
            return Refused(ended.value)

    judge(run(story), silent)


@pytest.mark.parametrize("arity", ["unary_stream", "stream_unary"])
def test_in_threads_a_stream_ends_with_its_token_too(arity: str) -> None:
    issuer = Issuer(clock=Clock(1_700_000_000))
    guard = Guard(issuer.resource_server(keys=issuer.jwks(), leeway=0), close_at_expiry=True)
    silent = Silent(issuer.clock)

    def requests() -> Iterator[bytes]:
        yield b"a"
        silent.over.wait(ENOUGH)

    def answers(channel: Any) -> list[bytes]:
        call = getattr(channel, arity)(f"/shop.Orders/{arity}")
        metadata = about_to_end(issuer)
        if arity == "stream_unary":
            return [call(requests(), metadata=metadata, timeout=ENOUGH)]
        return list(call(b"", metadata=metadata, timeout=ENOUGH))

    with thread_serving(guard.sync_interceptor(), silent.functions(guard)) as channel:
        with pytest.raises(grpc.RpcError) as ended:
            answers(channel)
        silent.over.set()
        judge(Refused(ended.value), silent)


@pytest.mark.parametrize("kind", ["tasks", "threads"])
def test_a_stream_ends_when_its_token_is_revoked(kind: str, issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), revocation=Revocation(max_lag=1))
    guard = Guard(server, close_at_expiry=True)
    silent = Silent()
    metadata = sent_with(issuer.token("ada"))

    async def story() -> Refused:
        async with aio_serving(guard.interceptor(), silent.tasks(guard)) as channel:
            call = channel.unary_stream("/shop.Orders/unary_stream")(b"", metadata=metadata, timeout=ENOUGH)
            assert await call.read() is not grpc.aio.EOF
            await server.arevoke(subject="ada")
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await call.read()
            silent.over.set()
            return Refused(ended.value)

    if kind == "tasks":
        judge(run(story), silent, "The token was revoked.")
        return
    with thread_serving(guard.sync_interceptor(), silent.functions(guard)) as channel:
        answers = channel.unary_stream("/shop.Orders/unary_stream")(b"", metadata=metadata, timeout=ENOUGH)
        next(answers)
        server.revoke(subject="ada")
        with pytest.raises(grpc.RpcError) as ended:
            next(answers)
        silent.over.set()
        judge(Refused(ended.value), silent, "The token was revoked.")


def judge(ended: Refused, silent: Silent, said: str = "The token has expired.") -> None:
    assert (ended.code, ended.details) == (UNAUTHENTICATED, said)
    assert ended.challenge["error"] == "invalid_token"
    assert silent.ended.wait(ENOUGH)


# -- what is bound to a certificate ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tasks", "functions on a server of asyncio", "functions"])
def test_a_token_may_be_bound_to_the_certificate_of_the_channel(
    kind: str, issuer: Issuer, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    mine, _ = authority.issue("mine"), authority.issue("server")
    server = issuer.resource_server(keys=issuer.jwks(), certificate=ClientCertificate.from_tls())
    guard = Guard(server)
    is_aio, handlers = KINDS[kind]

    def read(name: str) -> bytes:
        return (tmp_path / name).read_bytes()

    pair = [(read("server.key"), read("server.pem"))]
    server_side = grpc.ssl_server_credentials(pair, read("authority.pem"), require_client_auth=True)
    client_side = grpc.ssl_channel_credentials(read("authority.pem"), read("mine.key"), read("mine.pem"))
    tls = {"server_side": server_side, "client_side": client_side}
    tokens = [issuer.token("ada", bound_to=mine), issuer.token("ada", bound_to=authority.issue("other"))]
    method = "/shop.Orders/unary_unary"

    async def call() -> list[Any]:
        async with aio_serving(guard.interceptor(), handlers(guard), **tls) as channel:
            calls = [channel.unary_unary(method)(b"a", metadata=sent_with(one)) for one in tokens]
            return [await one.code() for one in calls]

    if is_aio:
        statuses = run(call)
    else:
        with thread_serving(guard.sync_interceptor(), handlers(guard), **tls) as channel:
            ask_it = channel.unary_unary(method).future
            statuses = [ask_it(b"a", metadata=sent_with(one)).code() for one in tokens]
    assert statuses == [grpc.StatusCode.OK, UNAUTHENTICATED]


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.1:50000", "192.0.2.1"),
        ("ipv6:%5B2001:db8::1%5D:50000", "2001:db8::1"),
        ("ipv6:[2001:db8::1]:50000", "2001:db8::1"),
        ("unix:/run/api.sock", None),
        ("unix:", None),
        ("", None),
    ],
)
def test_the_address_of_the_other_end_is_read_as_gRPC_writes_it(peer: str, address: str | None) -> None:  # noqa: N802 - its name
    class Context:
        def peer(self) -> str:
            return peer

    assert GRPCRequest("/a.B/C", (), Context(), {}).peer == address


def test_readiness_is_not_served_from_a_path_that_nobody_could_ask(guard: Guard) -> None:
    with pytest.raises(ConfigurationError, match="gRPC has no paths"):
        guard.readiness("/ready")
