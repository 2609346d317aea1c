"""What an observer is told: every decision, and what others are asked for; and that it changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from typing import Any

import anyio
import httpx2
import pytest

from bearerguard import (
    AccessToken,
    AuthError,
    ConfigurationError,
    Header,
    InvalidToken,
    MissingCredentials,
    ProviderUnavailable,
    RemoteKeys,
    Request,
    ResourceServer,
    Revocation,
    scope,
)
from bearerguard._flows.pipeline import Pipeline
from bearerguard.asgi import Guard
from bearerguard.observe import Observer, Refusals
from bearerguard.testing import Clock, Issuer
from tests.faults.fault_server import respond
from tests.faults.scripted_provider import ScriptedProvider, scripted_provider, until

COLOURS = ["sync", "asyncio", "trio"]
caller: ContextVar[str] = ContextVar("caller", default="nobody")


class Notes(Observer):
    """Keeps what it is told, without the seconds, of which it only notes whether they are some."""

    def __init__(self) -> None:
        self.decisions: list[Any] = []
        self.refreshes: list[Any] = []
        self.questions: list[Any] = []
        self.took: list[float] = []

    def decided(
        self,
        outcome: AccessToken | AuthError,
        provider: str | None,
        seconds: float,
        remembered: bool,
        stale: bool,
    ) -> None:
        said = outcome.reason if isinstance(outcome, AuthError) else outcome.subject
        self.took.append(seconds)
        flags = [name for name, is_so in (("remembered", remembered), ("stale", stale)) if is_so]
        self.decisions.append((said, provider, *flags))

    def refreshed(self, operation: str, provider: str | None, seconds: float, failure: str | None) -> None:
        self.took.append(seconds)
        self.refreshes.append((operation, provider, failure, caller.get()))

    def asked(self, provider: str | None, seconds: float, failure: str | None) -> None:
        self.took.append(seconds)
        self.questions.append((provider, failure, caller.get()))


class Breaking(Notes):
    """Notes all, and raises."""

    def decided(self, *told: Any) -> None:
        super().decided(*told)
        raise RuntimeError("no room for more")

    def refreshed(self, *told: Any) -> None:
        super().refreshed(*told)
        raise RuntimeError("no room for more")

    def asked(self, *told: Any) -> None:
        super().asked(*told)
        raise RuntimeError("no room for more")


@pytest.fixture
def issuer() -> Issuer:
    return Issuer("https://login.test", audience="https://api.test", clock=Clock(1_700_000_000.0))


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with scripted_provider() as provider:
        yield provider


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def server(issuer: Issuer, notes: Notes) -> ResourceServer:
    """With its keys in memory."""
    return observed(issuer, notes, keys=issuer.jwks())


def observed(issuer: Issuer, notes: Observer, **options: Any) -> ResourceServer:
    return ResourceServer(
        issuer.provider(name="login", **options), observer=notes, clock=issuer.clock.__call__
    )


def verify(server: ResourceServer, token: str, colour: str = "sync", who: str = "request") -> AccessToken:
    def sync() -> AccessToken:
        caller.set(who)
        return server.verify(token)

    async def task() -> AccessToken:
        caller.set(who)
        return await server.averify(token)

    return copy_context().run(sync) if colour == "sync" else anyio.run(task, backend=colour)


# -- decisions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", COLOURS)
def test_every_accepted_token_is_told_a_repeated_one_as_remembered(
    server: ResourceServer, issuer: Issuer, notes: Notes, colour: str
) -> None:
    token = issuer.token("ada")
    for _ in range(3):
        verify(server, token, colour)
    assert notes.decisions == [("ada", "login"), *[("ada", "login", "remembered")] * 2]
    assert all(seconds > 0 for seconds in notes.took)


@pytest.mark.parametrize("colour", COLOURS)
def test_every_refusal_is_told_with_its_reason_once(
    server: ResourceServer, issuer: Issuer, notes: Notes, colour: str
) -> None:
    other = Issuer("https://other.test")
    for token in (issuer.expired(), other.token(), "opaque"):
        with pytest.raises(InvalidToken):
            verify(server, token, colour)
    assert notes.decisions == [("expired", "login"), ("issuer", None), ("malformed", None)]
    assert all(seconds > 0 for seconds in notes.took)


@pytest.mark.parametrize("value", [b"Bearer ", b"bearer ", b"Bearer   ", b"Basic YTpi"])
def test_no_time_is_told_where_no_token_was_looked_at(
    server: ResourceServer, notes: Notes, value: bytes
) -> None:
    with pytest.raises(AuthError):
        server.authenticate([(b"authorization", value)])
    assert notes.took == [0.0]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "no_credentials"),
        ({"Authorization": "Basic YTpi"}, "other_scheme"),
        ({"Authorization": "Bearer"}, "malformed_header"),
        ({"Authorization": "Bearer a.b.c, Bearer d.e.f"}, "malformed_header"),
        ({"Authorization": "Bearer " + "x" * 20_000}, "too_large"),
    ],
    ids=["nothing", "Basic", "no token", "two tokens", "17 KiB"],
)
def test_a_request_is_told_once_whatever_is_wrong_with_it(
    server: ResourceServer, notes: Notes, fields: dict[str, str], reason: str
) -> None:
    with pytest.raises(AuthError):
        server.authenticate(Request("GET", "https://api.test/orders", fields))
    assert [said for said, *_ in notes.decisions] == [reason]


def test_a_request_is_told_as_its_token_is(server: ResourceServer, issuer: Issuer, notes: Notes) -> None:
    request = Request("GET", "https://api.test/", {"Authorization": f"Bearer {issuer.token('ada')}"})
    server.authenticate(request)
    anyio.run(server.aauthenticate, request)
    assert notes.decisions == [("ada", "login"), ("ada", "login", "remembered")]


def test_what_a_rule_refuses_is_told_after_the_token_with_the_token(
    server: ResourceServer, issuer: Issuer, notes: Notes
) -> None:
    guard = Guard(server)
    request = Request("GET", "https://api.test/", {"Authorization": f"Bearer {issuer.token('ada', 'read')}"})
    with pytest.raises(AuthError) as refused:
        guard.admit(request, guard.demand(scope("write")))
    assert notes.decisions == [("ada", "login"), ("scope", "login")]
    assert refused.value.token is not None
    assert notes.took[1] == 0


def test_tokens_of_other_places_are_told_too(issuer: Issuer, notes: Notes) -> None:
    server = observed(issuer, notes, keys=issuer.jwks(), source=Header("x-token"))
    server.authenticate(Request("GET", "https://api.test/", {"X-Token": issuer.token("ada")}))
    with pytest.raises(MissingCredentials):
        server.authenticate(Request("GET", "https://api.test/", {}))
    assert notes.decisions == [("ada", "login"), ("no_credentials", None)]


def test_a_token_that_is_taken_back_by_its_text_is_verified_and_not_told(
    issuer: Issuer, notes: Notes
) -> None:
    server = issuer.resource_server(name="login", revocation=Revocation(), observer=notes)
    token = issuer.token("ada", jti="1")
    server.revoke(token)
    assert notes.decisions == []
    with pytest.raises(InvalidToken):
        server.verify(token)
    assert notes.decisions == [("revoked", "login")]


def test_an_explanation_is_not_told(server: ResourceServer, issuer: Issuer, notes: Notes) -> None:
    for token in (issuer.token("ada"), issuer.expired()):
        server.explain(token)
    server.explain(Request("GET", "https://api.test/", {}))
    assert notes.decisions == []


def test_tokens_accepted_by_keys_past_their_lifetime_are_told_as_such(
    provider: ScriptedProvider, notes: Notes
) -> None:
    provider.publish()
    server = ResourceServer(provider.provider(name="login"), observer=notes, clock=provider.clock)
    token = provider.token(sub="ada", expires_in=10_000)
    server.verify(token)
    provider.faults.refuse()
    provider.clock.advance(595)
    server.verify(token)
    provider.clock.advance(10)
    server.verify(token)
    server.verify(provider.token(sub="bob"))
    assert notes.decisions == [
        ("ada", "login"),
        ("ada", "login", "remembered"),
        ("ada", "login", "remembered", "stale"),
        ("bob", "login", "stale"),
    ]


def test_names_that_come_with_tokens_are_not_told(issuer: Issuer, notes: Notes) -> None:
    server = ResourceServer.trusting(
        lambda _: True,
        audience=issuer.audience,
        keys=RemoteKeys(http_options={"transport": issuer.transport}),
        observer=notes,
        clock=issuer.clock,
    )
    server.verify(issuer.token("ada"))
    with pytest.raises(InvalidToken):
        server.verify(issuer.expired())
    assert notes.decisions == [("ada", None), ("expired", None)]
    until(lambda: bool(notes.refreshes))
    assert {provider for _, provider, *_ in notes.refreshes} == {None}


def test_a_request_that_is_given_up_while_it_waits_is_not_decided(issuer: Issuer, notes: Notes) -> None:
    server = observed(issuer, notes)

    async def give_up() -> None:
        with anyio.move_on_after(0.01), issuer.slow(60):
            await server.averify(issuer.token())

    anyio.run(give_up)
    assert notes.decisions == []


# -- what others are asked for -----------------------------------------------------------------------------


@pytest.mark.parametrize("colour", COLOURS)
def test_a_fetch_is_told_in_the_context_of_the_request_that_began_it(
    issuer: Issuer, notes: Notes, colour: str
) -> None:
    server = observed(issuer, notes)
    verify(server, issuer.token("ada"), colour, who="the first")
    verify(server, issuer.token("bob"), colour, who="the second")
    until(lambda: bool(notes.refreshes))
    assert notes.refreshes == [("keys", "login", None, "the first")]
    assert notes.decisions == [("ada", "login"), ("bob", "login")]


def test_a_fetch_that_fails_is_told_with_why(provider: ScriptedProvider, notes: Notes) -> None:
    provider.answer(respond(b"", status=500))
    server = ResourceServer(provider.provider(name="login"), observer=notes, clock=provider.clock)
    with pytest.raises(ProviderUnavailable):
        verify(server, provider.token())
    until(lambda: bool(notes.refreshes))
    assert notes.refreshes == [("keys", "login", "http_status", "request")]
    assert notes.decisions == [("provider_unavailable", "login")]


def test_metadata_that_are_asked_for_are_told(issuer: Issuer, notes: Notes) -> None:
    server = observed(issuer, notes)
    server.metadata("login")
    until(lambda: bool(notes.refreshes))
    assert [told[:3] for told in notes.refreshes] == [("metadata", "login", None)]


def test_servers_that_share_keys_are_each_told_by_their_own_name(issuer: Issuer, notes: Notes) -> None:
    other, clock = Notes(), issuer.clock.__call__
    keys = RemoteKeys(http_options={"transport": issuer.transport})
    servers = [
        ResourceServer(issuer.provider(name=name, keys=keys), observer=one, clock=clock)
        for name, one in (("login", notes), ("sign-in", other))
    ]
    unobserved = ResourceServer(issuer.provider(name="third", keys=keys), clock=clock)
    for server in (*servers, unobserved):
        server.warm_up()
    until(lambda: bool(notes.refreshes and other.refreshes))
    assert [told[:3] for told in notes.refreshes] == [("keys", "login", None)]
    assert [told[:3] for told in other.refreshes] == [("keys", "sign-in", None)]


def test_keys_with_an_address_each_are_told_by_the_name_of_their_provider(
    issuer: Issuer, notes: Notes
) -> None:
    def without_keys(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(500)

    transport = httpx2.MockTransport(without_keys)
    keys = RemoteKeys("https://keys.test/{kid}", kid_pattern=r"[\w-]+", http_options={"transport": transport})
    server = observed(issuer, notes, keys=keys)
    with pytest.raises(ProviderUnavailable):
        server.verify(issuer.token())
    until(lambda: bool(notes.refreshes))
    assert [told[:3] for told in notes.refreshes] == [("keys", "login", "http_status")]


@pytest.mark.parametrize("colour", COLOURS)
def test_a_question_about_a_token_is_told_in_the_context_of_its_request(
    issuer: Issuer, notes: Notes, colour: str
) -> None:
    server = observed(issuer, notes, introspection=issuer.introspection())
    token = issuer.opaque_token("ada")
    for who in ("the first", "the second"):
        verify(server, token, colour, who=who)
    until(lambda: bool(notes.questions))
    assert notes.questions == [("login", None, "the first")]
    assert notes.decisions == [("ada", "login"), ("ada", "login", "remembered")]
    with issuer.outage(503, path="/introspect"), pytest.raises(ProviderUnavailable):
        verify(server, issuer.opaque_token("bob"), colour)
    until(lambda: len(notes.questions) == 2)
    assert notes.questions[1] == ("login", "http_status", "request")


# -- observers that are broken, or not there ---------------------------------------------------------------


def test_an_observer_that_raises_is_logged_and_decides_nothing(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Breaking()
    server = observed(issuer, notes, introspection=issuer.introspection())
    for token in (issuer.token("ada"), issuer.opaque_token("ada"), issuer.token("ada")):
        assert server.verify(token).subject == "ada"
    with pytest.raises(InvalidToken, match="expired"):
        server.verify(issuer.expired())
    until(lambda: bool(notes.refreshes and notes.questions))
    assert len(notes.decisions) == 4
    loud = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert {record.getMessage() for record in loud} == {
        "the observer Breaking raised, which changes no decision"
    }
    assert len(loud) < len(notes.decisions), "once a minute, but for two threads at the same moment"
    assert loud[0].exc_info is not None


def test_what_is_not_an_observer_is_told_what_it_lacks(issuer: Issuer) -> None:
    class Half:
        def decided(self, *told: Any) -> None: ...

        def asked(self, *told: Any) -> None: ...

    half: Any = Half()
    with pytest.raises(ConfigurationError, match=r"a Half without refreshed\(\) and store\(\): derive it"):
        observed(issuer, half)


def test_an_observer_that_says_nothing_is_enough(issuer: Issuer) -> None:
    class Silent(Observer):
        pass

    server = observed(issuer, Silent(), introspection=issuer.introspection())
    for token in (issuer.token("ada"), issuer.opaque_token("ada")):
        assert server.verify(token).subject == "ada"


def test_what_stands_around_a_pipeline_has_all_that_it_is_asked_for(issuer: Issuer, notes: Notes) -> None:
    around = observed(issuer, notes, keys=issuer.jwks())._pipeline
    asked = [name for name in vars(Pipeline) if not name.startswith("_")]
    assert "apart" in asked
    assert [name for name in asked if not callable(getattr(around, name, None))] == []


def test_without_an_observer_nothing_stands_in_the_way_of_a_request(issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), source=Header("x-token"))
    assert type(server._pipeline) is Pipeline
    assert type(server._refusals) is Refusals
    assert not vars(server).keys() & {"verify", "averify", "admit"}
    assert server._places is not None
    assert {type(one) for one in server._places._pipelines.values()} == {Pipeline}
