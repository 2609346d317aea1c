"""One GET for keys, over httpx2, with what httpx2 has no setting for: a total deadline and a size limit.

Redirects are never followed, whatever the options say. The client library is imported when the first
provider with an address is configured, so that neither `import bearerguard` nor a request pays for it.
"""

from __future__ import annotations

import codecs
import math
import ssl
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bearerguard._flows.effects import FetchFailed, HttpAnswer, HttpGet
from bearerguard._limits import FETCH_TIMEOUT, MAX_KEY_SET_BYTES
from bearerguard.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx2


_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")


class HttpClient:
    """Fetches documents within bounds. A connection lives as long as one refresh.

    Args:
        options: arguments of `httpx2.Client`.

    Raises:
        ConfigurationError: where `httpx2.Client` does not take the options.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        # Here, so that `import bearerguard` does not pay for it, nor does the first request.
        import httpx2  # noqa: PLC0415

        codecs.lookup("idna")  # which every name of a host is looked up by, and which takes time to load
        self._httpx2 = httpx2
        self._options = dict(options)
        if isinstance(options.get("verify"), str):
            self._options["verify"] = _own_authorities(options["verify"])
        self._transport = self._options.get("transport")
        if self._transport is not None:
            self._options["transport"] = _Lent(self._transport)
        try:
            mounts = self._options.get("mounts") or {}
            if not mounts and self._options.get("proxy") is None:
                # Plain http is accepted on loopback because it stays there: no proxy of the environment.
                mounts = dict.fromkeys(_LOOPBACK)
            self._options["mounts"] = {where: mount and _Lent(mount) for where, mount in mounts.items()}
            self.timeout = _seconds_in_all(self._options.get("timeout", FETCH_TIMEOUT))
            # Certificates are loaded by the first refresh, on its thread: this may run on an event loop.
            tried: dict[str, Any] = dict(self._options)
            if self._loads_certificates:
                tried["verify"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            httpx2.Client(**tried).close()
        except Exception as problem:  # noqa: BLE001 - whatever its constructor makes of a user's options
            raise ConfigurationError(f"http_options are not what httpx2.Client takes: {problem!r}") from None

    def session(self) -> Session:
        """Return what fetches the documents of one refresh, within the time it has in all."""
        return Session(self._httpx2, self._open(), self.timeout)

    @property
    def _loads_certificates(self) -> bool:
        return self._transport is None and isinstance(self._options.get("verify", True), bool)

    def _open(self) -> httpx2.Client:
        options: dict[str, Any] = {"timeout": self.timeout, **self._options, "follow_redirects": False}
        if self._loads_certificates:
            # It takes tens of milliseconds: once, not at each refresh.
            verify = options.get("verify", True)
            context = self._httpx2.create_ssl_context(verify, trust_env=options.get("trust_env", True))
            self._options["verify"] = options["verify"] = context
        return self._httpx2.Client(**options)


class Session:
    """The requests of one refresh; `abort` ends them from another thread."""

    def __init__(self, library: ModuleType, client: httpx2.Client, seconds: float) -> None:
        self._httpx2 = library
        self._client = client
        self._deadline = time.monotonic() + seconds

    def abort(self) -> None:
        """Close the connections, so that a thread that is stuck in one is freed sooner."""
        self._client.close()

    def get(self, request: HttpGet) -> HttpAnswer:
        """Perform one request.

        Raises:
            FetchFailed: `timeout`, `connection`, `too_large` or `encoding`.
        """
        httpx2 = self._httpx2
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if request.etag is not None:
            headers["If-None-Match"] = request.etag
        options: dict[str, Any] = {"headers": headers, "follow_redirects": False}
        deadline = self._deadline
        if request.share < 1:
            now = time.monotonic()
            options["timeout"] = max(0.001, (deadline - now) * request.share)
            deadline = now + options["timeout"]
        try:
            with self._client.stream("GET", request.url, **options) as response:
                body = self._read(response, request.url, deadline)
        except httpx2.TimeoutException as problem:
            raise FetchFailed("timeout", f"{request.url}: {_say(problem)}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, RuntimeError) as problem:
            raise FetchFailed("connection", f"{request.url}: {_say(problem)}") from None
        return HttpAnswer(
            response.status_code, body, response.headers.get("cache-control"), response.headers.get("etag")
        )

    def _read(self, response: httpx2.Response, url: str, deadline: float) -> bytes:
        """Read the body, counting what comes in and what it decodes to."""
        if response.is_stream_consumed:  # a transport of the user's own, which read the body before us
            if len(response.content) > MAX_KEY_SET_BYTES:
                raise FetchFailed("too_large", f"{url} sent more than {MAX_KEY_SET_BYTES} bytes")
            return response.content
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity", "gzip", "deflate"):
            raise FetchFailed("encoding", f"{url} answered in the content encoding {encoding!r:.40}")
        raw = bytearray()
        for chunk in response.iter_raw():
            raw += chunk
            if len(raw) > MAX_KEY_SET_BYTES:
                raise FetchFailed("too_large", f"{url} sent more than {MAX_KEY_SET_BYTES} bytes")
            if time.monotonic() > deadline:
                raise FetchFailed("timeout", f"{url} did not finish in time")
        if encoding in ("", "identity"):
            return bytes(raw)
        return _inflate(bytes(raw), url)


def _own_authorities(path: str) -> ssl.SSLContext:
    """Trust the certificate authorities in a file or a folder, and no others."""
    try:
        if Path(path).is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as problem:
        raise ConfigurationError(
            f"http_options has verify={path!r}, which cannot be read: {problem}"
        ) from None


def _inflate(raw: bytes, url: str) -> bytes:
    """Decode gzip or zlib, never to more than a key set may have."""
    try:
        body = zlib.decompressobj(wbits=47).decompress(raw, MAX_KEY_SET_BYTES + 1)
    except zlib.error:
        raise FetchFailed("encoding", f"{url} sent a body that does not decompress") from None
    if len(body) > MAX_KEY_SET_BYTES:
        raise FetchFailed("too_large", f"{url} sent more than {MAX_KEY_SET_BYTES} bytes, decompressed")
    return body


def _seconds_in_all(timeout: Any) -> float:
    """How long a refresh may take: a number as it is, the longest part of an `httpx2.Timeout`."""
    parts = [timeout] if isinstance(timeout, int | float) else list(_timeout_parts(timeout))
    given = [float(part) for part in parts if part is not None and math.isfinite(part) and part > 0]
    return max(given, default=FETCH_TIMEOUT)


def _timeout_parts(timeout: Any) -> tuple[Any, ...]:
    if isinstance(timeout, tuple):
        return timeout
    return tuple(getattr(timeout, part, None) for part in ("connect", "read", "write", "pool"))


def _say(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"[:300] if str(problem) else type(problem).__name__


class _Lent:
    """A user's transport, which stays open when the client that borrows it is closed."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def handle_request(self, request: Any) -> Any:
        return self._transport.handle_request(request)

    def close(self) -> None:
        return
