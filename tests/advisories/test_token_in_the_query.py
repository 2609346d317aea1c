"""Tokens in the address (reported of several servers; RFC 6750 section 2.3, RFC 9700 section 4.3.2).

Elsewhere `?access_token=` was read on every route, so that tokens stood in logs, histories and `Referer`
fields. Here a token is read from the `Authorization` field and from nowhere else.
"""

from __future__ import annotations

import pytest

from bearerguard import asgi, wsgi
from bearerguard.starlette import AuthenticateMiddleware
from tests.hostile import minting
from tests.hostile.doors import application, over_http, over_websocket, over_wsgi, run, wsgi_application
from tests.hostile.oracle import everything_logged, shows

TOKEN = minting.token()
QUERY = f"access_token={TOKEN}&token={TOKEN}&authorization=Bearer+{TOKEN}".encode()
ELSEWHERE = [
    (b"cookie", f"access_token={TOKEN}; authorization=Bearer {TOKEN}".encode()),
    (b"sec-websocket-protocol", f"bearer, {TOKEN}".encode()),
    (b"x-access-token", TOKEN.encode()),
    (b"x-forwarded-access-token", TOKEN.encode()),
    (b"proxy-authorization", f"Bearer {TOKEN}".encode()),
    (b"referer", f"https://api.test/?access_token={TOKEN}".encode()),
]


def test_a_token_anywhere_but_in_authorization_is_no_token(caplog: pytest.LogCaptureFixture) -> None:
    server = minting.server()
    with everything_logged(caplog) as records:
        for app in (
            AuthenticateMiddleware(application, server=server),
            asgi.Guard(server).protect(application),
        ):
            assert run(over_http(app, ELSEWHERE, query_string=QUERY)).status in {400, 401}
            assert run(over_websocket(app, ELSEWHERE)).status == 403
        assert over_wsgi(wsgi.Guard(server).protect(wsgi_application), ELSEWHERE).status == 401
    reasons = [vars(record)["reason"] for record in records if hasattr(record, "reason")]
    assert reasons == ["no_credentials"] * 5
    assert not any(shows(record.getMessage(), TOKEN) for record in records)
