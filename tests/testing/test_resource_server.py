"""The library accepts the issuer's good tokens and refuses each bad one for its own reason."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from bearerguard import (
    RFC9068,
    ConfigurationError,
    InvalidToken,
    ProviderUnavailable,
    RemoteKeys,
    ResourceServer,
)
from bearerguard.testing import Clock, Issuer
from bearerguard.testing.signing_keys import ALGORITHMS
from tests.testing.waiting import until

NOW = 1_700_000_000
ASYMMETRIC = [algorithm for algorithm in ALGORITHMS if not algorithm.startswith("HS")]
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(clock=Clock(NOW))


def reason_of(refused: pytest.ExceptionInfo[InvalidToken]) -> str:
    return refused.value.reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_issuer_of_every_algorithm_is_trusted(algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    token = issuer.resource_server().verify(issuer.token("ada", ["a", "b"]))
    assert (token.subject, sorted(token.scopes), token.client_id) == ("ada", ["a", "b"], "test-client")
    assert token.issuer == issuer.url


def test_one_issuer_signs_in_every_algorithm_without_a_second_look_at_its_keys(issuer: Issuer) -> None:
    server = issuer.resource_server(profile=RFC9068)
    for algorithm in ASYMMETRIC:
        assert server.verify(issuer.token("ada", alg=algorithm)).subject == "ada"
    assert issuer.count("/jwks") == 1


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name.startswith("HS")])
def test_a_shared_secret_is_never_fetched_and_does_not_surprise(issuer: Issuer, algorithm: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        issuer.resource_server().verify(issuer.token(alg=algorithm))
    assert reason_of(refused) == "algorithm"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_transport_serves_any_event_loop(issuer: Issuer, backend: str) -> None:
    server = issuer.resource_server()

    async def subject() -> str | None:
        return (await server.averify(issuer.token("ada"))).subject

    assert anyio.run(subject, backend=backend) == "ada"


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("expired", "expired"),
        ("not_yet_valid", "not_yet_valid"),
        ("for_another_audience", "audience"),
        ("from_another_issuer", "issuer"),
        ("forged", "signature"),
        ("unsigned", "algorithm"),
    ],
)
@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_each_bad_token_is_refused_for_its_own_reason(algorithm: str, method: str, reason: str) -> None:
    issuer = Issuer(algorithm=algorithm, clock=Clock(NOW))
    with pytest.raises(InvalidToken) as refused:
        issuer.resource_server().verify(getattr(issuer, method)())
    assert reason_of(refused) == reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"typ": "logout+jwt"}, "type"),
        ({"kid": "unknown"}, "unknown_key"),
        ({"crit": ["x"], "x": 1}, "critical"),
        ({"alg": "PS256"}, "signature"),
        ({"alg": None}, "malformed"),
    ],
)
def test_each_bad_header_is_refused_for_its_own_reason(
    issuer: Issuer, header: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidToken) as refused:
        issuer.resource_server().verify(issuer.with_header(**header))
    assert reason_of(refused) == reason


@pytest.mark.parametrize("claim", ["sub", "client_id", "iat", "jti"])
def test_a_claim_that_is_left_out_is_missed_where_it_is_required(issuer: Issuer, claim: str) -> None:
    missing: dict[str, Any] = {claim: None}
    token = issuer.token(**missing)
    issuer.resource_server().verify(token)
    with pytest.raises(InvalidToken) as refused:
        issuer.resource_server(profile=RFC9068).verify(token)
    assert reason_of(refused) == "missing_claim"


def test_a_token_expires_when_the_clock_is_advanced(issuer: Issuer) -> None:
    server, token = issuer.resource_server(leeway=0), issuer.token(expires_in=60)
    issuer.clock.advance(59)
    server.verify(token)
    issuer.clock.advance(1)
    with pytest.raises(InvalidToken) as refused:
        server.verify(token)
    assert reason_of(refused) == "expired"


def test_the_servers_clock_can_be_another(issuer: Issuer) -> None:
    with pytest.raises(InvalidToken):
        issuer.resource_server(clock=Clock(NOW + 86_400)).verify(issuer.token())


def test_providers_take_overrides(issuer: Issuer) -> None:
    provider = issuer.provider(name="login", audience="other", issuer="tenant", keys=issuer.jwks())
    assert (provider.name, provider.issuer, provider.audiences) == ("login", "tenant", ("other",))
    with pytest.raises(ConfigurationError):
        issuer.provider(leeway=-1)


def test_after_a_rotation_the_first_new_token_passes_and_old_ones_do_still(issuer: Issuer) -> None:
    server, old = issuer.resource_server(), issuer.token()
    server.verify(old)
    issuer.rotate()
    assert server.verify(issuer.token("new")).subject == "new"
    assert server.verify(old).subject == "user-1"
    assert issuer.count("/jwks") == 2


def test_after_a_rotation_without_overlap_old_tokens_are_refused_once_the_keys_are_fetched(
    issuer: Issuer,
) -> None:
    server, old = issuer.resource_server(), issuer.token()
    server.verify(old)
    issuer.rotate(overlap=False)
    server.verify(issuer.token())
    with pytest.raises(InvalidToken) as refused:
        server.verify(old)
    assert reason_of(refused) == "unknown_key"


def test_a_second_server_of_the_same_settings_shares_withdrawn_keys_until_the_next_fetch(
    issuer: Issuer,
) -> None:
    first, old = issuer.resource_server(), issuer.token("ada")
    first.verify(old)
    issuer.rotate(overlap=False)
    second = issuer.resource_server()
    assert second.verify(old).subject == "ada"
    second.verify(issuer.token())
    for server in (first, second):
        with pytest.raises(InvalidToken):
            server.verify(old)


def test_a_key_that_was_published_ahead_needs_no_fetch_when_it_is_used(issuer: Issuer) -> None:
    issuer.publish_next()
    server = issuer.resource_server()
    server.verify(issuer.token())
    issuer.rotate()
    server.verify(issuer.token())
    assert issuer.count("/jwks") == 1


def test_an_outage_at_the_first_request_is_the_providers_trouble_and_passes(issuer: Issuer) -> None:
    server = issuer.resource_server()
    for status in (None, 500, 503, 404):
        with issuer.outage(status):
            with pytest.raises(ProviderUnavailable) as unavailable:
                server.verify(issuer.token())
            assert unavailable.value.status == 503
        issuer.clock.advance(unavailable.value.retry_after)
    assert server.verify(issuer.token("ada")).subject == "ada"


def test_an_outage_with_keys_in_memory_is_not_noticed(issuer: Issuer) -> None:
    server = issuer.resource_server()
    server.verify(issuer.token())
    with issuer.outage():
        issuer.clock.advance(1_800)
        assert server.verify(issuer.token("ada")).subject == "ada"


def test_many_threads_wait_for_one_fetch_from_a_slow_issuer(issuer: Issuer) -> None:
    server, token = issuer.resource_server(), issuer.token("ada")
    slow = issuer.slow(3_600)
    with ThreadPoolExecutor(16) as pool:
        verdicts = [pool.submit(server.verify, token) for _ in range(16)]
        until(lambda: issuer.requests)
        assert not any(verdict.done() for verdict in verdicts)
        slow.stop()
        assert {verdict.result().subject for verdict in verdicts} == {"ada"}
    assert (issuer.count(DISCOVERY), issuer.count("/jwks")) == (1, 1)


def test_a_slow_issuer_does_not_delay_tokens_whose_keys_are_known(issuer: Issuer) -> None:
    server = issuer.resource_server()
    server.verify(issuer.token())
    with issuer.slow(3_600):
        assert server.verify(issuer.token("ada")).subject == "ada"


def test_an_issuer_that_is_too_slow_is_unavailable(issuer: Issuer) -> None:
    server = issuer.resource_server(
        keys=RemoteKeys(http_options={"transport": issuer.transport, "timeout": 0.05})
    )
    with issuer.slow(3_600), pytest.raises(ProviderUnavailable):
        server.verify(issuer.token())


@pytest.mark.parametrize("path", ["", "/", "/tenant"])
def test_over_real_http_it_is_discovered_and_trusted(path: str) -> None:
    with Issuer(f"https://issuer.test{path}", algorithm="ES256").serve() as issuer:
        server = issuer.resource_server()
        assert server.verify(issuer.token("ada")).subject == "ada"
        issuer.rotate()
        assert server.verify(issuer.token("bea")).subject == "bea"
        assert issuer.requests[0].path == f"{path.rstrip('/')}{DISCOVERY}"
        assert issuer.count(f"{path.rstrip('/')}/jwks") == 2


def test_keys_that_did_not_change_are_not_sent_again(issuer: Issuer) -> None:
    server = issuer.resource_server()
    server.verify(issuer.token())
    with pytest.raises(InvalidToken):
        server.verify(issuer.with_header(kid="unknown"))
    tag = [request.headers.get("if-none-match") for request in issuer.requests if request.path == "/jwks"]
    assert tag[0] is None
    assert tag[1] is not None
    assert server.verify(issuer.token("ada")).subject == "ada"


def test_the_issuers_cache_control_says_for_how_long_its_keys_are_fresh(issuer: Issuer) -> None:
    issuer.cache_control = "max-age=7200"
    server = issuer.resource_server()
    server.verify(issuer.token())
    issuer.clock.advance(5_000)
    server.verify(issuer.token())
    assert issuer.count("/jwks") == 1


def test_one_server_trusts_several_issuers_each_for_its_own_tokens() -> None:
    clock = Clock(NOW)
    one, other = (Issuer(f"https://{name}.test", clock=clock) for name in ("one", "other"))
    server = ResourceServer(one.provider(), other.provider(), clock=clock)
    assert server.verify(one.token()).issuer == one.url
    assert server.verify(other.token()).issuer == other.url
    with pytest.raises(InvalidToken) as refused:
        server.verify(one.token(iss=other.url))
    assert reason_of(refused) == "unknown_key"
    with one.outage():
        assert server.verify(other.token("ada")).subject == "ada"
