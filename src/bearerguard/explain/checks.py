"""From one outcome to the list of checks: those before the one that failed are passed, others not reached.

Makes no check. The order is that of the pipeline, and a reason has one place in it.
"""

from __future__ import annotations

import re

from bearerguard._core.credentials import DPOP
from bearerguard.errors import AuthError
from bearerguard.explain.explanation import Check, Outcome
from bearerguard.explain.found import found_and_expected
from bearerguard.explain.situation import Situation

__all__: list[str] = []

_OF_JWTS = (
    "credentials", "size", "form", "issuer", "algorithm", "type", "key", "signature", "expiry", "beginning",
    "audience", "claims", "tenant", "kind", "introspection", "revocation", "binding", "rule",
)  # fmt: skip
_OF_OPAQUE = (
    "credentials", "size", "form", "introspection", "expiry", "beginning", "issuer", "audience", "kind",
    "claims", "revocation", "binding", "rule",
)  # fmt: skip
_BY_REASON = {
    "no_credentials": "credentials",
    "other_scheme": "credentials",
    "proof_required": "credentials",
    "malformed_header": "credentials",
    "repeated_header": "credentials",
    "several_tokens": "credentials",
    "request_unknown": "credentials",
    "cross_site": "credentials",
    "too_large": "size",
    "malformed": "form",
    "encrypted": "form",
    "critical": "form",
    "algorithm": "algorithm",
    "unknown_key": "key",
    "signature": "signature",
    "expired": "expiry",
    "not_yet_valid": "beginning",
    "audience": "audience",
    "inactive": "introspection",
    "revoked": "revocation",
    "too_old": "revocation",
    "revocation_store": "revocation",
}
_BY_CLAIM = {"iss": "issuer", "exp": "expiry", "cnf": "binding"}
_BY_MALFORMED_CLAIM = {**_BY_CLAIM, "nbf": "beginning", "iat": "beginning"}
_QUOTED = re.compile(r"(?<!\w)'([^']+)'")  # the apostrophe of "the token's" opens nothing


def checks_of(situation: Situation) -> tuple[Check, ...]:
    """Return every check that applies, in its order."""
    error = situation.error
    failed = None if error is None else check_of(error, situation)
    order = _OF_OPAQUE if situation.is_opaque else _OF_JWTS
    checks = []
    outcome: Outcome = "yes"
    for name in order:
        if name == failed:
            checks.append(Check(name, "no", *found_and_expected(name, situation)))
            outcome = "not reached"
        elif _applies(name, situation):
            checks.append(Check(name, outcome, *found_and_expected(name, situation)))
    return tuple(checks)


def check_of(error: AuthError, situation: Situation) -> str:
    """Return the name of the check that a refusal comes from."""
    reason = error.reason
    if situation.token is not None:
        return "rule"
    if reason == "issuer":
        if situation.is_opaque:
            return "form" if error.provider is None else "issuer"
        return "tenant" if situation.is_verified else "issuer"
    if reason == "type":
        return "kind" if situation.is_verified or situation.is_opaque else "type"
    if reason == "provider_unavailable":
        return "key" if "signing keys" in error.description else "introspection"
    if reason in ("missing_claim", "invalid_claim"):
        return _check_of_claim(error, situation)
    return _BY_REASON.get(reason, "binding")


def claim_in(error: AuthError) -> str | None:
    """Return the claim that a refusal names."""
    found = _QUOTED.search(error.description)
    return None if found is None else found[1]


def _check_of_claim(error: AuthError, situation: Situation) -> str:
    name = claim_in(error) or ""
    if name in {provider.audience_claim for provider in situation.trusted}:
        return "audience"
    # A date that is missing is one that the profile requires, and that is asked later.
    places = _BY_CLAIM if error.reason == "missing_claim" else _BY_MALFORMED_CLAIM
    return places.get(name, "claims")


def _applies(name: str, situation: Situation) -> bool:
    provider = situation.provider
    if name == "credentials":
        return situation.request is not None
    if name == "form":
        return not situation.is_opaque
    if name == "audience":
        return provider is None or not (provider.dangerously_accept_any_audience or provider.signer)
    if name == "tenant":
        return provider is not None and provider.issuer_template is not None
    if name == "kind":
        return provider is None or provider.profile.refuses_other_kinds
    if name == "claims":
        return provider is not None and bool(provider.profile.required_claims or provider.required_values)
    if name == "introspection":
        return situation.is_opaque or (
            provider is not None
            and provider.introspection is not None
            and provider.introspection.jwts == "verify_then_ask"
        )
    if name == "revocation":
        return situation.horizon is not None
    if name == "binding":
        scheme = None if situation.error is None else situation.error.scheme
        return "cnf" in situation.claims or bool(situation.proof) or scheme == DPOP
    return name != "rule" or situation.rule is not None
