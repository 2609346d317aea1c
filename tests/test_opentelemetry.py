"""What OpenTelemetry is told: metrics as docs/observability.md has them, and spans below their requests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from bearerguard import (
    AuthError,
    DPoP,
    InvalidToken,
    ProviderUnavailable,
    RemoteKeys,
    Request,
    ResourceServer,
    Revocation,
    scope,
)
from bearerguard import fastapi as door
from bearerguard.asgi import Guard
from bearerguard.opentelemetry import BOUNDARIES, Observer
from bearerguard.testing import Clock, Issuer
from tests.faults.scripted_provider import until

PAGE = (Path(__file__).parents[1] / "docs" / "observability.md").read_text("utf-8")
COLOURS = ["sync", "asyncio", "trio"]


class Telemetry:
    """What was recorded."""

    def __init__(self, **options: Any) -> None:
        self.reader, self.exporter = InMemoryMetricReader(), InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider([self.reader])
        self.observer = Observer(meter_provider=meters, tracer_provider=self.tracers, **options)
        self.tracer = self.tracers.get_tracer("test")

    def metrics(self) -> dict[str, Metric]:
        data = self.reader.get_metrics_data()
        found = [] if data is None else data.resource_metrics
        return {
            metric.name: metric
            for resource in found
            for scoped in resource.scope_metrics
            for metric in scoped.metrics
        }

    def counts(self, name: str) -> dict[tuple[Any, ...], int]:
        """How often a metric was recorded, by the values of its attributes in the order of their names."""
        metric = self.metrics().get(name)
        return {
            tuple(value for _, value in sorted((point.attributes or {}).items())): getattr(
                point, "count", getattr(point, "value", 0)
            )
            for point in (metric.data.data_points if metric is not None else ())
        }

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer("https://login.test", audience="https://api.test", clock=Clock(1_700_000_000.0))


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


def verify(server: ResourceServer, token: str, colour: str, telemetry: Telemetry) -> int:
    """Verify a token within a span of a request; return the span's id."""

    async def task() -> int:
        with telemetry.tracer.start_as_current_span("request") as span:
            await server.averify(token)
            return span.get_span_context().span_id

    if colour != "sync":
        return anyio.run(task, backend=colour)
    with telemetry.tracer.start_as_current_span("request") as span:
        server.verify(token)
        return span.get_span_context().span_id


def everything(issuer: Issuer, telemetry: Telemetry) -> None:
    """Have every metric recorded, and every span that is known, with all that must not be said anywhere."""
    guard = Guard(
        issuer.resource_server(
            name="login",
            introspection=issuer.introspection(),
            dpop=DPoP(base_url="https://api.test"),
            revocation=Revocation(),
            observer=telemetry.observer,
        )
    )
    server = guard.server
    server.metadata("login")
    until(lambda: bool(telemetry.spans("fetch metadata")))
    for token in (*[issuer.token("mallory", "read", expires_in=10_000)] * 2, issuer.opaque_token("mallory")):
        server.verify(token)
    unknown = Issuer("https://mallory.test")
    for token in (unknown.token("mallory"), issuer.expired(sub="mallory"), issuer.with_header(kid="mallory")):
        with pytest.raises(InvalidToken):
            server.verify(token)
    with pytest.raises(AuthError):
        server.authenticate(Request("GET", "https://api.test/", {}))
    with pytest.raises(AuthError):
        guard.allow(scope("write"), server.verify(issuer.token("mallory", "read")))
    revoked = issuer.token("mallory", jti="1")
    server.revoke(server.verify(revoked))
    with pytest.raises(InvalidToken):
        server.verify(revoked)
    with issuer.outage():
        issuer.clock.advance(700)
        server.verify(issuer.token("mallory"))
        # Else the refresh that this began may find that the outage is over.
        until(lambda: server.health()["providers"]["login"]["last_failure"] is not None)
        with pytest.raises(ProviderUnavailable):
            server.verify(issuer.opaque_token("mallory"))
    client = issuer.client("mallory", dpop=True)
    fields = client.headers("GET", "https://api.test/")
    server.authenticate(Request("GET", "https://api.test/", fields))
    with pytest.raises(AuthError):
        server.authenticate(Request("GET", "https://api.test/", fields))
    with telemetry.tracer.start_as_current_span("request"):
        telemetry.observer.store("add", 0.001, None)
    until(lambda: len(telemetry.counts("bearerguard.introspection.requests")) == 2)


# -- metrics -----------------------------------------------------------------------------------------------


def test_the_page_has_every_metric_with_its_kind_its_unit_and_what_it_says_of_itself(
    issuer: Issuer, telemetry: Telemetry
) -> None:
    everything(issuer, telemetry)
    rows = re.findall(r"^\| `(bearerguard\.[a-z._]+)` \| (\w+) \| `([^`]+)` \| ([^|;]+)", PAGE, re.MULTILINE)
    kinds = {"Histogram": "histogram", "Sum": "counter"}
    recorded = {
        (name, kinds[type(metric.data).__name__], metric.unit, (metric.description or "").lower().rstrip("."))
        for name, metric in telemetry.metrics().items()
    }
    assert recorded == {(name, kind, unit, said.strip().lower()) for name, kind, unit, said in rows}


def test_the_page_has_every_attribute_of_a_metric(issuer: Issuer, telemetry: Telemetry) -> None:
    everything(issuer, telemetry)
    [table] = re.findall(r"\| attribute \| what \|\n\| --- \| --- \|\n((?:\|.*\n)+)", PAGE)
    assert attributes(telemetry).keys() == set(re.findall(r"^\| `([a-z._]+)`", table, re.MULTILINE))


def attributes(telemetry: Telemetry) -> dict[str, set[Any]]:
    """Every attribute of every metric, with the values that it had."""
    found: dict[str, set[Any]] = {}
    for metric in telemetry.metrics().values():
        for point in metric.data.data_points:
            for name, value in (point.attributes or {}).items():
                found.setdefault(name, set()).add(value)
    return found


def test_no_metric_and_no_span_says_what_somebody_else_chose(issuer: Issuer, telemetry: Telemetry) -> None:
    everything(issuer, telemetry)
    values = attributes(telemetry)
    assert values["bearerguard.provider"] == {"login"}
    assert values["bearerguard.operation"] == {"keys", "metadata", "add"}
    assert all(re.fullmatch("[a-z_]+", value) for value in values["error.type"])
    for span in telemetry.exporter.get_finished_spans():
        assert "mallory" not in span.to_json()


def test_the_queries_of_the_page_ask_for_metrics_that_there_are(issuer: Issuer, telemetry: Telemetry) -> None:
    everything(issuer, telemetry)
    known: set[str] = set()
    for name, metric in telemetry.metrics().items():
        plain = name.replace(".", "_")
        if metric.unit == "s":
            known |= {f"{plain}_seconds_{part}" for part in ("bucket", "count", "sum")}
        else:  # a unit in braces is left out
            known.add(f"{plain}_total")
    asked = set(re.findall(r"\bbearerguard_[a-z_]+(?=[{\[])", PAGE))
    assert len(asked) >= 8
    assert asked <= known
    labels = {name.replace(".", "_") for name in attributes(telemetry)}
    assert set(re.findall(r"by \(([^)]+)\)", PAGE)) <= {"le", *labels, "bearerguard_provider, error_type"}
    assert len(re.findall(r"^\*\*\d\. .+\?\*\*$\n\n```promql$", PAGE, re.MULTILINE)) == 4


def test_each_decision_is_in_the_histogram_once(issuer: Issuer, telemetry: Telemetry) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), name="login", observer=telemetry.observer)
    token = issuer.token()
    for _ in range(5):
        server.verify(token)
    for _ in range(2):
        with pytest.raises(InvalidToken):
            server.verify(issuer.expired())
    assert telemetry.counts("bearerguard.verification.duration") == {("login",): 5, ("login", "expired"): 2}
    assert telemetry.counts("bearerguard.verification.cache_hits") == {("login",): 4}
    [point, *_] = telemetry.metrics()["bearerguard.verification.duration"].data.data_points
    assert tuple(getattr(point, "explicit_bounds", ())) == BOUNDARIES


def test_what_a_rule_refuses_is_counted_apart(issuer: Issuer, telemetry: Telemetry) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), name="login", observer=telemetry.observer)
    token = server.verify(issuer.token(scope="read"))
    with pytest.raises(AuthError):
        Guard(server).allow(scope("write"), token)
    assert telemetry.counts("bearerguard.verification.duration") == {("login",): 1}
    assert telemetry.counts("bearerguard.rule.refusals") == {("login", "scope"): 1}


def test_replays_revocations_and_stale_keys_are_counted(issuer: Issuer, telemetry: Telemetry) -> None:
    everything(issuer, telemetry)
    for name in ("bearerguard.dpop.replays", "bearerguard.revocation.refusals"):
        assert telemetry.counts(name) == {("login",): 1}, name
    assert telemetry.counts("bearerguard.keys.stale") == {("login",): 2}
    assert telemetry.counts("bearerguard.introspection.requests") == {
        ("login",): 2,
        ("login", "connection"): 1,
    }
    assert telemetry.counts("bearerguard.store.operations") == {("add",): 1}


def test_without_names_of_the_programs_own_no_provider_is_said(issuer: Issuer, telemetry: Telemetry) -> None:
    server = ResourceServer.trusting(
        lambda _: True,
        audience=issuer.audience,
        keys=RemoteKeys(http_options={"transport": issuer.transport}),
        observer=telemetry.observer,
        clock=issuer.clock,
    )
    server.verify(issuer.token())
    until(lambda: bool(telemetry.spans("fetch keys")))
    assert attributes(telemetry) == {"bearerguard.operation": {"keys"}}


# -- spans -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", COLOURS)
def test_a_fetch_is_a_span_below_the_request_that_began_it(
    issuer: Issuer, telemetry: Telemetry, colour: str
) -> None:
    server = issuer.resource_server(name="login", observer=telemetry.observer)
    first = verify(server, issuer.token(), colour, telemetry)
    verify(server, issuer.token(), colour, telemetry)
    until(lambda: bool(telemetry.spans("fetch keys")))
    [span] = telemetry.spans("fetch keys")
    assert span.parent is not None
    assert (span.parent.span_id, span.kind) == (first, SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {"bearerguard.operation": "keys", "bearerguard.provider": "login"}
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time < span.end_time


@pytest.mark.parametrize("colour", COLOURS)
def test_a_question_about_a_token_is_a_span_below_its_request(
    issuer: Issuer, telemetry: Telemetry, colour: str
) -> None:
    server = issuer.resource_server(
        name="login", introspection=issuer.introspection(), observer=telemetry.observer
    )
    asked = verify(server, issuer.opaque_token(), colour, telemetry)
    until(lambda: bool(telemetry.spans("introspect token")))
    [span] = telemetry.spans("introspect token")
    assert span.parent is not None
    assert (span.parent.span_id, span.kind) == (asked, SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET


def test_what_fails_is_a_span_that_says_why(issuer: Issuer, telemetry: Telemetry) -> None:
    server = issuer.resource_server(name="login", observer=telemetry.observer)
    with issuer.outage(), pytest.raises(ProviderUnavailable):
        server.verify(issuer.token())
    until(lambda: bool(telemetry.spans("fetch keys")))
    [span] = telemetry.spans("fetch keys")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "connection"
    assert span.parent is None, "nobody's request has a span"


def test_the_page_has_every_span(issuer: Issuer, telemetry: Telemetry) -> None:
    everything(issuer, telemetry)
    names = {span.name for span in telemetry.exporter.get_finished_spans()} - {"request"}
    made = {re.sub(r"^store .*", "store ...", name) for name in names}
    [table] = re.findall(r"\| span \| what \|\n\| --- \| --- \|\n((?:\|.*\n)+)", PAGE)
    assert made == set(re.findall(r"`([^`]+)`", table))


@pytest.mark.parametrize("enduser_id", [False, True])
def test_the_span_of_a_request_says_whose_it_is_only_if_it_is_asked_to(
    issuer: Issuer, enduser_id: bool
) -> None:
    telemetry = Telemetry(enduser_id=enduser_id)
    guard = door.Guard(issuer.resource_server(observer=telemetry.observer))
    app = FastAPI()

    @app.get("/", dependencies=[guard.requires()])
    async def home() -> str:
        return "hello"

    guard.install(app)
    FastAPIInstrumentor.instrument_app(app, tracer_provider=telemetry.tracers)
    bearer = {"Authorization": f"Bearer {issuer.token('ada')}"}
    with TestClient(app) as client:
        assert client.get("/", headers=bearer).status_code == 200
        assert client.get("/", headers=bearer).status_code == 200
    requests = telemetry.spans("GET /")
    assert [(span.attributes or {}).get("enduser.id") for span in requests] == (
        ["ada", "ada"] if enduser_id else [None, None]
    )
    until(lambda: bool(telemetry.spans("fetch keys")))
    [fetch] = telemetry.spans("fetch keys")
    assert fetch.parent is not None
    assert fetch.parent.span_id in {span.context.span_id for span in requests if span.context is not None}
    assert "enduser.id" not in attributes(telemetry)
