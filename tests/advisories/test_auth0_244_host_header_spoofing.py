"""node-oauth2-jwt-bearer before 1.9.1 (#244).

Elsewhere the address of the API was taken from `Host` or `X-Forwarded-Host`, which the client writes. Here
the one address that an answer names, that of the resource's metadata (RFC 9728), is made of what was
configured.
"""

from __future__ import annotations

import pytest

from bearerguard import asgi, wsgi
from bearerguard.starlette import AuthenticateMiddleware
from tests.hostile import minting
from tests.hostile.challenge_grammar import parse_challenge
from tests.hostile.doors import application, over_http, over_wsgi, run, wsgi_application

SPOOFED = [
    (b"host", b"attacker.test"),
    (b"x-forwarded-host", b"attacker.test"),
    (b"x-forwarded-proto", b"http"),
    (b"x-forwarded-prefix", b"/attacker"),
    (b"x-original-url", b"/attacker.test"),
    (b"forwarded", b"host=attacker.test;proto=http"),
]
RESOURCE = "https://api.test/v1"
METADATA = "https://api.test/.well-known/oauth-protected-resource/v1"


@pytest.mark.parametrize("door", ["asgi", "wsgi"])
@pytest.mark.parametrize("credentials", [[], [(b"authorization", b"Bearer bad")]], ids=["none", "bad"])
def test_no_header_of_a_request_is_in_a_challenge(door: str, credentials: list[tuple[bytes, bytes]]) -> None:
    fields = [*SPOOFED, *credentials]
    if door == "asgi":
        app = asgi.Guard(minting.server(), resource=RESOURCE).protect(application)
        answer = run(over_http(app, fields, server=("attacker.test", 80)))
    else:
        guarded = wsgi.Guard(minting.server(), resource=RESOURCE).protect(wsgi_application)
        answer = over_wsgi(guarded, fields)
    assert parse_challenge(answer.challenges[0])["resource_metadata"] == METADATA
    assert "attacker" not in answer.text


def test_a_middleware_without_address_names_none() -> None:
    answer = run(over_http(AuthenticateMiddleware(application, server=minting.server()), SPOOFED))
    assert "attacker" not in answer.text
    assert "resource_metadata" not in answer.text
