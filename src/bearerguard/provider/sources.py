"""Where a request carries the tokens of a provider, if not in `Authorization`: `Header` and `Cookie`.

Values, checked when they are built; they read no request. A place belongs to a provider: a token that is
found there opens nothing that another provider guards. The query is not a place for tokens (RFC 9700, section
4.3.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bearerguard.errors import ConfigurationError

if TYPE_CHECKING:
    from bearerguard._core.peers import Peers

__all__ = ["Cookie", "Header", "Source"]

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}"
"""A name of a field or a cookie (RFC 9110, section 5.6.2; RFC 6265, section 4.1.1)."""
_NOT_FOR_TOKENS = {
    "cookie": "write Cookie(name) for a token in a cookie",
    "dpop": "it carries the proof of a DPoP token",
    "forwarded": "a proxy writes it",
    "host": "it names the server",
    "origin": "the browser writes it",
    "proxy-authorization": "it is for a proxy",
}


@dataclass(frozen=True, init=False)
class Header:
    """A header field that holds the token and nothing else, as a proxy sets it that has logged users in.

    Args:
        name: the name of the field, in any case.
        peers: the addresses and networks of the proxies that set it, such as `["10.0.0.0/8"]`. From anybody
            else the field counts as absent. By default it is read from everybody: the token is verified all
            the same.

    Raises:
        ConfigurationError: the name or a network is not one, or the field is not for tokens.

    Examples:
        >>> Header("Cf-Access-Jwt-Assertion").name
        'cf-access-jwt-assertion'
    """

    name: str
    peers: Peers | None

    def __init__(self, name: str, *, peers: str | Iterable[str] | None = None) -> None:
        checked = _checked_name("Header", name).lower()
        if checked == "authorization":
            raise ConfigurationError(
                "Header is given 'Authorization', where tokens are looked for anyway: leave source out."
            )
        if checked in _NOT_FOR_TOKENS:
            raise ConfigurationError(f"Header is given {name!r}: {_NOT_FOR_TOKENS[checked]}.")
        object.__setattr__(self, "name", checked)
        object.__setattr__(self, "peers", None if peers is None else _checked_peers(peers))

    def __str__(self) -> str:
        return f"the header {self.name}"


@dataclass(frozen=True, init=False)
class Cookie:
    """A cookie that holds the token, for pages of a browser on the same origin as the API.

    A browser sends a cookie with whatever request another site makes it send. So a request with an unsafe
    method (RFC 9110, section 9.2.1), and the opening of a WebSocket, is accepted only with a sign of the same
    origin: `Sec-Fetch-Site: same-origin`, or an `Origin` that is the one of the API's `resource`; if it has
    both, both have to say so.

    Args:
        name: the name of the cookie, as it is written.

    Raises:
        ConfigurationError: the name is not one.

    Examples:
        >>> Cookie("access_token").name
        'access_token'
    """

    name: str

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "name", _checked_name("Cookie", name))

    def __str__(self) -> str:
        return f"the cookie {self.name}"


Source = Header | Cookie
"""Where else than in `Authorization` a request may carry a token."""


def _checked_peers(peers: str | Iterable[str]) -> Peers:
    from bearerguard._core.peers import checked_peers  # noqa: PLC0415 - `ipaddress` is dear, and few need it

    return checked_peers(peers)


def _checked_name(kind: str, name: Any) -> str:
    if not isinstance(name, str) or not re.fullmatch(_NAME, name):
        raise ConfigurationError(f"{kind} is given {name!r:.80}: give a name such as 'access-token'.")
    return name
