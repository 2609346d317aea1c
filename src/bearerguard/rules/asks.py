"""What a single rule can ask of a token: scopes, roles, permissions, claims, a client, a subject, a login.

Each kind is one small frozen class. The functions in `bearerguard.rules` make and check them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from bearerguard._core.claim_path import look_up
from bearerguard._limits import MAX_NUMERIC_DATE
from bearerguard.errors import InvalidToken
from bearerguard.rules.algebra import Alternative, Login, Remedy, Rule
from bearerguard.token import AccessToken, looked_up

__all__ = [
    "AnyScope",
    "Authenticated",
    "Bound",
    "Claim",
    "Client",
    "Fresh",
    "Permission",
    "Role",
    "Scope",
    "Subject",
]


class Authenticated(Rule, frozen=True):
    """Any valid token."""

    @property
    def is_constant(self) -> bool:
        return True

    def allows(self, token: AccessToken) -> bool:
        """Yes: there is a token."""
        return True

    def say(self, token: AccessToken) -> str:
        return "there is a valid token"

    def describe(self) -> str:
        """Any valid token."""
        return "a valid token"

    def __repr__(self) -> str:
        return "authenticated"


class Named(Rule, frozen=True):
    """A rule about names that a token lists, or is."""

    @property
    def is_constant(self) -> bool:
        return True

    names: tuple[str, ...]

    def __repr__(self) -> str:
        return f"{_FUNCTIONS[type(self)]}({', '.join(map(repr, self.names))})"


class Scope(Named, frozen=True):
    """All of some scopes."""

    def allows(self, token: AccessToken) -> bool:
        """Whether the token has every one of the scopes."""
        return token.scopes.issuperset(self.names)

    def alternatives(self) -> tuple[Alternative, ...]:
        """All of them together."""
        return (frozenset(self.names),)

    def say(self, token: AccessToken) -> str:
        return _has("scopes", token.scopes)

    def remedy(self, token: AccessToken) -> Remedy:
        return Remedy(scopes=frozenset(self.names))

    def describe(self) -> str:
        """The scopes, by name."""
        return _listed("scope", self.names)


class AnyScope(Named, frozen=True):
    """One of some scopes."""

    def allows(self, token: AccessToken) -> bool:
        """Whether the token has one of the scopes."""
        return not token.scopes.isdisjoint(self.names)

    def alternatives(self) -> tuple[Alternative, ...]:
        """Each of them by itself."""
        return tuple(frozenset((name,)) for name in self.names)

    def say(self, token: AccessToken) -> str:
        return _has("scopes", token.scopes)

    def remedy(self, token: AccessToken) -> Remedy:
        had = [name for name in self.names if name in token.scopes]
        return Remedy(scopes=frozenset((had or self.names)[:1]))

    def describe(self) -> str:
        """The scopes, by name."""
        listed = _listed("scope", self.names)
        return listed if len(self.names) == 1 else f"one of {listed}"


class Role(Named, frozen=True):
    """All of some roles."""

    def allows(self, token: AccessToken) -> bool:
        """Whether the token has every one of the roles."""
        return token.roles.issuperset(self.names)

    def say(self, token: AccessToken) -> str:
        return _has("roles", token.roles)

    def describe(self) -> str:
        """The roles, by name."""
        return _listed("role", self.names)


class Permission(Named, frozen=True):
    """All of some permissions."""

    def allows(self, token: AccessToken) -> bool:
        """Whether the token has every one of the permissions."""
        return token.permissions.issuperset(self.names)

    def say(self, token: AccessToken) -> str:
        return _has("permissions", token.permissions)

    def describe(self) -> str:
        """The permissions, by name."""
        return _listed("permission", self.names)


class Client(Named, frozen=True):
    """One of some clients."""

    def allows(self, token: AccessToken) -> bool:
        """Whether the token was given to one of the clients."""
        return token.client_id in self.names

    def say(self, token: AccessToken) -> str:
        return f"the token's client is {token.client_id!r}"

    def describe(self) -> str:
        """That there are such clients, and not which."""
        return "a token of certain clients"


class Subject(Named, frozen=True):
    """One of some subjects."""

    def allows(self, token: AccessToken) -> bool:
        """Whether the token is about one of the subjects."""
        return token.subject in self.names

    def say(self, token: AccessToken) -> str:
        return f"the token's subject is {token.subject!r}"

    def describe(self) -> str:
        """That there are such subjects, and not who."""
        return "a token of certain subjects"


class Claim(Rule, frozen=True):
    """A claim that has a value, holds it in an array, or passes a test."""

    path: str | tuple[str, ...]
    expected: Any
    kind: type
    """Of what is expected: `1`, `1.0` and `True` are equal to Python, and not here."""

    @property
    def is_constant(self) -> bool:
        return not callable(self.expected)

    def allows(self, token: AccessToken) -> bool:
        """Whether the claim is there and is as expected; `1`, `1.0` and `true` are three values."""
        if callable(self.expected):
            actual = look_up(token.claims, self.path)
            return actual is not None and bool(self.expected(actual))
        actual = looked_up(token, self.path)
        if actual is None:
            return False
        candidates = [actual, *actual] if isinstance(actual, list) else [actual]
        return any(type(one) is self.kind and one == self.expected for one in candidates)

    def say(self, token: AccessToken) -> str:
        actual = look_up(token.claims, self.path)
        if actual is not None:
            return f"the token's claim is {actual!r:.200}"
        name = self.path if isinstance(self.path, str) else self.path[0]
        elsewhere = token.claims.get("_claim_names")
        if (isinstance(elsewhere, dict) and name in elsewhere) or (
            name == "groups" and token.claims.get("hasgroups")
        ):
            # OpenID Connect Core, section 5.6.2; Entra ID does so above 200 groups.
            return (
                "the token has no such claim, as there is too much of it: its provider says where to ask; "
                "use roles of the application in place of groups"
            )
        return "the token has no such claim"

    def describe(self) -> str:
        """The claim, with its value; of a function nobody is told what it wants."""
        name = self.path if isinstance(self.path, str) else ".".join(self.path)
        if callable(self.expected):
            return f"the claim `{name}` with a value that this API accepts"
        import json  # noqa: PLC0415 - only a document says this, and `import bearerguard` stays short

        return f"the claim `{name}` with the value `{json.dumps(self.expected, ensure_ascii=False)}`"

    def __repr__(self) -> str:
        path = list(self.path) if isinstance(self.path, tuple) else self.path
        expected = getattr(self.expected, "__qualname__", None) if callable(self.expected) else None
        return f"claim({path!r}, {expected or repr(self.expected)})"


class Bound(Rule, frozen=True):
    """A token whose client has proven that it is its own (RFC 7800)."""

    method: Literal["dpop", "mtls"] | None = None

    @property
    def is_constant(self) -> bool:
        return True

    def allows(self, token: AccessToken) -> bool:
        """Whether it was proven, in this way or in any."""
        proven = token.confirmation
        return proven is not None and (self.method is None or self.method in proven.split("+"))

    def say(self, token: AccessToken) -> str:
        return (
            f"the token is bound by {token.confirmation}" if token.confirmation else "the token is not bound"
        )

    def remedy(self, token: AccessToken) -> Remedy:
        if self.allows(token):
            return Remedy()
        return Remedy(hopeless=InvalidToken("not_bound", "The token is not bound as it has to be here."))

    def describe(self) -> str:
        """How the token has to be bound."""
        what = {"dpop": "a key of the client (DPoP)", "mtls": "a certificate of the client (mutual TLS)"}
        return f"a token that is bound to {what.get(self.method or '', 'its client')}"

    def __repr__(self) -> str:
        return "bound()" if self.method is None else f"bound({self.method!r})"


class Fresh(Rule, frozen=True):
    """A login that is recent enough, or strong enough (RFC 9470)."""

    max_age: float | None = None
    acr: tuple[str, ...] = ()

    def allows(self, token: AccessToken) -> bool:
        """Whether `auth_time` is at most `max_age` seconds past, and `acr` one of those accepted."""
        if self.acr and token.claims.get("acr") not in self.acr:
            return False
        if self.max_age is None:
            return True
        age = _age_of_login(token)
        return age is not None and age <= self.max_age + token.provider.leeway

    def say(self, token: AccessToken) -> str:
        age = _age_of_login(token)
        login = "at an unknown time" if age is None else f"{age:.0f} s ago"
        return f"the user logged in {login}, with acr {token.claims.get('acr')!r:.100}"

    def remedy(self, token: AccessToken) -> Remedy:
        # The whole of it, even where it is fulfilled: a new login must not lose what this one had.
        return Remedy(login=Login(self.max_age, self.acr))

    def describe(self) -> str:
        """The age and the strength of the login."""
        age = [] if self.max_age is None else [f"at most {self.max_age:g} seconds ago"]
        return " ".join(["a login", *age, *([f"with {_or(self.acr)} as `acr`"] if self.acr else [])])

    def __repr__(self) -> str:
        given = [] if self.max_age is None else [f"max_age={self.max_age!r}"]
        if self.acr:
            given.append(f"acr={self.acr[0] if len(self.acr) == 1 else list(self.acr)!r}")
        return f"fresh({', '.join(given)})"


_FUNCTIONS: Mapping[type[Rule], str] = {
    Scope: "scope",
    AnyScope: "any_scope",
    Role: "role",
    Permission: "permission",
    Client: "client",
    Subject: "subject",
}


def _age_of_login(token: AccessToken) -> float | None:
    """Seconds since the user logged in (`auth_time`, OpenID Connect Core, section 2)."""
    at = token.claims.get("auth_time")
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= MAX_NUMERIC_DATE:
        return None
    age = token.verified_at - at
    # Nobody knows the time of a login in the future (milliseconds, for instance).
    return None if age < -token.provider.leeway else age


def _listed(what: str, names: tuple[str, ...]) -> str:
    """`the scope a`, `the scopes a and b`, for readers of Markdown."""
    quoted = [f"`{name}`" for name in names]
    if len(quoted) == 1:
        return f"the {what} {quoted[0]}"
    return f"the {what}s {', '.join(quoted[:-1])} and {quoted[-1]}"


def _or(names: tuple[str, ...]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def _has(what: str, names: frozenset[str]) -> str:
    return f"the token has the {what} {', '.join(sorted(names))}" if names else f"the token has no {what}"
