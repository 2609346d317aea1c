from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import httpx2
import pytest

from bearerguard import (
    AccessToken,
    ConfigurationError,
    InsufficientScope,
    InvalidToken,
    MissingCredentials,
    Provider,
    ProviderUnavailable,
    RemoteKeys,
    Request,
    ResourceServer,
    Revocation,
    scope,
)
from bearerguard._io.remote_keys import RemoteKeySource
from bearerguard.guard import BaseGuard
from bearerguard.request import BareHeaders
from bearerguard.testing import Clock, Issuer
from tests.testing.waiting import until

COLOURS = ["sync", "asyncio", "trio"]
each_colour = pytest.mark.parametrize("colour", COLOURS)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(algorithm="ES256", clock=Clock(1_700_000_000))


def given(issuer: Issuer, **options: Any) -> Provider:
    return issuer.provider(**{"keys": issuer.jwks(), **options})


def verify(server: ResourceServer, token: str, colour: str = "sync") -> AccessToken:
    return server.verify(token) if colour == "sync" else anyio.run(server.averify, token, backend=colour)


def authenticate(server: ResourceServer, *headers: tuple[bytes, bytes], colour: str = "sync") -> AccessToken:
    if colour == "sync":
        return server.authenticate(headers)
    return anyio.run(server.aauthenticate, headers, backend=colour)


def warm(server: ResourceServer, colour: str) -> None:
    if colour == "sync":
        server.warm_up()
    else:
        anyio.run(server.awarm_up, backend=colour)


# -- how it is built


def test_it_needs_a_provider() -> None:
    with pytest.raises(ConfigurationError, match=r"ResourceServer\(Provider\(\.\.\.\)\)"):
        ResourceServer()


def test_it_is_not_for_subclassing_where_a_check_could_be_left_out() -> None:
    with pytest.raises(TypeError, match="as a rule"):
        type("Stricter", (ResourceServer,), {})


def test_what_is_not_a_provider_is_shown_how_to_write_one(issuer: Issuer) -> None:
    not_a_provider: Any = {"issuer": issuer.url}
    with pytest.raises(
        ConfigurationError, match=r"a dict is not a Provider: write Provider\(issuer, audience=\.\.\.\)"
    ):
        ResourceServer(not_a_provider)


def test_two_providers_of_one_name_are_told_to_take_another(issuer: Issuer) -> None:
    with pytest.raises(ConfigurationError, match=r"'https://issuer\.test'.*name="):
        ResourceServer(given(issuer), given(issuer))
    ResourceServer(given(issuer), given(issuer, name="second"))


def test_its_providers_can_be_looked_at(issuer: Issuer) -> None:
    provider = given(issuer)
    assert ResourceServer(provider).providers == (provider,)


# -- tokens and requests


@each_colour
def test_a_valid_token_is_verified(issuer: Issuer, colour: str) -> None:
    assert (
        verify(ResourceServer(given(issuer), clock=issuer.clock), issuer.token(), colour).subject == "user-1"
    )


@each_colour
@pytest.mark.parametrize("keys", ["discovered", "url", "sync function", "async function"])
def test_keys_are_fetched_for_the_first_token_and_not_for_the_next(
    issuer: Issuer, keys: str, colour: str
) -> None:
    calls: list[str] = []

    def function() -> dict[str, Any]:
        calls.append(keys)
        return issuer.jwks()

    async def coroutine() -> dict[str, Any]:
        return function()

    sources = {
        "discovered": None,
        "url": issuer.jwks_uri,
        "sync function": function,
        "async function": coroutine,
    }
    server = issuer.resource_server(keys=sources[keys])
    for _ in range(2):
        assert verify(server, issuer.token(), colour).subject == "user-1"
    paths = {"discovered": ["/.well-known/openid-configuration", "/jwks"], "url": ["/jwks"]}
    assert [request.path for request in issuer.requests] == paths.get(keys, [])
    assert len(calls) == (1 if "function" in keys else 0)


@each_colour
def test_a_first_outage_is_a_503_and_the_request_after_the_cooldown_passes(
    issuer: Issuer, colour: str
) -> None:
    server = issuer.resource_server()
    with issuer.outage():
        with pytest.raises(ProviderUnavailable) as refused:
            verify(server, issuer.token(), colour)
        assert 0 < refused.value.retry_after <= 30
    with pytest.raises(ProviderUnavailable):
        verify(server, issuer.token(), colour)
    issuer.clock.advance(30)
    verify(server, issuer.token(), colour)


@pytest.mark.parametrize(
    ("material", "kind"), [(None, "not_a_key_set"), ({"keys": []}, "empty"), ("{", "not_a_key_set")], ids=str
)
def test_a_function_that_brings_no_keys_is_a_provider_in_trouble(
    issuer: Issuer, material: Any, kind: str
) -> None:
    server = issuer.resource_server(keys=lambda: material)
    with pytest.raises(ProviderUnavailable):
        server.verify(issuer.token())
    assert server.health()["providers"][issuer.url]["last_failure"]["reason"] == kind


def test_a_function_that_raises_is_a_provider_in_trouble(issuer: Issuer) -> None:
    def vault() -> None:
        raise ConnectionError("vault is sealed")

    server = issuer.resource_server(keys=vault)
    with pytest.raises(ProviderUnavailable):
        server.verify(issuer.token())
    failure = server.health()["providers"][issuer.url]["last_failure"]
    assert failure["reason"] == "function"
    assert "vault is sealed" in failure["message"]


def test_a_defect_of_a_transport_leaves_no_request_hanging(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    server = issuer.resource_server(keys=RemoteKeys(http_options={"transport": object()}))
    with pytest.raises(ProviderUnavailable):
        server.verify(issuer.token())
    assert server.health()["providers"][issuer.url]["last_failure"]["reason"] == "client"
    assert "AttributeError" in caplog.text


def test_with_keys_given_nothing_ever_touches_the_network(issuer: Issuer) -> None:
    server = ResourceServer(given(issuer), clock=issuer.clock)
    server.warm_up()
    server.verify(issuer.token())
    for token in (issuer.with_header(kid="unknown"), issuer.forged(), issuer.expired()):
        with pytest.raises(InvalidToken):
            server.verify(token)
    issuer.clock.advance(10 * 365 * 86_400)
    server.verify(issuer.token())
    assert issuer.requests == ()


@each_colour
def test_a_request_is_authenticated_by_its_authorization_header(issuer: Issuer, colour: str) -> None:
    server = ResourceServer(given(issuer), clock=issuer.clock)
    header = (b"authorization", f"Bearer {issuer.token()}".encode())
    assert authenticate(server, (b"host", b"api.test"), header, colour=colour).subject == "user-1"
    with pytest.raises(MissingCredentials):
        authenticate(server, (b"host", b"api.test"), colour=colour)
    with pytest.raises(InvalidToken):
        authenticate(server, (b"authorization", b"Bearer opaque"), colour=colour)


def test_claims_and_keys_are_judged_by_the_same_clock(issuer: Issuer) -> None:
    server = issuer.resource_server(keys=RemoteKeys(lifetime=60))
    server.warm_up()
    token = issuer.token(expires_in=50)
    server.verify(token)
    issuer.clock.advance(61)
    assert server.health()["providers"][issuer.url]["state"] == "stale"
    with pytest.raises(InvalidToken) as refused:
        server.verify(token)
    assert refused.value.reason == "expired"


# -- operators


def test_a_refusal_is_logged_with_its_reason_and_nothing_unverified_but_the_key_id(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bearerguard")
    server = ResourceServer(given(issuer, name="login"), clock=issuer.clock)
    for token in (issuer.expired(sub="mallory"), issuer.with_header(kid="k\r\n" + "x" * 400)):
        with pytest.raises(InvalidToken):
            server.verify(token)
    with pytest.raises(MissingCredentials):
        server.authenticate([])
    own, strange, missing = (record for record in caplog.records if record.name == "bearerguard")
    kid = issuer.signing_key.kid
    assert (
        own.getMessage()
        == f"refused: reason=expired provider=login sub=mallory client_id=test-client kid='{kid}'"
    )
    assert vars(own)["reason"] == "expired"
    assert strange.getMessage() == f"refused: reason=unknown_key provider=login kid='k\\r\\n{'x' * 61}'"
    assert missing.getMessage() == "refused: reason=no_credentials"


def test_a_refusal_costs_no_log_record_where_nobody_reads_it(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "bearerguard")
    with pytest.raises(InvalidToken):
        ResourceServer(given(issuer)).verify("opaque")
    assert caplog.records == []


@each_colour
def test_warming_up_asks_for_what_is_missing_and_no_more(issuer: Issuer, colour: str) -> None:
    server = ResourceServer(issuer.provider(), given(Issuer("https://other.test")), clock=issuer.clock)
    warm(server, colour)
    warm(server, colour)
    assert issuer.count("/jwks") == 1
    issuer.clock.advance(600 + 3600)
    warm(server, colour)
    assert issuer.count("/jwks") == 2


@each_colour
def test_warming_up_says_which_provider_failed_and_why(issuer: Issuer, colour: str) -> None:
    other = Issuer("https://other.test", algorithm="ES256", clock=issuer.clock)
    server = ResourceServer(issuer.provider(name="up"), other.provider(name="down"), clock=issuer.clock)
    with other.outage(500), pytest.raises(ProviderUnavailable, match=r"down: .*HTTP 500") as refused:
        warm(server, colour)
    assert "up:" not in str(refused.value)
    assert 0 < refused.value.retry_after <= 30
    server.verify(issuer.token())


def test_health_tells_of_revocations_where_tokens_are_taken_back(issuer: Issuer) -> None:
    server = ResourceServer(issuer.provider(keys=issuer.jwks()), revocation=Revocation())
    assert server.health()["revocations"] == {"entries": 0, "full": False}
    server.revoke(subject="ada")
    assert server.health()["revocations"] == {"entries": 1, "full": False}
    assert "revocations" not in ResourceServer(issuer.provider(keys=issuer.jwks())).health()


def test_health_and_exports_tell_of_every_provider_by_name(issuer: Issuer) -> None:
    server = ResourceServer(
        issuer.provider(name="fetched"), given(Issuer("https://other.test"), name="given"), clock=issuer.clock
    )
    assert server.snapshot() == {"version": 1, "providers": {}}
    server.warm_up()
    health = json.loads(json.dumps(server.health()))["providers"]
    assert {name: entry["state"] for name, entry in health.items()} == {"fetched": "fresh", "given": "fixed"}
    exported = json.loads(json.dumps(server.snapshot()))
    assert set(exported["providers"]) == {"fetched"}


def test_exported_keys_serve_the_next_process_without_a_fetch(issuer: Issuer) -> None:
    first = issuer.resource_server()
    first.warm_up()
    exported = json.loads(json.dumps(first.snapshot()))
    asked = len(issuer.requests)
    second = ResourceServer(issuer.provider(), clock=issuer.clock.__call__, snapshot=exported)
    second.verify(issuer.token())
    assert len(issuer.requests) == asked


def test_exported_keys_of_a_provider_that_is_gone_are_told_and_left(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    first = ResourceServer(issuer.provider(name="gone"), clock=issuer.clock)
    first.warm_up()
    ResourceServer(given(issuer, name="login"), clock=issuer.clock, snapshot=first.snapshot())
    ResourceServer(given(issuer, name="gone"), clock=issuer.clock, snapshot=first.snapshot())
    assert caplog.text.count("ignored exported keys of 'gone'") == 2


def test_metadata_that_is_not_to_be_believed_is_told_though_the_keys_go_on_serving(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    documents: dict[str, Any] = {
        "/.well-known/openid-configuration": {"issuer": issuer.url, "jwks_uri": issuer.jwks_uri},
        "/jwks": issuer.jwks(),
    }
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=documents[request.url.path]))
    server = issuer.resource_server(keys=RemoteKeys(http_options={"transport": transport}))
    server.warm_up()
    documents["/.well-known/openid-configuration"] = {
        "issuer": "https://evil.test",
        "jwks_uri": "https://evil.test/",
    }
    issuer.clock.advance(600 + 3600)
    assert server.verify(issuer.token()).subject == "user-1"
    until(lambda: "issuer_mismatch" in caplog.text)  # written right after the keys are there
    assert server.health()["providers"][issuer.url]["last_failure"]["reason"] == "issuer_mismatch"


# -- its end


def uses_of(server: ResourceServer) -> dict[str, Callable[[], Any]]:
    token, provider = "token", server.providers[0].name
    request = Request("GET", "https://api.test/", [(b"authorization", b"Bearer token")])
    return {
        "verify": lambda: server.verify(token),
        "averify": lambda: anyio.run(server.averify, token),
        "authenticate": lambda: server.authenticate(request),
        "aauthenticate": lambda: anyio.run(server.aauthenticate, request),
        "admit": lambda: server.admit(request),
        "warm_up": server.warm_up,
        "awarm_up": lambda: anyio.run(server.awarm_up),
        "health": server.health,
        "snapshot": server.snapshot,
        "metadata": lambda: server.metadata(provider),
        "ametadata": lambda: anyio.run(server.ametadata, provider),
        "known_metadata": lambda: server.known_metadata(provider),
    }


def ended(server: ResourceServer, how: str) -> None:
    async def in_a_task() -> None:
        if how == "aclose":
            await server.aclose()
        else:
            async with server as entered:
                assert entered is server

    if how == "close":
        server.close()
    elif how == "with":
        with server as entered:
            assert entered is server
    else:
        anyio.run(in_a_task)


@pytest.mark.parametrize("how", ["close", "with", "aclose", "async with"])
def test_after_its_end_every_use_of_a_server_is_an_error_that_says_what_to_do(
    issuer: Issuer, how: str
) -> None:
    server = issuer.resource_server()
    server.verify(issuer.token())
    ended(server, how)
    for use in uses_of(server).values():
        with pytest.raises(ConfigurationError, match="is closed: close it after the last request, or build"):
            use()
    server.close()  # as often as anybody likes


@pytest.mark.parametrize("headers", [[], [(b"authorization", b"Bearer")], [(b"authorization", b"Basic a")]])
def test_after_its_end_a_server_refuses_nobody_but_says_that_it_is_closed(
    issuer: Issuer, headers: list[tuple[bytes, bytes]]
) -> None:
    server = issuer.resource_server()
    guard = BaseGuard(server)
    server.close()
    uses: list[Callable[[], Any]] = [
        lambda: server.authenticate(headers),
        lambda: anyio.run(server.aauthenticate, headers),
        lambda: guard.admit(BareHeaders(headers), guard.demand(optional=True)),
        lambda: server.verify("\xe9"),
        lambda: anyio.run(server.averify, "\xe9"),
    ]
    for use in uses:
        with pytest.raises(ConfigurationError, match="is closed"):
            use()


def test_what_a_rule_refuses_while_a_server_is_closed_is_refused_by_the_rule(issuer: Issuer) -> None:
    server = issuer.resource_server()
    guard = BaseGuard(server)
    token = server.verify(issuer.token())
    server.close()
    with pytest.raises(InsufficientScope):
        guard.allow(scope("admin"), token)
    error = InsufficientScope("scope", "It lacks a scope.")
    assert server.note_refusal(error) is error


def test_a_logout_that_waits_when_a_server_is_closed_says_that_it_is_closed(issuer: Issuer) -> None:
    server = issuer.resource_server(revocation=Revocation())
    waiting = server.log_out(issuer.logout_token("ada", client_id="web"), client_id="web")
    server.close()
    with pytest.raises(ConfigurationError, match="is closed"):
        waiting.wait()


def test_a_server_that_shares_its_keys_with_one_that_was_closed_goes_on(issuer: Issuer) -> None:
    one, other = issuer.resource_server(), issuer.resource_server()
    one.verify(issuer.token())
    one.close()
    assert other.verify(issuer.token()).subject == "user-1"
    issuer.clock.advance(5_000)
    assert other.verify(issuer.token()).subject == "user-1"


def test_a_server_that_is_built_after_the_end_of_another_fetches_for_itself(issuer: Issuer) -> None:
    with issuer.resource_server() as first:
        first.verify(issuer.token())
    with issuer.resource_server() as second:
        assert second.verify(issuer.token()).subject == "user-1"


def test_whoever_waits_when_a_server_is_closed_is_told_so_at_once(issuer: Issuer) -> None:
    server = issuer.resource_server(
        keys=RemoteKeys(http_options={"transport": issuer.transport, "timeout": 60})
    )
    with ThreadPoolExecutor(1) as threads, issuer.slow(3_600):
        waiting = threads.submit(server.verify, issuer.token())
        while not issuer.requests:
            time.sleep(0.001)
        server.close()
        assert isinstance(waiting.exception(30), ProviderUnavailable)


def test_after_its_end_no_thread_goes_on_asking(issuer: Issuer) -> None:
    server = issuer.resource_server()
    with issuer.slow(3_600):
        source = server._keys[issuer.url]
        assert isinstance(source, RemoteKeySource)
        flight = source.join("missing")
        assert flight is not None
        assert flight.thread is not None
        server.close()
        assert source.join("missing") is None
    flight.thread.join(30)
    assert not flight.thread.is_alive()
