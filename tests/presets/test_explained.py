"""Does `explain` name the cause for tokens that people meet at each preset, and say what to do?"""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import presets
from bearerguard.testing import Issuer
from bearerguard.testing.likeness import API, LIKENESSES

NAMES = sorted(LIKENESSES)
OTHER_TENANT = "99999999-2222-3333-4444-555555555555"
ID_TOKENS = [name for name in NAMES if LIKENESSES[name].id_token is not None]


@pytest.mark.parametrize("name", NAMES)
def test_a_token_for_somebody_else_has_a_cause_and_a_faithful_one_has_none(name: str) -> None:
    issuer = Issuer.like(name)
    server = issuer.resource_server()
    assert server.explain(issuer.token("ada")).cause is None
    said = server.explain(issuer.for_another_audience("ada"))
    assert said.cause is not None
    assert said.advice is not None
    assert "ID token" not in said.cause
    if name not in ("aws_alb", "spiffe"):  # they have no issuer
        assert "another-issuer.test" in str(server.explain(issuer.from_another_issuer("ada")).cause)


@pytest.mark.parametrize("name", ID_TOKENS)
def test_an_id_token_is_called_one(name: str) -> None:
    issuer = Issuer.like(name)
    audience = issuer.provider().audiences[0]
    for token in (issuer.id_token("ada"), issuer.id_token("ada", aud=audience)):
        said = issuer.resource_server().explain(token)
        assert "ID token" in str(said.cause)
        assert "access_token" in str(said.advice)


@pytest.mark.parametrize("name", ["google", "firebase", "google_iap", "cloudflare_access"])
def test_where_the_id_token_is_the_token_nobody_is_told_to_send_another(name: str) -> None:
    issuer = Issuer.like(name)
    said = issuer.resource_server().explain(issuer.for_another_audience("ada", nonce="n-0S6_WzA2Mj"))
    assert "ID token" not in str(said.cause)
    assert "access_token" not in str(said.advice)


# -- tenants that share keys -----------------------------------------------------------------------------

SHARED: list[tuple[str, dict[str, Any]]] = [
    ("entra", {"iss": f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0", "tid": OTHER_TENANT}),
    ("cognito", {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_OtherPool"}),
    ("keycloak", {"iss": "https://login.shop.example/realms/staff"}),
    ("okta", {"iss": "https://shop.okta.com/oauth2/aus1a2b3c4d5e6f7g8h9"}),
    ("firebase", {"iss": "https://securetoken.google.com/mallory-1", "aud": "mallory-1"}),
    ("google_iap", {"aud": "/projects/654321/global/backendServices/789"}),
    ("google", {"aud": "9999-xyz.apps.googleusercontent.com"}),
    ("github_actions", {"repository": "mallory/orders", "repository_owner": "mallory"}),
    ("gitlab_ci", {"project_path": "shop/orders-fork"}),
    ("authentik", {"iss": "https://login.shop.example/application/o/other/"}),
]


@pytest.mark.parametrize(("name", "claims"), SHARED, ids=[name for name, _ in SHARED])
def test_another_tenant_whose_tokens_the_same_keys_sign_is_refused_and_named(
    name: str, claims: dict[str, Any]
) -> None:
    issuer = Issuer.like(name)
    said = issuer.resource_server().explain(issuer.token("ada", **claims))
    assert said.reason in {"issuer", "audience", "invalid_claim"}
    assert str(said.cause).count("'") >= 2


def test_a_pin_is_compared_as_a_whole() -> None:
    github = Issuer.like("github_actions")
    for repository in ("shop/orders-evil", "shop/order", "evil/shop/orders", "shop/orders ", "SHOP/orders"):
        assert not github.resource_server().explain(github.token(repository=repository)).accepted


def test_a_preset_with_an_address_of_somebody_else_as_its_domain_is_that_domain() -> None:
    assert (
        presets.auth0("shop.eu.auth0.com.evil.example", API).issuer
        == "https://shop.eu.auth0.com.evil.example/"
    )


def test_a_pool_with_the_updated_issuer_is_trusted_by_that_name() -> None:
    updated = "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI"
    issuer = Issuer.like("cognito", issuer=updated)
    server = issuer.resource_server()
    assert server.verify(issuer.token("ada")).issuer == updated
    other = server.explain(issuer.token("ada", client_id="another"))
    assert "app client 'another'" in str(other.cause)
