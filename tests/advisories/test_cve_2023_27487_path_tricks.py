"""CVE-2023-27487 (Envoy), CVE-2020-8595 and CVE-2021-29492 (Istio).

Elsewhere a path was written so that the rule for tokens saw another one than the router: an escaped slash,
two slashes, a dot segment, a query. Here everything needs a token but the exact paths that are named as
public, and one that is written in a way that a router might read otherwise is not public.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from bearerguard import asgi, wsgi
from bearerguard.starlette import AuthenticateMiddleware
from tests.doors_under_test.exchange import Request, ask_asgi, environ_of
from tests.hostile import minting

PUBLIC = {"/health", "/docs/index"}
TRICKS = [
    "/secret", "/", "", "//health", "/health/", "/health//", "/./health", "/health/.", "/x/../health",
    "/health/../secret", "/secret/../health", "/health/..", "/HEALTH", "/Health", "/health;x=1",
    "/health;/../secret", "/health%00", "/health%20", "/health%2f..%2fsecret", "/health%2F..%2Fsecret",
    "/%2e/health", "/health%2e", "/docs%2findex", "/docs%2Findex", "/docs%5cindex", "/docs\\index",
    "/docs//index", "/docs/./index", "/docs/index/../../secret", "/docs%252findex", "/health%3f",
    "/health%23", "/health%0a", "/health\t", "/h%C3%A9alth", "/\xe9", "/health%c0%af..",
    "http://api.test/health", "*", "/health@secret", "/secret%2f..%2fhealth", "/secret#/health",
    "/secret%23/health", "/health.json", "/%68ealth/x",
]  # fmt: skip


async def anything(request: Any) -> PlainTextResponse:
    return PlainTextResponse(f"entered {request.path_params.get('rest', 'health')}")


APP = Starlette(
    routes=[
        Route("/health", anything),
        Route("/docs/index", anything),
        Mount("/docs", routes=[Route("/{rest:path}", anything)]),
        Route("/{rest:path}", anything),
    ]
)


def entered(raw: str, protected: asgi.App) -> bool:
    """Whether the application is entered without a token, under the path as it is sent."""
    path = unquote_to_bytes(raw.encode("latin-1")).decode("utf-8", "replace")
    [answer] = ask_asgi(protected, Request(path=path, raw_path=raw.encode("latin-1")))
    assert answer.status in {200, 400, 401}
    return answer.status == 200


DOORS: list[asgi.App] = [
    AuthenticateMiddleware(APP, server=minting.server(), public_paths=PUBLIC),
    asgi.Guard(minting.server()).protect(APP, public_paths=PUBLIC),
]


@pytest.mark.parametrize("raw", TRICKS, ids=ascii)
@pytest.mark.parametrize("protected", DOORS, ids=["middleware", "guard"])
def test_a_path_that_only_looks_public_needs_a_token(raw: str, protected: asgi.App) -> None:
    assert not entered(raw, protected)


@pytest.mark.parametrize("raw", ["/health", "/docs/index", "/%68ealth", "/healt%68"])
@pytest.mark.parametrize("protected", DOORS, ids=["middleware", "guard"])
def test_a_public_path_needs_none_however_its_letters_are_written(raw: str, protected: asgi.App) -> None:
    assert entered(raw, protected)


@pytest.mark.parametrize("raw", TRICKS, ids=ascii)
def test_a_wsgi_path_that_only_looks_public_needs_a_token(raw: str) -> None:
    """A WSGI application sees the path unescaped, and so does the check: they read the same."""
    paths: list[str] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        paths.append(environ["SCRIPT_NAME"] + environ["PATH_INFO"])
        start_response("200 OK", [])
        return [b""]

    protected = wsgi.Guard(minting.server()).protect(app, public_paths=PUBLIC)
    path = unquote_to_bytes(raw.encode("latin-1")).decode("latin-1")
    protected(environ_of(Request(path=path)), lambda status, headers: None)
    assert set(paths) <= PUBLIC


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "POST", "BREW", "get", ""])
def test_no_method_is_an_exception(method: str) -> None:
    for protected in DOORS:
        [answer] = ask_asgi(protected, Request(method, "/secret"))
        assert answer.status in {400, 401}


def test_a_mount_does_not_make_a_path_public() -> None:
    """Below a mount a public path is the one that the mounted application routes by, and no other."""
    inner = AuthenticateMiddleware(APP, server=minting.server(), public_paths={"/health"})
    mounted = Starlette(routes=[Mount("/api", app=inner)])
    paths = ("/api/health", "/api/api/health", "/api/healthy", "/health")
    answers = ask_asgi(mounted, *(Request(path=path) for path in paths))
    assert [answer.status for answer in answers] == [200, 400, 400, 404]
