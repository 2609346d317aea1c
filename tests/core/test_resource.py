from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ConfigurationError
from bearerguard._core.resource import check_resource, metadata_address, metadata_paths

WELL_KNOWN = "/.well-known/oauth-protected-resource"


@pytest.mark.parametrize(
    ("resource", "address", "paths"),
    [
        ("https://api.example", f"https://api.example{WELL_KNOWN}", (WELL_KNOWN,)),
        ("https://api.example/", f"https://api.example{WELL_KNOWN}", (WELL_KNOWN,)),
        ("https://api.example/v1", f"https://api.example{WELL_KNOWN}/v1", (f"{WELL_KNOWN}/v1", WELL_KNOWN)),
        (
            "https://api.example/v1/",
            f"https://api.example{WELL_KNOWN}/v1/",
            (f"{WELL_KNOWN}/v1/", f"{WELL_KNOWN}/v1", WELL_KNOWN),
        ),
        (
            "https://api.example/caf%C3%A9%20one/",
            f"https://api.example{WELL_KNOWN}/caf%C3%A9%20one/",
            (f"{WELL_KNOWN}/café one/", f"{WELL_KNOWN}/café one", WELL_KNOWN),
        ),
        (
            "https://api.example:8443/v1?tenant=a",
            f"https://api.example:8443{WELL_KNOWN}/v1?tenant=a",
            (f"{WELL_KNOWN}/v1", WELL_KNOWN),
        ),
    ],
)
def test_the_metadata_stands_where_rfc_9728_puts_it(
    resource: str, address: str, paths: tuple[str, ...]
) -> None:
    check_resource(resource)
    assert metadata_address(resource) == address
    assert metadata_paths(resource) == paths


@pytest.mark.parametrize(
    ("resource", "problem"),
    [
        (None, "not a URL"),
        (7, "not a URL"),
        ("api.example", "URL"),
        ("http://api.example", "not https"),
        ("https://api.example/#part", "fragment"),
        ("https://api.example/ü", "characters"),
        ('https://api.example/"', "characters"),
    ],
    ids=ascii,
)
def test_what_is_not_the_url_of_an_api_is_refused_with_what_to_write(resource: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as refusal:
        check_resource(resource)
    assert "https://api.example/v1" in str(refusal.value)
