"""CVE-2026-102267 (PyJWT).

Elsewhere a redirect from the address of the keys was followed, to wherever it led, http and internal
addresses included. Here a redirect is a failed fetch, and no option changes that.
"""

from __future__ import annotations

import httpx2
import pytest

from bearerguard import ConfigurationError, Provider, RemoteKeys, ResourceServer
from tests.advisories.verdict import verdict
from tests.hostile import minting

TARGETS = [
    "https://attacker.test/jwks",
    "http://issuer.test/jwks",
    "http://127.0.0.1/",
    "/elsewhere",
    "file:///k",
]


def answering(status: int, target: str, asked: list[str], path: str) -> httpx2.MockTransport:
    """A provider that redirects one path, and whose target would serve the attacker's keys."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        if request.url.path == path and request.url.host == "issuer.test":
            return httpx2.Response(status, headers={"Location": target}, json=minting.attacker.jwks())
        if request.url.path == "/.well-known/oauth-authorization-server":
            return httpx2.Response(404)
        if "well-known" in request.url.path:
            return httpx2.Response(200, json={"issuer": minting.ISSUER, "jwks_uri": f"{minting.ISSUER}/jwks"})
        return httpx2.Response(200, json=minting.attacker.jwks())

    return httpx2.MockTransport(answer)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("target", TARGETS)
def test_a_redirect_is_not_followed_to_keys(status: int, target: str) -> None:
    openid, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
    # A redirect of the metadata says that they are not there: the next place is asked, not the one named.
    places = {"/jwks": (f"{minting.ISSUER}/jwks", ["/jwks"]), openid: (None, [openid, oauth])}
    for path, (keys, asked_for) in places.items():
        asked: list[str] = []
        options = {"transport": answering(status, target, asked, path)}
        provider = Provider(
            minting.ISSUER, audience=minting.AUDIENCE, keys=RemoteKeys(keys, http_options=options)
        )
        server = ResourceServer(provider, clock=minting.issuer.clock)
        forged = minting.attacker.token(iss=minting.ISSUER)
        assert verdict(server, forged) == "provider_unavailable"
        assert asked == [f"{minting.ISSUER}{place}" for place in asked_for]


def test_redirects_cannot_be_switched_on() -> None:
    with pytest.raises(ConfigurationError, match="follow_redirects"):
        RemoteKeys(http_options={"follow_redirects": True})
