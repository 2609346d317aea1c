"""The kinds of access token that are measured: RFC 9068's example, and what eight providers issue.

Structure and sizes are faithful: which members header and claims have, how long the values are, what is an
array or an object. The values are made up. The eight kinds are the eight providers; Keycloak's tokens come in
three sizes, as they grow with the clients and roles of a realm, and the middle one stands for its kind. No
key is made and nothing is signed here.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Claims = dict[str, Any]
LIFETIME_SECONDS = 6 * 3600


def _octets(label: str, length: int) -> bytes:
    return hashlib.shake_128(label.encode()).digest(length)


def _uuid(label: str) -> str:
    return str(uuid.UUID(bytes=_octets(label, 16), version=4))


def _text(label: str, length: int) -> str:
    """Letters and digits that look random, as in identifiers of base64url."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return "".join(alphabet[octet & 63] for octet in _octets(label, length))


def _hex(label: str, length: int) -> str:
    return _octets(label, (length + 1) // 2).hex()[:length]


def _times(now: int) -> Claims:
    return {"iat": now, "exp": now + LIFETIME_SECONDS}


def _example(number: int, now: int) -> Claims:
    return {
        "iss": "https://issuer.test/",
        "sub": "5ba552d67",
        "aud": "https://api.test",
        "client_id": "s6BhdRkqt3_",
        "scope": "openid profile reademail",
        **_times(now),
        "jti": f"dbe39bf3a3ba4238a513f51d6e1{number:07d}",
    }


_TENANT = _uuid("tenant")


def _entra(number: int, now: int) -> Claims:
    return {
        "aud": _uuid("entra api"),
        "iss": f"https://login.microsoftonline.com/{_TENANT}/v2.0",
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME_SECONDS,
        "aio": _text(f"aio {number}", 120),
        "azp": _uuid("entra client"),
        "azpacr": "0",
        "groups": [_uuid(f"group {group}") for group in range(20)],
        "name": "Ada Example",
        "oid": _uuid(f"oid {number}"),
        "preferred_username": "ada@example.test",
        "rh": f"1.{_text('rh', 62)}.",
        "roles": ["Orders.Approve", "Orders.Reader"],
        "scp": "Orders.Read Orders.Write",
        "sid": _uuid(f"sid {number}"),
        "sub": _text("entra sub", 43),
        "tid": _TENANT,
        "uti": _text(f"uti {number}", 22),
        "ver": "2.0",
        "wids": [_uuid("wids")],
        "xms_ftd": _text("xms_ftd", 62),
        "xms_idrel": "1 2",
    }


_REALM_MANAGEMENT = [
    *("view-realm", "view-identity-providers", "manage-identity-providers", "impersonation", "realm-admin"),
    *("create-client", "manage-users", "query-realms", "view-authorization", "query-clients", "query-users"),
    *("manage-events", "manage-realm", "view-events", "view-users", "view-clients", "manage-authorization"),
    *("manage-clients", "query-groups"),
]


def _keycloak(clients: int, roles: int, *, administers: bool = False) -> Callable[[int, int], Claims]:
    def claims(number: int, now: int) -> Claims:
        access = {"realm-management": {"roles": _REALM_MANAGEMENT}} if administers else {}
        access |= {
            f"service-{client:02d}": {"roles": [f"service-{client:02d}:role-{role}" for role in range(roles)]}
            for client in range(clients)
        }
        access["account"] = {"roles": ["manage-account", "manage-account-links", "view-profile"]}
        return {
            "exp": now + LIFETIME_SECONDS,
            "iat": now,
            "auth_time": now - 60,
            "jti": f"onrtac:{_uuid(f'keycloak {number}')}",
            "iss": "https://keycloak.test/realms/orders",
            "aud": ["orders-api", *access],
            "sub": _uuid("keycloak sub"),
            "typ": "Bearer",
            "azp": "orders-web",
            "sid": _uuid(f"keycloak sid {number}"),
            "acr": "1",
            "allowed-origins": ["https://orders.test"],
            "realm_access": {"roles": ["default-roles-orders", "offline_access", "uma_authorization"]},
            "resource_access": access,
            "scope": "openid email profile orders:read",
            "email_verified": True,
            "name": "Ada Example",
            "preferred_username": "ada",
            "given_name": "Ada",
            "family_name": "Example",
            "email": "ada@example.test",
        }

    return claims


def _auth0(number: int, now: int) -> Claims:
    return {
        "https://api.test/roles": ["approver", "reader"],
        "iss": "https://tenant.eu.auth0.test/",
        "sub": f"auth0|{_hex('auth0', 24)}",
        "aud": ["https://api.test", "https://tenant.eu.auth0.test/userinfo"],
        **_times(now),
        "scope": "openid profile email orders:read orders:write",
        "org_id": f"org_{_text('org', 16)}",
        "azp": _text("auth0 client", 32),
        "jti": _text(f"auth0 {number}", 22),
        "permissions": ["orders:read", "orders:write", "customers:read", "invoices:read", "invoices:approve"],
    }


def _okta(number: int, now: int) -> Claims:
    return {
        "ver": 1,
        "jti": f"AT.{_text(f'okta {number}', 43)}",
        "iss": "https://org.okta.test/oauth2/default",
        "aud": "api://default",
        **_times(now),
        "cid": f"0oa{_text('cid', 17)}",
        "uid": f"00u{_text('uid', 17)}",
        "scp": ["openid", "profile", "email", "orders:read"],
        "auth_time": now - 60,
        "sub": "ada@example.test",
        "groups": ["Everyone", "Orders approvers", "Orders readers", "Finance"],
    }


def _cognito(number: int, now: int) -> Claims:
    user = _uuid("cognito sub")
    return {
        "sub": user,
        "cognito:groups": ["approvers", "readers"],
        "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A1b2C3d4E",
        "version": 2,
        "client_id": _text("cognito client", 26).lower(),
        "origin_jti": _uuid("origin_jti"),
        "event_id": _uuid(f"event {number}"),
        "token_use": "access",
        "scope": "openid email orders/read orders/write",
        "auth_time": now - 60,
        **_times(now),
        "jti": _uuid(f"cognito {number}"),
        "username": user,
    }


_GOOGLE_CLIENT = (
    f"{int(_hex('google client', 9), 16):012d}-{_text('google', 32).lower()}.apps.googleusercontent.com"
)


def _google(number: int, now: int) -> Claims:
    return {
        "iss": "https://accounts.google.com",
        "azp": _GOOGLE_CLIENT,
        "aud": _GOOGLE_CLIENT,
        "sub": f"{int(_hex('google sub', 16), 16):021d}",
        "hd": "example.test",
        "email": "ada@example.test",
        "email_verified": True,
        "at_hash": _text(f"at_hash {number}", 22),
        "name": "Ada Example",
        "picture": f"https://lh3.googleusercontent.com/a/{_text('picture', 68)}=s96-c",
        "given_name": "Ada",
        "family_name": "Example",
        **_times(now),
    }


def _github(number: int, now: int) -> Claims:
    repository = "example-org/orders"
    workflow = f"{repository}/.github/workflows/deploy.yml@refs/heads/main"
    commit = _hex(f"commit {number}", 40)
    return {
        "actor": "ada-example",
        "actor_id": "1234567",
        "aud": "https://api.test",
        "base_ref": "",
        "check_run_id": f"{48_000_000_000 + number}",
        "environment": "production",
        "event_name": "push",
        **_times(now),
        "head_ref": "",
        "iss": "https://token.actions.githubusercontent.com",
        "job_workflow_ref": workflow,
        "job_workflow_sha": commit,
        "jti": _uuid(f"github {number}"),
        "nbf": now - 600,
        "ref": "refs/heads/main",
        "ref_protected": "true",
        "ref_type": "branch",
        "repository": repository,
        "repository_id": "123456789",
        "repository_owner": "example-org",
        "repository_owner_id": "12345678",
        "repository_visibility": "private",
        "run_attempt": "1",
        "run_id": f"{17_000_000_000 + number}",
        "run_number": f"{number}",
        "runner_environment": "github-hosted",
        "sha": commit,
        "sub": f"repo:{repository}:environment:production",
        "workflow": "deploy",
        "workflow_ref": workflow,
        "workflow_sha": commit,
    }


def _kubernetes(number: int, now: int) -> Claims:
    return {
        "aud": ["https://kubernetes.default.svc.cluster.local"],
        **_times(now),
        "iss": "https://kubernetes.default.svc.cluster.local",
        "jti": _uuid(f"kubernetes {number}"),
        "kubernetes.io": {
            "namespace": "orders",
            "node": {"name": "node-pool-1-7f9c", "uid": _uuid("node")},
            "pod": {"name": f"orders-web-{_hex('pod', 10)}-x7k2p", "uid": _uuid(f"pod {number}")},
            "serviceaccount": {"name": "orders-web", "uid": _uuid("account")},
            "warnafter": now + 3607,
        },
        "nbf": now,
        "sub": "system:serviceaccount:orders:orders-web",
    }


@dataclass(frozen=True, eq=False)
class Kind:
    """Tokens of one shape.

    Attributes:
        name: In the names of files and cases.
        title: For people.
        claims: Makes the claims of the token of that number, issued at that time; no two are the same.
        header: The members of the header beside `alg`.
        asks: What rules may ask that these tokens fulfil: a value for `scope`, `role`, `subject` and so on.
        options: What a `Provider` of theirs needs beside issuer and audience; a profile by its name.
        nested: Whether an object stands among the claims.
    """

    name: str
    title: str
    claims: Callable[[int, int], Claims]
    header: Mapping[str, str]
    asks: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    nested: bool = False

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""
        return str(self.claims(0, 0)["iss"])

    @property
    def audience(self) -> str:
        """One audience of its tokens, from the claim that holds it."""
        audience = self.claims(0, 0)[self.options.get("audience_claim", "aud")]
        return str(audience if isinstance(audience, str) else audience[0])


def _keycloak_kind(name: str, title: str, claims: Callable[[int, int], Claims]) -> Kind:
    return Kind(
        name,
        title,
        claims,
        {"typ": "JWT", "kid": _text("keycloak kid", 43)},
        {"scope": "orders:read", "role": "offline_access", "client": "orders-web"},
        {"roles_claim": "realm_access.roles"},
        nested=True,
    )


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "example",
            "RFC 9068's example",
            _example,
            {"typ": "at+jwt", "kid": "rs256-2026-01"},
            {"scope": "profile", "client": "s6BhdRkqt3_", "subject": "5ba552d67"},
        ),
        Kind(
            "entra",
            "Entra ID v2, 20 groups",
            _entra,
            {"typ": "JWT", "kid": _text("entra kid", 27)},
            {"scope": "Orders.Read", "role": "Orders.Reader", "client": _uuid("entra client")},
        ),
        _keycloak_kind("keycloak-small", "Keycloak, small", _keycloak(3, 3)),
        _keycloak_kind("keycloak", "Keycloak, an administrator", _keycloak(6, 4, administers=True)),
        _keycloak_kind("keycloak-large", "Keycloak, many clients", _keycloak(35, 5)),
        Kind(
            "auth0",
            "Auth0",
            _auth0,
            {"typ": "JWT", "kid": _text("auth0 kid", 21)},
            {"scope": "orders:read", "role": "reader", "permission": "orders:write"},
            {"roles_claim": ("https://api.test/roles",)},
        ),
        Kind(
            "okta",
            "Okta",
            _okta,
            {"kid": _text("okta kid", 43)},
            {"scope": "orders:read", "role": "Everyone", "subject": "ada@example.test"},
            {"roles_claim": "groups"},
        ),
        Kind(
            "cognito",
            "Cognito",
            _cognito,
            {"kid": _text("cognito kid", 43) + "="},
            {"scope": "orders/read", "role": "readers", "client": _text("cognito client", 26).lower()},
            {
                "audience_claim": "client_id",
                "required_claims": {"token_use": "access"},
                "roles_claim": "cognito:groups",
            },
        ),
        Kind(
            "google",
            "Google (ID token)",
            _google,
            {"kid": _hex("google kid", 40), "typ": "JWT"},
            {"subject": f"{int(_hex('google sub', 16), 16):021d}", "client": _GOOGLE_CLIENT},
            {"profile": "ID_TOKEN"},
        ),
        Kind(
            "github",
            "GitHub Actions",
            _github,
            {"typ": "JWT", "x5t": _text("github x5t", 27), "kid": _uuid("github kid").upper()},
            {"subject": "repo:example-org/orders:environment:production"},
        ),
        Kind(
            "kubernetes",
            "Kubernetes service account",
            _kubernetes,
            {"kid": _text("kubernetes kid", 43)},
            {"subject": "system:serviceaccount:orders:orders-web"},
            nested=True,
        ),
    )
}
"""By name."""
REAL = tuple(name for name in KINDS if name != "example")
WORST = "keycloak"
"""The dearest of those up to 3 kB, by `make instructions`."""


def trusting(kind: Kind) -> str:
    """The name of the served application that trusts the provider of one kind only, as most do."""
    return f"bearerguard-{kind.name}"
