"""Which rule each method of a server has. It asks nobody for a token."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bearerguard.errors import ConfigurationError
from bearerguard.guard import BaseGuard, Demand
from bearerguard.rules import Rule

__all__: list[str] = []

_NAME = re.compile(r"/[^/*\s]+/([^/*\s]+|\*)")


class Methods:
    """What the methods of a server ask for.

    A method's own entry stands before its service's, and that before the default.
    """

    def __init__(
        self,
        guard: BaseGuard,
        rules: Mapping[str, Rule] | None,
        default: Rule | None,
        public: Iterable[str],
        optional: Iterable[str],
    ) -> None:
        if rules is not None and not isinstance(rules, Mapping):
            raise ConfigurationError(
                f"The rules are a {type(rules).__name__}: give a rule for each name, as "
                "{'/shop.Orders/Delete': scope('orders:write')}; default=... is for all other methods."
            )
        self._demands: dict[str, Demand | None] = {}
        for name, rule in (rules or {}).items():
            self._add(name, guard.demand(rule))
        for name in _names("public", public):
            self._add(name, None)
        for name in _names("optional", optional):
            self._add(name, guard.demand(optional=True))
        self._default = guard.demand(default)

    def demand_of(self, method: str) -> Demand | None:
        """Return what a method asks for; None where it is public."""
        service = method.rpartition("/")[0] + "/*"
        own = self._demands
        return own[method] if method in own else own.get(service, self._default)

    def _add(self, name: Any, demand: Demand | None) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r:.80} is not the name of a method: write '/shop.Orders/Delete' for one method, "
                "'/shop.Orders/*' for those of a service."
            )
        if name in self._demands:
            raise ConfigurationError(
                f"{name!r} stands twice: write it as one of a rule, public and optional."
            )
        self._demands[name] = demand


def _names(option: str, given: Any) -> Iterator[Any]:
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise ConfigurationError(
            f"{option} is {given!r:.80}: give names, as {{'/grpc.health.v1.Health/Check'}}."
        )
    yield from given
