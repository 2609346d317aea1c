"""The door of MCP: a tool's own rule before anything is sent, and again inside."""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError

from bearerguard import scope
from bearerguard.testing import Issuer
from tests.doors.mcp_notes import READER, Notes, notes
from tests.doors_under_test.door import bearer
from tests.doors_under_test.exchange import run
from tests.doors_under_test.mcp_doors import HANDSHAKE, STATELESS, call, fields_of
from tests.doors_under_test.real_server import serving
from tests.hostile.challenge_grammar import parse_challenge

TLS = ssl.create_default_context()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def api(issuer: Issuer) -> Notes:
    return notes(issuer.resource_server(keys=issuer.jwks()))


# -- the SDK's own client, over HTTP -----------------------------------------------------------------------


class Told:
    """What the answers said, whatever the client made of them."""

    def __init__(self) -> None:
        self.refusals: list[tuple[int, str]] = []
        self.is_refused = anyio.Event()
        self.session = ""

    async def note(self, response: httpx2.Response) -> None:
        self.session = response.headers.get("mcp-session-id", self.session)
        if response.status_code >= 400:
            self.refusals.append((response.status_code, response.headers.get("www-authenticate", "")))
        if response.status_code == 403:
            self.is_refused.set()


@asynccontextmanager
async def client_of(kind: str, port: int, token: str, told: Told) -> AsyncIterator[Client]:
    def http_client(**options: Any) -> httpx2.AsyncClient:
        options["headers"] = {**(options.get("headers") or {}), "Authorization": f"Bearer {token}"}
        hooks = {"response": [told.note]}
        return httpx2.AsyncClient(
            event_hooks=hooks, trust_env=False, verify=TLS, **{"timeout": 60, **options}
        )

    if kind == "sse":
        transport = sse_client(
            f"http://127.0.0.1:{port}/sse",
            httpx_client_factory=lambda headers=None, timeout=None, auth=None: http_client(headers=headers),
        )
        async with Client(transport, mode="legacy", cache=None) as client:
            yield client
        return
    async with http_client() as http:
        transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)
        mode = STATELESS if kind == STATELESS else "legacy"
        async with Client(transport, mode=mode, cache=None) as client:
            assert client.session.protocol_version == (STATELESS if kind == STATELESS else HANDSHAKE)
            yield client


KINDS: dict[str, Callable[[MCPServer[Any]], Any]] = {
    HANDSHAKE: lambda mcp: mcp.streamable_http_app(),
    f"{HANDSHAKE} as JSON": lambda mcp: mcp.streamable_http_app(json_response=True),
    f"{HANDSHAKE} without sessions": lambda mcp: mcp.streamable_http_app(stateless_http=True),
    STATELESS: lambda mcp: mcp.streamable_http_app(),
    "sse": lambda mcp: mcp.sse_app(),
}
at_each_transport = pytest.mark.parametrize("kind", KINDS)


@contextmanager
def served(api: Notes, kind: str) -> Iterator[int]:
    app = api.guard.protect(KINDS[kind](api.server), scope("notes:read"))
    with serving(app, lifespan="on") as port:
        yield port


@at_each_transport
def test_a_client_whose_token_allows_it_gets_everything(kind: str, api: Notes, issuer: Issuer) -> None:
    scopes = "notes:read notes:purge notes:prompt notes:secret notes:all"
    told = Told()

    async def story() -> None:
        async with client_of(kind, port, issuer.token("ada", scopes), told) as client:
            assert text_of(await client.call_tool("whoami")) == "ada"
            assert text_of(await client.call_tool("wipe", {"which": "old"})) == "old, by ada, logged as ada"
            prompt: Any = await client.get_prompt("summarize", {"topic": "art"})
            assert prompt.messages[0].content.text == "Summarize art."
            for uri, text in (("note://7", "note 7"), ("notes://all", "everything")):
                found: Any = await client.read_resource(uri)
                assert found.contents[0].text == text

    with served(api, kind) as port:
        run(story)
    assert [status for status, _ in told.refusals if status not in {404, 405}] == []
    assert api.entered == ["purge old", "summarize", "note", "everything"]


@at_each_transport
def test_a_client_is_told_the_scopes_of_the_operation_before_anything_is_sent(
    kind: str, api: Notes, issuer: Issuer
) -> None:
    lacking: dict[str, Callable[[Client], Any]] = {
        "notes:purge notes:read": lambda client: client.call_tool("wipe"),
        "notes:prompt notes:read": lambda client: client.get_prompt("summarize", {"topic": "art"}),
        "notes:read notes:secret": lambda client: client.read_resource("note://7"),
        "notes:all notes:read": lambda client: client.read_resource("notes://all"),
    }

    async def refused(ask: Callable[[Client], Any]) -> Told:
        told = Told()
        async with client_of(kind, port, issuer.token(**READER), told) as client:
            if kind != "sse":
                await attempt(ask, client)
                return told
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(attempt, ask, client)
                await told.is_refused.wait()  # over SSE the client would wait for an answer for ever
                tasks.cancel_scope.cancel()
        return told

    async def attempt(ask: Callable[[Client], Any], client: Client) -> None:
        with pytest.raises((MCPError, httpx2.HTTPError)):
            await ask(client)

    with served(api, kind) as port:
        for scopes, ask in lacking.items():
            told = run(functools.partial(refused, ask))
            (challenge,) = {challenge for status, challenge in told.refusals if status == 403}
            said = parse_challenge(challenge.encode())
            assert (said["error"], said["scope"]) == ("insufficient_scope", scopes)
            where = "https://api.test/.well-known/oauth-protected-resource/mcp"
            assert said["resource_metadata"] == where
    assert api.entered == []


def text_of(result: Any) -> str:
    text: str = result.content[0].text
    return text


def test_a_session_belongs_to_who_opened_it(api: Notes, issuer: Issuer) -> None:
    async def story() -> None:
        told = Told()
        async with client_of(HANDSHAKE, port, issuer.token(**READER), told) as client:
            await client.call_tool("whoami")
            async with httpx2.AsyncClient(trust_env=False, verify=TLS, timeout=60) as other:
                for subject, status in (("eve", 404), ("ada", 200)):
                    fields = [
                        *fields_of(call("whoami"), HANDSHAKE),
                        (b"mcp-session-id", told.session.encode()),
                        *bearer(issuer.token(subject, "notes:read")),
                    ]
                    answer = await other.post(address, json=call("whoami"), headers=list(fields))
                    assert answer.status_code == status

    with served(api, HANDSHAKE) as port:
        address = f"http://127.0.0.1:{port}/mcp"
        run(story)
