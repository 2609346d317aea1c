"""docs/configuration.md names every argument with its default, and none that does not exist."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bearerguard import (
    JWT,
    ClientCertificate,
    DPoP,
    Introspection,
    Provider,
    RemoteKeys,
    ResourceServer,
    Revocation,
)
from bearerguard.answer import json_body
from bearerguard.asgi import Guard
from bearerguard.provider import ASYMMETRIC

PAGE = (Path(__file__).parents[1] / "docs/configuration.md").read_text("utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
CONFIGURED: dict[str, Callable[..., Any]] = {
    "Provider": Provider,
    "RemoteKeys": RemoteKeys,
    "Introspection": Introspection,
    "ResourceServer": ResourceServer,
    "ResourceServer.trusting": ResourceServer.trusting,
    "DPoP": DPoP,
    "Revocation": Revocation,
    "ClientCertificate.from_proxy": ClientCertificate.from_proxy,
    "Guard": Guard,
}
NAMES = {"JWT": JWT, "ASYMMETRIC": ASYMMETRIC, "json_body": json_body, "time": time}
"""What the column of defaults calls by its name."""


def section(title: str) -> str:
    """What stands under a heading of the second level."""
    _, _, rest = PAGE.partition(f"\n## {title}\n")
    return rest.partition("\n## ")[0]


def arguments(configured: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The arguments that have a name, in a call or in the signature."""
    parameters = inspect.signature(configured).parameters.values()
    return {one.name: one for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD}


@pytest.mark.parametrize("title", CONFIGURED)
def test_every_argument_is_on_the_page_once_and_no_other(title: str) -> None:
    named = [name for name, _, _ in ROW.findall(section(title))]
    assert sorted(named) == sorted(arguments(CONFIGURED[title])), (
        f"docs/configuration.md, section {title}: give each argument one row, with its default"
    )


@pytest.mark.parametrize("title", CONFIGURED)
def test_the_page_tells_the_default_of_each_argument(title: str) -> None:
    told = {name: default for name, default, _ in ROW.findall(section(title))}
    for name, parameter in arguments(CONFIGURED[title]).items():
        if parameter.default is inspect.Parameter.empty:
            assert told[name] == "required", name
        else:
            value = eval(told[name].strip("`"), dict(NAMES))  # noqa: S307 - our own page
            assert (value, type(value)) == (parameter.default, type(parameter.default)), name


def test_the_page_has_no_section_that_is_not_held_against_the_code() -> None:
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE) == [*CONFIGURED]
