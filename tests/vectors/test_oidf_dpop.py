"""The OpenID Foundation's conformance suite, as far as it tests resource servers that take DPoP.

The cases of its module FAPI2SPFinalDpopNegativeTests in its order, and those of others for the clock, for
`nbf` and `exp`, and for the scheme; against an API without nonces and against one with them. The suite's
client gets a nonce by asking, and so does this one.
"""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import DPoP
from tests import proofs
from tests.doors_under_test.exchange import Answer
from tests.doors_under_test.plain_doors import PlainASGI
from tests.hostile import minting
from tests.hostile.minting import ABSENT, NOW
from tests.proofs import KEY, THIEF, TOKEN

HOUR = 3600
PASSES, FAILS = {200}, {400, 401}


class Session:
    """A client of the suite, with its token, at one API."""

    def __init__(self, *, nonces: bool) -> None:
        self.nonces = nonces
        dpop = DPoP(algorithms=["ES256", "PS256", "EdDSA"], nonce=True if nonces else None)  # FAPI's
        self._opened = PlainASGI().open(proofs.server(dpop, resource="https://api.test"))
        self._nonce: Any = ABSENT
        if nonces:
            self._nonce = self.send(self.proof()).one("dpop-nonce")

    def proof(self, **changes: Any) -> str:
        return proofs.proof(**{"nonce": self._nonce, **changes})

    def send(self, *sent: str, scheme: str = "DPoP", name: bytes = b"DPoP") -> Answer:
        fields = [(b"Authorization", f"{scheme} {TOKEN}".encode()), *((name, one.encode()) for one in sent)]
        return self._opened.get(path="/orders", fields=fields)


def with_jwk(**members: Any) -> dict[str, Any]:
    return {"head": {"jwk": {**proofs.jwk(KEY), **members}}}


RS256 = minting.key_for("RS256")
PRIVATE = with_jwk(d="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
# In the suite's order: what is sent, and what may come of it.
CASES: dict[str, tuple[dict[str, Any], set[int]]] = {
    "the header field in capitals": ({"name": b"DPOP"}, PASSES),
    "two DPoP header fields": ({"times": 2}, FAILS),
    "not well-formed": ({"text": "not.a-proof"}, FAILS),
    "typ missing": ({"head": {"typ": ABSENT}}, FAILS),
    "alg missing": ({"head": {"alg": ABSENT}}, FAILS),
    "jwk missing": ({"head": {"jwk": ABSENT}}, FAILS),
    "jti missing": ({"jti": ABSENT}, FAILS),
    "htm missing": ({"htm": ABSENT}, FAILS),
    "htu missing": ({"htu": ABSENT}, FAILS),
    "iat missing": ({"iat": ABSENT}, FAILS),
    "ath missing": ({"ath": ABSENT}, FAILS),
    "typ wrong": ({"head": {"typ": "dpop+jwt+wrongyousee"}}, FAILS),
    "alg RS256": ({"head": {"alg": "RS256", "jwk": proofs.jwk(RS256)}}, FAILS),
    "alg none": ({"head": {"alg": "none"}}, FAILS),
    "signature wrong": ({"key": THIEF, "head": {"jwk": proofs.jwk(KEY)}}, FAILS),
    "a private jwk": (PRIVATE, FAILS),
    "htm PUT": ({"htm": "PUT"}, FAILS),
    "htu with query and fragment": ({"htu": f"{proofs.URL}?a=b#c"}, PASSES),
    "htu without query and fragment": ({}, PASSES),
    "htu of another address": ({"htu": "https://api.test/another"}, FAILS),
    "iat an hour ahead": ({"iat": NOW + HOUR}, FAILS),
    "iat an hour ago": ({"iat": NOW - HOUR}, FAILS),
    "a jti": ({"jti": "used twice"}, PASSES),
    "the same jti": ({"jti": "used twice"}, FAILS),
    "ath wrong": ({"ath": proofs.ath("another")}, FAILS),
    "another key": ({"key": THIEF}, FAILS),
    "more members in header and claims": ({"head": {"more": 1}, "more": {"a": []}}, PASSES),
    "htu with scheme and host in capitals": ({"htu": "HTTPS://API.TEST/orders"}, PASSES),
    "htu with the default port": ({"htu": "https://api.test:443/orders"}, PASSES),
    "no proof": ({"times": 0}, FAILS),
    "no proof and the scheme Bearer": ({"times": 0, "scheme": "Bearer"}, FAILS),
    "a correct proof still works": ({}, PASSES),
    "iat ten seconds ago": ({"iat": NOW - 10}, PASSES),
    "iat ten seconds ahead": ({"iat": NOW + 10}, PASSES),
    "nbf now and exp in five minutes": ({"nbf": NOW, "exp": NOW + 300}, PASSES),
    "the scheme in lower case": ({"scheme": "dpop"}, PASSES),
    "the scheme in capitals": ({"scheme": "DPOP"}, PASSES),
}
AGE = {"iat an hour ahead", "iat an hour ago"}
"""With nonces a wrong clock passes: the suite warns where it does not."""


@pytest.mark.parametrize("nonces", [False, True], ids=["without nonces", "with nonces"])
def test_the_suites_cases_for_a_resource_server_in_their_order(nonces: bool) -> None:
    session = Session(nonces=nonces)
    for name, (given, expected) in CASES.items():
        changes = dict(given)
        times, scheme, field = (
            changes.pop("times", 1),
            changes.pop("scheme", "DPoP"),
            changes.pop("name", b"DPoP"),
        )
        text = changes.pop("text", None)
        sent = [text or session.proof(**changes) for _ in range(times)]
        answer = session.send(*sent, scheme=scheme, name=field)
        wanted = PASSES if nonces and name in AGE else expected
        assert answer.status in wanted, name


def test_a_request_without_the_nonce_is_answered_with_it_and_then_passes() -> None:
    session = Session(nonces=True)
    refused = session.send(session.proof(nonce=ABSENT))
    assert refused.status == 401
    assert session.send(session.proof(nonce=refused.one("dpop-nonce"))).status == 200
