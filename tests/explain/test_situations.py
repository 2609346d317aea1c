"""What people meet: each situation is made by a real token and a real configuration, and stands in the docs.

docs/troubleshooting.md shows the sentences that the program says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bearerguard import Provider, ResourceServer, Revocation, claim, presets, role, scope
from bearerguard.explain import Check, Explanation
from bearerguard.explain.causes import CAUSES, groups_are_elsewhere
from bearerguard.explain.explanation import Explanation as SameExplanation
from bearerguard.explain.issuers import differences_in_writing
from bearerguard.explain.situation import duration, shown
from bearerguard.testing import Clock, Issuer
from tests.explain.producing import answered, at, header, of
from tests.explain.situations import SITUATIONS
from tests.hostile import minting
from tests.hostile.minting import AUDIENCE, ISSUER, NOW

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
TOKEN = minting.token()


def row(situation: str, said: Explanation) -> str:
    cells = (situation, f"`{said.reason}`" if said.reason else "accepted", said.cause, said.advice)
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_page_says_what_the_program_says(situation: str) -> None:
    _, reason, explain = SITUATIONS[situation]
    said = explain()
    assert (said.reason, said.accepted) == (reason, reason is None)
    assert row(situation, said) in PAGE.read_text("utf-8").splitlines()


def test_the_page_has_no_situation_that_nothing_produces() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith(("| ---", "| situation"))]
    assert len(rows) == len(SITUATIONS)


def test_every_situation_that_is_known_is_produced() -> None:
    known = {cause.__name__ for cause in CAUSES} | {groups_are_elsewhere.__name__}
    assert {name for name, _, _ in SITUATIONS.values()} == known


USUAL_MISTAKES = {
    "auth0": "Auth0 without `audience`",
    "authentik": "authentik: another application",
    "aws_alb": "AWS: another load balancer",
    "clerk": "Clerk: another page",
    "cloudflare_access": "Cloudflare Access: another application",
    "cognito": "Cognito: another app client",
    "entra": "Entra ID: `api://` and the id",
    "firebase": "Firebase: a custom token",
    "github_actions": "GitHub Actions: no audience asked for",
    "gitlab_ci": "GitLab CI: another project",
    "google": "Google: an access token",
    "google_iap": "a request that came around the proxy",
    "keycloak": "Keycloak: the client uses an inner address",
    "kubernetes": "Kubernetes: the pod's own token",
    "okta": "Okta: a token of the org server",
    "spiffe": "SPIFFE: another trust domain",
    "supabase": "Supabase: the key `anon`",
    "zitadel": "Zitadel: the token type was never set",
}


def test_of_each_preset_the_usual_mistake_is_among_them() -> None:
    assert sorted(USUAL_MISTAKES) == presets.__all__
    assert set(USUAL_MISTAKES.values()) <= SITUATIONS.keys()


def test_an_accepted_token_and_an_unusual_refusal_have_neither_cause_nor_advice() -> None:
    assert of()().cause is of()().advice is None
    assert of(sub=7)().cause is of(sub=7)().advice is None


@pytest.mark.parametrize(
    ("configured", "iss", "words"),
    [
        (
            "https://Login.example/realms/shop",
            "https://login.example/realms/shop",
            "only in upper and lower case",
        ),
        (
            "https://login.example/oauth2/token",
            "https://login.example",
            "another tenant, realm or application",
        ),
    ],
)
def test_what_is_like_a_family_s_mistake_is_not_taken_for_it(configured: str, iss: str, words: str) -> None:
    assert words in str(at(configured, iss=iss)().cause)


def test_another_port_of_the_same_machine_is_not_called_another_tenant() -> None:
    said = at("http://127.0.0.1:8080/a", iss="http://127.0.0.1:9000/b")()
    assert str(said.cause).startswith("The token claims to be of 'http://127.0.0.1:9000/b'")
    assert "another tenant" in str(at("http://127.0.0.1:8080/a", iss="http://127.0.0.1:8080/b")().cause)


@pytest.mark.parametrize("name", ["azp", "client_id"])
def test_who_names_another_claim_as_the_audience_is_not_told_of_clerk_or_cognito(name: str) -> None:
    claims: dict[str, Any] = {name: "https://other.test"}
    said = minting.server(audience_claim=name).explain(minting.token(**claims))
    assert str(said.cause).startswith("The token is for 'https://other.test', which is another API")


def the(name: str, said: Explanation) -> Check:
    return next(check for check in said.checks if check.name == name)


def test_what_an_unverified_token_says_is_marked_and_a_verified_one_is_not() -> None:
    unknown = of(iss="https://other.test")()
    assert the("issuer", unknown) == Check(
        "issuer", "no", "'https://other.test' (claimed)", "'https://issuer.test'"
    )
    other = of(aud="https://other.test")()
    assert the("issuer", other).found == "'https://issuer.test'"
    assert the("audience", other) == Check("audience", "no", "'https://other.test'", "'https://api.test'")
    forged = minting.server().explain(TOKEN[:-8] + "AAAAAAAA")
    assert forged.reason == "signature"
    assert "(claimed)" in str(the("key", forged).found)


def test_of_an_opaque_token_that_is_refused_only_what_its_provider_told_of_it_is_shown() -> None:
    other = answered(aud="https://other.test")()
    assert the("audience", other) == Check("audience", "no", "'https://other.test'", "'https://api.test'")
    assert the("expiry", other) == Check("expiry", "yes", None, "later than 10 s ago")
    bound = answered(cnf={"jkt": "x" * 43})()
    assert (bound.reason, the("binding", bound).found) == ("sender_constrained", None)
    assert the("binding", bound).expected == "what the token is bound to, proven by the request"
    issuer = Issuer(ISSUER, audience=AUDIENCE, algorithm="ES256", clock=Clock(NOW))
    asking = issuer.provider(introspection=True)
    with ResourceServer(asking, clock=issuer.clock, revocation=Revocation(horizon=7200)) as server:
        server.revoke(subject="ada")
        revoked = server.explain(issuer.opaque_token("ada"))
    assert (the("revocation", revoked).outcome, the("revocation", revoked).found) == ("no", "revoked")


def test_what_tokens_begin_with_is_said_of_one_that_begins_otherwise() -> None:
    issuer = Issuer(ISSUER, audience=AUDIENCE, algorithm="ES256", clock=Clock(NOW))
    with issuer.resource_server(introspection=issuer.introspection(token_prefix="lg_")) as server:
        said = server.explain("VfGhUcHjKqLmNpQrStUvWx")
    assert the("form", said) == Check("form", "no", "text without dots", "a token that begins with 'lg_'")


def test_a_jwt_that_its_provider_refuses_when_it_is_asked_was_verified_all_the_same() -> None:
    issuer = Issuer(ISSUER, audience=AUDIENCE, algorithm="ES256", clock=Clock(NOW))
    token = issuer.token("ada")
    with issuer.resource_server(introspection=issuer.introspection(jwts="verify_then_ask")) as server:
        issuer.revoke(token)
        said = server.explain(token)
    assert (said.reason, the("issuer", said).found) == ("inactive", f"'{ISSUER}'")


def test_the_rule_is_the_last_check_and_shows_what_each_part_says() -> None:
    rule = scope("orders:read") & role("admin")
    said = minting.server().explain(TOKEN, rule=rule)
    assert (said.accepted, said.reason, said.checks[-1].name) == (False, "denied", "rule")
    assert said.checks[-1].expected == "scope('orders:read') & role('admin')"
    assert "no   role('admin')" in str(said)
    assert minting.server().explain(TOKEN, rule=scope("orders:read")).accepted
    assert minting.server().explain("x", rule=rule).checks[-1].outcome == "not reached"


def test_checks_that_do_not_apply_are_left_out() -> None:
    names = [check.name for check in of()().checks]
    assert names == [
        "size", "form", "issuer", "algorithm", "type", "key", "signature", "expiry", "beginning",
        "audience", "kind",
    ]  # fmt: skip
    assert "audience" not in [
        check.name
        for check in minting.unchecked_server(audience=None, dangerously_accept_any_audience=True)
        .explain(TOKEN)
        .checks
    ]


def test_a_claim_that_the_configuration_fixes_is_shown_beside_what_it_should_be() -> None:
    said = minting.server(required_claims={"tid": "7"}).explain(minting.token(tid="8"))
    assert the("claims", said) == Check("claims", "no", "tid '8'", "tid '7'")
    said = minting.server(required_claims={"tid": "7"}).explain(TOKEN)
    assert the("claims", said) == Check("claims", "no", "tid none, without tid", "tid '7'")


def test_a_report_is_read_from_the_top() -> None:
    said = of(iss=f"{ISSUER}/")()
    lines = str(said).splitlines()
    assert lines[:5] == ["refused: issuer", "", f"cause:  {said.cause}", f"advice: {said.advice}", ""]
    assert lines[5:10] == [
        "yes          size",
        f"             found:    {len(minting.token(iss=f'{ISSUER}/'))} characters",
        "yes          form",
        "             found:    3 parts between dots",
        "no           issuer",
    ]


def test_what_somebody_else_has_written_stands_on_one_line_bounded_and_escaped() -> None:
    said = of(iss="https://x.test\n\x1b[31mfake" + "y" * 1000)()
    found = str(the("issuer", said).found)
    assert found.startswith("'https://x.test\\n\\x1b[31mfakeyyy")
    assert len(found) < 250
    assert shown("a\u202eb") == "'a\\u202eb'"
    assert shown(["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"]) == "['(a token)']"
    said = minting.server().explain(TOKEN, rule=claim("dept", "x\ny"))
    assert "\x1b" not in str(said)


def test_a_header_that_may_be_the_token_itself_is_not_shown() -> None:
    said = header("VfGhUcHjKqLmNpQrStUvWx")()
    assert said.reason == "other_scheme"
    assert "VfGh" not in str(said)
    assert the("credentials", said).found == "an Authorization header without a known scheme"
    nothing = minting.server().explain([])
    assert the("credentials", nothing).found == "no Authorization header"


def test_a_provider_of_many_tenants_shows_the_tenant_that_was_refused() -> None:
    template = "https://login.test/{tid}/v2"
    issuer = Issuer("https://login.test/b/v2", audience=AUDIENCE, algorithm="ES256", clock=Clock(NOW))
    token = issuer.token(tid="b")
    provider = Provider(template, audience=AUDIENCE, keys=issuer.jwks(), tenants=lambda tenant: tenant == "a")
    said = ResourceServer(provider, clock=issuer.clock).explain(token)
    assert (said.reason, the("tenant", said).outcome, the("tenant", said).found) == (
        "issuer",
        "no",
        "tid 'b'",
    )


@pytest.mark.parametrize(
    ("one", "other", "differences"),
    [
        ("https://a.test", "https://a.test", []),
        ("https://a.test", "https://b.test", []),
        ("https://a.test/", "https://A.test", ["a slash at the end", "upper and lower case"]),
        (" https://a.test", "https://a.test", ["white space"]),
        ("https://a.test//", "https://a.test/", ["slashes at the end"]),
    ],
)
def test_how_two_texts_differ_is_said(one: str, other: str, differences: list[str]) -> None:
    assert differences_in_writing(one, other) == differences


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (-90, "90 s"),
        (125, "2 min 5 s"),
        (180, "3 min"),
        (7200, "2 h"),
        (7260, "2 h 1 min"),
        (86_400 * 3, "3 days"),
    ],
)
def test_a_length_of_time_is_said_in_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_public_name_is_the_class() -> None:
    assert Explanation is SameExplanation
