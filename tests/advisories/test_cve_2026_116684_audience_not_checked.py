"""CVE-2026-116684 (MCP SDK), CVE-2025-69196 (FastMCP).

Elsewhere a token for any API of the same provider opened this one, since no audience was configured and
none was asked for; upgrading alone did not help. Here there is no provider without an audience, unless its
own name says how dangerous that is.
"""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette

from bearerguard import ConfigurationError, Provider
from bearerguard.starlette import AuthenticateMiddleware
from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting


def test_a_token_for_another_api_of_the_same_provider_is_refused() -> None:
    for audience in ("https://other.test", ["https://other.test"], [], ""):
        assert verdict(minting.server(), minting.token(aud=audience)) == "audience"
    assert verdict(minting.server(), minting.token(aud=minting.ABSENT)) == "missing_claim"


@pytest.mark.parametrize("audience", [None, "", [], [""], [None], 0], ids=repr)
def test_a_provider_without_audience_cannot_be_built(audience: Any) -> None:
    with pytest.raises(ConfigurationError, match="audience is missing"):
        Provider("https://issuer.test", audience=audience)


def test_a_middleware_without_audience_cannot_be_built() -> None:
    with pytest.raises(ConfigurationError, match="audience"):
        AuthenticateMiddleware(Starlette(), {"login": {"issuer": "https://issuer.test"}})
    with pytest.raises(ConfigurationError, match="did you mean 'audience'"):
        AuthenticateMiddleware(
            Starlette(), {"login": {"issuer": "https://issuer.test", "audience": "x", "audiences": "x"}}
        )


def test_the_opt_out_is_long_and_excludes_an_audience() -> None:
    server = minting.unchecked_server(audience=None, dangerously_accept_any_audience=True)
    assert verdict(server, minting.token(aud="https://other.test")) == ACCEPTED
    with pytest.raises(ConfigurationError, match="choose one"):
        minting.server(dangerously_accept_any_audience=True)
