from __future__ import annotations

import dataclasses
import json
import math
import ssl
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bearerguard import ConfigurationError, Introspection, Provider, RemoteKeys, SecurityWarning

ISSUER = "https://login.example"
AUDIENCE = "https://api.example"
SECRET = "correct horse battery staple"
URL = "https://login.example/introspect"
KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)


def with_certificate() -> dict[str, Any]:
    return {"verify": ssl.create_default_context()}


def test_an_id_and_a_secret_are_enough() -> None:
    introspection = Introspection("orders-api", SECRET)
    assert (introspection.client_id, introspection.client_secret) == ("orders-api", SECRET)
    assert (introspection.method, introspection.url, introspection.jwts) == (
        "client_secret_basic",
        None,
        "local",
    )
    assert (introspection.revocation_budget, introspection.form_encoded) == (30.0, True)
    assert (introspection.signed, introspection.audience_checked_by_issuer) == (False, False)
    assert (introspection.token_prefix, introspection.http_options) == (None, {})


@pytest.mark.parametrize(
    "options",
    [
        {"client_secret": SECRET, "method": "client_secret_post"},
        {"method": "private_key_jwt", "key": KEY},
        {"method": "tls_client_auth", "http_options": with_certificate()},
        {"method": "bearer", "token": "an.access.token"},
        {"method": "bearer", "token": lambda: "an.access.token"},
        {"client_secret": SECRET, "url": "http://127.0.0.1:8080/introspect"},
        {"client_secret": SECRET, "form_encoded": False},
        {"client_secret": "ein Schl\u00fcssel: 1/2+3%"},
        {"client_secret": SECRET, "revocation_budget": 0},
        {"client_secret": SECRET, "token_prefix": "ory_at_"},
        {"client_secret": SECRET, "signed": True, "jwts": "verify_then_ask"},
    ],
)
def test_every_way_to_authenticate_can_be_chosen(options: dict[str, Any]) -> None:
    introspection = Introspection("orders-api", **options)
    for option, value in options.items():
        if option != "http_options":
            assert getattr(introspection, option) == value


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"client_id": ""}, "client_id is missing"),
        ({"audience_checked_by_issuer": "false"}, "audience_checked_by_issuer is a str: write True or False"),
        ({"signed": 1}, "signed is a int: write True or False"),
        ({"form_encoded": "no"}, "form_encoded is a str: write True or False"),
        ({"dangerously_unauthenticated": "no"}, "dangerously_unauthenticated is a str: write True or False"),
        ({"client_id": 7}, "client_id is missing"),
        ({"client_secret": None}, "client_secret is missing"),
        ({"client_secret": ""}, "client_secret is missing"),
        ({"client_secret": b"bytes"}, "client_secret is missing"),
        ({"client_secret": None, "method": "client_secret_post"}, "client_secret is missing"),
        ({"client_id": "orders\napi"}, "client_id has a line break or another character that cannot be"),
        ({"client_secret": f"{SECRET}\n"}, "client_secret has a line break or another character that cannot"),
        ({"client_secret": f"{SECRET}\r\n"}, "what was read from a file with .strip()"),
        ({"client_secret": f"{SECRET}\udcfc"}, "client_secret has a line break or another character"),
        ({"method": "client_secret_jwt"}, "method is 'client_secret_jwt': choose from client_secret_basic"),
        ({"method": None}, "method is a NoneType: choose"),
        ({"jwts": "never"}, "jwts is 'never': choose from local, verify_then_ask, ask"),
        ({"method": "bearer", "token": "t"}, "client_secret is given, and method='bearer' has none"),
        ({"client_secret": None, "method": "bearer"}, "token is not an access token"),
        ({"client_secret": None, "method": "bearer", "token": "a b"}, "token is not an access token"),
        ({"token": "t"}, "write method='bearer'"),
        ({"key": KEY}, "write method='private_key_jwt'"),
        ({"client_secret": None, "method": "private_key_jwt"}, "key is missing"),
        ({"client_secret": None, "method": "private_key_jwt", "key": "text"}, "key cannot be used: it is"),
        ({"client_secret": None, "method": "private_key_jwt", "key": {"kty": "oct"}}, "symmetric"),
        ({"client_secret": None, "method": "tls_client_auth"}, "http_options has no certificate"),
        (
            {"client_secret": None, "method": "tls_client_auth", "http_options": {"verify": True}},
            "http_options has no certificate",
        ),
        ({"client_secret": None, "method": "none"}, "write dangerously_unauthenticated=True"),
        ({"dangerously_unauthenticated": True}, "is for method='none'"),
        ({"url": "http://login.example/introspect"}, "it is not https: give an https:// URL"),
        ({"url": "introspect"}, "url is not an address"),
        ({"url": 7}, "url is not an address"),
        ({"url": "https://user:pass@login.example/introspect"}, "it holds a password"),
        ({"revocation_budget": -1}, "revocation_budget is -1: give seconds from 0 up"),
        ({"revocation_budget": math.inf}, "revocation_budget is inf"),
        ({"revocation_budget": math.nan}, "revocation_budget is nan"),
        ({"revocation_budget": "30"}, "revocation_budget is a str"),
        ({"revocation_budget": True}, "revocation_budget is a bool"),
        ({"token_prefix": ""}, "token_prefix is not what a token begins with"),
        ({"token_prefix": "a b"}, "token_prefix is not what a token begins with"),
        ({"token_prefix": 7}, "token_prefix is not what a token begins with"),
        ({"method": "client_secret_post", "form_encoded": False}, "form_encoded=False is for method='client"),
        ({"client_id": "orders:api", "form_encoded": False}, "client_id has a colon, at which a server that"),
        ({"http_options": {"follow_redirects": True}}, "Give the final address as url"),
        ({"http_options": {"auth": ("other", "pass")}}, "http_options has auth, which would be sent in the"),
        (
            {
                "client_secret": None,
                "method": "bearer",
                "token": "t",
                "http_options": {"auth": ("a", "pass")},
            },
            "what method='bearer' sends: leave auth out",
        ),
        ({"http_options": "verify"}, "http_options is a str: give a mapping"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_built(options: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"client_id": "orders-api", "client_secret": SECRET, **options}
    with pytest.raises(ConfigurationError) as refused:
        Introspection(given.pop("client_id"), given.pop("client_secret"), **given)
    assert str(refused.value).startswith("Introspection: ")
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)
    assert "pass@" not in str(refused.value)


def test_asking_without_authentication_takes_a_long_name_and_warns() -> None:
    with pytest.warns(SecurityWarning, match="asks without authentication"):
        introspection = Introspection("orders-api", method="none", dangerously_unauthenticated=True)
    assert introspection.method == "none"


def test_a_server_whose_certificate_is_not_checked_is_warned_of() -> None:
    with pytest.warns(SecurityWarning, match="does not check the certificate of the server that it asks"):
        Introspection("orders-api", SECRET, http_options={"verify": False})


def test_its_repr_shows_no_secret() -> None:
    shown = [
        repr(Introspection("orders-api", SECRET)),
        repr(Introspection("orders-api", method="bearer", token="secrettoken")),
        repr(Introspection("orders-api", method="private_key_jwt", key=KEY)),
    ]
    assert shown == [
        "Introspection('orders-api', method='client_secret_basic')",
        "Introspection('orders-api', method='bearer')",
        "Introspection('orders-api', method='private_key_jwt')",
    ]
    provider = Provider(ISSUER, audience=AUDIENCE, introspection=Introspection("orders-api", SECRET))
    assert SECRET not in repr(provider)


def test_nothing_of_it_can_be_changed_and_it_can_be_built_anew_with_a_change() -> None:
    first: Any = Introspection("orders-api", SECRET, http_options={"timeout": 1})
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.client_secret = "other"
    with pytest.raises(TypeError):
        first.http_options["verify"] = False
    second = dataclasses.replace(first, revocation_budget=0)
    assert (second.client_secret, second.revocation_budget) == (SECRET, 0)


# -- of a provider -----------------------------------------------------------------------------------


def test_a_provider_has_it_or_has_none() -> None:
    introspection = Introspection("orders-api", SECRET)
    assert Provider(ISSUER, audience=AUDIENCE).introspection is None
    assert Provider(ISSUER, audience=AUDIENCE, introspection=introspection).introspection is introspection


def test_a_provider_that_is_asked_about_everything_needs_no_keys() -> None:
    introspection = Introspection("orders-api", SECRET, url=URL, jwts="ask")
    provider = Provider("github", audience=AUDIENCE, introspection=introspection)
    assert provider.remote_keys is None
    assert provider.key_set is not None
    assert provider.key_set.keys.all == ()


def test_signed_answers_need_the_keys_of_the_provider() -> None:
    introspection = Introspection("orders-api", SECRET, url=URL, jwts="ask", signed=True)
    provider = Provider(ISSUER, audience=AUDIENCE, introspection=introspection)
    assert provider.remote_keys is not None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"introspection": SECRET}, "introspection is a str: give Introspection(client_id, client_secret)"),
        ({"issuer": "login", "keys": [KEY]}, "introspection has no url, and issuer is not an address"),
        (
            {"issuer": None, "keys": RemoteKeys(URL), "dangerously_accept_any_issuer": True},
            "introspection has no url, and issuer is not an address",
        ),
        (
            {
                "issuer": None,
                "keys": RemoteKeys(URL),
                "introspection": Introspection("orders-api", SECRET, url=URL, signed=True),
                "dangerously_accept_any_issuer": True,
            },
            "signed answers name their issuer, and issuer is None",
        ),
        (
            {
                "issuer": None,
                "keys": RemoteKeys(URL),
                "introspection": Introspection("orders-api", method="private_key_jwt", key=KEY, url=URL),
                "dangerously_accept_any_issuer": True,
            },
            "an assertion of private_key_jwt names the issuer, and issuer is None",
        ),
        (
            {
                "keys": RemoteKeys("https://login.example/keys/{kid}", kid_pattern="[a-z]+"),
                "introspection": Introspection("orders-api", SECRET, url=URL, signed=True),
            },
            "signed answers are not verified with keys that have an address each",
        ),
    ],
)
def test_a_provider_says_what_is_wrong_with_it(options: dict[str, Any], said: str) -> None:
    given = {"issuer": ISSUER, "introspection": Introspection("orders-api", SECRET), **options}
    with pytest.raises(ConfigurationError) as refused:
        Provider(given.pop("issuer"), audience=AUDIENCE, **given)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_private_key_is_taken_as_a_jwk_too() -> None:
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()

    def text(value: int) -> str:
        return urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode()

    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": text(numbers.public_numbers.x),
        "y": text(numbers.public_numbers.y),
        "d": text(numbers.private_value),
    }
    for key in (jwk, json.dumps(jwk)):
        introspection = Introspection("orders-api", method="private_key_jwt", key=key)
        assert introspection.signing_key is not None
        assert introspection.signing_key.algorithm == "ES256"
