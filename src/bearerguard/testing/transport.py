"""The way to an issuer in the same process: an HTTP transport without port, socket or name look-up.

It serves synchronous and asynchronous clients. It leads to its issuer and nowhere else: a request for any
other origin fails as if there were no network.
"""

from __future__ import annotations

import anyio.to_thread
import httpx2

from bearerguard.testing.exchange import Answers, Request, Response

__all__ = ["InProcessTransport"]


class InProcessTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Hands requests to an issuer, and raises what a network would raise where it is in trouble.

    Args:
        issuer: the issuer that answers.
    """

    def __init__(self, issuer: Answers) -> None:
        self._issuer = issuer

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer `request`, or raise as a network would."""
        request.read()
        return self._answer(request)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer `request`, or raise as a network would; in a thread, since a slow issuer waits there."""
        await request.aread()
        return await anyio.to_thread.run_sync(self._answer, request, abandon_on_cancel=True)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        origin = httpx2.URL(self._issuer.url)
        if _origin(request.url) != _origin(origin):
            raise httpx2.ConnectError(
                f"Only {origin} can be reached here, not {request.url}.", request=request
            )
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = request.url.query.decode("latin-1")
        asked = Request(request.method, request.url.path, headers, request.content, query)
        # A client that gives up waiting sees its own time-out, as over a network.
        limit = request.extensions.get("timeout", {}).get("read")
        response: Response | None
        try:
            response = self._issuer.answer(asked, limit)
        except TimeoutError as error:
            raise httpx2.ReadTimeout(str(error), request=request) from error
        if response is None:
            raise httpx2.ConnectError(f"{origin} cannot be reached: an outage.", request=request)
        return httpx2.Response(response.status, headers=list(response.headers), content=response.body)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
