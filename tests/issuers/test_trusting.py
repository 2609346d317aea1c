"""Issuers that a function accepts: what it is asked, what its answers mean, what strangers cannot push."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anyio
import httpx2
import pytest

from bearerguard import (
    AccessToken,
    AuthError,
    ConfigurationError,
    Cookie,
    InvalidToken,
    Provider,
    ProviderUnavailable,
    RemoteKeys,
    ResourceServer,
)
from bearerguard._limits import ISSUERS_A_MINUTE, ISSUERS_AT_ONCE, NEW_ISSUERS, REFUSED_ISSUERS
from bearerguard.testing import Clock, Issuer

AUDIENCE = "https://api.test"


class Web(httpx2.BaseTransport):
    """The issuers of many customers, all with keys of their own, by their hosts; some are slow or down."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.issuers: dict[str, Issuer] = {}
        self.asked: list[str] = []
        self.down: set[str] = set()
        self.slow: dict[str, threading.Event] = {}
        self.arrived = threading.Semaphore(0)

    def issuer(self, host: str) -> Issuer:
        if host not in self.issuers:
            self.issuers[host] = Issuer(f"https://{host}", algorithm="ES256", clock=self.clock)
        return self.issuers[host]

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        self.asked.append(host)
        if host in self.slow:
            self.arrived.release()
            self.slow[host].wait(60)
        if host in self.down:
            return httpx2.Response(500)
        return self.issuer(host).transport.handle_request(request)


def fetched_by(web: Web) -> RemoteKeys:
    """Keys that are fetched there, however long a busy machine takes."""
    return RemoteKeys(http_options={"transport": web, "timeout": 60})


class Setting:
    """A server that asks a function; the function says what a test has it say, and notes what it is asked."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock(1_700_000_000)
        self.web = Web(self.clock)
        self.asked: list[str] = []
        self.answer: Callable[[str], Any] = lambda issuer: issuer.endswith("customer.test")
        settings: dict[str, Any] = {
            "audience": AUDIENCE,
            "clock": self.clock,
            "keys": fetched_by(self.web),
            **options,
        }
        self.server = ResourceServer.trusting(self.function, **settings)

    def function(self, issuer: str) -> Any:
        self.asked.append(issuer)
        return self.answer(issuer)

    def token(self, host: str = "one.customer.test", **claims: Any) -> str:
        return self.web.issuer(host).token("ada", **claims)

    def verify(self, host: str = "one.customer.test", **claims: Any) -> AccessToken:
        return self.server.verify(self.token(host, **claims))

    def reason(self, token: str) -> str | None:
        with pytest.raises(AuthError) as refused:
            self.server.verify(token)
        return refused.value.reason


@pytest.fixture
def setting() -> Setting:
    return Setting()


# -- what its answers mean


def test_tokens_of_issuers_that_the_function_accepts_are_verified(setting: Setting) -> None:
    for host in ("one.customer.test", "two.customer.test"):
        token = setting.verify(host)
        assert (token.subject, token.issuer) == ("ada", f"https://{host}")
        assert token.provider.audiences == (AUDIENCE,)
        assert setting.server.trusts(token.provider)
    assert setting.asked == ["https://one.customer.test", "https://two.customer.test"]


def test_a_known_issuer_is_not_asked_about_again_for_a_while(setting: Setting) -> None:
    for _ in range(3):
        setting.verify()
    assert len(setting.asked) == 1
    setting.clock.advance(601)
    setting.verify()
    assert len(setting.asked) == 2


def test_nothing_is_fetched_for_an_issuer_that_is_not_accepted(setting: Setting) -> None:
    token = setting.token("evil.test")
    assert [setting.reason(token) for _ in range(3)] == ["issuer"] * 3
    assert setting.asked == ["https://evil.test"]
    assert setting.web.asked == []


def test_a_refusal_is_remembered_for_a_minute(setting: Setting) -> None:
    setting.answer = lambda _: False
    token = setting.token()
    assert setting.reason(token) == "issuer"
    setting.answer = lambda _: True
    setting.clock.advance(59)
    assert setting.reason(token) == "issuer"
    setting.clock.advance(2)
    assert setting.server.verify(token).subject == "ada"


def test_a_clock_that_was_set_back_does_not_keep_a_refusal(setting: Setting) -> None:
    setting.answer = lambda _: False
    assert setting.reason(setting.token()) == "issuer"
    setting.answer = lambda _: True
    setting.clock.advance(-7200)
    assert setting.verify().subject == "ada"


@pytest.mark.parametrize("answer", [1, "yes", [True], object(), None, False])
def test_only_true_and_a_provider_accept(setting: Setting, answer: Any) -> None:
    setting.answer = lambda _: answer
    assert setting.reason(setting.token()) == "issuer"


def test_the_function_may_return_a_provider_of_the_issuer(setting: Setting) -> None:
    keys = fetched_by(setting.web)
    setting.answer = lambda issuer: Provider(issuer, audience="other", keys=keys, name="customer", leeway=0)
    token = setting.verify(aud="other")
    assert (token.provider.name, token.provider.leeway) == ("customer", 0)
    assert setting.reason(setting.token()) == "audience"
    # Another customer may be called the same.
    assert setting.verify("two.customer.test", aud="other").issuer == "https://two.customer.test"


def test_its_provider_may_have_keys_as_an_object(setting: Setting) -> None:
    jwks = setting.web.issuer("one.customer.test").jwks()
    setting.answer = lambda issuer: Provider(issuer, audience=AUDIENCE, keys=jwks)
    assert setting.verify().subject == "ada"
    assert setting.web.asked == []


@pytest.mark.parametrize(
    "build",
    [
        lambda _: Provider("https://other.test", audience=AUDIENCE),
        lambda issuer: Provider(issuer, audience=AUDIENCE, issuer_aliases="https://other.test"),
        lambda issuer: Provider(issuer, audience=AUDIENCE, source=Cookie("token")),
        lambda _: Provider(
            "https://{tid}.customer.test", audience=AUDIENCE, keys="https://a.test", tenants=["one"]
        ),
    ],
    ids=["another", "aliases", "a source", "tenants"],
)
def test_a_provider_of_another_issuer_or_of_several_is_refused(setting: Setting, build: Any) -> None:
    setting.answer = build
    assert setting.reason(setting.token()) == "issuer"
    assert setting.web.asked == []


def test_another_provider_for_a_known_issuer_takes_its_place(setting: Setting) -> None:
    setting.verify()
    keys = fetched_by(setting.web)
    setting.answer = lambda issuer: Provider(issuer, audience="other", keys=keys)
    setting.clock.advance(601)
    assert setting.reason(setting.token()) == "audience"
    assert setting.verify(aud="other").subject == "ada"


def test_a_customer_that_leaves_is_not_trusted_any_more_seen_tokens_included(setting: Setting) -> None:
    token = setting.token()
    setting.server.verify(token)
    setting.server.verify(token)
    setting.answer = lambda _: False
    setting.clock.advance(601)
    assert setting.reason(setting.token()) == "issuer"
    assert setting.reason(token) == "issuer"


# -- what it is asked


@pytest.mark.parametrize(
    "issuer",
    [
        "http://one.customer.test",
        "https://user@one.customer.test",
        "https://user:secret@one.customer.test",
        "https://one.customer.test?x=customer.test",
        "https://one.customer.test#customer.test",
        "https://one.customer.test/ ",
        "https://one.customer.test/\n",
        "https://one.customer.test\\@evil.test",
        "https://ünî.customer.test",
        "https://{tid}.customer.test",
        # What `Provider` refuses: a function that says yes must not make an error of the request.
        "https://one.customer.test/.well-known/openid-configuration",
        "https://one.customer.test/.well-known/oauth-authorization-server",
        "https://" + "a" * 600 + ".customer.test",
        "https://",
        "one.customer.test",
        "file:///customer.test",
        "",
    ],
)
def test_it_is_not_asked_about_what_cannot_be_an_issuer(setting: Setting, issuer: str) -> None:
    assert setting.reason(setting.token(iss=issuer)) == "issuer"
    assert setting.asked == []
    assert setting.web.asked == []


@pytest.mark.parametrize(
    ("issuer", "reason"), [(None, "missing_claim"), (["a"], "invalid_claim"), (7, "invalid_claim")]
)
def test_it_is_not_asked_about_what_is_not_text(setting: Setting, issuer: Any, reason: str) -> None:
    assert setting.reason(setting.token(iss=issuer)) == reason
    assert setting.asked == []


def test_it_is_asked_about_loopback_over_http(setting: Setting) -> None:
    assert setting.reason(setting.token(iss="http://127.0.0.1:9")) == "issuer"
    assert setting.asked == ["http://127.0.0.1:9"]


# -- its trouble


def test_a_function_that_raises_is_trouble_and_not_a_refusal(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(issuer: str) -> bool:
        raise KeyError(issuer)

    works, setting.answer = setting.answer, fails
    token = setting.token()
    with pytest.raises(ProviderUnavailable) as unavailable:
        setting.server.verify(token)
    assert unavailable.value.retry_after == 1
    assert "raised KeyError" in caplog.text
    assert "one.customer.test" not in caplog.text
    setting.answer = works
    assert setting.server.verify(token).subject == "ada"


def test_a_provider_that_cannot_be_fetched_is_trouble_of_its_issuer_only(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(issuer: str) -> Any:
        if issuer != "https://one.customer.test":
            return True
        return Provider(issuer, audience=AUDIENCE, keys=RemoteKeys(http_options={"no_such": 1}))

    setting.answer = answer
    with pytest.raises(ProviderUnavailable):
        setting.verify()
    assert "raised ConfigurationError" in caplog.text
    assert setting.verify("two.customer.test").subject == "ada"


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:9", "[::1]:9"])
def test_metadata_of_an_accepted_issuer_lead_to_nothing_on_this_machine(setting: Setting, host: str) -> None:
    issuer = setting.web.issuer("one.customer.test")
    seen: list[str] = []

    class Malicious(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            seen.append(str(request.url))
            return httpx2.Response(200, json={"issuer": issuer.url, "jwks_uri": f"http://{host}/jwks"})

    setting.answer = lambda url: Provider(
        url, audience=AUDIENCE, keys=RemoteKeys(http_options={"transport": Malicious()})
    )
    with pytest.raises(ProviderUnavailable):
        setting.verify()
    assert not any(host in url for url in seen)


def test_what_it_said_before_holds_for_an_hour_while_it_raises(setting: Setting) -> None:
    setting.verify()

    def fails(_: str) -> bool:
        raise OSError

    setting.answer = fails
    setting.clock.advance(601)
    assert setting.verify().subject == "ada"
    assert len(setting.asked) == 2
    assert setting.verify().subject == "ada"
    assert len(setting.asked) == 2  # and it is left in peace for a minute
    setting.clock.advance(61)
    setting.verify()
    assert len(setting.asked) == 3
    setting.clock.advance(3600)
    with pytest.raises(ProviderUnavailable):
        setting.verify()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_asks_a_plain_function_in_a_thread(backend: str) -> None:
    setting = Setting()
    threads: set[int] = set()

    def answer(issuer: str) -> bool:
        threads.add(threading.get_ident())
        return issuer == "https://one.customer.test"

    setting.answer = answer
    token = anyio.run(setting.server.averify, setting.token(), backend=backend)
    assert token.subject == "ada"
    assert threading.get_ident() not in threads
    with pytest.raises(InvalidToken):
        anyio.run(setting.server.averify, setting.token("evil.test"), backend=backend)


def asynchronous(clock: Clock, web: Web, function: Any) -> ResourceServer:
    keys = fetched_by(web)
    return ResourceServer.trusting(function, audience=AUDIENCE, keys=keys, clock=clock)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_async_function_runs_on_the_loop_of_the_task(backend: str) -> None:
    clock = Clock(1_700_000_000)
    web = Web(clock)
    threads: set[int] = set()

    async def function(issuer: str) -> bool:
        await anyio.lowlevel.checkpoint()
        threads.add(threading.get_ident())
        return issuer == "https://one.customer.test"

    server = asynchronous(clock, web, function)
    token = web.issuer("one.customer.test").token("ada")
    assert anyio.run(server.averify, token, backend=backend).subject == "ada"
    assert threads == {threading.get_ident()}
    with pytest.raises(InvalidToken):
        anyio.run(server.averify, web.issuer("evil.test").token(), backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_async_function_that_raises_is_trouble(backend: str) -> None:
    clock = Clock(1_700_000_000)
    web = Web(clock)

    async def function(_: str) -> bool:
        raise OSError

    server = asynchronous(clock, web, function)
    with pytest.raises(ProviderUnavailable):
        anyio.run(server.averify, web.issuer("one.customer.test").token(), backend=backend)


def test_an_async_function_is_awaited_by_threads_too() -> None:
    clock = Clock(1_700_000_000)
    web = Web(clock)

    class Customers:
        async def __call__(self, issuer: str) -> bool:
            await anyio.lowlevel.checkpoint()
            return issuer == "https://one.customer.test"

    server = asynchronous(clock, web, Customers())
    assert server.verify(web.issuer("one.customer.test").token("ada")).subject == "ada"
    with pytest.raises(InvalidToken):
        server.verify(web.issuer("evil.test").token())
    token = web.issuer("one.customer.test").token("bob")
    assert anyio.run(server.averify, token).subject == "bob"


def test_a_plain_function_that_returns_something_to_await_is_awaited() -> None:
    clock = Clock(1_700_000_000)
    web = Web(clock)

    async def look_up(issuer: str) -> bool:
        await anyio.lowlevel.checkpoint()
        return issuer == "https://one.customer.test"

    def function(issuer: str) -> Any:
        return look_up(issuer)

    server = asynchronous(clock, web, function)
    token = web.issuer("one.customer.test").token("ada")
    assert anyio.run(server.averify, token).subject == "ada"
    with pytest.raises(InvalidToken):
        anyio.run(server.averify, web.issuer("evil.test").token())


# -- one tenant's trouble, and strangers


def test_an_issuer_that_is_down_harms_no_other(setting: Setting) -> None:
    setting.web.down.add("two.customer.test")
    with pytest.raises(ProviderUnavailable):
        setting.verify("two.customer.test")
    assert setting.verify("one.customer.test").subject == "ada"
    setting.web.down.clear()
    setting.clock.advance(2)
    assert setting.verify("two.customer.test").subject == "ada"


def test_slow_issuers_hold_up_no_other_and_few_are_fetched_at_once(setting: Setting) -> None:
    released = threading.Event()
    hosts = [f"slow-{number}.customer.test" for number in range(ISSUERS_AT_ONCE)]
    setting.verify("known.customer.test")
    setting.web.slow = dict.fromkeys(hosts, released)
    tokens = [setting.token(host) for host in hosts]
    outcomes: list[Any] = []

    def verify(token: str) -> None:
        try:
            outcomes.append(setting.server.verify(token).subject)
        except AuthError as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=verify, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for _ in hosts:
        assert setting.web.arrived.acquire(timeout=60)
    # All places for first fetches are taken: a known issuer does not mind, a new one is told to come back.
    assert setting.verify("known.customer.test").subject == "ada"
    with pytest.raises(ProviderUnavailable):
        setting.verify("new.customer.test")
    assert "new.customer.test" not in setting.web.asked
    released.set()
    for thread in threads:
        thread.join(60)
    assert outcomes == ["ada"] * ISSUERS_AT_ONCE
    assert setting.verify("new.customer.test").subject == "ada"


def test_a_flood_of_issuers_that_are_accepted_causes_few_fetches_a_minute(setting: Setting) -> None:
    setting.verify("known.customer.test")
    reasons = set()
    for number in range(ISSUERS_A_MINUTE + 20):
        forged = setting.web.issuer("evil.test").token(iss=f"https://x{number}.customer.test")
        setting.web.down.add(f"x{number}.customer.test")
        reasons.add(setting.reason(forged))
    assert reasons == {"provider_unavailable"}
    assert len({host for host in setting.web.asked if host.startswith("x")}) == ISSUERS_A_MINUTE - 1
    assert setting.verify("known.customer.test").subject == "ada"
    setting.clock.advance(61)
    assert setting.verify("new.customer.test").subject == "ada"


def test_an_issuer_under_which_a_token_was_verified_is_not_pushed_out_by_others(setting: Setting) -> None:
    setting.verify("known.customer.test")
    for number in range(2 * NEW_ISSUERS):
        if number % 40 == 0:
            setting.clock.advance(61)
        host = f"x{number}.customer.test"
        setting.web.issuer(host)
        assert setting.reason(setting.web.issuer("evil.test").token(iss=f"https://{host}")) in {
            "unknown_key",
            "signature",
        }
    health = setting.server.health()["providers"]
    assert len(health) == NEW_ISSUERS + 1
    asked = len(setting.asked)
    setting.verify("known.customer.test")
    assert len(setting.asked) == asked


def test_of_the_issuers_that_are_proven_the_least_recently_used_gives_way() -> None:
    setting = Setting(max_issuers=2)
    tokens = {host: setting.token(f"{host}.customer.test") for host in "abc"}
    for host in "ab":
        setting.server.verify(tokens[host])
    setting.verify("a.customer.test")
    setting.server.verify(tokens["c"])
    assert sorted(setting.server.health()["providers"]) == [
        "https://a.customer.test",
        "https://c.customer.test",
    ]
    # One that gave way comes back as any new one does, tokens that were seen included.
    setting.server.verify(tokens["b"])
    assert setting.asked.count("https://b.customer.test") == 2


def test_a_flood_of_refused_issuers_is_remembered_within_bounds(setting: Setting) -> None:
    stranger = setting.web.issuer("evil.test")
    first = stranger.token(iss="https://first.test")
    assert setting.reason(first) == "issuer"
    for number in range(REFUSED_ISSUERS):
        setting.reason(stranger.token(iss=f"https://x{number}.test"))
    asked = len(setting.asked)
    assert setting.reason(first) == "issuer"
    assert len(setting.asked) == asked + 1
    assert setting.web.asked == []


def test_a_token_that_names_a_key_or_an_address_is_not_followed(setting: Setting) -> None:
    header = {"jku": "https://evil.test/jwks", "jwk": setting.web.issuer("evil.test").jwks()["keys"][0]}
    forged = setting.web.issuer("evil.test").token(iss="https://one.customer.test", header=header)
    assert setting.reason(forged) == "unknown_key"
    assert set(setting.web.asked) == {"one.customer.test"}


def test_an_issuer_whose_metadata_name_another_is_not_believed(setting: Setting) -> None:
    setting.web.issuers["two.customer.test"] = setting.web.issuer("one.customer.test")
    stolen = setting.web.issuer("one.customer.test").token(iss="https://two.customer.test")
    with pytest.raises(ProviderUnavailable):
        setting.server.verify(stolen)


# -- the server


def test_it_names_no_issuer_to_clients(setting: Setting) -> None:
    setting.verify()
    assert setting.server.providers == ()
    assert repr(setting.server) == "ResourceServer.trusting(...)"


def test_a_provider_of_another_server_is_not_this_ones(setting: Setting) -> None:
    token = setting.verify()
    assert not Setting().server.trusts(token.provider)
    static = ResourceServer(token.provider, clock=setting.clock)
    assert static.trusts(token.provider)
    assert not static.trusts(Provider("https://one.customer.test", audience=AUDIENCE))


def test_once_closed_it_is_an_error_to_use_it(setting: Setting) -> None:
    setting.verify()
    setting.server.close()
    with pytest.raises(ConfigurationError, match="closed"):
        setting.verify()


@pytest.mark.parametrize(
    ("arguments", "options", "instead"),
    [
        (("https://a.test",), {}, "give a function of the issuer"),
        ((bool,), {"max_issuers": 0}, "give a number from 1 up"),
        ((bool,), {"max_issuers": True}, "give a number from 1 up"),
        ((bool,), {}, "audience is missing"),
        ((bool,), {"audience": "a", "name": "b"}, "have the function return a Provider"),
        ((bool,), {"audience": "a", "tenants": ["b"]}, "have the function return a Provider"),
        ((bool,), {"audience": "a", "source": Cookie("b")}, "known when the program starts"),
        ((bool,), {"audience": "a", "dangerously_accept_any_issuer": True}, "known when the program starts"),
        ((bool,), {"audience": "a", "keys": "https://a.test/jwks"}, "each could sign for every other"),
        (
            (bool,),
            {"audience": "a", "keys": Issuer(algorithm="ES256").jwks()},
            "each could sign for every other",
        ),
        ((bool,), {"audience": "a", "keys": dict}, "each could sign for every other"),
        ((bool,), {"audience": "a", "dpop": True}, "give DPoP()"),
        ((bool,), {"audience": "a", "resource": "api"}, "resource"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_it_is_built(
    arguments: tuple[Any, ...], options: dict[str, Any], instead: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        ResourceServer.trusting(*arguments, **options)
    assert instead in str(refused.value)
