"""The security part of an API's OpenAPI document: schemes, alternatives, refusals.

Ninja names a scheme after the class of an `auth=` and knows no scopes. So each demand has a class with a name
of its own, which is replaced here by what its rule asks of each provider. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bearerguard.guard import BaseGuard, Demand
from bearerguard.openapi import dpop_scheme, mutual_tls_scheme
from bearerguard.openapi.document import (
    DPOP,
    MUTUAL_TLS,
    add_need,
    provider_schemes,
    put_refusals,
    refusals,
    requirements,
)

__all__: list[str] = []

_PATIENCE = 1.0
"""For how many seconds a document waits for the metadata of an issuer."""


def describe(document: dict[str, Any], guard: BaseGuard, demands: Mapping[str, Demand]) -> None:
    """Complete a document.

    Args:
        document: as Ninja has made it.
        guard: whose demands stand in it.
        demands: all of them, by the name of their scheme.
    """
    components = document["components"]
    schemes: dict[str, Any] = components.get("securitySchemes", {})
    if not schemes.keys() & demands.keys():
        return
    for name in schemes.keys() & demands.keys():
        del schemes[name]
    server = guard.server
    known = [server.metadata(provider.name, seconds=_PATIENCE) for provider in server.providers]
    scopes = dict.fromkeys(sorted(set().union(*(rule.scopes() for rule in guard.rules))), "")
    own = provider_schemes(server.providers, known, scopes, schemes.__contains__)
    schemes.update(own)
    bound = server.certificate is not None
    if bound:
        schemes.setdefault(MUTUAL_TLS, mutual_tls_scheme())
    if server.dpop is not None:
        schemes.setdefault(DPOP, dpop_scheme())
    for operation in _operations(document):
        security = operation.get("security", [])
        asked = [demands[name] for one in security for name in one if name in demands]
        if not asked:
            continue
        others = [one for one in security if not one.keys() & demands.keys()]
        demand = asked[0]  # Ninja asks the others only where that one is not shown a token
        rule = None if demand.optional else demand.rule
        operation["security"] = [*others, *requirements(own, rule, has_certificate=bound, dpop=server.dpop)]
        add_need(operation, rule)
        answers = refusals(rule, server.providers, dpop=server.dpop, content=guard.refusal_content)
        put_refusals(operation["responses"], components, answers, key=int)


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()
