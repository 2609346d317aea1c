"""CVE-2022-39227 (python-jwt).

Elsewhere one parser verified one part of a text that was compact and JSON at once, and another read the
claims from another part. Here there is one form and one parser, and the claims that the application gets
are the bytes that were verified.
"""

from __future__ import annotations

import json

import pytest

from tests.advisories.verdict import verdict
from tests.hostile import minting

HEAD, BODY, TAIL = minting.token().split(".")
FORGED = minting.b64(minting.text({**minting.CLAIMS, "sub": "admin"}))


@pytest.mark.parametrize(
    "text",
    [
        f'{{"  {HEAD}.{FORGED}.":"","protected":"{HEAD}","payload":"{BODY}","signature":"{TAIL}"}}',
        f'{{"protected":"{HEAD}","payload":"{BODY}","signature":"{TAIL}","x":"{HEAD}.{FORGED}.{TAIL}"}}',
        f"{HEAD}.{FORGED}.{TAIL}.{HEAD}.{BODY}.{TAIL}",
        f"{HEAD}.{BODY}.{TAIL}{json.dumps({'payload': FORGED})}",
        f"{HEAD}.{BODY}{FORGED}.{TAIL}",
        f"{HEAD}.{FORGED}.{TAIL}",
    ],
    ids=["mixed", "within", "six parts", "behind", "payloads joined", "payload replaced"],
)
def test_a_text_that_can_be_read_in_two_ways_is_refused(text: str) -> None:
    assert verdict(minting.server(), text) in {"malformed", "signature"}


def test_of_two_claims_of_one_name_the_application_gets_the_one_that_was_checked() -> None:
    """The last one counts, for the check and for the application alike."""
    twice = b'{"sub": "admin", "exp": 1, "iss": "https://attacker.test", ' + minting.text(minting.CLAIMS)[1:]
    token = minting.server().verify(minting.with_payload(twice))
    assert (token.subject, token.issuer) == (minting.CANARY, minting.ISSUER)
    assert dict(token.claims) == minting.CLAIMS
    swapped = minting.text(minting.CLAIMS)[:-1] + b', "exp": 1, "sub": "admin"}'
    assert verdict(minting.server(), minting.with_payload(swapped)) == "expired"
