"""`python -m bench.introspection_endpoint`: an introspection endpoint on loopback that does very little.

It answers every question with the same active answer, over connections that are kept, and tells at `/count`
how often it was asked. It prints its port, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from bench.kinds import KINDS

SLOWLY = 0.1
"""Seconds that an answer takes at `/slowly`, as it may over a network."""
ANSWER: dict[str, Any] = {
    **KINDS["example"].claims(0, int(time.time())),
    "active": True,
    "token_type": "Bearer",
}


class Endpoint(asyncio.Protocol):
    """One connection."""

    asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing received."""
        self._transport: Any = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            fields = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in fields if line.startswith(b"content-length:")), 0)
            if len(rest) < length:
                return
            self._received = rest[length:]
            if head.startswith(b"POST"):
                Endpoint.asked += 1
                answer = json.dumps(ANSWER).encode()
                if head.startswith(b"POST /slowly"):
                    asyncio.get_running_loop().call_later(SLOWLY, self._answer, answer)
                else:
                    self._answer(answer)
            else:
                self._answer(str(Endpoint.asked).encode())

    def _answer(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def main() -> None:
    """Serve until the standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Endpoint, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
