"""What people meet: by its name, the function that knows it, the reason, and who produces it."""

from __future__ import annotations

from bearerguard import claim, fresh, presets, role, scope
from bearerguard.testing.likeness import API, TENANT
from tests import proofs
from tests.explain.producing import (
    ABSENT,
    AUDIENCE,
    COGNITO,
    GUID,
    ISSUER,
    KEYCLOAK,
    NOW,
    TOKEN,
    V1,
    V2,
    Explained,
    answered,
    asked_about,
    asks,
    asks_for_a_nonce,
    at,
    auth0,
    fields,
    from_another_load_balancer,
    header,
    like,
    of,
    proof,
    revoked,
    rotated,
    signed_by_another_key,
    signed_with,
    text,
    text_for,
    unmarked,
    used_proof,
    with_certificate,
    without_keys,
)  # fmt: skip

CUSTOM = "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit"
# By the situation: the function that knows it, the reason, and who produces it.
SITUATIONS: dict[str, tuple[str, str | None, Explained]] = {
    "the scheme stands before the text": (
        "scheme_is_written_twice", "malformed", text(f"Bearer {TOKEN}"),
    ),
    "the header's name stands before the text": (
        "name_of_the_header_stands_before", "malformed", text(f"Authorization: Bearer {TOKEN}"),
    ),
    "the scheme is sent twice": (
        "scheme_is_written_twice", "malformed_header", header(f"Bearer Bearer {TOKEN}"),
    ),
    "`Bearer undefined`": ("placeholder_was_sent", "malformed", header("Bearer undefined")),
    "`Bearer null`": ("placeholder_was_sent", "malformed", header("Bearer null")),
    "quotes around the token": ("quotes_around_the_token", "malformed", text(f'"{TOKEN}"')),
    "a line break in the token": (
        "white_space_in_the_token", "malformed", text(f"{TOKEN[:80]}\n{TOKEN[80:]}"),
    ),
    "a character too many": ("part_that_cannot_be_decoded", "malformed", text(f"{TOKEN}=")),
    "the token without its scheme": ("token_without_its_scheme", "other_scheme", header(TOKEN)),
    "a token of 17 KiB": ("too_long_for_a_token", "too_large", text("x" * 17 * 1024)),
    "a token for Microsoft Graph": (
        "graph_token", "issuer", at(V2, iss=V1, aud="00000003-0000-0000-c000-000000000000"),
    ),
    "a token for Microsoft Graph, at its own issuer": (
        "graph_token", "audience", of(header={"nonce": "x"}, aud="https://graph.microsoft.com"),
    ),
    "a refresh token": ("refresh_token", "type", of(header={"typ": "JWT"}, typ="Refresh")),
    "a logout token": ("logout_token", "type", of(header={"typ": "logout+jwt"}, events={})),
    "an ID token for its client": (
        "id_token", "audience", of(header={"typ": "JWT"}, aud="client-1", nonce="x", scope=ABSENT),
    ),
    "an ID token of Cognito": ("id_token", "type", of(header={"typ": "JWT"}, token_use="id")),
    "Auth0 without `audience`": (
        "auth0_token_without_an_audience", "malformed", auth0("VfGhUcHjKqLmNpQrStUvWx"),
    ),
    "Auth0 without `audience`, encrypted": (
        "auth0_token_without_an_audience", "encrypted", auth0("eyJhbGciOiJkaXIifQ..aaaa.bbbb.cccc"),
    ),
    "an opaque token": ("opaque_token", "malformed", text("VfGhUcHjKqLmNpQrStUvWx")),
    "an encrypted token": ("encrypted_token", "encrypted", text("eyJhbGciOiJkaXIifQ..aaaa.bbbb.cccc")),
    "Entra ID: a v1 token at a v2 issuer": ("entra_v1_at_v2", "issuer", at(V2, iss=V1)),
    "Entra ID: a v2 token at a v1 issuer": ("entra_v2_at_v1", "issuer", at(V1, iss=V2)),
    "the issuer differs by a slash": ("issuer_is_written_otherwise", "issuer", of(iss=f"{ISSUER}/")),
    "the issuer differs by case": ("issuer_is_written_otherwise", "issuer", of(iss="https://Issuer.test")),
    "the issuer ends with a newline": ("issuer_is_written_otherwise", "issuer", of(iss=f"{ISSUER}\n")),
    "another realm": ("other_tenant", "issuer", at(KEYCLOAK, iss="https://login.example/realms/staff")),
    "an issuer that nobody configured": ("unknown_issuer", "issuer", of(iss="https://other.test")),
    "a key that rotated away": ("key_that_rotated_away", "unknown_key", rotated),
    "Cognito without `aud`": (
        "cognito_token_without_an_audience", "missing_claim", at(COGNITO, aud=ABSENT, token_use="access"),
    ),
    "Keycloak's `account`": ("keycloak_account", "audience", at(KEYCLOAK, aud="account")),
    "the audience differs by a slash": (
        "audience_is_written_otherwise", "audience", of(aud=f"{AUDIENCE}/"),
    ),
    "a token for another API": ("token_for_another_api", "audience", of(aud="https://other.test")),
    "a clock that is two minutes slow": (
        "clock_that_is_off", "not_yet_valid", of(iat=NOW + 120, nbf=ABSENT, exp=NOW + 3720),
    ),
    "a token that expired a moment ago": ("token_that_has_expired", "expired", of(exp=NOW - 40)),
    "a token of yesterday": (
        "token_that_has_expired", "expired", of(iat=NOW - 90_000, nbf=ABSENT, exp=NOW - 86_400),
    ),
    "a token that was revoked": ("token_that_was_revoked", "revoked", revoked()),
    "a token older than the horizon": (
        "token_older_than_the_horizon", "too_old", revoked(iat=NOW - 10_800, nbf=ABSENT),
    ),
    "a token without `iat`, where revocations are asked about": (
        "token_older_than_the_horizon", "too_old", revoked(iat=ABSENT),
    ),
    "a proxy strips the prefix": (
        "proof_for_another_address", "proof_url",
        proof(proofs.request(proofs.proof(htu="https://api.test/v1/orders"))),
    ),
    "a proof for another host": (
        "proof_for_another_address", "proof_url",
        proof(proofs.request(proofs.proof(htu="https://internal.test/elsewhere"))),
    ),
    "a bound token as Bearer": (
        "bound_token_as_bearer", "sender_constrained",
        proof(proofs.request(proofs.proof(), scheme="Bearer")),
    ),
    "a bound token by itself": ("bound_token_as_bearer", "sender_constrained", text(proofs.TOKEN)),
    "too many groups": ("groups_are_elsewhere", None, of(_claim_names={"groups": "src1"})),
    # -- how it was sent
    "no token": ("no_token_was_sent", "no_credentials", fields()),
    "a token in the address": (
        "token_in_the_address", "no_credentials", fields(url=f"{proofs.URL}?access_token={TOKEN}"),
    ),
    "a request that came around the proxy": (
        "field_of_a_proxy_is_missing", "no_credentials", fields(preset="google_iap"),
    ),
    "a name and a password": ("password_was_sent", "other_scheme", header("Basic b3JkZXJzOnNlY3JldA==")),
    "DPoP where it is not taken": (
        "bound_token_where_none_is_taken", "other_scheme", header(f"DPoP {TOKEN}"),
    ),
    "two `Authorization` headers": (
        "header_was_sent_twice", "repeated_header",
        fields(("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Basic eA==")),
    ),
    "a token that was cut off": ("token_that_was_cut_off", "malformed", text(TOKEN.partition(".")[0])),
    # -- a provider's usual mistake, by its preset
    "Entra ID: `api://` and the id": (
        "entra_names_the_api_otherwise", "audience", like("entra", aud=f"api://{API}"),
    ),
    "Entra ID: a tenant that is not named": (
        "tenant_that_is_not_named", "issuer",
        like("entra", None, API, tenants=[TENANT], tid=GUID.replace("1", "9")),
    ),
    "Entra ID: many tenants, and a token without `tid`": (
        "token_without_its_tenant", "missing_claim",
        like("entra", None, API, tenants=[TENANT], tid=None),
    ),
    "Okta: an ID token": ("id_token", "missing_claim", like("okta", cid=None, scp=None)),
    "Okta: a token of the org server": ("okta_org_server", "issuer", like("okta", iss="https://shop.okta.com")),
    "Keycloak: the client uses an inner address": (
        "host_with_the_same_path", "issuer", like("keycloak", iss="http://keycloak:8080/realms/shop"),
    ),
    "Cognito: another app client": (
        "another_client_of_cognito", "audience", like("cognito", client_id="9x8y7z6w5v4u3t2s1rexample"),
    ),
    "Cognito: the updated issuer of a pool": (
        "updated_issuer_of_cognito", "issuer",
        like("cognito", iss="https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI"),
    ),
    "Keycloak: `DPoP` without a key": (
        "keycloak_dpop_without_a_key", "invalid_claim", like("keycloak", typ="DPoP"),
    ),
    "Google: an access token": (
        "google_access_token", "malformed",
        text_for(presets.google("1234-abc.apps.googleusercontent.com"), "ya29.a0AfH6SMBx1234567890abcdef"),
    ),
    "Firebase: a custom token": (
        "firebase_custom_token", "issuer",
        like("firebase", iss="admin@shop-1234.iam.gserviceaccount.com", aud=CUSTOM),
    ),
    "Identity-Aware Proxy: another backend": (
        "token_for_another_api", "audience",
        like("google_iap", aud="/projects/123456/global/backendServices/790"),
    ),
    "Cloudflare Access: another application": (
        "application_of_cloudflare", "audience", like("cloudflare_access", aud=["f" * 64]),
    ),
    "AWS: another load balancer": (
        "another_load_balancer", "malformed",
        from_another_load_balancer,
    ),
    "GitHub Actions: no audience asked for": (
        "workflow_without_an_audience", "audience", like("github_actions", aud="https://github.com/shop"),
    ),
    "GitHub Actions: another repository": (
        "claim_that_is_fixed", "invalid_claim", like("github_actions", repository="shop/blog"),
    ),
    "GitLab CI: another project": (
        "claim_that_is_fixed", "invalid_claim", like("gitlab_ci", project_path="shop/blog"),
    ),
    "Kubernetes: the pod's own token": (
        "account_token_of_a_pod", "audience",
        like("kubernetes", aud=["https://kubernetes.default.svc.cluster.local"]),
    ),
    "SPIFFE: another trust domain": (
        "another_trust_domain", "issuer", like("spiffe", sub="spiffe://test.shop.example/web"),
    ),
    "SPIFFE: a trust domain in place of a workload": (
        "another_trust_domain", "issuer", like("spiffe", sub="spiffe://prod.shop.example"),
    ),
    "Zitadel: the token type was never set": (
        "zitadel_token_that_is_opaque", "malformed",
        text_for(presets.zitadel("shop-1a2b3c.zitadel.cloud", "123456789012345678"), "kR3yB8vQ1xT5nW7mZ0pL"),
    ),
    "authentik: another application": (
        "other_tenant", "issuer", like("authentik", iss="https://login.shop.example/application/o/blog/"),
    ),
    "Supabase: the key `anon`": (
        "key_of_a_supabase_project", "issuer",
        like("supabase", iss="supabase", ref="abcdefghijklmnopqrst", role="anon"),
    ),
    "Supabase: signed with the shared secret": (
        "secret_of_a_supabase_project", "algorithm", like("supabase", header={"alg": "HS256"}),
    ),
    "Clerk: another page": ("another_page_of_clerk", "audience", like("clerk", azp="https://blog.example")),
    "Clerk: no page": ("another_page_of_clerk", "missing_claim", like("clerk", azp=None)),
    # -- what it is signed with
    "a token that is not signed": ("algorithm_that_is_not_accepted", "algorithm", signed_with("none")),
    "a token that is signed with a secret": (
        "algorithm_that_is_not_accepted", "algorithm", signed_with("HS256"),
    ),
    "an algorithm that is left out": (
        "algorithm_that_is_not_accepted", "algorithm", signed_with("ES256", algorithms="ES384"),
    ),
    "a token that is not marked (RFC 9068)": ("token_that_is_not_marked", "type", unmarked),
    "a token that was changed": ("signature_of_another_text", "signature", signed_by_another_key),
    # -- what the provider says
    "an opaque token that is not active": (
        "inactive_token", "inactive", asked_about("VfGhUcHjKqLmNpQrStUvWx"),
    ),
    "an opaque token whose provider names no audience": (
        "answer_without_an_audience", "missing_claim", answered(aud=None),
    ),
    "an opaque token for another API": (
        "token_for_another_api", "audience", answered(aud="https://other.test"),
    ),
    "an opaque token, and the provider does not know this API": (
        "provider_that_cannot_be_asked", "provider_unavailable", answered(401),
    ),
    "an opaque token, and nobody answers": (
        "provider_that_cannot_be_asked", "provider_unavailable",
        asked_about("VfGhUcHjKqLmNpQrStUvWx", outage=True),
    ),
    "the provider's keys cannot be fetched": (
        "provider_that_cannot_be_asked", "provider_unavailable", without_keys,
    ),
    # -- proofs and certificates
    "a token without a key, sent as DPoP": (
        "token_that_is_not_bound", "not_bound", proof(proofs.request(proofs.proof(), token=proofs.PLAIN)),
    ),
    "no proof": ("proof_that_did_not_come", "proof_missing", proof(proofs.request())),
    "a proof of another key": (
        "proof_of_another_key", "key_binding", proof(proofs.request(proofs.proof(key=proofs.THIEF))),
    ),
    "a proof for another method": (
        "proof_for_another_method", "proof_method", proof(proofs.request(proofs.proof(htm="POST"))),
    ),
    "a proof of three minutes ago": (
        "proof_of_another_time", "proof_expired", proof(proofs.request(proofs.proof(iat=NOW - 180))),
    ),
    "a proof by a clock that is fast": (
        "proof_of_another_time", "proof_in_future", proof(proofs.request(proofs.proof(iat=NOW + 90))),
    ),
    "a proof for the token of before": (
        "proof_for_another_token", "proof_token_hash",
        proof(proofs.request(proofs.proof(proofs.bound(jti="x")))),
    ),
    "a proof that was used": ("proof_that_was_used", "proof_replayed", used_proof),
    "a proof without the nonce": ("nonce_that_is_asked_for", "nonce_missing", asks_for_a_nonce),
    "a certificate that did not come": (
        "certificate_that_did_not_come", "certificate_missing", with_certificate(shown=False),
    ),
    "a certificate that was renewed": (
        "certificate_of_somebody_else", "certificate", with_certificate(shown=True),
    ),
    # -- what the route asks for
    "a scope that is missing": ("scope_that_is_missing", "scope", asks(scope("orders:write"))),
    "a role that is missing": (
        "rule_that_is_not_fulfilled", "denied", asks(scope("orders:write") & role("admin"), roles=["staff"]),
    ),
    "roles in another place": (
        "roles_that_are_elsewhere", "denied", asks(role("admin"), realm_access={"roles": ["admin"]}),
    ),
    "too many groups, and a rule about one": (
        "groups_that_a_rule_asks_for", "denied",
        asks(scope("orders:read") & claim("groups", "packers"), _claim_names={"groups": "src1"}),
    ),
    "a login of yesterday": (
        "login_that_is_not_enough", "authentication",
        asks(fresh(max_age=300), auth_time=NOW - 86_400, acr="pwd"),
    ),
}  # fmt: skip
