"""What a client is told about a token that its provider was asked about, word for word, by such an answer.

As `test_sentences`, which has those about tokens that were verified here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bearerguard import AuthError
from tests.hostile import minting
from tests.hostile.answers import TOKEN, body, reply, server
from tests.hostile.minting import ABSENT, NOW

Attempt = Callable[[], object]


def answered(
    token: str = TOKEN, *, status: int = 200, options: Mapping[str, Any] | None = None, **changes: Any
) -> Attempt:
    """Ask about a token, of which the provider says what it says of a good one, but for the changes.

    Each attempt asks anew: a server would remember what it refused.
    """
    return lambda: server(reply(body(**changes), status), **(options or {})).verify(token)


SENTENCES: Mapping[str, tuple[str, list[Attempt]]] = {
    "The token is not active: it has expired, was revoked, or was never issued.": (
        "inactive",
        [answered(active=False), answered(status=400, error="unsupported_token_type")],
    ),
    "The token's issuer cannot be asked about it right now.": (
        "provider_unavailable",
        [answered(status=500), answered(status=401), answered(active="true")],
    ),
    "The token has characters that no token has.": ("malformed", [answered('"opaque"'), answered("{}")]),
    "The token is neither a JWT nor one that any provider issues.": (
        "malformed",
        [answered(options={"token_prefix": "ory_at_"})],
    ),
    "The token is not valid yet.": (
        "not_yet_valid",
        [answered(nbf=NOW + 42), answered(iat=NOW + 3600)],
    ),
    "The token was issued by another issuer than the one that was asked.": (
        "issuer",
        [answered(iss="https://attacker.test")],
    ),
    "The provider names no 'aud' for the token.": ("missing_claim", [answered(aud=ABSENT), answered(aud=[])]),
    "The token is not an access token.": (
        "type",
        [answered(token_type="N_A"), answered(token_use="refresh")],
    ),
    "The provider does not say that the token is an access token.": (
        "type",
        [answered(aud=ABSENT, token_type=ABSENT, options={"audience_checked_by_issuer": True})],
    ),
    "The token is bound to a key that its provider does not name.": (
        "sender_constrained",
        [answered(token_type="DPoP")],
    ),
    "The token's 'sub' claim is not what its provider says it is.": (
        "invalid_claim",
        [answered(minting.token(), sub="eve", iss=ABSENT, exp=ABSENT, options={"jwts": "verify_then_ask"})],
    ),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_refusal_says_what_the_documentation_says_it_says(sentence: str) -> None:
    reason, attempts = SENTENCES[sentence]
    for attempt in attempts:
        with pytest.raises(AuthError) as refusal:
            attempt()
        assert (refusal.value.reason, refusal.value.description) == (reason, sentence)
