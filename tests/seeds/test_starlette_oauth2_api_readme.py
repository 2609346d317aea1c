"""The programs of starlette-oauth2-api's README run with nothing changed but the import."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_httpx2 import HTTPXMock
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from bearerguard.testing import Issuer
from tests.seeds.seed_sources import MIDDLEWARE, programs_in, renamed, unpacked

KEYS = "https://www.googleapis.com/oauth2/v3/certs"
ORIGIN = "https://shop.test"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """Stands in for the provider of the README: one for all tests, as keys outlive a test."""
    return Issuer("https://accounts.google.com", audience="852159111111-xxxxxx.apps.googleusercontent.com")


@pytest.fixture
def client(tmp_path: Path, issuer: Issuer, httpx2_mock: HTTPXMock) -> TestClient:
    httpx2_mock.add_response(url=KEYS, json=issuer.jwks(), is_optional=True, is_reusable=True)
    settings = SimpleNamespace(CORS_ORIGINS=[ORIGIN], CORS_METHODS=["GET"])
    namespace: dict[str, Any] = {"settings": settings}
    programs = programs_in(unpacked(MIDDLEWARE, tmp_path) / "README.md")
    assert len(programs) == 2  # the middleware, and CORS
    for program in programs:
        exec(renamed(program), namespace)  # noqa: S102 - that it runs is what is tested
    app: Starlette = namespace["app"]

    async def home(request: Request) -> JSONResponse:
        return JSONResponse(request.scope.get("oauth2-claims"))

    async def websocket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json(socket.scope["oauth2-provider"])
        await socket.close()

    app.add_route("/", home)
    app.add_route("/orders", home)
    app.router.add_websocket_route("/live", websocket)
    return TestClient(app)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_public_path_needs_no_token(client: TestClient) -> None:
    assert client.get("/").status_code == 200


def test_every_other_path_hands_the_claims_of_a_good_token_to_the_application(
    client: TestClient, issuer: Issuer
) -> None:
    response = client.get("/orders", headers=bearer(issuer.token("ada", tenant="blue")))
    assert response.status_code == 200
    assert (response.json()["sub"], response.json()["tenant"]) == ("ada", "blue")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}], ids=["none", "other scheme"])
def test_a_header_that_does_not_start_with_bearer_is_a_bad_request(
    client: TestClient, headers: dict[str, str]
) -> None:
    assert client.get("/orders", headers=headers).status_code == 400


def test_a_token_that_fails_any_of_the_conditions_is_a_401(client: TestClient, issuer: Issuer) -> None:
    for token in (
        "no JWT",
        issuer.from_another_issuer(),
        issuer.for_another_audience(),
        issuer.forged(),
        issuer.expired(),
    ):
        status = client.get("/orders", headers=bearer(token.replace(" ", "_"))).status_code
        assert status == 401


def test_a_websocket_needs_the_same_header_and_is_closed_with_1008_otherwise(
    client: TestClient, issuer: Issuer
) -> None:
    with client.websocket_connect("/live", headers=bearer(issuer.token())) as socket:
        assert socket.receive_json() == "google"
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        client.websocket_connect("/live", headers=bearer(issuer.forged())),
    ):
        pass
    assert closed.value.code == 1008


def test_a_preflight_is_answered_without_a_token(client: TestClient) -> None:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    response = client.options("/orders", headers=headers)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
