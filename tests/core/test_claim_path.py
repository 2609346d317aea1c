from __future__ import annotations

from typing import Any

import pytest

from bearerguard._core.claim_path import look_up, texts_in, texts_of

CLAIMS: dict[str, Any] = {
    "roles": ["admin"],
    "realm_access": {"roles": ["editor"], "null": None},
    "resource_access": {"my.api": {"roles": ["reader"]}, "my": {"api": {"level": 1}}},
    "https://api.example/roles": ["owner"],
    "a": {"b.c": {"d": 1}, "b": {"c": {"e": 2}}},
    "text": "roles",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("roles", ["admin"]),
        ("realm_access.roles", ["editor"]),
        ("https://api.example/roles", ["owner"]),
        ("resource_access.my.api.roles", ["reader"]),
        (["resource_access", "my.api", "roles"], ["reader"]),
        (("realm_access",), CLAIMS["realm_access"]),
        ("a.b.c.d", 1),
    ],
    ids=str,
)
def test_a_path_leads_to_its_value(path: Any, value: Any) -> None:
    assert look_up(CLAIMS, path) == value


def test_where_the_longest_key_leads_nowhere_shorter_ones_are_tried() -> None:
    assert look_up(CLAIMS, "a.b.c.e") == 2
    assert look_up(CLAIMS, "resource_access.my.api.level") == 1


@pytest.mark.parametrize(
    "path",
    [
        "absent",
        "realm_access.absent",
        "realm_access.null",
        "roles.0",
        "text.roles",
        "realm_access.roles.admin",
        "",
        ["realm_access", "roles", "admin"],
        ["text", "roles"],
        ["absent", "roles"],
        ["realm_access.roles"],
    ],
    ids=str,
)
def test_a_path_that_leads_nowhere_gives_none(path: Any) -> None:
    assert look_up(CLAIMS, path) is None


def test_an_empty_list_of_keys_is_the_claims_themselves() -> None:
    assert look_up(CLAIMS, []) is CLAIMS


def test_scopes_in_a_string_are_separated_by_spaces_only() -> None:
    assert texts_in("a  b\tc \u00a0d ") == {"a", "b\tc", "\u00a0d"}
    assert texts_in("") == frozenset()


def test_a_single_name_in_a_string_keeps_its_spaces() -> None:
    assert texts_of("Site Admin") == {"Site Admin"}


@pytest.mark.parametrize("function", [texts_in, texts_of])
def test_of_an_array_the_strings_count(function: Any) -> None:
    assert function(["a", 1, None, ["b"], "c d"]) == {"a", "c d"}
    assert function(("a",)) == {"a"}


@pytest.mark.parametrize("function", [texts_in, texts_of])
@pytest.mark.parametrize("value", [None, 1, True, {"a": 1}, {}], ids=str)
def test_anything_else_holds_no_names(function: Any, value: Any) -> None:
    assert function(value) == frozenset()
