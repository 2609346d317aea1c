"""CVE-2026-26308 (Envoy, Istio).

Elsewhere a check read the first of two header fields of one name, and the application the second. Here two
`Authorization` fields are a bad request, whatever is in them.
"""

from __future__ import annotations

import itertools

import pytest

from bearerguard import InvalidRequest, MissingCredentials
from tests.hostile import minting

VALID = b"Bearer " + minting.token().encode()
VALUES = [VALID, b"Bearer bad", b"", b"Basic dTpw", b"Bearer", b"DPoP x"]


@pytest.mark.parametrize(("first", "second"), list(itertools.product(range(len(VALUES)), repeat=2)))
def test_two_authorization_fields_are_refused_in_either_order(first: int, second: int) -> None:
    fields = [(b"authorization", VALUES[first]), (b"accept", b"*/*"), (b"authorization", VALUES[second])]
    with pytest.raises(InvalidRequest) as refusal:
        minting.server().authenticate(fields)
    assert refusal.value.reason == "repeated_header"


@pytest.mark.parametrize("second", VALUES, ids=lambda value: value[:12].decode())
def test_two_values_in_one_field_are_refused(second: bytes) -> None:
    """So a proxy or a WSGI server joins them (RFC 9110, section 5.3)."""
    for joined in (VALID + b"," + second, VALID + b", " + second, second + b", " + VALID, b"," + VALID):
        with pytest.raises((InvalidRequest, MissingCredentials)):
            minting.server().authenticate([(b"authorization", joined)])
