from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ConfigurationError
from bearerguard._core.resource import check_resource, metadata_address, metadata_paths
from tests.names import plain

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
        ("https://api.example/X", f"https://api.example{WELL_KNOWN}/X", (f"{WELL_KNOWN}/X", WELL_KNOWN)),
        (
            "https://api.example/X/",
            f"https://api.example{WELL_KNOWN}/X/",
            (f"{WELL_KNOWN}/X/", f"{WELL_KNOWN}/X", WELL_KNOWN),
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
        (None, "it is not a URL"),
        (7, "it is not a URL"),
        ("api.example", "it is not a URL"),
        ("http://api.example", "it is not https"),
        ("https://api.example/#part", "it has a fragment"),
        ("https://api.example/ü", "it has characters that a URL writes with % (or xn-- in a host)"),
        ('https://api.example/"', "it has characters that a URL writes with % (or xn-- in a host)"),
    ],
    ids=plain,
)
def test_what_is_not_the_url_of_an_api_is_refused_with_what_to_write(resource: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        check_resource(resource)
    assert str(refusal.value) == (
        f"resource is {resource!r}, but {problem}: write the URL of the API as clients know it, such as "
        "'https://api.example/v1'."
    )
