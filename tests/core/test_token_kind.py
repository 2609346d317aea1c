from __future__ import annotations

from typing import Any

import pytest

from bearerguard import InvalidToken
from bearerguard._core.token_kind import refuse_other_kinds, refuse_unbound_dpop

ACCESS: dict[str, Any] = {"iss": "https://login.example", "sub": "ada", "aud": "https://api.example"}
EVENTS: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        ({"typ": "ID"}, "an ID token"),
        ({"typ": "id", "scope": "openid"}, "an ID token"),
        ({"typ": "Serialized-ID"}, "an ID token"),
        ({"typ": "Refresh"}, "a refresh token"),
        ({"typ": "Offline", "scope": "openid"}, "a refresh token"),
        ({"typ": "Logout"}, "a logout token"),
        ({"token_use": "id"}, "an ID token"),
        ({"token_use": "refresh"}, "a refresh token"),
        ({"typ": "Bearer", "token_use": "id"}, "an ID token"),
        ({"events": EVENTS}, "a logout token or another security event"),
        ({"events": None, "scope": "a"}, "a logout token or another security event"),
        ({"code": "SplxlOBeZQQYbYS6WxSbIA"}, "an authorization response"),
        ({"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}, "an ID token"),
        ({"c_hash": "LDktKdoQak3Pk0cnXxCltA", "scope": "a"}, "an ID token"),
        ({"nonce": "n-0S6_WzA2Mj"}, "an ID token"),
        ({"nonce": "n-0S6_WzA2Mj", "typ": 7, "token_use": []}, "an ID token"),
    ],
    ids=str,
)
def test_a_token_that_says_it_is_of_another_kind_is_refused_by_name(
    claims: dict[str, Any], kind: str
) -> None:
    with pytest.raises(InvalidToken) as refusal:
        refuse_other_kinds({**ACCESS, **claims})
    assert refusal.value.reason == "type"
    assert refusal.value.description == f"The token is not an access token: it is {kind}."


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"typ": "Bearer"},
        {"typ": "DPoP"},
        {"typ": "JWT"},
        {"typ": None},
        {"token_use": "access"},
        {"nonce": "a", "typ": "Bearer"},
        {"nonce": "a", "typ": "DPoP"},
        {"nonce": "a", "token_use": "access"},
        {"nonce": "a", "scope": "orders:read"},
        {"nonce": "a", "scp": ["orders:read"]},
    ],
    ids=str,
)
def test_what_an_access_token_may_say_is_taken(claims: dict[str, Any]) -> None:
    refuse_other_kinds({**ACCESS, **claims})


def test_a_token_that_says_dpop_and_is_bound_to_no_key_is_refused() -> None:
    refuse_unbound_dpop({**ACCESS, "typ": "DPoP", "cnf": {}})
    with pytest.raises(InvalidToken) as refusal:
        refuse_unbound_dpop({**ACCESS, "typ": "DPoP"})
    assert refusal.value.reason == "invalid_claim"
    assert refusal.value.description == "The token's 'typ' claim says DPoP, but it is bound to no key."
