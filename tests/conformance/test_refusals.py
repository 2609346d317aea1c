"""What is refused at every door, how, and that the application is not entered."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from bearerguard import ResourceServer, claim, fresh, role, scope
from bearerguard.testing import Issuer
from tests.doors_under_test.door import Door, bearer
from tests.doors_under_test.doors import GUARDS, at, at_every_door, at_every_guard, at_every_http_door
from tests.doors_under_test.exchange import Fields

# -- credentials -----------------------------------------------------------------------------------------


@at_every_guard
def test_a_request_without_credentials_is_a_401_that_names_no_error(
    door: Door, server: ResourceServer
) -> None:
    opened = door.open(server)
    answer = opened.get()
    assert (answer.status, answer.challenge, opened.api.entered) == (401, {}, [])


OTHER_SCHEMES = [b"Basic dTpw", b"Digest username=ada", b"DPoP a.b.c", b"BearerToken a.b.c", b""]


@at_every_door
def test_another_scheme_does_not_count_as_credentials(door: Door, server: ResourceServer) -> None:
    opened = door.open(server)
    for value in OTHER_SCHEMES:
        answer = opened.get(fields=[(b"Authorization", value)])
        assert (answer.status, answer.challenge) == (door.without_credentials, {}), value
    assert opened.api.entered == []


BAD: dict[str, Callable[[Issuer], str]] = {
    "expired": Issuer.expired,
    "not yet valid": Issuer.not_yet_valid,
    "for another audience": Issuer.for_another_audience,
    "from another issuer": Issuer.from_another_issuer,
    "forged": Issuer.forged,
    "unsigned": Issuer.unsigned,
    "no token at all": lambda issuer: "mocked_token",
}


@at_every_door
def test_a_bad_token_is_a_401_with_invalid_token(door: Door, issuer: Issuer, server: ResourceServer) -> None:
    opened = door.open(server)
    for kind, mint in BAD.items():
        token = mint(issuer)
        answer = opened.get(token)
        assert (answer.status, answer.challenge.get("error")) == (401, "invalid_token"), kind
        assert answer.challenge.keys() == {"error", "error_description"}, kind
        assert token not in answer.text, kind
    assert opened.api.entered == []


BADLY_PUT = [b"Bearer", b"Bearer ", b"Bearer two tokens", b"Bearer one, Bearer two"]


@at_every_door
def test_credentials_that_are_badly_put_are_a_400_with_invalid_request(
    door: Door, server: ResourceServer
) -> None:
    opened = door.open(server)
    for value in BADLY_PUT:
        answer = opened.get(fields=[(b"Authorization", value)])
        assert (answer.status, answer.challenge.get("error")) == (400, "invalid_request"), value
    assert opened.api.entered == []


@at_every_door
def test_a_repeated_header_is_a_400_even_if_both_tokens_are_good(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    answer = opened.get(issuer.token(), fields=bearer(issuer.token()))
    assert (answer.status, answer.challenge["error"]) == (400, "invalid_request")
    assert opened.api.entered == []


@at_every_door
def test_a_good_token_behind_another_header_of_its_name_is_refused(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    for first in (b"", b"Basic dTpw"):
        answer = opened.get(issuer.token(), fields=[(b"Authorization", first)])
        assert answer.status in {400, 401}, first  # a WSGI server joins the two, which is another scheme
    assert opened.api.entered == []


@at_every_door
def test_a_token_is_read_from_the_header_only(door: Door, issuer: Issuer, server: ResourceServer) -> None:
    opened = door.open(server)
    token = issuer.token()
    form: Fields = [(b"Content-Type", b"application/x-www-form-urlencoded")]
    for answer in (
        opened.get(query=f"access_token={token}"),
        opened.get(method="POST", fields=form, body=f"access_token={token}".encode()),
        opened.get(fields=[(b"Cookie", b"Authorization=Bearer " + token.encode())]),
        opened.get(fields=[(b"Proxy-Authorization", b"Bearer " + token.encode())]),
        opened.get(fields=[(b"X-Authorization", b"Bearer " + token.encode())]),
    ):
        assert (answer.status, answer.challenge) == (door.without_credentials, {})
    assert opened.api.entered == []


# -- rules -----------------------------------------------------------------------------------------------


@at_every_guard
def test_a_missing_scope_is_a_403_that_names_what_is_needed(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, scope("orders:read", "orders:write"))
    answer = opened.get(issuer.token(scope="orders:read other"))
    assert answer.status == 403
    assert answer.challenge["error"] == "insufficient_scope"
    assert answer.challenge["scope"] == "orders:read orders:write"
    assert opened.api.entered == []


@at_every_guard
def test_a_missing_role_or_claim_is_a_403_that_promises_nothing(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    for rule in (role("admin"), claim("dept", "finance"), scope("a") & role("admin")):
        opened = door.open(server, rule)
        answer = opened.get(issuer.token(scope="b", roles=["clerk"], dept="sales"))
        assert (answer.status, answer.challenge, opened.api.entered) == (403, {}, []), rule


@at_every_guard
def test_a_refusal_is_logged_once_with_its_reason_and_an_admittance_not_at_all(
    door: Door, issuer: Issuer, server: ResourceServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bearerguard")
    opened = door.open(server, scope("orders:read"))
    opened.get(issuer.token(scope="orders:read"))
    opened.get(issuer.token(scope="other"))
    opened.get(issuer.forged())
    opened.get(fields=[(b"Authorization", b"Bearer two tokens")])
    opened.get(issuer.token(scope="orders:read"))
    reasons = [record.__dict__["reason"] for record in caplog.records if hasattr(record, "reason")]
    assert reasons == ["scope", "signature", "malformed_header"]


@at_every_guard
def test_a_login_that_is_too_old_is_a_401_that_says_which_one_would_do(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, fresh(max_age=300, acr=["mfa", "phr"]))
    answer = opened.get(issuer.token(auth_time=int(issuer.clock()) - 3600, acr="mfa"))
    assert answer.status == 401
    assert answer.challenge["error"] == "insufficient_user_authentication"
    assert (answer.challenge["max_age"], answer.challenge["acr_values"]) == ("300", "mfa phr")
    assert opened.api.entered == []


@at_every_guard
def test_a_token_that_fulfils_the_rule_enters(door: Door, issuer: Issuer, server: ResourceServer) -> None:
    rule = scope("orders:read") & (role("admin") | claim("dept", "finance")) & fresh(max_age=300)
    opened = door.open(server, rule)
    token = issuer.token("ada", "orders:read", dept="finance", auth_time=int(issuer.clock()))
    answer = opened.get(token)
    assert (answer.status, answer.json, opened.api.entered) == (200, {"subject": "ada"}, ["/"])


# -- the provider ----------------------------------------------------------------------------------------


@at_every_door
def test_trouble_at_the_provider_is_a_503_that_says_when_to_come_again(
    door: Door, own_issuer: Issuer
) -> None:
    opened = door.open(own_issuer.resource_server())
    with own_issuer.outage():
        answer = opened.get(own_issuer.token())
    assert answer.status == 503
    assert 1 <= int(answer.one("retry-after")) <= 30
    assert answer.challenge == {}
    assert opened.api.entered == []


@at_every_door
def test_the_first_request_after_a_rotation_of_keys_passes(door: Door, own_issuer: Issuer) -> None:
    opened = door.open(own_issuer.resource_server())
    before = own_issuer.token()
    assert opened.get(before).status == 200
    own_issuer.rotate()
    assert [opened.get(token).status for token in (own_issuer.token(), before)] == [200, 200]
    assert own_issuer.count("/jwks") == 2


# -- hostile requests ------------------------------------------------------------------------------------

HOSTILE: dict[str, tuple[bytes, int | None]] = {
    "16 KiB and one": (b"Bearer " + b"A" * (16 * 1024 + 1), 401),
    "a megabyte": (b"Bearer " + b"A" * 2**20, 401),
    "a megabyte of dots": (b"Bearer " + b"." * 2**20, 401),
    "a megabyte of spaces": (b"Bearer" + b" " * 2**20, 400),
    "a megabyte of scheme": (b"B" * 2**20, None),
    "bytes of Latin-1": (b"Bearer \xe9\xff.a.b", 401),
    "bytes of UTF-8": ("Bearer ümläut.a.b".encode(), 401),
    "a NUL": (b"Bearer a.b\0.c", 401),
    "a tab": (b"Bearer a.b\t.c", 400),
    "a header of its own": (b"Bearer a.b\x0b\x85X-Evil: 1", 400),
    "a challenge of its own": (b'Bearer a.b", error="none', 400),
    "markup": (b"Bearer <script>.a.b", 401),
    "a control character": (b"Bearer \x1b[31m.a.b", 401),
}
"""What a header may have, with the status of the answer; None where there is no bearer token in it."""


@at_every_http_door
def test_a_hostile_header_is_refused_without_an_echo(door: Door, server: ResourceServer) -> None:
    opened = door.open(server)
    for name, (value, status) in HOSTILE.items():
        answer = opened.get(fields=[(b"Authorization", value)])
        assert answer.status == (door.without_credentials if status is None else status), name
        assert "a.b" not in answer.text, name
        assert len(answer.text) < 1000, name
    assert opened.api.entered == []


@at_every_door
def test_a_thousand_authorization_headers_are_refused(door: Door, server: ResourceServer) -> None:
    opened = door.open(server)
    answer = opened.get(fields=[(b"Authorization", b"Bearer a.b.c")] * 1000)
    assert (answer.status, answer.challenge["error"]) == (400, "invalid_request")
    assert opened.api.entered == []


@at_every_door
def test_many_other_headers_do_not_hide_a_good_token(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    others = [(b"X-%d" % number, b"x" * 100) for number in range(500)]
    assert door.open(server).get(issuer.token(), fields=others).status == 200


# -- optional credentials --------------------------------------------------------------------------------

OPTIONAL = at([door for door in GUARDS if door.has_optional])


@OPTIONAL
def test_where_credentials_are_optional_a_request_enters_with_and_without(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, optional=True)
    basic: Fields = [(b"Authorization", b"Basic dTpw")]
    answers = [opened.get(), opened.get(issuer.token("ada")), opened.get(fields=basic)]
    assert [answer.status for answer in answers] == [200] * 3
    assert [answer.json["subject"] for answer in answers] == [None, "ada", None]


@OPTIONAL
def test_where_credentials_are_optional_bad_ones_are_refused_all_the_same(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, optional=True)
    assert [opened.get(mint(issuer)).status for mint in BAD.values()] == [401] * len(BAD)
    assert opened.get(fields=[(b"Authorization", b"Bearer a b")]).status == 400
    assert opened.api.entered == []


@OPTIONAL
def test_where_credentials_are_optional_trouble_at_the_provider_is_told(
    door: Door, own_issuer: Issuer
) -> None:
    opened = door.open(own_issuer.resource_server(), optional=True)
    with own_issuer.outage():
        assert opened.get(own_issuer.token()).status == 503
    assert opened.get().status == 200
