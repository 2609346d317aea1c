"""Metrics and traces by OpenTelemetry: an `Observer` that records what it is told.

It needs nothing but OpenTelemetry's API: where the program sets up no SDK, nothing is recorded. No metric
says a subject, or anything that a token claims which nobody verified; a span says a subject only where the
program asks for it.
"""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING

from bearerguard import observe
from bearerguard._extra import extra
from bearerguard.errors import AuthError

with extra("opentelemetry"):
    from opentelemetry.metrics import get_meter
    from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span, get_tracer

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from bearerguard.token import AccessToken

__all__ = ["Observer"]

SCOPE = "bearerguard"
ERROR_TYPE = "error.type"
PROVIDER = "bearerguard.provider"
OPERATION = "bearerguard.operation"
ENDUSER_ID = "enduser.id"

BOUNDARIES = (
    *(0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5),
    *(0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
"""Seconds. A token that is remembered takes some microseconds; one that waits for keys, some seconds."""


class Observer(observe.Observer):
    """Records a server's decisions as metrics, and what goes over the network as spans.

    Args:
        meter_provider: where the instruments come from; the program's own by default.
        tracer_provider: where spans go; the program's own by default.
        enduser_id: whether the span of a request, which is not made here, gets the verified subject as
            `enduser.id`. It may be a name of a person: ask who sees your traces.

    Examples:
        ```python
        server = ResourceServer(provider, observer=Observer())
        ```
    """

    def __init__(
        self,
        *,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
        enduser_id: bool = False,
    ) -> None:
        meter = get_meter(SCOPE, meter_provider=meter_provider)
        self._tracer = get_tracer(SCOPE, tracer_provider=tracer_provider)
        self._enduser_id = enduser_id
        self._duration = meter.create_histogram(
            "bearerguard.verification.duration",
            unit="s",
            description="How long it took to decide about a request's token.",
            explicit_bucket_boundaries_advisory=BOUNDARIES,
        )
        self._hits = meter.create_counter(
            "bearerguard.verification.cache_hits",
            unit="{token}",
            description="Tokens that were accepted by a remembered verdict.",
        )
        self._rules = meter.create_counter(
            "bearerguard.rule.refusals",
            unit="{request}",
            description="Requests whose token was verified, and did not fulfil the rule of the route.",
        )
        self._stale = meter.create_counter(
            "bearerguard.keys.stale",
            unit="{token}",
            description="Tokens that were accepted by keys past their lifetime.",
        )
        self._fetches = meter.create_counter(
            "bearerguard.keys.fetches",
            unit="{fetch}",
            description="How often an issuer was asked for its keys or its metadata.",
        )
        self._questions = meter.create_counter(
            "bearerguard.introspection.requests",
            unit="{request}",
            description="How often a provider was asked about a token.",
        )
        self._replays = meter.create_counter(
            "bearerguard.dpop.replays",
            unit="{request}",
            description="Requests with a proof that had been used before.",
        )
        self._revoked = meter.create_counter(
            "bearerguard.revocation.refusals",
            unit="{request}",
            description="Requests with a token that had been revoked.",
        )
        self._uses = meter.create_counter(
            "bearerguard.store.operations",
            unit="{operation}",
            description="How often a shared store was asked.",
        )
        self._also = {"proof_replayed": self._replays, "revoked": self._revoked}

    def decided(
        self,
        outcome: AccessToken | AuthError,
        provider: str | None,
        seconds: float,
        remembered: bool,
        stale: bool,
    ) -> None:
        """Record a decision."""
        attributes = _attributes(provider)
        if isinstance(outcome, AuthError):
            self._refused(outcome, attributes, seconds)
            return
        self._duration.record(seconds, attributes)
        if remembered:
            self._hits.add(1, attributes)
        if stale:
            self._stale.add(1, attributes)
        if self._enduser_id and outcome.subject is not None:
            get_current_span().set_attribute(ENDUSER_ID, outcome.subject)

    def _refused(self, error: AuthError, attributes: dict[str, str], seconds: float) -> None:
        also = self._also.get(error.reason)
        if also is not None:
            also.add(1, attributes)
        attributes = {**attributes, ERROR_TYPE: error.reason}
        if error.token is None:
            self._duration.record(seconds, attributes)
        else:  # how long it took was recorded when the token was accepted
            self._rules.add(1, attributes)

    def refreshed(self, operation: str, provider: str | None, seconds: float, failure: str | None) -> None:
        """Record a fetch."""
        attributes = {OPERATION: operation, **_attributes(provider, failure)}
        self._fetches.add(1, attributes)
        self._span(f"fetch {operation}", attributes, seconds, failure)

    def asked(self, provider: str | None, seconds: float, failure: str | None) -> None:
        """Record a question about a token."""
        attributes = _attributes(provider, failure)
        self._questions.add(1, attributes)
        self._span("introspect token", attributes, seconds, failure)

    def store(self, operation: str, seconds: float, failure: str | None) -> None:
        """Record what a store was asked."""
        attributes = {OPERATION: operation, **_attributes(None, failure)}
        self._uses.add(1, attributes)
        if get_current_span().get_span_context().is_valid:  # a thread of ours asks twice a second
            self._span(f"store {operation}", attributes, seconds, failure)

    def _span(self, name: str, attributes: dict[str, str], seconds: float, failure: str | None) -> None:
        """Record a span that has ended, below the span of the request that began what it is about."""
        end = time_ns()
        span = self._tracer.start_span(
            name, kind=SpanKind.CLIENT, attributes=attributes, start_time=end - int(seconds * 1e9)
        )
        if failure is not None:
            span.set_status(Status(StatusCode.ERROR, failure))
        span.end(end)


def _attributes(provider: str | None, failure: str | None = None) -> dict[str, str]:
    """What a measurement says: only what the program named, and short words of ours."""
    attributes = {} if provider is None else {PROVIDER: provider}
    if failure is not None:
        attributes[ERROR_TYPE] = failure
    return attributes
