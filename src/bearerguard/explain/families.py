"""Causes that only one family of providers has. The facts are those of `bearerguard.presets`."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bearerguard.explain.checks import claim_in
from bearerguard.explain.issuers import host_of, path_of
from bearerguard.explain.situation import Cause, Situation, audience_of, shown

__all__: list[str] = []

_GRAPH = {"00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com"}
_OKTA = re.compile(r"/oauth2/(?:default|aus[0-9A-Za-z]{10,})")
"""The path of one of Okta's custom authorization servers."""
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def graph_token(situation: Situation) -> Cause | None:
    """Of Microsoft Graph: the `nonce` in its header was hashed to sign it, so nobody else can verify it."""
    audience = situation.claims.get("aud")
    is_graphs = isinstance(audience, str) and audience.rstrip("/") in _GRAPH
    if not (is_graphs or "nonce" in situation.header) or not situation.is_refused_for(
        "signature", "unknown_key", "audience", "issuer"
    ):
        return None
    return Cause(
        "This is a token for Microsoft Graph, which only Graph can verify.",
        "Have the client ask for a scope of this API, such as api://<client id>/access_as_user, and not for "
        "User.Read or another scope of Graph.",
    )


def entra_names_the_api_otherwise(situation: Situation) -> Cause | None:
    """By its address in version 1, by its id in version 2."""
    found, expected = _audience(situation), [name for one in situation.trusted for name in one.audiences]
    bare = found.removeprefix("api://") if found is not None else ""
    ids = [name.removeprefix("api://") for name in expected]
    if not situation.is_refused_for("audience") or not _GUID.fullmatch(bare) or bare not in ids:
        return None
    return Cause(
        f"Entra ID names this API as {shown(found)} in this token, and {audience_of(situation)} is "
        "configured.",
        "Tokens of version 2 name the client id, those of version 1 'api://' and the id: write presets.entra("
        "..., version=...) for the version that the API's registration asks for.",
    )


def tenant_that_is_not_named(situation: Situation) -> Cause | None:
    """Of a provider with many tenants, one that `tenants=` leaves out."""
    template = None if situation.provider is None else situation.provider.issuer_template
    if template is None or not situation.is_verified or not situation.is_refused_for("issuer"):
        return None
    return Cause(
        f"The token is of the tenant {shown(situation.claims.get(template.claim))}, which tenants= does not "
        "name.",
        "Add the tenant, if it is one of your customers; else somebody of another directory has logged in.",
    )


def token_without_its_tenant(situation: Situation) -> Cause | None:
    """Of a provider with many tenants. In Entra ID the tenant of a user comes with a scope."""
    template = None if situation.provider is None else situation.provider.issuer_template
    error = situation.error
    if template is None or error is None or not situation.is_refused_for("missing_claim"):
        return None
    if claim_in(error) != template.claim:
        return None
    return Cause(
        f"The token does not say of which tenant it is: it has no claim {template.claim!r}.",
        "Have the client ask for the scope 'profile' too; Entra ID puts the tenant into tokens with that.",
    )


def auth0_token_without_an_audience(situation: Situation) -> Cause | None:
    """Auth0 issues JWTs only to clients that name an API: all others get an opaque or encrypted token."""
    hosts = [host_of(issuer) for issuer in situation.issuers]
    if not any(host.endswith(".auth0.com") for host in hosts) or not situation.is_refused_for(
        "malformed", "encrypted"
    ):
        return None
    return Cause(
        "Auth0 issued a token that is not a signed JWT, as the client asked for none for an API.",
        f"Have the client log in with audience={audience_of(situation)}, this API's identifier at Auth0.",
    )


def okta_org_server(situation: Situation) -> Cause | None:
    """The org server's access tokens are for Okta itself, and only Okta can verify them."""
    issuer = situation.claims.get("iss")
    if (
        not situation.is_refused_for("issuer")
        or not isinstance(issuer, str)
        or path_of(issuer) not in ("", "/")
    ):
        return None
    if not any(
        host_of(issuer) == host_of(one) and _OKTA.fullmatch(path_of(one)) for one in situation.issuers
    ):
        return None
    return Cause(
        f"The token is of Okta's org server {shown(issuer)}, whose access tokens are for Okta only.",
        f"Have the client log in at {shown(situation.issuers[0])}, with a scope of this API.",
    )


def cognito_token_without_an_audience(situation: Situation) -> Cause | None:
    """Access tokens of Cognito have no `aud`: the client is named by `client_id`."""
    error = situation.error
    host = host_of(str(situation.claims.get("iss")))
    if not host.startswith("cognito-idp.") or not situation.is_refused_for("missing_claim"):
        return None
    if error is None or claim_in(error) != "aud":
        return None
    return Cause(
        "Access tokens of Amazon Cognito have no aud: they name their client by client_id.",
        "Write presets.cognito(...), or Provider(..., audience_claim='client_id', audience=<app client id>).",
    )


def keycloak_account(situation: Situation) -> Cause | None:
    """Keycloak names its own client `account` until a mapper adds the API."""
    audience = situation.claims.get("aud")
    names = audience if isinstance(audience, list) else [audience]
    if "account" not in names or not situation.is_refused_for("audience"):
        return None
    return Cause(
        "Keycloak put only its own 'account' into aud: nothing there says that the token is for this API.",
        f"Add an audience mapper with {audience_of(situation)} to a client scope of the client, as "
        "'Included Custom Audience'.",
    )


def another_client_of_cognito(situation: Situation) -> Cause | None:
    """Every app client of the pool gets tokens; the preset names those that may use the API."""
    provider = situation.provider
    if not situation.is_refused_for("audience") or provider is None or not _is_cognitos(provider.issuer):
        return None
    return Cause(
        f"The token was given to the app client {shown(situation.claims.get('client_id'))}, and this API "
        "takes "
        f"those of {audience_of(situation)}.",
        "Add the app client to presets.cognito(region, pool, [...]), if it may use this API.",
    )


def google_access_token(situation: Situation) -> Cause | None:
    """Opaque to everybody but Google."""
    if not situation.text.startswith("ya29.") or not situation.is_refused_for("malformed"):
        return None
    return Cause(
        "This is an access token of Google, which only Google's own APIs can read.",
        "Have the client send its ID token, which presets.google(client_id) verifies.",
    )


def firebase_custom_token(situation: Situation) -> Cause | None:
    """Made by a server, to be exchanged for an ID token by the client."""
    if situation.error is None or "google.identity.identitytoolkit" not in str(_audience(situation)):
        return None
    return Cause(
        "This is a custom token of Firebase, which a client exchanges for an ID token.",
        "Have the client call signInWithCustomToken, and send what getIdToken returns.",
    )


def application_of_cloudflare(situation: Situation) -> Cause | None:
    """Each application behind Access has an audience of its own."""
    hosts = [host_of(issuer) for issuer in situation.issuers]
    if not situation.is_refused_for("audience") or not any(
        host.endswith(".cloudflareaccess.com") for host in hosts
    ):
        return None
    return Cause(
        "The token is for another application behind Cloudflare Access.",
        "Write the Application Audience (AUD) tag of this one, as the dashboard shows it, into "
        "presets.cloudflare_access(team, audience).",
    )


def another_load_balancer(situation: Situation) -> Cause | None:
    """Everybody's load balancers sign with the same keys; the header says which did."""
    configured = None if situation.provider is None else situation.provider.signer
    if configured is None or situation.header.get("signer") == configured or situation.error is None:
        return None
    if "signer" not in situation.header:
        return None
    return Cause(
        f"The claims are signed by the load balancer {shown(situation.header.get('signer'))}, and "
        f"{shown(configured)} is configured.",
        "If it is yours, write its ARN into presets.aws_alb(region, arn); else a request came around your "
        "own.",
    )


def workflow_without_an_audience(situation: Situation) -> Cause | None:
    """GitHub names the owner where a workflow asks for nothing."""
    found, issuer = _audience(situation), situation.claims.get("iss")
    if not situation.is_refused_for("audience") or issuer != "https://token.actions.githubusercontent.com":
        return None
    if found is None or not found.startswith("https://github.com/"):
        return None
    return Cause(
        f"The workflow asked for a token without an audience, so GitHub wrote {shown(found)}.",
        f"Have it call core.getIDToken({audience_of(situation)}), or add &audience=... to the request.",
    )


def account_token_of_a_pod(situation: Situation) -> Cause | None:
    """What a pod finds by itself is for the API server of the cluster."""
    if not situation.is_refused_for("audience") or "kubernetes.io" not in situation.claims:
        return None
    return Cause(
        "The pod sent a service account token that is for somebody else, mostly for the cluster's own API.",
        "Give the pod a projected volume with a serviceAccountToken whose audience is "
        f"{audience_of(situation)}, "
        "and have it read that file.",
    )


def another_trust_domain(situation: Situation) -> Cause | None:
    """A SPIFFE ID of somebody else's workloads."""
    domains = [one.trust_domain for one in situation.providers if one.trust_domain is not None]
    subject = situation.claims.get("sub")
    if not domains or not situation.is_refused_for("issuer") or not str(subject).startswith("spiffe://"):
        return None
    if any(subject == f"spiffe://{domain}" for domain in domains):
        return Cause(
            f"The subject {shown(subject)} is a trust domain, and not a workload of it.",
            "Register the workload with an ID that has a path, such as spiffe://<trust domain>/web.",
        )
    return Cause(
        f"The workload {shown(subject)} is of another trust domain than {shown(domains[0])}.",
        "If you federate with it, add a provider: presets.spiffe(trust_domain, audience, keys=...) with its "
        "bundle.",
    )


def zitadel_token_that_is_opaque(situation: Situation) -> Cause | None:
    """An application gets opaque tokens until somebody sets another type."""
    hosts = [host_of(issuer) for issuer in situation.issuers]
    if not any(host.endswith(".zitadel.cloud") for host in hosts) or not situation.is_refused_for(
        "malformed"
    ):
        return None
    return Cause(
        "Zitadel issued an opaque token, as it does until an application's token type is set.",
        "Set the auth token type of the application to JWT; or have Zitadel asked, by Introspection(...).",
    )


def key_of_a_supabase_project(situation: Situation) -> Cause | None:
    """`anon` or `service_role`: the keys of a project are JWTs too."""
    is_key = situation.claims.get("iss") == "supabase" and "ref" in situation.claims
    if not is_key or situation.error is None:
        return None
    return Cause(
        f"This is the project's API key of the role {shown(situation.claims.get('role'))}, and not a user's "
        "token.",
        "Have the client send session.access_token. If the key is service_role, replace it: it opens "
        "everything.",
    )


def secret_of_a_supabase_project(situation: Situation) -> Cause | None:
    """A project that signs with its shared secret, as older ones do."""
    provider = situation.provider
    if provider is None or provider.profile.name != "SUPABASE" or not situation.is_refused_for("algorithm"):
        return None
    if not str(situation.header.get("alg")).startswith("HS"):
        return None
    return Cause(
        "The project signs with its shared secret, and whoever can verify by that can forge tokens.",
        "Move the project to asymmetric signing keys, in its settings under JWT Keys.",
    )


def another_page_of_clerk(situation: Situation) -> Cause | None:
    """`azp` is the page that has asked for the token; nothing where that was not a page."""
    provider, error = situation.provider, situation.error
    if error is None or provider is None or provider.profile.name != "CLERK":
        return None
    if situation.is_refused_for("missing_claim") and claim_in(error) == "azp":
        return Cause(
            "No page asked for the token: Clerk writes azp where the request has an origin, and that of a "
            "native app or a server has none.",
            "Give such a client a JWT template with an audience, and configure a Provider for that audience.",
        )
    if not situation.is_refused_for("audience"):
        return None
    return Cause(
        f"The page {shown(situation.claims.get('azp'))} asked for the token, and only "
        f"{audience_of(situation)} may.",
        "Add the page's origin to authorized_parties, if it is yours.",
    )


def keycloak_dpop_without_a_key(situation: Situation) -> Cause | None:
    """A payload that says `DPoP` names the key that it is bound to."""
    fixed = {} if situation.provider is None else situation.provider.required_values
    is_bound = "cnf" in situation.claims or not situation.is_refused_for("invalid_claim")
    if situation.claims.get("typ") != "DPoP" or "DPoP" not in fixed.get("typ", ()) or is_bound:
        return None
    return Cause(
        "The token says that it is bound to a key (its typ is 'DPoP'), and names none: it has no cnf.",
        "Look for a protocol mapper that takes cnf out of access tokens, or writes typ; and remove it.",
    )


def updated_issuer_of_cognito(situation: Situation) -> Cause | None:
    """A user pool writes one of two issuers, as its issuer configuration says."""
    issuer = situation.claims.get("iss")
    if not situation.is_refused_for("issuer") or not isinstance(issuer, str):
        return None
    for one in situation.issuers:
        if _is_cognitos(one) and issuer.removeprefix("https://issuer-") == one.removeprefix("https://"):
            return Cause(
                f"The user pool writes its updated issuer, {shown(issuer)}, and the original one is "
                "configured.",
                f"Write presets.cognito(..., issuer={shown(issuer)}).",
            )
    return None


def claim_that_is_fixed(situation: Situation) -> Cause | None:
    """What the configuration asks for: a repository, a branch, a project."""
    name = None if situation.error is None else claim_in(situation.error)
    fixed = {} if situation.provider is None else situation.provider.required_values
    if name is None or name not in fixed or not situation.is_refused_for("invalid_claim", "missing_claim"):
        return None
    asked = " or ".join(shown(value) for value in fixed[name])
    found = shown(situation.claims[name]) if name in situation.claims else "none"
    return Cause(
        f"The token's {name} is {found}, and {asked} is asked for.",
        "Have the right one ask for the token; or change what the provider's arguments fix, if both may.",
    )


def host_with_the_same_path(situation: Situation) -> Cause | None:
    """A provider that writes into a token the name by which the client has reached it."""
    issuer = situation.claims.get("iss")
    if not situation.is_refused_for("issuer") or not isinstance(issuer, str):
        return None
    path = path_of(issuer).rstrip("/")
    for one in situation.issuers:
        if len(path) > 1 and path == path_of(one).rstrip("/") and _origin(issuer) != _origin(one):
            return Cause(
                f"The token is of {shown(issuer)}, and {shown(one)} is configured: the same path at another "
                "address, by which the client has reached the provider.",
                "Set the provider's public address (Keycloak: the hostname option), so that all its tokens "
                "name "
                "one issuer.",
            )
    return None


def _is_cognitos(issuer: object) -> bool:
    return isinstance(issuer, str) and host_of(issuer).startswith(("cognito-idp.", "issuer-cognito-idp."))


def _origin(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".casefold()


def _audience(situation: Situation) -> str | None:
    found = situation.claims.get("aud")
    return found if isinstance(found, str) else None


FAMILY_CAUSES = (
    graph_token,
    google_access_token,
    firebase_custom_token,
    key_of_a_supabase_project,
    secret_of_a_supabase_project,
    token_without_its_tenant,
    tenant_that_is_not_named,
    another_load_balancer,
    another_trust_domain,
    okta_org_server,
    auth0_token_without_an_audience,
    zitadel_token_that_is_opaque,
    cognito_token_without_an_audience,
    another_client_of_cognito,
    entra_names_the_api_otherwise,
    keycloak_account,
    application_of_cloudflare,
    workflow_without_an_audience,
    account_token_of_a_pod,
    another_page_of_clerk,
    keycloak_dpop_without_a_key,
    claim_that_is_fixed,
    updated_issuer_of_cognito,
    host_with_the_same_path,
)
"""The more particular first."""
