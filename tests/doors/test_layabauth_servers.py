"""Views of layabauth's doors that are decorated alike share what verifies their tokens."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any

import pytest

from bearerguard import ResourceServer
from bearerguard._layabauth import server_by_jwks_uri

URI = "https://issuer.test/jwks-of-this-test"


def server(**changed: Any) -> ResourceServer:
    settings: dict[str, Any] = {
        "issuer": "https://issuer.test",
        "audience": "https://api.test",
        "algorithms": ["RS256"],
        "leeway": 10.0,
        "clock": time.time,
        "http_options": {},
        **changed,
    }
    return server_by_jwks_uri(settings.pop("jwks_uri", URI), **settings)


def test_equal_settings_share_a_server() -> None:
    one = server()
    assert server() is one
    assert server(audience=["https://api.test"]) is one


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
@pytest.mark.parametrize(
    "changed",
    [
        {"jwks_uri": "https://issuer.test/other"},
        {"issuer": "https://other.test"},
        {"issuer": None},
        {"audience": "https://other.test"},
        {"audience": None},
        {"algorithms": ["RS256", "ES256"]},
        {"leeway": 11.0},
        {"clock": lambda: 0.0},
        {"http_options": {"timeout": 3}},
    ],
    ids=["uri", "issuer", "any issuer", "audience", "any", "algorithms", "leeway", "clock", "options"],
)
def test_any_other_setting_is_another_server(changed: dict[str, Any]) -> None:
    one = server()
    assert server(**changed) is not one


def test_a_server_that_no_view_holds_is_freed() -> None:
    gone = weakref.ref(server(jwks_uri="https://issuer.test/nobody"))
    gc.collect()
    assert gone() is None
