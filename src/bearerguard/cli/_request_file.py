"""An HTTP request as text: its line, its fields, a blank line. What follows that is not looked at.

It is read as somebody has copied it from a browser or a log, so line ends may be of any kind. The request
has no connection: it is taken for one that a proxy has sent which the server believes.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from bearerguard import ResourceServer

__all__ = ["NotARequest", "RequestFromFile", "request_in"]

_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) +(\S+)(?: +HTTP/[0-9.]+)?")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")


class NotARequest(Exception):
    """A text is not a request; the message says why, and what to write."""


class RequestFromFile:
    """A request as the checks see it.

    Args:
        method: such as `GET`.
        url: the public address, absolute; None where the server knows it, and `target` is below that.
        target: path and query, as they arrived.
        fields: the header fields, names in lower case.
        peer: who is taken for the other end of the connection.
        certificate: what the client showed on the connection, as DER.
    """

    mount: str = ""
    route: None = None

    def __init__(
        self,
        method: str,
        url: str | None,
        target: bytes | None,
        fields: tuple[tuple[bytes, bytes], ...],
        *,
        peer: str | None = None,
        certificate: bytes | None = None,
    ) -> None:
        self.method: str | None = method
        self.url: str | None = url
        self.target: bytes | None = target
        self.fields = fields
        self.peer: str | None = peer
        self.certificate: bytes | None = certificate

    @property
    def notes(self) -> MutableMapping[str, Any] | None:
        """None: it is asked about once."""
        return None

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of every header field called `name` (in lower case), in their order."""
        return [value for field, value in self.fields if field == name]


def request_in(text: str, server: ResourceServer, certificate: bytes | None = None) -> RequestFromFile:
    """Return the request that a text is, as it would arrive at a server.

    Where the server does not know its own address, a target without one is put below that of `Host`.

    Args:
        text: the request.
        server: which is asked about it.
        certificate: what the client showed, as DER.

    Raises:
        NotARequest: it is not one.
    """
    head = re.split(r"\r?\n[ \t]*\r?\n", text.lstrip("\ufeff\r\n"), maxsplit=1)[0]
    first, *lines = head.splitlines() or [""]
    line = _LINE.fullmatch(first.strip())
    if line is None:
        raise NotARequest("its first line is not that of a request: write it as GET /orders HTTP/1.1")
    fields = []
    for number, one in enumerate(lines, start=2):
        field = _FIELD.fullmatch(one)
        if field is None:
            raise NotARequest(f"line {number} is not a header field: write it as Name: value")
        fields.append((field[1].lower().encode(), field[2].encode("latin-1", "replace")))
    method, target = line[1], line[2]
    peer = _believed_peer(server)
    url = target if "://" in target else _address(target, tuple(fields), server)
    below = None if url is not None else target.encode("latin-1", "replace")
    return RequestFromFile(method, url, below, tuple(fields), peer=peer, certificate=certificate)


def _address(target: str, fields: tuple[tuple[bytes, bytes], ...], server: ResourceServer) -> str | None:
    """The public address of a target; None where the server knows that better."""
    if not target.startswith("/"):
        raise NotARequest(f"its target is {target!r:.80}: write a path, or the whole address")
    if server.resource is not None or (server.dpop is not None and server.dpop.base_url is not None):
        return None
    hosts = [value.decode("latin-1") for name, value in fields if name == b"host"]
    if len(hosts) != 1:
        raise NotARequest(
            "its address is not known: write it whole in the first line, as GET https://api.example/orders, "
            "or add a Host field"
        )
    return f"https://{hosts[0]}{target}"


def _believed_peer(server: ResourceServer) -> str | None:
    peers = () if server.certificate is None else server.certificate.peers
    for peer in peers:
        return None if isinstance(peer, str) else str(peer.network_address)
    return None
