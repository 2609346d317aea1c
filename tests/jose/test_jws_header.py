from __future__ import annotations

import json
from typing import Any

import pytest

from bearerguard._jose import base64url
from bearerguard._jose.jose_error import JoseError
from bearerguard._jose.jws import Header, media_type, parse_header
from bearerguard._limits import MAX_CACHED_HEADER_BYTES, MAX_KID_CHARACTERS


def segment(**members: Any) -> bytes:
    return base64url.encode(json.dumps(members).encode())


def reason_of(text: bytes) -> str:
    with pytest.raises(JoseError) as refusal:
        parse_header(text)
    return refusal.value.reason


def test_the_three_members_that_matter_are_read() -> None:
    assert parse_header(segment(alg="RS256", kid="k1", typ="at+jwt")) == Header("RS256", "k1", "at+jwt")


def test_kid_and_typ_may_be_absent_or_null() -> None:
    assert parse_header(segment(alg="RS256")) == Header("RS256", None, None)
    assert parse_header(segment(alg="RS256", kid=None, typ=None)) == Header("RS256", None, None)


@pytest.mark.parametrize("value", ["JWT", "jwt", "application/jwt", "APPLICATION/JWT"])
def test_a_media_type_is_compared_in_any_case_and_with_or_without_application(value: str) -> None:
    assert media_type(value) == "jwt"
    assert parse_header(segment(alg="RS256", typ=value)).typ == "jwt"


def test_keys_and_addresses_in_a_header_are_never_looked_at() -> None:
    strange: dict[str, Any] = {"jwk": 1, "jku": [], "x5u": {}, "x5c": True, "x5t": 0.5, "x5t#S256": None}
    assert parse_header(segment(alg="RS256", **strange)) == Header("RS256", None, None)


@pytest.mark.parametrize("text", [b"", b"e30=", b"?", base64url.encode(b"[]"), base64url.encode(b"{")])
def test_what_is_not_a_base64url_json_object_is_malformed(text: bytes) -> None:
    assert reason_of(text) == "malformed"


@pytest.mark.parametrize("members", [{}, {"alg": None}, {"alg": 1}, {"alg": ["RS256"]}], ids=str)
def test_alg_must_be_a_string(members: dict[str, Any]) -> None:
    assert reason_of(segment(**members)) == "malformed"


@pytest.mark.parametrize("value", [["exp"], [], None, "exp"], ids=str)
def test_any_crit_is_refused_since_nothing_it_could_name_is_understood(value: Any) -> None:
    assert reason_of(segment(alg="RS256", crit=value)) == "critical"


@pytest.mark.parametrize("name", ["b64", "enc"])
def test_members_that_change_what_the_payload_means_are_refused(name: str) -> None:
    assert reason_of(segment(alg="RS256", **{name: True})) == "critical"


@pytest.mark.parametrize("value", ["NONE", "DEF", "RS256", "", None, 1, {}], ids=str)
def test_zip_is_nothing_to_a_signed_text_unless_crit_names_it(value: Any) -> None:
    assert parse_header(segment(alg="RS256", zip=value)) == Header("RS256", None, None)
    assert reason_of(segment(alg="RS256", zip=value, crit=["zip"])) == "critical"


def test_a_kid_has_a_greatest_length() -> None:
    assert parse_header(segment(alg="RS256", kid="k" * MAX_KID_CHARACTERS)).kid
    assert reason_of(segment(alg="RS256", kid="k" * (MAX_KID_CHARACTERS + 1))) == "malformed"


@pytest.mark.parametrize("name", ["kid", "typ"])
@pytest.mark.parametrize("value", [1, ["k"], {}, False], ids=str)
def test_kid_and_typ_must_be_strings(name: str, value: Any) -> None:
    assert reason_of(segment(alg="RS256", **{name: value})) == "malformed"


@pytest.mark.parametrize("value", ["JWT", "application/jwt", None, ["JWT"]], ids=str)
def test_a_token_inside_a_token_is_refused(value: Any) -> None:
    assert reason_of(segment(alg="RS256", cty=value)) == "type"


def test_another_content_type_is_left_alone() -> None:
    assert parse_header(segment(alg="RS256", cty="json")).alg == "RS256"


@pytest.mark.parametrize("more", [0, 1])
def test_a_header_may_have_many_brackets_up_to_the_length_that_is_remembered(more: int) -> None:
    text = json.dumps({"alg": "RS256", "note": "[" * 500}).encode()
    text += b" " * (MAX_CACHED_HEADER_BYTES + more - len(text))
    if more:
        assert reason_of(base64url.encode(text)) == "malformed"
    else:
        assert parse_header(base64url.encode(text)) == Header("RS256", None, None)


def test_a_short_header_may_have_many_brackets_and_a_long_one_may_not() -> None:
    assert parse_header(segment(alg="RS256", note="[" * 500)) == Header("RS256", None, None)
    assert reason_of(segment(alg="RS256", note="[" * 1_100)) == "malformed"
    assert parse_header(segment(alg="RS256", note="a" * 2_000)) == Header("RS256", None, None)
