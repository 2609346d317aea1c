"""The issuer's tokens, keys and troubles, looked at with PyJWT and not with the library under test."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from typing import Any

import jwt
import pytest

from bearerguard.testing import Clock, Issuer, SigningKey, signing_key
from bearerguard.testing.exchange import Request
from bearerguard.testing.signing_keys import ALGORITHMS
from tests.testing.waiting import until

NOW = 1_700_000_000
ASYMMETRIC = [algorithm for algorithm in ALGORITHMS if not algorithm.startswith("HS")]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(clock=Clock(NOW))


def claims_in(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def verified(token: str, issuer: Issuer) -> dict[str, Any]:
    """The claims of `token` if a key published by `issuer` signed it."""
    header = jwt.get_unverified_header(token)
    keys = {jwk["kid"]: jwk for jwk in issuer.jwks()["keys"]}
    key = jwt.PyJWK(keys[header["kid"]], algorithm=header["alg"])
    claims: dict[str, Any] = json.loads(jwt.PyJWS().decode(token, key.key, algorithms=[header["alg"]]))
    return claims


def test_a_valid_token_has_the_claims_and_the_type_of_rfc_9068(issuer: Issuer) -> None:
    token = issuer.token()
    claims = claims_in(token)
    assert len(claims.pop("jti")) == 36
    assert claims == {
        "iss": "https://issuer.test",
        "aud": "https://api.test",
        "exp": NOW + 3_600,
        "iat": NOW,
        "client_id": "test-client",
        "sub": "user-1",
    }
    header = {"alg": "RS256", "typ": "at+jwt", "kid": issuer.signing_key.kid}
    assert jwt.get_unverified_header(token) == header


def test_every_token_is_another_one(issuer: Issuer) -> None:
    assert claims_in(issuer.token())["jti"] != claims_in(issuer.token())["jti"]


def test_claims_are_replaced_added_and_left_out(issuer: Issuer) -> None:
    own: dict[str, Any] = {"https://example.test/tenant": 7}
    claims = claims_in(issuer.token("ada", ["a", "b"], aud=["x", "y"], jti=None, **own))
    assert (claims["sub"], claims["scope"], claims["aud"]) == ("ada", "a b", ["x", "y"])
    assert claims["https://example.test/tenant"] == 7
    assert "jti" not in claims
    assert "sub" not in claims_in(issuer.token(sub=None))
    assert claims_in(issuer.token(scope="one two"))["scope"] == "one two"
    assert claims_in(issuer.token(expires_in=5))["exp"] == NOW + 5


def test_several_audiences_become_a_list() -> None:
    assert claims_in(Issuer(audience=("a", "b")).token())["aud"] == ["a", "b"]


@pytest.mark.parametrize("algorithm", [name for name in ASYMMETRIC if name != "Ed25519"])
def test_a_published_key_verifies_tokens_in_every_algorithm(issuer: Issuer, algorithm: str) -> None:
    published = issuer.jwks()
    assert verified(issuer.token(alg=algorithm), issuer)["sub"] == "user-1"
    assert issuer.jwks() == published


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_issuers_own_algorithm_signs_by_default(algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    assert jwt.get_unverified_header(issuer.token())["alg"] == algorithm
    assert issuer.signing_key.fits(algorithm)


def test_an_unknown_algorithm_is_refused_when_the_issuer_is_made() -> None:
    with pytest.raises(ValueError, match="RS1"):
        Issuer(algorithm="RS1")


def test_a_token_can_be_signed_by_a_chosen_key(issuer: Issuer) -> None:
    own = signing_key("P-384")
    token = issuer.token(key=own)
    assert jwt.PyJWS().decode(token, jwt.PyJWK(own.public_jwk()), algorithms=["ES384"])
    assert jwt.get_unverified_header(token)["kid"] == own.kid
    assert jwt.get_unverified_header(issuer.token(key=signing_key("RSA"), alg="PS512"))["alg"] == "PS512"


def test_header_members_are_replaced_added_and_left_out_without_another_signature(issuer: Issuer) -> None:
    token = issuer.with_header(typ=None, alg="HS256", crit=["x"])
    kid = issuer.signing_key.kid
    assert jwt.get_unverified_header(issuer.with_header(typ=None, x=1)) == {
        "alg": "RS256",
        "kid": kid,
        "x": 1,
    }
    message, _, _ = token.rpartition(".")
    signature = jwt.utils.base64url_decode(token.rpartition(".")[2])
    public = jwt.PyJWK(issuer.signing_key.public_jwk(), "RS256")
    assert public.Algorithm.verify(message.encode(), public.key, signature)


def test_sign_takes_claims_and_bytes_literally(issuer: Issuer) -> None:
    assert claims_in(issuer.sign({"sub": None})) == {"sub": None}
    token = issuer.sign(b"[]", header={"cty": "list"})
    public = jwt.PyJWK(issuer.signing_key.public_jwk(), "RS256")
    assert jwt.PyJWS().decode(token, public, algorithms=["RS256"]) == b"[]"


def differing(token: str, valid: str) -> set[str]:
    """The names of the claims in which two tokens differ, but for what differs each time."""
    left, right = claims_in(token), claims_in(valid)
    return {name for name in left.keys() | right.keys() if left.get(name) != right.get(name)} - {"jti"}


def test_each_bad_token_is_valid_in_all_other_respects(issuer: Issuer) -> None:
    valid = issuer.token()
    assert differing(issuer.expired(), valid) == {"exp", "iat"}
    assert differing(issuer.not_yet_valid(), valid) == {"exp", "nbf"}
    assert differing(issuer.for_another_audience(), valid) == {"aud"}
    assert differing(issuer.from_another_issuer(), valid) == {"iss"}
    for token in (
        issuer.expired(),
        issuer.not_yet_valid(),
        issuer.for_another_audience(),
        issuer.from_another_issuer(),
    ):
        verified(token, issuer)


def test_a_bad_token_is_bad_in_the_way_that_its_name_says(issuer: Issuer) -> None:
    assert claims_in(issuer.expired())["exp"] == NOW - 3_600
    assert claims_in(issuer.not_yet_valid())["nbf"] == NOW + 3_600
    assert claims_in(issuer.for_another_audience())["aud"] != issuer.audience
    assert claims_in(issuer.from_another_issuer())["iss"] != issuer.url


def test_bad_tokens_take_the_arguments_of_good_ones(issuer: Issuer) -> None:
    for mint in (
        issuer.expired,
        issuer.not_yet_valid,
        issuer.for_another_audience,
        issuer.from_another_issuer,
        issuer.forged,
        issuer.unsigned,
    ):
        for token in (
            mint(sub="ada", scope=["a"], tenant=7, header={"x": 1}),
            mint("ada", ["a"], tenant=7, header={"x": 1}),
        ):
            claims = claims_in(token)
            assert (claims["sub"], claims["scope"], claims["tenant"]) == ("ada", "a", 7)
            assert jwt.get_unverified_header(token)["x"] == 1


def test_a_token_with_another_header_takes_its_subject_and_its_scopes_by_position(issuer: Issuer) -> None:
    token = issuer.with_header("ada", ["a"], sub="a member of the header", kid=None)
    assert (claims_in(token)["sub"], claims_in(token)["scope"]) == ("ada", "a")
    header = jwt.get_unverified_header(token)
    assert (header["sub"], "kid" in header) == ("a member of the header", False)


@pytest.mark.parametrize("algorithm", [name for name in ASYMMETRIC if name != "Ed25519"])
def test_a_forged_token_names_the_right_key_and_is_signed_by_another(issuer: Issuer, algorithm: str) -> None:
    forged, valid = issuer.forged(alg=algorithm), issuer.token(alg=algorithm)
    assert jwt.get_unverified_header(forged) == jwt.get_unverified_header(valid)
    assert differing(forged, valid) == set()
    with pytest.raises(jwt.InvalidSignatureError):
        verified(forged, issuer)


def test_an_unsigned_token_says_so_and_has_no_signature(issuer: Issuer) -> None:
    token = issuer.unsigned()
    assert jwt.get_unverified_header(token)["alg"] == "none"
    assert token.endswith(".")
    assert differing(token, issuer.token()) == set()


def test_after_a_rotation_old_tokens_stay_good_and_new_ones_have_a_new_key(issuer: Issuer) -> None:
    old, token = issuer.signing_key, issuer.token()
    issuer.rotate()
    assert issuer.signing_key.kid != old.kid
    verified(token, issuer)
    verified(issuer.token(), issuer)
    verified(issuer.token(key=old), issuer)


def test_a_rotation_without_overlap_leaves_old_tokens_without_a_key(issuer: Issuer) -> None:
    token = issuer.token()
    issuer.rotate(overlap=False)
    with pytest.raises(KeyError):
        verified(token, issuer)


def test_a_key_can_be_published_ahead_of_its_use(issuer: Issuer) -> None:
    issuer.publish_next()
    announced = {jwk["kid"] for jwk in issuer.jwks()["keys"]}
    issuer.rotate()
    assert issuer.signing_key.kid in announced


def test_two_issuers_of_one_url_do_not_share_keys() -> None:
    one, other = Issuer(), Issuer()
    token = one.token(header={"kid": other.signing_key.kid})
    with pytest.raises(jwt.InvalidSignatureError):
        verified(token, other)


def ask(issuer: Issuer, path: str = "/jwks") -> int | None:
    response = issuer.answer(Request("GET", path))
    return None if response is None else response.status


def test_an_outage_begins_at_once_and_ends_with_its_block(issuer: Issuer) -> None:
    with issuer.outage():
        assert ask(issuer) is None
    assert ask(issuer) == 200


def test_an_outage_can_be_stopped_by_hand_and_stopping_twice_does_no_harm(issuer: Issuer) -> None:
    first, second = issuer.outage(), issuer.outage(503)
    assert ask(issuer) == 503
    second.stop()
    assert ask(issuer) is None
    first.stop()
    first.stop()
    assert ask(issuer) == 200


def test_a_slow_issuer_answers_once_it_is_let_go(issuer: Issuer) -> None:
    slow = issuer.slow(3_600)
    answers: list[int | None] = []
    thread = threading.Thread(target=lambda: answers.append(ask(issuer)))
    thread.start()
    until(lambda: issuer.requests)  # it has arrived
    assert answers == []
    slow.stop()
    thread.join()
    assert answers == [200]


def test_a_slow_issuer_answers_by_itself_after_its_seconds(issuer: Issuer) -> None:
    with issuer.slow(0.01):
        assert ask(issuer) == 200


def test_who_does_not_want_to_wait_so_long_is_told(issuer: Issuer) -> None:
    with issuer.slow(3_600), pytest.raises(TimeoutError, match=r"https://issuer.test in 0.01 seconds"):
        issuer.answer(Request("GET", "/jwks"), 0.01)


def test_requests_are_recorded_with_their_time_and_can_be_counted(issuer: Issuer) -> None:
    ask(issuer)
    issuer.clock.advance(30)
    with issuer.outage():
        ask(issuer)
    issuer.answer(Request("POST", "/token", {"x": "y"}))
    assert [(one.method, one.path, one.time) for one in issuer.requests] == [
        ("GET", "/jwks", NOW),
        ("GET", "/jwks", NOW + 30),
        ("POST", "/token", NOW + 30),
    ]
    assert issuer.requests[2].headers == {"x": "y"}
    assert (issuer.count("/jwks"), issuer.count("/token"), issuer.count("/")) == (2, 1, 0)


def test_it_can_be_used_from_many_threads_at_once() -> None:
    issuer = Issuer(algorithm="ES256")
    failures: list[BaseException] = []

    def use() -> None:
        try:
            for _ in range(25):
                issuer.token()
                with issuer.outage(500), issuer.slow(0.000_1):
                    assert ask(issuer) == 500
                issuer.publish_next()
                issuer.rotate()
                assert len(issuer.jwks()["keys"]) in {10, 15}
                issuer.clock.advance(1)
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert issuer.count("/jwks") == 200
    assert ask(issuer) == 200


def test_an_issuer_that_was_used_is_gone_without_waiting_for_the_garbage_collector() -> None:
    issuer = Issuer()
    issuer.token()
    transport = issuer.transport
    assert issuer.transport is transport
    gone = weakref.ref(issuer)
    gc.disable()
    try:
        del issuer, transport
        assert gone() is None
    finally:
        gc.enable()


def test_a_key_of_the_users_own_is_a_signing_key(issuer: Issuer) -> None:
    secret = SigningKey("mine", b"a secret that is long enough to be one")
    assert jwt.get_unverified_header(issuer.token(key=secret))["alg"] == "HS256"
