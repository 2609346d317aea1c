"""Connections that never leave this machine: to 127.0.0.0/8, ::1 and localhost, without asking anybody.

Plain http is taken from loopback because nobody is on the way. So no proxy is on the way either, and no
resolver says where `localhost` is (RFC 6761, section 6.3). Any other host is refused.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

from bearerguard._core.address import is_loopback


class LoopbackTransport(httpx2.HTTPTransport):
    """What `httpx2.HTTPTransport` does, to this machine only.

    Args:
        context: TLS, for https.
        http1: whether HTTP/1.1 may be spoken.
        http2: whether HTTP/2 may be spoken.
    """

    def __init__(self, context: ssl.SSLContext, *, http1: bool, http2: bool) -> None:
        # There is no setting for it: the pool that would be made is replaced by one that connects as below.
        self._pool = httpcore2.ConnectionPool(
            context, http1=http1, http2=http2, network_backend=_ThisMachine()
        )


class _ThisMachine(httpcore2.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        if not is_loopback(host):
            raise httpcore2.ConnectError("this is not an address of this machine")
        if host.lower() != "localhost":
            return super().connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            return super().connect_tcp("127.0.0.1", port, timeout, local_address, socket_options)
        except httpcore2.ConnectError:
            return super().connect_tcp("::1", port, timeout, local_address, socket_options)
