"""The algebra of rules: what every rule can do, and how rules combine with `&`, `|` and `~`.

A rule decides, explains itself, and knows what a client could do about a refusal. What single rules ask is
not known here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from bearerguard._limits import MAX_ALTERNATIVES
from bearerguard.errors import (
    AccessDenied,
    AuthError,
    ConfigurationError,
    InsufficientScope,
    InsufficientUserAuthentication,
)
from bearerguard.token import AccessToken

__all__ = ["All", "Alternative", "AnyOf", "Login", "Not", "Remedy", "Rule", "RuleExplanation"]

Alternative = frozenset[str]
"""Scopes that are needed together."""


class RuleExplanation(msgspec.Struct, frozen=True):
    """A rule's verdict about a token, with the verdicts of its parts; prints as a tree.

    Attributes:
        rule: the rule.
        allowed: whether it is fulfilled.
        reason: one sentence. It may name claims of the token: for operators, not for clients.
        parts: the same for the rules that it is made of.
    """

    rule: Rule
    allowed: bool
    reason: str
    parts: tuple[RuleExplanation, ...] = ()

    def __str__(self) -> str:
        lines = [f"{'yes' if self.allowed else 'no '}  {self.rule!r}: {self.reason}"]
        lines += ["     " + line for part in self.parts for line in str(part).splitlines()]
        return "\n".join(lines)


class Login(msgspec.Struct, frozen=True):
    """A login that would do: at most so many seconds ago, with one of some `acr`."""

    max_age: float | None = None
    acr: tuple[str, ...] = ()


class Remedy(msgspec.Struct, frozen=True):
    """What a client can do about a refusal: get more scope, have the user log in again, or nothing."""

    scopes: Alternative = frozenset()
    login: Login | None = None
    hopeless: AuthError | None = None

    @property
    def effort(self) -> tuple[int, int, int]:
        """How much it asks of a client: of several remedies, the one that asks least is told."""
        return (self.hopeless is not None, self.login is not None, len(self.scopes))


class Rule(msgspec.Struct, frozen=True):
    """What a route asks of a token. Combine with `&`, `|` and `~`; make one with the functions below."""

    def allows(self, token: AccessToken) -> bool:
        """Whether the token fulfils the rule."""
        raise NotImplementedError

    def explain(self, token: AccessToken) -> RuleExplanation:
        """Return the verdict as a tree, with a sentence for each part of the rule.

        Examples:
            ```python
            from bearerguard import scope
            from bearerguard.testing import Issuer

            issuer = Issuer(audience="https://api.example")
            token = issuer.resource_server().verify(issuer.token(scope="b"))
            assert str(scope("a").explain(token)) == "no   scope('a'): the token has the scopes b"
            ```
        """
        allowed = self.allows(token)
        return RuleExplanation(self, allowed, self.say(token))

    def describe(self) -> str:
        """Return what the rule asks for, for readers of the API's documentation.

        Subjects and clients are not named: a document is read by more people than may know them.

        Examples:
            >>> from bearerguard import claim, role, scope
            >>> (scope("orders:write") & (role("admin") | claim("dept", "finance"))).describe()
            'the scope `orders:write` and (the role `admin` or the claim `dept` with the value `"finance"`)'
        """
        return "what this API decides by itself"

    def refusal(self, token: AccessToken) -> AuthError:
        """Return the error for a token that does not fulfil the rule; its challenge names what would help.

        `InsufficientScope` where more scope helps (RFC 6750, section 3.1), `InsufficientUserAuthentication`
        where a new login does (RFC 9470), `AccessDenied` where nothing does that a client can do.
        """
        remedy = self.remedy(token)
        if remedy.hopeless is not None:
            return remedy.hopeless
        if remedy.scopes and not remedy.scopes <= token.scopes:
            scopes = sorted(remedy.scopes)
            return InsufficientScope("scope", "The token does not have the scope that is needed.", scopes)
        wanted = remedy.login or Login()
        return InsufficientUserAuthentication(
            "authentication",
            "The user has to log in again, or more strongly.",
            max_age=wanted.max_age,
            acr_values=wanted.acr,
        )

    def scopes(self) -> frozenset[str]:
        """Return every scope that the rule names."""
        return frozenset().union(*self.alternatives())

    def alternatives(self) -> tuple[Alternative, ...]:
        """Return the sets of scopes each of which is enough, as far as scopes go."""
        return (frozenset(),)

    def security_requirement(self, scheme: str) -> list[dict[str, list[str]]]:
        """Return the OpenAPI security requirement: alternatives, each with scopes that are needed together.

        Examples:
            >>> from bearerguard import scope
            >>> (scope("a") | scope("b")).security_requirement("oauth2")
            [{'oauth2': ['a']}, {'oauth2': ['b']}]
        """
        return [{scheme: sorted(scopes)} for scopes in self.alternatives()]

    def __and__(self, other: Rule) -> Rule:
        return All(_parts(All, self, other)) if isinstance(other, Rule) else NotImplemented

    def __or__(self, other: Rule) -> Rule:
        return AnyOf(_parts(AnyOf, self, other)) if isinstance(other, Rule) else NotImplemented

    def __invert__(self) -> Rule:
        return self.rule if isinstance(self, Not) else Not(self)

    def __bool__(self) -> bool:
        raise TypeError(
            "a rule is not true or false by itself: combine rules with &, | and ~, not and/or/not"
        )

    # -- for other rules ----------------------------------------------------------------------------

    @property
    def is_constant(self) -> bool:
        """Whether the same claims always get the same verdict, so that it may be kept beside them.

        Not where the time counts, or a function of the program's decides; of a rule of the program's own
        nobody knows.
        """
        return False

    def say(self, token: AccessToken) -> str:
        """Why the verdict is what it is."""
        raise NotImplementedError

    def remedy(self, token: AccessToken) -> Remedy:
        """What would have to change; asked of a rule that is not fulfilled, or for its scopes."""
        if self.allows(token):
            return Remedy()
        return Remedy(hopeless=AccessDenied("denied", "The token does not give access to this."))


def checked_rule(given: Any) -> Rule:
    """Return what is given as a rule.

    Raises:
        ConfigurationError: it is something else.
    """
    if isinstance(given, Rule):
        return given
    raise ConfigurationError(f"{given!r:.80} is not a rule: write {_in_place_of(given)}.")


def _in_place_of(given: Any) -> str:
    """What somebody who gives this may have meant."""
    if isinstance(given, str) and "(" in given:
        return f"{given:.80}, without quotes around it"
    if isinstance(given, str) and given.strip():
        names = ", ".join(map(repr, given[:80].split()))
        return f"scope({names}), role({names}) or the like"
    if callable(given):
        return "requires(), with parentheses, above a view; a test of your own is claim('...', test)"
    return "scope('...'), role('...') or the like"


class All(Rule, frozen=True):
    """All of some rules: `a & b`."""

    rules: tuple[Rule, ...]

    @property
    def is_constant(self) -> bool:
        return all(rule.is_constant for rule in self.rules)

    def allows(self, token: AccessToken) -> bool:
        """Whether every part is fulfilled."""
        return all(rule.allows(token) for rule in self.rules)

    def alternatives(self) -> tuple[Alternative, ...]:
        """Every way to choose an alternative of each part."""
        ways: tuple[Alternative, ...] = (frozenset(),)
        for rule in self.rules:  # cut at each step: the ways multiply
            ways = _distinct(one | other for one in ways for other in rule.alternatives())
        return ways

    def scopes(self) -> frozenset[str]:
        """The scopes of every part."""
        return frozenset().union(*(rule.scopes() for rule in self.rules))

    def explain(self, token: AccessToken) -> RuleExplanation:
        """Return the verdict of the whole and of each part."""
        parts = tuple(rule.explain(token) for rule in self.rules)
        allowed = all(part.allowed for part in parts)
        return RuleExplanation(
            self, allowed, "all of these are fulfilled" if allowed else "not all are", parts
        )

    def remedy(self, token: AccessToken) -> Remedy:
        remedies = [rule.remedy(token) for rule in self.rules]
        hopeless = next((remedy.hopeless for remedy in remedies if remedy.hopeless is not None), None)
        return Remedy(
            frozenset().union(*(remedy.scopes for remedy in remedies)),
            _strictest([remedy.login for remedy in remedies if remedy.login is not None]),
            hopeless,
        )

    def describe(self) -> str:
        """All the parts."""
        return " and ".join(_in_brackets(rule, AnyOf) for rule in self.rules)

    def __repr__(self) -> str:
        return " & ".join(f"({rule!r})" if isinstance(rule, AnyOf) else repr(rule) for rule in self.rules)


class AnyOf(Rule, frozen=True):
    """One of some rules: `a | b`."""

    rules: tuple[Rule, ...]

    @property
    def is_constant(self) -> bool:
        return all(rule.is_constant for rule in self.rules)

    def allows(self, token: AccessToken) -> bool:
        """Whether one part is fulfilled."""
        return any(rule.allows(token) for rule in self.rules)

    def alternatives(self) -> tuple[Alternative, ...]:
        """The alternatives of every part."""
        return _distinct(scopes for rule in self.rules for scopes in rule.alternatives())

    def scopes(self) -> frozenset[str]:
        """The scopes of every part."""
        return frozenset().union(*(rule.scopes() for rule in self.rules))

    def explain(self, token: AccessToken) -> RuleExplanation:
        """Return the verdict of the whole and of each part."""
        parts = tuple(rule.explain(token) for rule in self.rules)
        allowed = any(part.allowed for part in parts)
        return RuleExplanation(
            self, allowed, "one of these is fulfilled" if allowed else "none of these is", parts
        )

    def remedy(self, token: AccessToken) -> Remedy:
        fulfilled = [rule for rule in self.rules if rule.allows(token)]
        remedies = [rule.remedy(token) for rule in fulfilled or self.rules]
        return min(remedies, key=lambda remedy: remedy.effort)

    def describe(self) -> str:
        """One of the parts."""
        return " or ".join(_in_brackets(rule, All) for rule in self.rules)

    def __repr__(self) -> str:
        return " | ".join(f"({rule!r})" if isinstance(rule, All) else repr(rule) for rule in self.rules)


class Not(Rule, frozen=True):
    """The contrary of a rule: `~a`."""

    rule: Rule

    @property
    def is_constant(self) -> bool:
        return self.rule.is_constant

    def allows(self, token: AccessToken) -> bool:
        """Whether the rule is not fulfilled."""
        return not self.rule.allows(token)

    def explain(self, token: AccessToken) -> RuleExplanation:
        """Return the verdict, and that of the rule it turns round."""
        part = self.rule.explain(token)
        return RuleExplanation(self, not part.allowed, "the contrary of this", (part,))

    def say(self, token: AccessToken) -> str:
        return "the contrary of this"

    def describe(self) -> str:
        """What must not be fulfilled."""
        return f"not {_in_brackets(self.rule, All | AnyOf)}"

    def __repr__(self) -> str:
        return f"~({self.rule!r})" if isinstance(self.rule, All | AnyOf) else f"~{self.rule!r}"


def _parts(kind: type[All | AnyOf], *rules: Rule) -> tuple[Rule, ...]:
    """The parts of a combination, flat: `(a & b) & c` equals `a & (b & c)`."""
    return tuple(part for rule in rules for part in (rule.rules if isinstance(rule, kind) else (rule,)))


def _in_brackets(rule: Rule, kinds: Any) -> str:
    return f"({rule.describe()})" if isinstance(rule, kinds) else rule.describe()


def _distinct(alternatives: Iterable[Alternative]) -> tuple[Alternative, ...]:
    """Each alternative once, and none that another one makes superfluous."""
    kept: list[Alternative] = []
    for scopes in sorted(set(alternatives), key=lambda one: (len(one), sorted(one))):
        if not any(smaller <= scopes for smaller in kept):
            kept.append(scopes)
    return tuple(kept[:MAX_ALTERNATIVES])


def _strictest(logins: list[Login]) -> Login | None:
    if not logins:
        return None
    ages = [login.max_age for login in logins if login.max_age is not None]
    asked = [login.acr for login in logins if login.acr]
    first = asked[0] if asked else ()
    # What all of them accept; where that is nothing, no login helps, and any answer is as good.
    common = tuple(acr for acr in first if all(acr in others for others in asked))
    return Login(min(ages, default=None), common or first)
