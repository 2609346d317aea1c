"""fastapi-cloudauth #76.

Elsewhere the client id of Cognito tokens was silently not validated, since they carry it in another claim.
Here a check names its claim, and a claim that is not there fails the check instead of skipping it.
"""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ConfigurationError
from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting

COGNITO: dict[str, Any] = {
    "audience_claim": "client_id",
    "audience": "client-1",
    "required_claims": {"token_use": "access"},
}


def test_the_client_id_of_a_token_without_audience_is_checked() -> None:
    server = minting.server(**COGNITO)
    valid: dict[str, Any] = {"aud": minting.ABSENT, "token_use": "access"}
    assert verdict(server, minting.token(**valid)) == ACCEPTED
    assert verdict(server, minting.token(**valid, client_id="client-2")) == "audience"
    assert verdict(server, minting.token(**valid, client_id=minting.ABSENT)) == "missing_claim"


@pytest.mark.parametrize(
    ("token_use", "reason"),
    [
        ("id", "invalid_claim"),
        (minting.ABSENT, "missing_claim"),
        (None, "missing_claim"),
        (["access"], "invalid_claim"),
    ],
    ids=["id", "absent", "null", "array"],
)
def test_a_fixed_claim_that_is_absent_or_other_is_a_refusal(token_use: Any, reason: str) -> None:
    assert (
        verdict(minting.server(**COGNITO), minting.token(aud=minting.ABSENT, token_use=token_use)) == reason
    )


@pytest.mark.parametrize("wanted", [None, [], [None]], ids=repr)
def test_a_check_for_nothing_cannot_be_configured(wanted: Any) -> None:
    with pytest.raises(ConfigurationError, match="required_claims"):
        minting.server(required_claims={"token_use": wanted})
