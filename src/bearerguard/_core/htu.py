"""Which address a proof is for: its `htu`, compared with the public address of the request (RFC 9449 4.3).

Both are brought into one form (RFC 3986 sections 6.2.2 and 6.2.3) without query and fragment. The public
address begins with what was configured; of a request only its path counts, never `Host` or a forwarded field.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

_URI: Final = re.compile(r"([A-Za-z]+)://([^/?#]*)([^?#]*)(?:[?#].*)?")
_PLAIN: Final = re.compile(r"https://[a-z0-9.-]+(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
"""Most addresses: they are in their one form already."""
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@]+)(?::([0-9]{0,5}))?")
_PERCENT: Final = re.compile(r"%(?:([0-9A-Fa-f]{2})|)")
_NOT_WRITTEN: Final = re.compile(r"[^!-~]")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# A WebSocket is opened by an HTTP request (RFC 6455, section 4.1); clients name either scheme.
_SCHEMES: Final = {"https": ("https", 443), "http": ("http", 80), "wss": ("https", 443), "ws": ("http", 80)}


def is_for(htu: str, address: str) -> bool:
    """Whether an `htu` names an address.

    Args:
        htu: as the proof has it.
        address: the request's own, in its one form.

    Examples:
        >>> is_for("HTTPS://API.example:443/orders?page=2", "https://api.example/orders")
        True
    """
    return htu == address or normal_form(htu) == address


def normal_form(url: str) -> str | None:
    """Return an http or WebSocket URL in its one form, or None for what is not one.

    Scheme and host are in lower case, the default port, query and fragment are left out, an empty path is
    `/`. The path keeps its case. A user name is refused, as is what no URL contains (RFC 3986, section 2).

    Examples:
        >>> normal_form("wss://api.example:443/a/../b%7e%2f#top")
        'https://api.example/b~%2F'
    """
    if _PLAIN.fullmatch(url):
        return url
    if not url.isascii() or _NOT_WRITTEN.search(url):
        return None
    parts = _URI.fullmatch(url)
    if parts is None:
        return None
    scheme, default_port = _SCHEMES.get(parts[1].lower(), (None, None))
    authority = _AUTHORITY.fullmatch(parts[2])
    if scheme is None or authority is None:
        return None
    host, port = authority[1].lower(), authority[2]
    if port and int(port) != default_port:
        if int(port) > 65535:
            return None
        host = f"{host}:{int(port)}"
    path = normal_path(parts[3])
    return None if path is None else f"{scheme}://{host}{path}"


def normal_path(path: str) -> str | None:
    """Return a path in its one form, or None where a `%` in it begins nothing.

    Unreserved characters stand for themselves, other escapes are in upper case, dot segments are removed.

    Examples:
        >>> normal_path("/%61/%2e%2E/b%2fc")
        '/b%2Fc'
    """
    if "%" in path:
        if any(not found[1] for found in _PERCENT.finditer(path)):
            return None
        path = _PERCENT.sub(_unescaped, path)
    if "/." in path:
        path = _without_dots(path)
    return path or "/"


def base_of(url: str) -> str:
    """Return the address of what an application sees as `/`, without its last slash; of a checked URL."""
    return (normal_form(url) or "").rstrip("/")


@lru_cache(maxsize=64)  # asked for each request, about one of few
def origin_of(url: str) -> str:
    """Return scheme, host and port of a checked URL.

    Examples:
        >>> origin_of("https://API.example:443/v1")
        'https://api.example'
    """
    parts = urlsplit(url)
    return base_of(f"{parts.scheme}://{parts.netloc}")


def address_of(target: bytes, base: str, mount: str | None = None) -> str | None:
    """Return the public address of a request, or None where its path is not one.

    Args:
        target: path and query as they were sent.
        base: what stands in front: an origin, or the address of what the application sees as `/`.
        mount: with such an address, where the server has the application. It is cut from the path, and never
            put in front of one that lacks it.

    Examples:
        >>> address_of(b"/api/orders?page=2", "https://api.example", "/api")
        'https://api.example/orders'
    """
    written = target.partition(b"?")[0].decode("latin-1")
    if not written.startswith("/"):  # `*` asks about the whole server (RFC 9112, section 3.2.4)
        written = ""
    path = normal_path(_NOT_WRITTEN.sub(lambda found: f"%{ord(found[0]):02X}", written))
    if path is None:
        return None
    if mount:
        path = _below(path, normal_path(quote(mount, "/:@!$&'()*+,;=~", errors="replace")) or "/")
    return f"{base}{path}" if path or base.count("/") > 2 else f"{base}/"


def _below(path: str, mount: str) -> str:
    mount = mount.rstrip("/")
    if path == mount:
        return ""
    return path[len(mount) :] if mount and path.startswith(f"{mount}/") else path


def _unescaped(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else found[0].upper()


def _without_dots(path: str) -> str:
    """RFC 3986, section 5.2.4."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)
