"""What drf-spectacular writes of a guard: the schemes, what each operation asks for, and its refusals.

It finds an extension once this is imported. Nothing here decides about a request.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.settings import spectacular_settings

from bearerguard.drf.authentication import BearerAuthentication
from bearerguard.drf.permission import RulePermission
from bearerguard.openapi import dpop_scheme, mutual_tls_scheme
from bearerguard.openapi.document import (
    DPOP,
    MUTUAL_TLS,
    add_need,
    provider_schemes,
    refusals,
    requirements,
)
from bearerguard.rules import Rule, authenticated

__all__: list[str] = []

_PATIENCE = 1.0
"""For how many seconds a document waits for the metadata of an issuer."""


class GuardExtension(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # only some of it has types
    """Documents the authentication of guards."""

    target_class: str | type[object] | None = BearerAuthentication
    match_subclasses = True

    schemes: dict[str, dict[str, Any]]
    of_binding: dict[str, dict[str, Any]]

    @property
    def name(self) -> list[str]:  # type: ignore[override]  # it is only read
        """The names of the schemes, one for each provider."""
        return list(self.schemes | self.of_binding)

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:  # noqa: ARG002 - its interface
        """Return the schemes."""
        return list((self.schemes | self.of_binding).values())

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        """Return what an operation asks for, each way of it; drf-spectacular calls this first."""
        self.schemes = self._described(auto_schema.registry)
        if "_get_response_bodies" not in vars(auto_schema):
            # An extension is not asked for responses; the object may be that of all operations of a view.
            bodies = auto_schema._get_response_bodies  # noqa: SLF001 - no public way
            auto_schema._get_response_bodies = functools.partial(_with_refusals, auto_schema, bodies)  # noqa: SLF001 - as above
        rule, version = rule_of(auto_schema.view), spectacular_settings.OAS_VERSION
        # OpenAPI 3.0 has no word for how a client shows a certificate.
        server = self.target.guard.server
        bound = server.certificate is not None and not version.startswith("3.0")
        self.of_binding = {MUTUAL_TLS: mutual_tls_scheme()} if bound else {}
        if server.dpop is not None:
            self.of_binding[DPOP] = dpop_scheme()
        return requirements(self.schemes, rule, version=version, has_certificate=bound, dpop=server.dpop)

    def _described(self, registry: Any) -> dict[str, dict[str, Any]]:
        """The schemes, under the names that they have in a document already, or new ones."""
        guard = self.target.guard

        def is_taken(name: str) -> bool:
            try:
                return registry[name, ResolvedComponent.SECURITY_SCHEMA].object is not type(self.target)
            except KeyError:
                return False

        providers = guard.server.providers
        known = [guard.server.metadata(provider.name, seconds=_PATIENCE) for provider in providers]
        scopes = dict.fromkeys(sorted(set().union(*(rule.scopes() for rule in guard.rules))), "")
        return provider_schemes(providers, known, scopes, is_taken)


def rule_of(view: Any) -> Rule | None:
    """Return the rule that all of a view's permissions make; None where a token is optional."""
    permissions = view.get_permissions()
    own = [one.rule for one in permissions if isinstance(one, RulePermission)]
    rules = [rule for rule in own if rule is not None]
    if rules:
        return functools.reduce(operator.and_, rules)
    # drf-spectacular adds by itself that `AllowAny` asks for nothing.
    return None if own or not permissions else authenticated


def _with_refusals(auto_schema: Any, bodies: Any, direction: str = "response") -> dict[str, Any]:
    """The responses of an operation, with those of the guard behind them."""
    responses: dict[str, Any] = bodies(direction)
    for one in auto_schema.view.get_authenticators():
        if direction == "response" and isinstance(one, BearerAuthentication):
            server, rule = one.guard.server, rule_of(auto_schema.view)
            content = one.guard.refusal_content
            for status, (_, response) in refusals(
                rule, server.providers, dpop=server.dpop, content=content
            ).items():
                if status == "403":  # an extension cannot change what stands above the operation
                    add_need(response, rule)
                responses.setdefault(status, response)
    return responses
