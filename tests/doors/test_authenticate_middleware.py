from __future__ import annotations

from typing import Any

import anyio
import pytest
from starlette.middleware.cors import CORSMiddleware
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from bearerguard import AccessToken, ConfigurationError, Provider, ResourceServer
from bearerguard.starlette import AuthenticateMiddleware
from bearerguard.testing import Clock, Issuer
from tests.doors.protected_apps import APPS, Api, bearer, described


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(algorithm="ES256", clock=Clock(1_700_000_000))


@pytest.fixture(params=list(APPS))
def framework(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def api(issuer: Issuer, framework: str) -> Api:
    return Api(
        {"login": described(issuer)}, framework=framework, clock=issuer.clock, public_paths={"/health"}
    )


# -- who gets through


def test_a_valid_token_opens_the_application_which_finds_all_claims(api: Api, issuer: Issuer) -> None:
    answer = api.get(issuer.token("ada", roles=["reader"], at_hash="ignored"))
    assert answer.status_code == 200
    body = answer.json()
    assert (body["provider"], body["subject"]) == ("login", "ada")
    assert body["claims"]["roles"] == ["reader"]
    assert body["claims"]["at_hash"] == "ignored"
    assert set(body["claims"]) >= {"iss", "aud", "exp", "iat", "jti", "sub", "client_id"}


def test_claims_are_a_plain_dict_of_this_request_only(api: Api, issuer: Issuer) -> None:
    token = issuer.token(roles=["reader"])
    for _ in range(3):
        api.get(token)
        claims = api.entered[-1]["oauth2-claims"]
        assert type(claims) is dict
        assert claims["roles"] == ["reader"]
        claims["roles"].append("admin")
        claims["sub"] = "mallory"
    verified = api.entered[-1]["bearerguard.token"]
    assert isinstance(verified, AccessToken)
    assert verified.claims["sub"] == "user-1"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_taken_in_any_case(api: Api, issuer: Issuer, scheme: str) -> None:
    assert api.get(Authorization=f"{scheme} {issuer.token()}").status_code == 200


def test_a_public_path_needs_no_token_and_looks_at_none(api: Api, issuer: Issuer) -> None:
    for answer in (
        api.get(path="/health"),
        api.get("opaque", path="/health"),
        api.get(issuer.token(), path="/health"),
    ):
        assert answer.status_code == 200
        assert answer.json() == {"claims": None, "provider": None, "subject": None}


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_it_runs_on_either_event_loop(issuer: Issuer, loop: str) -> None:
    api = Api({"login": issuer.provider()}, loop=loop, clock=issuer.clock)
    assert api.get(issuer.token()).status_code == 200


# -- who does not


@pytest.mark.parametrize(
    "value", [None, "", "Basic YTpi", "Bearer", "Bearer ", "Token abc", "Bearerabc"], ids=repr
)
def test_without_bearer_credentials_it_is_a_400_and_the_application_is_not_entered(
    api: Api, value: str | None
) -> None:
    answer = api.get() if value is None else api.get(Authorization=value)
    assert answer.status_code == 400
    assert set(answer.json()) == {"message", "error"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert api.entered == []


def test_where_no_credentials_were_sent_the_challenge_names_no_error(api: Api) -> None:
    for answer in (api.get(), api.get(Authorization="Basic YTpi")):
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("expired", "The token has expired."),
        ("not_yet_valid", "The token is not valid yet: it will be in 60 min."),
        ("for_another_audience", "The token is meant for another audience."),
        ("from_another_issuer", "The token was not issued by a provider that this API trusts."),
        ("forged", "The token was not issued by a provider that this API trusts."),
        ("unsigned", "The token was not issued by a provider that this API trusts."),
    ],
)
def test_anything_wrong_with_the_token_is_a_401_and_the_application_is_not_entered(
    api: Api, issuer: Issuer, kind: str, message: str
) -> None:
    answer = api.get(getattr(issuer, kind)())
    assert answer.status_code == 401
    assert answer.json() == {"message": message, "error": "invalid_token"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["www-authenticate"] == (
        f'Bearer error="invalid_token", error_description="{message}"'
    )
    assert api.entered == []


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a.b.c.d.e", "a" * 20_000])
def test_what_is_not_a_token_at_all_is_a_401(api: Api, token: str) -> None:
    assert api.get(token).status_code == 401
    assert api.entered == []


def test_two_authorization_headers_are_a_400(api: Api, issuer: Issuer) -> None:
    value = f"Bearer {issuer.token()}"
    answer = api.client.get("/", headers=[("Authorization", value), ("Authorization", value)])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert api.entered == []


def test_every_method_is_protected(api: Api) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        assert api.client.request(method, "/").status_code == 400
    assert api.client.post("/nowhere").status_code == 400
    assert api.entered == []


def test_a_token_is_refused_from_the_moment_it_expires(api: Api, issuer: Issuer) -> None:
    token = issuer.token(expires_in=60)
    assert api.get(token).status_code == 200
    issuer.clock.advance(70)
    assert api.get(token).status_code == 401


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_keys_that_cannot_be_had_are_a_503_and_the_application_is_not_entered(
    issuer: Issuer, loop: str
) -> None:
    api = Api({"login": issuer.provider()}, loop=loop, clock=issuer.clock)
    with issuer.outage():
        answer = api.get(issuer.token())
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert answer.json()["error"] == "temporarily_unavailable"
    assert "error" not in answer.headers["www-authenticate"]
    assert api.entered == []
    issuer.clock.advance(30)
    assert api.get(issuer.token()).status_code == 200


# -- WebSockets, lifespan, CORS


def test_a_websocket_with_a_valid_token_finds_all_claims(api: Api, issuer: Issuer) -> None:
    with api.client.websocket_connect("/ws", headers=bearer(issuer.token("ada"))) as websocket:
        assert websocket.receive_json()["claims"]["sub"] == "ada"


@pytest.mark.parametrize("kind", ["none", "basic", "expired", "forged", "unavailable"])
def test_a_websocket_without_one_is_closed_with_1008_before_it_is_accepted(
    issuer: Issuer, framework: str, kind: str
) -> None:
    provider: Any = issuer.provider() if kind == "unavailable" else described(issuer)
    api = Api({"login": provider}, framework=framework, clock=issuer.clock)
    headers = {
        "none": {},
        "basic": {"Authorization": "Basic YTpi"},
        "expired": bearer(issuer.expired()),
        "forged": bearer(issuer.forged()),
        "unavailable": bearer(issuer.token()),
    }[kind]
    with (
        issuer.outage(),
        pytest.raises(WebSocketDisconnect) as closed,
        api.client.websocket_connect("/ws", headers=headers),
    ):
        raise AssertionError("it was accepted")
    assert not isinstance(closed.value, WebSocketDenialResponse)
    assert closed.value.code == 1008
    assert closed.value.reason
    assert len(closed.value.reason) <= 123  # what fits a close frame
    assert api.entered == []


def test_lifespan_passes_through(issuer: Issuer, framework: str) -> None:
    api = Api({"login": described(issuer)}, framework=framework)
    with api.client:
        assert [scope["type"] for scope in api.entered] == ["lifespan"]
    assert "oauth2-claims" not in api.entered[0]


def test_lifespan_passes_through_and_what_nobody_could_check_is_refused(issuer: Issuer) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    async def never(*message: Any) -> Any:
        raise AssertionError

    middleware = AuthenticateMiddleware(app, {"login": described(issuer)})
    anyio.run(middleware, {"type": "lifespan"}, never, never)
    for unknown in ("webtransport", "http3", "custom", ""):
        with pytest.raises(ConfigurationError, match="cannot be checked here"):
            anyio.run(middleware, {"type": unknown}, never, never)
    assert seen == [{"type": "lifespan"}]


def test_preflights_are_answered_without_a_token_where_cors_is_added_after(api: Api, issuer: Issuer) -> None:
    api.app.add_middleware(
        CORSMiddleware,
        allow_origins=["https://shop.example"],
        allow_headers=["Authorization"],
        allow_methods=["PUT"],
    )
    origin = {"Origin": "https://shop.example"}
    preflight = api.client.options(
        "/",
        headers={
            **origin,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "Authorization",
        },
    )
    assert preflight.status_code == 200
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    assert api.entered == []
    refused = api.client.get("/", headers=origin)
    assert refused.status_code == 400
    assert refused.headers["access-control-allow-origin"] == "https://shop.example"
    assert api.client.get("/", headers={**origin, **bearer(issuer.token())}).status_code == 200


# -- several providers


def test_of_several_providers_the_issuer_of_the_token_decides(issuer: Issuer, framework: str) -> None:
    other = Issuer("https://other.test", algorithm="RS256", clock=issuer.clock)
    providers = {"login": described(issuer), "partner": described(other)}
    api = Api(providers, framework=framework, clock=issuer.clock)
    assert api.get(issuer.token()).json()["provider"] == "login"
    assert api.get(other.token()).json()["provider"] == "partner"
    impostor = other.token(iss=issuer.url, header={"kid": issuer.signing_key.kid, "alg": "ES256"})
    assert api.get(impostor).status_code == 401


def test_of_several_with_one_issuer_any_that_accepts_will_do(issuer: Issuer) -> None:
    api = Api(
        {
            "web": described(issuer, audience="https://web.test"),
            "app": described(issuer, audience=["https://app.test", "https://app-2.test"]),
        },
        clock=issuer.clock,
    )
    assert api.get(issuer.token(aud="https://web.test")).json()["provider"] == "web"
    assert api.get(issuer.token(aud=["https://x.test", "https://app-2.test"])).json()["provider"] == "app"
    assert (
        api.get(issuer.token(aud="https://x.test")).json()["message"]
        == "The token is meant for another audience."
    )


def test_a_broken_provider_does_not_touch_the_tokens_of_another(issuer: Issuer) -> None:
    broken = Issuer("https://broken.test", algorithm="ES256", clock=issuer.clock)
    api = Api({"broken": broken.provider(), "login": described(issuer)}, clock=issuer.clock)
    with broken.outage():
        assert api.get(broken.token()).status_code == 503
        assert api.get(issuer.token()).status_code == 200


def test_providers_of_cognito_have_their_audience_elsewhere_and_a_claim_that_is_fixed(issuer: Issuer) -> None:
    cognito = described(
        issuer, audience="client-1", audience_claim="client_id", required_claims={"token_use": "access"}
    )
    api = Api({"cognito": cognito}, clock=issuer.clock)

    def status(**claims: Any) -> int:
        code: int = api.get(
            issuer.token(**{"aud": None, "client_id": "client-1", "token_use": "access", **claims})
        ).status_code
        return code

    assert status() == 200
    assert status(client_id="client-2") == 401
    assert status(client_id=None) == 401
    assert status(client_id=None, aud="client-1") == 401
    assert status(token_use="id") == 401
    assert status(token_use=None) == 401


# -- a server of one's own


def test_a_server_may_be_given_in_place_of_providers(issuer: Issuer) -> None:
    server = ResourceServer(issuer.provider(name="login"), clock=issuer.clock)
    api = Api(server=server, public_paths=["/health"])
    assert api.get(issuer.token()).json()["provider"] == "login"
    assert api.get(path="/health").status_code == 200
    assert server.health()["providers"]["login"]["state"] == "fresh"


@pytest.mark.parametrize(
    "options", [{"providers": {"login": {}}}, {"get_keys": dict}, {"key_refresh_minutes": 5}], ids=str
)
def test_a_server_and_what_would_build_another_contradict_each_other(
    issuer: Issuer, options: dict[str, Any]
) -> None:
    server = issuer.resource_server()
    with pytest.raises(ConfigurationError, match="not both"):
        AuthenticateMiddleware(APPS["starlette"](), server=server, **options)


def test_a_provider_object_takes_the_name_it_is_filed_under(issuer: Issuer) -> None:
    provider = Provider(issuer.url, audience=issuer.audience, keys=issuer.jwks(), name="another", leeway=0)
    api = Api({"login": provider}, clock=issuer.clock)
    assert api.get(issuer.token()).json()["provider"] == "login"
    assert provider.name == "another"
    token = issuer.token(expires_in=5)
    issuer.clock.advance(5)
    assert api.get(token).status_code == 401  # without leeway, as the object says
