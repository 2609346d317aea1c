"""From what was asked and its one outcome to the explanation. Makes no check of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bearerguard.errors import AuthError
from bearerguard.explain.causes import cause_of
from bearerguard.explain.checks import checks_of
from bearerguard.explain.explanation import Explanation
from bearerguard.explain.situation import Situation, parts_of
from bearerguard.provider import Provider
from bearerguard.request import Headers, Incoming, as_request
from bearerguard.rules import Rule
from bearerguard.rules.algebra import checked_rule
from bearerguard.token import AccessToken, apart

if TYPE_CHECKING:
    from bearerguard.explain.explains import Explains

__all__: list[str] = []

_AFTER_THE_VERDICT = frozenset(
    {
        "sender_constrained",
        "not_bound",
        "key_binding",
        "certificate_missing",
        "certificate",
        "nonce_missing",
        "nonce",
        "too_many_proofs",
        "replay_store",
        "revoked",
        "too_old",
        "revocation_store",
    }
)


def explained(
    server: Explains,
    asked: str | Incoming | Headers,
    rule: Rule | None,
    outcome: AccessToken | AuthError,
) -> Explanation:
    """Return the explanation of an outcome.

    Args:
        server: which came to it.
        asked: the token or the request.
        rule: what a route asks of the token.
        outcome: the verified token, or the refusal.

    Raises:
        ConfigurationError: the rule is not a rule.
    """
    if rule is not None:
        checked_rule(rule)
    request = None if isinstance(asked, str) else as_request(asked)
    text = asked if isinstance(asked, str) else text_in(request, server)
    error = outcome if isinstance(outcome, AuthError) else None
    token = None if isinstance(outcome, AuthError) else apart(outcome)
    if token is not None and rule is not None and not rule.allows(token):
        error = rule.refusal(token)
    situation = situation_of(server, text, request, rule, token, error)
    cause, advice = cause_of(situation) or (None, None)
    reason = None if error is None else error.reason
    return Explanation(error is None, reason, checks_of(situation), cause, advice)


def situation_of(  # noqa: PLR0917 - each is a part of the situation
    server: Explains,
    text: str,
    request: Incoming | None,
    rule: Rule | None,
    token: AccessToken | None,
    error: AuthError | None,
) -> Situation:
    """Return what is known, of the token without believing it where it is not verified."""
    header, claims = parts_of(text)
    is_opaque = token.is_opaque if token is not None else _is_asked_about(server.providers, error, claims)
    is_verified = error is not None and _is_verified(error) and not (is_opaque and claims)
    provider = token.provider if token is not None else _provider_of(server.providers, error, claims)
    if token is not None:
        claims = token.claims_copy()
    elif is_opaque and not claims:
        claims = _answered(error, provider)
    return Situation(
        text=text,
        header=header,
        claims=claims,
        proof=_proof_in(request),
        error=error,
        is_verified=token is not None or is_verified,
        is_opaque=is_opaque,
        provider=provider,
        providers=server.providers,
        horizon=None if server.revocation is None else server.revocation.horizon,
        now=server._clock(),  # noqa: SLF001 - what explains is the server's other half
        request=request,
        trouble=_trouble(server, provider, error),
        resource=server.resource,
        rule=rule,
        token=token,
    )


def text_in(request: Incoming | None, server: Explains) -> str:
    """Return what a request carries as its token, from where the server looks; empty without one."""
    assert request is not None  # noqa: S101 - what is not text is a request
    places: Any = server._places  # noqa: SLF001 - as above
    if places is not None:
        try:
            return str(places.found(request, None)[0], "latin-1")
        except AuthError:
            pass
    values = request.values(b"authorization")
    return values[0].partition(b" ")[2].strip(b" ").decode("latin-1") if values else ""


def _proof_in(request: Incoming | None) -> dict[str, Any]:
    values = [] if request is None else request.values(b"dpop")
    return parts_of(values[0].decode("latin-1"))[1] if len(values) == 1 else {}


def _provider_of(
    providers: tuple[Provider, ...], error: AuthError | None, claims: dict[str, Any]
) -> Provider | None:
    """The provider that refused, or whose token it claims to be."""
    named = None if error is None else error.provider
    issuer = claims.get("iss")
    for provider in providers:
        if provider.name == named or (
            named is None and issuer is not None and issuer in (provider.issuer, *provider.issuer_aliases)
        ):
            return provider
    return providers[0] if len(providers) == 1 else None


def _trouble(server: Explains, provider: Provider | None, error: AuthError | None) -> str | None:
    """What was in the way when a provider was asked, as the server's own report says it."""
    if provider is None or error is None or error.reason != "provider_unavailable":
        return None
    health = server.health()["providers"].get(provider.name, {})
    report = health if "signing keys" in error.description else health.get("introspection") or {}
    failure = report.get("last_failure")
    return None if failure is None else str(failure["message"])


def _is_verified(error: AuthError) -> bool:
    """Whether the signature had been verified: what operators are told of the claims is told only then."""
    return (
        "sub" in error.facts or error.reason in _AFTER_THE_VERDICT or error.reason.startswith("proof_")
    ) and error.reason != "proof_required"


def _is_asked_about(providers: tuple[Provider, ...], error: AuthError | None, claims: dict[str, Any]) -> bool:
    named = None if error is None else error.provider
    asked = [one for one in providers if one.introspection is not None and named in (None, one.name)]
    issuer = claims.get("iss")
    return bool(asked) and not any(
        issuer in (one.issuer, *one.issuer_aliases)
        and (one.introspection is None or one.introspection.jwts != "ask")
        for one in providers
        if issuer is not None
    )


def _answered(error: AuthError | None, provider: Provider | None) -> dict[str, Any]:
    """What is known of an answer for which a token was refused: what operators are told of it."""
    if error is None or provider is None or error.facts.get("audience_found") is None:
        return {}
    return {provider.audience_claim: error.facts["audience_found"]}
