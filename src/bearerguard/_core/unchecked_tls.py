"""What the options of an HTTP client leave unchecked of a server's certificate.

Looks at values and opens nothing. It knows a TLS context by its attributes, wherever it lies in a transport,
and takes no side: its caller warns or refuses. It cannot see what a transport hides from Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MemberDescriptorType, ModuleType
from typing import Any

from bearerguard._limits import MAX_OBJECTS_LOOKED_INTO

_CERT_NONE = 0
_CERTIFICATE = "does not check the certificate of the server that it asks"
_NAME = "does not check the name in the certificate of the server that it asks"


def unchecked_tls(options: Mapping[str, Any]) -> str | None:
    """Return what is left unchecked, to be said of a provider, or None where nothing is.

    Args:
        options: arguments of `httpx2.Client`.

    Examples:
        >>> unchecked_tls({"verify": False})
        'does not check the certificate of the server that it asks'
        >>> unchecked_tls({"timeout": 2.0}) is None
        True
    """
    verify = options.get("verify", True)
    if verify is not None and not verify:
        return _CERTIFICATE
    found = set(_unchecked([options.get(name) for name in ("verify", "transport", "mounts", "proxy")]))
    return next((sentence for sentence in (_CERTIFICATE, _NAME) if sentence in found), None)


def _unchecked(objects: list[Any]) -> Iterator[str]:
    """What each TLS context in these objects, or in their attributes, leaves unchecked."""
    seen = {id(one) for one in objects}
    for one in objects:  # which grows meanwhile
        if getattr(one, "verify_mode", None) == _CERT_NONE:
            yield _CERTIFICATE
        elif getattr(one, "check_hostname", None) is False:
            yield _NAME
        parts = _parts(one)
        if parts.get("verify", parts.get("_verify")) is False:  # as clients of other kinds keep it
            yield _CERTIFICATE
        new = [part for part in parts.values() if id(part) not in seen][
            : MAX_OBJECTS_LOOKED_INTO - len(objects)
        ]
        seen.update(map(id, new))
        objects.extend(new)


def _parts(one: Any) -> Mapping[Any, Any]:
    """What an object holds, by name; nothing of a class, a module or text."""
    if isinstance(one, Mapping):
        return one
    if isinstance(one, list | tuple | set | frozenset):
        return dict(enumerate(one))
    if isinstance(one, type | ModuleType):
        return {}
    held = getattr(one, "__dict__", None)
    slots = [
        name
        for kind in type(one).__mro__
        if "__slots__" in vars(kind)
        for name, member in vars(kind).items()
        if isinstance(member, MemberDescriptorType)
    ]
    return {**(held if isinstance(held, dict) else {}), **{name: getattr(one, name, None) for name in slots}}
