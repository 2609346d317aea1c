"""`BackChannelLogout` as a value, `log_out`, and what operators are told."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from bearerguard import (
    BackChannelLogout,
    ConfigurationError,
    InvalidToken,
    Provider,
    ResourceServer,
    Revocation,
)
from bearerguard._io import revocations
from bearerguard._limits import MAX_SPENT_LOGOUTS
from bearerguard.asgi import Guard
from bearerguard.endpoints import EndpointRequest
from bearerguard.errors import ProviderUnavailable
from bearerguard.observe import warn_once
from bearerguard.testing import Clock, Issuer

CLOCK = Clock(1_700_000_000)
ISSUER = Issuer("https://login.example", algorithm="ES256", clock=CLOCK)
OTHER = Issuer("https://partner.example", algorithm="ES256", clock=CLOCK)
WEB = "orders-web"


def trusting(*issuers: Issuer) -> ResourceServer:
    providers = [Provider(one.url, audience=one.audience, keys=one.jwks()) for one in issuers]
    return ResourceServer(*providers, revocation=Revocation(), clock=CLOCK)


def reason(server: ResourceServer, token: str) -> str | None:
    try:
        server.verify(token)
    except InvalidToken as error:
        return error.reason
    return None


def test_the_provider_is_chosen_by_the_iss_of_the_logout_token() -> None:
    server = trusting(ISSUER, OTHER)
    server.log_out(OTHER.logout_token("ada", client_id=WEB), client_id=WEB).wait()
    assert reason(server, OTHER.token("ada")) == "revoked"
    assert reason(server, ISSUER.token("ada")) is None


@pytest.mark.anyio
async def test_a_task_logs_out_too() -> None:
    server = trusting(ISSUER)
    await server.log_out(ISSUER.logout_token("ada", client_id=WEB), client_id=WEB)
    assert reason(server, ISSUER.token("ada")) == "revoked"


def test_b9_a_login_between_the_logout_and_its_news_survives() -> None:
    clock = Clock(1_700_000_000)
    issuer = Issuer("https://login.example", algorithm="ES256", clock=clock)
    server = issuer.resource_server(revocation=Revocation())
    before, logout = issuer.token("ada"), issuer.logout_token("ada", client_id=WEB)
    clock.advance(30)
    again = issuer.token("ada")
    server.log_out(logout, client_id=WEB).wait()
    assert (reason(server, before), reason(server, again)) == ("revoked", None)


def test_b9_a_session_is_logged_out_alone_though_its_user_is_named() -> None:
    server = trusting(ISSUER)
    server.log_out(ISSUER.logout_token("ada", "phone", client_id=WEB), client_id=WEB).wait()
    assert reason(server, ISSUER.token("ada", sid="phone")) == "revoked"
    assert reason(server, ISSUER.token("ada", sid="laptop")) is None
    assert reason(server, ISSUER.token("ada")) is None


def test_b10_a_logout_by_session_is_told_where_no_token_has_one(caplog: pytest.LogCaptureFixture) -> None:
    warn_once.cache_clear()
    server = trusting(ISSUER)
    server.verify(ISSUER.token("ada"))
    with caplog.at_level(logging.INFO, "bearerguard"):
        server.log_out(ISSUER.logout_token(sid="s", client_id=WEB), client_id=WEB).wait()
    assert "no access token that came here has a sid" in caplog.text
    assert "logged out: provider=https://login.example named_by=sid" in caplog.text
    warn_once.cache_clear()
    caplog.clear()
    server.verify(ISSUER.token("ada", sid="t"))
    server.log_out(ISSUER.logout_token(sid="s", client_id=WEB), client_id=WEB).wait()
    assert "no access token" not in caplog.text


def test_a_refused_logout_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "bearerguard"), pytest.raises(InvalidToken):
        trusting(ISSUER).log_out(ISSUER.logout_token("ada"), client_id=WEB).wait()
    assert "reason=audience" in caplog.text
    assert "ada" not in caplog.text


def test_an_access_token_is_not_a_logout_token_and_a_logout_token_is_not_an_access_token() -> None:
    server = trusting(ISSUER)
    with pytest.raises(InvalidToken) as refused:
        server.log_out(ISSUER.token("ada", aud=WEB), client_id=WEB).wait()
    assert refused.value.reason == "type"
    assert reason(server, ISSUER.logout_token("ada", aud=ISSUER.audience)) == "type"


def test_an_id_token_is_not_a_logout_token() -> None:
    server = trusting(ISSUER)
    token = ISSUER.token("ada", aud=WEB, nonce="n", header={"typ": "JWT"})
    with pytest.raises(InvalidToken):
        server.log_out(token, client_id=WEB).wait()
    assert reason(server, ISSUER.token("ada")) is None


def test_exp_may_be_left_out_where_the_program_says_so() -> None:
    server, token = trusting(ISSUER), ISSUER.logout_token("ada", client_id=WEB, exp=None)
    with pytest.raises(InvalidToken, match="exp"):
        server.log_out(token, client_id=WEB).wait()
    server.log_out(token, client_id=WEB, require_exp=False).wait()
    assert reason(server, ISSUER.token("ada")) == "revoked"


def test_a_server_without_revocation_logs_nobody_out() -> None:
    server = ISSUER.resource_server()
    with pytest.raises(ConfigurationError, match=r"revocation=Revocation\(\)"):
        server.log_out("x", client_id=WEB).wait()


# -- once ------------------------------------------------------------------------------------------


def kept(clock: Clock) -> revocations.Revocations:
    return revocations.Revocations(Revocation(), clock)


@pytest.mark.anyio
async def test_b6_what_is_good_once_is_forgotten_only_when_it_is_good_no_longer() -> None:
    clock = Clock(1_700_000_000)
    here = kept(clock)
    assert here.spend(b"one", 500)
    assert not await here.spend_async(b"one", 500)
    clock.advance(499)
    assert not here.spend(b"one", 500)
    clock.advance(1)
    assert here.spend(b"one", 500)


def test_b6_a_process_that_can_remember_no_more_says_so_and_forgets_none() -> None:
    clock = Clock(1_700_000_000)
    here = kept(clock)
    for number in range(MAX_SPENT_LOGOUTS):
        here.spend(str(number).encode(), 100)
    with pytest.raises(ProviderUnavailable):
        here.spend(b"one more", 100)
    assert not here.spend(b"0", 100)
    clock.advance(100)
    assert here.spend(b"one more", 100)


# -- the value -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"path": "logout"}, "give a path"),
        ({"path": "/{x}"}, "give a path"),
        ({"path": 7}, "give a path"),
        ({"client_id": ""}, "give the client"),
        ({"client_id": None}, "give the client"),
        ({"require_exp": 1}, "give True or False"),
    ],
)
def test_an_address_for_logouts_that_cannot_be_is_refused(arguments: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        BackChannelLogout(**{"path": "/logout", "client_id": WEB, **arguments})


def test_a_guard_takes_endpoints_and_nothing_else() -> None:
    server = trusting(ISSUER)
    one = BackChannelLogout("/logout", client_id=WEB)
    [endpoint] = Guard(server, endpoints=[one]).endpoints
    assert Guard(server, endpoints=[endpoint]).endpoints == (endpoint,)
    with pytest.raises(ConfigurationError, match="give a list"):
        Guard(server, endpoints=one)  # type: ignore[arg-type]  # what a program may write
    with pytest.raises(ConfigurationError, match="give a list"):
        Guard(server, endpoints="/logout")  # type: ignore[arg-type]  # as above
    with pytest.raises(ConfigurationError, match="twice"):
        Guard(server, endpoints=[one, one])


def test_too_many_fields_are_not_read() -> None:
    [endpoint] = Guard(trusting(ISSUER), endpoints=[BackChannelLogout("/logout", client_id=WEB)]).endpoints
    body = b"&".join(b"a=%d" % number for number in range(1000))
    answer = endpoint.answer(EndpointRequest("POST", body, "application/x-www-form-urlencoded"))
    assert answer.status == 400
