"""Does each preset take a faithful token of its provider, and refuse those that people meet?

The tokens have made-up values in the shape of the provider's documentation, and are really signed and
verified; keys come from the addresses that the preset itself names.
"""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import AccessToken, AuthError, DPoP, Provider, Request, ResourceServer, presets
from bearerguard.testing import APIClient, Issuer, signing_key
from bearerguard.testing.likeness import API, LIKENESSES, TENANT

NAMES = sorted(LIKENESSES)
OTHER_TENANT = "99999999-2222-3333-4444-555555555555"


def verified(issuer: Issuer, token: str, **overrides: Any) -> AccessToken:
    return issuer.resource_server(**overrides).verify(token)


def reason(issuer: Issuer, token: str, **overrides: Any) -> str | None:
    with pytest.raises(AuthError) as refused:
        verified(issuer, token, **overrides)
    return refused.value.reason


def test_there_is_a_likeness_of_each_preset() -> None:
    assert sorted(presets.__all__) == NAMES


# -- what holds for all of them


@pytest.mark.parametrize("name", NAMES)
def test_a_faithful_token_is_accepted(name: str) -> None:
    issuer = Issuer.like(name)
    token = verified(issuer, issuer.token("ada"))
    assert token.subject is not None
    assert token.expires_at is not None
    provider = token.provider
    assert isinstance(provider, Provider)
    assert issuer.count("/jwks") + sum("jwks" in request.path for request in issuer.requests) >= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_token_for_another_audience_is_refused(name: str) -> None:
    issuer = Issuer.like(name)
    expected = {"aws_alb": "malformed"}.get(name, "audience")
    assert reason(issuer, issuer.for_another_audience("ada")) == expected


@pytest.mark.parametrize("name", NAMES)
def test_an_expired_or_forged_token_is_refused(name: str) -> None:
    issuer = Issuer.like(name)
    assert reason(issuer, issuer.expired("ada", nbf=None)) == "expired"
    assert reason(issuer, issuer.forged("ada")) == "signature"
    assert reason(issuer, issuer.unsigned("ada")) == "algorithm"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("aws_alb", "spiffe")])
def test_a_token_of_another_tenant_is_refused(name: str) -> None:
    issuer = Issuer.like(name)
    assert reason(issuer, issuer.from_another_issuer("ada")) == "issuer"


@pytest.mark.parametrize("name", [name for name in NAMES if LIKENESSES[name].id_token is not None])
def test_the_id_token_is_refused(name: str) -> None:
    issuer = Issuer.like(name)
    audience = issuer.provider().audiences[0]
    assert reason(issuer, issuer.id_token("ada")) in {"type", "missing_claim", "audience", "invalid_claim"}
    # A page and its API may have one registration, so that the ID token names the API as well.
    assert reason(issuer, issuer.id_token("ada", aud=audience)) in {"type", "missing_claim", "invalid_claim"}


def test_the_id_token_of_entra_v1_is_refused_too() -> None:
    entra = Issuer.like("entra", version="v1")
    assert reason(entra, entra.id_token("ada")) == "missing_claim"
    assert reason(entra, entra.id_token("ada", aud=entra.provider().audiences[0])) == "missing_claim"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "spiffe"])
def test_a_symmetric_or_another_algorithm_is_refused(name: str) -> None:
    issuer = Issuer.like(name)
    assert reason(issuer, issuer.token("ada", header={"alg": "HS256"})) == "algorithm"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_preset_says_can_be_replaced_by_keyword(name: str) -> None:
    issuer = Issuer.like(name)
    provider = issuer.provider(leeway=7, required_claims={"shop": "orders"}, name="mine")
    assert (provider.leeway, provider.name) == (7, "mine")
    before = issuer.provider().required_claims
    assert {**before, "shop": "orders"} == dict(provider.required_claims)


def test_an_unknown_likeness_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="take one of entra, auth0"):
        Issuer.like("entre")


# -- Entra


@pytest.mark.parametrize(
    ("version", "issuer"),
    [
        ("v2", f"https://login.microsoftonline.com/{TENANT}/v2.0"),
        ("v1", f"https://sts.windows.net/{TENANT}/"),
    ],
)
def test_entra_has_an_issuer_for_each_version_of_its_tokens(version: str, issuer: str) -> None:
    entra = Issuer.like("entra", version=version)
    token = verified(entra, entra.token("ada", "orders.read"))
    assert token.issuer == issuer
    assert token.scopes == {"orders.read"}
    assert token.client_id == "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"


def test_entra_knows_the_tokens_of_the_other_version_by_their_issuer() -> None:
    v1, v2 = Issuer.like("entra", version="v1"), Issuer.like("entra")
    assert reason(v2, v2.token("ada", iss=v1.url)) == "issuer"


def test_entra_tells_the_roles_of_an_application_from_the_scopes_of_a_user() -> None:
    entra = Issuer.like("entra")
    token = verified(entra, entra.token("app-1", idtyp="app", roles=["Orders.Read.All"]))
    assert token.roles == {"Orders.Read.All"}
    assert token.scopes == frozenset()


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_entra_takes_the_tenants_that_are_named_and_no_other(version: str) -> None:
    entra = Issuer.like("entra", None, API, version=version, tenants=[TENANT, OTHER_TENANT.upper()])
    for tenant in (TENANT, OTHER_TENANT):
        assert verified(entra, entra.token("ada", tid=tenant)).claims["tid"] == tenant
    assert reason(entra, entra.token("ada", tid="00000000-2222-3333-4444-555555555555")) == "issuer"
    assert reason(entra, entra.token("ada", tid=OTHER_TENANT, iss=entra.url)) == "invalid_claim"
    assert reason(entra, entra.token("ada", tid=None)) == "missing_claim"


def test_entra_asks_a_function_which_tenants_there_are() -> None:
    asked: list[str] = []

    def known(tenant: str) -> bool:
        asked.append(tenant)
        return tenant == TENANT

    entra = Issuer.like("entra", None, API, tenants=known)
    assert verified(entra, entra.token("ada", tid=TENANT)).claims["tid"] == TENANT
    assert reason(entra, entra.token("ada", tid=OTHER_TENANT)) == "issuer"
    assert reason(entra, entra.forged("ada", tid=OTHER_TENANT)) == "signature"
    assert asked == [TENANT, OTHER_TENANT]


def test_a_token_of_microsoft_graph_is_refused() -> None:
    entra = Issuer.like("entra")
    graph = "00000003-0000-0000-c000-000000000000"
    assert reason(entra, entra.token("ada", aud=graph)) == "audience"
    # Its header has a nonce, and what is signed is not what is sent.
    assert reason(entra, entra.forged("ada", aud=graph, header={"nonce": "x"})) == "signature"


# -- the others


def test_auth0_has_permissions_and_an_audience_beside_its_own() -> None:
    auth0 = Issuer.like("auth0")
    token = verified(auth0, auth0.token("auth0|1", "read:orders"))
    assert token.permissions == {"read:orders"}
    assert token.claims["aud"] == ["https://api.shop.example", "https://shop.eu.auth0.com/userinfo"]
    assert reason(auth0, auth0.token("a", iss="https://shop.eu.auth0.com")) == "issuer"


def test_okta_names_the_client_in_cid() -> None:
    okta = Issuer.like("okta")
    token = verified(okta, okta.token("ada", "orders:read"))
    assert token.client_id == "0oa1a2b3c4D5e6F7g8h9"
    assert token.scopes == {"orders:read"}
    assert reason(okta, okta.token("ada", cid=None)) == "missing_claim"


def test_keycloak_has_roles_of_the_realm_and_of_the_client_that_is_named() -> None:
    keycloak = Issuer.like("keycloak")
    assert verified(keycloak, keycloak.token("ada")).roles == {"offline_access", "staff"}
    with_client = Issuer.like("keycloak", client="orders-api")
    roles = verified(with_client, with_client.token("ada")).roles
    assert roles == {"offline_access", "staff", "orders-admin"}


@pytest.mark.parametrize("typ", ["ID", "Refresh", "Offline", "Logout", "Serialized-ID", "bearer", None, 1])
def test_keycloak_takes_only_tokens_that_say_bearer(typ: Any) -> None:
    keycloak = Issuer.like("keycloak")
    assert reason(keycloak, keycloak.token("ada", typ=typ)) in {"invalid_claim", "missing_claim", "type"}


def test_keycloak_takes_dpop_only_with_a_key() -> None:
    keycloak = Issuer.like("keycloak")
    assert reason(keycloak, keycloak.token("ada", typ="DPoP")) == "invalid_claim"
    key, url = signing_key("P-256"), "https://api.shop.example/orders"
    client = APIClient(keycloak.token("ada", typ="DPoP", cnf={"jkt": key.thumbprint}), key, keycloak.clock)
    server = ResourceServer(keycloak.provider(), dpop=DPoP(), clock=keycloak.clock)
    assert server.explain(Request("GET", url, client.headers("GET", url))).accepted


def test_a_token_for_the_account_console_is_refused() -> None:
    keycloak = Issuer.like("keycloak")
    assert reason(keycloak, keycloak.token("ada", aud="account")) == "audience"


def test_keycloak_is_reached_inside_under_its_public_name() -> None:
    keycloak = Issuer.like("keycloak", internal_url="https://keycloak.internal:8443")
    assert verified(keycloak, keycloak.token("ada")).issuer == "https://login.shop.example/realms/shop"
    remote = keycloak.provider().remote_keys
    assert remote is not None
    at = "https://keycloak.internal:8443/realms/shop/.well-known/openid-configuration"
    assert remote.metadata_url == at


def test_cognito_has_a_client_in_place_of_an_audience() -> None:
    cognito = Issuer.like("cognito")
    token = verified(cognito, cognito.token("ada"))
    assert token.roles == {"staff"}
    assert token.client_id == "1h57kf5cpq17m0eml12example"
    assert "aud" not in token.claims
    assert reason(cognito, cognito.token("ada", token_use=None)) == "missing_claim"
    assert reason(cognito, cognito.token("ada", client_id=None)) == "missing_claim"


def test_google_writes_its_issuer_in_two_ways() -> None:
    google = Issuer.like("google")
    for issuer in ("https://accounts.google.com", "accounts.google.com"):
        assert verified(google, google.token("1", iss=issuer)).issuer == issuer
    assert reason(google, google.token("1", iss="http://accounts.google.com")) == "issuer"
    organization = {"required_claims": {"hd": "shop.example"}}
    assert verified(google, google.token("1"), **organization).subject == "1"
    assert reason(google, google.token("1", hd=None), **organization) == "missing_claim"


def test_firebase_wants_the_time_of_the_login() -> None:
    firebase = Issuer.like("firebase")
    assert reason(firebase, firebase.token("1", auth_time=None)) == "missing_claim"
    assert reason(firebase, firebase.token("1", iss="https://securetoken.google.com/other")) == "issuer"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("google_iap", "x-goog-iap-jwt-assertion"),
        ("cloudflare_access", "cf-access-jwt-assertion"),
        ("aws_alb", "x-amzn-oidc-data"),
    ],
)
def test_a_proxy_that_logs_in_has_a_header_of_its_own(name: str, header: str) -> None:
    proxy = Issuer.like(name)
    token = proxy.token("ada").encode()
    server = proxy.resource_server()
    assert server.authenticate([(header.encode(), token)]).subject is not None
    with pytest.raises(AuthError) as refused:
        server.authenticate([(b"authorization", b"Bearer " + token)])
    assert refused.value.reason == "no_credentials"


def test_cloudflare_names_a_service_and_refuses_the_token_of_the_team() -> None:
    access = Issuer.like("cloudflare_access")
    service = verified(access, access.token("", common_name="abc.access", email=None))
    assert service.client_id == "abc.access"
    assert reason(access, access.token("ada", type="org")) == "invalid_claim"


def test_the_load_balancer_says_who_logged_in_at_whom() -> None:
    balancer = Issuer.like("aws_alb")
    token = verified(balancer, balancer.token("ada", iss="https://idp.example", client="app-7"))
    assert (token.subject, token.client_id, token.issuer) == ("ada", "app-7", "https://idp.example")
    only = Issuer.like("aws_alb", client="app-1")
    assert verified(only, only.token("ada")).client_id == "app-1"
    assert reason(only, only.token("ada", client="app-2")) == "invalid_claim"


def test_a_key_of_the_load_balancer_that_does_not_exist_is_unknown() -> None:
    balancer = Issuer.like("aws_alb")
    junk = "00000000-0000-4000-8000-000000000000"
    assert reason(balancer, balancer.token("ada", header={"kid": junk})) == "unknown_key"
    assert reason(balancer, balancer.token("ada", header={"kid": "../../x"})) == "unknown_key"


def test_govcloud_has_its_keys_elsewhere() -> None:
    balancer = "loadbalancer/app/shop/0123456789abcdef"
    arn = f"arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:{balancer}"
    remote = presets.aws_alb("us-gov-west-1", arn).remote_keys
    assert remote is not None
    bucket = "aws-elb-public-keys-prod-us-gov-west-1"
    assert remote.url == f"https://s3-us-gov-west-1.amazonaws.com/{bucket}/{{kid}}"


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("repository", "mallory/orders"),
        ("environment", "test"),
        ("ref", "refs/heads/x"),
        ("environment", None),
    ],
)
def test_a_job_of_another_repository_environment_or_branch_is_refused(claim: str, value: str | None) -> None:
    github = Issuer.like(
        "github_actions", repository="shop/orders", environment="production", ref="refs/heads/main"
    )
    assert verified(github, github.token()).claims["actor"] == "ada"
    other: dict[str, Any] = {claim: value}
    assert reason(github, github.token(**other)) in {"invalid_claim", "missing_claim"}


def test_github_repositories_may_be_pinned_by_owner_or_number() -> None:
    by_owner = Issuer.like(
        "github_actions", "https://api.shop.example", repository=None, repository_owner_id=1234567
    )
    assert verified(by_owner, by_owner.token(repository="shop/anything")).claims["actor"] == "ada"
    assert reason(by_owner, by_owner.token(repository_owner_id="7654321")) == "invalid_claim"
    several = Issuer.like("github_actions", repository=["shop/orders", "https://github.com/shop/web.git"])
    assert verified(several, several.token(repository="shop/web")).claims["actor"] == "ada"


def test_a_github_enterprise_server_is_an_issuer_of_its_own() -> None:
    server = Issuer.like("github_actions", server="https://github.shop.example")
    assert verified(server, server.token()).issuer == "https://github.shop.example/_services/token"
    assert reason(server, server.token(iss="https://token.actions.githubusercontent.com")) == "issuer"


def test_a_job_of_another_project_or_of_an_unprotected_branch_is_refused() -> None:
    gitlab = Issuer.like("gitlab_ci", protected_refs_only=True)
    assert verified(gitlab, gitlab.token()).claims["user_login"] == "ada"
    assert reason(gitlab, gitlab.token(project_path="mallory/orders")) == "invalid_claim"
    assert reason(gitlab, gitlab.token(ref_protected="false")) == "invalid_claim"


def test_a_service_account_is_named_by_its_subject() -> None:
    cluster = Issuer.like("kubernetes")
    assert verified(cluster, cluster.token("web")).subject == "system:serviceaccount:shop:web"


def test_an_svid_is_of_its_trust_domain() -> None:
    domain = Issuer.like("spiffe")
    assert verified(domain, domain.token("web")).subject == "spiffe://prod.shop.example/web"
    assert reason(domain, domain.token("spiffe://test.shop.example/web")) == "issuer"
    assert reason(domain, domain.token("")) == "invalid_claim"
    assert reason(domain, domain.token("web", alg="EdDSA")) == "algorithm"
    assert reason(domain, domain.token("web", header={"typ": "at+jwt"})) == "type"
    by_whoever = domain.token("web", header={"typ": "JOSE"}, iss="https://whoever.example")
    assert verified(domain, by_whoever).issuer == "https://whoever.example"


def test_an_svid_is_not_verified_by_keys_for_certificates() -> None:
    domain = Issuer.like("spiffe")
    signs = domain.signing_key.kid
    others = ({**key, "use": "x509-svid"} if key["kid"] == signs else key for key in domain.jwks()["keys"])
    assert reason(domain, domain.token("web"), keys={"keys": list(others)}) == "unknown_key"


def test_zitadels_roles_are_the_members_of_an_object() -> None:
    zitadel = Issuer.like("zitadel")
    assert verified(zitadel, zitadel.token("1")).roles == {"staff"}
    of_project = Issuer.like("zitadel", project="123456789012345678")
    assert verified(of_project, of_project.token("1")).roles == {"staff"}
    elsewhere: dict[str, Any] = {"urn:zitadel:iam:org:project:9:roles": {"admin": {}}}
    assert verified(of_project, of_project.token("1", **elsewhere)).roles == {"staff"}


def test_authentik_makes_access_tokens_like_id_tokens() -> None:
    authentik = Issuer.like("authentik")
    token = verified(authentik, authentik.token("ada"))
    assert token.roles == {"staff"}
    assert token.claims["nonce"] == "n-0S6_WzA2Mj"
    same = Issuer.like("authentik", same_issuer=True)
    assert verified(same, same.token("ada")).issuer == "https://login.shop.example/"


def test_supabases_keys_for_anybody_are_refused() -> None:
    supabase = Issuer.like("supabase")
    assert verified(supabase, supabase.token("1")).roles == {"authenticated"}
    anon = supabase.token(None, iss="supabase", aud=None, role="anon", session_id=None)
    assert reason(supabase, anon) == "issuer"
    assert reason(supabase, supabase.token("1", session_id=None)) == "missing_claim"


def test_clerks_tokens_are_of_the_pages_that_are_named() -> None:
    clerk = Issuer.like("clerk")
    assert verified(clerk, clerk.token("user_1")).roles == {"admin"}
    assert reason(clerk, clerk.token("user_1", azp="https://evil.shop.example")) == "audience"
    assert reason(clerk, clerk.token("user_1", azp=None)) == "missing_claim"
    assert verified(clerk, clerk.token("user_1", o=None, org_role="org:editor")).roles == {"org:editor"}
