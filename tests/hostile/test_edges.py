"""Values that stand exactly on an edge, where the tables have none: the last one in, the first one out."""

from __future__ import annotations

import pytest

from bearerguard import AuthError
from bearerguard._core.address import is_address, metadata_addresses
from bearerguard._core.credentials import credentials as presented
from bearerguard._core.credentials import is_one_token, several_tokens
from bearerguard._jose.key_material import read_keys
from bearerguard._jose.key_set import KeyIndex, dated
from tests.hostile import minting

LIMIT = 16 * 1024


def reason(token: str) -> str:
    with pytest.raises(AuthError) as refusal:
        minting.server().verify(token)
    return refusal.value.reason


def of_header(value: bytes) -> str:
    """The token in a header, or the reason why there is none."""
    try:
        _, credentials = presented([value])
    except AuthError as refusal:
        return refusal.reason
    return credentials.decode() if is_one_token(credentials) else several_tokens().reason


def test_a_text_of_full_length_is_not_too_long_whatever_is_in_it() -> None:
    assert reason("\xe9" * (LIMIT // 2)) == "malformed"
    assert reason("\xe9" * (LIMIT // 2) + "a") == "too_large"
    assert reason("\ud83d" * (LIMIT // 3)) == "malformed"


def test_a_valid_token_of_full_length_is_accepted_and_one_that_is_longer_is_not() -> None:
    tokens = (minting.token(header={"x": "a" * more}, y="a" * 11_000) for more in range(900, 1300))
    by_length = {len(token): token for token in tokens}
    assert minting.server().verify(by_length[LIMIT]).subject == minting.CANARY
    assert reason(by_length[min(length for length in by_length if length > LIMIT)]) == "too_large"


def test_an_audience_that_is_not_to_be_checked_is_not_checked() -> None:
    server = minting.unchecked_server(audience=None, dangerously_accept_any_audience=True)
    for audience in ("https://other.test", [], 1, minting.ABSENT):
        assert server.verify(minting.token(aud=audience)).subject == minting.CANARY


def test_the_earliest_and_the_latest_date_are_dates() -> None:
    assert reason(minting.token(exp=-(2**53))) == "expired"
    assert reason(minting.token(exp=-(2**53) - 1)) == "invalid_claim"
    assert minting.server().verify(minting.token(nbf=-(2**53), exp=2**53)).expires_at == 2**53
    assert reason(minting.token(exp=2**53 + 1)) == "invalid_claim"


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (b"Bearer  a ", "a"),
        (b"Bearer XaX", "XaX"),
        (b"Bearer \ta", "malformed_header"),
        (b"Bearer a\t", "malformed_header"),
        (b"Bearer ,a", "malformed_header"),
        (b"Bearer a,", "malformed_header"),
        (b"Bearer \na", "\na"),
        (b"Bearer a\x0b", "a\x0b"),
    ],
)
def test_spaces_alone_are_taken_off_a_token(value: bytes, outcome: str) -> None:
    assert of_header(value) == outcome


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (f"{'a' * 29}://b", True),
        (f"{'a' * 30}://b", False),
        ("-://", False),
        (" {://", False),
        ("[://", False),
        ("X://", True),
    ],
)
def test_an_address_is_told_from_json_and_pem_by_its_beginning(text: str, outcome: bool) -> None:
    assert is_address(text) is outcome


def test_slashes_alone_are_taken_off_an_issuers_path() -> None:
    assert metadata_addresses("https://login.example/X//") == (
        "https://login.example/X/.well-known/openid-configuration",
        "https://login.example/.well-known/oauth-authorization-server/X",
        "https://login.example/.well-known/openid-configuration/X",
    )


def test_a_key_set_keeps_what_it_is_dated_with() -> None:
    keys = KeyIndex(read_keys(minting.issuer.jwks())[0])
    key_set = dated(keys, fetched_at=1000.0, lifetime=600.0, chance=0.0, etag='"1"', address="https://a")
    assert (key_set.keys, key_set.fetched_at, key_set.lifetime) == (keys, 1000.0, 600.0)
    assert (key_set.etag, key_set.address) == ('"1"', "https://a")
