"""The way to an issuer in the same process, for both kinds of client."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import httpx2
import pytest

from bearerguard.testing import Issuer


@pytest.fixture
def issuer() -> Issuer:
    return Issuer("https://issuer.test/tenant", algorithm="ES256")


def test_a_client_finds_the_keys_by_discovery(issuer: Issuer) -> None:
    with httpx2.Client(transport=issuer.transport) as client:
        metadata = client.get("https://issuer.test/tenant/.well-known/openid-configuration").json()
        assert metadata["issuer"] == issuer.url
        assert client.get(metadata["jwks_uri"]).json() == issuer.jwks()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_asynchronous_client_does_too(issuer: Issuer, backend: str) -> None:
    async def keys() -> object:
        async with httpx2.AsyncClient(transport=issuer.transport) as client:
            return (await client.get(issuer.jwks_uri)).json()

    assert anyio.run(keys, backend=backend) == issuer.jwks()


@pytest.mark.parametrize("way", ["header", "form"])
def test_a_client_gets_a_token_for_its_secret(issuer: Issuer, way: str) -> None:
    with httpx2.Client(transport=issuer.transport) as client:
        form = {"grant_type": "client_credentials", "scope": "a b"}
        if way == "header":
            response = client.post(issuer.token_endpoint, data=form, auth=("test-client", "test-secret"))
        else:
            secret = {"client_id": issuer.client_id, "client_secret": issuer.client_secret}
            response = client.post(issuer.token_endpoint, data={**form, **secret})
    answer = response.json()
    assert response.status_code == 200
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 3_600, "a b")
    assert answer["access_token"].count(".") == 2


def test_a_known_etag_is_answered_with_304(issuer: Issuer) -> None:
    with httpx2.Client(transport=issuer.transport) as client:
        tag = client.get(issuer.jwks_uri).headers["etag"]
        assert client.get(issuer.jwks_uri, headers={"If-None-Match": tag}).status_code == 304
        issuer.rotate()
        assert client.get(issuer.jwks_uri, headers={"If-None-Match": tag}).status_code == 200
    assert issuer.requests[1].headers["if-none-match"] == tag


@pytest.mark.parametrize(
    "url", ["https://elsewhere.test/jwks", "http://issuer.test/jwks", "https://issuer.test:444/jwks"]
)
def test_it_leads_nowhere_else(issuer: Issuer, url: str) -> None:
    client = httpx2.Client(transport=issuer.transport)
    with client, pytest.raises(httpx2.ConnectError, match=r"Only https://issuer\.test"):
        client.get(url)
    assert issuer.requests == ()


def test_an_outage_is_a_failed_connection(issuer: Issuer) -> None:
    with httpx2.Client(transport=issuer.transport) as client:
        with issuer.outage(), pytest.raises(httpx2.ConnectError, match="outage"):
            client.get(issuer.jwks_uri)
        with issuer.outage(502):
            assert client.get(issuer.jwks_uri).status_code == 502
        assert client.get(issuer.jwks_uri).status_code == 200


def test_a_client_that_gives_up_on_a_slow_issuer_sees_its_own_timeout(issuer: Issuer) -> None:
    client = httpx2.Client(transport=issuer.transport, timeout=0.01)
    with client, issuer.slow(3_600), pytest.raises(httpx2.ReadTimeout):
        client.get(issuer.jwks_uri)


def test_a_slow_issuer_does_not_block_an_event_loop(issuer: Issuer) -> None:
    async def keys_while_held() -> int:
        slow = issuer.slow(3_600)
        async with httpx2.AsyncClient(transport=issuer.transport, timeout=None) as client:
            async with anyio.create_task_group() as tasks:
                statuses: list[int] = []

                async def fetch() -> None:
                    statuses.append((await client.get(issuer.jwks_uri)).status_code)

                tasks.start_soon(fetch)
                while not issuer.requests:
                    await anyio.lowlevel.checkpoint()
                assert statuses == []
                slow.stop()
            return statuses[0]

    assert anyio.run(keys_while_held) == 200
