"""node-oauth2-jwt-bearer before 1.9.1 (#244).

Elsewhere the address of the API was taken from `Host` or `X-Forwarded-Host`, which the client writes. Here
the one address that an answer names, that of the resource's metadata (RFC 9728), is made of what was
configured.
"""

from __future__ import annotations

import pytest

from bearerguard import InvalidDPoPProof
from bearerguard.asgi import ASGIRequest
from tests import proofs
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


@pytest.mark.parametrize(
    "name", ["Host", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-URL"]
)
def test_a_proof_for_another_host_is_not_accepted_by_what_a_request_says(name: str) -> None:
    """The same advisory's other half: `htu` was compared with what `Host` said."""
    for value in ("evil.test", "host=evil.test;proto=https", "https://evil.test/orders"):
        fields = {
            "host": value,
            "authorization": f"DPoP {proofs.TOKEN}",
            "dpop": proofs.proof(htu="https://evil.test/orders"),
            name.lower(): value,
        }
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/orders",
            "headers": [(field.encode(), said.encode()) for field, said in fields.items()],
        }
        with pytest.raises(InvalidDPoPProof) as refused:
            proofs.server(resource="https://api.test").authenticate(ASGIRequest(scope))
        assert refused.value.reason == "proof_url"
