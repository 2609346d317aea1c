"""What one request does to its claims no other request sees: tokens of every provider, through every door.

The shapes are those that are measured: RFC 9068's example and what eight providers issue, with arrays, with
objects, and with both within each other. A request changes all it can, and adds what would give it power.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import flask as flask_framework
import pytest
from starlette.applications import Starlette
from starlette.authentication import SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import bearerguard
from bearerguard import AccessToken, ResourceServer, client, flask, permission, role, scope, starlette
from bearerguard.testing import Issuer
from bench.kinds import KINDS
from tests.doors_under_test.door import Door
from tests.doors_under_test.doors import at_every_door
from tests.doors_under_test.exchange import Answer, Ask, ask_asgi, ask_wsgi
from tests.doors_under_test.exchange import Request as Sent
from tests.doors_under_test.layabauth_doors import trusting

RULES = [scope("admin"), role("admin"), permission("admin"), client("admin")]
TIMES = 4
"""New; remembered, read and kept; and kept before."""
of_every_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def issued(kind: str) -> tuple[Issuer, ResourceServer, dict[str, Any], str]:
    """An issuer of a kind, who trusts it, and the claims of a token."""
    shape = KINDS[kind]
    issuer = Issuer(shape.issuer, audience=shape.audience)
    claims = shape.claims(1, int(issuer.clock()))
    options = dict(shape.options)
    if "profile" in options:
        options["profile"] = getattr(bearerguard, options["profile"])
    server = issuer.resource_server(keys=issuer.jwks(), **options)
    return issuer, server, claims, issuer.sign(claims, header={"typ": shape.header.get("typ", "JWT")})


def spoil(value: Any) -> None:
    """Change everything that can be changed in place."""
    for member in value.values() if hasattr(value, "values") else value:
        if isinstance(member, dict | list):
            spoil(member)
    if isinstance(value, list):
        value[:] = ["admin"]
    elif isinstance(value, dict):
        value.clear()
        value |= dict.fromkeys(("scope", "scp", "roles", "permissions", "client_id", "admin"), "admin")


def found_by(token: AccessToken | None) -> Any:
    """What a request finds before it spoils it, in every way in which it can get at claims."""
    assert token is not None
    told: dict[str, Any] = {
        "claims": copy.deepcopy(dict(token.claims)),
        "names": [sorted(names) for names in (token.scopes, token.roles, token.permissions)],
        "others": [token.subject, token.client_id, token.issuer, token.expires_at, token.issued_at],
        "allowed": [rule.allows(token) for rule in RULES],
    }
    with pytest.raises(TypeError):
        token.claims["admin"] = True  # type: ignore[index]  # what a program may try
    for claims in (token.claims_copy(), token.claims):
        spoil(claims)
    return told


@at_every_door
@of_every_kind
def test_what_one_request_does_to_its_claims_no_other_sees(door: Door, kind: str) -> None:
    _, server, claims, token = issued(kind)
    opened = door.open(ResourceServer(*server.providers, clock=server._clock), view=found_by)
    answers = [opened.get(token) for _ in range(TIMES)]
    assert [answer.status for answer in answers] == [200] * TIMES
    first, *others = (answer.json for answer in answers)
    assert first["claims"] == claims
    assert first["allowed"] == [False] * len(RULES)
    assert others == [first] * len(others)


@of_every_kind
def test_what_becomes_of_the_dict_that_a_middleware_hands_over_no_other_request_sees(kind: str) -> None:
    """`scope["oauth2-claims"]`, as programs for starlette-oauth2-api know it."""
    _, server, claims, token = issued(kind)

    async def view(request: Request) -> JSONResponse:
        handed: dict[str, Any] = request.scope["oauth2-claims"]
        told = copy.deepcopy(handed)
        spoil(handed)
        return JSONResponse(told)

    own = ResourceServer(*server.providers, clock=server._clock)
    protected = Middleware(starlette.AuthenticateMiddleware, server=own)
    app = Starlette(routes=[Route("/", view)], middleware=[protected])
    assert told_by(ask_asgi, app, token) == [claims] * TIMES


def with_backend(issuer: Issuer, settings: dict[str, Any]) -> Any:
    def create_user(token: str, token_body: dict[str, Any]) -> SimpleUser:
        told = json.dumps(token_body)
        spoil(token_body)
        return SimpleUser(told)

    async def view(request: Request) -> JSONResponse:
        return JSONResponse(json.loads(request.user.display_name))

    backend = starlette.OAuth2IdTokenBackend(
        issuer.jwks_uri, create_user=create_user, scopes=lambda token, token_body: (), **settings
    )
    middleware = Middleware(AuthenticationMiddleware, backend=backend, on_error=starlette.on_error)
    return Starlette(routes=[Route("/", view)], middleware=[middleware])


def with_decorator(issuer: Issuer, settings: dict[str, Any]) -> Any:
    @flask.requires_authentication(issuer.jwks_uri, **settings)
    def view() -> Any:
        told = copy.deepcopy(flask_framework.g.token_body)
        spoil(flask_framework.g.token_body)
        return told

    app = flask_framework.Flask("api")
    app.add_url_rule("/", "view", view)
    return app.wsgi_app


@pytest.mark.parametrize(
    ("build", "ask"), [(with_backend, ask_asgi), (with_decorator, ask_wsgi)], ids=["backend", "decorator"]
)
@of_every_kind
def test_what_becomes_of_a_token_body_no_other_request_sees(
    kind: str, build: Callable[[Issuer, dict[str, Any]], Any], ask: Ask
) -> None:
    """The dict that programs for layabauth are handed."""
    issuer, server, claims, token = issued(kind)
    if server.providers[0].audience_claim != "aud":
        claims = {**claims, "aud": issuer.audience}  # of which their contract knows no other place
        token = issuer.sign(claims)
    app = build(issuer, trusting(issuer))
    assert told_by(ask, app, token) == [claims] * TIMES


def told_by(ask: Ask, app: Any, token: str) -> list[Any]:
    """What each of some requests with the same token found."""
    request = Sent(fields=[(b"Authorization", b"Bearer " + token.encode())])
    answers: list[Answer] = [ask(app, request)[0] for _ in range(TIMES)]
    assert [answer.status for answer in answers] == [200] * TIMES
    return [answer.json for answer in answers]
