"""The door for plain WSGI: bodies that are made late, the mount, and gunicorn as it is run.

What it has in common with every other door is in tests/conformance.
"""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest

from bearerguard import ConfigurationError, scope
from bearerguard.context import verified_token
from bearerguard.testing import Issuer
from bearerguard.wsgi import Guard

ENOUGH = 60.0
"""Seconds after which an answer is called missing."""


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server(keys=issuer.jwks()))


def environ_with(token: str | None = None, **given: Any) -> dict[str, Any]:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    if token is not None:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return environ | given


def status_of(app: Any, environ: dict[str, Any]) -> int:
    statuses: list[str] = []
    for _ in app(environ, lambda status, headers: statuses.append(status)):
        pass
    return int(statuses[0][:3])


def hello(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


def subject() -> str | None:
    token = verified_token()
    return None if token is None else token.subject


# -- bodies ----------------------------------------------------------------------------------------------


class Body:
    """A body that notes who is served at each step of its life."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.seen.append(("called", subject()))
        start_response("200 OK", [])
        return self

    def __iter__(self) -> Iterator[bytes]:
        self.seen.append(("begun", subject()))
        yield b"one"
        self.seen.append(("continued", subject()))
        yield b"two"

    def close(self) -> None:
        self.seen.append(("closed", subject()))


def test_a_body_that_is_made_late_is_made_for_who_asked(guard: Guard, issuer: Issuer) -> None:
    app = Body()
    chunks: Any = guard.protect(app)(environ_with(issuer.token("ada")), lambda status, headers: None)
    assert app.seen == [("called", "ada")]
    seen_between = [(chunk, subject()) for chunk in chunks]
    chunks.close()
    assert seen_between == [(b"one", None), (b"two", None)]
    assert app.seen == [("called", "ada"), ("begun", "ada"), ("continued", "ada"), ("closed", "ada")]


def test_a_body_that_is_not_read_to_its_end_is_closed(guard: Guard, issuer: Issuer) -> None:
    app = Body()
    chunks: Any = guard.protect(app)(environ_with(issuer.token("ada")), lambda status, headers: None)
    next(chunks)
    chunks.close()
    assert app.seen[-1] == ("closed", "ada")
    assert subject() is None


def test_two_bodies_that_are_sent_in_turns_are_not_mixed_up(guard: Guard, issuer: Issuer) -> None:
    apps = [Body(), Body()]
    bodies: list[Any] = [
        guard.protect(app)(environ_with(issuer.token(name)), lambda status, headers: None)
        for app, name in zip(apps, ("ada", "bob"), strict=True)
    ]
    for _ in range(2):
        for body in bodies:
            next(body)
    assert [{name for _, name in app.seen} for app in apps] == [{"ada"}, {"bob"}]


def test_an_error_in_the_middle_of_a_body_is_the_applications_own(guard: Guard, issuer: Issuer) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"one"
        raise KeyError("mine")

    chunks: Any = guard.protect(app)(environ_with(issuer.token()), lambda status, headers: None)
    assert next(chunks) == b"one"
    with pytest.raises(KeyError, match="mine"):
        next(chunks)
    assert subject() is None


@pytest.mark.parametrize(
    "body", [[b"one"], (b"one",), FileWrapper(io.BytesIO(b"one"))], ids=["list", "tuple", "file"]
)
def test_a_body_that_is_complete_is_handed_to_the_server_as_it_is(
    guard: Guard, issuer: Issuer, body: Iterable[bytes]
) -> None:
    environ = environ_with(issuer.token(), **{"wsgi.file_wrapper": FileWrapper})
    assert guard.protect(lambda environ, start_response: body)(environ, lambda status, headers: None) is body


def test_what_starts_a_response_is_the_servers_own(guard: Guard, issuer: Issuer) -> None:
    started: list[Any] = []
    written: list[bytes] = []

    def start_response(*arguments: Any) -> Callable[[bytes], None]:
        started.append(arguments)
        return written.append

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            raise KeyError("mine")
        except KeyError:
            write = start_response("500 Internal Server Error", [], sys.exc_info())
        write(b"sorry")
        return []

    guard.protect(app)(environ_with(issuer.token()), start_response)
    assert [arguments[0] for arguments in started] == ["200 OK", "500 Internal Server Error"]
    assert started[1][2][0] is KeyError
    assert written == [b"sorry"]


# -- paths -----------------------------------------------------------------------------------------------


def test_a_public_path_is_what_the_application_routes_by(guard: Guard) -> None:
    app = guard.protect(hello, public_paths="/health")
    for mount in ("", "/shop"):
        assert status_of(app, environ_with(SCRIPT_NAME=mount, PATH_INFO="/health")) == 200
        assert status_of(app, environ_with(SCRIPT_NAME=mount, PATH_INFO="/")) == 401


@pytest.mark.parametrize("given", ["health", ["/a", "health"], {""}, [b"/health"], 7], ids=repr)
def test_a_public_path_that_no_request_can_have_is_told(guard: Guard, given: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"public_paths is .*: give full paths, from the first '/' on"
    ):
        guard.protect(hello, public_paths=given)


@pytest.mark.parametrize(
    ("mount", "path"),
    [("/health", ""), ("/public", "/admin"), ("/heal", "th"), ("", "//health"), ("/", "health")],
)
def test_a_mount_makes_no_other_path_public(guard: Guard, mount: str, path: str) -> None:
    """A proxy that lets `SCRIPT_NAME` through lets a client choose what of the address is the mount."""
    app = guard.protect(hello, public_paths={"/health", "/public/admin"})
    assert status_of(app, environ_with(SCRIPT_NAME=mount, PATH_INFO=path)) == 401


def test_a_public_path_may_have_any_letters(guard: Guard) -> None:
    app = guard.protect(hello, public_paths={"/grüße"})
    assert status_of(app, environ_with(PATH_INFO="/grüße".encode().decode("latin-1"))) == 200
    assert status_of(app, environ_with(PATH_INFO="/grüße")) == 401


def test_a_server_may_leave_out_what_is_empty(guard: Guard, issuer: Issuer) -> None:
    app = Guard(guard.server, resource="https://api.test").protect(hello)
    environ = environ_with(issuer.token())
    del environ["SCRIPT_NAME"], environ["PATH_INFO"]
    assert status_of(app, environ) == 200


# -- decorators ------------------------------------------------------------------------------------------


def test_requires_decorates_an_application(guard: Guard, issuer: Issuer) -> None:
    app = guard.requires(scope("a"))(hello)
    assert [status_of(app, environ_with(issuer.token(scope=scopes))) for scopes in ("a", "b")] == [200, 403]


def test_the_inner_of_two_guards_decides_too(guard: Guard, issuer: Issuer) -> None:
    app = guard.protect(guard.protect(hello, scope("b")), scope("a"))
    tokens = [issuer.token(scope=scopes) for scopes in ("a", "b", "a b")]
    assert [status_of(app, environ_with(token)) for token in tokens] == [403, 403, 200]


def test_an_application_finds_the_token_of_the_guard_nearest_to_it(issuer: Issuer) -> None:
    def named(name: str) -> Guard:
        return Guard(issuer.resource_server(keys=issuer.jwks(), name=name))

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["bearerguard.token"].provider.name.encode()]

    both = named("outer").protect(named("inner").protect(app))
    assert both(environ_with(issuer.token()), lambda status, headers: None) == [b"inner"]


def test_the_refusal_of_head_has_no_body(guard: Guard) -> None:
    body = guard.protect(hello)(environ_with(REQUEST_METHOD="HEAD"), lambda status, headers: None)
    assert b"".join(body) == b""


# -- gunicorn --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Issuer, Callable[..., tuple[int, bytes, bytes]]]]:
    """The application under gunicorn, with a way to send it what no client sends."""
    with Issuer().serve() as issuer, socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listening.fileno()}", "--threads", "2"]
        process = subprocess.Popen(
            [*command, "--no-control-socket", "--log-level", "warning", "gunicorn_app:app"],
            cwd=Path(__file__).parent,
            env={**os.environ, "ISSUER": issuer.url, "no_proxy": "127.0.0.1"},
            pass_fds=[listening.fileno()],
        )
        address = listening.getsockname()
        listening.close()  # gunicorn has its own: nobody waits for one that does not start
        try:
            yield issuer, lambda *lines: exchange(address, *lines)
        finally:
            process.terminate()
            assert process.wait(ENOUGH) == 0


def exchange(address: Any, request_line: str, *fields: str) -> tuple[int, bytes, bytes]:
    """Send a request as it stands; return the status, the head and the body of the answer."""
    lines = [f"{request_line} HTTP/1.1", "Host: api.test", *fields, "Connection: close", "", ""]
    with socket.create_connection(address, timeout=ENOUGH) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), head, body


Served = tuple[Issuer, Callable[..., tuple[int, bytes, bytes]]]


def test_gunicorn_lets_a_good_token_in_and_no_other(served: Served) -> None:
    issuer, send = served
    good, bad = (f"Authorization: Bearer {token}" for token in (issuer.token("ada"), issuer.forged()))
    assert send("GET /orders", good)[::2] == (200, b"entered at '/orders' as ada")
    for fields, status in [
        ((), 401),
        ((bad,), 401),
        ((good, good), 400),
        ((bad, good), 400),
        ((good, bad), 400),
    ]:
        answer, head, _ = send("GET /orders", *fields)
        assert (answer, head.lower().count(b"\r\nwww-authenticate: bearer")) == (status, 1)


def test_gunicorn_sends_a_stream_for_who_asked(served: Served) -> None:
    issuer, send = served
    status, _, body = send("GET /stream", f"Authorization: Bearer {issuer.token('ada')}")
    assert (status, body.count(b"ada\n"), body.count(b"nobody")) == (200, 2, 0)


def test_gunicorn_sends_no_body_with_the_refusal_of_head(served: Served) -> None:
    _, send = served
    status, head, body = send("HEAD /orders")
    assert (status, body) == (401, b"")
    assert b"www-authenticate: bearer" in head.lower()


@pytest.mark.parametrize(
    ("path", "mount"),
    [("/health", "/health"), ("/public/admin", "/public"), ("/public/admin", "/public/admin")],
)
def test_gunicorn_behind_a_proxy_that_lets_script_name_through_opens_nothing(
    served: Served, path: str, mount: str
) -> None:
    _, send = served
    assert send(f"GET {path}")[0] == 200
    assert send(f"GET {path}", f"SCRIPT_NAME: {mount}")[0] == 401


@pytest.mark.parametrize("path", ["/health/", "//health", "/x/../health", "/health%00", "/public%2fadmin/"])
def test_gunicorn_opens_only_exact_public_paths(served: Served, path: str) -> None:
    _, send = served
    assert send(f"GET {path}")[0] == 401
