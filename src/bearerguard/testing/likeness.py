"""What tokens of real providers look like: made-up values in the shape that each one's documentation shows.

Data for `Issuer.like`. Facts and where they are from stand in the file of each preset. Nothing is signed
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bearerguard import presets

if TYPE_CHECKING:
    from bearerguard import Provider

__all__ = ["LIKENESSES", "Likeness"]

Claims = dict[str, Any]
Shape = Callable[["Provider", str | None, str | None, Mapping[str, Any]], Claims]
"""Makes the claims of a token of a provider, of a subject, a scope, and the claims that a test asked for."""

TENANT = "11111111-2222-3333-4444-555555555555"
API = "66666666-7777-8888-9999-000000000000"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/0123456789abcdef"
PAGE = "https://shop.example"


@dataclass(frozen=True)
class Likeness:
    """How a provider's tokens look.

    Args:
        preset: the function that makes the provider.
        arguments: what it is given unless a test gives its own.
        shape: the claims of its tokens, but for `iss`, `aud`, `iat` and `exp`.
        algorithm: signs them.
        typ: the `typ` of their header; None where it has none.
        id_token: the claims of its ID tokens, where those are not what an API gets.
        named: further arguments by name.
        keys_are_at: the path of its keys below the host of the issuer, where its metadata name them.
        key_members: further members of each published key.
        without: which of `iss`, `aud` and `iat` its tokens leave out.
    """

    preset: Callable[..., Provider]
    arguments: tuple[Any, ...]
    shape: Shape
    algorithm: str = "RS256"
    typ: str | None = "JWT"
    id_token: Shape | None = None
    named: Mapping[str, Any] = field(default_factory=dict)
    keys_are_at: str = "/jwks"
    key_members: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()


def _entra(provider: Provider, sub: str | None, scope: str | None, given: Mapping[str, Any]) -> Claims:
    is_v2 = provider.client_claim == "azp"
    of_app = {"idtyp": "app", "oid": sub, "roles": given.get("roles", ["Orders.Read.All"])}
    of_user = {"oid": "00000000-aaaa-bbbb-cccc-111111111111", "scp": scope or "access_as_user"}
    client = {"azp": CLIENT, "azpacr": "1"} if is_v2 else {"appid": CLIENT, "appidacr": "1"}
    return {
        "tid": _entra_tenant(provider),
        "sub": sub,
        "ver": "2.0" if is_v2 else "1.0",
        "uti": "AbCdEfGhIjKlMnOpQrStUv",
        **client,
        **(of_app if given.get("idtyp") == "app" else of_user),
    }


def _entra_tenant(provider: Provider) -> str:
    tenants = provider.tenants
    return tenants[0] if isinstance(tenants, tuple) else TENANT


def _entra_id(provider: Provider, sub: str | None, _: str | None, __: Mapping[str, Any]) -> Claims:
    return {
        "tid": _entra_tenant(provider),
        "sub": sub,
        "ver": "2.0",
        "nonce": "n-0S6_WzA2Mj",
        "name": "Ada",
        "preferred_username": "ada@shop.example",
    }


def _auth0(provider: Provider, sub: str | None, scope: str | None, _: Mapping[str, Any]) -> Claims:
    return {
        "sub": sub,
        "aud": [*provider.audiences, f"{provider.issuer}userinfo"],
        "azp": "AbCdEfGhIjKlMnOpQrStUvWxYz012345",
        "scope": scope or "openid profile",
        "permissions": [] if scope is None else scope.split(),
    }


def _auth0_id(_: Provider, sub: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    return {"sub": sub, "aud": "AbCdEfGhIjKlMnOpQrStUvWxYz012345", "nonce": "n-0S6_WzA2Mj", "name": "Ada"}


def _okta(_: Provider, sub: str | None, scope: str | None, __: Mapping[str, Any]) -> Claims:
    return {
        "ver": 1,
        "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
        "cid": "0oa1a2b3c4D5e6F7g8h9",
        "uid": "00u1a2b3c4D5e6F7g8h9",
        "scp": ["openid"] if scope is None else scope.split(),
        "sub": sub,
    }


def _okta_id(_: Provider, sub: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    return {"ver": 1, "jti": "ID.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypP", "sub": sub, "amr": ["pwd"], "idp": "00o1"}


def _keycloak(_: Provider, sub: str | None, scope: str | None, __: Mapping[str, Any]) -> Claims:
    return {
        "jti": "onrtac:f0e1d2c3-b4a5-9687-7869-5a4b3c2d1e0f",
        "sub": sub,
        "typ": "Bearer",
        "azp": "shop-web",
        "sid": "6d1f3c1e-2a7b-4e0d-9f7a-0a1b2c3d4e5f",
        "acr": "1",
        "realm_access": {"roles": ["offline_access", "staff"]},
        "resource_access": {
            "orders-api": {"roles": ["orders-admin"]},
            "account": {"roles": ["manage-account"]},
        },
        "scope": scope or "openid email profile",
        "preferred_username": "ada",
    }


def _keycloak_id(_: Provider, sub: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    return {"sub": sub, "typ": "ID", "azp": "shop-web", "at_hash": "qKLyN6tRuDZ0nV5hXw2q3g", "acr": "1"}


def _cognito(_: Provider, sub: str | None, scope: str | None, __: Mapping[str, Any]) -> Claims:
    return {
        "sub": sub,
        "cognito:groups": ["staff"],
        "client_id": "1h57kf5cpq17m0eml12example",
        "token_use": "access",
        "scope": scope or "aws.cognito.signin.user.admin",
        "auth_time": 1_700_000_000,
        "jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "username": "ada",
    }


def _cognito_id(provider: Provider, sub: str | None, _: str | None, __: Mapping[str, Any]) -> Claims:
    return {
        "sub": sub,
        "aud": provider.audiences[0],
        "token_use": "id",
        "auth_time": 1_700_000_000,
        "cognito:username": "ada",
    }


def _google(provider: Provider, sub: str | None, _: str | None, __: Mapping[str, Any]) -> Claims:
    return {
        "azp": provider.audiences[0],
        "sub": sub,
        "hd": "shop.example",
        "email": "ada@shop.example",
        "email_verified": True,
    }


def _firebase(_: Provider, sub: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    return {
        "auth_time": 1_700_000_000,
        "user_id": sub,
        "sub": sub,
        "email": "ada@shop.example",
        "firebase": {"identities": {"email": ["ada@shop.example"]}, "sign_in_provider": "password"},
    }


def _google_iap(_: Provider, sub: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    return {"sub": f"accounts.google.com:{sub}", "email": "accounts.google.com:ada@shop.example"}


def _cloudflare(provider: Provider, sub: str | None, _: str | None, __: Mapping[str, Any]) -> Claims:
    return {
        "aud": list(provider.audiences),
        "email": "ada@shop.example",
        "type": "app",
        "identity_nonce": "6ei69kawdKzMIAPF",
        "sub": sub,
        "country": "IE",
    }


def _github(provider: Provider, _: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    usual: Claims = {
        "sub": "repo:shop/orders:environment:production",
        "repository": "shop/orders",
        "repository_id": "123456789",
        "repository_owner": "shop",
        "repository_owner_id": "1234567",
        "repository_visibility": "private",
        "environment": "production",
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "job_workflow_ref": "shop/orders/.github/workflows/deploy.yml@refs/heads/main",
        "actor": "ada",
        "event_name": "push",
        "runner_environment": "github-hosted",
        "jti": "example-id",
    }
    return usual | {claim: values[0] for claim, values in provider.required_values.items()}


def _gitlab(provider: Provider, _: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    usual: Claims = {
        "sub": "project_path:shop/orders:ref_type:branch:ref:main",
        "namespace_id": "1234567",
        "namespace_path": "shop",
        "project_id": "12345678",
        "project_path": "shop/orders",
        "user_login": "ada",
        "pipeline_source": "push",
        "ref": "main",
        "ref_type": "branch",
        "ref_protected": "true",
        "environment": "production",
        "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
    }
    return usual | {claim: values[0] for claim, values in provider.required_values.items()}


def _kubernetes(_: Provider, sub: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    account = sub if sub is not None and sub.startswith("system:") else f"system:serviceaccount:shop:{sub}"
    uid = "a087d5a0-e1dd-43ec-93ac-f13d89cd13af"
    return {
        "sub": account,
        "kubernetes.io": {
            "namespace": "shop",
            "pod": {"name": "web-0", "uid": "778a530c-b3f4-47c0-9cd5-ab018fb64f33"},
            "serviceaccount": {"name": account.rpartition(":")[2], "uid": uid},
        },
    }


def _spiffe(provider: Provider, sub: str | None, _: str | None, __: Mapping[str, Any]) -> Claims:
    is_id = sub is not None and sub.startswith("spiffe://")
    return {"sub": sub if is_id else f"spiffe://{provider.trust_domain}/{sub}"}


def _alb(_: Provider, sub: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    return {"sub": sub, "name": "Ada", "email": "ada@shop.example"}


def _zitadel(provider: Provider, sub: str | None, scope: str | None, _: Mapping[str, Any]) -> Claims:
    role_claim = provider.roles_paths[0][0]
    return {
        "sub": sub,
        "aud": ["234567890123456789", *provider.audiences],
        "client_id": "234567890123456789",
        "jti": "345678901234567890",
        role_claim: {"staff": {"456789012345678901": "shop.zitadel.cloud"}},
        **({} if scope is None else {"scope": scope}),
    }


def _zitadel_id(provider: Provider, sub: str | None, _: str | None, __: Mapping[str, Any]) -> Claims:
    return {
        "sub": sub,
        "aud": ["234567890123456789", *provider.audiences],
        "azp": "234567890123456789",
        "auth_time": 1_700_000_000,
        "amr": ["pwd"],
        "client_id": "234567890123456789",
    }


def _authentik_id(_: Provider, sub: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    return {
        "sub": sub,
        "auth_time": 1_700_000_000,
        "acr": "goauthentik.io/providers/oauth2/default",
        "nonce": "n-0S6_WzA2Mj",
        "groups": ["staff"],
    }


def _authentik(provider: Provider, sub: str | None, _: str | None, given: Mapping[str, Any]) -> Claims:
    more = {"azp": provider.audiences[0], "uid": "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789abcd"}
    return _authentik_id(provider, sub, None, given) | more


def _supabase(_: Provider, sub: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    return {
        "sub": sub,
        "role": "authenticated",
        "aal": "aal1",
        "session_id": "123e4567-e89b-12d3-a456-426614174000",
        "email": "ada@shop.example",
        "is_anonymous": False,
        "amr": [{"method": "password", "timestamp": 1_700_000_000}],
    }


def _clerk(_: Provider, sub: str | None, __: str | None, ___: Mapping[str, Any]) -> Claims:
    return {
        "azp": PAGE,
        "fva": [7, -1],
        "sid": "sess_2abc",
        "sts": "active",
        "sub": sub,
        "v": 2,
        "o": {"id": "org_2abc", "slg": "shop", "rol": "admin"},
    }


LIKENESSES: Mapping[str, Likeness] = {
    "entra": Likeness(
        presets.entra,
        (TENANT, API),
        _entra,
        id_token=_entra_id,
        keys_are_at="/common/discovery/v2.0/keys",
        key_members={"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
    ),
    "auth0": Likeness(
        presets.auth0,
        ("shop.eu.auth0.com", "https://api.shop.example"),
        _auth0,
        id_token=_auth0_id,
        keys_are_at="/.well-known/jwks.json",
    ),
    "okta": Likeness(
        presets.okta,
        ("shop.okta.com", "api://default"),
        _okta,
        typ=None,
        id_token=_okta_id,
        keys_are_at="/oauth2/default/v1/keys",
    ),
    "keycloak": Likeness(
        presets.keycloak,
        ("https://login.shop.example", "shop", "orders-api"),
        _keycloak,
        id_token=_keycloak_id,
        keys_are_at="/realms/shop/protocol/openid-connect/certs",
    ),
    "cognito": Likeness(
        presets.cognito,
        ("eu-west-1", "eu-west-1_AbCdEfGhI", "1h57kf5cpq17m0eml12example"),
        _cognito,
        typ=None,
        id_token=_cognito_id,
        keys_are_at="/eu-west-1_AbCdEfGhI/.well-known/jwks.json",
        without=frozenset({"aud"}),
    ),
    "google": Likeness(presets.google, ("1234-abc.apps.googleusercontent.com",), _google),
    "firebase": Likeness(presets.firebase, ("shop-1234",), _firebase),
    "google_iap": Likeness(
        presets.google_iap, ("/projects/123456/global/backendServices/789",), _google_iap, "ES256"
    ),
    "cloudflare_access": Likeness(presets.cloudflare_access, ("shop", "0123456789abcdef" * 4), _cloudflare),
    "aws_alb": Likeness(presets.aws_alb, ("eu-west-1", ARN), _alb, "ES256"),
    "github_actions": Likeness(
        presets.github_actions, ("https://api.shop.example",), _github, named={"repository": "shop/orders"}
    ),
    "gitlab_ci": Likeness(
        presets.gitlab_ci, ("https://api.shop.example",), _gitlab, named={"project_path": "shop/orders"}
    ),
    "kubernetes": Likeness(
        presets.kubernetes,
        ("https://orders.shop.example",),
        _kubernetes,
        typ=None,
        named={"issuer": "https://kubernetes.default.svc.cluster.local"},
        keys_are_at="/openid/v1/jwks",
    ),
    "spiffe": Likeness(
        presets.spiffe,
        ("prod.shop.example", "spiffe://prod.shop.example/orders"),
        _spiffe,
        "ES256",
        named={"keys": "https://spire.shop.example/bundle"},
        key_members={"use": "jwt-svid"},
        without=frozenset({"iss"}),
    ),
    "zitadel": Likeness(
        presets.zitadel,
        ("shop-1a2b3c.zitadel.cloud", "123456789012345678"),
        _zitadel,
        id_token=_zitadel_id,
        keys_are_at="/oauth/v2/keys",
    ),
    "authentik": Likeness(
        presets.authentik,
        ("https://login.shop.example", "orders", "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCd"),
        _authentik,
        id_token=_authentik_id,
        keys_are_at="/application/o/orders/jwks/",
    ),
    "supabase": Likeness(presets.supabase, ("abcdefghijklmnopqrst",), _supabase, "ES256"),
    "clerk": Likeness(
        presets.clerk,
        ("https://clerk.shop.example",),
        _clerk,
        named={"authorized_parties": PAGE},
        without=frozenset({"aud"}),
    ),
}
"""By the name of the preset."""
