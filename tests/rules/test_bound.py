"""The rule `bound`: what it asks of a token, how it prints, and how it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import (
    AccessDenied,
    AccessToken,
    ConfigurationError,
    InvalidToken,
    Request,
    Rule,
    bound,
    scope,
)
from tests import proofs
from tests.hostile import minting

DER = b"a certificate"
X5T = proofs.ath(DER.decode())  # the same hash in the same text
CNF: dict[str, dict[str, str]] = {
    "dpop": {"jkt": proofs.thumbprint(proofs.KEY)},
    "mtls": {"x5t#S256": X5T},
    "dpop+mtls": {"jkt": proofs.thumbprint(proofs.KEY), "x5t#S256": X5T},
}


def token_bound_by(method: str | None) -> AccessToken:
    token = minting.token() if method is None else minting.token(cnf=CNF[method])
    scheme = "DPoP" if method is not None and "dpop" in method else "Bearer"
    fields = [("Authorization", f"{scheme} {token}"), ("DPoP", proofs.proof(token))]
    admitted = proofs.server().authenticate(Request("GET", proofs.URL, fields, certificate=DER))
    assert admitted.confirmation == method
    return admitted


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        (bound(), ["dpop", "mtls", "dpop+mtls"]),
        (bound("dpop"), ["dpop", "dpop+mtls"]),
        (bound("mtls"), ["mtls", "dpop+mtls"]),
        (bound("dpop") & bound("mtls"), ["dpop+mtls"]),
        (~bound(), [None]),
        (bound("mtls") | scope("orders:read"), [None, "dpop", "mtls", "dpop+mtls"]),
    ],
    ids=repr,
)
def test_a_token_fulfils_it_that_was_proven_in_this_way(rule: Rule, allowed: list[str | None]) -> None:
    fulfilled = [method for method in (None, *CNF) if rule.allows(token_bound_by(method))]
    assert fulfilled == allowed
    assert rule.is_constant


@pytest.mark.parametrize(
    "rule",
    [bound(), bound("dpop"), scope("orders:read") & bound("mtls"), scope("missing") & bound()],
    ids=repr,
)
def test_another_token_is_refused_as_one_that_will_not_do(rule: Rule) -> None:
    refusal = rule.refusal(token_bound_by(None))
    assert (type(refusal), refusal.reason, refusal.status) == (InvalidToken, "not_bound", 401)


def test_where_something_else_helps_that_is_told() -> None:
    refusal = (bound() | scope("more")).refusal(token_bound_by(None))
    assert refusal.reason == "scope"
    assert isinstance((~bound()).refusal(token_bound_by("dpop")), AccessDenied)


def test_it_prints_as_the_source_that_makes_it_and_says_why() -> None:
    assert [repr(rule) for rule in (bound(), bound("dpop"), bound("mtls"))] == [
        "bound()",
        "bound('dpop')",
        "bound('mtls')",
    ]
    assert str(bound().explain(token_bound_by("mtls"))) == "yes  bound(): the token is bound by mtls"
    assert str(bound("dpop").explain(token_bound_by(None))) == "no   bound('dpop'): the token is not bound"
    assert bound("dpop") == bound("dpop") != bound()


def test_it_asks_for_no_scope() -> None:
    assert bound().scopes() == frozenset()


@pytest.mark.parametrize("method", ["DPoP", "tls", "", True, "dpop+mtls"])
def test_another_way_to_prove_is_a_mistake(method: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"write bound\(\)"):
        bound(method)
