from __future__ import annotations

import copy
import json
import logging
import pickle
from typing import Any

import anyio
import pytest

from bearerguard import AccessToken, InvalidToken, Provider, ResourceServer, limit_verdict_memory
from bearerguard._limits import VERDICT_MEMORY_BYTES
from bearerguard.testing import Clock, Issuer

NOW = 1_700_000_000
ISSUER = Issuer(algorithm="ES256", clock=Clock(NOW))
SERVER = ResourceServer(
    Provider(ISSUER.url, audience=ISSUER.audience, keys=ISSUER.jwks(), name="login"), clock=ISSUER.clock
)


def verified(server: ResourceServer = SERVER, **claims: Any) -> AccessToken:
    return server.verify(ISSUER.token(**claims))


# -- what it says


def test_the_registered_claims_have_names_of_their_own() -> None:
    text = ISSUER.token("ada", "orders:read", jti="t1")
    token = SERVER.verify(text)
    assert token.issuer == ISSUER.url
    assert token.subject == "ada"
    assert token.client_id == "test-client"
    assert token.expires_at == NOW + 3600
    assert token.issued_at == NOW
    assert token.verified_at == NOW
    assert token.provider is SERVER.providers[0]
    assert token.provider.name == "login"
    assert token.raw == text
    assert token.claims["jti"] == "t1"


def test_what_a_token_does_not_say_is_none_or_empty() -> None:
    token = SERVER.verify(ISSUER.sign({"iss": ISSUER.url, "aud": ISSUER.audience, "exp": NOW + 60}))
    assert (token.subject, token.client_id, token.issued_at) == (None, None, None)
    assert token.scopes == token.roles == token.permissions == frozenset()


@pytest.mark.parametrize(
    ("claims", "client_id"),
    [
        ({"client_id": "a", "azp": "b", "appid": "c"}, "a"),
        ({"client_id": None, "azp": "b", "appid": "c"}, "b"),
        ({"client_id": None, "appid": "c"}, "c"),
        ({"client_id": 5, "azp": ["b"], "appid": "c"}, "c"),
        ({"client_id": None, "azp": 5}, None),
    ],
    ids=str,
)
def test_the_client_is_named_by_client_id_azp_or_appid(claims: dict[str, Any], client_id: str | None) -> None:
    assert verified(**claims).client_id == client_id


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "a b"}, {"a", "b"}),
        ({"scope": "  a   b "}, {"a", "b"}),
        ({"scope": ""}, set()),
        ({"scope": "a\tb\u00a0c"}, {"a\tb\u00a0c"}),
        ({"scp": "a b"}, {"a", "b"}),
        ({"scp": ["a", "b"]}, {"a", "b"}),
        ({"scope": "a", "scp": ["b"]}, {"a", "b"}),
        ({"scp": ["a", 5, None]}, {"a"}),
        ({"scp": 5}, set()),
        ({"scp": {"a": 1}}, set()),
    ],
    ids=str,
)
def test_scopes_are_read_from_scope_and_scp_as_strings_and_lists(
    claims: dict[str, Any], scopes: set[str]
) -> None:
    assert verified(**claims).scopes == scopes


def test_scope_as_a_list_counts_too() -> None:
    claims = {"iss": ISSUER.url, "aud": ISSUER.audience, "exp": NOW + 60, "scope": ["a", "b"]}
    assert SERVER.verify(ISSUER.sign(claims)).scopes == {"a", "b"}


def test_the_provider_says_where_scopes_and_roles_are() -> None:
    provider = Provider(
        ISSUER.url,
        audience=ISSUER.audience,
        keys=ISSUER.jwks(),
        scope_claim="authorization.scopes",
        roles_claim=["resource_access", "my.api", "roles"],
    )
    token = verified(
        ResourceServer(provider, clock=ISSUER.clock),
        scope="not here",
        authorization={"scopes": "a b"},
        resource_access={"my.api": {"roles": ["editor"]}},
        permissions=["orders:read"],
    )
    assert token.scopes == {"a", "b"}
    assert token.roles == {"editor"}
    assert token.permissions == {"orders:read"}


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_an_issuer_that_is_null_is_empty_where_any_is_accepted() -> None:
    provider = Provider(
        None, audience=ISSUER.audience, keys=ISSUER.jwks(), dangerously_accept_any_issuer=True
    )
    text = ISSUER.sign({"iss": None, "aud": ISSUER.audience, "exp": NOW + 60})
    assert ResourceServer(provider, clock=ISSUER.clock).verify(text).issuer == ""


# -- frozen


@pytest.mark.parametrize(
    "name",
    [
        "claims",
        "issuer",
        "subject",
        "client_id",
        "scopes",
        "expires_at",
        "issued_at",
        "provider",
        "raw",
        "more",
    ],
)
def test_nothing_of_it_can_be_set(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(verified(), name, "other")


def test_its_claims_can_only_be_read() -> None:
    claims: Any = verified().claims
    with pytest.raises(TypeError):
        claims["sub"] = "other"
    with pytest.raises(TypeError):
        del claims["sub"]
    with pytest.raises(AttributeError):
        claims.clear()


@pytest.mark.parametrize("colour", ["sync", "asyncio", "trio"])
def test_what_one_request_does_to_nested_claims_no_other_sees(colour: str) -> None:
    text = ISSUER.token(realm_access={"roles": ["reader"]}, groups=["staff"])
    for _ in range(3):
        token = SERVER.verify(text) if colour == "sync" else anyio.run(SERVER.averify, text, backend=colour)
        assert token.claims["realm_access"] == {"roles": ["reader"]}
        assert token.claims["groups"] == ["staff"]
        token.claims["realm_access"]["roles"].append("admin")
        token.claims["groups"].clear()


def test_two_tokens_of_the_same_text_do_not_share_their_claims() -> None:
    text = ISSUER.token(groups=["staff"])
    tokens = [SERVER.verify(text) for _ in range(3)]
    tokens[0].claims["groups"].append("admin")
    assert [token.claims["groups"] for token in tokens[1:]] == [["staff"], ["staff"]]


def test_what_one_request_does_to_the_claims_it_was_given_no_other_sees() -> None:
    """Claims that cannot be changed in place are decoded once for all requests, and handed out as copies."""
    text = ISSUER.token(sub="ada", aud=ISSUER.audience)
    for _ in range(4):
        token = SERVER.verify(text)
        mine = token.claims_copy()
        mine["sub"] = "eve"
        mine.clear()
        assert (token.subject, token.claims["sub"]) == ("ada", "ada")
        assert token.claims_copy() == token.claims


def test_tokens_are_equal_where_text_and_provider_are() -> None:
    text = ISSUER.token()
    assert SERVER.verify(text) == SERVER.verify(text)
    assert hash(SERVER.verify(text)) == hash(SERVER.verify(text))
    assert SERVER.verify(text) != SERVER.verify(ISSUER.token())
    other = ResourceServer(
        Provider(ISSUER.url, audience=ISSUER.audience, keys=ISSUER.jwks()), clock=ISSUER.clock
    )
    assert SERVER.verify(text) != other.verify(text)
    assert SERVER.verify(text) != text


class Vandal:
    """Python hands what is behind a read-only view to whatever it is compared or joined with."""

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, dict)
        other["sub"] = "eve"
        return True

    def __ror__(self, other: Any) -> Any:
        other["sub"] = "eve"
        return other

    __hash__ = None  # type: ignore[assignment]


def test_not_even_through_its_read_only_view_does_a_token_reach_another() -> None:
    text = ISSUER.token(sub="ada")
    for _ in range(4):
        token = SERVER.verify(text)
        assert token.subject == "ada"
        assert token.claims == Vandal()
        assert token.claims | Vandal()


SHAPES: dict[str, dict[str, Any]] = {
    "flat": {},
    "long": {"padding": "x" * 8192},
    "many": {f"c{number}": number for number in range(100)},
    "arrays": {"groups": ["staff"], "roles": []},
    "deep": {"realm_access": {"roles": [{"name": ["reader"]}]}, "rows": [["a"], {"b": ["c"]}]},
}


def vandalised(value: Any) -> None:
    """Change everything in a value that can be changed, from the inside to the outside."""
    if isinstance(value, dict | list):
        for member in list(value.values() if isinstance(value, dict) else value):
            vandalised(member)
        value.clear()


@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_one_request_does_to_claims_of_any_shape_no_other_sees(shape: str) -> None:
    text = ISSUER.token(sub="ada", scope="a b", permissions=["p"], **SHAPES[shape])
    expected = SERVER.verify(text).claims_copy()
    for _ in range(4):
        token = SERVER.verify(text)
        mine = token.claims_copy()
        assert mine == expected
        vandalised(mine)
        theirs = dict(SERVER.verify(text).claims)
        assert theirs == expected
        vandalised(theirs)
        assert SERVER.verify(text).claims == expected
        token = SERVER.verify(text)
        assert token.subject == "ada"
        assert token.scopes == {"a", "b"}
        assert token.permissions == {"p"}


@pytest.mark.parametrize("shape", SHAPES)
def test_claims_are_kept_from_the_second_time_on_and_not_from_the_first(shape: str) -> None:
    text = ISSUER.token(aud=ISSUER.audience, **SHAPES[shape])
    first = SERVER.verify(text)
    assert (first.claims["sub"], first.scopes, first._signed.kept) == ("user-1", frozenset(), None)
    second = SERVER.verify(text)
    assert second._signed.kept is None  # nothing was asked of it yet
    assert second.subject == "user-1"
    assert second._signed.kept is not None


def test_names_that_a_request_wrote_into_its_own_claims_are_not_kept() -> None:
    text = ISSUER.token(scp=["read"], roles=["reader"], permissions=["read"])
    first = SERVER.verify(text)
    for name in ("scp", "roles", "permissions"):
        first.claims[name].append("admin")
    assert SERVER.verify(text).subject == "user-1"  # kept from here on
    for token in (first, SERVER.verify(text)):
        assert token.scopes == {"read"}
        assert token.roles == {"reader"}
        assert token.permissions == {"read"}


def test_sets_of_names_are_made_once() -> None:
    text = ISSUER.token(scope="a b", roles=["c"], permissions=["d"])
    tokens = [SERVER.verify(text) for _ in range(3)]
    assert tokens[1].scopes is tokens[2].scopes
    assert tokens[1].roles is tokens[2].roles
    assert tokens[1].permissions is tokens[2].permissions


def test_a_token_that_is_too_large_to_keep_is_read_each_time() -> None:
    text = ISSUER.token(padding="x" * 8192, scope="a", groups=["staff"])
    limit_verdict_memory(2 * 4096)
    try:
        tokens = [SERVER.verify(text) for _ in range(3)]
        assert [token.scopes for token in tokens] == [{"a"}] * 3
        assert [token.claims_copy()["groups"] for token in tokens] == [["staff"]] * 3
        assert tokens[-1]._signed.kept is None
    finally:
        limit_verdict_memory(VERDICT_MEMORY_BYTES)


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_verified_token_does_not_travel(take: Any) -> None:
    with pytest.raises(TypeError, match="verify it there"):
        take(verified())


# -- a secret


def test_neither_repr_nor_str_shows_the_text_or_the_claims() -> None:
    token = verified(email="ada@issuer.test")
    shown = f"{token!r} {token} {[token]} {token.__reduce_ex__!r}"
    assert not any(part in shown for part in token.raw.split("."))
    assert "ada@issuer.test" not in shown
    assert repr(token) == "AccessToken(provider='login', subject='user-1')"


def test_the_repr_tells_those_apart_whom_a_token_is_for() -> None:
    assert repr(verified(sub=None, client_id="batch")) == (
        "AccessToken(provider='login', subject=None, client_id='batch')"
    )
    tenants = Provider(
        "https://login.test/{tid}", name="t", audience=ISSUER.audience, tenants=["a", "b"], keys=ISSUER.jwks()
    )
    server = ResourceServer(tenants, clock=ISSUER.clock)
    assert [repr(verified(server, iss=f"https://login.test/{tid}", tid=tid)) for tid in ("a", "b")] == [
        f"AccessToken(provider='t', issuer='https://login.test/{tid}', subject='user-1')"
        for tid in ("a", "b")
    ]


def test_no_log_shows_the_text_of_any_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts = [
        ISSUER.token(),
        ISSUER.expired(),
        ISSUER.forged(),
        ISSUER.unsigned(),
        ISSUER.for_another_audience(),
    ]
    texts += [ISSUER.with_header(kid="k" * 300), ISSUER.token(email="ada@issuer.test") + "AAAA"]
    for text in texts:
        try:
            SERVER.verify(text)
        except InvalidToken:
            continue
    assert len(caplog.records) == 6
    logged = json.dumps(
        [{**vars(record), "shown": record.getMessage()} for record in caplog.records], default=repr
    )
    for text in texts:
        assert not any(part in logged for part in text.split(".") if part)
    assert "ada@issuer.test" not in logged
    assert "k" * 65 not in logged
