from __future__ import annotations

import ssl
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import httpx2
import pytest

from bearerguard._core.unchecked_tls import unchecked_tls

NO_CERTIFICATE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
NO_CERTIFICATE.check_hostname = False
NO_NAME = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
NO_NAME.check_hostname = False
NO_CERTIFICATE.verify_mode = ssl.CERT_NONE
CHECKED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Falsy:
    def __bool__(self) -> bool:
        return False


class Retrying(httpx2.BaseTransport):
    """A transport of a user's own around another."""

    def __init__(self, wrapped: httpx2.BaseTransport) -> None:
        self.wrapped = wrapped


class Slotted:
    """A transport of a user's own without a `__dict__`, whose only attribute has a private name."""

    __slots__ = ("__context",)

    def __init__(self, context: ssl.SSLContext) -> None:
        self.__context = context


def proxied(context: ssl.SSLContext) -> httpx2.HTTPTransport:
    return httpx2.HTTPTransport(verify=context, proxy="http://proxy.example:3128")


UNCHECKED: dict[str, dict[str, Any]] = {
    "verify=False": {"verify": False},
    "verify=0": {"verify": 0},
    "verify=0.0": {"verify": 0.0},
    "verify=''": {"verify": ""},
    "verify=[]": {"verify": []},
    "verify of its own truth": {"verify": Falsy()},
    "a context": {"verify": NO_CERTIFICATE},
    "a server's context": {"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)},
    "a transport": {"transport": httpx2.HTTPTransport(verify=False)},
    "a transport with a context": {"transport": httpx2.HTTPTransport(verify=NO_CERTIFICATE)},
    "a transport with a proxy": {"transport": proxied(NO_CERTIFICATE)},
    "a wrapped transport": {"transport": Retrying(httpx2.HTTPTransport(verify=False))},
    "wrapped twice": {"transport": Retrying(Retrying(httpx2.HTTPTransport(verify=False)))},
    "a transport of transports": {"transport": SimpleNamespace(all=[httpx2.HTTPTransport(verify=False)])},
    "a slot": {"transport": Slotted(NO_CERTIFICATE)},
    "a mount": {"mounts": {"all://": httpx2.HTTPTransport(verify=False)}},
    "one mount of two": {"mounts": {"http://": None, "https://x": httpx2.HTTPTransport(verify=False)}},
    "a proxy": {"proxy": httpx2.Proxy("https://proxy.example", ssl_context=NO_CERTIFICATE)},
    "another client's flag": {"transport": SimpleNamespace(session=SimpleNamespace(verify=False))},
}


@pytest.mark.parametrize("options", UNCHECKED.values(), ids=UNCHECKED.keys())
def test_a_certificate_that_is_not_checked_is_seen_wherever_that_is_said(options: dict[str, Any]) -> None:
    assert "does not check the certificate" in str(unchecked_tls(options))


@pytest.mark.parametrize(
    "options",
    [
        {"verify": NO_NAME},
        {"transport": httpx2.HTTPTransport(verify=NO_NAME)},
        {"mounts": {"all://": httpx2.HTTPTransport(verify=NO_NAME)}},
    ],
    ids=["context", "transport", "mount"],
)
def test_a_certificate_of_anybody_is_seen_too(options: dict[str, Any]) -> None:
    assert "the name in the certificate" in str(unchecked_tls(options))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"verify": True},
        {"verify": None},
        {"verify": "ca.pem"},
        {"verify": CHECKED},
        {"transport": httpx2.HTTPTransport(verify=CHECKED)},
        {"transport": httpx2.MockTransport(lambda _: httpx2.Response(200))},
        {"transport": MagicMock()},
        {"transport": object()},
        {"transport": httpx2.HTTPTransport},
        {"mounts": {"http://": None, "https://": httpx2.HTTPTransport(verify=CHECKED)}},
        {"mounts": None, "proxy": "http://proxy.example:3128", "headers": {"verify": "no"}},
    ],
    ids=[
        "nothing", "verify", "verify left out", "a file", "a context", "a transport", "a stand-in", "a mock",
        "an object", "a class", "mounts", "a proxy",
    ],
)  # fmt: skip
def test_nothing_is_said_of_what_is_checked(options: dict[str, Any]) -> None:
    assert unchecked_tls(options) is None


def test_worse_is_said_before_bad() -> None:
    mounts = {
        "https://a": httpx2.HTTPTransport(verify=NO_NAME),
        "https://b": httpx2.HTTPTransport(verify=False),
    }
    assert "does not check the certificate" in str(unchecked_tls({"mounts": mounts}))


def test_looking_ends_however_much_there_is_to_look_at() -> None:
    endless: Any = SimpleNamespace()
    endless.next = endless
    many = [SimpleNamespace(more=[SimpleNamespace() for _ in range(100)]) for _ in range(100)]
    assert unchecked_tls({"transport": endless, "mounts": many}) is None
