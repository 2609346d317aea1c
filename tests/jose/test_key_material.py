from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearerguard._jose.key_material import UnusableKeys, read_keys, why_out_of_date
from bearerguard._limits import MAX_KEYS, MAX_KID_CHARACTERS
from bearerguard.testing import SigningKey, signing_key

FIRST, SECOND = signing_key("P-256"), signing_key("Ed25519")
JWK, OTHER = FIRST.public_jwk(), SECOND.public_jwk()
SECRET = signing_key("oct").secret_jwk()


def pem_of(key: SigningKey) -> str:
    public = cast("Any", key.private).public_key()
    return cast("bytes", public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).decode()


PEM, OTHER_PEM = pem_of(FIRST), pem_of(SECOND)


FILE_NAMES = [
    "/etc/keys/issuer",
    "./issuer",
    "../keys/issuer",
    "~/issuer",
    "C:\\keys\\issuer",
    "c:/issuer",
    *(f"keys/issuer.{ending}" for ending in ("pem", "PEM", "crt", "cer", "key", "json", "jwks", "jwk")),
]
KEY_IN_BASE64 = base64.b64encode(
    cast("Any", signing_key("RSA").private)
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


def kids_in(material: Any) -> list[str | None]:
    keys, left_out = read_keys(material)
    assert left_out == []
    return [key.kid for key in keys]


def refusal_of(material: Any) -> UnusableKeys:
    with pytest.raises(UnusableKeys) as refusal:
        read_keys(material)
    return refusal.value


@pytest.mark.parametrize(
    "material",
    [JWK, {"keys": [JWK]}, [JWK], [{"keys": [JWK]}], [[JWK]], (JWK,), json.dumps(JWK), json.dumps([JWK])],
    ids=["JWK", "set", "list", "list of sets", "list of lists", "tuple", "JSON of a JWK", "JSON of a list"],
)
def test_a_jwk_is_read_in_every_form(material: Any) -> None:
    assert kids_in(material) == [FIRST.kid]


@pytest.mark.parametrize(
    "encode", [str.encode, lambda text: bytearray(text.encode()), str], ids=["bytes", "bytearray", "str"]
)
def test_the_text_of_a_jwk_set_may_be_bytes(encode: Any) -> None:
    assert kids_in(encode(json.dumps({"keys": [JWK, OTHER]}))) == [FIRST.kid, SECOND.kid]


@pytest.mark.parametrize(
    "material",
    [PEM, PEM.encode(), [PEM], {"keys": [PEM]}, f"issuer's key\n{PEM}"],
    ids=["text", "bytes", "list", "set", "text before it"],
)
def test_pem_is_read_without_a_kid(material: Any) -> None:
    keys, left_out = read_keys(material)
    assert ([key.kid for key in keys], left_out) == ([None], [])
    assert keys[0].thumbprint == read_keys(JWK)[0][0].thumbprint


@pytest.mark.parametrize("encode", [dict, json.dumps, lambda value: json.dumps(value, indent=1).encode()])
def test_a_mapping_of_kid_to_pem_is_read_as_an_object_and_as_json(encode: Any) -> None:
    assert kids_in(encode({"k1": PEM, "k2": OTHER_PEM})) == ["k1", "k2"]


def test_a_kid_of_another_type_is_filed_under_its_text() -> None:
    assert kids_in({1: PEM}) == ["1"]


def test_a_list_may_mix_the_forms() -> None:
    assert kids_in([JWK, {"k2": OTHER_PEM}, PEM, json.dumps({"keys": [OTHER]})]) == [
        FIRST.kid,
        "k2",
        None,
        SECOND.kid,
    ]


def test_a_member_that_looks_like_pem_does_not_turn_a_key_set_into_pem() -> None:
    assert kids_in(json.dumps({"keys": [{**JWK, "x5c_pem": "-----BEGIN CERTIFICATE-----"}]})) == [FIRST.kid]


def test_unusable_keys_among_good_ones_are_left_out_and_named() -> None:
    keys, left_out = read_keys({"keys": [{**JWK, "use": "enc"}, OTHER, SECRET, {"kty": "RSA"}, "PEM?", 5]})
    assert [key.kid for key in keys] == [SECOND.kid]
    assert len(left_out) == 5
    assert left_out[0] == f"key 1 of 6 (kid '{FIRST.kid}') cannot be used: its use is not 'sig'"
    assert "symmetric" in left_out[1]
    assert left_out[2].startswith("key 4 of 6 cannot be used: ")
    assert "not a PEM" in left_out[3]
    assert "not a JSON object" in left_out[4]


def test_what_is_told_of_a_key_that_is_left_out_is_short_and_on_one_line() -> None:
    _, left_out = read_keys({"keys": [{**JWK, "use": "enc", "kid": "k\r\n" * 100}, OTHER]})
    assert "\n" not in left_out[0]
    assert len(left_out[0]) < 150


def test_secrets_are_read_only_where_they_are_allowed() -> None:
    assert [key.kid for key in read_keys(SECRET, allow_secret=True)[0]] == [SECRET["kid"]]
    assert refusal_of(SECRET).kind == "no_usable_key"


def test_a_kid_that_is_too_long_leaves_its_pem_out() -> None:
    keys, left_out = read_keys({"k" * (MAX_KID_CHARACTERS + 1): PEM, "k" * MAX_KID_CHARACTERS: PEM})
    assert len(keys) == 1
    assert "longer than" in left_out[0]


@pytest.mark.parametrize("material", [[], (), {"keys": []}, '{"keys": []}', [{"keys": []}, []]], ids=str)
def test_material_without_a_key_is_empty(material: Any) -> None:
    refusal = refusal_of(material)
    assert (refusal.kind, str(refusal)) == ("empty", "it holds no key")


def test_material_without_a_key_of_the_use_that_is_asked_for_is_empty() -> None:
    with pytest.raises(UnusableKeys) as refusal:
        read_keys({"keys": [JWK]}, use="jwt-svid")
    assert (refusal.value.kind, str(refusal.value)) == ("empty", "it holds no key whose use is 'jwt-svid'")


def test_material_of_more_keys_than_anybody_has_is_not_read() -> None:
    assert len(read_keys({"keys": [JWK] * MAX_KEYS})[0]) == MAX_KEYS
    refusal = refusal_of({"keys": [JWK] * (MAX_KEYS + 1)})
    assert (refusal.kind, "101 keys" in str(refusal)) == ("too_many_keys", True)


def test_where_no_key_is_usable_the_first_reasons_are_told() -> None:
    refusal = refusal_of({"keys": [{**JWK, "kid": f"k{number}", "use": "enc"} for number in range(9)]})
    assert refusal.kind == "no_usable_key"
    assert str(refusal) == "; ".join(
        f"key {number + 1} of 9 (kid 'k{number}') cannot be used: its use is not 'sig'" for number in range(3)
    )


def test_a_key_of_another_use_beside_what_is_not_a_key_is_still_a_key() -> None:
    assert refusal_of([{**JWK, "use": "enc"}, 5]).kind == "no_usable_key"


@pytest.mark.parametrize(
    ("material", "why"),
    [
        (None, "NoneType"),
        (5, "int"),
        pytest.param(object(), "object", id="object"),
        ("", "neither JSON nor PEM"),
        ("not JSON", "neither JSON nor PEM"),
        (b"\xff\xfe", "neither JSON nor PEM"),
        ("\ud800", "neither JSON nor PEM"),
        ('"text"', "neither a JWK nor a JWK set"),
        ("5", "neither a JWK nor a JWK set"),
        ({}, "neither kty"),
        ({"k1": "no PEM"}, "neither kty"),
        ({"jwks_uri": "https://login.example"}, "metadata of an issuer, not its keys: leave keys out"),
        ({"issuer": "https://login.example"}, "or give its jwks_uri as keys"),
        ('{"issuer": "https://login.example", "jwks_uri": ""}', "metadata"),
        ("<!DOCTYPE html>", "HTML (a login page, perhaps?)"),
        (b"  \n<html>", "HTML (a login page, perhaps?)"),
        (Path("jwks.json"), "keys=Path(...).read_text()"),
        *((name, "keys=Path(...).read_text()") for name in FILE_NAMES),
        pytest.param(KEY_IN_BASE64, "-----BEGIN PUBLIC KEY-----", id="base64"),
        pytest.param(f" {KEY_IN_BASE64}\n", "-----BEGIN PUBLIC KEY-----", id="base64 in a line"),
        pytest.param({"keys": {"k1": PEM}}, "not an array", id="keys by kid"),
        ({"keys": "text"}, "not an array"),
        ({"keys": None}, "not an array"),
        pytest.param([[[[JWK]]]], "nested too deep", id="nested"),
        ([5], "int"),
    ],
    ids=ascii,
)
def test_what_is_not_a_form_of_a_key_says_what_it_is(material: Any, why: str) -> None:
    refusal = refusal_of(material)
    assert refusal.kind == "not_a_key_set"
    assert why in str(refusal)


@pytest.mark.parametrize(
    ("material", "said"),
    [
        ("<html>", "it is HTML (a login page, perhaps?), neither JSON nor PEM"),
        ("not JSON", "it is neither JSON nor PEM"),
        pytest.param(
            KEY_IN_BASE64,
            "it is a key or certificate without its first and last line: put it between -----BEGIN PUBLIC "
            "KEY----- and -----END PUBLIC KEY-----, or the same with CERTIFICATE",
            id="base64",
        ),
    ],
)
def test_a_text_that_is_not_a_form_of_a_key_is_named_by_its_look(material: str, said: str) -> None:
    assert str(refusal_of(material)) == said


@pytest.mark.parametrize(
    "secret", ["correct horse battery", "c2VjcmV0LXNlY3JldA==", "12345678", b"\xff\x00", "/a+b=="]
)
def test_a_secret_that_is_given_as_it_is_says_how_to_give_one_and_shows_nothing_of_it(secret: Any) -> None:
    with pytest.raises(UnusableKeys) as refusal:
        read_keys(secret, allow_secret=True)
    assert "{'kty': 'oct', 'k': ...}" in str(refusal.value)
    assert refusal.value.kind == "not_a_key_set"
    assert str(secret)[2:8] not in str(refusal.value)
    assert "oct" not in str(refusal_of(secret))


def test_a_secret_in_another_type_says_its_type() -> None:
    with pytest.raises(UnusableKeys, match=r"^it is a int, not a form of a key$"):
        read_keys(123456, allow_secret=True)


def certificate(begins: dt.datetime, ends: dt.datetime) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.test")])
    key = cast("Any", FIRST.private)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begins, ends).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


def test_a_certificate_that_has_expired_or_is_not_valid_yet_is_used_and_told_with_its_date() -> None:
    begins, ends = dt.datetime(2020, 2, 3, tzinfo=dt.UTC), dt.datetime(2021, 4, 5, 6, tzinfo=dt.UTC)
    pem = certificate(begins, ends)
    (unnamed,) = read_keys(pem)[0]
    (named,) = read_keys({"k1": pem})[0]
    early, late = begins.timestamp() - 1, ends.timestamp() + 1
    used = "the key is used all the same"
    assert why_out_of_date(unnamed, early) == f"the certificate of a key is valid from 2020-02-03 on; {used}"
    assert (
        why_out_of_date(named, late) == f"the certificate of a key (kid 'k1') expired on 2021-04-05; {used}"
    )
    for now in (begins.timestamp(), ends.timestamp()):
        assert why_out_of_date(named, now) is None
    assert why_out_of_date(read_keys(JWK)[0][0], late) is None


def test_the_dates_of_a_certificate_may_be_any_that_it_can_carry() -> None:
    (key,) = read_keys(
        certificate(dt.datetime(1950, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, tzinfo=dt.UTC))
    )[0]
    assert why_out_of_date(key, 1.8e9) is None
    assert "1950-01-01" in str(why_out_of_date(key, -1e12))


def test_lists_may_be_nested_in_reason() -> None:
    assert kids_in([[[JWK]]]) == [FIRST.kid]


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert refusal_of(endless).kind == "not_a_key_set"


@pytest.mark.parametrize("junk", ["garbage", {}, None, 5, [], b"\xff"], ids=repr)
def test_one_entry_that_is_not_a_key_does_not_sink_a_list(junk: Any) -> None:
    keys, left_out = read_keys([JWK, junk])
    assert len(keys) == 1
    assert len(left_out) == (junk != [])


@pytest.mark.parametrize("junk", ["", None, 5, "garbage", {}], ids=repr)
def test_one_entry_that_is_not_a_key_does_not_sink_a_mapping_by_kid(junk: Any) -> None:
    keys, left_out = read_keys({"a": JWK, "b": junk})
    assert [key.kid for key in keys] == [JWK["kid"]]
    assert len(left_out) == 1
    assert left_out[0].startswith("key 2 of 2 (kid 'b') cannot be used: ")


def test_a_jwk_filed_under_a_kid_is_published_under_it() -> None:
    unnamed = {name: value for name, value in JWK.items() if name != "kid"}
    assert read_keys({"a": unnamed})[0][0].kid == "a"


def test_of_several_keys_in_one_pem_text_the_first_is_read_and_the_others_told() -> None:
    keys, left_out = read_keys(PEM + PEM)
    assert len(keys) == 1
    assert left_out == [
        "key 2 of 2 cannot be used: only the first of several in one PEM text is read; give a list"
    ]


def test_pem_bytes_and_sets_of_pem_are_read() -> None:
    assert read_keys({"a": PEM.encode()})[0][0].kid == "a"
    assert len(read_keys({PEM})[0]) == 1
