"""node-oauth2-jwt-bearer before 1.9.1 (#244).

Elsewhere the address of the API was taken from `Host` or `X-Forwarded-Host`, which the client writes. Here
the one address that an answer names, that of the resource's metadata (RFC 9728), is made of what was
configured.
"""

from __future__ import annotations

import pytest

from tests.doors_under_test.door import Door
from tests.doors_under_test.doors import at_every_door, at_every_guard
from tests.hostile import minting

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


@pytest.mark.parametrize("credentials", [[], [(b"authorization", b"Bearer bad")]], ids=["none", "bad"])
@at_every_guard
def test_no_header_of_a_request_is_in_a_challenge(door: Door, credentials: list[tuple[bytes, bytes]]) -> None:
    opened = door.open(minting.server(), resource=RESOURCE)
    answer = opened.get(fields=[*SPOOFED, *credentials], server=("attacker.test", 80))
    assert answer.challenge["resource_metadata"] == METADATA
    assert "attacker" not in answer.text


@at_every_door
def test_where_no_address_is_configured_none_is_named(door: Door) -> None:
    answer = door.open(minting.server()).get(fields=SPOOFED)
    assert "attacker" not in answer.text
    assert "resource_metadata" not in answer.text
