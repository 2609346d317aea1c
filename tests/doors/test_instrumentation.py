"""Tracing that wraps applications, middleware and views: guards work under it, and tell it who asks."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import flask as flask_framework
import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from bearerguard import AccessToken, asgi, fastapi, flask, starlette
from bearerguard.context import verified_token
from bearerguard.testing import Issuer

# Sentry patches Starlette, FastAPI and Flask for the whole process: in one of its own.
UNDER_SENTRY = """
import flask
import sentry_sdk
sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", traces_sample_rate=1.0, transport=lambda event: None)
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
import bearerguard.fastapi, bearerguard.flask, bearerguard.starlette
from bearerguard.context import verified_token
from bearerguard.testing import Issuer

issuer = Issuer()
server = issuer.resource_server(keys=issuer.jwks())
bearer = {"Authorization": f"Bearer {issuer.token('ada')}"}

async def page(request):
    return PlainTextResponse(verified_token().subject)

def check(client):
    assert [client.get("/").status_code, client.get("/", headers=bearer).status_code] == [401, 200]
    assert client.get("/", headers=bearer).text.strip('"') == "ada"

for module, application in ((bearerguard.starlette, Starlette), (bearerguard.fastapi, FastAPI)):
    guard = module.Guard(server)
    app = application(routes=[Route("/", page)])
    app.add_middleware(guard.protect, public_paths={"/health"})
    guard.install(app)
    check(TestClient(app))
app = Starlette(routes=[Route("/", page)])
app.add_middleware(bearerguard.starlette.AuthenticateMiddleware, server=server)
assert TestClient(app).get("/", headers=bearer).text == "ada"
guard = bearerguard.starlette.Guard(server)
check(TestClient(guard.install(Starlette(routes=[Route("/", guard.requires()(page))]))))
guard, app = bearerguard.fastapi.Guard(server), FastAPI()
guard.install(app)
app.get("/", dependencies=[guard.requires()])(lambda: verified_token().subject)
check(TestClient(app))
guard, app = bearerguard.flask.Guard(server), flask.Flask("shop")
app.add_url_rule("/", "home", guard.requires()(lambda: verified_token().subject))
check(app.test_client())
"""


def test_under_sentry_everything_starts_and_is_guarded() -> None:
    done = subprocess.run([sys.executable, "-c", UNDER_SENTRY], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def traces() -> tuple[TracerProvider, InMemorySpanExporter]:
    provider, spans = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider, spans


def bearer(issuer: Issuer) -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.token('ada')}"}


async def page(request: Request) -> PlainTextResponse:
    token = verified_token()
    return PlainTextResponse("" if token is None else token.subject or "")


def test_under_opentelemetrys_asgi_middleware_guards_work(issuer: Issuer, traces: Any) -> None:
    provider, spans = traces
    server, app = issuer.resource_server(keys=issuer.jwks()), Starlette(routes=[Route("/", page)])
    inside: Any = OpenTelemetryMiddleware(app, tracer_provider=provider)
    within = Starlette(routes=[Route("/", page)])
    within.add_middleware(OpenTelemetryMiddleware, tracer_provider=provider)
    within.add_middleware(starlette.Guard(server).protect)
    within.add_middleware(OpenTelemetryMiddleware, tracer_provider=provider)
    for traced in (asgi.Guard(server).protect(inside), within):
        client = TestClient(traced)
        assert [client.get("/").status_code, client.get("/", headers=bearer(issuer)).text] == [401, "ada"]
    assert spans.get_finished_spans()


def test_opentelemetry_for_fastapi_instruments_a_guarded_application(issuer: Issuer, traces: Any) -> None:
    provider, spans = traces
    guard, app = fastapi.Guard(issuer.resource_server(keys=issuer.jwks())), FastAPI()
    guard.install(app)

    async def home(token: Any) -> str | None:
        found = verified_token()
        assert isinstance(found, AccessToken)
        return found.subject

    home.__annotations__ = {"token": Any}
    home.__defaults__ = (guard.requires(),)
    app.post("/")(home)
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)
    client = TestClient(app)
    assert client.post("/", headers=bearer(issuer)).json() == "ada"
    assert client.post("/").status_code == 401
    assert any(span.name == "POST /" for span in spans.get_finished_spans())


def test_opentelemetry_for_flask_instruments_a_guarded_application(issuer: Issuer, traces: Any) -> None:
    provider, spans = traces
    guard, app = flask.Guard(issuer.resource_server(keys=issuer.jwks())), flask_framework.Flask("shop")

    def home() -> str:
        token = verified_token()
        return "" if token is None else token.subject or ""

    app.add_url_rule("/", "home", guard.requires()(home))
    guard.protect(app)
    instrumentor: Any = FlaskInstrumentor()
    instrumentor.instrument_app(app, tracer_provider=provider)
    client: Any = app.test_client()
    with client.get("/") as refused, client.get("/", headers=bearer(issuer)) as served:
        assert [refused.status_code, served.text] == [401, "ada"]
    assert spans.get_finished_spans()
