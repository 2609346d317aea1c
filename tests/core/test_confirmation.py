"""What a `cnf` binds to: the members that are known, and that nobody proves a malformed one."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import InvalidToken
from bearerguard._core.confirmation import Confirmation, check_well_formed, read_confirmation

JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


@pytest.mark.parametrize(
    ("cnf", "method"),
    [
        ({"jkt": JKT}, "dpop"),
        ({"x5t#S256": JKT}, "mtls"),
        ({"jkt": JKT, "x5t#S256": JKT}, "dpop+mtls"),
        ({"jkt": JKT, "kid": "1", "jwk": {}}, "dpop"),
        ({"jkt": None}, "dpop"),
        ({}, None),
        ({"kid": "1"}, None),
        ({"x5t": JKT}, None),
        ({"JKT": JKT}, None),
    ],
)
def test_a_token_is_bound_by_every_member_that_is_known(cnf: dict[str, Any], method: str | None) -> None:
    assert read_confirmation(cnf).method == method


@pytest.mark.parametrize("cnf", ["not-a-json-object", 1, 0, True, False, 3.14159, [], [123], ["asdf"], None])
def test_what_is_not_an_object_binds_to_nothing_that_is_known(cnf: Any) -> None:
    assert read_confirmation(cnf) == Confirmation()


@pytest.mark.parametrize("member", ["jkt", "x5t#S256"])
@pytest.mark.parametrize(
    "value", [1, True, None, [], {}, "", "x", JKT[:-1], JKT + "A", JKT + "=", JKT[:-1] + "J", JKT[:-1] + "+"]
)
def test_a_member_that_is_not_the_text_of_a_hash_is_malformed(member: str, value: Any) -> None:
    bound = read_confirmation({member: value})
    assert bound.method is not None
    with pytest.raises(InvalidToken) as refusal:
        check_well_formed(bound)
    assert refusal.value.reason == "invalid_claim"
    assert str(refusal.value) == "The token's 'cnf' claim is malformed."


def test_a_well_formed_member_is_kept_as_it_is() -> None:
    bound = read_confirmation({"jkt": JKT, "x5t#S256": JKT})
    check_well_formed(bound)
    assert (bound.jkt, bound.x5t) == (JKT, JKT)


def test_the_token_is_hashed_as_proofs_name_it_and_once() -> None:
    bound = Confirmation(JKT)
    token = b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"  # of RFC 9449, section 7.1
    assert bound.hash_of(token) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    assert bound.hash_of(token) is bound.token_hash
