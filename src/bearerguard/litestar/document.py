"""The security part of a Litestar application's document: a scheme a provider, and what handlers ask for."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import reduce
from operator import and_
from typing import Any

from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, OAuthFlow, OAuthFlows, Operation, SecurityScheme

from bearerguard.guard import BaseGuard, Demand
from bearerguard.openapi import dpop_scheme, mutual_tls_scheme
from bearerguard.openapi.document import (
    DPOP,
    MUTUAL_TLS,
    add_need,
    provider_schemes,
    refusals,
    requirements,
)
from bearerguard.rules import Rule
from bearerguard.server import ResourceServer

__all__ = ["describe", "with_schemes"]

_FLOWS = {
    "authorizationCode": "authorization_code",
    "clientCredentials": "client_credentials",
    "implicit": "implicit",
}


def with_schemes(config: OpenAPIConfig, server: ResourceServer) -> OpenAPIConfig:
    """Return the configuration of a document with a security scheme for each provider of a server."""
    schemes: Any = {name: _scheme(one) for name, one in _schemes(server).items()}
    before = config.components if isinstance(config.components, list) else [config.components]
    changed = copy.copy(config)  # the one that Litestar has by default is everybody's
    changed.components = [*before, Components(security_schemes=schemes)]
    return changed


def describe(handler: HTTPRouteHandler, demands: Iterable[Demand], guard: BaseGuard) -> None:
    """Say in a handler's document what the guards of all its layers ask for together."""
    server = guard.server
    asked = [demand for demand in demands if not demand.optional]
    rule = reduce(and_, dict.fromkeys(demand.rule for demand in asked)) if asked else None
    of_providers = {name: one for name, one in _schemes(server).items() if name not in (DPOP, MUTUAL_TLS)}
    alternatives = requirements(
        of_providers, rule, has_certificate=server.certificate is not None, dpop=server.dpop
    )
    own = list(handler.security or ())
    handler.security = [*own, *(one for one in alternatives if one not in own)]
    handler.operation_class = _completed(handler.operation_class, rule, guard)


def _completed(base: type[Operation], rule: Rule | None, guard: BaseGuard) -> type[Operation]:
    """An operation that tells its rule and its refusals too."""

    class Completed(base):  # type: ignore[valid-type, misc] # the handler's own, as Litestar lets one replace it
        def to_schema(self) -> dict[str, Any]:
            schema: dict[str, Any] = super().to_schema()
            add_need(schema, rule)
            server, responses = guard.server, schema.setdefault("responses", {})
            own = refusals(rule, server.providers, dpop=server.dpop, content=guard.refusal_content)
            for status, (_, response) in own.items():
                responses.setdefault(status, response)
            return schema

    return Completed


def _schemes(server: ResourceServer) -> dict[str, dict[str, Any]]:
    """The schemes of a document, by name. Only what is known by now of an issuer can stand there."""
    known = [server.known_metadata(provider.name) for provider in server.providers]
    schemes = provider_schemes(server.providers, known, {}, lambda _: False)
    if server.certificate is not None:
        schemes[MUTUAL_TLS] = mutual_tls_scheme()
    if server.dpop is not None:
        schemes[DPOP] = dpop_scheme()
    return schemes


def _scheme(described: dict[str, Any]) -> SecurityScheme:
    """A Security Scheme Object as Litestar has it."""
    flows = described.get("flows", {})
    made = {
        _FLOWS[name]: OAuthFlow(
            authorization_url=flow.get("authorizationUrl"),
            token_url=flow.get("tokenUrl"),
            scopes=flow.get("scopes"),
        )
        for name, flow in flows.items()
    }
    return SecurityScheme(
        type=described["type"],
        name=described.get("name"),
        security_scheme_in=described.get("in"),
        scheme=described.get("scheme"),
        bearer_format=described.get("bearerFormat"),
        description=described.get("description"),
        flows=OAuthFlows(**made) if made else None,
    )
