"""One GET for keys, over httpx2, with what httpx2 has no setting for: a total deadline and a size limit.

Redirects are never followed, whatever the options say, and nothing that one answer brought can keep the next
question from being asked. Loopback is asked without a proxy and without a resolver. The client library is
imported when the first provider with an address is configured, so that neither `import bearerguard` nor a
request pays for it; where a snapshot brings the keys, with the first refresh.
"""

from __future__ import annotations

import codecs
import inspect
import math
import os
import ssl
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bearerguard._core.address import is_on_this_machine
from bearerguard._core.validator import usable_validator
from bearerguard._flows.effects import FetchFailed, HttpAnswer, HttpGet
from bearerguard._limits import FETCH_TIMEOUT, MAX_KEY_SET_BYTES
from bearerguard.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx2


_ACCEPT = "application/json, application/jwk-set+json;q=0.9, */*;q=0.5"
_NO_ANSWER = frozenset({"client", "connection", "timeout"})
_ABOUT_THE_KEYS = frozenset({200, 304})
_DISLIKED = frozenset({400, 403, 412, 431})
"""What an HTTP server, or a firewall before it, answers to a header field that it does not like."""


class HttpClient:
    """Fetches documents within bounds. A connection lives as long as one refresh.

    Args:
        options: arguments of `httpx2.Client`.
        defers: whether the library is loaded with the first refresh, unless it has to look at options.

    Raises:
        ConfigurationError: where `httpx2.Client` does not take the options.
    """

    def __init__(self, options: Mapping[str, Any], *, defers: bool = False) -> None:
        self.library: Any = None
        self.timeout = FETCH_TIMEOUT
        self._given = options
        timeout = options.get("timeout", FETCH_TIMEOUT)
        if defers and options.keys() <= {"timeout"} and isinstance(timeout, int | float):
            self.timeout = _seconds_in_all(timeout)
        else:
            self.load()

    def load(self) -> None:
        """Import the library and have it look at the options, if that was not done yet."""
        if self.library is not None:
            return
        # Here, so that `import bearerguard` does not pay for it, nor does the first request.
        import httpx2  # noqa: PLC0415

        codecs.lookup("idna")  # which every name of a host is looked up by, and which takes time to load
        options = self._given
        self.unanswered: set[str] = set()
        """Addresses whose last conditional request brought neither keys nor a 304: the next has no condition.

        A server may well fail over a condition with a 500, and would do so for ever.
        """
        self._options = {**options, "verify": _checked_verify(options.get("verify", True))}
        self._transport = self._options.get("transport")
        self._is_loopback_ours = self._transport is None and self._options.get("proxy") is None
        if self._transport is not None:
            self._options["transport"] = _Lent(self._transport)
        try:
            mounts = self._options.get("mounts") or {}
            self._options["mounts"] = {where: mount and _Lent(mount) for where, mount in mounts.items()}
            self.timeout = _seconds_in_all(self._options.get("timeout", FETCH_TIMEOUT))
            headers = httpx2.Headers({"Accept": _ACCEPT})
            headers.update(self._options.get("headers"))
            self._options["headers"] = headers
            # Certificates are loaded by the first refresh, on its thread: this may run on an event loop.
            tried: dict[str, Any] = dict(self._options)
            if self._loads_certificates:
                tried["verify"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            httpx2.Client(**tried).close()
            self.library = httpx2
        except Exception as problem:  # noqa: BLE001 - whatever its constructor makes of a user's options
            raise ConfigurationError(_what_is_not_taken(httpx2.Client, options, problem)) from None

    def session(self) -> Session:
        """Return what fetches the documents of one refresh, within the time it has in all."""
        self.load()
        return Session(self)

    @property
    def _loads_certificates(self) -> bool:
        return self._transport is None and isinstance(self._options["verify"], bool)

    def open(self, url: str) -> httpx2.Client:
        """Return a client of the library's for `url`, to be closed by the caller."""
        options: dict[str, Any] = {"timeout": self.timeout, **self._options, "follow_redirects": False}
        trust_env = options.get("trust_env", True)
        if self._loads_certificates:
            # It takes tens of milliseconds: once, not at each refresh.
            context = self.library.create_ssl_context(options["verify"], trust_env=trust_env)
            self._options["verify"] = options["verify"] = context
        if self._is_loopback_ours and is_on_this_machine(url):
            from bearerguard._io.loopback import LoopbackTransport  # noqa: PLC0415 - it needs the library

            context = self.library.create_ssl_context(options["verify"], options.get("cert"), trust_env)
            http1, http2 = options.get("http1", True), options.get("http2", False)
            options["transport"] = LoopbackTransport(context, http1=http1, http2=http2)
        client: httpx2.Client = self.library.Client(**options)
        return client


class Session:
    """The requests of one refresh; `abort` ends them from another thread."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._httpx2 = client.library
        self._deadline = time.monotonic() + client.timeout
        self._open: dict[bool, httpx2.Client] = {}
        self._is_aborted = False

    def abort(self) -> None:
        """Close the connections, so that a thread that is stuck in one is freed sooner."""
        self._is_aborted = True
        for client in list(self._open.values()):
            client.close()

    def get(self, request: HttpGet) -> HttpAnswer:
        """Perform one request.

        A conditional request that brings no answer, or one that finds fault with its header, is made again
        without the condition, in the time that is left.

        Raises:
            FetchFailed: `timeout`, `connection`, `client` (the HTTP client has failed), `too_large`,
                `encoding` or `http_status` (a 304 that nobody asked for).
        """
        url, deadline = request.url, self._deadline
        if request.share < 1:
            now = time.monotonic()
            deadline = now + max(0.001, (deadline - now) * request.share)
        is_whole, unanswered = request.share >= 1, self._client.unanswered
        condition = usable_validator(request.etag)
        if condition is not None and url not in unanswered:
            unanswered.add(url)  # first, as this thread may never come back from it
            try:
                answer = self._ask(url, condition, deadline, is_whole=is_whole)
            except FetchFailed as failure:
                if failure.kind not in _NO_ANSWER or self._is_aborted or time.monotonic() >= deadline:
                    raise
            else:
                if answer.status in _ABOUT_THE_KEYS:
                    unanswered.discard(url)
                if answer.status not in _DISLIKED or time.monotonic() >= deadline:
                    return answer
            is_whole = False
        answer = self._ask(url, None, deadline, is_whole=is_whole)
        unanswered.discard(url)
        if answer.status == 304 and request.etag is not None:
            raise FetchFailed("http_status", f"{url} answered HTTP 304")  # to a request without a condition
        return answer

    def _ask(self, url: str, condition: str | None, deadline: float, *, is_whole: bool) -> HttpAnswer:
        """Send one request. `is_whole`: each part of it may take as long as the options say."""
        httpx2 = self._httpx2
        options: dict[str, Any] = {"headers": {"Accept-Encoding": "identity"}, "follow_redirects": False}
        if condition is not None:
            options["headers"]["If-None-Match"] = condition
        if not is_whole:
            options["timeout"] = max(0.001, deadline - time.monotonic())
        try:
            with self._client_for(url).stream("GET", url, **options) as response:
                body = self._read(response, url, deadline)
            fields = response.headers
            etag = usable_validator(fields.get("etag"))
            return HttpAnswer(response.status_code, body, fields.get("cache-control"), etag)
        except FetchFailed:
            raise
        except httpx2.TimeoutException as problem:
            raise FetchFailed("timeout", f"{url}: {_say(problem)}") from None
        except httpx2.LocalProtocolError:
            # Its message has the header in it, and a header may be a password.
            raise FetchFailed("client", f"{url}: a header in http_options is not valid in HTTP") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, RuntimeError) as problem:
            raise FetchFailed("connection", f"{url}: {_say(problem)}") from None
        except Exception as problem:  # noqa: BLE001 - a transport of the user's own may raise anything
            raise FetchFailed("client", f"{url}: the HTTP client failed: {_say(problem)}") from None

    def _client_for(self, url: str) -> httpx2.Client:
        """One client for this machine, and one for all others: only the latter may know proxies."""
        is_here = is_on_this_machine(url)
        if is_here not in self._open:
            self._open[is_here] = self._client.open(url)
            if self._is_aborted:  # while it was opened
                self._open[is_here].close()
        return self._open[is_here]

    def _read(self, response: httpx2.Response, url: str, deadline: float) -> bytes:
        """Read the body, counting what comes in and what it decodes to."""
        if response.is_stream_consumed:  # a transport of the user's own, which read the body before us
            if len(response.content) > MAX_KEY_SET_BYTES:
                raise FetchFailed("too_large", f"{url} sent more than {MAX_KEY_SET_BYTES} bytes")
            return response.content
        raw = bytearray()
        for chunk in response.iter_raw():
            raw += chunk
            if len(raw) > MAX_KEY_SET_BYTES:
                raise FetchFailed("too_large", f"{url} sent more than {MAX_KEY_SET_BYTES} bytes")
            if time.monotonic() > deadline:
                raise FetchFailed("timeout", f"{url} did not finish in time")
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if not raw or encoding in ("", "identity"):
            return bytes(raw)
        if encoding not in ("gzip", "deflate"):
            raise FetchFailed("encoding", f"{url} answered in the content encoding {encoding!r:.40}")
        return _inflate(bytes(raw), url)


def _checked_verify(verify: Any) -> Any:
    """Return `verify` as `httpx2.Client` takes it: a bool or a TLS context."""
    if verify is None:
        return True
    if isinstance(verify, bool) or hasattr(verify, "verify_mode"):
        return verify
    if isinstance(verify, str | os.PathLike) and str(verify):
        return _own_authorities(os.fspath(verify))
    what = "an empty path" if isinstance(verify, str) else f"a {type(verify).__name__}"
    raise ConfigurationError(
        f"http_options has {what} as verify: give an ssl.SSLContext, the path of a file or folder of "
        "certificate authorities, or leave it out"
    )


def _what_is_not_taken(client: Any, options: Mapping[str, Any], problem: Exception) -> str:
    """Say which option is at fault, and nothing of its value: it may be a password."""
    unknown = options.keys() - inspect.signature(client).parameters.keys()
    if unknown:
        return f"http_options has {min(map(str, unknown))!r:.60}, which httpx2.Client does not take"
    for name, value in options.items():
        try:
            client(**{"verify": False, name: value}).close()
        except Exception as one:  # noqa: BLE001 - whatever its constructor makes of the option
            why = str(one) if isinstance(one, ImportError) else type(one).__name__
            return f"http_options has {name!r}, with a value that httpx2.Client does not take ({why})"
    return f"http_options has options that httpx2.Client does not take together ({type(problem).__name__})"


def _own_authorities(path: Any) -> ssl.SSLContext:
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
