"""Causes of refusals by a rule: the token is good, and lacks what the route asks for."""

from __future__ import annotations

from collections.abc import Iterator

from bearerguard.explain.situation import Cause, Situation, date_in, duration, shown
from bearerguard.rules import RuleExplanation

__all__: list[str] = []

_ROLES = ("realm_access", "resource_access", "cognito:groups", "groups")
"""Where providers put roles that are not in `roles`."""


def scope_that_is_missing(situation: Situation) -> Cause | None:
    """The client has not asked for it, or the user has not agreed."""
    error, token = situation.error, situation.token
    if token is None or error is None or not situation.is_refused_for("scope"):
        return None
    wanted = " ".join(getattr(error, "scopes", ()))
    had = " ".join(sorted(token.scopes)) or "none"
    return Cause(
        f"The route asks for the scope {shown(wanted)}, and the token has {shown(had)}.",
        "Have the client ask the provider for that scope; a user, or an administrator, may have to agree to "
        "it.",
    )


def login_that_is_not_enough(situation: Situation) -> Cause | None:
    """Too long ago, or too weak."""
    if not situation.is_refused_for("authentication"):
        return None
    at = date_in(situation.claims, "auth_time")
    when = "does not say when" if at is None else f"was {duration(situation.now - at)} ago"
    how = shown(situation.claims["acr"]) if "acr" in situation.claims else "none"
    return Cause(
        f"The route asks for a newer or a stronger login: that of this token {when}, and its acr is {how}.",
        "Have the client send the user to log in again, with max_age and acr_values as the challenge names "
        "them.",
    )


def roles_that_are_elsewhere(situation: Situation) -> Cause | None:
    """The token has roles, in a place where nobody looks."""
    token = situation.token
    if (
        token is None
        or token.roles
        or not situation.is_refused_for("denied")
        or not _asks_for(situation, "role(")
    ):
        return None
    places = [name for name in situation.claims if name in _ROLES or name.endswith(("/roles", ":roles"))]
    if not places:
        return None
    return Cause(
        "The token has no roles where Provider(roles_claim=...) looks, and may have them in "
        f"{shown(places[0])}.",
        "Use the provider's preset, which knows where they are, or write the path into roles_claim.",
    )


def leaves_out_groups(situation: Situation) -> bool:
    """Whether a token says only where its groups are (OpenID Connect Core, section 5.6.2): they are many."""
    elsewhere = situation.claims.get("_claim_names")
    return (isinstance(elsewhere, dict) and "groups" in elsewhere) or bool(situation.claims.get("hasgroups"))


def groups_that_a_rule_asks_for(situation: Situation) -> Cause | None:
    """Whoever is in too many groups has the one that is asked for, perhaps, and no new token would say so."""
    if not situation.is_refused_for("denied") or not leaves_out_groups(situation):
        return None
    if not _asks_for(situation, "claim('groups', ", "claim(['groups'], "):
        return None
    return Cause(
        "The route asks for groups, and the token leaves them out, as there are too many.",
        "Use roles of the application in place of groups.",
    )


def rule_that_is_not_fulfilled(situation: Situation) -> Cause | None:
    """Anything else that the client cannot ask for."""
    token, rule = situation.token, situation.rule
    if token is None or rule is None or not situation.is_refused_for("denied"):
        return None
    leaves = list(_failing(rule.explain(token)))
    # A scope may be missing too; but that would not help, and the reason is another.
    leaf = next((one for one in leaves if "scope(" not in repr(one.rule)), None)
    if leaf is None:
        return None
    return Cause(
        f"The route asks for {shown(repr(leaf.rule))[1:-1]}: {shown(leaf.reason)[1:-1]}.",
        "Give the user or the client what is missing, at the provider, and have it get a new token; more "
        "scope does "
        "not help.",
    )


def _failing(verdict: RuleExplanation) -> Iterator[RuleExplanation]:
    """The leaves that are not fulfilled."""
    if verdict.allowed:
        return
    if not verdict.parts:
        yield verdict
    for part in verdict.parts:
        yield from _failing(part)


def _asks_for(situation: Situation, *beginnings: str) -> bool:
    """Whether a leaf that is not fulfilled is written so."""
    token, rule = situation.token, situation.rule
    if token is None or rule is None:
        return False
    return any(repr(leaf.rule).startswith(beginnings) for leaf in _failing(rule.explain(token)))


RULING_CAUSES = (
    scope_that_is_missing,
    login_that_is_not_enough,
    roles_that_are_elsewhere,
    groups_that_a_rule_asks_for,
    rule_that_is_not_fulfilled,
)
"""The more particular first."""
