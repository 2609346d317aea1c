"""One GET, with what `doctor` wants to know of it beside the body: time, clock, certificate.

It asks as the library does, with the same options and without following redirects, and judges nothing.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from bearerguard._io.http import HttpClient
from bearerguard.logging import on_one_line

__all__ = ["Answer", "Ask", "asking"]


class Answer(NamedTuple):
    """What came of one request.

    Attributes:
        url: what was asked for.
        status: None without an answer.
        fields: the header fields, names in lower case.
        body: as much of it as a key set may have, or a little more.
        seconds: from the question to the last byte.
        failure: why no answer came.
        clock: by how many seconds the other's clock is ahead of ours; None where it does not say.
        certificate_ends: when the server's certificate ends, in seconds since 1970; None without TLS.
    """

    url: str
    status: int | None = None
    fields: Mapping[str, str] = {}
    body: bytes = b""
    seconds: float = 0.0
    failure: str | None = None
    clock: float | None = None
    certificate_ends: float | None = None


Ask = Callable[[str], Answer]


def asking(options: Mapping[str, Any], clock: Callable[[], float] = time.time) -> Ask:
    """Return what asks, over new connections each time, as a first request has to.

    Args:
        options: arguments of `httpx2.Client`, as a provider's `http_options`.
        clock: seconds since 1970.
    """
    client = HttpClient(options)

    def ask(url: str) -> Answer:
        began, at = time.monotonic(), clock()
        try:
            with client.open(url) as opened, opened.stream("GET", url) as response:
                ends = _certificate_end(response.extensions.get("network_stream"))
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > client.max_bytes or time.monotonic() - began > client.timeout:
                        break
                took = time.monotonic() - began
                fields = {name.lower(): value for name, value in response.headers.items()}
                ahead = _ahead(fields.get("date"), at + took / 2)
                return Answer(url, response.status_code, fields, bytes(body), took, None, ahead, ends)
        except Exception as problem:  # noqa: BLE001 - whatever a transport of the program's own raises
            said = on_one_line(str(problem) or type(problem).__name__)
            return Answer(url, seconds=time.monotonic() - began, failure=said[:300])

    return ask


def _ahead(date: str | None, now: float) -> float | None:
    """By how much a `Date` is ahead; it has no fraction, and mostly loses half a second by that."""
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() + 0.5 - now
    except ValueError:
        return None


def _certificate_end(stream: Any) -> float | None:
    tls = None if stream is None else stream.get_extra_info("ssl_object")
    certificate = None if tls is None else tls.getpeercert()
    ends = (certificate or {}).get("notAfter")
    return None if ends is None else float(ssl.cert_time_to_seconds(ends))
