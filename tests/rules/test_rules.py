"""Rules by themselves: what they decide, say and ask for. No door, no network."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bearerguard import (
    AccessDenied,
    AccessToken,
    AuthError,
    ConfigurationError,
    InsufficientScope,
    InsufficientUserAuthentication,
    Rule,
    any_scope,
    authenticated,
    bound,
    claim,
    client,
    fresh,
    permission,
    role,
    scope,
    subject,
)
from bearerguard.asgi import Guard
from bearerguard.testing import Clock, Issuer
from tests.challenge import challenge_of

NOW = 1_700_000_000
ISSUER = Issuer(algorithm="ES256", clock=Clock(NOW))


def token(*, roles_claim: Any = "roles", scope_claim: Any = None, **claims: Any) -> AccessToken:
    server = ISSUER.resource_server(keys=ISSUER.jwks(), roles_claim=roles_claim, scope_claim=scope_claim)
    return server.verify(ISSUER.token(**claims))


def challenge(rule: Rule, **claims: Any) -> AuthError:
    bearer = token(**claims)
    assert not rule.allows(bearer)
    return rule.refusal(bearer)


# -- what each kind of rule decides


@pytest.mark.parametrize(
    ("rule", "claims", "allowed"),
    [
        (authenticated, {}, True),
        (scope("a"), {"scope": "b a"}, True),
        (scope("a"), {"scope": "ab"}, False),
        (scope("a"), {"scope": "A"}, False),
        (scope("a", "b"), {"scope": "b c a"}, True),
        (scope("a", "b"), {"scope": "a"}, False),
        (scope("a"), {"scope": None}, False),
        (scope("a"), {"scope": None, "scp": ["a"]}, True),
        (any_scope("a", "b"), {"scope": "b"}, True),
        (any_scope("a", "b"), {"scope": "c"}, False),
        (role("admin"), {"roles": ["admin"]}, True),
        (role("admin"), {"roles": "admin"}, True),
        (role("admin"), {"roles": "admin user"}, False),
        (role("admin", "user"), {"roles": ["admin"]}, False),
        (role("admin"), {"roles": {"admin": True}}, False),
        (role("admin"), {"roles": [["admin"]]}, False),
        (permission("read:orders"), {"permissions": ["read:orders"]}, True),
        (permission("read:orders"), {}, False),
        (client("web", "app"), {"client_id": "app"}, True),
        (client("web"), {"client_id": "app"}, False),
        (client("web"), {"client_id": None, "azp": "web"}, True),
        (subject("ada"), {"sub": "ada"}, True),
        (subject("ada"), {"sub": None}, False),
        (claim("dept", "finance"), {"dept": "finance"}, True),
        (claim("dept", "finance"), {"dept": ["law", "finance"]}, True),
        (claim("dept", "finance"), {"dept": "finance2"}, False),
        (claim("dept", "finance"), {}, False),
        (claim("level", 1), {"level": 1}, True),
        (claim("level", 1), {"level": True}, False),
        (claim("level", 1), {"level": 1.0}, False),
        (claim("verified", True), {"verified": 1}, False),
        (claim("level", lambda level: level > 2), {"level": 3}, True),
        (claim("level", lambda level: level > 2), {"level": 2}, False),
        (claim("a.b.c", "x"), {"a": {"b": {"c": "x"}}}, True),
        (claim("a.b.c", "x"), {"a.b": {"c": "x"}}, True),
        (claim("https://api.example/roles", "x"), {"https://api.example/roles": ["x"]}, True),
        (claim(["a", "b.c", "d"], "x"), {"a": {"b.c": {"d": "x"}}}, True),
        (claim(["a.b"], "x"), {"a": {"b": "x"}}, False),
        (fresh(max_age=300), {"auth_time": NOW - 300}, True),
        (fresh(max_age=300), {"auth_time": NOW - 310}, True),  # the provider's leeway
        (fresh(max_age=300), {"auth_time": NOW - 311}, False),
        (fresh(max_age=300), {}, False),
        (fresh(max_age=300), {"auth_time": NOW + 10}, True),
        (fresh(max_age=300), {"auth_time": NOW + 11}, False),
        (fresh(max_age=300), {"auth_time": (NOW - 86400) * 1000}, False),
        (fresh(max_age=300), {"auth_time": 10**400}, False),
        (fresh(max_age=300), {"auth_time": str(NOW)}, False),
        (fresh(max_age=300), {"auth_time": True}, False),
        (fresh(acr="mfa"), {"acr": "mfa"}, True),
        (fresh(acr=["phr", "mfa"]), {"acr": "mfa"}, True),
        (fresh(acr="mfa"), {"acr": "pwd"}, False),
        (fresh(acr="mfa"), {}, False),
        (fresh(max_age=9, acr="mfa"), {"acr": "mfa", "auth_time": NOW - 60}, False),
        (scope("a") & role("r"), {"scope": "a", "roles": ["r"]}, True),
        (scope("a") & role("r"), {"scope": "a"}, False),
        (scope("a") | role("r"), {"roles": ["r"]}, True),
        (scope("a") | role("r"), {}, False),
        (~scope("a"), {}, True),
        (~scope("a"), {"scope": "a"}, False),
        (scope("a") & ~role("guest"), {"scope": "a", "roles": ["guest"]}, False),
    ],
    ids=lambda value: None if isinstance(value, bool) else repr(value),
)
def test_a_rule_decides(rule: Rule, claims: dict[str, Any], allowed: bool) -> None:
    bearer = token(**claims)
    assert rule.allows(bearer) is allowed
    assert rule.explain(bearer).allowed is allowed


def test_where_roles_and_scopes_live_is_the_providers_to_say() -> None:
    keycloak = token(realm_access={"roles": ["admin"]}, roles_claim="realm_access.roles")
    assert role("admin").allows(keycloak)
    by_client = token(
        resource_access={"my.api": {"roles": ["admin"]}}, roles_claim=["resource_access", "my.api", "roles"]
    )
    assert role("admin").allows(by_client)
    elsewhere = token(scope="a", granted=["b"], scope_claim="granted")
    assert elsewhere.scopes == {"b"}


def test_a_test_of_a_claim_that_raises_is_the_applications_own_error() -> None:
    def broken(_: object) -> bool:
        raise KeyError("defect")

    with pytest.raises(KeyError):
        claim("dept", broken).allows(token(dept="finance"))
    assert not claim("dept", broken).allows(token())


# -- rules are values


def test_rules_that_read_the_same_are_equal_and_hash_alike() -> None:
    def build() -> Rule:
        return scope("a", "b") & (role("r") | claim(["x", "y"], 1)) & ~fresh(max_age=5, acr="m")

    assert build() == build()
    assert hash(build()) == hash(build())
    assert scope("a") != scope("b")
    assert scope("a") != any_scope("a")
    assert len({claim("level", 1), claim("level", True), claim("level", 1.0)}) == 3
    assert (scope("a") & scope("b")) & scope("c") == scope("a") & (scope("b") & scope("c"))
    assert ~~scope("a") == scope("a")


def test_a_rule_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        scope("a").names = ("b",)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "source",
    [
        "authenticated",
        "scope('a', 'b')",
        "any_scope('a', 'b')",
        "role('r') & permission('p')",
        "client('c') | subject('s')",
        "scope('a') & ~role('b')",
        "(scope('a') | role('b')) & claim('c', 1)",
        "(scope('a') & role('b')) | claim('c.d', 'x')",
        "~(scope('a') | role('b'))",
        "claim(['a', 'b.c'], True)",
        "fresh(max_age=300)",
        "fresh(max_age=300, acr='mfa')",
        "fresh(acr=['phr', 'mfa'])",
    ],
)
def test_a_rule_prints_as_the_source_that_makes_it(source: str) -> None:
    assert repr(eval(source)) == source  # noqa: S307 - the sources stand above


def test_and_or_and_not_of_python_are_not_rules() -> None:
    with pytest.raises(TypeError, match="&"):
        _ = scope("a") and scope("b")
    with pytest.raises(TypeError):
        _ = not scope("a")
    with pytest.raises(TypeError):
        _ = scope("a") & "b"  # type: ignore[operator]


@pytest.mark.parametrize(
    "source",
    [
        "scope()",
        "scope('')",
        "scope('a b')",
        "scope('a\"')",
        "scope('ä')",
        "any_scope()",
        "role()",
        "role('')",
        "client()",
        "claim('', 1)",
        "claim([], 1)",
        "claim('a', None)",
        "claim('a', ['x'])",
        "claim('a', ('x', 'y'))",
        "fresh()",
        "fresh(max_age=-1)",
        "fresh(max_age=float('inf'))",
        "fresh(max_age='300')",
        "fresh(max_age=True)",
        "fresh(acr=[1])",
        "fresh(acr=[''])",
        "fresh(acr='a b')",
        "fresh(max_age=float('nan'))",
    ],
)
def test_a_rule_that_asks_for_nothing_or_the_impossible_is_a_configuration_error(source: str) -> None:
    with pytest.raises(ConfigurationError):
        eval(source)  # noqa: S307 - the sources stand above


# -- explanations


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (
            "orders:read",
            "'orders:read' is not a rule: write scope('orders:read'), role('orders:read') or the like",
        ),
        ("a b", "write scope('a', 'b'), role('a', 'b') or the like"),
        ("scope('a')", "write scope('a'), without quotes around it"),
        (" ", "write scope('...'), role('...') or the like"),
        (["a"], "write scope('...'), role('...') or the like"),
        (len, "write requires(), with parentheses, above a view"),
    ],
)
def test_what_is_given_in_place_of_a_rule_is_told_what_to_write(given: Any, advice: str) -> None:
    guard = Guard(ISSUER.resource_server())
    with pytest.raises(ConfigurationError, match=re.escape(advice)):
        guard.demand(given)


def test_an_explanation_is_a_tree_with_a_verdict_and_a_sentence_for_each_part() -> None:
    rule = scope("a") & (role("admin") | claim("dept", "law"))
    told = rule.explain(token(scope="a b", roles=["user"], dept="finance"))
    assert str(told).splitlines() == [
        "no   scope('a') & (role('admin') | claim('dept', 'law')): not all are",
        "     yes  scope('a'): the token has the scopes a, b",
        "     no   role('admin') | claim('dept', 'law'): none of these is",
        "          no   role('admin'): the token has the roles user",
        "          no   claim('dept', 'law'): the token's claim is 'finance'",
    ]
    assert [part.allowed for part in told.parts] == [True, False]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (authenticated, "there is a valid token"),
        (any_scope("a"), "the token has no scopes"),
        (permission("p"), "the token has no permissions"),
        (client("c"), "the token's client is 'test-client'"),
        (subject("s"), "the token's subject is 'user-1'"),
        (claim("x", 1), "the token has no such claim"),
        (fresh(max_age=1), "the user logged in at an unknown time, with acr None"),
        (~role("r"), "the contrary of this"),
    ],
    ids=repr,
)
def test_each_kind_of_rule_says_why(rule: Rule, sentence: str) -> None:
    assert rule.explain(token()).reason == sentence


# -- what a refusal tells the client


def test_a_missing_scope_is_named_with_those_needed_beside_it() -> None:
    error = challenge(scope("write") & scope("read"), scope="read")
    assert isinstance(error, InsufficientScope)
    assert (error.status, error.scopes) == (403, ("read", "write"))
    assert 'scope="read write"' in challenge_of(error)


def test_of_several_ways_the_one_that_asks_least_is_told() -> None:
    error = challenge(scope("a", "b") | scope("c") | role("admin"))
    assert isinstance(error, InsufficientScope)
    assert error.scopes == ("c",)
    one_of_many = challenge(any_scope("x", "y"))
    assert isinstance(one_of_many, InsufficientScope)
    assert one_of_many.scopes == ("x",)


@pytest.mark.parametrize(
    "rule",
    [
        role("admin"),
        claim("dept", "law"),
        scope("a") & role("admin"),
        ~authenticated,
        client("c") & fresh(acr="m"),
    ],
    ids=repr,
)
def test_what_no_scope_can_mend_promises_nothing(rule: Rule) -> None:
    error = challenge(rule)
    assert isinstance(error, AccessDenied)
    assert (error.status, error.code, challenge_of(error)) == (403, None, "Bearer")


def test_a_login_that_is_too_old_asks_for_a_new_one() -> None:
    error = challenge(scope("a") & fresh(max_age=300, acr=["phr", "mfa"]), scope="a", auth_time=NOW - 999)
    assert isinstance(error, InsufficientUserAuthentication)
    assert (error.status, error.max_age, error.acr_values) == (401, 300, ("phr", "mfa"))
    assert challenge_of(error).endswith('acr_values="phr mfa", max_age="300"')


def test_of_two_logins_that_are_asked_for_the_stricter_is_told() -> None:
    error = challenge(fresh(max_age=300) & fresh(max_age=60, acr="mfa"))
    assert isinstance(error, InsufficientUserAuthentication)
    assert (error.max_age, error.acr_values) == (60, ("mfa",))


def test_of_contexts_that_are_asked_for_twice_those_that_all_accept_are_told() -> None:
    error = challenge(fresh(acr=["y", "x"]) & fresh(acr=["x", "z"]))
    assert isinstance(error, InsufficientUserAuthentication)
    assert error.acr_values == ("x",)


def test_a_new_login_is_not_to_lose_what_the_old_one_had() -> None:
    rule = fresh(acr="mfa") & fresh(max_age=60)
    error = challenge(rule, acr="mfa", auth_time=NOW - 999)
    assert isinstance(error, InsufficientUserAuthentication)
    assert (error.max_age, error.acr_values) == (60, ("mfa",))


def test_scope_is_asked_for_before_a_login() -> None:
    assert isinstance(challenge(scope("a") & fresh(acr="mfa")), InsufficientScope)


# -- OpenAPI


@pytest.mark.parametrize(
    ("rule", "requirement"),
    [
        (authenticated, [{"oauth2": []}]),
        (scope("b", "a"), [{"oauth2": ["a", "b"]}]),
        (any_scope("a", "b"), [{"oauth2": ["a"]}, {"oauth2": ["b"]}]),
        (scope("a") | scope("b"), [{"oauth2": ["a"]}, {"oauth2": ["b"]}]),
        ((scope("a") | scope("b")) & scope("c"), [{"oauth2": ["a", "c"]}, {"oauth2": ["b", "c"]}]),
        (scope("a") | scope("a", "b"), [{"oauth2": ["a"]}]),
        (scope("a") & role("r"), [{"oauth2": ["a"]}]),
        (scope("a") | role("r"), [{"oauth2": []}]),
        (~scope("a"), [{"oauth2": []}]),
    ],
    ids=repr,
)
def test_a_rule_gives_its_openapi_security_requirement(
    rule: Rule, requirement: list[dict[str, list[str]]]
) -> None:
    assert rule.security_requirement("oauth2") == requirement


def test_a_rule_of_very_many_ways_is_cut_rather_than_multiplied() -> None:
    rule: Rule = authenticated
    for number in range(12):
        rule &= any_scope(f"a{number}", f"b{number}")
    assert len(rule.security_requirement("oauth2")) <= 32
    assert rule.scopes() >= {"a0", "b0"}


@pytest.mark.parametrize(
    "claims",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.test"}}},
        {"hasgroups": True},
    ],
)
def test_groups_that_are_too_many_for_a_token_are_told(claims: dict[str, Any]) -> None:
    said = claim("groups", "staff").explain(token(**claims)).reason
    assert "there is too much of it" in said
    assert "roles of the application" in said
    assert claim("dept", "x").explain(token(**claims)).reason == "the token has no such claim"


@pytest.mark.parametrize(
    ("rule", "described"),
    [
        (authenticated, "a valid token"),
        (scope("a"), "the scope `a`"),
        (scope("a", "b", "c"), "the scopes `a`, `b` and `c`"),
        (any_scope("a"), "the scope `a`"),
        (any_scope("a", "b"), "one of the scopes `a` and `b`"),
        (role("admin") & permission("read"), "the role `admin` and the permission `read`"),
        (~(role("a") | role("b")), "not (the role `a` or the role `b`)"),
        (scope("a") | role("b") & ~role("c"), "the scope `a` or (the role `b` and not the role `c`)"),
        (claim(["a.b", "c"], 1), "the claim `a.b.c` with the value `1`"),
        (claim("dept", lambda dept: True), "the claim `dept` with a value that this API accepts"),
        (bound("dpop"), "a token that is bound to a key of the client (DPoP)"),
        (bound(), "a token that is bound to its client"),
        (fresh(max_age=9, acr=["a", "b"]), "a login at most 9 seconds ago with `a` or `b` as `acr`"),
        (fresh(acr="gold"), "a login with `gold` as `acr`"),
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_says_what_it_asks_for_to_readers_of_a_document(rule: Rule, described: str) -> None:
    assert rule.describe() == described


def test_a_document_names_neither_subjects_nor_clients() -> None:
    assert (
        subject("ada") | client("shop")
    ).describe() == "a token of certain subjects or a token of certain clients"


def test_a_rule_of_the_programs_own_is_described_as_such() -> None:
    class Weekday(Rule, frozen=True):
        def allows(self, token: AccessToken) -> bool:
            return True

    assert Weekday().describe() == "what this API decides by itself"
