"""Whom a server trusts, arranged so that the verifier of a token is found by one look-up of its `iss`.

Everything that only some providers need is composed here, when a server is built: a token of a plain provider
meets none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from bearerguard._core.claims import ClaimCheck, ClaimChecks, compose_checks
from bearerguard._core.issuer_template import IssuerTemplate
from bearerguard._core.token_kind import refuse_unbound_dpop
from bearerguard._flows.effects import KeySource
from bearerguard._flows.jwt import JwtVerifier, SameIssuer
from bearerguard._flows.tenants import TenantVerifier, tenant_checks
from bearerguard.provider import Provider

if TYPE_CHECKING:
    from bearerguard._flows.by_subject import BySubject
    from bearerguard._flows.introspection import Introspector, VerifyThenAsk
    from bearerguard._flows.per_kid import PerKidVerifier

# What only some providers need is imported where one of them needs it.
OneVerifier: TypeAlias = "JwtVerifier | PerKidVerifier | VerifyThenAsk"
AnyVerifier: TypeAlias = "OneVerifier | SameIssuer | BySubject"


class Trust(Struct, frozen=True):
    """Whom to ask about a token.

    Attributes:
        by_issuer: the verifier by the token's issuer; under None, the one for all other tokens.
        by_template: the verifiers of issuers whose tenants only a function knows.
    """

    by_issuer: dict[str | None, AnyVerifier]
    by_template: tuple[tuple[IssuerTemplate, AnyVerifier], ...]


def trust_in(
    providers: Iterable[tuple[Provider, KeySource]],
    clock: Callable[[], float],
    introspectors: Mapping[str, Introspector],
) -> Trust:
    """Return whom to ask about the tokens of some providers.

    Args:
        providers: each with where its keys are.
        clock: seconds since 1970.
        introspectors: by their names, those of the providers that can be asked about tokens.
    """
    by_issuer: dict[str | None, list[OneVerifier]] = {}
    by_template: dict[IssuerTemplate, list[OneVerifier]] = {}
    domains: dict[str, list[OneVerifier]] = {}
    for provider, source in providers:
        verifier = verifier_of(provider, source, clock)
        introspector = introspectors.get(provider.name)
        if introspector is not None and introspector.jwts == "ask":
            continue  # nothing that is said to be the provider's is verified here
        if introspector is not None and introspector.jwts == "verify_then_ask":
            from bearerguard._flows.introspection import VerifyThenAsk  # noqa: PLC0415 - as said above

            verifier = VerifyThenAsk(verifier, introspector)
        template, tenants = provider.issuer_template, provider.tenants
        if provider.trust_domain is not None:
            domains.setdefault(provider.trust_domain, []).append(verifier)
        elif template is None:
            for issuer in (provider.issuer, *provider.issuer_aliases):
                by_issuer.setdefault(issuer, []).append(verifier)
        elif isinstance(tenants, tuple):
            for tenant in tenants:
                by_issuer.setdefault(template.issuer_of(tenant), []).append(verifier)
        else:
            by_template.setdefault(template, []).append(verifier)
    issuers = {issuer: one_of(same) for issuer, same in by_issuer.items()}
    templates = tuple((template, one_of(same)) for template, same in by_template.items())
    if not domains:
        return Trust({**issuers}, templates)
    from bearerguard._flows.by_subject import BySubject  # noqa: PLC0415 - as said above

    # `sub` is looked at before whoever `iss` chooses is asked.
    by_domain = {name: one_of(same) for name, same in domains.items()}
    return Trust(
        {
            None: BySubject(by_domain, None),
            **{issuer: BySubject(by_domain, verifier) for issuer, verifier in issuers.items()},
        },
        tuple((template, BySubject(by_domain, verifier)) for template, verifier in templates),
    )


def speaks_for(provider: Provider, issuer: str) -> bool:
    """Whether what a provider signs in the name of an issuer is trusted."""
    template, tenants = provider.issuer_template, provider.tenants
    if template is None:
        return issuer in (provider.issuer, *provider.issuer_aliases)
    if isinstance(tenants, tuple):
        return any(template.issuer_of(tenant) == issuer for tenant in tenants)
    return template.fits(issuer)


def one_of(same: list[OneVerifier]) -> OneVerifier | SameIssuer:
    """Return who decides for providers that are told apart by nothing in a token."""
    return same[0] if len(same) == 1 else SameIssuer(tuple(same))


def verifier_of(provider: Provider, source: KeySource, clock: Callable[[], float]) -> OneVerifier:
    """Return a provider's verifier, with all its checks composed."""
    profile = provider.profile
    checks_audience = not provider.dangerously_accept_any_audience and provider.signer is None
    check = compose_checks(
        leeway=provider.leeway,
        audiences=provider.audiences if checks_audience else None,
        audience_claim=provider.audience_claim,
        required=profile.required_claims,
        required_values=provider.required_values,
        also=_checks_of_few(provider),
    )
    return by_keys_of(
        provider, source, clock, profile.types, check, refuses_other_kinds=profile.refuses_other_kinds
    )


def by_keys_of(
    provider: Provider,
    source: KeySource,
    clock: Callable[[], float],
    types: Collection[str | None],
    check: ClaimChecks,
    *,
    refuses_other_kinds: bool,
) -> JwtVerifier | PerKidVerifier:
    """Return what verifies one kind of a provider's tokens: by its keys, and by checks of that kind."""
    kind = JwtVerifier if provider.issuer_template is None else TenantVerifier
    verifier = kind(provider, source, clock, provider.algorithms, types, check, refuses_other_kinds)
    remote = provider.remote_keys
    if remote is None or remote.kid_pattern is None:
        return verifier
    from bearerguard._flows.per_kid import per_kid  # noqa: PLC0415 - few providers need it

    return per_kid(verifier)


def _checks_of_few(provider: Provider) -> tuple[ClaimCheck, ...]:
    if provider.trust_domain is not None:
        from bearerguard._flows.by_subject import of_trust_domain  # noqa: PLC0415 - as said above

        return (of_trust_domain(provider.trust_domain),)
    if "DPoP" in provider.required_values.get("typ", ()):
        return (refuse_unbound_dpop, *tenant_checks(provider))
    return tenant_checks(provider)
