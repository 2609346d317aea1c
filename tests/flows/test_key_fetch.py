"""The fetch of keys as a pure generator: answers are sent in, effects come out; no network, no clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from typing import Any

import pytest
from msgspec import structs

from bearerguard._flows.effects import CallSource, FetchFailed, HttpAnswer, HttpGet
from bearerguard._flows.key_fetch import (
    Called,
    Discovered,
    Fetched,
    Origin,
    Published,
    fetch_keys,
    max_age_of,
)
from bearerguard._jose.key_material import read_keys
from bearerguard._jose.key_set import KeyIndex, KeySet
from bearerguard.testing import signing_key

KEY, OTHER = signing_key("P-256"), signing_key("Ed25519")
ISSUER = "https://login.example"
OPENID = f"{ISSUER}/.well-known/openid-configuration"
OAUTH = f"{ISSUER}/.well-known/oauth-authorization-server"
JWKS = f"{ISSUER}/jwks"
BY_URL = Published(JWKS)
BY_DISCOVERY = Discovered(ISSUER)


def key_set(*jwks: dict[str, str], **headers: str) -> HttpAnswer:
    return HttpAnswer(200, json.dumps({"keys": jwks or [KEY.public_jwk()]}).encode(), **headers)


def metadata(**members: Any) -> HttpAnswer:
    return HttpAnswer(200, json.dumps({"issuer": ISSUER, "jwks_uri": JWKS, **members}).encode())


def known(address: str | None = JWKS, etag: str | None = '"1"') -> KeySet:
    keys, _ = read_keys(KEY.public_jwk())
    return KeySet(KeyIndex(keys), etag=etag, address=address)


def play(
    origin: Origin,
    answers: list[Any],
    before: KeySet | None = None,
    *,
    in_haste: bool = False,
    in_hand: dict[str, Any] | None = None,
) -> tuple[list[Any], Fetched]:
    """Answer each effect in turn, an exception by raising it; return the effects and what was fetched."""
    flow: Generator[Any, Any, Fetched] = fetch_keys(origin, before, in_haste=in_haste, metadata=in_hand)
    asked, remaining = [next(flow)], list(answers)
    fetched: Fetched | None = None
    while fetched is None:
        answer = remaining.pop(0)
        step: Callable[[Any], Any] = flow.throw if isinstance(answer, Exception) else flow.send
        try:
            asked.append(step(answer))
        except StopIteration as stop:
            fetched = stop.value
    assert remaining == []
    return asked, fetched


def failure(origin: Origin, answers: list[Any], before: KeySet | None = None) -> FetchFailed:
    with pytest.raises(FetchFailed) as failed:
        play(origin, answers, before)
    return failed.value


NOT_FOUND = HttpAnswer(404, b"")
DOWN = FetchFailed("connection", "no route")


# -- from an address


def test_a_key_set_is_fetched_from_its_address() -> None:
    asked, fetched = play(BY_URL, [key_set(cache_control="public, max-age=300", etag='"2"')])
    assert asked == [HttpGet(JWKS)]
    assert [key.kid for key in fetched.keys.all] == [KEY.kid]
    assert (fetched.max_age, fetched.etag, fetched.address, fetched.left_out) == (300, '"2"', JWKS, ())


def test_a_known_key_set_is_asked_for_conditionally() -> None:
    asked, _ = play(BY_URL, [key_set()], before=known())
    assert asked == [HttpGet(JWKS, '"1"')]


def test_a_304_keeps_the_very_keys_and_the_etag() -> None:
    before = known()
    _, fetched = play(BY_URL, [HttpAnswer(304, b"", cache_control="max-age=60")], before)
    assert fetched.keys is before.keys
    assert (fetched.max_age, fetched.etag, fetched.address) == (60, '"1"', JWKS)


def test_a_304_may_bring_a_new_etag() -> None:
    assert play(BY_URL, [HttpAnswer(304, b"", etag='W/"2"')], known())[1].etag == 'W/"2"'


@pytest.mark.parametrize(
    "before", [None, known(etag=None), known(address=f"{ISSUER}/moved")], ids=["none", "etag", "moved"]
)
def test_a_304_that_was_not_asked_for_is_not_believed(before: KeySet | None) -> None:
    assert failure(BY_URL, [HttpAnswer(304, b"")], before).kind == "http_status"


def test_an_etag_of_another_address_is_not_sent() -> None:
    asked, _ = play(BY_URL, [key_set()], before=known(address=f"{ISSUER}/moved"))
    assert asked == [HttpGet(JWKS)]


def test_keys_of_unknown_address_may_be_confirmed_by_their_etag() -> None:
    asked, _ = play(BY_URL, [key_set()], before=known(address=None))
    assert asked == [HttpGet(JWKS, '"1"')]


@pytest.mark.parametrize("unusable", ['"café"', "*", "unquoted", '"' + "a" * 1023 + '"'])
def test_a_validator_that_cannot_be_sent_back_is_not_kept(unusable: str) -> None:
    assert play(BY_URL, [key_set(etag=unusable)])[1].etag is None
    assert play(BY_URL, [HttpAnswer(304, b"", etag=unusable)], known())[1].etag == '"1"'


def test_a_set_is_whole_unless_a_key_was_left_out_or_pinned_away() -> None:
    both = key_set(KEY.public_jwk(), OTHER.public_jwk())
    pinned = structs.replace(BY_URL, pinned=frozenset({known().keys.all[0].thumbprint}))
    assert play(BY_URL, [both])[1].is_whole
    assert play(pinned, [key_set()])[1].is_whole
    assert not play(pinned, [both])[1].is_whole
    assert not play(BY_URL, [key_set(KEY.public_jwk(), {**OTHER.public_jwk(), "use": "enc"})])[1].is_whole


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_304_leaves_a_set_as_whole_as_it_was(is_whole: bool) -> None:
    before = structs.replace(known(), is_whole=is_whole)
    assert play(BY_URL, [HttpAnswer(304, b"")], before)[1].is_whole == is_whole


def test_more_keys_without_kid_than_are_tried_are_told() -> None:
    unnamed = [without_kid(signing_key("Ed25519").public_jwk()) for _ in range(5)]
    assert play(BY_URL, [key_set(*unnamed[:4])])[1].left_out == ()
    (told,) = play(BY_URL, [key_set(*unnamed)])[1].left_out
    assert told.startswith("5 keys without kid fit Ed25519, and for one token 4 of them are tried")


def without_kid(jwk: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in jwk.items() if name != "kid"}


def test_of_more_keys_than_are_tried_the_newest_are() -> None:
    """Whoever publishes a fifth key without kid signs with it, wherever in the set it stands."""
    unnamed = [without_kid(signing_key("Ed25519").public_jwk()) for _ in range(5)]
    _, first = play(BY_URL, [key_set(*unnamed[:4])])
    before = KeySet(first.keys)
    _, second = play(BY_URL, [key_set(*unnamed)], before)
    assert second.keys.all[0].jwk["x"] == unnamed[4]["x"]


def test_the_same_keys_stay_the_same_object_and_other_keys_do_not() -> None:
    before = known()
    assert play(BY_URL, [key_set()], before)[1].keys is before.keys
    assert play(BY_URL, [key_set(OTHER.public_jwk())], before)[1].keys is not before.keys
    assert play(BY_URL, [key_set(KEY.public_jwk(), OTHER.public_jwk())], before)[1].keys is not before.keys


def test_unusable_keys_are_left_out_and_told() -> None:
    _, fetched = play(BY_URL, [key_set(KEY.public_jwk(), {**OTHER.public_jwk(), "use": "enc"})])
    assert [key.kid for key in fetched.keys.all] == [KEY.kid]
    assert len(fetched.left_out) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (HttpAnswer(300, b""), "redirect"),
        (HttpAnswer(301, b""), "redirect"),
        (HttpAnswer(399, b""), "redirect"),
        (HttpAnswer(302, key_set().body), "redirect"),
        (HttpAnswer(204, b""), "http_status"),
        (HttpAnswer(206, key_set().body), "http_status"),
        (HttpAnswer(404, key_set().body), "http_status"),
        (HttpAnswer(500, b""), "http_status"),
        (HttpAnswer(200, b""), "not_a_key_set"),
        (HttpAnswer(200, b"<html>"), "not_a_key_set"),
        (HttpAnswer(200, b'{"error": 1}'), "not_a_key_set"),
        (HttpAnswer(200, b'{"keys": []}'), "empty"),
        (HttpAnswer(200, json.dumps({"keys": [{}] * 101}).encode()), "too_many_keys"),
        (key_set({**KEY.public_jwk(), "use": "enc"}), "no_usable_key"),
        (key_set(signing_key("oct").secret_jwk()), "no_usable_key"),
        (DOWN, "connection"),
    ],
    ids=[
        "300",
        "301",
        "399",
        "302",
        "204",
        "206",
        "404",
        "500",
        "nothing",
        "HTML",
        "another object",
        "empty set",
        "too many",
        "for encryption",
        "secret",
        "no route",
    ],
)
def test_an_answer_that_is_not_a_key_set_fails_with_its_kind(answer: Any, kind: str) -> None:
    assert failure(BY_URL, [answer]).kind == kind
    assert failure(BY_URL, [answer], known()).kind == kind


def test_a_mapping_of_kid_to_pem_may_be_published_at_an_address() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    _, fetched = play(BY_URL, [HttpAnswer(200, json.dumps({"k1": pem}).encode())])
    assert [key.kid for key in fetched.keys.all] == ["k1"]


# -- pins


def test_of_pinned_keys_alone_the_set_consists() -> None:
    both = key_set(KEY.public_jwk(), OTHER.public_jwk())
    thumbprint = known().keys.all[0].thumbprint
    _, fetched = play(structs.replace(BY_URL, pinned=frozenset({thumbprint})), [both])
    assert [key.kid for key in fetched.keys.all] == [KEY.kid]


def test_pins_hold_wherever_keys_come_from() -> None:
    thumbprint = frozenset({known().keys.all[0].thumbprint})
    both = key_set(KEY.public_jwk(), OTHER.public_jwk())
    for origin, answers in (
        (Discovered(ISSUER, thumbprint), [metadata(), both]),
        (Called(list, thumbprint), [[KEY.public_jwk(), OTHER.public_jwk()]]),
    ):
        _, fetched = play(origin, answers)
        assert [key.thumbprint for key in fetched.keys.all] == list(thumbprint)


def test_a_set_without_a_pinned_key_is_refused() -> None:
    pinned = structs.replace(BY_URL, pinned=frozenset({"another"}))
    assert failure(pinned, [key_set()]).kind == "no_pinned_key"


# -- by discovery


def test_the_address_is_discovered_by_openid_connect_first() -> None:
    asked, fetched = play(BY_DISCOVERY, [metadata(), key_set(etag='"2"')])
    assert asked == [HttpGet(OPENID), HttpGet(JWKS)]
    assert (fetched.address, fetched.etag) == (JWKS, '"2"')


NOT_HERE = {
    **{str(status): HttpAnswer(status, b"") for status in (300, 302, 308, 400, 401, 403, 404, 410, 499)},
    "HTML": HttpAnswer(200, b"<html>Sign in</html>"),
    "an array": HttpAnswer(200, b"[]"),
    "nothing": HttpAnswer(200, b""),
}
"""What providers answer for a path that they do not have."""


@pytest.mark.parametrize("answer", NOT_HERE.values(), ids=NOT_HERE.keys())
def test_where_there_is_no_openid_document_the_one_of_rfc8414_is_asked_for(answer: HttpAnswer) -> None:
    asked, _ = play(BY_DISCOVERY, [answer, metadata(), key_set()])
    assert asked == [HttpGet(OPENID), HttpGet(OAUTH), HttpGet(JWKS)]


@pytest.mark.parametrize("answer", NOT_HERE.values(), ids=NOT_HERE.keys())
def test_of_an_issuer_with_a_path_the_openid_document_is_also_looked_for_before_it(
    answer: HttpAnswer,
) -> None:
    issuer = f"{ISSUER}/shop"
    asked, fetched = play(Discovered(issuer), [answer, answer, metadata(issuer=issuer), key_set()])
    assert [request.url for request in asked] == [
        f"{issuer}/.well-known/openid-configuration",
        f"{ISSUER}/.well-known/oauth-authorization-server/shop",
        f"{ISSUER}/.well-known/openid-configuration/shop",
        JWKS,
    ]
    assert fetched.metadata == {"issuer": issuer, "jwks_uri": JWKS}


def test_metadata_that_are_nowhere_are_told_with_every_address_that_was_asked() -> None:
    message = str(failure(Discovered(f"{ISSUER}/shop"), list(NOT_HERE.values())[:3]))
    assert message.count(f"{ISSUER}/") == 3


def test_the_key_set_of_a_discovered_address_is_asked_for_conditionally() -> None:
    asked, _ = play(BY_DISCOVERY, [metadata(), HttpAnswer(304, b"")], known())
    assert asked == [HttpGet(OPENID, share=0.4), HttpGet(JWKS, '"1"')]


def test_a_key_set_that_moved_is_followed_and_its_old_etag_forgotten() -> None:
    moved = f"{ISSUER}/moved"
    asked, fetched = play(BY_DISCOVERY, [metadata(jwks_uri=moved), key_set()], known())
    assert asked == [HttpGet(OPENID, share=0.4), HttpGet(moved)]
    assert fetched.address == moved


METADATA_FAULTS = [
    ([DOWN], "connection"),
    ([HttpAnswer(500, b"")], "http_status"),
    ([HttpAnswer(304, b""), NOT_FOUND], "http_status"),
    ([HttpAnswer(302, b""), NOT_FOUND], "redirect"),
    ([HttpAnswer(204, b"")], "http_status"),
    ([NOT_FOUND, NOT_FOUND], "http_status"),
    ([NOT_FOUND, HttpAnswer(302, b"")], "http_status"),
    ([NOT_FOUND, HttpAnswer(500, b"")], "http_status"),
    ([NOT_FOUND, DOWN], "connection"),
    ([HttpAnswer(200, b"<html>"), NOT_FOUND], "not_json"),
    ([HttpAnswer(200, b"[]"), HttpAnswer(302, b"")], "not_json"),
    ([NOT_FOUND, metadata(issuer="https://evil.example")], "issuer_mismatch"),
    ([metadata(issuer="https://evil.example")], "issuer_mismatch"),
    ([metadata(issuer=f"{ISSUER}/")], "issuer_mismatch"),
    ([metadata(issuer=None)], "issuer_mismatch"),
    ([metadata(issuer=[ISSUER])], "issuer_mismatch"),
    ([metadata(jwks_uri=None)], "no_jwks_uri"),
    ([metadata(jwks_uri=[JWKS])], "no_jwks_uri"),
    ([metadata(jwks_uri="http://login.example/jwks")], "insecure_jwks_uri"),
    ([metadata(jwks_uri="file:///etc/keys")], "insecure_jwks_uri"),
    ([metadata(jwks_uri="http://127.0.0.1:1/jwks")], "insecure_jwks_uri"),
    ([metadata(jwks_uri="jwks")], "insecure_jwks_uri"),
    ([metadata(jwks_uri="https://a:b@login.example/")], "insecure_jwks_uri"),
]
each_metadata_fault = pytest.mark.parametrize(
    ("answers", "kind"),
    METADATA_FAULTS,
    ids=[f"{number}-{kind}" for number, (_, kind) in enumerate(METADATA_FAULTS)],
)


@each_metadata_fault
def test_metadata_that_cannot_be_believed_fails_with_its_kind(answers: list[Any], kind: str) -> None:
    assert failure(BY_DISCOVERY, answers).kind == kind
    assert failure(BY_DISCOVERY, answers, known(address=None)).kind == kind


@each_metadata_fault
def test_an_address_that_was_learnt_before_outlives_trouble_with_the_metadata(
    answers: list[Any], kind: str
) -> None:
    asked, fetched = play(BY_DISCOVERY, [*answers, key_set()], known())
    assert asked[-1] == HttpGet(JWKS, '"1"')
    assert fetched.address == JWKS


def test_in_haste_the_metadata_is_left_out_where_the_address_is_known() -> None:
    asked, fetched = play(BY_DISCOVERY, [key_set()], known(), in_haste=True)
    assert asked == [HttpGet(JWKS, '"1"')]
    assert fetched.doubt is not None
    assert fetched.doubt.kind == "metadata_left_out"


@pytest.mark.parametrize("before", [None, known(address=None)], ids=["no keys", "no address"])
def test_in_haste_too_an_address_that_is_not_known_is_discovered(before: KeySet | None) -> None:
    asked, fetched = play(BY_DISCOVERY, [metadata(), key_set()], before, in_haste=True)
    assert [request.url for request in asked] == [OPENID, JWKS]
    assert fetched.doubt is None


def test_the_message_names_both_issuers() -> None:
    message = str(failure(BY_DISCOVERY, [metadata(issuer="https://evil.example")]))
    assert "https://evil.example" in message
    assert ISSUER in message


def test_metadata_that_were_read_a_moment_ago_are_believed_by_a_first_fetch() -> None:
    in_hand = {"issuer": ISSUER, "jwks_uri": JWKS}
    asked, fetched = play(BY_DISCOVERY, [key_set()], in_hand=in_hand)
    assert asked == [HttpGet(JWKS)]
    assert (fetched.metadata, fetched.doubt) == (None, None)


def test_with_keys_in_hand_the_metadata_are_asked_for_again() -> None:
    in_hand = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/moved"}
    asked, fetched = play(BY_DISCOVERY, [metadata(), key_set()], known(), in_hand=in_hand)
    assert [request.url for request in asked] == [OPENID, JWKS]
    assert fetched.metadata == {"issuer": ISSUER, "jwks_uri": JWKS}


def test_metadata_may_name_http_where_that_is_allowed() -> None:
    origin = structs.replace(BY_DISCOVERY, allow_http=True)
    asked, _ = play(origin, [metadata(jwks_uri="http://login.example/jwks"), key_set()])
    assert asked[-1] == HttpGet("http://login.example/jwks")


def test_trouble_with_the_key_set_is_not_mistaken_for_trouble_with_the_metadata() -> None:
    assert failure(BY_DISCOVERY, [metadata(), HttpAnswer(500, b"")], known()).kind == "http_status"


# -- by a function


def test_a_function_is_called_for_key_material() -> None:
    def keys() -> None:
        raise AssertionError("calling it is left to the driver")

    asked, fetched = play(Called(keys), [KEY.public_jwk()])
    assert asked == [CallSource(keys)]
    assert [key.kid for key in fetched.keys.all] == [KEY.kid]
    assert (fetched.max_age, fetched.etag, fetched.address) == (None, None, None)


@pytest.mark.parametrize(
    "material",
    [None, 5, [], "https://login.example/jwks", signing_key("oct").secret_jwk()],
    ids=["None", "number", "empty", "address", "secret"],
)
def test_what_a_function_returns_is_read_as_what_comes_over_the_network(material: Any) -> None:
    assert failure(Called(dict), [material]).kind in ("not_a_key_set", "empty", "no_usable_key")


def test_the_same_keys_of_a_function_stay_the_same_object() -> None:
    before = known(address=None, etag=None)
    assert play(Called(dict), [KEY.public_jwk()], before)[1].keys is before.keys


# -- the odds and ends


@pytest.mark.parametrize(
    ("origin", "text"), [(BY_URL, JWKS), (BY_DISCOVERY, ISSUER), (Called(dict), "the function dict")]
)
def test_an_origin_says_where_it_is(origin: Origin, text: str) -> None:
    assert str(origin) == text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("no-store", None),
        ("max-age=300", 300),
        ("public, MAX-AGE=300, must-revalidate", 300),
        ('max-age="300"', 300),
        ("s-maxage=5, max-age=300", 300),
        ("max-age=300, max-age=5", 300),
        ("max-age=0", 0),
        ("max-age=-1", None),
        ("max-age=1.5", None),
        ("max-age=", None),
        ("max-age", None),
        ("max-age=\u0663", None),
        ("max-age=" + "9" * 5000, 999_999_999_999),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_max_age_is_read_from_cache_control(header: str | None, seconds: float | None) -> None:
    assert max_age_of(header) == seconds
