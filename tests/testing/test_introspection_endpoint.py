"""The issuer's introspection endpoint as a client meets it, in the process and over real HTTP."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import jwt
import pytest

from bearerguard.testing import Clock, Issuer, signing_key

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SIGNED = "application/token-introspection+jwt"
BASIC = (Issuer.client_id, Issuer.client_secret)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(algorithm="ES256", clock=Clock(int(time.time())))


@contextmanager
def in_process(issuer: Issuer) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=issuer.transport) as client:
        yield client


@contextmanager
def over_http(issuer: Issuer) -> Iterator[httpx2.Client]:
    with issuer.serve(), httpx2.Client(timeout=60) as client:
        yield client


def ask(issuer: Issuer, token: str | None, **changes: Any) -> httpx2.Response:
    """The answer about `token`, to a client that authenticates by Basic unless `changes` say otherwise."""
    asked: dict[str, Any] = {"auth": BASIC, **changes}
    form = ({} if token is None else {"token": token}) | asked.pop("data", {})
    with in_process(issuer) as client:
        return client.post(issuer.introspection_endpoint, data=form, **asked)


@pytest.mark.parametrize("way", [in_process, over_http])
def test_an_opaque_token_stands_for_the_claims_of_a_token(
    issuer: Issuer, way: Callable[[Issuer], Any]
) -> None:
    with way(issuer) as client:
        token = issuer.opaque_token("ada", ["a", "b"], aud=["x", "y"], tenant=7)
        answer = client.post(issuer.introspection_endpoint, data={"token": token}, auth=BASIC)
        now = int(issuer.clock())
        said = answer.json()
        assert len(said.pop("jti")) == 36
        assert said == {
            "active": True,
            "token_type": "Bearer",
            "iss": issuer.url,
            "aud": ["x", "y"],
            "exp": now + 3_600,
            "iat": now,
            "client_id": "test-client",
            "sub": "ada",
            "scope": "a b",
            "tenant": 7,
        }
    assert answer.status_code == 200
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (
        "application/json",
        "no-store",
    )
    assert "." not in token


def test_members_of_the_answer_are_replaced_and_left_out(issuer: Issuer) -> None:
    token = issuer.opaque_token(sub=None, exp=None, active="true", token_type="N_A")
    said = ask(issuer, token).json()
    assert (said["active"], said["token_type"]) == ("true", "N_A")
    assert not {"sub", "exp"} & said.keys()


def test_a_test_can_have_an_expired_token_called_active(issuer: Issuer) -> None:
    token = issuer.opaque_token(expires_in=-60, active=True)
    assert ask(issuer, token).json()["active"] is True
    issuer.revoke(token)
    assert ask(issuer, token).json() == {"active": False}


def test_a_token_that_is_bound_to_a_key_says_so(issuer: Issuer) -> None:
    assert ask(issuer, issuer.opaque_token(cnf={"jkt": "x"})).json()["token_type"] == "DPoP"
    assert ask(issuer, issuer.opaque_token(cnf={"x5t#S256": "x"})).json()["token_type"] == "Bearer"


@pytest.mark.parametrize("algorithm", ["RS256", "HS256"])
def test_a_jwt_of_the_issuer_can_be_asked_about_too(algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    token = issuer.token("ada", "a")
    said = ask(issuer, token).json()
    assert (said["active"], said["token_type"], said["sub"], said["scope"]) == (True, "Bearer", "ada", "a")
    assert said["jti"] == jwt.decode(token, options={"verify_signature": False})["jti"]


NOT_ACTIVE: dict[str, Callable[[Issuer], str]] = {
    "unknown": lambda issuer: "unknown",
    "expired": lambda issuer: issuer.opaque_token(expires_in=0),
    "an expired JWT": lambda issuer: issuer.expired(),
    "forged": lambda issuer: issuer.forged(),
    "unsigned": lambda issuer: issuer.unsigned(),
    "a JWT of another issuer": lambda issuer: Issuer(algorithm="ES256").token(),
    "a JWT with another iss": lambda issuer: issuer.from_another_issuer(),
    "of another issuer": lambda issuer: Issuer().opaque_token(),
    "signed, but not JSON": lambda issuer: issuer.sign(b"not JSON"),
    "three parts of nothing": lambda issuer: "a.b.c",
    "five parts": lambda issuer: "a.b.c.d.e",
    "not ASCII": lambda issuer: "tökén",
}


@pytest.mark.parametrize("token", NOT_ACTIVE.values(), ids=NOT_ACTIVE)
def test_of_a_token_that_is_not_active_nothing_else_is_said(
    issuer: Issuer, token: Callable[[Issuer], str]
) -> None:
    answer = ask(issuer, token(issuer))
    assert (answer.status_code, answer.json()) == (200, {"active": False})


@pytest.mark.parametrize("make", [Issuer.opaque_token, Issuer.token])
def test_a_token_that_was_revoked_is_not_active_any_more(
    issuer: Issuer, make: Callable[[Issuer], str]
) -> None:
    token, other = make(issuer), make(issuer)
    assert ask(issuer, token).json()["active"] is True
    issuer.revoke(token)
    assert ask(issuer, token).json() == {"active": False}
    assert ask(issuer, other).json()["active"] is True


def test_only_what_can_be_a_token_of_the_issuer_is_revoked(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match="has not issued that token"):
        issuer.revoke(Issuer().opaque_token())


def test_a_token_is_not_active_once_it_has_expired(issuer: Issuer) -> None:
    token = issuer.opaque_token(expires_in=60)
    issuer.clock.advance(59)
    assert ask(issuer, token).json()["active"] is True
    issuer.clock.advance(1)
    assert ask(issuer, token).json() == {"active": False}


# -- who asks


def assertion(issuer: Issuer, **changes: Any) -> str:
    now = int(issuer.clock())
    claims = {
        "iss": issuer.client_id,
        "sub": issuer.client_id,
        "aud": issuer.url,
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid.uuid4()),
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    key = claims.pop("key", issuer.client_key)
    return jwt.encode(claims, key.private_pem(), algorithm="ES256")


def by_assertion(signed: str, kind: str = ASSERTION_TYPE) -> dict[str, Any]:
    return {"auth": None, "data": {"client_assertion_type": kind, "client_assertion": signed}}


def by_bearer(token: str) -> dict[str, Any]:
    return {"auth": None, "headers": {"Authorization": f"Bearer {token}"}}


IN_FORM = {"client_id": Issuer.client_id, "client_secret": Issuer.client_secret}


@pytest.mark.parametrize(
    "by",
    [
        lambda issuer: {"auth": BASIC},
        lambda issuer: {"auth": None, "data": IN_FORM},
        lambda issuer: by_assertion(assertion(issuer)),
        lambda issuer: by_bearer(issuer.token(issuer.client_id)),
        lambda issuer: by_bearer(issuer.opaque_token(issuer.client_id)),
    ],
    ids=["client_secret_basic", "client_secret_post", "private_key_jwt", "bearer, a JWT", "bearer, opaque"],
)
def test_its_client_may_ask(issuer: Issuer, by: Callable[[Issuer], dict[str, Any]]) -> None:
    answer = ask(issuer, issuer.opaque_token("ada"), **by(issuer))
    assert (answer.status_code, answer.json()["sub"]) == (200, "ada")


STRANGERS: dict[str, Callable[[Issuer], dict[str, Any]]] = {
    "nobody": lambda issuer: {"auth": None},
    "wrong secret": lambda issuer: {"auth": ("test-client", "wrong")},
    "wrong secret in the form": lambda issuer: {"auth": None, "data": {**IN_FORM, "client_secret": "wrong"}},
    "another key": lambda issuer: by_assertion(assertion(issuer, key=signing_key("P-256"))),
    "another iss": lambda issuer: by_assertion(assertion(issuer, iss="somebody")),
    "another sub": lambda issuer: by_assertion(assertion(issuer, sub="somebody")),
    "another audience": lambda issuer: by_assertion(assertion(issuer, aud="https://elsewhere.test")),
    "a list of audiences": lambda issuer: by_assertion(assertion(issuer, aud=[issuer.url])),
    "an assertion that expired": lambda issuer: by_assertion(assertion(issuer, exp=int(issuer.clock()))),
    "one for long": lambda issuer: by_assertion(assertion(issuer, exp=int(issuer.clock()) + 301)),
    "no jti": lambda issuer: by_assertion(assertion(issuer, jti=None)),
    "an assertion of another type": lambda issuer: by_assertion(assertion(issuer), "urn:another:type"),
    "not a JWT": lambda issuer: by_assertion("not a JWT"),
    "a user's token": lambda issuer: by_bearer(issuer.token("ada")),
    "an unknown client's token": lambda issuer: by_bearer(issuer.token("other", client_id="other")),
    "its own token, expired": lambda issuer: by_bearer(issuer.expired(issuer.client_id)),
    "an unknown token": lambda issuer: by_bearer("unknown"),
}


@pytest.mark.parametrize("by", STRANGERS.values(), ids=STRANGERS)
def test_nobody_else_may_ask(issuer: Issuer, by: Callable[[Issuer], dict[str, Any]]) -> None:
    answer = ask(issuer, issuer.opaque_token("ada"), **by(issuer))
    assert answer.status_code == 401
    assert answer.json()["error"] in {"invalid_client", "invalid_token"}
    assert "ada" not in answer.text


def test_an_assertion_works_once(issuer: Issuer) -> None:
    once = by_assertion(assertion(issuer))
    assert ask(issuer, issuer.opaque_token(), **once).status_code == 200
    assert ask(issuer, issuer.opaque_token(), **once).status_code == 401


def test_nobody_asks_about_a_token_with_that_very_token(issuer: Issuer) -> None:
    token = issuer.token(issuer.client_id)
    assert ask(issuer, token, **by_bearer(token)).status_code == 401


@pytest.mark.parametrize(
    ("token", "changes", "error"),
    [
        (None, {}, "invalid_request"),
        ("x", {"data": IN_FORM}, "invalid_request"),
        ("x", {"data": {"client_assertion": "x"}}, "invalid_request"),
    ],
)
def test_a_question_that_is_not_put_well_is_refused(
    issuer: Issuer, token: str | None, changes: dict[str, Any], error: str
) -> None:
    answer = ask(issuer, token, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


# -- signed answers


@pytest.mark.parametrize("accept", [SIGNED, SIGNED.upper(), f"text/html, {SIGNED};q=1"])
def test_an_answer_is_signed_for_those_who_ask_for_that(issuer: Issuer, accept: str) -> None:
    answer = ask(issuer, issuer.opaque_token("ada"), headers={"Accept": accept})
    assert answer.headers["content-type"] == SIGNED
    key = jwt.PyJWK(issuer.signing_key.public_jwk())
    claims = jwt.decode(answer.text, key, algorithms=["ES256"], audience=issuer.client_id, issuer=issuer.url)
    assert claims.keys() == {"iss", "aud", "iat", "token_introspection"}
    assert (claims["aud"], claims["token_introspection"]["sub"]) == (issuer.client_id, "ada")
    header = jwt.get_unverified_header(answer.text)
    assert (header["typ"], header["kid"]) == ("token-introspection+jwt", issuer.signing_key.kid)


def test_a_signed_answer_says_that_a_token_is_not_active(issuer: Issuer) -> None:
    answer = ask(issuer, "unknown", headers={"Accept": SIGNED})
    assert jwt.decode(answer.text, options={"verify_signature": False})["token_introspection"] == {
        "active": False
    }


# -- its trouble


def test_it_can_be_down_while_the_rest_of_the_issuer_is_not(issuer: Issuer) -> None:
    token = issuer.opaque_token()
    with issuer.outage(503, path="/introspect"):
        assert ask(issuer, token).status_code == 503
        with in_process(issuer) as client:
            assert client.get(issuer.jwks_uri).status_code == 200
    with issuer.outage(path="/introspect"), pytest.raises(httpx2.ConnectError):
        ask(issuer, token)
    with issuer.outage(503, path="/jwks"):
        assert ask(issuer, token).status_code == 200
    with issuer.outage(502):
        assert ask(issuer, token).status_code == 502


def test_it_can_be_slow_while_the_rest_of_the_issuer_is_not(issuer: Issuer) -> None:
    with issuer.slow(3_600, path="/introspect"):
        with pytest.raises(httpx2.ReadTimeout):
            ask(issuer, issuer.opaque_token(), timeout=0.01)
        with in_process(issuer) as client:
            assert client.get(issuer.jwks_uri, timeout=60).status_code == 200


def test_the_metadata_name_it_and_what_it_takes(issuer: Issuer) -> None:
    with in_process(issuer) as client:
        metadata = client.get(f"{issuer.url}/.well-known/openid-configuration").json()
    assert metadata["introspection_endpoint"] == issuer.introspection_endpoint
    assert metadata["introspection_endpoint_auth_methods_supported"] == [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "bearer",
    ]
    assert "ES256" in metadata["introspection_signing_alg_values_supported"]
    assert "HS256" not in metadata["introspection_signing_alg_values_supported"]
