"""`Request`: what a check may look at. It says nothing about who asks, and it believes no forwarded header.

A door has a view of its own with the same members, read only by the check that needs them. A view never says
by which address the client reached the API: `Host` and forwarded headers are the client's or a proxy's word,
so code that compares addresses puts the configured origin in front of `target`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Protocol

from bearerguard.errors import ConfigurationError

__all__ = ["Headers", "Incoming", "Request"]

Headers = Iterable[tuple[bytes, bytes]]
"""Header fields as ASGI gives them: names in lower case, one pair for each line."""


class Incoming(Protocol):
    """A request as the checks see it: a `Request`, or a door's view of the one that it serves."""

    @property
    def method(self) -> str | None:
        """The method, such as `GET`; None where only header fields are known."""
        ...

    @property
    def url(self) -> str | None:
        """The public address, absolute, where a program says it; None in a door's view."""
        ...

    @property
    def target(self) -> bytes | None:
        """Path and query as they were sent, in a door's view; None where they are not known."""
        ...

    @property
    def mount(self) -> str:
        """The path at which the server has the application, as the server says it; empty for the root.

        `root_path` or `SCRIPT_NAME`, without what a router within the application has added to it.
        """
        ...

    @property
    def notes(self) -> MutableMapping[str, Any] | None:
        """What lasts exactly as long as the request, and no client can write into; None without such a thing.

        Two guards of one request find there what the first has checked: a proof is good for one request.
        """
        ...

    @property
    def route(self) -> str | None:
        """The route that the framework found for it, as the program wrote it; None if unknown. For logs."""
        ...

    @property
    def certificate(self) -> bytes | None:
        """The certificate that the client showed on this connection, as DER; None without one."""
        ...

    @property
    def peer(self) -> str | None:
        """The address of the other end of the connection; None on a Unix socket, or where it is not known."""
        ...

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of every header field called `name` (in lower case), in their order."""
        ...


class Request:
    """A request as a program or a test describes it, for `ResourceServer.authenticate`.

    Args:
        method: such as `"GET"`.
        url: the public address of what is asked for, absolute.
        headers: the header fields, as a mapping or as pairs, as text or as bytes, names in any case.
        certificate: the client's certificate, as DER.
        peer: the address of the client.

    Raises:
        ConfigurationError: `certificate` is text, or PEM.

    Examples:
        >>> request = Request("GET", "https://api.example/orders", {"Authorization": "Bearer a.b.c"})
        >>> request.values(b"authorization")
        [b'Bearer a.b.c']
    """

    __slots__ = ("certificate", "headers", "method", "peer", "url")

    def __init__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]] = (),
        *,
        certificate: bytes | None = None,
        peer: str | None = None,
    ) -> None:
        pairs: Any = headers.items() if isinstance(headers, Mapping) else headers
        self.method: str | None = method
        self.url: str | None = url
        self.headers: tuple[tuple[bytes, bytes], ...] = tuple(
            (_as_bytes(name).lower(), _as_bytes(value)) for name, value in pairs
        )
        self.certificate: bytes | None = _checked_certificate(certificate)
        self.peer: str | None = peer

    @property
    def target(self) -> bytes | None:
        """None: `url` says it."""
        return None

    @property
    def mount(self) -> str:
        """Empty: `url` says it."""
        return ""

    @property
    def notes(self) -> None:
        """None: a program that asks twice about one proof is told that it was used."""
        return None

    @property
    def route(self) -> str | None:
        """None: no framework has looked for one."""
        return None

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of every header field called `name` (in lower case), in their order."""
        return [value for field, value in self.headers if field == name]

    def __repr__(self) -> str:
        # Without the header fields, which hold the token.
        return f"Request({self.method!r}, {self.url!r})"


class BareHeaders:
    """Header fields and nothing else: a token that needs more to be checked is refused.

    Args:
        headers: pairs of bytes, names in lower case, as in ASGI.

    Raises:
        ConfigurationError: they are something else.
    """

    __slots__ = ("headers",)

    method: None = None
    url: None = None
    target: None = None
    mount: str = ""
    notes: None = None
    route: None = None
    certificate: None = None
    peer: None = None

    def __init__(self, headers: Headers) -> None:
        try:
            self.headers: tuple[tuple[bytes, bytes], ...] = tuple(headers)
        except TypeError:
            raise ConfigurationError(
                f"{headers!r:.80} is neither a request nor its header fields: give Request(method, url, "
                "headers), or fields as ASGI has them, each a pair of bytes."
            ) from None
        for field in self.headers:
            if not (isinstance(field, tuple | list) and [part.__class__ for part in field] == [bytes, bytes]):
                raise ConfigurationError(
                    f"A header field is a {type(field).__name__} that is not a pair of bytes: give fields as "
                    "ASGI has them, or Request(method, url, headers), which takes a mapping and text too."
                )

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of every header field called `name` (in lower case), in their order."""
        return [value for field, value in self.headers if field == name]


def as_request(request: Incoming | Headers) -> Incoming:
    """Return a request as the checks see it; bare header fields are one of which nothing else is known."""
    return request if hasattr(request, "values") and hasattr(request, "method") else BareHeaders(request)  # type: ignore[return-value]  # `hasattr` narrows no type


UNQUOTED = "/:@!$&'()*+,;=~"
"""What stands for itself in a path (RFC 3986, section 3.3), where a server tells only the decoded one."""


def without_origin(target: bytes) -> bytes:
    """Return path and query of a request target; for views of doors.

    A client may write an address in its request line (RFC 9112, section 3.2.2). Its scheme and host are the
    client's word, as `Host` is.
    """
    scheme, separator, rest = target.partition(b"://")
    if not separator or not scheme.isalpha():
        return target
    host = rest.partition(b"/")[0].partition(b"?")[0]
    path = rest[len(host) :]
    return path if path.startswith(b"/") else b"/" + path


def _as_bytes(text: str | bytes) -> bytes:
    # Header fields are Latin-1 on the wire (RFC 9110, section 5.5); a valid one has nothing beyond it.
    return text if isinstance(text, bytes) else text.encode("latin-1", "replace")


def _checked_certificate(certificate: object) -> bytes | None:
    if certificate is None or (isinstance(certificate, bytes) and not certificate.startswith(b"-----")):
        return certificate
    what = "PEM" if isinstance(certificate, bytes) else f"a {type(certificate).__name__}"
    raise ConfigurationError(
        f"certificate is {what}: give the bytes of DER, which ssl.PEM_cert_to_DER_cert(text) makes of PEM."
    )
