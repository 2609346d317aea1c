"""Tokens in the address (reported of several servers; RFC 6750 section 2.3, RFC 9700 section 4.3.2).

Elsewhere `?access_token=` was read on every route, so that tokens stood in logs, histories and `Referer`
fields. Here a token is read from the `Authorization` field and from nowhere else.
"""

from __future__ import annotations

import pytest

from tests.hostile import minting
from tests.hostile.entrances import ENTRANCES, Entrance
from tests.hostile.oracle import everything_logged, shows

TOKEN = minting.token()
QUERY = f"access_token={TOKEN}&token={TOKEN}&authorization=Bearer+{TOKEN}"
ELSEWHERE = [
    (b"cookie", f"access_token={TOKEN}; authorization=Bearer {TOKEN}".encode()),
    (b"sec-websocket-protocol", f"bearer, {TOKEN}".encode()),
    (b"x-access-token", TOKEN.encode()),
    (b"x-forwarded-access-token", TOKEN.encode()),
    (b"proxy-authorization", f"Bearer {TOKEN}".encode()),
    (b"referer", f"https://api.test/?access_token={TOKEN}".encode()),
]


@pytest.mark.parametrize("entrance", ENTRANCES, ids=lambda entrance: entrance.name)
def test_a_token_anywhere_but_in_authorization_is_not_a_token(
    entrance: Entrance, caplog: pytest.LogCaptureFixture
) -> None:
    with everything_logged(caplog) as records:
        answer, was_entered = entrance.ask(ELSEWHERE, query=QUERY)
    assert (answer.status, was_entered) == (entrance.status("no_credentials"), False)
    reasons = [vars(record)["reason"] for record in records if hasattr(record, "reason")]
    assert reasons == ["no_credentials"]
    assert not any(shows(record.getMessage(), TOKEN) for record in records)
