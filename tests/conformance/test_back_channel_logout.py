"""A provider tells every door that a user has logged out, and the tokens of the session are refused."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from bearerguard import BackChannelLogout, ResourceServer, Revocation
from bearerguard.testing import Issuer
from tests.doors_under_test.door import Door, Opened
from tests.doors_under_test.doors import at_every_http_guard
from tests.doors_under_test.exchange import Answer

FORM = "application/x-www-form-urlencoded"


def opened(door: Door, issuer: Issuer) -> Opened:
    server = issuer.resource_server(keys=issuer.jwks(), revocation=Revocation())
    return door.open(server, endpoints=[BackChannelLogout("/logout", client_id="orders-web")])


def sent(door: Opened, body: bytes, method: str = "POST", content_type: str = FORM) -> Answer:
    fields = [(b"Content-Type", content_type.encode())]
    return door.get(path="/logout", method=method, fields=fields, body=body)


def told(door: Opened, *tokens: str, **fields: Any) -> Answer:
    return sent(door, urlencode([*fields.items(), *(("logout_token", token) for token in tokens)]).encode())


@at_every_http_guard
def test_b1_b9_a_logout_refuses_the_session_and_lets_others_in(door: Door, issuer: Issuer) -> None:
    at = opened(door, issuer)
    mine, other = issuer.token("ada", sid="phone"), issuer.token("ada", sid="laptop")
    assert (at.get(mine).status, at.get(other).status) == (200, 200)
    answer = told(at, issuer.logout_token("ada", "phone", client_id="orders-web"))
    assert (answer.status, answer.body) == (200, b"")
    assert answer.one("cache-control") == "no-store"
    refused = at.get(mine)
    assert refused.status == 401
    assert 'error="invalid_token"' in refused.one("www-authenticate")
    assert at.get(other).status == 200


@at_every_http_guard
def test_b6_b7_a_logout_that_is_not_good_is_a_400_with_its_error(door: Door, issuer: Issuer) -> None:
    at, token = opened(door, issuer), issuer.token("ada")
    once = issuer.logout_token("bob", client_id="orders-web")
    assert told(at, once).status == 200
    for bad in (once, issuer.logout_token("ada"), token, "x"):
        answer = told(at, bad)
        assert (answer.status, answer.one("cache-control")) == (400, "no-store")
        assert answer.one("content-type") == "application/json"
        assert answer.json["error"] == "invalid_request"
        assert answer.json["error_description"].endswith(".")
        assert bad not in answer.body.decode() or bad == "x"
        assert not answer.all("www-authenticate")
    assert at.get(token).status == 200


@at_every_http_guard
def test_b1_a_body_without_one_logout_token_is_a_400(door: Door, issuer: Issuer) -> None:
    at = opened(door, issuer)
    good = urlencode({"logout_token": issuer.logout_token("ada", client_id="orders-web")}).encode()
    for body, content_type in [
        (b"", FORM),
        (b"logout_token", FORM),
        (good + b"&" + good, FORM),
        (good, "application/json"),
        (good, "text/plain"),
        (b"logout_token=\xff", FORM),
    ]:
        answer = sent(at, body, content_type=content_type)
        assert (answer.status, answer.json["error"]) == (400, "invalid_request"), (body, content_type)
    assert sent(at, good + b"&state=x", content_type=f"{FORM}; charset=utf-8").status == 200


@at_every_http_guard
def test_b7_another_method_is_told_which_one_it_is(door: Door, issuer: Issuer) -> None:
    at = opened(door, issuer)
    for method in ("GET", "HEAD"):
        answer = sent(at, b"", method=method)
        assert (answer.status, answer.one("allow")) == (405, "POST"), method


@at_every_http_guard
def test_b1_no_credentials_are_looked_at(door: Door, issuer: Issuer) -> None:
    at = opened(door, issuer)
    fields = [(b"Authorization", b"Bearer nonsense"), (b"Content-Type", FORM.encode())]
    body = urlencode({"logout_token": issuer.logout_token("ada", client_id="orders-web")}).encode()
    assert at.get(path="/logout", method="POST", fields=fields, body=body).status == 200
    assert at.api.entered == []


@at_every_http_guard
def test_b7_trouble_on_our_side_is_a_503_so_that_the_provider_tells_again(door: Door, issuer: Issuer) -> None:
    def fail() -> None:
        raise OSError

    server = issuer.resource_server(keys=fail, revocation=Revocation())
    at = door.open(server, endpoints=[BackChannelLogout("/logout", client_id="orders-web")])
    answer = told(at, issuer.logout_token("ada", client_id="orders-web"))
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")
    assert int(answer.one("retry-after")) > 0


@at_every_http_guard
def test_a_server_that_takes_nothing_back_is_not_given_an_address_for_logouts(
    door: Door, server: ResourceServer
) -> None:
    with pytest.raises(ValueError, match=r"revocation=Revocation\(\)"):
        door.open(server, endpoints=[BackChannelLogout("/logout", client_id="orders-web")])
