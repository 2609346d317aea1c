"""One request for keys, or about a token, with what httpx2 has no setting for: a deadline and a size limit.

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

from bearerguard._core.address import is_on_this_machine, is_plain
from bearerguard._core.validator import usable_validator
from bearerguard._flows.effects import FetchFailed, HttpAnswer, HttpGet, HttpPost
from bearerguard._limits import FETCH_TIMEOUT, MAX_KEY_SET_BYTES
from bearerguard.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx2


_ACCEPT = "application/json, application/jwk-set+json;q=0.9, */*;q=0.5"
_FOREIGN_CODE = frozenset({"auth", "event_hooks", "mounts", "transport"})
_NO_ANSWER = frozenset({"client", "connection", "timeout"})
_ABOUT_THE_KEYS = frozenset({200, 304})
_DISLIKED = frozenset({400, 403, 412, 431})
"""What an HTTP server, or a firewall before it, answers to a header field that it does not like."""


class HttpClient:
    """Fetches documents within bounds. A connection lives as long as its session.

    Args:
        options: arguments of `httpx2.Client`.
        seconds: how long a request may take in all, unless the options say so.
        max_bytes: how much an answer may have.
        defers: whether the library is loaded with the first refresh, unless it has to look at options.

    Raises:
        ConfigurationError: where `httpx2.Client` does not take the options.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        seconds: float = FETCH_TIMEOUT,
        max_bytes: int = MAX_KEY_SET_BYTES,
        defers: bool = False,
    ) -> None:
        self.library: Any = None
        self.connections: Any = None
        """What looks into the library's connections; loaded with it."""
        self.timeout = seconds
        self.max_bytes = max_bytes
        self._given = options
        timeout = options.get("timeout", seconds)
        if defers and options.keys() <= {"timeout"} and isinstance(timeout, int | float):
            self.timeout = _seconds_in_all(timeout, seconds)
        else:
            self.load()

    def load(self) -> None:
        """Import the library and have it look at the options, if that was not done yet."""
        if self.library is not None:
            return
        # Here, so that `import bearerguard` does not pay for it, nor does the first request.
        import httpx2  # noqa: PLC0415

        from bearerguard._io import open_connections  # noqa: PLC0415 - it imports the library

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
            self.timeout = _seconds_in_all(self._options.get("timeout", self.timeout), self.timeout)
            headers = httpx2.Headers({"Accept": _ACCEPT})
            headers.update(self._options.get("headers"))
            self._options["headers"] = headers
            # Certificates are loaded by the first refresh that is not http to this machine, on its thread:
            # this may run on an event loop.
            tried: dict[str, Any] = dict(self._options)
            if self._loads_certificates:
                tried["verify"] = self._trusts_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            httpx2.Client(**tried).close()
            self.library, self.connections = httpx2, open_connections
        except Exception as problem:  # noqa: BLE001 - whatever its constructor makes of a user's options
            raise ConfigurationError(_what_is_not_taken(httpx2.Client, options, problem)) from None

    def session(self) -> Session:
        """Return what fetches the documents of one refresh, or asks one question after the other."""
        self.load()
        return Session(self)

    @property
    def runs_foreign_code(self) -> bool:
        """Whether the options have code of the program's own, which may take as long as it likes."""
        return not self._given.keys().isdisjoint(_FOREIGN_CODE)

    @property
    def cookies(self) -> Any:
        """The cookies in the options."""
        return self._options.get("cookies")

    @property
    def _loads_certificates(self) -> bool:
        return self._transport is None and isinstance(self._options["verify"], bool)

    def open(self, url: str) -> httpx2.Client:
        """Return a client of the library's for `url`, to be closed by the caller."""
        options: dict[str, Any] = {"timeout": self.timeout, **self._options, "follow_redirects": False}
        trust_env = options.get("trust_env", True)
        is_loopback = self._is_loopback_ours and is_on_this_machine(url)
        if self._loads_certificates and is_loopback and is_plain(url):
            # Nothing is asked over TLS there, and nothing could be: this accepts no certificate.
            options["verify"] = self._trusts_nobody
        elif self._loads_certificates:
            # It takes tens of milliseconds: once, not at each refresh.
            context = self.library.create_ssl_context(options["verify"], trust_env=trust_env)
            self._options["verify"] = options["verify"] = context
        if is_loopback:
            from bearerguard._io.loopback import LoopbackTransport  # noqa: PLC0415 - it needs the library

            context = self.library.create_ssl_context(options["verify"], options.get("cert"), trust_env)
            http1, http2 = options.get("http1", True), options.get("http2", False)
            options["transport"] = LoopbackTransport(context, http1=http1, http2=http2)
        client: httpx2.Client = self.library.Client(**options)
        return client


class NotConnected(Exception):
    """There is not a connection to ask over, and none may be opened. Nothing was asked."""


class Session:
    """Requests that share connections and the time that they have; `cut` ends them from elsewhere."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._httpx2 = client.library
        self._deadline = time.monotonic() + client.timeout
        self._open: dict[tuple[bool, bool], httpx2.Client] = {}
        self._by_url: dict[str, tuple[httpx2.Client, httpx2.URL]] = {}  # a URL takes long to parse
        self._asked: str | None = None
        self.is_aborted = False
        self.has_asked = False
        """Whether anything was sent since `restart`."""
        self.connects = True
        """Whether it may open a connection, for which it may look up a name, and nobody can end that."""

    def restart(self, deadline: float) -> None:
        """Begin another question on the same connections, with nothing of what the last one brought.

        Args:
            deadline: until when it may take, by the monotonic clock.
        """
        self._deadline, self.has_asked = deadline, False
        for client in self._open.values():
            if len(client.cookies.jar):
                client.cookies = self._client.cookies

    def cut(self) -> None:
        """Free a thread that is stuck in it sooner; from another thread.

        That thread is to `abort` it when it comes back. Nobody else may: what TLS reads from is a number, and
        once that is closed it may be the number of another connection of the program.
        """
        self.is_aborted = True
        for client, url in list(self._by_url.values()):
            self._client.connections.cut(client, url)

    def abort(self) -> None:
        """Close the connections; by the thread that asks over them, or when nobody does."""
        self.is_aborted = True
        for client in self._open.values():
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
                if failure.kind not in _NO_ANSWER or self.is_aborted or time.monotonic() >= deadline:
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
        options: dict[str, Any] = {"headers": {}}
        if condition is not None:
            options["headers"]["If-None-Match"] = condition
        if not is_whole:
            options["timeout"] = max(0.001, deadline - time.monotonic())
        return self._exchange("GET", url, deadline, **options)

    def post(self, request: HttpPost) -> HttpAnswer:
        """Send a form, in the time that is left.

        Raises:
            FetchFailed: as `get`, and `reset`: the connection was, before anything came of it.
            NotConnected: there is not a connection to ask over, and it may not open one.
        """
        if not self.connects and not self._is_connected(request.url):
            raise NotConnected
        options: dict[str, Any] = {"content": request.form, "headers": request.headers}
        options["timeout"] = max(0.001, self._deadline - time.monotonic())
        self.has_asked = True
        answer = self._exchange("POST", request.url, self._deadline, **options)
        self._asked = request.url
        return answer

    def _is_connected(self, url: str) -> bool:
        if url != self._asked or self.is_aborted:
            return False
        return bool(self._client.connections.has_open(*self._client_for(url)))

    def _exchange(self, method: str, url: str, deadline: float, **options: Any) -> HttpAnswer:
        if self.is_aborted:
            raise FetchFailed("connection", f"{url} is not asked any more")
        httpx2 = self._httpx2
        options["headers"] = {"Accept-Encoding": "identity", **options["headers"]}
        has_begun = False
        try:
            client, where = self._client_for(url)
            with client.stream(method, where, follow_redirects=False, **options) as response:
                has_begun = True
                body = self._read(response, url, deadline)
            self._drop_what_nobody_asked_for(method, url, client, where)
            fields = response.headers
            return HttpAnswer(
                response.status_code,
                body,
                fields.get("cache-control"),
                usable_validator(fields.get("etag")),
                fields.get("content-type"),
                fields.get("retry-after"),
            )
        except FetchFailed:
            raise
        except httpx2.TimeoutException as problem:
            raise FetchFailed("timeout", f"{url}: {_say(problem)}") from None
        except httpx2.LocalProtocolError:
            # Its message has the header in it, and a header may be a password.
            raise FetchFailed("client", f"{url}: a header in http_options is not valid in HTTP") from None
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError) as problem:
            kind = "connection" if has_begun or method == "GET" else "reset"
            raise FetchFailed(kind, f"{url}: {_say(problem)}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, RuntimeError) as problem:
            raise FetchFailed("connection", f"{url}: {_say(problem)}") from None
        except Exception as problem:  # noqa: BLE001 - a transport of the user's own may raise anything
            said = _say(problem) if method == "GET" else type(problem).__name__  # it may show what was sent
            raise FetchFailed("client", f"{url}: the HTTP client failed: {said}") from None

    def _drop_what_nobody_asked_for(
        self, method: str, url: str, client: httpx2.Client, where: httpx2.URL
    ) -> None:
        """Ask nothing more over a connection that brought more than the answer.

        Raises:
            FetchFailed: what it brought may as well be the answer, to a question about a token.
        """
        rest = self._client.connections.unasked(client, where)
        if rest == b"":
            return
        self._open = {way: one for way, one in self._open.items() if one is not client}
        self._by_url = {of: known for of, known in self._by_url.items() if known[0] is not client}
        client.close()
        if method == "POST" and rest is not None and rest.strip(b"\r\n"):
            raise FetchFailed("connection", f"{url} sent more than one answer")

    def _client_for(self, url: str) -> tuple[httpx2.Client, httpx2.URL]:
        """A client for this machine, and one for all others: only the latter may know proxies.

        And of each one for http, which may have no authorities, and one for https.
        """
        known = self._by_url.get(url)
        if known is None:
            way = is_on_this_machine(url), is_plain(url)
            client = self._open.get(way)
            if client is None:
                client = self._open[way] = self._client.open(url)
                if self.is_aborted:  # while it was opened
                    client.close()
            known = self._by_url[url] = client, self._httpx2.URL(url)
        return known

    def _read(self, response: httpx2.Response, url: str, deadline: float) -> bytes:
        """Read the body, counting what comes in and what it decodes to."""
        most = self._client.max_bytes
        if response.is_stream_consumed:  # a transport of the user's own, which read the body before us
            if len(response.content) > most:
                raise FetchFailed("too_large", f"{url} sent more than {most} bytes")
            return response.content
        raw = bytearray()
        for chunk in response.iter_raw():
            raw += chunk
            if len(raw) > most:
                raise FetchFailed("too_large", f"{url} sent more than {most} bytes")
            if time.monotonic() > deadline:
                raise FetchFailed("timeout", f"{url} did not finish in time")
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if not raw or encoding in ("", "identity"):
            return bytes(raw)
        if encoding not in ("gzip", "deflate"):
            raise FetchFailed("encoding", f"{url} answered in the content encoding {encoding!r:.40}")
        return _inflate(bytes(raw), url, most)


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


def _inflate(raw: bytes, url: str, most: int) -> bytes:
    """Decode gzip or zlib, never to more bytes than an answer may have."""
    try:
        body = zlib.decompressobj(wbits=47).decompress(raw, most + 1)
    except zlib.error:
        raise FetchFailed("encoding", f"{url} sent a body that does not decompress") from None
    if len(body) > most:
        raise FetchFailed("too_large", f"{url} sent more than {most} bytes, decompressed")
    return body


def _seconds_in_all(timeout: Any, usual: float) -> float:
    """How long a refresh may take: a number as it is, the longest part of an `httpx2.Timeout`."""
    parts = [timeout] if isinstance(timeout, int | float) else list(_timeout_parts(timeout))
    given = [float(part) for part in parts if part is not None and math.isfinite(part) and part > 0]
    return max(given, default=usual)


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
