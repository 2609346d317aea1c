"""The door of MCP in front of FastMCP: rules around functions, and rules as its `auth`."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from blockbuster import BlockBuster
from fastmcp import Client, Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.auth import AccessToken, AuthContext
from fastmcp.server.dependencies import get_access_token

from bearerguard import AuthError, ConfigurationError, SecurityWarning, role, scope
from bearerguard.mcp import Guard
from bearerguard.testing import Issuer
from tests.doors.mcp_notes import READER, RESOURCE
from tests.doors_under_test.door import bearer
from tests.doors_under_test.exchange import Answer, Request, over_asgi, run
from tests.doors_under_test.mcp_doors import HANDSHAKE, STATELESS, call, fields_of


@pytest.fixture(autouse=True)
def no_log_with_tracebacks() -> Iterator[None]:
    """FastMCP shows what a tool raised with its source, which it reads on the event loop."""
    logger = logging.getLogger("fastmcp")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(before)


@pytest.fixture(autouse=True)
def older_releases_may_look_for_a_package(blocking_calls_fail_on_an_event_loop: BlockBuster) -> None:
    """They do for every call, in the folders of installed packages."""
    for name in ("os.stat", "os.listdir", "os.scandir", "io.TextIOWrapper.read", "io.BufferedReader.read"):
        if name in (functions := blocking_calls_fail_on_an_event_loop.functions):
            functions[name].can_block_in("fastmcp/server/dependencies.py", {"is_docket_available"})


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server(keys=issuer.jwks()), resource=RESOURCE)


@pytest.fixture
def mcp(guard: Guard) -> FastMCP[Any]:
    server = FastMCP[Any]("Notes")

    @server.tool
    def whoami() -> str:
        token = get_access_token()
        return "nobody" if token is None else str(token.claims["sub"])

    @server.tool(name="wipe")
    @guard.requires(scope("notes:purge"))
    async def purge(context: Context) -> str:
        return f"purged by {guard.token().subject}"

    @server.tool(auth=guard.auth_check(scope("notes:purge") & role("admin")))
    def hidden() -> str:
        return "found"

    @server.prompt
    @guard.requires(scope("notes:prompt"))
    def summarize(topic: str) -> str:
        return f"Summarize {topic}."

    @server.resource("notes://all")
    @guard.requires(scope("notes:all"))
    def everything() -> str:
        return "everything"

    @server.resource("note://{number}", auth=[guard.auth_check(scope("notes:secret"))])
    def note(number: str) -> str:
        return f"note {number}"

    return server


def ask(
    mcp: FastMCP[Any],
    guarded: Callable[[Any], Any],
    token: str | None,
    asked: Any,
    version: str = HANDSHAKE,
) -> Answer:
    app = mcp.http_app(stateless_http=True)
    named = asked["params"].get("name") or asked["params"].get("uri", "")
    shown = {**asked, "params": {"name": named}}
    fields = [*fields_of(shown, version), *(() if token is None else bearer(token))]

    async def one() -> Answer:
        async with app.router.lifespan_context(app):
            request = Request("POST", "/mcp", fields, body=json.dumps(asked).encode())
            return await over_asgi(guarded(app), request, waits=True)

    answer: Answer = run(one)
    return answer


def message(method: str, version: str, **params: Any) -> dict[str, Any]:
    made = call("", version)
    meta = {name: value for name, value in made["params"].items() if name == "_meta"}
    return {**made, "method": method, "params": {**params, **meta}}


def operations(version: str) -> dict[str, tuple[dict[str, Any], bytes]]:
    """What each operation needs besides, with the message for it and what comes back."""
    return {
        "notes:purge": (call("wipe", version), b"purged by ada"),
        "notes:prompt": (
            message("prompts/get", version, name="summarize", arguments={"topic": "art"}),
            b"Summarize art.",
        ),
        "notes:all": (message("resources/read", version, uri="notes://all"), b"everything"),
        "notes:secret": (message("resources/read", version, uri="note://7"), b"note 7"),
    }


@pytest.mark.parametrize("version", [HANDSHAKE, STATELESS])
@pytest.mark.parametrize("needed", operations(HANDSHAKE))
def test_each_operation_is_a_403_with_its_scopes_until_the_token_has_them(
    needed: str, version: str, mcp: FastMCP[Any], guard: Guard, issuer: Issuer
) -> None:
    asked, said = operations(version)[needed]

    def protected(app: Any) -> Any:
        return guard.protect(app, scope("notes:read"))

    refused = ask(mcp, protected, issuer.token(**READER), asked, version)
    assert (refused.status, refused.challenge["error"]) == (403, "insufficient_scope")
    assert set(refused.challenge["scope"].split()) == {needed, "notes:read"}
    allowed = ask(mcp, protected, issuer.token("ada", f"{needed} notes:read"), asked, version)
    assert allowed.status == 200
    assert said in allowed.body


def test_fastmcps_own_function_finds_the_token(mcp: FastMCP[Any], guard: Guard, issuer: Issuer) -> None:
    answer = ask(mcp, guard.protect, issuer.token(**READER), call("whoami"))
    assert b"ada" in answer.body
    assert ask(mcp, guard.protect, None, call("whoami")).status == 401


def test_what_auth_hides_is_a_403_when_it_is_called(mcp: FastMCP[Any], guard: Guard, issuer: Issuer) -> None:
    listed = message("tools/list", HANDSHAKE)
    purger = issuer.token("ada", "notes:purge")
    admin = issuer.token("ada", "notes:purge", roles=["admin"])
    assert b"hidden" not in ask(mcp, guard.protect, purger, listed).body
    assert b"hidden" in ask(mcp, guard.protect, admin, listed).body
    refused = ask(mcp, guard.protect, purger, call("hidden"))
    assert (refused.status, "scope" in refused.challenge) == (403, False)
    assert b"found" in ask(mcp, guard.protect, admin, call("hidden")).body


def test_the_tools_of_a_server_within_a_server_are_found(
    mcp: FastMCP[Any], guard: Guard, issuer: Issuer
) -> None:
    outer = FastMCP[Any]("Outer")
    between = FastMCP[Any]("Between")
    between.mount(mcp, namespace="notes")
    outer.mount(between)
    for asked in (
        call("notes_wipe"),
        call("notes_hidden"),
        message("prompts/get", HANDSHAKE, name="notes_summarize", arguments={"topic": "art"}),
        message("resources/read", HANDSHAKE, uri="notes://notes/all"),
        message("resources/read", HANDSHAKE, uri="note://notes/7"),
    ):
        assert ask(outer, guard.protect, issuer.token(**READER), asked).status == 403, asked
    allowed = ask(outer, guard.protect, issuer.token("ada", "notes:purge"), call("notes_wipe"))
    assert b"purged by ada" in allowed.body


def test_an_unknown_tool_is_the_servers_to_answer(mcp: FastMCP[Any], guard: Guard, issuer: Issuer) -> None:
    for asked in (call("unknown"), message("resources/read", HANDSHAKE, uri="no uri"), call("")):
        assert ask(mcp, guard.protect, issuer.token(**READER), asked).status == 200


def test_the_guard_can_be_given_as_middleware(mcp: FastMCP[Any], guard: Guard, issuer: Issuer) -> None:
    from starlette.middleware import Middleware

    protected = Middleware(guard.protect, rule=scope("notes:read"), mcp=mcp)
    app = mcp.http_app(stateless_http=True, middleware=[protected])
    fields = [*fields_of(call("wipe"), HANDSHAKE), *bearer(issuer.token(**READER))]

    async def one() -> Answer:
        async with app.router.lifespan_context(app):
            request = Request("POST", "/mcp", fields, body=json.dumps(call("wipe")).encode())
            return await over_asgi(app, request, waits=True)

    assert run(one).challenge["scope"] == "notes:purge notes:read"


def test_in_memory_what_is_behind_a_rule_is_refused(mcp: FastMCP[Any]) -> None:
    async def story() -> None:
        async with Client(mcp) as client:
            with pytest.raises(ToolError, match="Nobody is known here"):
                await client.call_tool("wipe")

    run(story)


def test_a_function_may_be_open_in_memory_and_is_not_over_http(guard: Guard, issuer: Issuer) -> None:
    mcp = FastMCP[Any]("Notes")

    def purge(which: str = "all") -> str:
        return f"purged {which}"

    with pytest.warns(SecurityWarning, match="open to everybody"):
        mcp.tool(guard.requires(dangerously_open_without_http=True)(purge))

    async def story() -> None:
        async with Client(mcp) as client:
            assert (await client.call_tool("purge", {"which": "old"})).data == "purged old"
            (tool,) = await client.list_tools()
            assert list(tool.input_schema["properties"]) == ["which"]

    run(story)
    assert b"Nobody is known here" in ask(mcp, lambda app: app, issuer.token(), call("purge")).body
    assert b"purged all" in ask(mcp, guard.protect, issuer.token(), call("purge")).body


def test_a_rule_above_the_servers_own_decorator_is_an_error(guard: Guard, issuer: Issuer) -> None:
    mcp = FastMCP[Any]("Notes")

    def purge() -> str:
        raise AssertionError

    guard.requires()(purge)
    mcp.tool(purge)
    with pytest.raises(ExceptionGroup) as wrong:
        ask(mcp, guard.protect, issuer.token(), call("purge"))
    assert wrong.group_contains(ConfigurationError, match="served without its rule")


def test_an_auth_check_verifies_a_token_that_somebody_else_let_in(guard: Guard, issuer: Issuer) -> None:
    check = guard.auth_check(scope("notes:purge"))

    def verdict(text: str | None) -> bool:
        token = None if text is None else AccessToken(token=text, client_id="web", scopes=["notes:purge"])
        allowed: bool = run(lambda: check(AuthContext(token=token, component=None)))  # type: ignore[arg-type]  # not asked
        return allowed

    assert verdict(issuer.token(scope="notes:purge"))
    assert not verdict(issuer.token(scope="other"))
    assert not verdict(None)
    with pytest.raises(AuthError):
        verdict(issuer.forged(scope="notes:purge"))
