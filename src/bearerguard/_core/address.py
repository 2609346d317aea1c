"""Which addresses keys may be fetched from, and where a provider's metadata stands. Only looks at text."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit, urlunsplit


def is_address(text: str) -> bool:
    """Whether `text` is meant as a URL, of whatever scheme, rather than as JSON or PEM."""
    return "://" in text[:32] and not text.lstrip().startswith(("{", "[", "-"))


def why_insecure(url: str, *, allow_http: bool = False) -> str | None:
    """Return why keys may not be fetched from `url`, or None where they may.

    https anywhere, http on loopback only: anyone who can change the keys on the way can forge any
    token.

    Examples:
        >>> why_insecure("http://login.example/jwks")
        'it is not https'
        >>> why_insecure("http://127.0.0.1:8080/jwks") is None
        True
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "it is not a URL"
    if not host or any(character <= " " or character == "\x7f" for character in url):
        return "it is not a URL"
    if parts.username is not None or parts.password is not None:
        return "it holds a password; give it in http_options instead"
    if parts.scheme == "https":
        return None
    if parts.scheme == "http":
        return None if allow_http or is_loopback(host) else "it is not https"
    return "it is neither https nor http"


def is_on_this_machine(url: str) -> bool:
    """Whether a URL leads to this machine, by the same rule by which plain http is accepted."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def is_plain(url: str) -> bool:
    """Whether a URL is http, and so asked without TLS."""
    try:
        return urlsplit(url).scheme == "http"
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine, whoever is asked: 127.0.0.0/8, ::1 or localhost.

    An address that stands for one of them in another protocol (::ffff:127.0.0.1) is not, nor is a name below
    localhost: whether RFC 6761 (section 6.3) holds for that is up to the resolver.
    """
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback if isinstance(address, IPv4Address) else address == _LOOPBACK


_LOOPBACK = IPv6Address("::1")


def metadata_addresses(issuer: str) -> tuple[str, ...]:
    """Return where an issuer's metadata may stand, in the order in which to look.

    OpenID Connect Discovery 1.0 puts it at the first (section 4), RFC 8414 at the second (section 3.1); some
    follow RFC 8414 under the name of the former (RFC 8414, section 5), at the third.

    Examples:
        >>> metadata_addresses("https://login.example/shop")[1]
        'https://login.example/.well-known/oauth-authorization-server/shop'
    """
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    places = (
        f"{path}/.well-known/openid-configuration",
        f"/.well-known/oauth-authorization-server{path}",
        f"/.well-known/openid-configuration{path}",
    )
    # Without a path the first and the last are the same.
    return tuple(dict.fromkeys(urlunsplit(parts._replace(path=place)) for place in places))
