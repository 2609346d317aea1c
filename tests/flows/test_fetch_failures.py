"""Why a fetch of keys failed, word for word: what operators read in the log and in `health()`."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from msgspec import structs

from bearerguard._flows.discovery import discover
from bearerguard._flows.effects import CallSource, FetchFailed, HttpAnswer, HttpGet
from bearerguard._flows.key_fetch import Called, Discovered, Fetched, Origin, Published, fetch_keys
from bearerguard._jose.key_material import read_keys
from bearerguard._jose.key_set import KeyIndex, KeySet
from bearerguard.testing import signing_key
from tests.flows.pipeline import JWKS as JWKS_OF_ISSUER
from tests.flows.pipeline import NOW, TOKEN, StubSource, accepted, admitting

KEY = signing_key("P-256").public_jwk()
SECRET = signing_key("oct").secret_jwk()
ISSUER = "https://login.example"
OPENID = f"{ISSUER}/.well-known/openid-configuration"
OAUTH = f"{ISSUER}/.well-known/oauth-authorization-server"
JWKS = f"{ISSUER}/jwks"
METADATA = {"issuer": ISSUER, "jwks_uri": JWKS}


def answer(content: Any, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, content if isinstance(content, bytes) else json.dumps(content).encode())


def fetched(origin: Origin, *answers: Any, known: KeySet | None = None) -> Fetched:
    """What a fetch brings, given the outcome of each of its effects."""
    flow = fetch_keys(origin, known)
    next(flow)
    for one in answers:
        try:
            flow.throw(one) if isinstance(one, Exception) else flow.send(one)
        except StopIteration as stop:
            result: Fetched = stop.value
            return result
    raise AssertionError("it asks for more")


FAILURES: dict[str, tuple[str, Origin, list[Any]]] = {
    f"{JWKS} answered HTTP 299": ("http_status", Published(JWKS), [answer({}, 299)]),
    f"{JWKS} answered with a redirect (HTTP 300)": ("redirect", Published(JWKS), [answer({}, 300)]),
    f"{JWKS} answered with a redirect (HTTP 399)": ("redirect", Published(JWKS), [answer({}, 399)]),
    f"{JWKS} answered HTTP 400": ("http_status", Published(JWKS), [answer({}, 400)]),
    f"{JWKS} answered HTTP 304": ("http_status", Published(JWKS), [answer({}, 304)]),
    f"{JWKS} answered HTTP 201": ("http_status", Published(JWKS), [answer({}, 201)]),
    f"{OPENID} answered HTTP 500": ("http_status", Discovered(ISSUER), [answer({}, 500)]),
    f"{OPENID} answered HTTP 404; {OAUTH} answered HTTP 404": (
        "http_status",
        Discovered(ISSUER),
        [answer({}, 404), answer({}, 404)],
    ),
    f"{OPENID}: the metadata is not JSON; {OAUTH} answered HTTP 404": (
        "not_json",
        Discovered(ISSUER),
        [answer(b"metadata"), answer({}, 404)],
    ),
    f"{OPENID}: the metadata is HTML (a login page, perhaps?); {OAUTH} answered HTTP 404": (
        "not_json",
        Discovered(ISSUER),
        [answer(b"<html>"), answer({}, 404)],
    ),
    f"{OPENID}: the metadata is not a JSON object; {OAUTH} answered with a redirect (HTTP 302)": (
        "not_json",
        Discovered(ISSUER),
        [answer([]), answer({}, 302)],
    ),
    f"{OPENID} answered HTTP 404; {OAUTH} answered HTTP 503": (
        "http_status",
        Discovered(ISSUER),
        [answer({}, 404), answer({}, 503)],
    ),
    f"{OPENID} answered with a redirect (HTTP 302); no route": (
        "connection",
        Discovered(ISSUER),
        [answer({}, 302), FetchFailed("connection", "no route")],
    ),
    f"{OPENID} is the metadata of issuer 'x', and the configured issuer is {ISSUER!r}": (
        "issuer_mismatch",
        Discovered(ISSUER),
        [answer({**METADATA, "issuer": "x"})],
    ),
    "the metadata names no jwks_uri": ("no_jwks_uri", Discovered(ISSUER), [answer({"issuer": ISSUER})]),
    "the metadata's jwks_uri is 'http://x/', but it is not https": (
        "insecure_jwks_uri",
        Discovered(ISSUER),
        [answer({**METADATA, "jwks_uri": "http://x/"})],
    ),
    "the metadata's jwks_uri is 'http://127.0.0.1/', but it is not https": (
        "insecure_jwks_uri",
        Discovered(ISSUER),
        [answer({**METADATA, "jwks_uri": "http://127.0.0.1/"})],
    ),
    "the key set cannot be used: it is neither JSON nor PEM": (
        "not_a_key_set",
        Published(JWKS),
        [answer(b"keys")],
    ),
    "the key set cannot be used: it is HTML (a login page, perhaps?), neither JSON nor PEM": (
        "not_a_key_set",
        Published(JWKS),
        [answer(b"<html>")],
    ),
    "the key set cannot be used: it holds no key": ("empty", Published(JWKS), [answer({"keys": []})]),
    "the key function returned an address; it has to return keys": (
        "not_a_key_set",
        Called(list),
        [JWKS],
    ),
    "no key in the set has a pinned thumbprint": (
        "no_pinned_key",
        Published(JWKS, pinned=frozenset({"x"})),
        [answer(KEY)],
    ),
}


@pytest.mark.parametrize("message", FAILURES)
def test_a_failed_fetch_says_why(message: str) -> None:
    kind, origin, answers = FAILURES[message]
    with pytest.raises(FetchFailed) as failure:
        fetched(origin, *answers)
    assert (failure.value.kind, str(failure.value)) == (kind, message)


def test_a_secret_is_never_fetched() -> None:
    for origin in (Published(JWKS), Called(lambda: None)):
        material = answer(SECRET) if isinstance(origin, Published) else SECRET
        with pytest.raises(FetchFailed, match="it is symmetric, and a published key cannot be"):
            fetched(origin, material)


def test_what_was_left_out_is_told_wherever_keys_come_from() -> None:
    told = ("key 2 of 2 cannot be used: it is not a JSON object",)
    assert fetched(Published(JWKS), answer({"keys": [KEY, 1]})).left_out == told
    assert fetched(Called(lambda: None), {"keys": [KEY, 1]}).left_out == told


def test_metadata_that_failed_are_told_where_the_keys_could_be_had_all_the_same() -> None:
    keys, _ = read_keys(KEY)
    known = KeySet(KeyIndex(keys), address=JWKS)
    failure = FetchFailed("timeout", "too slow")
    outcome = fetched(Discovered(ISSUER), failure, answer({"keys": [KEY]}), known=known)
    assert outcome.doubt is failure
    assert fetched(Discovered(ISSUER), answer(METADATA), answer(KEY), known=known).doubt is None


def test_metadata_may_take_all_the_time_there_is_unless_somebody_says_less() -> None:
    assert next(discover(ISSUER)) == HttpGet(OPENID, share=1.0)
    flow = discover(ISSUER, share=0.25)
    assert next(flow) == HttpGet(OPENID, share=0.25)
    assert flow.send(answer({}, 404)) == HttpGet(OAUTH, share=0.25)


def test_a_function_is_called_and_nothing_else_is_asked() -> None:
    def function() -> None: ...

    assert next(fetch_keys(Called(function), None)) == CallSource(function)


def test_metadata_that_were_left_out_for_lack_of_time_are_told_so() -> None:
    keys, _ = read_keys(KEY)
    flow = fetch_keys(Discovered(ISSUER), KeySet(KeyIndex(keys), address=JWKS), in_haste=True)
    assert next(flow) == HttpGet(JWKS)
    with pytest.raises(StopIteration) as end:
        flow.send(answer(KEY))
    doubt = end.value.value.doubt
    assert (doubt.kind, str(doubt)) == ("metadata_left_out", "the metadata took too long before")


class Store:
    """A callable that is not a function."""

    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (answer, "answer"),
        (partial(answer, {}), "answer"),
        (Store(), "Store"),
        (partial(Store()), "Store"),
        (Store().__call__, "Store.__call__"),
    ],
)
def test_a_function_is_called_by_its_name(function: Any, name: str) -> None:
    assert str(Called(function)) == f"the function {name}"


def test_keys_are_of_use_from_the_very_instant_at_which_they_came() -> None:
    """A clock that stands still is not a clock that was set back."""
    source = StubSource(*JWKS_OF_ISSUER["keys"])
    assert source.key_set is not None
    source.key_set = structs.replace(source.key_set, fetched_at=NOW)
    pipeline = admitting(source)
    for _ in range(2):
        accepted(pipeline.attempt(TOKEN, NOW))
    assert source.asked_ahead == []
    accepted(pipeline.attempt(TOKEN, NOW - 1))
    assert source.asked_ahead == [NOW - 1]
