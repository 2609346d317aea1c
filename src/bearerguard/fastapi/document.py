"""The security part of a FastAPI application's OpenAPI document: schemes, alternatives, refusals.

FastAPI collects what its dependencies say of themselves, one scheme each. A rule can say more than that, so
while a document is made each rule stands in it as a scheme with a name of its own, a mark, which is then
replaced by what the rule asks of each provider. Nothing here decides about a request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce
from operator import and_
from typing import Any

import anyio
from fastapi import FastAPI
from starlette.routing import Route

from bearerguard.fastapi.annotations import check_annotations
from bearerguard.guard import BaseGuard, Demand
from bearerguard.openapi import provider_scheme
from bearerguard.rules import Rule, authenticated

__all__ = ["Document", "scheme_name"]

_MARK = "bearerguard "
_OPTIONAL = "optional"
_marking: ContextVar[frozenset[BaseGuard]] = ContextVar("bearerguard.fastapi.marking", default=frozenset())

_CHALLENGE = {"WWW-Authenticate": {"description": "What is needed (RFC 6750).", "schema": {"type": "string"}}}
_RETRY_AFTER = {"Retry-After": {"description": "In how many seconds.", "schema": {"type": "integer"}}}
_REFUSALS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "401": (
        "Unauthorized",
        {"description": "There is no access token, or not one that is accepted.", "headers": _CHALLENGE},
    ),
    "403": (
        "Forbidden",
        {"description": "The access token does not reach this far.", "headers": _CHALLENGE},
    ),
    "503": (
        "ServiceUnavailable",
        {"description": "The access token cannot be checked just now.", "headers": _CHALLENGE | _RETRY_AFTER},
    ),
}
"""What an operation may answer in place of its own, by status: the component's name, and the response."""


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
        patience: for how many seconds a request for the document waits for issuers' metadata. When they come
            later, the next one has them.
    """

    def __init__(
        self,
        guard: BaseGuard,
        app: FastAPI,
        scopes: Mapping[str, str] | None = None,
        *,
        patience: float = 1.0,
    ) -> None:
        self._guard = guard
        self._app = app
        self._scopes = scopes
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
        names: list[str] = []
        scopes = dict.fromkeys(sorted(set().union(*(rule.scopes() for rule in self._guard.rules))), "")
        for number, provider in enumerate(self._providers):
            names.append(_free_name(schemes))
            schemes[names[-1]] = provider_scheme(provider, self._known[number] or {}, self._scopes or scopes)
        # OpenAPI 3.0.3, "Security Requirement Object": no names but for OAuth 2.0 and OpenID Connect.
        strict = str(document.get("openapi")).startswith("3.0")
        for operation in _operations(document):
            rules = self._rules_of(operation)
            if rules is None:
                continue
            rule = reduce(and_, rules) if rules else None
            others = [one for one in operation["security"] if not one.keys() & set(marks)]
            own = _alternatives(names, rule)
            if strict:
                own = [{name: one[name] if "flows" in schemes[name] else [] for name in one} for one in own]
            operation["security"] = [*others, *_distinct(own)]
            self._add_refusals(operation.setdefault("responses", {}), rule, components)

    def _rules_of(self, operation: dict[str, Any]) -> list[Rule] | None:
        """The rules that an operation asks for, none where a token is optional; None: it is not protected."""
        prefix = _marks_of(self._guard)
        named = [name for one in operation.get("security", ()) for name in one if name.startswith(prefix)]
        if not named:
            return None
        numbers = [name.removeprefix(prefix) for name in named]
        return [self._guard.rules[int(number)] for number in numbers if number != _OPTIONAL]

    def _add_refusals(self, responses: dict[str, Any], rule: Rule | None, components: dict[str, Any]) -> None:
        """Add the answers of the guard to those of the application, which come first."""
        possible = ["401"]
        if rule not in (None, authenticated):
            possible.append("403")
        if any(provider.key_set is None for provider in self._providers):
            possible.append("503")
        for status in possible:
            if not {status, f"{status[0]}XX"} & responses.keys():
                name, response = _REFUSALS[status]
                components.setdefault("responses", {}).setdefault(name, response)
                responses[status] = {"$ref": f"#/components/responses/{name}"}


def _marks_of(guard: BaseGuard) -> str:
    return f"{_MARK}{id(guard)} "


@contextmanager
def _marks(guard: BaseGuard) -> Generator[None]:
    before = _marking.set(_marking.get() | {guard})
    try:
        yield
    finally:
        _marking.reset(before)


def _free_name(taken: Mapping[str, Any]) -> str:
    number = 1
    while (name := "oauth2" if number == 1 else f"oauth2_{number}") in taken:
        number += 1
    return name


def _alternatives(names: Iterable[str], rule: Rule | None) -> list[dict[str, list[str]]]:
    """The ways to fulfil a rule, one of them nothing at all where a token is optional."""
    if rule is None:
        return [{}, *({name: list[str]()} for name in names)]
    return [alternative for name in names for alternative in rule.security_requirement(name)]


def _distinct(alternatives: Iterable[dict[str, list[str]]]) -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = []
    for one in alternatives:
        if one not in found:
            found.append(one)
    return found


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for section in ("paths", "webhooks"):
        for item in document.get(section, {}).values():
            yield from (operation for operation in item.values() if isinstance(operation, dict))
