"""Rules as permissions of REST framework. `|`, `&` and `~` of two of one guard combine their rules.

A permission that is refused alone says what would help; within a combination with permissions of others it
only says no, and the others are asked.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, ClassVar, cast

from rest_framework.permissions import OperandHolder
from rest_framework.request import ForcedAuthentication, Request
from rest_framework.views import APIView

from bearerguard.django.base import DjangoGuard
from bearerguard.django.views import is_preflight
from bearerguard.drf._bases import BasePermission, BasePermissionMetaclass
from bearerguard.drf.authentication import BearerAuthentication
from bearerguard.drf.refusal import refused
from bearerguard.errors import AuthError, ConfigurationError, MissingCredentials
from bearerguard.guard import Demand
from bearerguard.rules import Rule
from bearerguard.token import AccessToken

__all__: list[str] = []


class _Mixed(OperandHolder):  # type: ignore[misc]  # REST framework comes without types
    """A combination with permissions of others."""

    def __and__(self, other: Any) -> Any:
        return _Mixed(super().__and__(other).operator_class, self, other)

    def __or__(self, other: Any) -> Any:
        return _Mixed(super().__or__(other).operator_class, self, other)

    def __invert__(self) -> Any:
        raise ConfigurationError(
            "~ stands before a combination of a guard's permission with another one: it would let in "
            "requests without a token. Write ~ before each of the parts."
        )


class _Combined(BasePermissionMetaclass):
    """How classes of permissions combine."""

    rule: Rule | None
    guard: DjangoGuard

    def __and__(self, other: Any) -> Any:
        return self._combined(operator.and_, other) or _mixed(super().__and__(other))

    def __or__(self, other: Any) -> Any:
        return self._combined(operator.or_, other) or _mixed(super().__or__(other))

    def __rand__(self, other: Any) -> Any:
        return _mixed(super().__rand__(other))

    def __ror__(self, other: Any) -> Any:
        return _mixed(super().__ror__(other))

    def __invert__(self) -> Any:
        if self.rule is None:
            raise ConfigurationError("~guard.optional() asks for nothing: write guard.requires(~rule).")
        return permission(self.guard, self.guard.demand(~self.rule))

    def _combined(self, combine: Callable[[Rule, Rule], Rule], other: Any) -> Any:
        """The permission for both rules, if both are of one guard."""
        if not isinstance(other, _Combined) or other.guard is not self.guard:
            return None
        if self.rule is None or other.rule is None:
            raise ConfigurationError(
                "guard.optional() asks for nothing that could be combined: leave it out."
            )
        return permission(self.guard, self.guard.demand(combine(self.rule, other.rule)))


def _mixed(holder: OperandHolder) -> _Mixed:
    return _Mixed(holder.operator_class, holder.op1_class, holder.op2_class)


class RulePermission(BasePermission, metaclass=_Combined):
    """Lets in requests whose token fulfils a rule. Each rule makes a subclass.

    Attributes:
        rule: the rule; None where a token is optional.
    """

    guard: ClassVar[DjangoGuard]
    demand: ClassVar[Demand]
    rule: ClassVar[Rule | None]

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether a request may enter.

        Raises:
            ConfigurationError: the view does not authenticate by the guard.
        """
        self._request = request
        if self.demand.optional or (is_preflight(request) and type(view).options is APIView.options):
            return True
        token = self._token()
        return token is not None and self.demand.allows(token)

    @property
    def message(self) -> str:
        """Raises the refusal. REST framework asks for it where this permission is the one that refuses.

        Raises:
            RefusedRequest: always.
        """
        request, token = self._request, self._token()
        missing: MissingCredentials | None = getattr(request, "bearerguard_missing", None)
        try:
            if missing is not None:  # asked and logged by the authentication already
                missing.rule = self.demand.rule
                raise missing
            if token is None:
                self.guard.admit_request(request._request, self.demand)  # noqa: SLF001 - Django's own
            else:
                self.guard.allow(self.demand.rule, token)
        except AuthError as error:
            raise refused(error, self.guard, request) from error
        return "The request is refused."

    def _token(self) -> AccessToken | None:
        """The token that the guard has verified; no other guard's, and not what others take for one.

        Raises:
            ConfigurationError: the view does not authenticate by the guard.
        """
        request = self._request
        mine = [one for one in request.authenticators if self._is_mine(one)]
        if not mine:
            raise ConfigurationError(
                "A view has a guard's permission and no authentication of that guard, so nobody could enter: "
                "write authentication_classes = [guard.authentication()]."
            )
        found = request.auth if request.successful_authenticator in mine else None
        return found if isinstance(found, AccessToken) else None

    def _is_mine(self, authenticator: Any) -> bool:
        if isinstance(authenticator, BearerAuthentication):
            return authenticator.guard.server is self.guard.server
        return isinstance(authenticator, ForcedAuthentication)  # a test's, which shows a verified token


def permission(guard: DjangoGuard, demand: Demand) -> type[RulePermission]:
    """Return the permission for a demand."""
    rule = None if demand.optional else demand.rule
    members = {"guard": guard, "demand": demand, "rule": rule}
    made: Any = _Combined("RulePermission", (RulePermission,), members)
    return cast("type[RulePermission]", made)
