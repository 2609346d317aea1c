"""Rules: what a route asks of a token, as values that decide, explain themselves and say what would help.

    scope("orders:write") & (role("admin") | claim("dept", "finance")) & fresh(max_age=300)

A rule is frozen, hashable, equal by value, and prints as the source that makes it. It is asked of a verified
token only, reads no clock (the token knows when it was verified) and answers nobody: a door does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from bearerguard.errors import ConfigurationError
from bearerguard.rules.algebra import Rule, RuleExplanation
from bearerguard.rules.asks import (
    AnyScope,
    Authenticated,
    Bound,
    Claim,
    Client,
    Fresh,
    Permission,
    Role,
    Scope,
    Subject,
)

__all__ = [
    "Rule",
    "RuleExplanation",
    "any_scope",
    "authenticated",
    "bound",
    "claim",
    "client",
    "fresh",
    "permission",
    "role",
    "scope",
    "subject",
]

authenticated: Rule = Authenticated()
"""Any valid token will do."""


def scope(*names: str) -> Rule:
    """Every one of these scopes (RFC 6749, section 3.3).

    Examples:
        >>> scope("orders:read") & ~role("guest")
        scope('orders:read') & ~role('guest')
    """
    for name in names:
        # A scope is something that a challenge can carry: RFC 6749, appendix A.4.
        if not isinstance(name, str) or not name or any(not "!" <= c <= "~" or c in '"\\' for c in name):
            raise ConfigurationError(f"scope({name!r}) is not a scope: name them one by one, without spaces.")
    return Scope(_given("scope", names))


def any_scope(*names: str) -> Rule:
    """One of these scopes."""
    scope(*names)
    return AnyScope(_given("any_scope", names))


def role(*names: str) -> Rule:
    """Every one of these roles, found where the provider's `roles_claim` says."""
    return Role(_given("role", names))


def permission(*names: str) -> Rule:
    """Every one of these permissions, from the claim `permissions`."""
    return Permission(_given("permission", names))


def client(*ids: str) -> Rule:
    """A token that was given to one of these clients (`client_id`, `azp` or `appid`)."""
    return Client(_given("client", ids))


def subject(*ids: str) -> Rule:
    """A token about one of these subjects (`sub`)."""
    return Subject(_given("subject", ids))


def claim(path: str | Sequence[str], expected: Any | Callable[[Any], object]) -> Rule:
    """A claim that is `expected`, holds it in an array, or, where `expected` is a function, passes it.

    Args:
        path: a claim's name, a dotted path such as `"realm_access.roles"`, or a list of keys.
        expected: a value, or a function of the claim's value. A function that raises is a defect of the
            application and surfaces as one; it is not called where there is no such claim.
    """
    keys = (path,) if isinstance(path, str) else tuple(path)
    if not keys or not all(isinstance(key, str) and key for key in keys):
        raise ConfigurationError(f"claim({path!r}, ...) has no claim to look at: give a name or a path.")
    if expected is None:
        raise ConfigurationError(f"claim({path!r}, None) can never match: give a value or a function.")
    try:
        hash(expected)
        if isinstance(expected, tuple | frozenset):
            raise TypeError  # nothing in JSON is equal to one
    except TypeError:
        raise ConfigurationError(
            f"claim({path!r}, {expected!r}) cannot be compared: give a function."
        ) from None
    return Claim(path if isinstance(path, str) else keys, expected, type(expected))


def bound(method: Literal["dpop", "mtls"] | None = None) -> Rule:
    """A token that its client has proven to be its own: by a DPoP proof, by its certificate, or by either.

    Where it is not, more scope or a new login does not help: the refusal is `InvalidToken`, reason
    `not_bound`.

    Args:
        method: `"dpop"` (RFC 9449) or `"mtls"` (RFC 8705); any by default.

    Examples:
        >>> scope("pay") & bound("dpop")
        scope('pay') & bound('dpop')
    """
    if method not in (None, "dpop", "mtls"):
        raise ConfigurationError(f"bound({method!r:.80}): write bound(), bound('dpop') or bound('mtls').")
    return Bound(method)


def fresh(*, max_age: float | None = None, acr: str | Iterable[str] = ()) -> Rule:
    """A login at most `max_age` seconds ago (`auth_time`), with one of these `acr` (RFC 9470)."""
    accepted = (acr,) if isinstance(acr, str) else tuple(acr)
    number = isinstance(max_age, int | float) and not isinstance(max_age, bool)
    if max_age is not None and not (number and 0 <= max_age < float("inf")):
        raise ConfigurationError(f"fresh(max_age={max_age!r}): give seconds, from 0 up.")
    for name in accepted:
        if not isinstance(name, str) or not name or any(not "!" <= c <= "~" for c in name):
            raise ConfigurationError(f"fresh(acr={name!r}): give names without spaces (RFC 9470, section 3).")
    if max_age is None and not accepted:
        raise ConfigurationError("fresh() asks for nothing: give max_age in seconds, acr, or both.")
    return Fresh(max_age, accepted)


def _given(function: str, names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigurationError(f"{function}({', '.join(map(repr, names))}) asks for nothing: give names.")
    return names
