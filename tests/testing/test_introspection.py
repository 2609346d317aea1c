"""An API that asks the issuer about tokens, in the process and over real HTTP."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from bearerguard import Introspection, InvalidToken, ProviderUnavailable, ResourceServer
from bearerguard.testing import Clock, Issuer

NOW = 1_700_000_000
METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt", "bearer"]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(algorithm="ES256", clock=Clock(NOW))


def test_its_introspection_is_its_clients(issuer: Issuer) -> None:
    introspection = issuer.provider(introspection=True).introspection
    assert introspection is not None
    assert (introspection.client_id, introspection.client_secret) == ("test-client", "test-secret")
    assert introspection.http_options == {"transport": issuer.transport}
    assert introspection.url is None, "it is discovered, as the keys are"


def test_an_introspection_of_the_tests_own_leads_to_the_issuer_too(issuer: Issuer) -> None:
    own = issuer.provider(introspection=Introspection("me", "my secret")).introspection
    assert own is not None
    assert (own.client_id, own.http_options) == ("me", {"transport": issuer.transport})
    elsewhere = issuer.provider(introspection=Introspection("me", "x", http_options={"timeout": 1}))
    assert elsewhere.introspection is not None
    assert elsewhere.introspection.http_options == {"timeout": 1}
    with issuer.serve():
        over_http = issuer.provider(introspection=Introspection("me", "my secret")).introspection
        assert over_http is not None
        assert over_http.http_options == issuer.introspection().http_options == {}


@pytest.mark.parametrize("method", METHODS)
def test_its_introspection_has_what_a_method_needs(issuer: Issuer, method: Any) -> None:
    introspection = issuer.introspection(method, jwts="ask", signed=True)
    assert (introspection.method, introspection.jwts, introspection.signed) == (method, "ask", True)


@pytest.mark.parametrize("served", [False, True], ids=["in process", "over HTTP"])
@pytest.mark.parametrize("signed", [False, True], ids=["plain", "signed"])
@pytest.mark.parametrize("method", METHODS)
def test_an_opaque_token_is_accepted(issuer: Issuer, method: Any, signed: bool, served: bool) -> None:
    def accepted() -> None:
        server = issuer.resource_server(introspection=issuer.introspection(method, signed=signed))
        with server:
            token = server.verify(issuer.opaque_token("ada", "a b"))
        assert (token.subject, sorted(token.scopes), token.is_opaque) == ("ada", ["a", "b"], True)

    if served:
        with issuer.serve():
            accepted()
    else:
        accepted()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_transport_serves_any_event_loop(issuer: Issuer, backend: str) -> None:
    server = issuer.resource_server(introspection=True)

    async def subject() -> str | None:
        return (await server.averify(issuer.opaque_token("ada"))).subject

    assert anyio.run(subject, backend=backend) == "ada"


def refusal(server: ResourceServer, token: str) -> str:
    with pytest.raises(InvalidToken) as refused:
        server.verify(token)
    return refused.value.reason


def test_each_bad_opaque_token_is_refused_for_its_own_reason(issuer: Issuer) -> None:
    server = issuer.resource_server(introspection=True)
    bad = {
        "inactive": issuer.opaque_token(expires_in=0),
        "not_yet_valid": issuer.opaque_token(nbf=NOW + 3_600),
        "audience": issuer.opaque_token(aud="https://another-api.test"),
        "issuer": issuer.opaque_token(iss="https://another-issuer.test"),
        "type": issuer.opaque_token(token_type="N_A"),
        "missing_claim": issuer.opaque_token(aud=None),
    }
    assert {reason: refusal(server, token) for reason, token in bad.items()} == {name: name for name in bad}


def test_a_revoked_token_is_refused_once_the_budget_is_spent_and_not_before(issuer: Issuer) -> None:
    server = issuer.resource_server(introspection=True)
    token = issuer.opaque_token()
    server.verify(token)
    issuer.revoke(token)
    issuer.clock.advance(29)
    server.verify(token)
    issuer.clock.advance(1)
    assert refusal(server, token) == "inactive"
    assert issuer.count("/introspect") == 2


def test_a_revoked_jwt_is_refused_where_it_is_asked_about(issuer: Issuer) -> None:
    token = issuer.token("ada")
    issuer.revoke(token)
    assert issuer.resource_server(introspection=True).verify(token).subject == "ada"
    for jwts in ("ask", "verify_then_ask"):
        server = issuer.resource_server(introspection=issuer.introspection(jwts=jwts))
        assert server.verify(issuer.token("ada")).subject == "ada"
        assert refusal(server, token) == "inactive"


def test_while_the_endpoint_is_down_clients_are_told_to_come_back(issuer: Issuer) -> None:
    server = issuer.resource_server(introspection=True)
    with issuer.outage(path="/introspect"), pytest.raises(ProviderUnavailable):
        server.verify(issuer.opaque_token())
    assert server.verify(issuer.token("ada")).subject == "ada"


def test_a_wrong_secret_is_not_the_clients_fault(issuer: Issuer) -> None:
    server = issuer.resource_server(introspection=Introspection(issuer.client_id, "wrong"))
    with pytest.raises(ProviderUnavailable):
        server.verify(issuer.opaque_token())
