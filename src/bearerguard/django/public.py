"""Which paths of a site need no token: exact ones, and all below a prefix. It reads no token."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from msgspec import Struct

from bearerguard.django.serving import incoming
from bearerguard.errors import ConfigurationError
from bearerguard.guard import exact_paths, is_ambiguous

__all__ = ["Public", "public"]


class Public(Struct, frozen=True):
    """Paths that need no token, as `urlpatterns` name them: below the mount of the site, from `/` on."""

    paths: frozenset[str]
    prefixes: tuple[str, ...]

    def has(self, request: HttpRequest) -> bool:
        """Whether a request asks for one of them, by a path that no router and no proxy reads otherwise."""
        path: str = request.path_info
        return (path in self.paths or path.startswith(self.prefixes)) and not _leads_elsewhere(path, request)


def public(paths: Any = (), prefixes: Any = ()) -> Public:
    """Return public paths, checked.

    Raises:
        ConfigurationError: they are not paths, or a prefix opens everything.
    """
    return Public(exact_paths(paths), tuple(_prefixes(prefixes)))


def _prefixes(given: Any) -> Iterable[str]:
    prefixes = (given,) if isinstance(given, str) else given
    try:
        found = tuple(prefixes)
    except TypeError:
        found = ("",)
    for prefix in found:
        if not isinstance(prefix, str) or not prefix.startswith("/") or not prefix.strip("/"):
            raise ConfigurationError(
                f"public_prefixes is {given!r:.80}: give paths such as '/admin/', from the first '/' on; '/' "
                "alone would open everything."
            )
        yield prefix if prefix.endswith("/") else prefix + "/"


def _leads_elsewhere(path: str, request: HttpRequest) -> bool:
    """Whether a path has steps up, or is written so that another reader might find some in it."""
    raw = (incoming(request).target or b"").partition(b"?")[0]
    return (
        bool({".", ".."} & {*path.split("/")})
        or "\\" in path
        or is_ambiguous(path.encode(errors="replace"))  # what is encoded twice
        or is_ambiguous(raw)
        or any(sign in raw for sign in (b"\\", b"/../", b"/./"))
    )
