"""The door of MCP, asked message by message: what a body may say, how far it is read, and whose tools."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from mcp.server import MCPServer
from mcp.server.lowlevel import Server
from starlette.applications import Starlette
from starlette.routing import Mount

from bearerguard import ConfigurationError, scope
from bearerguard.testing import Issuer
from tests.doors.mcp_notes import READER, Notes, notes
from tests.doors_under_test.door import bearer
from tests.doors_under_test.exchange import Answer, Request, over_asgi, run
from tests.doors_under_test.mcp_doors import HANDSHAKE, STATELESS, call, fields_of


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def api(issuer: Issuer) -> Notes:
    return notes(issuer.resource_server(keys=issuer.jwks()))


def post(api: Notes, token: str | None, message: Any, version: str = HANDSHAKE, **changes: Any) -> Answer:
    """The answer to one message: a value to be sent as JSON, or the bytes themselves."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    shown = message if isinstance(message, dict) else call("whoami", version)
    fields = [*fields_of(shown, version), *(() if token is None else bearer(token))]
    request = Request("POST", "/mcp", [*fields, *changes.pop("fields", ())], body=body)
    return ask(api.app(stateless_http=True, **changes), api, request)


def ask(app: Starlette, api: Notes, request: Request) -> Answer:
    guarded = api.guard.protect(app, scope("notes:read"))

    async def one() -> Answer:
        async with app.router.lifespan_context(app):
            return await over_asgi(guarded, request, waits=True)

    answer: Answer = run(one)
    return answer


at_both_versions = pytest.mark.parametrize("version", [HANDSHAKE, STATELESS])


@at_both_versions
def test_a_header_that_names_another_tool_opens_nothing(version: str, api: Notes, issuer: Issuer) -> None:
    message = call("wipe", version)
    other = [(b"mcp-name", b"whoami"), (b"mcp-method", b"tools/call")]
    answer = post(api, issuer.token(**READER), message, version, fields=other)
    assert (answer.status, api.entered) == (403, [])


WIPE = json.dumps(call("wipe"))
MEMBERS: dict[str, bytes] = {
    "name, twice": WIPE.replace('"wipe"', '"whoami", "name": "wipe"').encode(),
    "method, twice": WIPE.replace('"tools/call"', '"tools/list", "method": "tools/call"').encode(),
    "params, twice": WIPE.replace('"params"', '"params": {"name": "whoami"}, "params"').encode(),
    "escaped members": WIPE.replace("name", "n\\u0061me").replace("params", "p\\u0061rams").encode(),
    "an escaped value": WIPE.replace("wipe", "w\\u0069pe").encode(),
    "spaces": b" \n\t" + WIPE.encode(),
}


@at_both_versions
@pytest.mark.parametrize("case", MEMBERS)
def test_the_tool_that_the_server_would_call_is_the_one_that_is_asked_about(
    case: str, version: str, api: Notes, issuer: Issuer
) -> None:
    body = MEMBERS[case]
    if version == STATELESS:
        meta = json.dumps(call("wipe", version)["params"]["_meta"]).encode()
        body = body.replace(b'"arguments"', b'"_meta": ' + meta + b', "arguments"')
    assert (post(api, issuer.token(**READER), body, version).status, api.entered) == (403, [])
    full = issuer.token(scope="notes:read notes:purge")
    answer = post(api, full, body, version, fields=[(b"mcp-name", b"wipe")])
    assert answer.status == 200 or version == STATELESS  # where the SDK compares the header as well


NOT_FOR_READING: dict[str, bytes] = {
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep, in what is passed over": b'{"jsonrpc": "2.0", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep arguments": WIPE.replace("{}", "[" * 100_000 + "]" * 100_000).encode(),
    "cut": WIPE.encode()[:-1],
    "nothing": b"",
    "no JSON": b"wipe",
    "UTF-16": WIPE.encode("utf-16"),
    "UTF-8 with a mark": b"\xef\xbb\xbf" + WIPE.encode(),
    "bytes": WIPE.replace("wipe", "\udcff").encode("utf-8", "surrogateescape"),
    "a number too large": b'{"jsonrpc": "2.0", "id": 1' + b"0" * 10_000 + b', "method": "tools/call"}',
    "a batch": f"[{WIPE}]".encode(),
    "a text": b'"tools/call"',
    "null": b"null",
    "a name that is a number": WIPE.replace('"wipe"', "7").encode(),
    "a name that is an array": WIPE.replace('"wipe"', '["wipe"]').encode(),
    "params that are an array": json.dumps({**call("wipe"), "params": ["wipe"]}).encode(),
    "a method that is an object": json.dumps({**call("wipe"), "method": {}}).encode(),
}


@at_both_versions
@pytest.mark.parametrize("case", NOT_FOR_READING)
def test_what_is_not_a_message_is_refused_and_enters_nothing(
    case: str, version: str, api: Notes, issuer: Issuer
) -> None:
    full = issuer.token(scope="notes:read notes:purge")
    for token in (full, issuer.token(**READER)):
        answer = post(api, token, NOT_FOR_READING[case], version)
        is_error = answer.status == 200 and b'"error"' in answer.body  # what the SDK says of bad parameters
        assert 400 <= answer.status < 500 or is_error
    assert api.entered == []


def test_an_unknown_tool_is_the_servers_to_answer(api: Notes, issuer: Issuer) -> None:
    answer = post(api, issuer.token(**READER), call("unknown"))
    assert (answer.status, b"Unknown tool" in answer.body) == (200, True)


# -- the body ----------------------------------------------------------------------------------------------


class Upload:
    """A body in pieces, and how much of it was read."""

    def __init__(self, pieces: int, size: int = 1024) -> None:
        self.left, self.piece, self.read = pieces, b" " * size, 0

    async def receive(self) -> Any:
        if not self.left:
            return {"type": "http.disconnect"}
        self.left -= 1
        self.read += len(self.piece)
        return {"type": "http.request", "body": self.piece, "more_body": self.left > 0}


def statuses(app: Starlette, guarded: Any, upload: Upload, token: str | None) -> list[int]:
    scope_of_http = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "root_path": "",
        "headers": [
            *((name.lower(), value) for name, value in fields_of(call("whoami"), HANDSHAKE)),
            *([] if token is None else [(b"authorization", f"Bearer {token}".encode())]),
        ],
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def one() -> None:
        async with app.router.lifespan_context(app):
            await guarded(scope_of_http, upload.receive, send)

    run(one)
    return [message["status"] for message in sent if message["type"] == "http.response.start"]


def test_nothing_is_read_before_the_token_is_checked(api: Notes, issuer: Issuer) -> None:
    tokens = (None, issuer.expired(scope="notes:read"), issuer.forged(), issuer.token(scope="other"))
    for token, status in zip(tokens, (401, 401, 401, 403), strict=True):
        upload, app = Upload(3), api.app()
        assert statuses(app, api.guard.protect(app, scope("notes:read")), upload, token) == [status]
        assert upload.read == 0


@pytest.mark.parametrize("limit", [10 * 1024, 8 * 1024 * 1024])
def test_a_body_is_read_no_further_than_by_the_server_itself(limit: int, api: Notes, issuer: Issuer) -> None:
    upload = Upload(2 * limit // 1024)
    app = api.app(max_request_body_size=limit)
    guarded = api.guard.protect(app, scope("notes:read"))
    assert statuses(app, guarded, upload, issuer.token(**READER)) == [413]
    assert limit < upload.read <= limit + 2 * 1024


def test_a_client_that_leaves_during_its_message_is_no_error(api: Notes, issuer: Issuer) -> None:
    upload, app = Upload(1), api.app()
    guarded = api.guard.protect(app, scope("notes:read"))

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    upload.receive = gone  # type: ignore[method-assign]  # what a server says when the connection is gone
    statuses(app, guarded, upload, issuer.token(**READER))
    assert api.entered == []


# -- servers -----------------------------------------------------------------------------------------------


def lifespan_of(inner: Starlette, _: Starlette) -> Any:
    return inner.router.lifespan_context(inner)


def test_the_tools_of_a_mounted_server_are_found(api: Notes, issuer: Issuer) -> None:
    for token, status in ((issuer.token(**READER), 403), (issuer.token(scope="notes:read notes:purge"), 200)):
        other, inner = MCPServer[Any]("Other").streamable_http_app(), api.app(stateless_http=True)
        mounts = [Mount("/other", other), Mount("/notes", inner)]
        app = Starlette(routes=mounts, lifespan=functools.partial(lifespan_of, inner))
        fields = [*fields_of(call("wipe"), HANDSHAKE), *bearer(token)]
        request = Request("POST", "/notes/mcp", fields, body=WIPE.encode())
        assert ask(app, api, request).status == status


def test_a_server_behind_other_middleware_is_named(api: Notes, issuer: Issuer) -> None:
    inner = api.app(stateless_http=True)

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    with pytest.raises(ConfigurationError, match=r"No MCP server was found .* mcp=server"):
        api.guard.protect(middleware)
    guarded = api.guard.protect(middleware, scope("notes:read"), mcp=api.server)
    fields = [*fields_of(call("wipe"), HANDSHAKE), *bearer(issuer.token(**READER))]

    async def one() -> Answer:
        async with inner.router.lifespan_context(inner):
            return await over_asgi(guarded, Request("POST", "/mcp", fields, body=WIPE.encode()), waits=True)

    assert run(one).status == 403


def test_the_low_level_server_can_be_protected_as_a_whole(api: Notes, issuer: Issuer) -> None:
    app = Server[Any]("low").streamable_http_app()
    guarded = api.guard.protect(app, scope("notes:read"))
    assert statuses(app, guarded, Upload(1), None) == [401]


@pytest.mark.parametrize("kind", ["tool", "prompt", "resource", "template"])
def test_a_rule_above_the_servers_own_decorator_is_an_error(kind: str, api: Notes) -> None:
    mcp = MCPServer[Any]("Notes")
    registered: dict[str, Any] = {
        "tool": mcp.tool(),
        "prompt": mcp.prompt(),
        "resource": mcp.resource("notes://all"),
        "template": mcp.resource("note://{number}"),
    }

    def function() -> str:
        return ""

    def of_number(number: str) -> str:
        return number

    api.guard.requires(scope("a"))(registered[kind](of_number if kind == "template" else function))
    with pytest.raises(ConfigurationError, match=r"is served without its rule: write @mcp.tool\(\) above"):
        api.guard.protect(mcp.streamable_http_app())


def test_a_public_server_asks_only_for_what_has_a_rule(api: Notes, issuer: Issuer) -> None:
    app = api.app(stateless_http=True)
    guarded = api.guard.optional()(app)

    async def answers() -> list[Answer]:
        async with app.router.lifespan_context(app):
            sent = []
            for tool in ("whoami", "wipe"):
                for token in (
                    None,
                    issuer.token(**READER),
                    issuer.token(scope="notes:purge"),
                    issuer.expired(),
                ):
                    fields = [*fields_of(call(tool), HANDSHAKE), *([] if token is None else bearer(token))]
                    request = Request("POST", "/mcp", fields, body=json.dumps(call(tool)).encode())
                    sent.append(await over_asgi(guarded, request, waits=True))
            return sent

    found = run(answers)
    assert [answer.status for answer in found] == [200, 200, 200, 401, 401, 403, 200, 401]
    assert b"nobody" in found[0].body
    assert found[4].challenge == {
        "scope": "notes:purge",
        "resource_metadata": "https://api.test/.well-known/oauth-protected-resource/mcp",
    }
