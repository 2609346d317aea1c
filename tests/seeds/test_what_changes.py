"""What `docs/migrating.md` says of both libraries apart from requests: how it was, and how it is now."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from bearerguard import ConfigurationError, SecurityWarning
from bearerguard.flask import UserIdFilter, requires_authentication
from bearerguard.starlette import AuthenticateMiddleware
from bearerguard.testing import Clock, Issuer, SigningKey, signing_key
from bearerguard.testing.signing_keys import compact
from tests.doors_under_test.layabauth_doors import trusting
from tests.seeds.seed_sources import interpreter
from tests.testing.waiting import until

OLD_BEHAVIOUR = Path(__file__).with_name("old_behaviour.py")
Setup = tuple[dict[str, Any], str]


def provider_of(issuer: Issuer, /, **changes: Any) -> dict[str, Any]:
    return {"issuer": issuer.url, "audience": issuer.audience, "keys": issuer.jwks(), **changes}


def short_key(issuer: Issuer) -> Setup:
    private = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - it must be refused
    key = SigningKey("short", private)
    return provider_of(issuer, keys={"keys": [key.public_jwk()]}), issuer.token(key=key)


def key_with(issuer: Issuer, /, **members: Any) -> dict[str, Any]:
    """A provider whose only key is the issuer's RSA key, with these members."""
    return provider_of(issuer, keys={"keys": [{**issuer.signing_key.public_jwk(), **members}]})


def symmetric(issuer: Issuer, **options: Any) -> Setup:
    key = signing_key("oct")
    claims = {"iss": issuer.url, "aud": issuer.audience, "exp": int(issuer.clock()) + 3_600}
    token = compact({"alg": "HS256", "typ": "JWT"}, claims, key, "HS256")
    return provider_of(issuer, keys={"keys": [key.secret_jwk()]}, **options), token


def pem_of(key: SigningKey) -> str:
    encoded: bytes = key.private.public_key().public_bytes(  # type: ignore[union-attr]
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return encoded.decode()


SETUPS: dict[str, tuple[Callable[[Issuer], Setup], object, object]] = {
    # what is set up, and with which token; what came of it, and what comes of it now
    "sound": (lambda issuer: (provider_of(issuer), issuer.token()), 200, 200),
    "a JWK": (
        lambda issuer: (provider_of(issuer, keys=issuer.signing_key.public_jwk()), issuer.token()),
        200,
        200,
    ),
    "a JWK set as text": (
        lambda issuer: (provider_of(issuer, keys=json.dumps(issuer.jwks())), issuer.token()),
        200,
        200,
    ),
    "empty issuer": (
        lambda issuer: (provider_of(issuer, issuer=""), issuer.token(iss="")),
        200,
        ConfigurationError,
    ),
    "empty audience": (
        lambda issuer: (provider_of(issuer, audience=""), issuer.token(aud="")),
        200,
        ConfigurationError,
    ),
    "empty keys": (lambda issuer: (provider_of(issuer, keys=""), issuer.token()), 401, ConfigurationError),
    "no audience": (
        lambda issuer: ({"issuer": issuer.url, "keys": issuer.jwks()}, issuer.token()),
        "ValueError",
        ConfigurationError,
    ),
    "RSA of 1,024 bits": (short_key, 200, ConfigurationError),
    "a key for encryption": (
        lambda issuer: (key_with(issuer, use="enc"), issuer.token()),
        200,
        ConfigurationError,
    ),
    "a key for another algorithm": (
        lambda issuer: (key_with(issuer, alg="RS256"), issuer.token(alg="RS384")),
        200,
        401,
    ),
    "a symmetric key": (symmetric, 200, ConfigurationError),
    "a symmetric key and its algorithm": (lambda issuer: symmetric(issuer, algorithms=["HS256"]), 200, 200),
    "a misspelt option": (
        lambda issuer: (provider_of(issuer, audiance_claim="aud"), issuer.token()),
        200,
        ConfigurationError,
    ),
    "an option that nothing resembles": (
        lambda issuer: (provider_of(issuer, uri="https://issuer.test"), issuer.token()),
        200,
        SecurityWarning,
    ),
    "keys at an http address": (
        lambda issuer: (provider_of(issuer, keys="http://issuer.test/jwks"), issuer.token()),
        "ValueError",
        ConfigurationError,
    ),
    "several audiences": (
        lambda issuer: (provider_of(issuer, audience=["https://old.test", issuer.audience]), issuer.token()),
        401,
        200,
    ),
}


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer(clock=Clock(int(time.time())))


@pytest.fixture(scope="module")
def setups(issuer: Issuer) -> dict[str, Setup]:
    return {name: build(issuer) for name, (build, _, _) in SETUPS.items()}


@pytest.fixture(scope="module")
def old(issuer: Issuer, setups: dict[str, Setup]) -> dict[str, Any]:
    """How the two libraries behave."""
    python = interpreter()
    secret, by_secret = symmetric(issuer)
    given = {
        **provider_of(issuer),
        "jwk": issuer.signing_key.public_jwk(),
        "pem": pem_of(issuer.signing_key),
        "secret": secret["keys"],
        "symmetric": by_secret,
        "token": issuer.token("ada"),
        "forged": issuer.forged(),
        "setups": {
            name: {"provider": provider, "token": token} for name, (provider, token) in setups.items()
        },
    }
    run = subprocess.run(
        [python, str(OLD_BEHAVIOUR)], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    behaviour: dict[str, Any] = json.loads(run.stdout)
    return behaviour


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def answer(request: Request) -> Response:
    return Response(request.scope["oauth2-provider"])


def client_of(issuer: Issuer, **options: Any) -> TestClient:
    given: dict[str, Any] = {"providers": {"login": provider_of(issuer)}, "clock": issuer.clock, **options}
    app = Starlette(routes=[Route("/", answer)], middleware=[Middleware(AuthenticateMiddleware, **given)])
    return TestClient(app)


def fetching(issuer: Issuer) -> dict[str, Any]:
    """A provider that fetches the issuer's keys."""
    return provider_of(issuer, keys=issuer.jwks_uri, http_options={"transport": issuer.transport})


# -- AuthenticateMiddleware ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETUPS)
def test_a_provider_that_is_set_up_like_this(
    issuer: Issuer, setups: dict[str, Setup], old: dict[str, Any], name: str
) -> None:
    _, before, now = SETUPS[name]
    provider, token = setups[name]
    assert old["setups"][name] == before
    if now is ConfigurationError:
        with pytest.raises(ConfigurationError, match="login"):
            client_of(issuer, providers={"login": provider}).get("/")
        return
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        status = client_of(issuer, providers={"login": provider}).get("/", headers=bearer(token)).status_code
    assert [warning.category for warning in found] == ([SecurityWarning] if now is SecurityWarning else [])
    assert status == (200 if now is SecurityWarning else now)


def test_keys_in_forms_that_json_does_not_have_are_taken_as_before(
    issuer: Issuer, old: dict[str, Any]
) -> None:
    jwk, pem = issuer.signing_key.public_jwk(), pem_of(issuer.signing_key)
    forms: dict[str, Any] = {
        "a mapping of kid to JWK": {jwk["kid"]: jwk},
        "a set of PEM": {pem},
        "a generator": (key for key in [jwk]),
        "PEM bytes": pem.encode(),
    }
    assert old["forms of keys"] == dict.fromkeys(forms, 200)
    for keys in forms.values():
        client = client_of(issuer, providers={"login": provider_of(issuer, keys=keys)})
        for _ in range(2):
            assert client.get("/", headers=bearer(issuer.token())).status_code == 200


def test_a_providers_name_need_not_be_a_string_as_before(issuer: Issuer, old: dict[str, Any]) -> None:
    assert old["programs"]["a name that is no string"] == 1
    named: list[Any] = []

    async def endpoint(request: Request) -> Response:
        named.append(request.scope["oauth2-provider"])
        return Response()

    providers: dict[Any, Any] = {1: provider_of(issuer)}
    middleware = Middleware(AuthenticateMiddleware, providers=providers, clock=issuer.clock)
    client = TestClient(Starlette(routes=[Route("/", endpoint)], middleware=[middleware]))
    assert client.get("/", headers=bearer(issuer.token())).status_code == 200
    assert named == [1]


def test_no_providers_are_refused(issuer: Issuer, old: dict[str, Any]) -> None:
    assert old["programs"]["no providers"] == 401
    with pytest.raises(ConfigurationError, match="needs providers"):
        client_of(issuer, providers={}).get("/")


def test_a_secret_by_get_keys_is_refused(issuer: Issuer, old: dict[str, Any]) -> None:
    assert old["programs"]["a secret by get_keys"] == 200
    provider, token = symmetric(issuer, algorithms=["HS256"])
    with pytest.raises(ConfigurationError, match=r"login.*never fetched"):
        client_of(issuer, providers={"login": provider}, get_keys=lambda keys: keys).get("/")
    # Without naming the algorithm it can be built, and no token of the secret is accepted.
    del provider["algorithms"]
    client = client_of(issuer, providers={"login": provider}, get_keys=lambda keys: keys)
    assert client.get("/", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize(
    ("minutes", "before", "fetches"),
    [
        (-1, "fetches with negative minutes", 3),
        ({"login": 60, "logon": 1}, "fetches with minutes of an unknown provider", 1),
    ],
)
def test_minutes_that_mean_nothing_are_refused(
    issuer: Issuer, old: dict[str, Any], minutes: Any, before: str, fetches: int
) -> None:
    assert old["programs"][before] == fetches
    with pytest.raises(ConfigurationError, match="key_refresh_minutes"):
        client_of(issuer, key_refresh_minutes=minutes).get("/")


def test_with_no_minutes_keys_are_fetched_for_each_second_and_no_longer_for_each_request(
    old: dict[str, Any],
) -> None:
    assert old["programs"]["fetches with no minutes"] == 3
    issuer = Issuer(clock=Clock(1_800_000_000))
    client = client_of(issuer, providers={"login": fetching(issuer)}, key_refresh_minutes=0)
    for _ in range(3):
        assert client.get("/", headers=bearer(issuer.token())).status_code == 200
    assert issuer.count("/jwks") == 1
    issuer.clock.advance(2)
    assert client.get("/", headers=bearer(issuer.token())).status_code == 200
    until(lambda: issuer.count("/jwks") == 2)


def test_a_configuration_error_is_a_value_error() -> None:
    assert issubclass(ConfigurationError, ValueError)


def test_keys_at_an_http_address_on_loopback_are_taken() -> None:
    with Issuer().serve() as served:
        client = client_of(served, providers={"login": provider_of(served, keys=served.jwks_uri)})
        assert client.get("/", headers=bearer(served.token())).status_code == 200


def test_keys_that_are_left_out_are_discovered(old: dict[str, Any]) -> None:
    assert old["no keys"] == "ValueError"
    issuer = Issuer()
    provider = fetching(issuer)
    del provider["keys"]
    client = client_of(issuer, providers={"login": provider})
    assert client.get("/", headers=bearer(issuer.token())).status_code == 200


def test_the_body_of_a_refusal_is_a_sentence_and_a_code_and_its_header_has_a_challenge(
    issuer: Issuer, old: dict[str, Any]
) -> None:
    assert set(old["no token"]["body"]) == {"message"}
    assert set(old["bad token"]["body"]["message"]) == {"login", "other"}
    assert "www-authenticate" not in old["no token"]["headers"] + old["bad token"]["headers"]
    client = client_of(issuer)
    for response, status in (
        (client.get("/"), 400),
        (client.get("/", headers=bearer(issuer.forged())), 401),
        (client.get("/", headers=bearer("a b")), 400),
    ):
        assert response.status_code == status
        assert {name: type(text) for name, text in response.json().items()} == {"message": str, "error": str}
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_keys_that_cannot_be_fetched_are_a_503_and_no_500(old: dict[str, Any]) -> None:
    assert old["fetches"]["keys cannot be fetched"] == "OSError"
    issuer = Issuer()
    client = client_of(issuer, providers={"login": fetching(issuer)})
    with issuer.outage():
        response = client.get("/", headers=bearer(issuer.token()))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) >= 1


def test_keys_in_hand_are_used_for_another_hour() -> None:
    issuer = Issuer()
    issuer.cache_control = None  # then their lifetime is 10 minutes
    client = client_of(issuer, providers={"login": fetching(issuer)})
    assert client.get("/", headers=bearer(issuer.token())).status_code == 200
    with issuer.outage():
        issuer.clock.advance(600 + 3_500)
        assert client.get("/", headers=bearer(issuer.token())).status_code == 200
        issuer.clock.advance(200)
        assert client.get("/", headers=bearer(issuer.token())).status_code == 503


def test_by_default_a_rotation_locks_nobody_out() -> None:
    issuer = Issuer()
    client = client_of(issuer, providers={"login": fetching(issuer)})
    assert client.get("/", headers=bearer(issuer.token())).status_code == 200
    issuer.rotate(overlap=False)
    assert client.get("/", headers=bearer(issuer.token())).status_code == 200


def test_with_infinite_minutes_keys_are_fetched_once_and_a_rotation_locks_everybody_out() -> None:
    issuer = Issuer()
    client = client_of(issuer, providers={"login": fetching(issuer)}, key_refresh_minutes=float("inf"))
    for _ in range(3):
        assert client.get("/", headers=bearer(issuer.token())).status_code == 200
        issuer.clock.advance(365 * 24 * 3_600)
    issuer.rotate()
    assert client.get("/", headers=bearer(issuer.token())).status_code == 401
    assert issuer.count("/jwks") == 1


def test_a_dict_of_minutes_may_leave_providers_out(old: dict[str, Any]) -> None:
    assert old["fetches"]["a dict of minutes that leaves a provider out"] == "KeyError"
    issuer = Issuer()
    client = client_of(issuer, providers={"login": fetching(issuer)}, key_refresh_minutes={})
    assert client.get("/", headers=bearer(issuer.token())).status_code == 200


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_get_keys_is_called_with_the_keys_of_the_provider_on_a_thread_of_its_own(
    old: dict[str, Any], is_async: bool
) -> None:
    assert old["fetches"]["on the thread of the event loop"] == [True]
    issuer = Issuer()
    threads: dict[str, object] = {}
    asked: list[Any] = []

    def get_keys(keys: Any) -> dict[str, Any]:
        threads["keys"] = threading.current_thread()
        asked.append(keys)
        return issuer.jwks()

    async def get_keys_async(keys: Any) -> dict[str, Any]:
        return get_keys(keys)

    async def endpoint(request: Request) -> Response:
        threads["event loop"] = threading.current_thread()
        return Response()

    middleware = Middleware(
        AuthenticateMiddleware,
        providers={"login": provider_of(issuer, keys="wherever")},
        get_keys=get_keys_async if is_async else get_keys,
    )
    client = TestClient(Starlette(routes=[Route("/", endpoint)], middleware=[middleware]))
    assert client.get("/", headers=bearer(issuer.token())).status_code == 200
    assert asked == ["wherever"]
    assert threads["keys"] is not threads["event loop"]


def test_redirects_of_the_keys_address_are_refused() -> None:
    issuer = Issuer()

    def redirect(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/jwks":
            return httpx2.Response(302, headers={"Location": "https://issuer.test/elsewhere"})
        return httpx2.Response(200, json=issuer.jwks())

    options = {"transport": httpx2.MockTransport(redirect)}
    provider = provider_of(issuer, keys=issuer.jwks_uri, http_options=options)
    client = client_of(issuer, providers={"login": provider})
    assert client.get("/", headers=bearer(issuer.token())).status_code == 503


def test_of_several_providers_the_one_of_the_issuer_decides() -> None:
    one, other = Issuer("https://one.test"), Issuer("https://other.test")
    client = client_of(one, providers={"one": provider_of(one), "other": provider_of(other)})
    assert client.get("/", headers=bearer(one.token())).text == "one"
    assert client.get("/", headers=bearer(other.token())).text == "other"
    # Signed by a trusted provider's key, but not by that of the issuer which it names.
    assert client.get("/", headers=bearer(one.token(iss=other.url))).status_code == 401


def test_the_start_of_an_application_passes(issuer: Issuer, old: dict[str, Any]) -> None:
    assert old["lifespan"] == "AssertionError"
    with client_of(issuer) as client:
        assert client.get("/", headers=bearer(issuer.token())).status_code == 200


def test_a_refused_token_is_one_line_at_level_info(issuer: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    token = issuer.forged(sub="mallory")
    with caplog.at_level(logging.DEBUG, logger="bearerguard"):
        client_of(issuer).get("/", headers=bearer(token))
    lines = [record for record in caplog.records if record.name.startswith("bearerguard")]
    assert [(line.levelno, line.exc_info) for line in lines] == [(logging.INFO, None)]
    assert "mallory" not in caplog.text
    assert not any(part in caplog.text for part in token.split("."))


# -- layabauth -------------------------------------------------------------------------------------------


def flask_client(issuer: Issuer, seen: dict[str, Any]) -> Any:
    app = flask.Flask(__name__)
    authenticated = requires_authentication(issuer.jwks_uri, **trusting(issuer))
    app.add_url_rule("/", view_func=authenticated(lambda: ""))

    @app.get("/public")
    def public() -> str:
        record = logging.LogRecord("orders", logging.INFO, __file__, 1, "", None, None)
        UserIdFilter("sub").filter(record)
        return str(record.__dict__["user_id"])

    @app.errorhandler(401)
    def refused(error: Any) -> Any:
        seen["token"] = flask.g.get("token", "not there")
        return error

    return app.test_client()


def test_keys_are_not_fetched_for_each_request_nor_for_what_is_no_token(old: dict[str, Any]) -> None:
    assert old["flask"]["fetches for three requests"] == 3
    assert old["flask"]["fetches for what is no token"] == 1
    issuer = Issuer()
    client = flask_client(issuer, {})
    assert client.get("/", headers=bearer("mocked_token")).status_code == 401
    assert issuer.count("/jwks") == 0
    for _ in range(3):
        assert client.get("/", headers=bearer(issuer.token())).status_code == 200
    assert issuer.count("/jwks") == 1


def test_a_refusal_in_flask_has_a_challenge_and_leaves_no_token(old: dict[str, Any]) -> None:
    assert old["flask"]["challenge"] is None
    assert old["flask"]["flask.g.token after a refusal"] == "mocked_token"
    seen: dict[str, Any] = {}
    response = flask_client(Issuer(), seen).get("/", headers=bearer("mocked_token"))
    assert response.headers["WWW-Authenticate"].startswith("Bearer error=")
    assert seen == {"token": "not there"}


def test_the_user_id_of_a_token_that_nobody_verified_is_empty(old: dict[str, Any]) -> None:
    assert old["flask"]["user id of a token that nobody verified"] == "ada"
    issuer = Issuer()
    assert flask_client(issuer, {}).get("/public", headers=bearer(issuer.token("ada"))).text == ""


def test_a_scope_is_no_longer_found_in_a_longer_one(old: dict[str, Any]) -> None:
    """How it is now: `test_all_expected_scopes_are_needed` of tests/doors/test_flask.py."""
    assert old["flask"]["statuses of three requests"] == [200, 200, 200]
