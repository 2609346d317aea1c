"""Makes what people meet, by a real token and a real configuration each: functions that explain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bearerguard import (
    RFC9068,
    ClientCertificate,
    DPoP,
    Provider,
    Request,
    ResourceServer,
    Revocation,
    Rule,
    presets,
)
from bearerguard.explain import Explanation
from bearerguard.testing import Clock, Issuer, SigningKey, certificate_and_key, proxy_header, signing_key
from bearerguard.testing.likeness import ARN
from tests import proofs
from tests.hostile import minting
from tests.hostile.minting import ABSENT, AUDIENCE, ISSUER, NOW

__all__ = ["ABSENT", "AUDIENCE", "ISSUER", "NOW"]

GUID = "11111111-2222-3333-4444-555555555555"
V1, V2 = f"https://sts.windows.net/{GUID}/", f"https://login.microsoftonline.com/{GUID}/v2.0"
COGNITO = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI"
KEYCLOAK = "https://login.example/realms/shop"
TOKEN = minting.token()


Explained = Callable[[], Explanation]


def of(*, header: dict[str, Any] | None = None, **claims: Any) -> Explained:
    """A token of the issuer that is trusted, but for these members."""
    return lambda: minting.server().explain(minting.token(header=header, **claims))


def at(configured: str, *, iss: str | None = None, **claims: Any) -> Explained:
    """A token at a server that trusts this issuer, which signed it; `iss` where it says another."""

    def explain() -> Explanation:
        issuer = Issuer(configured, audience=AUDIENCE, algorithm="ES256", clock=Clock(NOW))
        key = minting.key_for("ES256", issuer)
        server = ResourceServer(issuer.provider(keys=issuer.jwks()), clock=issuer.clock)
        head = {"alg": "ES256", "kid": key.kid}
        return server.explain(
            minting.sign(head, {**minting.CLAIMS, "iss": iss or configured, **claims}, key, "ES256")
        )

    return explain


def text(given: str, server: Callable[[], ResourceServer] = minting.server) -> Explained:
    """Text that is not a token."""
    return lambda: server().explain(given)


def header(value: str) -> Explained:
    """A request with this Authorization field."""
    return lambda: minting.server().explain(Request("GET", proofs.URL, {"Authorization": value}))


def proof(asked: Request) -> Explained:
    """A request with a DPoP proof."""
    return lambda: proofs.server().explain(asked)


def auth0(given: str) -> Explained:
    provider = presets.auth0("shop.eu.auth0.com", "https://api.test")
    return lambda: ResourceServer(provider, clock=Clock(NOW)).explain(given)


def rotated() -> Explanation:
    issuer = Issuer(ISSUER, audience=AUDIENCE, algorithm="ES256", clock=Clock(NOW))
    token = minting.sign(
        {"alg": "ES256", "kid": "key-of-last-year", "typ": "at+jwt"},
        {**minting.CLAIMS, "iat": NOW - 86400 * 3},
        minting.key_for("ES256"),
        "ES256",
    )
    return ResourceServer(issuer.provider(keys=issuer.jwks()), clock=issuer.clock).explain(token)


def revoked(**claims: Any) -> Explained:
    """A token at a server that takes tokens back, which it does with this one's subject."""

    def explain() -> Explanation:
        issuer = minting.issuer
        keys = issuer.jwks()
        server = ResourceServer(
            issuer.provider(keys=keys), clock=issuer.clock, revocation=Revocation(horizon=7200)
        )
        server.revoke(subject=minting.CLAIMS["sub"])
        return server.explain(minting.token(**claims))

    return explain


def like(
    preset: str,
    *arguments: Any,
    sub: str = "ada",
    header: dict[str, Any] | None = None,
    tenants: list[str] | None = None,
    **claims: Any,
) -> Explained:
    """A token as a real provider issues it, but for these members, at a server that trusts its preset.

    Args:
        preset: its name.
        *arguments: of the preset; made-up ones if left out.
        sub: about whom the token is.
        header: members of the token's header that replace or add.
        tenants: an argument of the preset.
        **claims: claims that replace or add; None leaves one out.
    """

    def explain() -> Explanation:
        named = {} if tenants is None else {"tenants": tenants}
        issuer = Issuer.like(preset, *arguments, clock=Clock(NOW), **named)
        return issuer.resource_server().explain(issuer.token(sub, header=header, **claims))

    return explain


def text_for(provider: Provider, given: str) -> Explained:
    """Text that is not a token, at a server that trusts a preset."""
    return lambda: ResourceServer(provider, clock=Clock(NOW)).explain(given)


def fields(*pairs: tuple[str, str], preset: str | None = None, url: str = proofs.URL) -> Explained:
    """A request with these header fields, and no others."""

    def explain() -> Explanation:
        issuer = minting.issuer if preset is None else Issuer.like(preset, clock=Clock(NOW))
        return issuer.resource_server().explain(Request("GET", url, pairs))

    return explain


def asks(rule: Rule, **claims: Any) -> Explained:
    """A good token, and a route that asks for more."""
    return lambda: minting.server().explain(minting.token(**claims), rule=rule)


def signed_by_another_key() -> Explanation:
    """A token that names a key of the provider, and is signed by another."""
    ours, other = signing_key("P-256"), signing_key("P-256")
    provider = Provider(ISSUER, audience=AUDIENCE, keys=[SigningKey("key-1", ours.private).public_jwk()])
    token = minting.sign({"alg": "ES256", "kid": "key-1"}, minting.CLAIMS, other, "ES256")
    return ResourceServer(provider, clock=Clock(NOW)).explain(token)


def unmarked() -> Explanation:
    return minting.server(profile=RFC9068).explain(minting.token(header={"typ": "JWT"}))


def signed_with(alg: str, **options: Any) -> Explained:
    """A token whose header names this algorithm."""
    return lambda: minting.server(**options).explain(minting.token(header={"alg": alg}))


def asked_about(given: str, *, outage: bool = False) -> Explained:
    """An opaque token, about which the provider is asked."""

    def explain() -> Explanation:
        issuer = Issuer(ISSUER, audience=AUDIENCE, clock=Clock(NOW))
        server = issuer.resource_server(introspection=True, keys=issuer.jwks())
        if not outage:
            return server.explain(given)
        with issuer.outage():
            return server.explain(given)

    return explain


def answered(status: int = 200, **members: Any) -> Explained:
    """An opaque token, of which the provider says this; or it answers with another status."""

    def explain() -> Explanation:
        issuer = Issuer(ISSUER, audience=AUDIENCE, algorithm="ES256", clock=Clock(NOW))
        with issuer.resource_server(introspection=True) as server:
            token = issuer.opaque_token("ada", **members)
            if status == 200:
                return server.explain(token)
            with issuer.outage(status, path="/introspect"):
                return server.explain(token)

    return explain


def without_keys() -> Explanation:
    issuer = Issuer(ISSUER, audience=AUDIENCE, clock=Clock(NOW))
    with issuer.outage(status=500):
        return issuer.resource_server().explain(issuer.token())


def used_proof() -> Explanation:
    server, made = proofs.server(), proofs.proof()
    server.authenticate(proofs.request(made))
    return server.explain(proofs.request(made))


def asks_for_a_nonce() -> Explanation:
    server = proofs.server(DPoP(nonce="a secret of thirty-two characters"))
    return server.explain(proofs.request(proofs.proof()))


def from_another_load_balancer() -> Explanation:
    issuer = Issuer.like("aws_alb", clock=Clock(NOW))
    token = issuer.token("ada", header={"signer": ARN.replace("app/shop", "app/blog")})
    return issuer.resource_server().explain(Request("GET", proofs.URL, {"x-amzn-oidc-data": token}))


def with_certificate(*, shown: bool) -> Explained:
    """A token that is bound to a certificate, in a request that shows another or none."""

    def explain() -> Explanation:
        issuer = minting.issuer
        token = issuer.token(bound_to=certificate_and_key().der)
        server = issuer.resource_server(
            keys=issuer.jwks(), certificate=ClientCertificate.from_proxy("nginx", peers="10.0.0.5")
        )
        fields = {"Authorization": f"Bearer {token}"}
        if shown:
            fields |= proxy_header("nginx", certificate_and_key().der)
        return server.explain(Request("GET", proofs.URL, fields, peer="10.0.0.5"))

    return explain
