"""The fleet of the examples: two servers with two processes each, and a store, as its page says."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import httpx2
import pytest
import yaml

from bearerguard.testing import Issuer
from bearerguard.testing.api_client import APIClient
from tests.examples.running import EXAMPLES, bearer, listening, serving
from tests.stores.engines import PATIENCE, Engine, redis_server

FLEET = EXAMPLES / "fleet"
AUDIENCE, RESOURCE = "https://orders.example", "https://api.example"
SETTINGS = {"ISSUER", "AUDIENCE", "RESOURCE", "STORE", "SECRET"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(redis_server(), tmp_path_factory.mktemp("store"), ("--maxmemory-policy", "noeviction"))
    yield engine.start()
    engine.stop()


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer(audience=AUDIENCE, algorithm="ES256").serve() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def apis(
    issuer: Issuer, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx2.Client, httpx2.Client]]:
    folder = tmp_path_factory.mktemp("fleet")
    settings = {
        "ISSUER": issuer.url,
        "AUDIENCE": AUDIENCE,
        "RESOURCE": RESOURCE,
        "STORE": engine.url,
        "SECRET": "a secret of the fleet of this test, long enough",
    }
    with ExitStack() as ending:
        clients = []
        for name in ("one", "two"):
            at = ending.enter_context(listening())
            command = ["uvicorn", "--app-dir", str(FLEET), "--workers", "2", "--no-proxy-headers"]
            command += ["--fd", str(at.fileno()), "orders:app"]
            url = ending.enter_context(serving(command, at, folder / name, **settings))
            clients.append(ending.enter_context(httpx2.Client(base_url=url, trust_env=False, timeout=60)))
        yield clients[0], clients[1]


def answered(send: Callable[[], httpx2.Response]) -> httpx2.Response:
    """What is answered in the end: who is told to come back (503), as the store was slow for once, does."""
    deadline = time.monotonic() + PATIENCE
    while (answer := send()).status_code == 503:
        assert time.monotonic() < deadline, "nothing else is answered"
    return answer


def test_each_server_has_two_processes(apis: tuple[httpx2.Client, httpx2.Client]) -> None:
    for api in apis:
        seen: set[int] = set()
        deadline = time.monotonic() + PATIENCE
        while len(seen) < 2:
            seen.add(httpx2.get(f"{api.base_url}/processes", trust_env=False, timeout=60).json())
            assert time.monotonic() < deadline, "only one process answers"


def test_a_token_that_is_taken_back_at_one_server_is_refused_by_the_other(
    apis: tuple[httpx2.Client, httpx2.Client], issuer: Issuer
) -> None:
    one, two = apis
    token = bearer(issuer.token("ada", "orders:read"))
    for api in apis:
        assert answered(partial(api.get, "/orders", headers=token)).json() == ["a lamp for ada"]
    # 401, where a store that answered too late for the first 204 has noted it all the same.
    assert answered(lambda: two.post("/sign-out", headers=token)).status_code in {204, 401}
    refused, deadline = 0, time.monotonic() + PATIENCE
    while refused < 20:  # at whichever process
        status = httpx2.get(f"{one.base_url}/orders", headers=token, trust_env=False, timeout=60).status_code
        refused = refused + 1 if status == 401 else 0
        assert time.monotonic() < deadline, "the token goes on being accepted"


def test_a_proof_is_good_once_whichever_server_sees_it(
    apis: tuple[httpx2.Client, httpx2.Client], issuer: Issuer
) -> None:
    one, two = apis
    client = issuer.client("ada", "orders:read", dpop=True)
    unproven = answered(lambda: one.get("/orders", headers=client_fields(client)))
    fields: dict[str, str] = {}

    def with_a_new_proof() -> httpx2.Response:
        fields.update(client_fields(client, nonce=unproven.headers["DPoP-Nonce"]))
        return one.get("/orders", headers=fields)

    assert answered(with_a_new_proof).status_code == 200
    again = answered(lambda: two.get("/orders", headers=fields))
    assert again.status_code == 401
    assert "used before" in again.headers["WWW-Authenticate"]


def client_fields(client: APIClient, **changes: str) -> dict[str, str]:
    """The header fields of a request with a new proof."""
    return {
        "Authorization": f"DPoP {client.token}",
        "DPoP": client.proof("GET", f"{RESOURCE}/orders", **changes),
    }


def test_the_keys_were_fetched_once_for_all_of_them(
    apis: tuple[httpx2.Client, httpx2.Client], issuer: Issuer
) -> None:
    token = bearer(issuer.token("ada", "orders:read"))
    for api in apis:
        for _ in range(10):
            url = f"{api.base_url}/orders"
            told = answered(partial(httpx2.get, url, headers=token, trust_env=False, timeout=60))
            assert told.status_code == 200
    assert issuer.count("/jwks") == 1


def test_it_is_ready_once_it_has_keys_and_hears_what_is_revoked(
    apis: tuple[httpx2.Client, httpx2.Client],
) -> None:
    for api in apis:
        ready, deadline = 0, time.monotonic() + PATIENCE
        while (
            ready < 20
        ):  # at whichever process: one that nobody has asked yet gets its keys by being asked this
            told = httpx2.get(f"{api.base_url}/ready", trust_env=False, timeout=60).json()
            ready = ready + 1 if told == {"ready": True} else 0
            assert time.monotonic() < deadline, "it does not become ready"


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml"])
def test_what_is_deployed_gives_every_setting_and_no_other(name: str) -> None:
    text = (FLEET / name).read_text("utf-8")
    read = yaml.safe_load(text)
    if name == "compose.yaml":
        assert set(read["services"]["orders"]["environment"]) == SETTINGS
        assert read["services"]["orders-2"]["environment"] == read["services"]["orders"]["environment"]
        assert "noeviction" in read["services"]["store"]["command"]
    else:
        (container,) = read["spec"]["template"]["spec"]["containers"]
        secret = set(re.findall(r"--from-literal=(\w+)=", text))
        assert {one["name"] for one in container["env"]} | secret == SETTINGS
        assert container["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_the_settings_are_those_that_the_program_reads() -> None:
    program = (FLEET / "orders.py").read_text("utf-8")
    assert set(re.findall(r'os\.environ\["(\w+)"\]', program)) == SETTINGS
    assert set(re.findall(r"^    ([A-Z]+)  ", program, re.MULTILINE)) == SETTINGS
