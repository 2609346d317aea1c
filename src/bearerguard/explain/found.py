"""For each check: what the token or the request says, and what is configured. Words for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bearerguard._limits import MAX_TOKEN_BYTES
from bearerguard.explain.situation import Situation, date_in, duration, shown, written

__all__: list[str] = []

FoundExpected = tuple[str | None, str | None]
_SCHEMES = ("basic", "bearer", "digest", "dpop", "negotiate", "token", "apikey")
"""What may be shown of an `Authorization` field: anything else may be the token itself."""


def found_and_expected(check: str, situation: Situation) -> FoundExpected:
    """Return what was found for a check, and what is expected; None where there is nothing to say."""
    found, expected = _SAID[check](situation)
    if situation.is_unread and check in _CLAIMED and not (check == "audience" and situation.claims):
        found = None
    if found is not None and not situation.is_verified and check in _CLAIMED:
        found = f"{found} (claimed)"
    return found, expected


def _credentials(situation: Situation) -> FoundExpected:
    request = situation.request
    values = [] if request is None else request.values(b"authorization")
    if len(values) != 1:
        found = "no Authorization header" if not values else f"{len(values)} Authorization headers"
    else:
        scheme = values[0].partition(b" ")[0].decode("latin-1")
        known = scheme.lower() in _SCHEMES
        found = f"Authorization: {scheme} ..." if known else "an Authorization header without a known scheme"
    return found, "Authorization: Bearer <token>"


def _size(situation: Situation) -> FoundExpected:
    return f"{len(situation.text)} characters", f"at most {MAX_TOKEN_BYTES} characters"


def _form(situation: Situation) -> FoundExpected:
    parts = situation.text.count(".") + 1
    found = "text without dots" if parts == 1 else f"{parts} parts between dots"
    asked = [one.introspection for one in situation.providers if one.introspection is not None]
    if situation.is_opaque and all(one.token_prefix is not None for one in asked):
        return found, f"a token that begins with {_one_of(one.token_prefix for one in asked)}"
    return found, "a JWT: three parts with a dot between them, the first two base64url of JSON objects"


def _issuer(situation: Situation) -> FoundExpected:
    expected = tuple(dict.fromkeys(situation.issuers))
    if not expected:
        function = "an issuer that the server's function accepts"
        return _member(situation.claims, "iss"), function if not situation.providers else "any issuer"
    return _member(situation.claims, "iss"), _one_of(expected)


def _algorithm(situation: Situation) -> FoundExpected:
    return _member(situation.header, "alg"), _one_of(_all(situation, lambda one: sorted(one.algorithms)))


def _type(situation: Situation) -> FoundExpected:
    types = _all(situation, lambda one: sorted(name for name in one.profile.types if name is not None))
    absent = " or none" if any(None in one.profile.types for one in situation.trusted) else ""
    return _member(situation.header, "typ"), _one_of(types) + absent


def _key(situation: Situation) -> FoundExpected:
    kid = situation.header.get("kid")
    found = "no kid" if kid is None else f"kid {shown(kid)}"
    return found, "a key that the provider publishes, of this kid and for this algorithm"


def _signature(_: Situation) -> FoundExpected:
    return None, "the signature of that key over header and payload"


def _expiry(situation: Situation) -> FoundExpected:
    return _date(situation, "exp"), f"later than {duration(_leeway(situation))} ago"


def _beginning(situation: Situation) -> FoundExpected:
    found = [f"{name} {_date(situation, name)}" for name in ("nbf", "iat") if name in situation.claims]
    expected = f"not more than {duration(_leeway(situation))} ahead"
    return ", ".join(found) or "neither nbf nor iat", expected


def _audience(situation: Situation) -> FoundExpected:
    names = _all(situation, lambda one: [one.audience_claim])
    found = _member(situation.claims, names[0] if names else "aud")
    return found, _one_of(_all(situation, lambda one: one.audiences))


def _claims(situation: Situation) -> FoundExpected:
    provider = situation.provider
    if provider is None:
        return None, None
    fixed = {name: _one_of(values) for name, values in provider.required_values.items()}
    named = dict.fromkeys((*provider.profile.required_claims, *fixed))
    found = ", ".join(f"{name} {_member(situation.claims, name)}" for name in fixed)
    missing = [name for name in named if situation.claims.get(name) is None]
    if missing and not situation.is_opaque:
        found = ", ".join(filter(None, (found, f"without {', '.join(missing)}")))
    expected = ", ".join(f"{name} {fixed[name]}" if name in fixed else name for name in named)
    return found or None, expected or None


def _tenant(situation: Situation) -> FoundExpected:
    provider = situation.provider
    template = None if provider is None else provider.issuer_template
    claim = "tid" if template is None else template.claim
    return f"{claim} {_member(situation.claims, claim)}", "a tenant that the provider's tenants= names"


def _kind(situation: Situation) -> FoundExpected:
    says = [
        f"{name} {shown(situation.claims[name])}"
        for name in ("typ", "token_use", "token_type")
        if name in situation.claims
    ]
    marks = [name for name in ("nonce", "at_hash", "c_hash", "events", "code") if name in situation.claims]
    return ", ".join([*says, *(f"has {name}" for name in marks)]) or None, "an access token"


def _introspection(situation: Situation) -> FoundExpected:
    error = situation.error
    found = None if error is None or error.reason != "inactive" else "active: false"
    return found, "the provider says that the token is active"


def _revocation(situation: Situation) -> FoundExpected:
    reason = None if situation.error is None else situation.error.reason
    age = "issued " + (_date(situation, "iat") if "iat" in situation.claims else "nobody says when")
    found: str | None = f"{age}; revoked" if reason == "revoked" else age
    if situation.is_unread:
        found = "revoked" if reason == "revoked" else None
    if reason == "revocation_store":
        found = "what was revoked cannot be told right now"
    return found, f"not revoked, and issued within {duration(situation.horizon or 0)}"


def _binding(situation: Situation) -> FoundExpected:
    confirmation = situation.claims.get("cnf")
    ways = {"jkt": "a DPoP proof by this key", "x5t#S256": "this client certificate"}
    bound = [way for name, way in ways.items() if isinstance(confirmation, dict) and name in confirmation]
    found = "bound to a key" if bound else "not bound to a key"
    if situation.is_unread:
        return found, "what the token is bound to, proven by the request"
    if situation.proof:
        said = ", ".join(f"{name} {_member(situation.proof, name)}" for name in ("htm", "htu"))
        found += f"; the proof claims {said}"
    return found, " and ".join(bound) or "a token that is bound to a key, or Bearer"


def _rule(situation: Situation) -> FoundExpected:
    if situation.token is None or situation.rule is None:
        return None, None if situation.rule is None else shown_rule(situation.rule)
    return _lines(str(situation.rule.explain(situation.token))), shown_rule(situation.rule)


def shown_rule(rule: Any) -> str:
    """Return a rule as the source that makes it, on one line."""
    return repr(rule)


_SAID: dict[str, Callable[[Situation], FoundExpected]] = {
    "credentials": _credentials,
    "size": _size,
    "form": _form,
    "issuer": _issuer,
    "algorithm": _algorithm,
    "type": _type,
    "key": _key,
    "signature": _signature,
    "expiry": _expiry,
    "beginning": _beginning,
    "audience": _audience,
    "claims": _claims,
    "tenant": _tenant,
    "kind": _kind,
    "introspection": _introspection,
    "revocation": _revocation,
    "binding": _binding,
    "rule": _rule,
}
_CLAIMED = {
    "issuer", "algorithm", "type", "key", "expiry", "beginning", "audience", "claims", "tenant", "kind",
    "binding",
}  # fmt: skip


def _member(members: dict[str, Any], name: str) -> str:
    return shown(members[name]) if name in members else "none"


def _one_of(values: Any) -> str:
    texts = [shown(value) for value in values]
    return texts[0] if len(texts) == 1 else f"one of {', '.join(texts)}" if texts else "none"


def _all(situation: Situation, values: Callable[[Any], Any]) -> list[Any]:
    """What the provider is configured with, or all of them together where it is not known which."""
    return list(dict.fromkeys(value for provider in situation.trusted for value in values(provider)))


def _leeway(situation: Situation) -> float:
    return max((provider.leeway for provider in situation.trusted), default=0.0)


def _date(situation: Situation, name: str) -> str:
    date = date_in(situation.claims, name)
    if date is None:
        return _member(situation.claims, name)
    where = "ago" if date <= situation.now else "ahead"
    return f"{shown(situation.claims[name])} ({written(date)}), {duration(date - situation.now)} {where}"


def _lines(text: str) -> str:
    return "\n".join(
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        for line in text.split("\n")
    )
