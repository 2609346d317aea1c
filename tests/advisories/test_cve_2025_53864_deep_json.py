"""CVE-2025-53864 (Nimbus), PyJWT before 2.15.0.

Elsewhere a deeply nested claim ended the stack, and with it the request or the process. Here 64 levels are
read, the same number however deep the caller stands, and more are a malformed token or a key set that
cannot be used.
"""

from __future__ import annotations

import pytest

from bearerguard import ConfigurationError
from tests.advisories.verdict import verdict
from tests.hostile import minting

OPENING = {"arrays": (b"[", b"]"), "objects": (b'{"a":', b"}")}


@pytest.mark.parametrize("kind", OPENING)
@pytest.mark.parametrize("depth", [65, 500, 1000, 1900])
def test_a_deeply_nested_claim_or_header_member_is_refused(kind: str, depth: int) -> None:
    opening, closing = OPENING[kind]
    # With an issuer that is trusted: it is looked up, and the signature checked, before the rest is read.
    head = f'{{"iss":"{minting.CLAIMS["iss"]}","x":'.encode()
    nested = head + opening * depth + b"1" + closing * depth + b"}"
    assert verdict(minting.server(), minting.with_payload(nested)) == "malformed"
    assert verdict(minting.server(), minting.with_raw_header(nested)) == "malformed"
    with pytest.raises(ConfigurationError):
        minting.server(keys=nested.decode())


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_a_payload_that_only_opens_is_refused(opening: bytes) -> None:
    assert verdict(minting.server(), minting.with_payload(opening * 1500)) == "malformed"
    with pytest.raises(ConfigurationError):
        minting.server(keys=(opening * 100_000).decode())
