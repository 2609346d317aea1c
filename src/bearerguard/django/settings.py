"""The setting `BEARERGUARD`: what it may say, and the one server that it describes.

Read when somebody asks, and once for a process. It fetches nothing.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from msgspec import Struct

from bearerguard.django.public import Public, public
from bearerguard.errors import ConfigurationError
from bearerguard.guard import BaseGuard
from bearerguard.provider import Provider
from bearerguard.rules import Rule
from bearerguard.server import ResourceServer

__all__ = ["Configuration", "Problem", "configuration", "read"]

NAME = "BEARERGUARD"


class Configuration(Struct, frozen=True):
    """What the setting says.

    Attributes:
        server: verifies tokens.
        of_guard: what a guard is made with.
        readiness: where it serves whether the site is ready.
        rule: what every request to the site has to fulfil.
        public: the paths that need no token.
    """

    server: ResourceServer
    of_guard: Mapping[str, Any]
    readiness: str | None
    rule: Rule | None
    public: Public


class Problem(Struct, frozen=True):
    """An error in the setting: the id that `manage.py check` shows, and what to write."""

    id: str
    message: str


@functools.cache
def configuration() -> Configuration:
    """Return what the setting says.

    Raises:
        ConfigurationError: it is missing, or has an error.
    """
    found, problems = read(getattr(settings, NAME, None))
    if found is None:
        raise ConfigurationError(" ".join(problem.message for problem in problems))
    return found


def read(given: Any) -> tuple[Configuration | None, list[Problem]]:
    """Return what the setting says, or None and all the errors that were found in it."""
    if not isinstance(given, Mapping):
        said = "not set" if given is None else f"a {type(given).__name__}"
        example = f"{NAME} = {{'providers': [{{'issuer': 'https://login.example', 'audience': '...'}}]}}"
        return None, [Problem("E001", f"{NAME} is {said}: write {example}.")]
    problems = [*_unknown(NAME, given, _KNOWN)]
    providers = _providers(given.get("providers"), problems)
    if problems:
        return None, problems
    try:
        server = ResourceServer(*providers, **_taken(given, _OF_SERVER))
        of_guard = _taken(given, _OF_GUARD)
        guard, rule = BaseGuard(server, **of_guard), given.get("rule")
        guard.demand(rule)
        readiness = given.get("readiness")
        if readiness is not None:
            guard.readiness(readiness)
        open_paths = public(given.get("public_paths", ()), given.get("public_prefixes", ()))
    except ConfigurationError as error:
        return None, [Problem("E004", f"{NAME}: {error}")]
    return Configuration(server, of_guard, readiness, rule, open_paths), []


def _options(made: Callable[..., Any]) -> frozenset[str]:
    """The names of a function's options."""
    parameters = inspect.signature(made).parameters.values()
    return frozenset(one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY)


_OF_SERVER = _options(ResourceServer)
_OF_GUARD = _options(BaseGuard) - _OF_SERVER
_OF_PROVIDER = _options(Provider) | {"issuer"}
_KNOWN = _OF_SERVER | _OF_GUARD | {"providers", "rule", "public_paths", "public_prefixes", "readiness"}


def _providers(given: Any, problems: list[Problem]) -> list[Provider]:
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable) or not (entries := list(given)):
        example = "[{'issuer': 'https://login.example', 'audience': 'https://api.example'}]"
        problems.append(Problem("E001", f"{NAME}['providers'] is {given!r:.80}: write a list, {example}."))
        return []
    found = []
    for number, entry in enumerate(entries):
        where = f"{NAME}['providers'][{number}]"
        if isinstance(entry, Provider):  # of a preset
            found.append(entry)
        elif not isinstance(entry, Mapping):
            kind = type(entry).__name__
            problems.append(Problem("E003", f"{where} is a {kind}: write a dict, or a Provider."))
        elif unknown := [*_unknown(where, entry, _OF_PROVIDER)]:
            problems += unknown
        else:
            arguments: dict[str, Any] = {"issuer": None, "audience": None, **entry}
            try:
                found.append(Provider(**arguments))
            except ConfigurationError as error:
                problems.append(Problem("E003", f"{where}: {error}"))
    return found


def _unknown(where: str, given: Mapping[Any, Any], known: frozenset[str]) -> Iterable[Problem]:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key).lower(), known, 1)
            remedy = f"write {near[0]!r}" if near else f"its keys are {', '.join(sorted(known))}"
            yield Problem("E002", f"{where} has an unknown key, {key!r:.80}: {remedy}.")


def _taken(given: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _forget(*, setting: str, **_: object) -> None:
    if setting == NAME:
        configuration.cache_clear()


# For `override_settings` in tests.
setting_changed.connect(_forget, dispatch_uid="bearerguard")
