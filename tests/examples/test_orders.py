"""The examples, each started as README.md says and called: one API, whatever the framework."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from bearerguard.testing import Issuer
from tests.examples.running import COMMANDS, EXAMPLES, README, bearer, listening, serving, watching

AUDIENCE = "https://orders.example"
WITH_WEBSOCKETS = [
    name for name in COMMANDS if "/orders/watch" in (EXAMPLES / f"{name}.py").read_text("utf-8")
]


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer(audience=AUDIENCE, algorithm="ES256").serve() as issuer:
        yield issuer


@pytest.fixture(scope="module", params=COMMANDS)
def api(
    request: pytest.FixtureRequest, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx2.Client]:
    with listening() as at:
        server, *arguments, app = COMMANDS[request.param]
        arguments = [str(EXAMPLES) if one == "examples" else one for one in arguments]
        fd = at.fileno()
        where = {"uvicorn": ["--fd", str(fd)], "gunicorn": ["--bind", f"fd://{fd}", "--no-control-socket"]}
        with (
            serving(
                [server, *arguments, *where[server], app],
                at,
                tmp_path_factory.mktemp("example") / "log",
                ISSUER=issuer.url,
                AUDIENCE=AUDIENCE,
                RESOURCE="https://api.example/v1",
                DOCS_CLIENT_ID="docs",
            ) as url,
            httpx2.Client(base_url=url, trust_env=False, timeout=60) as client,
        ):
            yield client


def test_every_example_is_in_the_readme_with_the_command_that_runs_it() -> None:
    assert set(COMMANDS) == {path.stem for path in EXAMPLES.glob("*_app.py")}
    for name in COMMANDS:
        assert f"| [{name}.py]({name}.py) |" in README


def test_everybody_is_told_that_it_runs(api: httpx2.Client) -> None:
    assert api.get("/health").json() == "ok"


def test_everybody_is_greeted_and_the_known_by_name(api: httpx2.Client, issuer: Issuer) -> None:
    assert api.get("/greeting").json() == "Hello."
    assert api.get("/greeting", headers=bearer(issuer.token("ada"))).json() == "Hello, ada."
    assert api.get("/greeting", headers=bearer(issuer.forged(sub="ada"))).status_code == 401


def test_orders_are_placed_listed_and_cancelled_by_those_who_may(api: httpx2.Client, issuer: Issuer) -> None:
    now = int(issuer.clock())
    ada = bearer(issuer.token("ada", "orders:read orders:write", roles=["admin"], auth_time=now))
    ben = bearer(issuer.token("ben", "orders:read orders:write"))
    number = api.post("/orders", json={"article": "a table"}, headers=ben).raise_for_status().json()
    assert api.get("/orders", headers=ben).json()[str(number)] == {"article": "a table", "by": "ben"}
    assert {order["by"] for order in api.get("/orders", headers=ben).json().values()} == {"ben"}
    assert {order["by"] for order in api.get("/orders", headers=ada).json().values()} == {"ada", "ben"}
    assert api.delete(f"/orders/{number}", headers=ben).status_code == 403
    assert api.delete(f"/orders/{number}", headers=ada).status_code == 204
    assert api.delete(f"/orders/{number}", headers=ada).status_code == 404


def test_a_refusal_says_what_would_help(api: httpx2.Client, issuer: Issuer) -> None:
    nothing = api.get("/orders")
    assert nothing.status_code == 401
    assert nothing.headers["www-authenticate"] == (
        'Bearer realm="orders", scope="orders:read", '
        'resource_metadata="https://api.example/.well-known/oauth-protected-resource/v1"'
    )
    reader = api.post("/orders", json={"article": "x"}, headers=bearer(issuer.token("ben", "orders:read")))
    assert reader.status_code == 403
    assert 'scope="orders:write"' in reader.headers["www-authenticate"]
    an_hour_ago = int(issuer.clock()) - 3_600
    stale = issuer.token("ada", "orders:write", roles=["admin"], auth_time=an_hour_ago)
    again = api.delete("/orders/1", headers=bearer(stale))
    assert again.status_code == 401
    assert 'error="insufficient_user_authentication"' in again.headers["www-authenticate"]
    assert 'max_age="300"' in again.headers["www-authenticate"]


def test_it_publishes_its_metadata(api: httpx2.Client, issuer: Issuer) -> None:
    assert api.get("/.well-known/oauth-protected-resource/v1").json() == {
        "resource": "https://api.example/v1",
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["orders:read", "orders:write"],
        "resource_name": "orders",
    }


def test_what_there_is_not_is_not_found(api: httpx2.Client) -> None:
    assert api.get("/nothing").status_code == 404


@pytest.mark.parametrize("api", WITH_WEBSOCKETS, indirect=True)
def test_orders_are_watched_over_a_websocket(api: httpx2.Client, issuer: Issuer) -> None:
    token = issuer.token("ada", "orders:read")
    with watching(api, **bearer(token)) as websocket:
        websocket.send("?")
        assert json.loads(websocket.recv())["to"] == "ada"


@pytest.mark.parametrize("api", WITH_WEBSOCKETS, indirect=True)
def test_a_websocket_is_refused_with_the_reason(api: httpx2.Client, issuer: Issuer) -> None:
    for headers, status, challenge in (
        ({}, 401, 'Bearer realm="orders"'),
        (bearer(issuer.expired(scope="orders:read")), 401, 'error="invalid_token"'),
        (bearer(issuer.token()), 403, 'scope="orders:read"'),
    ):
        with pytest.raises(InvalidStatus) as refused, watching(api, **headers):
            pass
        assert refused.value.response.status_code == status
        assert challenge in refused.value.response.headers["www-authenticate"]


@pytest.mark.parametrize("api", ["fastapi_app"], indirect=True)
def test_fastapis_document_has_the_flow_of_the_issuer(api: httpx2.Client, issuer: Issuer) -> None:
    flows = api.get("/openapi.json").json()["components"]["securitySchemes"]["staff"]["flows"]
    assert flows["authorizationCode"]["authorizationUrl"] == issuer.authorization_endpoint
    assert flows["authorizationCode"]["tokenUrl"] == issuer.token_endpoint


@pytest.mark.parametrize("api", ["drf_app"], indirect=True)
def test_rest_frameworks_document_has_what_each_action_asks_for(api: httpx2.Client, issuer: Issuer) -> None:
    document = api.get("/schema", headers={"Accept": "application/vnd.oai.openapi+json"}).json()
    flows = document["components"]["securitySchemes"]["oauth2"]["flows"]
    assert flows["authorizationCode"]["tokenUrl"] == issuer.token_endpoint
    orders = document["paths"]["/orders"]
    assert orders["get"]["security"] == [{"oauth2": ["orders:read"]}]
    assert orders["post"]["security"] == [{"oauth2": ["orders:write"]}]
    assert list(orders["post"]["responses"]) == ["201", "401", "403", "503"]
    assert document["paths"]["/greeting"]["get"]["security"] == [{}, {"oauth2": []}]


@pytest.mark.parametrize("api", ["ninja_app"], indirect=True)
def test_ninjas_document_has_what_each_operation_asks_for(api: httpx2.Client, issuer: Issuer) -> None:
    document = api.get("/openapi.json").json()
    flows = document["components"]["securitySchemes"]["oauth2"]["flows"]
    assert flows["authorizationCode"]["tokenUrl"] == issuer.token_endpoint
    orders = document["paths"]["/orders"]
    assert orders["get"]["security"] == [{"oauth2": ["orders:read"]}]
    assert list(orders["post"]["responses"]) == ["201", "401", "403", "503"]
    assert "security" not in document["paths"]["/health"]["get"]
