"""The security part of a FastAPI application's OpenAPI document: schemes, alternatives, refusals.

FastAPI collects what its dependencies say of themselves, one scheme each. A rule can say more than that, so
while a document is made each rule stands in it as a scheme with a name of its own, a mark, which is then
replaced by what the rule asks of each provider. Nothing here decides about a request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce
from operator import and_
from types import MappingProxyType
from typing import Any

import anyio
from anyio.lowlevel import current_token
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, request_response

from bearerguard.fastapi.annotations import check_annotations
from bearerguard.fastapi.docs_client import DocsClient, with_clients
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
    scheme_names,
)
from bearerguard.rules import Rule

__all__ = ["Document", "scheme_name"]

_MARK = "bearerguard "
_OPTIONAL = "optional"
_marking: ContextVar[frozenset[BaseGuard]] = ContextVar("bearerguard.fastapi.marking", default=frozenset())


def scheme_name(guard: BaseGuard, demand: Demand) -> str:
    """Return the name of the scheme that stands for a demand: a mark while the guard's document is made."""
    if guard not in _marking.get():
        return "bearer"
    return f"{_marks_of(guard)}{_OPTIONAL if demand.optional else guard.rules.index(demand.rule)}"


class Document:
    """An application's OpenAPI document, as a guard completes it.

    Args:
        guard: whose rules stand in it.
        app: the application.
        scopes: the scopes that `/docs` can ask for, with descriptions; those of the rules by default.
        clients: as which `/docs` logs in at providers, by their names.
        patience: for how many seconds a request for the document waits for issuers' metadata. When they come
            later, the next one has them.
    """

    def __init__(
        self,
        guard: BaseGuard,
        app: FastAPI,
        scopes: Mapping[str, str] | None = None,
        *,
        clients: Mapping[str, DocsClient] = MappingProxyType({}),
        patience: float = 1.0,
    ) -> None:
        self._guard = guard
        self._app = app
        self._scopes = scopes
        self._clients = clients
        # Of the schemes of this guard, by the name of the provider.
        self._names: dict[str, str] = {}
        self._patience = patience
        self._server = guard.server
        self._providers = guard.server.providers
        self._is_asking = False
        # What the document was made of, to notice that there is more by now.
        self._known: list[Mapping[str, Any] | None] = [None] * len(self._providers)
        self._described: dict[str, Any] | None = None

    def install(self) -> None:
        """Have the application make and serve it."""
        original = self._app.openapi

        def openapi() -> dict[str, Any]:
            self._ask_off_a_loop()
            known = [self._server.known_metadata(provider.name) for provider in self._providers]
            if known != self._known:
                self._known = known
                self._app.openapi_schema = None  # made anew, with the flows that are known by now
            check_annotations(self._app)  # or FastAPI would stumble over them, and say less
            with _marks(self._guard):
                document = original()
            # FastAPI keeps a document until its routes change.
            if document is not self._described:
                self._describe(document)
                self._described = document
            return document

        self._app.openapi = openapi  # type: ignore[method-assign]
        for route in self._app.router.routes:
            if isinstance(route, Route) and route.path == self._app.openapi_url:
                route.app = self._with_metadata(route.app)
            elif self._clients and isinstance(route, Route) and route.path == self._app.docs_url:
                route.app = request_response(self._with_clients(route.endpoint))

    def _with_clients(
        self, served: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Have the page with the button know the client of each provider."""

        async def page(request: Request) -> Response:
            response = await served(request)
            await self._ask_for_metadata()
            self._app.openapi()  # which gives the schemes their names
            settings = {self._names[name]: one.settings() for name, one in self._clients.items()}
            return HTMLResponse(with_clients(bytes(response.body).decode(), settings))

        return page

    # -- the issuers' metadata -----------------------------------------------------------------------

    def _with_metadata(
        self, served: Callable[..., Awaitable[None]]
    ) -> Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]:
        """Have the document wait for metadata, off the event loop, as building it cannot."""

        async def documented(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            await self._ask_for_metadata()
            await served(scope, receive, send)

        return documented

    async def _ask_for_metadata(self) -> None:
        if self._is_asking:  # somebody waits already; nobody else has to
            return
        self._is_asking = True
        try:
            async with anyio.create_task_group() as group:
                for provider in self._providers:
                    group.start_soon(self._ask_provider, provider.name)
        finally:
            self._is_asking = False

    def _ask_off_a_loop(self) -> None:
        """The same for a script, which may wait: its document is then the one that is served."""
        try:
            current_token()  # of asyncio or trio
        except RuntimeError:
            for provider in self._providers:
                if self._server.known_metadata(provider.name) is None:
                    self._server.metadata(provider.name, seconds=self._patience)

    async def _ask_provider(self, name: str) -> None:
        await self._server.ametadata(name, seconds=self._patience)

    # -- the document --------------------------------------------------------------------------------

    def _describe(self, document: dict[str, Any]) -> None:
        """Put the providers' schemes in the place of the marks, with each operation's alternatives."""
        components = document.get("components", {})
        schemes = components.get("securitySchemes", {})
        marks = [name for name in schemes if name.startswith(_marks_of(self._guard))]
        if not marks:
            return
        for mark in marks:
            del schemes[mark]
        scopes = dict.fromkeys(sorted(set().union(*(rule.scopes() for rule in self._guard.rules))), "")
        self._names = scheme_names(self._providers, schemes.__contains__)
        scopes_of = {name: one.scopes for name, one in self._clients.items() if one.scopes is not None}
        own = provider_schemes(
            self._providers,
            self._known,
            self._scopes or scopes,
            schemes.__contains__,
            scopes_of=scopes_of,
        )
        schemes.update(own)
        has_certificate = self._add_certificate_scheme(document, schemes)
        if self._server.dpop is not None:
            schemes.setdefault(DPOP, dpop_scheme())
        for operation in _operations(document):
            rules = self._rules_of(operation)
            if rules is None:
                continue
            rule = reduce(and_, rules) if rules else None
            others = [one for one in operation["security"] if not one.keys() & set(marks)]
            version = document.get("openapi")
            needed = requirements(
                own, rule, version=version, has_certificate=has_certificate, dpop=self._server.dpop
            )
            operation["security"] = [*others, *needed]
            add_need(operation, rule)
            content = self._guard.refusal_content
            answers = refusals(rule, self._providers, dpop=self._server.dpop, content=content)
            put_refusals(operation.setdefault("responses", {}), components, answers)

    def _add_certificate_scheme(self, document: dict[str, Any], schemes: dict[str, Any]) -> bool:
        """Add how a client shows the certificate of its token; OpenAPI 3.0 has no word for it."""
        if self._server.certificate is None or str(document.get("openapi")).startswith("3.0"):
            return False
        schemes.setdefault(MUTUAL_TLS, mutual_tls_scheme())
        return True

    def _rules_of(self, operation: dict[str, Any]) -> list[Rule] | None:
        """The rules that an operation asks for, none where a token is optional; None: it is not protected."""
        prefix = _marks_of(self._guard)
        named = [name for one in operation.get("security", ()) for name in one if name.startswith(prefix)]
        if not named:
            return None
        numbers = [name.removeprefix(prefix) for name in named]
        return [self._guard.rules[int(number)] for number in numbers if number != _OPTIONAL]


def _marks_of(guard: BaseGuard) -> str:
    return f"{_MARK}{id(guard)} "


@contextmanager
def _marks(guard: BaseGuard) -> Generator[None]:
    before = _marking.set(_marking.get() | {guard})
    try:
        yield
    finally:
        _marking.reset(before)


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for section in ("paths", "webhooks"):
        for item in document.get(section, {}).values():
            yield from (operation for operation in item.values() if isinstance(operation, dict))
