"""The URL of an API as its clients know it (RFC 9728 section 1.2), and where its metadata stands.

Only looks at text. Nothing here is ever taken from a request.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from bearerguard._core.address import why_insecure
from bearerguard.errors import ConfigurationError

WELL_KNOWN = "/.well-known/oauth-protected-resource"


def check_resource(resource: object) -> None:
    """An https URL without a fragment (RFC 9728, section 1.2); http on loopback.

    Raises:
        ConfigurationError: it is something else.
    """
    problem = why_insecure(resource) if isinstance(resource, str) else "it is not a URL"
    if isinstance(resource, str) and problem is None:
        if "#" in resource:
            problem = "it has a fragment"
        elif not (resource.isascii() and resource.isprintable() and '"' not in resource):
            problem = "it has characters that a URL writes with % (or xn-- in a host)"
    if problem is not None:
        raise ConfigurationError(
            f"resource is {resource!r:.200}, but {problem}: write the URL of the API as clients know it, "
            "such as 'https://api.example/v1'."
        )


def metadata_address(resource: str) -> str:
    """Return where the metadata of a resource stands (RFC 9728, section 3.1).

    Examples:
        >>> metadata_address("https://api.example/v1")
        'https://api.example/.well-known/oauth-protected-resource/v1'
    """
    parts = urlsplit(resource)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{_path(parts.path)}{query}"


def metadata_paths(resource: str) -> tuple[str, ...]:
    """Return the paths at which to serve it: the resource's path inserted, as it is and without a last slash.

    And the bare one, for a client that knows only the host. Decoded, as servers hand paths over.
    """
    path = unquote(_path(urlsplit(resource).path))
    return tuple(dict.fromkeys((WELL_KNOWN + path, WELL_KNOWN + path.rstrip("/"), WELL_KNOWN)))


def _path(path: str) -> str:
    """The slash after the host is removed before anything is inserted (RFC 9728, section 3.1)."""
    return "" if path == "/" else path
