"""Is each mistake that people make with a provider refused when the program starts, with what to write?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bearerguard import ConfigurationError, presets
from bearerguard.testing.likeness import API, ARN, LIKENESSES, TENANT

P = presets
GRAPH = "00000003-0000-0000-c000-000000000000"
URL = "https://api.shop.example"
MANY_ALLOWED = "name the tenants to trust"

MISTAKES: list[tuple[Callable[[], Any], str]] = [
    (lambda: P.entra("contoso.onmicrosoft.com", API), "directory (tenant) id"),
    (lambda: P.entra("common", API), "entra(None, ..., tenants=[...])"),
    (lambda: P.entra(f"https://login.microsoftonline.com/{TENANT}/v2.0", API), "directory (tenant) id"),
    (lambda: P.entra("", API), "tenant_id is missing or empty"),
    (lambda: P.entra(None, API), MANY_ALLOWED),
    (lambda: P.entra(None, API, tenants=["*"]), "directory (tenant) id"),
    (lambda: P.entra(None, API, tenants=["organizations"]), "entra(None, ..., tenants=[...])"),
    (lambda: P.entra(None, API, tenants=[]), MANY_ALLOWED),
    (lambda: P.entra(TENANT, API, tenants=[TENANT]), "exclude each other"),
    (lambda: P.entra(TENANT, "api://orders"), "version='v1'"),
    (lambda: P.entra(TENANT, f"api://{API}"), "application (client) id"),
    (lambda: P.entra(TENANT, f"api://{API}/access_as_user"), "which is a scope"),
    (lambda: P.entra(TENANT, f"api://{API}/.default"), "which is a scope"),
    (lambda: P.entra(TENANT, TENANT.upper()), "the tenant once more"),
    (lambda: P.entra(TENANT, GRAPH), "only Graph can verify its tokens"),
    (lambda: P.entra(TENANT, "https://graph.microsoft.com/"), "only Graph can verify its tokens"),
    (lambda: P.entra(TENANT, API, version="2.0"), "write 'v1' or 'v2'"),  # type: ignore[arg-type]  # as people do
    (lambda: P.entra(TENANT, None), "audience is missing"),  # type: ignore[arg-type]  # as people do
    (lambda: P.auth0("shop", URL), "not the name of a host"),
    (lambda: P.auth0("http://shop.eu.auth0.com", URL), "not the name of a host"),
    (lambda: P.auth0("https://shop.eu.auth0.com/oauth", URL), "with more than a host in it"),
    (lambda: P.auth0("manage.auth0.com", URL), "that of the dashboard"),
    (lambda: P.auth0("shop.eu.auth0.com", "https://shop.eu.auth0.com/api/v2/"), "an API of Auth0 itself"),
    (lambda: P.auth0("shop.eu.auth0.com", "https://shop.eu.auth0.com/userinfo"), "an API of Auth0 itself"),
    (lambda: P.auth0("shop.eu.auth0.com", "AbCdEfGhIjKlMnOpQrStUvWxYz012345"), "looks like a client id"),
    (lambda: P.auth0("user:hunter2@shop.eu.auth0.com", URL), "not the name of a host"),
    (lambda: P.auth0("shop.eu.auth0.com:x", URL), "not the name of a host"),
    (lambda: P.auth0("shop eu.auth0.com", URL), "not the name of a host"),
    (lambda: P.okta("shop-admin.okta.com", "api://default"), "without '-admin'"),
    (lambda: P.okta("https://shop.okta.com/oauth2/default", "api://default"), "with more than a host in it"),
    (lambda: P.okta("shop.okta.com", "api://default", server=""), "for Okta only"),
    (lambda: P.okta("shop.okta.com", "api://default", server=None), "for Okta only"),  # type: ignore[arg-type]  # as people do
    (lambda: P.okta("shop.okta.com", "0oa1gjh63g214q0Hq0g4"), "looks like a client id"),
    (lambda: P.keycloak("https://a.example/realms/shop", "shop", "api"), "before '/realms/'"),
    (lambda: P.keycloak("https://a.example/admin/master/console", "shop", "api"), "before '/realms/'"),
    (lambda: P.keycloak("https://a.example", "realms/shop", "api"), "write its name only"),
    (lambda: P.keycloak("https://a.example", "shop", "account"), "audience mapper"),
    (lambda: P.keycloak("https://a.example", "shop", ["api", "account"]), "audience mapper"),
    (lambda: P.keycloak("https://a.example", "shop", "api", client=""), "client is missing or empty"),
    (
        lambda: P.keycloak("https://a.example", "shop", "api", internal_url="http://keycloak:8080"),
        "dangerously_allow_http=True",
    ),
    (lambda: P.keycloak("http://keycloak:8080", "shop", "api"), "it is not https"),
    (lambda: P.keycloak("https://a.example?x=y", "shop", "api"), "with a query or a fragment"),
    (lambda: P.keycloak("ftp://a.example", "shop", "api"), "not an address"),
    (
        lambda: P.keycloak("https://a.example", "shop", "api", dangerously_allow_http=True),
        "goes with internal_url=",
    ),
    (lambda: P.keycloak("https://a.example", "..", "api"), "write its name only"),
    (lambda: P.keycloak("https://a.example", "shop:x", "api"), "write its name only"),
    (lambda: P.keycloak("https://a.example", "shop", "api\n"), "with white space around it"),
    (
        lambda: P.keycloak(
            "https://a.example",
            "shop",
            "api",
            internal_url="https://b",
            dangerously_allow_http="no",  # type: ignore[arg-type]  # as people do
        ),
        "dangerously_allow_http is a str",
    ),
    (lambda: P.entra(TENANT, API, version=["v2"]), "write 'v1' or 'v2'"),  # type: ignore[arg-type]  # as people do
    (lambda: P.authentik("https://a.example", "orders", "a", same_issuer="false"), "write True or False"),  # type: ignore[arg-type]  # as people do
    (lambda: P.gitlab_ci(URL, project_path="a/b", protected_refs_only="false"), "write True or False"),  # type: ignore[arg-type]  # as people do
    (lambda: P.gitlab_ci(URL, project_path="a/b", environment="production "), "with white space around it"),
    (lambda: P.aws_alb("eu-west-1", ARN, client=" "), "client is missing or empty"),
    (lambda: P.google("https://1234-abc.apps.googleusercontent.com"), "write the whole id"),
    (lambda: P.cognito("eu-west-1", "us-east-1_AbC", "abc"), "of another region"),
    (lambda: P.cognito("eu-west-1", "eu-west-1:aaaaaaaa-bbbb", "abc"), "an identity pool"),
    (lambda: P.cognito("eu-west-1", "shop", "abc"), "write the id, as"),
    (lambda: P.cognito("Ireland", "eu-west-1_AbC", "abc"), "write it as 'eu-west-1'"),
    (lambda: P.cognito("eu-west-1", "eu-west-1_AbC", "my app"), "not its name or a URL"),
    (lambda: P.cognito("eu-west-1", "eu-west-1_AbC", None), "carry in 'client_id'"),  # type: ignore[arg-type]  # as people do
    (lambda: P.google("GOCSPX-abc"), "replace the secret"),
    (lambda: P.google("1234-abc"), "write the whole id"),
    (lambda: P.google("http://shop.example"), "write the whole id"),
    (lambda: P.firebase("123456789012"), "project_id is the project's number"),
    (lambda: P.firebase("My Shop"), "from the project settings"),
    (lambda: P.firebase("https://shop.example"), "from the project settings"),
    (lambda: P.google_iap("123456"), "Signed Header JWT Audience"),
    (lambda: P.google_iap("/projects/shop/apps/shop"), "with the project's number"),
    (lambda: P.cloudflare_access("shop.example", "a" * 64), "before '.cloudflareaccess.com'"),
    (lambda: P.cloudflare_access("shop", "https://shop.example"), "Application Audience (AUD) tag"),
    (lambda: P.cloudflare_access("shop", "a" * 36), "64 hexadecimal digits"),
    (lambda: P.aws_alb("eu-west-1", "my-load-balancer"), "not that of a listener"),
    (lambda: P.aws_alb("eu-west-1", ARN.replace("loadbalancer/", "listener/")), "not that of a listener"),
    (lambda: P.aws_alb("eu-west-2", ARN), "write its own"),
    (
        lambda: P.aws_alb(
            "cn-north-1", ARN.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1")
        ),
        "give keys=RemoteKeys",
    ),
    (lambda: P.github_actions(URL), "every one on GitHub can get a token"),
    (lambda: P.github_actions(URL, environment="production"), "every one on GitHub can get a token"),
    (lambda: P.github_actions(URL, ref="refs/heads/main"), "every one on GitHub can get a token"),
    (lambda: P.github_actions(URL, repository="orders"), "write it as 'shop/orders'"),
    (lambda: P.github_actions(URL, repository="shop/*"), "without '*'"),
    (lambda: P.github_actions(URL, repository=[]), "is empty or not text"),
    (lambda: P.github_actions(URL, repository=""), "is empty or not text"),
    (lambda: P.github_actions(URL, repository="shop/orders", ref="main"), "write it as 'refs/heads/main'"),
    (lambda: P.github_actions(URL, repository_id="shop/orders"), "write it as '123456789'"),
    (
        lambda: P.github_actions(URL, repository_owner="shop", job_workflow_ref="deploy.yml"),
        "@refs/heads/main",
    ),
    (lambda: P.github_actions("", repository="shop/orders"), "audience is missing"),
    (lambda: P.gitlab_ci(URL), "every one of the instance can get a token"),
    (lambda: P.gitlab_ci(URL, environment="production", protected_refs_only=True), "project_path="),
    (lambda: P.gitlab_ci(URL, project_path="shop/orders", ref="refs/heads/main"), "write it as 'main'"),
    (lambda: P.gitlab_ci(URL, project_path="shop/orders", ref_type="commit"), "write it as 'branch'"),
    (lambda: P.gitlab_ci(URL, project_id=1.5), "is empty or not text"),  # type: ignore[arg-type]  # as people do
    (lambda: P.kubernetes(URL), "issuer is left out, and this is not a pod"),
    (lambda: P.kubernetes("https://kubernetes.default.svc", issuer="https://a.example"), "the API server's"),
    (lambda: P.kubernetes([URL, "https://kubernetes.default.svc.cluster.local"]), "the API server's"),
    (
        lambda: P.spiffe("prod.example", URL, keys="https://a.example", algorithms=["ES256", "EdDSA"]),
        "never signed with",
    ),
    (
        lambda: P.spiffe("prod.example", URL, keys="https://a.example", algorithms="Ed25519"),
        "never signed with",
    ),
    (lambda: P.spiffe("spiffe://prod.example/web", URL, keys="https://a.example"), "the ID of a workload"),
    (lambda: P.spiffe("prod.example", URL, keys=None), "address of its bundle endpoint"),
    (lambda: P.spiffe("prod example", URL, keys="https://a.example"), "in lower case"),
    (lambda: P.zitadel("shop.zitadel.cloud", "https://api.example"), "tokens name ids only"),
    (lambda: P.zitadel("shop.zitadel.cloud", "1", project=" "), "project is missing or empty"),
    (lambda: P.authentik("https://a.example/application/o/orders/", "orders", "a"), "before '/application/'"),
    (lambda: P.authentik("https://a.example", "My Orders", "a"), "write its slug"),
    (lambda: P.supabase("eyJhbGciOiJIUzI1NiJ9.e30.x"), "project is an API key"),
    (lambda: P.supabase("sb_secret_abc"), "project is an API key"),
    (lambda: P.supabase("shop"), "reference of 20 letters"),
    (
        lambda: P.supabase("abcdefghijklmnopqrst", ["authenticated", "anon"]),
        "everybody gets who has the page",
    ),
    (lambda: P.supabase("https://supabase.com/dashboard/project/abcdefghijklmnopqrst"), "the Project URL"),
    (lambda: P.supabase("https://abcdefghijklmnopqrst.supabase.co/rest/v1"), "the Project URL"),
    (
        lambda: P.clerk("https://dashboard.clerk.com", authorized_parties="https://shop.example"),
        "which is Clerk's own",
    ),
    (lambda: P.clerk("pk_test_abc", authorized_parties="https://shop.example"), "frontend_api is a key"),
    (lambda: P.clerk("https://clerk.shop.example", authorized_parties=[]), "authorized_parties is empty"),
    (
        lambda: P.clerk("https://clerk.shop.example", authorized_parties="https://shop.example/login"),
        "write the origin only",
    ),
]


@pytest.mark.parametrize(
    ("build", "instead"),
    MISTAKES,
    ids=[f"{number} {instead[:30]}" for number, (_, instead) in enumerate(MISTAKES)],
)
def test_a_usual_mistake_is_refused_with_what_to_write(
    build: Callable[[], Any], instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigurationError) as refused:
        build()
    message = str(refused.value)
    assert instead in message
    assert message.endswith(".")
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (P.entra(f" {TENANT.upper()} ", API).issuer, f"https://login.microsoftonline.com/{TENANT}/v2.0"),
        (P.auth0("https://Shop.eu.auth0.com/", URL).issuer, "https://shop.eu.auth0.com/"),
        (P.okta("https://shop.okta.com", "api://default").issuer, "https://shop.okta.com/oauth2/default"),
        (P.keycloak("login.shop.example/", "shop", "a").issuer, "https://login.shop.example/realms/shop"),
        (
            P.keycloak("https://login.shop.example/auth/", "shop", "a").issuer,
            "https://login.shop.example/auth/realms/shop",
        ),
        (
            P.cloudflare_access("https://Shop.cloudflareaccess.com/", "a" * 64).issuer,
            "https://shop.cloudflareaccess.com",
        ),
        (P.firebase("shop-1234.firebaseapp.com").issuer, "https://securetoken.google.com/shop-1234"),
        (
            P.supabase("https://abcdefghijklmnopqrst.supabase.co/").issuer,
            "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
        ),
        (
            P.supabase("https://tsrqponmlkjihgfedcba").issuer,
            "https://tsrqponmlkjihgfedcba.supabase.co/auth/v1",
        ),
        (P.supabase("auth.shop.example").issuer, "https://auth.shop.example/auth/v1"),
        (
            P.clerk("clerk.shop.example", authorized_parties="https://shop.example/").audiences,
            ("https://shop.example",),
        ),
        (P.zitadel("https://shop.zitadel.cloud/", "1").issuer, "https://shop.zitadel.cloud"),
        (P.spiffe("spiffe://Prod.example", "a", keys="https://a.example").trust_domain, "prod.example"),
        (P.gitlab_ci("a", project_id=7).required_claims["project_id"], ("7",)),
    ],
)
def test_a_name_that_is_written_as_an_address_is_put_right(given: Any, kept: Any) -> None:
    assert given == kept


def test_every_preset_has_a_usual_mistake() -> None:
    source = Path(__file__).read_text("utf-8")
    assert [name for name in LIKENESSES if f"P.{name}(" not in source] == []
