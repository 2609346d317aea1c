"""The classes of REST framework on which ours are built, with the types that they come without.

A type checker knows as much of them as is used here: otherwise it would know nothing of ours either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:

    class APIException(Exception):
        """An exception that is answered."""

        def __init__(self, detail: str, code: str) -> None: ...
        def get_codes(self) -> Any: ...
        def get_full_details(self) -> Any: ...

    class BaseAuthentication:
        """Who makes a request."""

    class BasePermissionMetaclass(type):
        """How classes of permissions combine."""

        def __and__(cls, other: Any) -> Any: ...
        def __or__(cls, other: Any) -> Any: ...
        def __rand__(cls, other: Any) -> Any: ...
        def __ror__(cls, other: Any) -> Any: ...

    class BasePermission(metaclass=BasePermissionMetaclass):
        """Whether a request may enter."""

else:
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.exceptions import APIException
    from rest_framework.permissions import BasePermission, BasePermissionMetaclass

__all__ = ["APIException", "BaseAuthentication", "BasePermission", "BasePermissionMetaclass"]
