"""What is behind a rule at MCP refuses by itself too: without the door in front, over stdio and in memory."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.server import MCPServer
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from pydantic import AnyHttpUrl

from bearerguard import ConfigurationError, ProviderUnavailable, SecurityWarning, role, scope
from bearerguard.mcp import Guard, Verifier
from bearerguard.testing import Issuer
from tests.doors.mcp_notes import READER, RESOURCE, Notes, notes
from tests.doors_under_test.door import bearer
from tests.doors_under_test.exchange import Answer, Request, over_asgi, run
from tests.doors_under_test.mcp_doors import ANY_HOST, HANDSHAKE, STATELESS, call, fields_of


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def api(issuer: Issuer) -> Notes:
    return notes(issuer.resource_server(keys=issuer.jwks()))


def answer_of(
    mcp: MCPServer[Any], guard: Callable[[Any], Any], token: str | None, tool: str, **arguments: Any
) -> Answer:
    """The answer of a server's application with something in front of it."""
    app = mcp.streamable_http_app(stateless_http=True, transport_security=ANY_HOST)
    message = call(tool, HANDSHAKE, **arguments)
    fields = [*fields_of(message, HANDSHAKE), *(() if token is None else bearer(token))]

    async def one() -> Answer:
        async with app.router.lifespan_context(app):
            request = Request("POST", "/mcp", fields, body=json.dumps(message).encode())
            return await over_asgi(guard(app), request, waits=True)

    answer: Answer = run(one)
    return answer


def post(mcp: MCPServer[Any], token: str | None, tool: str, **arguments: Any) -> Answer:
    """The answer of a server's application with nothing in front of it."""
    return answer_of(mcp, lambda app: app, token, tool, **arguments)


# -- nobody is known ---------------------------------------------------------------------------------------

ASKED: dict[str, Callable[[Client], Any]] = {
    "tool": lambda client: client.call_tool("wipe"),
    "prompt": lambda client: client.get_prompt("summarize", {"topic": "art"}),
    "resource": lambda client: client.read_resource("notes://all"),
    "template": lambda client: client.read_resource("note://7"),
}


@pytest.mark.parametrize("mode", ["legacy", STATELESS])
@pytest.mark.parametrize("kind", ASKED)
def test_in_memory_everything_behind_a_rule_is_refused(kind: str, mode: Any, api: Notes) -> None:
    async def story() -> None:
        async with Client(api.server, mode=mode, cache=None) as client:
            assert (await client.call_tool("whoami")).content[0].text == "nobody"  # type: ignore[union-attr]  # a text
            with pytest.raises(MCPError) as refused:
                await ASKED[kind](client)
            assert refused.value.error.code == -32003
            assert "Nobody is known here" in refused.value.error.message

    run(story)
    assert api.entered == []


PROGRAM = """
from mcp.server import MCPServer
from bearerguard import Provider, ResourceServer
from bearerguard.mcp import Guard

guard = Guard(ResourceServer(Provider("https://login.example", audience="https://api.example")))
mcp = MCPServer("Notes")

@mcp.tool()
@guard.requires()
def closed() -> str:
    return "entered"

@mcp.tool()
@guard.requires(dangerously_open_without_http=True)
def opened() -> str:
    return "entered"

mcp.run()
"""


@pytest.mark.parametrize("mode", ["legacy", STATELESS])
def test_over_stdio_a_tool_is_open_only_where_it_says_so(mode: Any, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    async def story() -> None:
        parameters = StdioServerParameters(command=sys.executable, args=["-W", "ignore", str(program)])
        async with Client(stdio_client(parameters), mode=mode, cache=None) as client:
            opened: Any = await client.call_tool("opened")
            assert opened.content[0].text == "entered"
            with pytest.raises(MCPError, match="Nobody is known here"):
                await client.call_tool("closed")

    run(story)


def test_over_http_without_the_door_everything_behind_a_rule_is_refused(api: Notes, issuer: Issuer) -> None:
    for token in (None, issuer.token(scope="notes:read notes:purge")):
        assert b"Nobody is known here" in post(api.server, token, "wipe").body
    assert api.entered == []


def opened_without_http(guard: Guard) -> MCPServer[Any]:
    mcp = MCPServer[Any]("Notes", log_level="CRITICAL")

    def plain(which: str = "all") -> str:
        return f"purged {which}"

    async def with_context(context: Context[Any, Any], which: str = "all") -> str:
        return f"purged {which} for {context.request_id is not None}"

    def prompt(topic: str) -> str:
        return f"purge {topic}"

    def template(number: str) -> str:
        return f"note {number}"

    open_to_all = guard.requires(scope("notes:purge"), dangerously_open_without_http=True)
    added: dict[Any, Any] = {
        plain: mcp.tool(),
        with_context: mcp.tool(),
        prompt: mcp.prompt(),
        template: mcp.resource("note://{number}"),
    }
    for function, add in added.items():
        with pytest.warns(SecurityWarning, match="open to everybody over stdio and in memory") as warned:
            guarded = open_to_all(function)
        assert warned[0].filename == __file__
        add(guarded)
    return mcp


def test_a_function_may_be_open_in_memory_and_takes_the_arguments_that_it_has(api: Notes) -> None:
    mcp = opened_without_http(api.guard)

    async def story() -> None:
        async with Client(mcp, cache=None) as client:
            tools = (await client.list_tools()).tools
            assert [list(tool.input_schema["properties"]) for tool in tools] == [["which"], ["which"]]
            for tool, text in (("plain", "purged old"), ("with_context", "purged old for True")):
                result: Any = await client.call_tool(tool, {"which": "old"})
                assert result.content[0].text == text
            said: Any = await client.get_prompt("prompt", {"topic": "all"})
            assert said.messages[0].content.text == "purge all"
            found: Any = await client.read_resource("note://7")
            assert found.contents[0].text == "note 7"

    run(story)


@pytest.mark.parametrize("tool", ["plain", "with_context"])
def test_what_is_open_without_http_is_not_open_over_http(tool: str, api: Notes, issuer: Issuer) -> None:
    mcp = opened_without_http(api.guard)
    full = issuer.token(scope="notes:purge")
    named: list[dict[str, Any]] = [{}, *({name: {}} for name in ("bearerguard_context", "context"))]
    for arguments in named:
        assert b"Nobody is known here" in post(mcp, full, tool, **arguments).body
    behind: dict[str, Callable[[Any], Any]] = {
        "public": lambda app: api.guard.protect(app, public_paths={"/mcp"}),
        "optional": api.guard.optional(),
        "protected": api.guard.protect,
    }
    assert b"Nobody is known here" in answer_of(mcp, behind["public"], None, tool).body
    assert answer_of(mcp, behind["optional"], None, tool).status == 401
    assert b"purged all" in answer_of(mcp, behind["protected"], full, tool).body


# -- which functions ---------------------------------------------------------------------------------------


def test_methods_and_partials_can_stand_behind_a_rule(api: Notes, issuer: Issuer) -> None:
    class Store:
        def purge(self, which: str) -> str:
            """Throw away."""
            return f"{which} purged"

    guarded = api.guard.requires(scope("notes:purge"))
    mcp = MCPServer[Any]("Notes", log_level="CRITICAL")
    mcp.add_tool(guarded(Store().purge))
    mcp.add_tool(guarded(functools.partial(Store().purge, which="all")), name="all")
    for tool, arguments in (("purge", {"which": "old"}), ("all", {})):
        for token, status in ((issuer.token(**READER), 403), (issuer.token(scope="notes:purge"), 200)):
            answer = answer_of(mcp, api.guard.protect, token, tool, **arguments)
            assert answer.status == status
            assert (b"purged" in answer.body) == (status == 200)


def test_what_is_not_a_function_is_refused_with_what_to_write(api: Notes) -> None:
    for thing in (object(), MCPServer, 7):
        with pytest.raises(ConfigurationError, match="is not the function of a tool"):
            api.guard.requires()(thing)  # type: ignore[type-var]  # that is what is tested


def test_a_token_that_another_guard_has_verified_opens_nothing(api: Notes) -> None:
    other = Issuer("https://other.test", audience="https://other.example")
    door = Guard(other.resource_server(keys=other.jwks()))
    token = other.token(scope="notes:purge")
    assert b"Nobody is known here" in answer_of(api.server, door.protect, token, "wipe").body
    assert api.entered == []


def test_a_rule_is_asked_again_where_the_function_is_called(api: Notes, issuer: Issuer) -> None:
    """Where the door sees no rule: here a tool that calls another."""
    mcp = MCPServer[Any]("Outer", log_level="CRITICAL")

    @mcp.tool()
    async def delegate(context: Context[Any, Any]) -> str:
        return str(await api.server.call_tool("wipe", {}, context))

    answer = answer_of(mcp, api.guard.protect, issuer.token(**READER), "delegate")
    error = json.loads(answer.body.partition(b"data: ")[2])["error"]
    assert (error["code"], error["data"]["error"]) == (-32003, "insufficient_scope")
    assert error["data"]["scope"] == "notes:purge"
    assert api.entered == []
    answer_of(mcp, api.guard.protect, issuer.token(scope="notes:purge"), "delegate")
    assert api.entered == ["purge all"]


def test_a_role_that_is_missing_promises_no_scope(api: Notes, issuer: Issuer) -> None:
    mcp = MCPServer[Any]("Notes", log_level="CRITICAL")

    @mcp.tool()
    @api.guard.requires(scope("notes:purge") & role("admin"))
    def purge() -> str:
        return "purged"

    answer = answer_of(mcp, api.guard.protect, issuer.token(**READER), "purge")
    assert answer.status == 403
    assert answer.challenge.keys() == {"resource_metadata"}


def test_token_is_there_only_within_a_message_that_has_one(api: Notes) -> None:
    assert api.guard.token_or_none() is None
    with pytest.raises(LookupError, match="no verified token"):
        api.guard.token()


# -- the SDK's own AuthSettings ----------------------------------------------------------------------------


def with_auth_settings(issuer: Issuer, verifier: Verifier) -> MCPServer[Any]:
    settings = AuthSettings(
        issuer_url=AnyHttpUrl(issuer.url),
        resource_server_url=AnyHttpUrl(RESOURCE),
        required_scopes=["notes:read"],
        validate_token_resource=True,
    )
    return MCPServer[Any]("Notes", token_verifier=verifier, auth=settings, log_level="CRITICAL")


def test_a_verifier_lets_tokens_pass_that_are_for_this_resource(issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), audience=[RESOURCE, "https://other.example"])
    guard, verifier = Guard(server), Verifier(server, resource=RESOURCE)
    mcp = with_auth_settings(issuer, verifier)

    @mcp.tool()
    @guard.requires(scope("notes:purge"))
    def purge() -> str:
        return f"purged by {guard.token().subject}"

    def answer(**claims: Any) -> Answer:
        return post(mcp, issuer.token("ada", **claims), "purge")

    allowed = answer(aud=["https://elsewhere.example", RESOURCE], scope="notes:read notes:purge")
    assert b"purged by ada" in allowed.body
    if "validate_token_resource" in AuthSettings.model_fields:  # from 2.2 on
        assert answer(aud="https://other.example", scope="notes:read notes:purge").status == 401
    assert answer(aud=RESOURCE, scope="other").status == 403
    assert b"insufficient_scope" in answer(aud=RESOURCE, scope="notes:read").body
    assert post(mcp, issuer.expired(aud=RESOURCE), "purge").status == 401


def verified(verifier: Verifier, token: str) -> Any:
    return run(lambda: verifier.verify_token(token))


def test_a_verifier_says_what_the_sdk_asks_for(issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), audience=[RESOURCE, "https://other.example"])
    verifier = Verifier(server, resource=RESOURCE)
    token = issuer.token("ada", "b a", client_id="web", aud=["https://other.example", RESOURCE])
    found = verified(verifier, token)
    assert (found.client_id, found.subject, found.scopes) == ("web", "ada", ["a", "b"])
    assert (found.token, found.claims["iss"], found.resource) == (token, issuer.url, RESOURCE)
    assert found.expires_at == found.claims["exp"]
    elsewhere = verified(verifier, issuer.token(aud=["https://x.example", "https://other.example"]))
    assert elsewhere.resource == "https://other.example"
    without = Verifier(server)
    assert verified(without, issuer.token(aud=RESOURCE)).resource == RESOURCE


def test_a_token_that_names_no_client_is_its_subjects(issuer: Issuer) -> None:
    verifier = Verifier(issuer.resource_server(keys=issuer.jwks()))
    assert verified(verifier, issuer.token("ada", client_id=None)).client_id == "ada"


def test_a_verifier_refuses_bad_tokens_and_never_in_an_outage(issuer: Issuer) -> None:
    verifier = Verifier(issuer.resource_server())
    with issuer.outage(), pytest.raises(ProviderUnavailable):
        verified(verifier, issuer.token())
    issuer.clock.advance(60)
    assert verified(verifier, issuer.token()).subject is not None
    assert verified(verifier, issuer.forged()) is None
    assert verified(verifier, issuer.for_another_audience()) is None


def test_a_verifier_wants_a_server() -> None:
    with pytest.raises(ConfigurationError, match="give a ResourceServer"):
        Verifier("https://login.example")  # type: ignore[arg-type]  # that is what is tested
