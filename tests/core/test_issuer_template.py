"""Issuers with a place for the tenant: what fits them, and that claim and issuer name the same one."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import InvalidToken
from bearerguard._core.issuer_template import IssuerTemplate, bound_to_tenant, is_tenant, template_of

TEMPLATE = IssuerTemplate("https://login.example/", "tid", "/v2.0")


def test_a_template_names_the_claim_that_has_the_tenant() -> None:
    assert template_of("https://login.example/{tid}/v2.0") == TEMPLATE
    assert TEMPLATE.issuer_of("a-1") == "https://login.example/a-1/v2.0"


@pytest.mark.parametrize(
    "text", ["https://a.example", "{a}{b}", "{}", "{a b}", "{a", "a}", "{a}}", "{{a}", "{1}"]
)
def test_any_other_text_is_not_one(text: str) -> None:
    assert template_of(text) is None


@pytest.mark.parametrize(
    ("issuer", "fits"),
    [
        ("https://login.example/a-1/v2.0", True),
        ("https://login.example/a/b/v2.0", False),
        ("https://login.example//v2.0", False),
        ("https://login.example/v2.0", False),
        ("https://login.example/{tid}/v2.0", False),
        ("https://login.example/a-1/v2.0/", False),
        ("https://evil.example/a-1/v2.0", False),
        ("https://login.example/a-1\n/v2.0", False),
    ],
)
def test_only_one_name_fits_into_the_place(issuer: str, fits: bool) -> None:
    assert TEMPLATE.fits(issuer) is fits


@pytest.mark.parametrize("text", ["", ".", "..", "-a", "a/", "a%2f", "*", "a b", "x" * 256])
def test_what_is_not_a_name_is_not_a_tenant(text: str) -> None:
    assert not is_tenant(text)


def test_a_place_may_be_called_otherwise_where_metadata_name_the_template() -> None:
    assert TEMPLATE.is_of("https://login.example/{tenantid}/v2.0")
    assert not TEMPLATE.is_of("https://login.example/{tenantid}/v1.0")
    assert not TEMPLATE.is_of("https://login.example/tenantid/v2.0")


@pytest.mark.parametrize("tid", ["b", 1, ["a"], "", {}])
def test_the_claim_goes_with_the_issuer(tid: Any) -> None:
    with pytest.raises(InvalidToken) as refused:
        bound_to_tenant(TEMPLATE)({"iss": TEMPLATE.issuer_of("a"), "tid": tid})
    assert refused.value.reason == "invalid_claim"
    assert refused.value.description == "The token's 'tid' claim does not go with its issuer."


def test_a_token_without_the_claim_is_refused() -> None:
    with pytest.raises(InvalidToken) as refused:
        bound_to_tenant(TEMPLATE)({"iss": TEMPLATE.issuer_of("a")})
    assert refused.value.reason == "missing_claim"
    assert "'tid'" in refused.value.description
    bound_to_tenant(TEMPLATE)({"iss": TEMPLATE.issuer_of("a"), "tid": "a"})
