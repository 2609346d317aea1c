"""RFC 9449 as a list: each sentence about a proof is a test, at a door of ASGI and at one of WSGI.

What each check takes and refuses in full is in `tests/core/test_dpop_proof.py`; what every door does in
`tests/conformance/test_dpop.py`. Here is what the client is answered.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest

from bearerguard import DPoP, InvalidToken, fresh, scope
from bearerguard._core.dpop_nonce import Nonces
from bearerguard.rules import Rule
from tests import proofs
from tests.doors_under_test.door import Door, Opened
from tests.doors_under_test.doors import at
from tests.doors_under_test.exchange import Answer
from tests.doors_under_test.plain_doors import PlainASGI, PlainWSGI
from tests.hostile import minting
from tests.hostile.challenge_grammar import parse_challenge
from tests.hostile.minting import ABSENT, NOW
from tests.proofs import KEY, PLAIN, THIEF, TOKEN, proof

AT_BOTH = at([PlainASGI(), PlainWSGI()])
SECRET = "a secret of thirty-two characters"
GOOD_NONCE = Nonces(SECRET.encode()).newest(NOW)


def opened_at(door: Door, dpop: DPoP | None = None, rule: Rule | None = None) -> Opened:
    return door.open(proofs.server(dpop, resource="https://api.test"), rule)


def ask(
    opened: Opened,
    *sent: str,
    token: str | None = TOKEN,
    scheme: str = "DPoP",
    method: str = "GET",
    **more: Any,
) -> Answer:
    fields = [] if token is None else [(b"Authorization", f"{scheme} {token}".encode())]
    name = more.pop("name", b"DPoP")
    return opened.get(
        path=more.pop("path", "/orders"),
        fields=[*fields, *((name, one.encode()) for one in sent)],
        method=method,
        **more,
    )


def said(answer: Answer) -> tuple[int, str, str]:
    """The status, the scheme of the one challenge and its error; the algorithms have to be there."""
    challenge = parse_challenge(answer.one("www-authenticate").encode(), "DPoP")
    assert challenge["algs"] == "ES256 ES384 ES512 Ed25519 EdDSA PS256 PS384 PS512 RS256 RS384 RS512"
    return answer.status, "DPoP", challenge.get("error", "")


BAD_PROOF = (401, "DPoP", "invalid_dpop_proof")
BAD_TOKEN = (401, "DPoP", "invalid_token")
NEEDS_NONCE = (401, "DPoP", "use_dpop_nonce")


@AT_BOTH
def test_d1_one_authorization_field_with_the_scheme_in_any_case_and_one_token(door: Door) -> None:
    opened = opened_at(door)
    for scheme in ("DPoP", "dpop", "DPOP", "dPoP"):
        assert ask(opened, proof(), scheme=scheme).status == 200
    for token in ("", "a b", "a,b"):
        assert said(ask(opened, proof(), token=token)) == (400, "DPoP", "invalid_request")
    twice = [(b"Authorization", f"DPoP {TOKEN}".encode())] * 2
    assert opened.get(path="/orders", fields=twice).status == 400


@AT_BOTH
def test_d2_exactly_one_dpop_field_its_name_in_any_case(door: Door) -> None:
    opened = opened_at(door)
    for name in (b"DPoP", b"dpop", b"DPOP"):
        assert ask(opened, proof(), name=name).status == 200
    assert said(ask(opened, proof(), proof())) == BAD_PROOF
    assert said(ask(opened, f"{proof()},{proof()}")) == BAD_PROOF


@AT_BOTH
def test_d3_no_proof_with_the_scheme_dpop_is_a_bad_proof(door: Door) -> None:
    assert said(ask(opened_at(door))) == BAD_PROOF
    answer = ask(opened_at(door, DPoP(nonce=SECRET)))
    assert (said(answer), answer.all("dpop-nonce")) == (BAD_PROOF, [])


@AT_BOTH
def test_d4_a_proof_is_at_most_8_kib_three_strict_segments_and_names_no_member_twice(door: Door) -> None:
    opened = opened_at(door)
    for sent in (
        proof(x="x" * 8192),
        "a.b",
        proof() + ".c",
        proof() + "=",
        proof(body=b"[]"),
        proof(body=minting.text(proofs.claims())[:-1] + b', "htm": "GET"}'),
    ):
        assert said(ask(opened, sent)) == BAD_PROOF


@AT_BOTH
def test_d5_typ_is_dpop_jwt(door: Door) -> None:
    opened = opened_at(door)
    for typ in (ABSENT, "JWT", "at+jwt", "dpop+jwt+wrongyousee"):
        assert said(ask(opened, proof(head={"typ": typ}))) == BAD_PROOF
    assert ask(opened, proof(head={"typ": "application/DPoP+JWT"})).status == 200


@AT_BOTH
def test_d6_alg_is_asymmetric_and_accepted_and_nothing_is_critical(door: Door) -> None:
    opened = opened_at(door)
    refused: list[dict[str, Any]] = [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": ABSENT},
        {"alg": 7},
        {"crit": []},
        {"b64": True},
    ]
    for members in refused:
        assert said(ask(opened, proof(head=members))) == BAD_PROOF


@AT_BOTH
def test_d7_jwk_is_a_valid_public_key_for_the_algorithm(door: Door) -> None:
    opened, jwk = opened_at(door), proofs.jwk(KEY)
    for bad in (
        ABSENT,
        {**jwk, "d": "AA"},
        {**jwk, "d": ""},
        {"kty": "oct", "k": "AAAA"},
        {**jwk, "x": jwk["x"] + "="},
        {**jwk, "alg": "ES384"},
        {**jwk, "use": "enc"},
        proofs.jwk(minting.key_for("ES512")),
    ):
        assert said(ask(opened, proof(head={"jwk": bad}))) == BAD_PROOF


@AT_BOTH
def test_d8_other_members_that_name_keys_are_ignored(door: Door) -> None:
    members = {"jku": "https://evil.example", "x5u": "https://evil.example", "x5c": ["AA"], "kid": 7}
    assert ask(opened_at(door), proof(head=members)).status == 200


@AT_BOTH
def test_d9_the_signature_is_of_the_key_in_the_header(door: Door) -> None:
    assert said(ask(opened_at(door), proof(key=THIEF, head={"jwk": proofs.jwk(KEY)}))) == BAD_PROOF


@AT_BOTH
def test_d10_jti_is_text_that_is_neither_empty_nor_long(door: Door) -> None:
    opened = opened_at(door)
    for jti in (ABSENT, "", 7, "x" * 257):
        assert said(ask(opened, proof(jti=jti))) == BAD_PROOF
    assert ask(opened, proof(jti="x" * 256)).status == 200


@AT_BOTH
def test_d11_htm_is_the_method_in_its_case(door: Door) -> None:
    opened = opened_at(door)
    for htm in (ABSENT, "POST", "get"):
        assert said(ask(opened, proof(htm=htm))) == BAD_PROOF
    assert ask(opened, proof(htm="POST"), method="POST").status == 200


@AT_BOTH
def test_d12_htu_is_the_address_of_the_request_without_query_and_fragment(door: Door) -> None:
    opened = opened_at(door)
    for htu in (
        "HTTPS://API.TEST/orders",
        "https://api.test:443/orders",
        "https://api.test/a/../%6frders?x#y",
    ):
        assert ask(opened, proof(htu=htu)).status == 200
    others = ["https://api.test/Orders", "https://user@api.test/orders", "https://api.test//orders"]
    for other in (ABSENT, *others):
        assert said(ask(opened, proof(htu=other))) == BAD_PROOF
    assert ask(opened, proof(), query="page=2").status == 200
    assert said(ask(opened, proof(), path="/other")) == BAD_PROOF


@AT_BOTH
def test_d13_iat_is_a_number_in_the_window(door: Door) -> None:
    opened = opened_at(door)
    for iat in (NOW - 60, NOW - 10, NOW + 0.5, NOW + 15):
        assert ask(opened, proof(iat=iat)).status == 200
    for bad in (ABSENT, "1", True, NOW - 61, NOW + 16, NOW - 3600, NOW + 3600):
        assert said(ask(opened, proof(iat=bad))) == BAD_PROOF
    with_nonces = opened_at(door, DPoP(nonce=SECRET))
    assert said(ask(with_nonces, proof(iat=NOW - 3600))) == NEEDS_NONCE
    assert ask(with_nonces, proof(iat=NOW - 3600, nonce=GOOD_NONCE)).status == 200


@AT_BOTH
def test_d14_exp_and_nbf_are_obeyed_where_they_are_there(door: Door) -> None:
    opened = opened_at(door)
    assert ask(opened, proof(nbf=NOW, exp=NOW + 300)).status == 200
    for times in ({"exp": NOW}, {"nbf": NOW + 16}, {"exp": "x"}):
        assert said(ask(opened, proof(**times))) == BAD_PROOF


@AT_BOTH
def test_d15_ath_is_the_hash_of_the_token(door: Door) -> None:
    opened = opened_at(door)
    for ath in (ABSENT, "", proofs.ath("another")):
        assert said(ask(opened, proof(ath=ath))) == BAD_PROOF


@AT_BOTH
def test_d16_a_key_that_the_token_is_not_bound_to_makes_it_a_bad_token(door: Door) -> None:
    assert said(ask(opened_at(door), proof(key=THIEF))) == BAD_TOKEN


@AT_BOTH
def test_d17_a_token_that_is_not_bound_to_a_key_is_not_taken_as_dpop(door: Door) -> None:
    opened = opened_at(door)
    for token in (PLAIN, minting.token(cnf={"x5t#S256": "x" * 43})):
        assert said(ask(opened, proof(token), token=token)) == BAD_TOKEN


@AT_BOTH
def test_d18_a_bound_token_as_bearer_is_refused_with_both_challenges(door: Door) -> None:
    opened = opened_at(door)
    for sent in ((), (proof(),)):
        answer = ask(opened, *sent, scheme="Bearer")
        bearer, dpop = (value.encode() for value in answer.all("www-authenticate"))
        assert (answer.status, parse_challenge(bearer)["error"]) == (401, "invalid_token")
        assert parse_challenge(dpop, "DPoP").keys() == {"algs", "resource_metadata"}


@AT_BOTH
def test_d19_a_nonce_that_is_required_and_absent_is_told(door: Door) -> None:
    answer = ask(opened_at(door, DPoP(nonce=SECRET)), proof())
    assert (said(answer), answer.one("dpop-nonce")) == (NEEDS_NONCE, GOOD_NONCE)


@AT_BOTH
def test_d20_a_nonce_that_is_not_ours_is_told_a_new_one_and_ignored_where_there_are_none(door: Door) -> None:
    opened = opened_at(door, DPoP(nonce=SECRET))
    for nonce in ("", "garbage", 7, Nonces(SECRET.encode()).newest(NOW - 360)):
        answer = ask(opened, proof(nonce=nonce))
        assert (said(answer), answer.one("dpop-nonce")) == (NEEDS_NONCE, GOOD_NONCE)
    assert ask(opened_at(door), proof(nonce="of an authorization server")).status == 200


@AT_BOTH
def test_d21_the_same_key_and_jti_within_the_window_is_a_replay(door: Door) -> None:
    opened = opened_at(door)
    assert ask(opened, proof(jti="same")).status == 200
    assert said(ask(opened, proof(jti="same"))) == BAD_PROOF


@AT_BOTH
def test_d22_unknown_members_of_header_and_claims_are_ignored(door: Door) -> None:
    sent = proof(head={"dummy": {"a": [1]}, "zip": "DEF"}, dummy=[{"a": None}], sub="x")
    assert ask(opened_at(door), sent).status == 200


@AT_BOTH
def test_d23_a_bad_token_goes_before_a_bad_proof_and_is_told_in_a_dpop_challenge(door: Door) -> None:
    opened, expired = opened_at(door), proofs.bound(exp=NOW - 60)
    for sent in ((), (proof(expired, htm="PUT"),)):
        assert said(ask(opened, *sent, token=expired)) == BAD_TOKEN
    assert said(ask(opened, proof(), token="opaque")) == BAD_TOKEN


@AT_BOTH
def test_d24_too_little_scope_and_too_old_a_login_are_told_in_a_dpop_challenge(door: Door) -> None:
    assert said(ask(opened_at(door, rule=scope("more")), proof())) == (403, "DPoP", "insufficient_scope")
    old = opened_at(door, rule=fresh(max_age=60))
    assert said(ask(old, proof())) == (401, "DPoP", "insufficient_user_authentication")


@AT_BOTH
def test_d25_a_proof_beside_a_token_that_is_not_bound_is_ignored_and_logged_once(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    from bearerguard.observe import warn_once

    warn_once.cache_clear()
    opened = opened_at(door)
    with caplog.at_level(logging.WARNING, "bearerguard"):
        for _ in range(3):
            assert ask(opened, "anything", token=minting.token(), scheme="Bearer").status == 200
    assert len(caplog.records) == 1
    required = opened_at(door, DPoP(required=True))
    assert said(ask(required, proof(), token=PLAIN, scheme="Bearer")) == (401, "DPoP", "")


@AT_BOTH
def test_d26_a_proof_without_authorization_is_no_credential(door: Door) -> None:
    answer = ask(opened_at(door), proof(), token=None)
    bearer, dpop = (value.encode() for value in answer.all("www-authenticate"))
    assert (answer.status, answer.json["error"]) == (401, "no_credentials")
    assert "error" not in parse_challenge(bearer).keys() | parse_challenge(dpop, "DPoP").keys()


def test_d27_a_websocket_opens_by_get_with_wss_or_https() -> None:
    opened = opened_at(PlainASGI())
    credentials = (b"Authorization", f"DPoP {TOKEN}".encode())
    for htu, status in (("wss://api.test/ws", 101), ("https://api.test/ws", 101), ("ws://api.test/ws", 403)):
        assert opened.websocket(fields=[credentials, (b"DPoP", proof(htu=htu).encode())]).status == status


@AT_BOTH
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_d28_of_head_and_options_htm_is_the_method_that_was_sent(door: Door, method: str) -> None:
    opened = opened_at(door)
    assert ask(opened, proof(htm=method), method=method).status == 200
    assert ask(opened, proof(), method=method).status == 401


@AT_BOTH
def test_n1_a_nonce_is_sent_with_its_refusal_only_and_stored_by_no_cache(door: Door) -> None:
    opened = opened_at(door, DPoP(nonce=SECRET))
    refused = ask(opened, proof())
    assert (refused.all("dpop-nonce"), refused.all("cache-control")) == ([GOOD_NONCE], ["no-store"])
    let_in = ask(opened, proof(nonce=GOOD_NONCE))
    assert (let_in.status, let_in.all("dpop-nonce")) == (200, [])


@AT_BOTH
def test_n2_a_nonce_is_of_the_characters_that_it_may_have(door: Door) -> None:
    nonce = ask(opened_at(door, DPoP(nonce=True)), proof()).one("dpop-nonce")
    assert all("!" <= character <= "~" and character not in '"\\' for character in nonce)
    assert len(nonce) == 24


def test_n3_a_page_is_shown_the_nonce_by_the_cors_middleware_that_the_documentation_sets_up() -> None:
    from starlette.applications import Starlette
    from starlette.middleware.cors import CORSMiddleware
    from starlette.testclient import TestClient

    from bearerguard.starlette import Guard

    app = Starlette()
    app.add_middleware(Guard(proofs.server(DPoP(nonce=SECRET)), resource="https://api.test").protect)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["https://shop.example"],
        allow_headers=["Authorization", "DPoP"],
        expose_headers=["DPoP-Nonce", "WWW-Authenticate"],
    )
    client = TestClient(app, base_url="https://api.test", headers={"Origin": "https://shop.example"})
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization,dpop"}
    assert client.options("/orders", headers=asks).status_code == 200
    refused = client.get("/orders", headers={"Authorization": f"DPoP {TOKEN}", "DPoP": proof()})
    assert (refused.status_code, refused.headers["DPoP-Nonce"]) == (401, GOOD_NONCE)
    assert refused.headers["Access-Control-Expose-Headers"] == "DPoP-Nonce, WWW-Authenticate"


@AT_BOTH
def test_n4_the_metadata_say_which_algorithms_and_whether_nothing_else_will_do(door: Door) -> None:
    opened = opened_at(door, DPoP(required=True, algorithms=["ES256"]))
    document = opened.get(path="/.well-known/oauth-protected-resource").json
    assert document["dpop_signing_alg_values_supported"] == ["ES256"]
    assert document["dpop_bound_access_tokens_required"] is True


def test_the_list_goes_on_where_it_is_about_programs() -> None:
    """With only a token, nothing can be proven."""
    with pytest.raises(InvalidToken):
        proofs.server().verify(TOKEN)
