"""A client of an API, as tests have it: proofs for every kind of test client, and the nonce by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from bearerguard import DPoP, InvalidToken, bound
from bearerguard import Request as Asked
from bearerguard.flask import Guard as FlaskGuard
from bearerguard.starlette import Guard
from bearerguard.testing import Issuer, signing_key

ISSUER = Issuer(algorithm="ES256")
API = "https://api.test"


def app(dpop: DPoP) -> Starlette:
    guard = Guard(ISSUER.resource_server(dpop=dpop, keys=ISSUER.jwks()), resource=API)

    @guard.requires(bound("dpop"))
    async def orders(request: Request) -> JSONResponse:
        return JSONResponse({"subject": guard.token(request).subject})

    return guard.install(Starlette(routes=[Route("/orders", orders, methods=["GET", "POST"])]))


NONCE = DPoP(nonce=True, required=True)


@pytest.mark.parametrize("dpop", [DPoP(), NONCE], ids=["without nonce", "nonce"])
def test_a_client_proves_each_request_and_follows_the_nonce(dpop: DPoP) -> None:
    auth = ISSUER.client("ada", dpop=True)
    client = TestClient(app(dpop), base_url=API)
    answers = [client.get("/orders?page=1", auth=auth), client.post("/orders", auth=auth)]
    assert [answer.json() for answer in answers] == [{"subject": "ada"}] * 2


def test_it_repeats_a_request_once_and_knows_the_nonce_from_then_on() -> None:
    auth, sent = ISSUER.client(dpop=True), list[str]()
    inner = app(NONCE)

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            sent.append(scope["path"])
        await inner(scope, receive, send)

    client = TestClient(counting, base_url=API)
    assert [client.get("/orders", auth=auth).status_code for _ in range(3)] == [200] * 3
    assert len(sent) == 4
    for refused in (ISSUER.client(dpop=True, token="x.y.z"), ISSUER.client()):
        sent.clear()
        assert client.get("/orders", auth=refused).status_code == 401
        assert len(sent) == 1


def test_a_client_that_is_told_another_nonce_each_time_gives_up_after_one() -> None:
    sent: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers["DPoP"])
        fields = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": str(len(sent))}
        return httpx2.Response(401, headers=fields)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as client:
        assert client.get(API, auth=ISSUER.client(dpop=True)).status_code == 401
    assert len(sent) == 2
    assert sent[0] != sent[1]


def test_it_works_for_a_client_of_tasks_too() -> None:
    async def get() -> int:
        transport = httpx2.ASGITransport(app(NONCE))
        async with httpx2.AsyncClient(transport=transport, base_url=API) as client:
            return (await client.get("/orders", auth=ISSUER.client(dpop=True))).status_code

    assert anyio.run(get) == 200


def test_for_other_test_clients_it_makes_header_fields() -> None:
    import flask

    flask_app = flask.Flask("api")
    guard = FlaskGuard(ISSUER.resource_server(dpop=DPoP(), resource=API, keys=ISSUER.jwks()))

    @flask_app.get("/orders")
    @guard.requires(bound())
    def orders() -> Any:
        return {"subject": guard.token().subject}

    auth, client = ISSUER.client("ada", dpop=True), flask_app.test_client()
    headers = auth.headers("GET", f"{API}/orders?page=1")
    assert client.get("/orders?page=1", headers=headers).json == {"subject": "ada"}
    assert client.get("/orders?page=1", headers=headers).status_code == 401  # a proof is good once
    assert client.get("/orders", headers=auth.headers("GET", f"{API}/orders")).status_code == 200


def test_without_dpop_it_has_a_bearer_token() -> None:
    auth = ISSUER.client("ada", "orders:read")
    assert auth.headers("GET", API) == {"Authorization": f"Bearer {auth.token}"}
    with pytest.raises(ValueError, match="dpop=True"):
        auth.proof("GET", API)
    token = ISSUER.resource_server(keys=ISSUER.jwks()).verify(auth.token)
    assert (token.subject, token.scopes) == ("ada", frozenset({"orders:read"}))


def test_a_thief_has_a_stolen_token_and_a_key_of_their_own() -> None:
    owner = ISSUER.client(dpop=True)
    thief = ISSUER.client(dpop=True, token=owner.token)
    client = TestClient(app(DPoP()), base_url=API)
    assert client.get("/orders", auth=thief).status_code == 401
    assert client.get("/orders", auth=owner).status_code == 200


def test_a_proof_may_be_bent() -> None:
    server = ISSUER.resource_server(dpop=DPoP(), keys=ISSUER.jwks())
    auth = ISSUER.client(dpop=True)
    for changes in ({"htm": "PUT"}, {"ath": None}, {"iat": 0}):
        asked = Asked("GET", API, auth.headers("GET", API, **changes))
        with pytest.raises(Exception, match="The DPoP proof"):
            server.authenticate(asked)
    assert server.authenticate(Asked("GET", API, auth.headers("GET", API, extra=1))).confirmation == "dpop"


@pytest.mark.parametrize("key_type", ["RSA", "P-256", "P-384", "P-521", "Ed25519"])
def test_a_token_may_be_bound_to_a_key_of_every_kind(key_type: str) -> None:
    key = signing_key(key_type)
    auth = ISSUER.client(dpop=True, token=ISSUER.token(bound_to=key))
    auth.key = key
    server = ISSUER.resource_server(dpop=DPoP(), keys=ISSUER.jwks())
    assert server.authenticate(Asked("GET", API, auth.headers("GET", API))).confirmation == "dpop"


@pytest.mark.parametrize("mint", [ISSUER.token, ISSUER.opaque_token], ids=["JWT", "opaque"])
def test_a_bound_token_names_its_key_or_its_certificate(mint: Callable[..., str]) -> None:
    key = signing_key("P-256")
    for bound_to, member in ((key, "jkt"), (b"a certificate", "x5t#S256")):
        token = mint(bound_to=bound_to)
        if "." in token:
            with pytest.raises(InvalidToken) as refused:
                ISSUER.resource_server(keys=ISSUER.jwks()).verify(token)
            assert refused.value.reason == "sender_constrained"
        else:
            claims = ISSUER._issued.claims_of(token)
            assert claims is not None
            assert list(claims["cnf"]) == [member]
