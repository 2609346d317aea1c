"""A proof by itself: RFC 9449's own, and every way in which one can be wrong, with its reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec.structs import replace

from bearerguard import InvalidDPoPProof
from bearerguard._core.dpop_proof import Expected, check_signature, claims_of, key_of, the_proof_in
from bearerguard._jose import base64url
from bearerguard._jose.algorithms import ASYMMETRIC
from bearerguard.testing import SigningKey, signing_key
from tests import proofs
from tests.hostile import minting
from tests.hostile.minting import ABSENT, NOW, b64
from tests.proofs import KEY, TOKEN, URL, header, jwk, proof

EXPECTED = Expected("GET", URL, proofs.ath(TOKEN), NOW, 60.0)


def checked(text: str | bytes, expected: Expected = EXPECTED, algorithms: frozenset[str] = ASYMMETRIC) -> str:
    """The thumbprint of a proof's key, all that a proof says by itself checked."""
    one = the_proof_in([text.encode() if isinstance(text, str) else text])
    key = key_of(one.header, algorithms)
    claims_of(one.payload, expected)
    check_signature(one, key)
    return key.thumbprint


def reason(text: str | bytes, expected: Expected = EXPECTED, **options: Any) -> str:
    with pytest.raises(InvalidDPoPProof) as refusal:
        checked(text, expected, **options)
    assert (refusal.value.status, refusal.value.code) == (401, "invalid_dpop_proof")
    return refusal.value.reason


# -- RFC 9449 ------------------------------------------------------------------------------------------------

RFC_TOKEN = b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RFC_PROOF = (
    b"eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
    b"VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
    b"nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE"
    b"QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj"
    b"oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z"
    b"WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF"
    b"c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E"
    b"OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)


def test_the_example_of_the_rfc_is_verified_byte_for_byte() -> None:
    """RFC 9449, section 7.1, with the thumbprint of section 6.1."""
    token_hash = base64url.encode(hashlib.sha256(RFC_TOKEN).digest()).decode()
    assert token_hash == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    expected = Expected(
        "GET", "https://resource.example.org/protectedresource", token_hash, 1562262618.0, 60.0
    )
    assert checked(RFC_PROOF, expected) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    claims = claims_of(the_proof_in([RFC_PROOF]).payload, expected)
    assert (claims["jti"], claims["iat"]) == ("e1j3V_bKic8-LAEB", 1562262618)
    for position in range(0, len(RFC_PROOF), 7):
        altered = bytearray(RFC_PROOF)
        altered[position] = ord("A") if altered[position] != ord("A") else ord("B")
        with pytest.raises(InvalidDPoPProof):
            checked(bytes(altered), expected)


# -- keys and algorithms -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key_type", proofs.ALGORITHMS)
def test_a_key_of_every_type_that_is_accepted_proves(key_type: str) -> None:
    key = signing_key(key_type)
    assert checked(proof(key=key)) == proofs.thumbprint(key)


@pytest.mark.parametrize(
    "typ", ["dpop+jwt", "application/dpop+jwt", "DPoP+JWT", "APPLICATION/DPOP+JWT"], ids=str
)
def test_the_type_is_taken_in_any_case_with_and_without_application(typ: str) -> None:
    checked(proof(head={"typ": typ}))


@pytest.mark.parametrize(
    "typ",
    [ABSENT, None, "", "JWT", "at+jwt", "dpop", "dpop+jwt ", "dpop+jwt+wrongyousee", "text/dpop+jwt", 7],
    ids=repr,
)
def test_another_type_is_refused(typ: Any) -> None:
    assert reason(proof(head={"typ": typ})) == "proof_type"


@pytest.mark.parametrize(
    "alg", [ABSENT, None, "", "none", "None", "HS256", "es256", "RSA-OAEP", 7, ["ES256"]], ids=repr
)
def test_another_algorithm_is_refused(alg: Any) -> None:
    assert reason(proof(head={"alg": alg})) == "proof_algorithm"


def test_only_the_algorithms_of_the_api_are_accepted() -> None:
    assert reason(proof(), algorithms=frozenset({"EdDSA"})) == "proof_algorithm"
    checked(proof(), algorithms=frozenset({"ES256"}))


@pytest.mark.parametrize("members", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"b64": True}], ids=str)
def test_a_critical_extension_is_refused(members: Mapping[str, Any]) -> None:
    assert reason(proof(head=members)) == "proof_algorithm"


def point(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in {**jwk(KEY), **members}.items() if value is not ABSENT}


def with_zero(text: str) -> str:
    return b64(b"\x00" + minting.unb64(text))


def rsa_jwk(bits: int) -> dict[str, Any]:
    """A key of so many bits; of what nobody checks for a long one, it has nothing."""
    return {"kty": "RSA", "n": b64((1 << bits - 1 | 1).to_bytes((bits + 7) // 8, "big")), "e": "AQAB"}


OKP = jwk(signing_key("Ed25519"))
RSA = jwk(signing_key("RSA"))
P521 = jwk(signing_key("P-521"))
KEYS: Mapping[str, tuple[Any, str]] = {
    "absent": (ABSENT, "ES256"),
    "null": (None, "ES256"),
    "text": ("{}", "ES256"),
    "a list": ([jwk(KEY)], "ES256"),
    "empty": ({}, "ES256"),
    "private": (point(d="AAAA"), "ES256"),
    "with an empty d": (point(d=""), "ES256"),
    "with d null": (point(d=None), "ES256"),
    **{
        f"with {member}": (point(**{member: "AQAB"}), "ES256")
        for member in ["p", "q", "dp", "dq", "qi", "oth", "k"]
    },
    "a secret": ({"kty": "oct", "k": "AAAA"}, "ES256"),
    "a secret for HMAC": ({"kty": "oct", "k": "AAAA"}, "HS256"),
    "of an unknown type": (point(kty="ec"), "ES256"),
    "without a type": (point(kty=ABSENT), "ES256"),
    "of an unknown curve": (point(crv="secp256k1"), "ES256"),
    "of a curve for encryption": ({**OKP, "crv": "X25519"}, "EdDSA"),
    "of P-521 for ES256": (P521, "ES256"),
    "of P-256 for ES512": (jwk(KEY), "ES512"),
    "of an edwards curve for ES256": (OKP, "ES256"),
    "x padded": (point(x=jwk(KEY)["x"] + "="), "ES256"),
    "x with a zero in front": (point(x=with_zero(jwk(KEY)["x"])), "ES256"),
    "y with a zero in front": (point(y=with_zero(jwk(KEY)["y"])), "ES256"),
    "x too short": (point(x=jwk(KEY)["x"][:-2]), "ES256"),
    "x in the other alphabet": (point(x="+" * 43), "ES256"),
    "x absent": (point(x=ABSENT), "ES256"),
    "x a number": (point(x=7), "ES256"),
    "not on the curve": (point(x="A" * 43), "ES256"),
    "of P-521 with a zero too few": ({**P521, "x": b64(minting.unb64(P521["x"])[1:])}, "ES512"),
    "of small order": ({"kty": "OKP", "crv": "Ed25519", "x": b64(b"\x01" + bytes(31))}, "EdDSA"),
    "of the order 8": (
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": b64(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")),
        },
        "Ed25519",
    ),
    "an edwards point of 33 bytes": ({**OKP, "x": b64(bytes(33))}, "EdDSA"),
    "RSA of 1,024 bits": (rsa_jwk(1024), "PS256"),
    "RSA of 4,104 bits": (rsa_jwk(4104), "PS256"),
    "RSA of 8,192 bits": (rsa_jwk(8192), "PS256"),
    "RSA with an even exponent": ({**RSA, "e": b64(b"\x01\x00\x00")}, "PS256"),
    "RSA with a huge exponent": ({**RSA, "e": b64(b"\x01" * 16)}, "PS256"),
    "RSA with a zero in front of n": ({**RSA, "n": with_zero(RSA["n"])}, "PS256"),
    "RSA with a zero in front of e": ({**RSA, "e": with_zero(RSA["e"])}, "PS256"),
    "for encryption": (point(use="enc"), "ES256"),
    "for signing only": (point(key_ops=["sign"]), "ES256"),
    "for another algorithm": (point(alg="ES384"), "ES256"),
    "kid of a wrong type": (point(kid=7), "ES256"),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_is_not_public_canonical_and_for_its_algorithm_is_refused(name: str) -> None:
    """RFC 9449, section 4.3, checks 5 to 7; RFC 7518, section 6."""
    found, alg = KEYS[name]
    expected = "proof_algorithm" if alg == "HS256" else "proof_key"
    assert reason(proof(head={"jwk": found, "alg": alg})) == expected


@pytest.mark.parametrize(
    "members",
    [{"alg": "ES256"}, {"use": "sig"}, {"key_ops": ["verify"]}, {"kid": "1"}, {"x5c": ["x"]}],
    ids=str,
)
def test_what_a_key_says_of_itself_may_fit_and_what_else_it_has_is_ignored(
    members: Mapping[str, Any],
) -> None:
    assert checked(proof(head={"jwk": point(**members)})) == proofs.thumbprint(KEY)


def test_an_rsa_key_of_4096_bits_is_accepted() -> None:
    key = SigningKey("big", rsa.generate_private_key(65537, 4096))
    checked(proof(key=key))


@pytest.mark.parametrize(
    "members",
    [
        {"kid": "other"},
        {"kid": 7},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/chain"},
        {"x5c": ["MIIB"]},
        {"x5t#S256": "x"},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"dummy": {"nested": [1]}},
    ],
    ids=str,
)
def test_other_members_that_name_keys_and_unknown_ones_are_ignored(members: Mapping[str, Any]) -> None:
    checked(proof(head=members))


# -- the signature -------------------------------------------------------------------------------------------


def test_a_signature_of_another_key_is_refused() -> None:
    assert reason(proof(key=proofs.THIEF, head={"jwk": jwk(KEY)})) == "proof_signature"


def signed_as(signature: Callable[[bytes], bytes]) -> str:
    signed = f"{b64(minting.text(header()))}.{b64(minting.text(proofs.claims()))}"
    return f"{signed}.{b64(signature(signed.encode()))}"


def test_a_signature_in_der_is_refused() -> None:
    """RFC 7518, section 3.4."""
    private = KEY.private
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert reason(signed_as(lambda text: private.sign(text, ec.ECDSA(hashes.SHA256())))) == "proof_signature"
    checked(signed_as(lambda text: KEY.sign("ES256", text)))


@pytest.mark.parametrize("signature", [b"", b"\x00" * 64, b"\x00" * 63, b"\xff" * 64], ids=repr)
def test_a_signature_of_zeros_or_none_at_all_is_refused(signature: bytes) -> None:
    assert reason(signed_as(lambda _: signature)) == "proof_signature"


def test_a_signature_that_is_not_base64url_is_malformed() -> None:
    assert reason(proof() + "=") == "proof_malformed"
    assert reason(proof() + "+") == "proof_malformed"


# -- the form ------------------------------------------------------------------------------------------------

MALFORMED: Mapping[str, str | bytes] = {
    "empty": "",
    "no dots": "proof",
    "two parts": "a.b",
    "four parts": proof() + ".a",
    "five parts": "a.b.c.d.e",
    "JSON serialization": json.dumps({"payload": "e30"}).replace(",", ";"),
    "too long": proof(x="x" * 8192),
    "beyond ASCII": proof().encode() + b"\xe9",
    "a header of no JSON": proof(head=b"{"),
    "a header that is a list": proof(head=b"[]"),
    "a header of no UTF-8": proof(head=b'{"typ": "\xff"}'),
    "a header that is padded": proof().replace(".", "=.", 1),
    "a payload of no JSON": proof(body=b"{"),
    "a payload that is text": proof(body=b'"x"'),
    "a payload that is null": proof(body=b"null"),
    "a payload with NaN": proof(body=b'{"iat": NaN}'),
    "a payload with 1e400": proof(body=b'{"iat": 1e400}'),
    "a payload too deep": proof(body=b'{"x": ' + b"[" * 100 + b"]" * 100 + b"}"),
    "a member twice": proof(body=minting.text(proofs.claims())[:-1] + b', "jti": "x"}'),
    "a member twice, once escaped": proof(body=minting.text(proofs.claims())[:-1] + b', "\\u006ati": "x"}'),
    "a member twice, deep down": proof(
        body=minting.text(proofs.claims())[:-1] + b', "x": [{"a": 1, "a": 1}]}'
    ),
    "a member of the header twice": proof(head=minting.text(header())[:-1] + b', "typ": "dpop+jwt"}'),
    "a member of the key twice": proof(head=minting.text(header()).replace(b'"crv"', b'"kty": "EC", "crv"')),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_one_strict_jwt_is_malformed(name: str) -> None:
    assert reason(MALFORMED[name]) == "proof_malformed"


def test_quotes_that_are_escaped_do_not_look_like_a_member_twice() -> None:
    checked(proof(x='a "quoted" \\ back\\"slash', y={'"': ['"', {"\\": "\\\\"}, 1.5, True, None]}))


def test_a_proof_of_full_length_is_read() -> None:
    by_length = {len(text): text for text in (proof(x="x" * more) for more in range(5500, 5900))}
    checked(by_length[8192])
    assert reason(by_length[min(length for length in by_length if length > 8192)]) == "proof_malformed"


def test_white_space_around_a_field_is_not_the_proofs() -> None:
    checked(f" \t{proof()} ")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], "proof_missing"),
        ([b"a.b.c", b"a.b.c"], "proof_repeated"),
        ([b"", b""], "proof_repeated"),
        ([b"a.b.c,a.b.c"], "proof_repeated"),
        ([b"a.b.c, "], "proof_repeated"),
    ],
)
def test_there_is_exactly_one_proof(values: list[bytes], expected: str) -> None:
    """RFC 9449, section 4.3, check 1."""
    with pytest.raises(InvalidDPoPProof) as refusal:
        the_proof_in(values)
    assert refusal.value.reason == expected


def test_only_spaces_and_tabs_around_a_proof_are_not_part_of_it() -> None:
    """RFC 9110, section 5.5."""
    one = the_proof_in([b" \tXa.b.cX\t "])
    assert (one.header, one.payload, one.signature) == (b"Xa", b"b", b"cX")
    for other in (b"\n", b"\r", b"\v", b"\f"):
        assert the_proof_in([b"a.b.c" + other]).signature == b"c" + other


# -- the claims ----------------------------------------------------------------------------------------------

WRONG: Mapping[str, list[Any]] = {
    "jti": [ABSENT, None, "", 7, True, [], {}, ["x"], "x" * 257, "x" * 10_240],
    "iat": [ABSENT, None, "1", "", True, False, [], {}, [NOW], 2**53 + 1, -(2**53) - 1, 10**30],
    "htm": [ABSENT, None, "", "POST", "PUT", "get", "Get", "GET ", 7, ["GET"], True],
    "htu": [ABSENT, None, "", 7, [URL], {"htu": URL}, "/orders", URL + "/", "https://user@api.test/orders"],
    "ath": [ABSENT, None, "", 7, [], proofs.ath("other"), proofs.ath(TOKEN) + "=", proofs.ath(TOKEN).lower()],
}
REASONS = {
    "jti": "proof_claims",
    "iat": "proof_claims",
    "htm": "proof_method",
    "htu": "proof_url",
    "ath": "proof_token_hash",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_claim_that_is_absent_wrong_or_of_a_wrong_type_has_its_reason(name: str) -> None:
    """RFC 9449, section 4.2; a `jti` of any length is never kept (section 11.1)."""
    for value in WRONG[name]:
        if name == "jti" and value == "x" * 10_240:  # longer than a proof may be
            assert reason(proof(jti=value)) == "proof_malformed"
        else:
            assert reason(proof(**{name: value})) == REASONS[name], value


def test_a_jti_of_full_length_and_beyond_ascii_is_accepted() -> None:
    checked(proof(jti="\u00e4" * 256))


@pytest.mark.parametrize("iat", [NOW - 60, NOW - 60.0, NOW - 10, NOW, NOW + 10, NOW + 14.5, NOW + 15])
def test_a_proof_is_good_from_60_s_back_to_15_s_ahead(iat: float) -> None:
    checked(proof(iat=iat))


@pytest.mark.parametrize(
    ("iat", "expected"),
    [
        (NOW - 60.001, "proof_expired"),
        (NOW - 61, "proof_expired"),
        (NOW - 3600, "proof_expired"),
        (0, "proof_expired"),
        (-1, "proof_expired"),
        (NOW + 15.001, "proof_in_future"),
        (NOW + 16, "proof_in_future"),
        (NOW + 3600, "proof_in_future"),
        (2**53, "proof_in_future"),
    ],
)
def test_a_proof_outside_of_the_window_is_refused(iat: float, expected: str) -> None:
    assert reason(proof(iat=iat)) == expected


def test_the_window_back_is_as_long_as_the_api_says_and_the_one_ahead_is_fixed() -> None:
    for max_age in (1.0, 300.0):
        expected = replace(EXPECTED, max_age=max_age)
        checked(proof(iat=NOW - max_age), expected)
        assert reason(proof(iat=NOW - max_age - 1), expected) == "proof_expired"
        assert reason(proof(iat=NOW + 16), expected) == "proof_in_future"


def test_with_a_nonce_the_age_is_the_nonces() -> None:
    """RFC 9449, section 4.3, check 11."""
    expected = replace(EXPECTED, max_age=None)
    for iat in (0, NOW - 3600, NOW + 3600):
        checked(proof(iat=iat), expected)
    assert reason(proof(iat="x"), expected) == "proof_claims"


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"exp": NOW}, "proof_expired"),
        ({"exp": NOW - 1}, "proof_expired"),
        ({"exp": None}, "proof_expired"),
        ({"exp": "x"}, "proof_expired"),
        ({"exp": True}, "proof_expired"),
        ({"nbf": NOW + 15.5}, "proof_in_future"),
        ({"nbf": None}, "proof_expired"),
        ({"nbf": "x"}, "proof_expired"),
    ],
    ids=str,
)
def test_exp_and_nbf_are_obeyed_where_a_client_sends_them(times: dict[str, Any], expected: str) -> None:
    """RFC 7519, sections 4.1.4 and 4.1.5; with a nonce too."""
    assert reason(proof(**times)) == expected
    assert reason(proof(**times), replace(EXPECTED, max_age=None)) == expected


@pytest.mark.parametrize(
    "times", [{"exp": NOW + 1}, {"nbf": NOW + 15}, {"nbf": NOW, "exp": NOW + 300}], ids=str
)
def test_exp_and_nbf_may_be_there(times: dict[str, Any]) -> None:
    checked(proof(**times))


@pytest.mark.parametrize(
    "more", [{"nonce": "of another server"}, {"nonce": 7}, {"aud": "x", "sub": [1]}], ids=str
)
def test_claims_that_are_not_asked_for_are_ignored(more: dict[str, Any]) -> None:
    checked(proof(**more))


def test_what_is_not_known_of_a_request_matches_no_proof() -> None:
    assert reason(proof(htm=None), replace(EXPECTED, method=None)) == "proof_method"
    assert reason(proof(), replace(EXPECTED, address=None)) == "proof_url"


def test_a_clock_that_is_not_a_number_refuses_everyone() -> None:
    assert reason(proof(), replace(EXPECTED, now=float("nan"))) == "proof_expired"
