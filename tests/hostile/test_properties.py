"""What holds for all inputs, as far as chance looks: nothing altered passes, nothing valid is refused."""

from __future__ import annotations

import json
import math
import warnings
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from joserfc import jwk, jws
from joserfc.errors import SecurityWarning

from bearerguard import AccessToken, AuthError, InvalidToken, Provider, ResourceServer
from bearerguard._jose import base64url
from bearerguard._jose.key_material import UnusableKeys, read_keys
from bearerguard.answer import challenges
from tests.hostile import minting
from tests.hostile.minting import AUDIENCE, ISSUER, NOW

thorough = settings(max_examples=150)

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
SYMMETRIC = ["HS256", "HS384", "HS512"]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SERVER = minting.server()
TOKENS = {alg: minting.token(alg) for alg in ALGORITHMS}


def is_refused(token: str) -> bool:
    try:
        SERVER.verify(token)
    except InvalidToken:
        return True
    return False


# -- nothing altered passes --------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_no_character_of_a_valid_token_can_be_another(alg: str) -> None:
    """Every position, with the character whose last bit differs: what a lenient decoder would not see."""
    token = TOKENS[alg]
    SERVER.verify(token)
    for at, character in enumerate(token):
        other = "A" if character == "." else ALPHABET[ALPHABET.index(character) ^ 1]
        assert is_refused(token[:at] + other + token[at + 1 :]), at


@thorough
@given(st.sampled_from(ALGORITHMS), st.data())
def test_no_character_can_be_replaced_inserted_taken_out_or_moved(alg: str, data: st.DataObject) -> None:
    token = TOKENS[alg]
    at = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.one_of(st.sampled_from(f"{ALPHABET}.=+/"), st.characters()))
    to = data.draw(st.integers(0, len(token) - 1))
    rest = token[:at] + token[at + 1 :]
    for altered in (
        token[:at] + character + token[at + 1 :],
        token[:at] + character + token[at:],
        rest,
        rest[:to] + token[at] + rest[to:],
    ):
        if altered != token:
            assert is_refused(altered)


@thorough
@given(st.sampled_from(ALGORITHMS), st.sampled_from(ALGORITHMS), st.permutations(range(6)))
def test_no_parts_of_two_valid_tokens_make_a_third(one: str, other: str, order: list[int]) -> None:
    parts = [*TOKENS[one].split("."), *TOKENS[other].split(".")]
    mixed = ".".join(parts[number] for number in order[:3])
    assume(mixed not in TOKENS.values())
    assert is_refused(mixed)


@thorough
@given(st.binary(max_size=200))
def test_every_byte_string_has_one_base64url_text(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@thorough
@given(st.one_of(st.binary(max_size=60), st.text(f"{ALPHABET}=+/ \n", max_size=60).map(str.encode)))
def test_only_the_one_base64url_text_of_a_byte_string_is_decoded(text: bytes) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text


# -- nothing else escapes ----------------------------------------------------------------------------------


segments = st.one_of(st.text(ALPHABET), st.text(), st.binary().map(minting.b64), st.sampled_from(["", "e30"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["alg", "kid", "typ", "crit", "b64", "cty", "zip", "enc", "jwk", "iss", "aud", "exp", "nbf"]
)
objects = st.dictionaries(names | st.text(), json_values, max_size=8).map(
    lambda value: minting.b64(_json(value))
)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


@thorough
@given(st.one_of(st.text(), st.lists(segments | objects, max_size=6).map(".".join)))
@example("." * 20_000)
def test_whatever_text_is_verified_the_outcome_is_a_refusal(text: str) -> None:
    with pytest.raises(AuthError):
        SERVER.verify(text)


@thorough
@given(
    st.lists(st.tuples(st.sampled_from([b"authorization", b"host"]) | st.binary(), st.binary()), max_size=4)
)
@example([(b"authorization", b"bearer " + bytes(range(256)))])
def test_whatever_header_fields_a_request_has_the_outcome_is_a_refusal(
    fields: list[tuple[bytes, bytes]],
) -> None:
    with pytest.raises(AuthError):
        SERVER.authenticate(fields)


@thorough
@given(st.dictionaries(names | st.text(), json_values, max_size=6), json_values)
def test_whatever_a_signed_header_and_payload_say_the_outcome_is_a_token_or_a_refusal(
    header: dict[str, Any], payload: Any
) -> None:
    key = minting.key_for("EdDSA")
    claims = {**minting.CLAIMS, **payload} if isinstance(payload, dict) else payload
    token = minting.sign(_json({"alg": "EdDSA", "kid": key.kid, **header}), _json(claims), key, "EdDSA")
    try:
        assert isinstance(SERVER.verify(token), AccessToken)
    except InvalidToken as error:
        assert challenges(error)  # noqa: PT017 - either outcome is right


members = st.fixed_dictionaries(
    {},
    optional={
        "kty": st.sampled_from(["RSA", "EC", "OKP", "oct", "AKP"]) | json_values,
        "crv": st.sampled_from(["P-256", "P-384", "P-521", "Ed25519", "X25519", "Ed448"]) | json_values,
        "use": st.sampled_from(["sig", "enc"]) | json_values,
        "alg": st.sampled_from(ALGORITHMS + SYMMETRIC) | json_values,
        "key_ops": st.lists(st.sampled_from(["verify", "sign"])) | json_values,
        **{
            name: st.binary(max_size=70).map(minting.b64) | json_values
            for name in ("n", "e", "x", "y", "k", "d")
        },
        "kid": json_values,
    },
)
published = st.sampled_from(minting.issuer.jwks()["keys"])


@thorough
@given(
    st.one_of(
        json_values,
        members,
        st.tuples(published, members).map(lambda pair: {**pair[0], **pair[1]}),
        st.fixed_dictionaries({"keys": st.lists(members | published | json_values, max_size=5)}),
        st.text(),
        st.binary(),
        st.text().map(lambda text: f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"),
        st.text().map(lambda text: f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"),
    )
)
def test_whatever_is_called_keys_the_outcome_is_keys_or_the_reason_why_not(material: Any) -> None:
    try:
        keys, left_out = read_keys(material)
    except UnusableKeys as problem:
        assert str(problem)  # noqa: PT017 - either outcome is right
        return
    assert keys
    assert not any(key.verifiers.keys() & set(SYMMETRIC) for key in keys)
    assert all(sentence.isprintable() for sentence in left_out)


# -- nothing valid is refused ------------------------------------------------------------------------------


def minted_keys() -> dict[str, Any]:
    """One key for each algorithm, made by somebody else's code."""
    rsa = jwk.RSAKey.generate_key(2048, auto_kid=True)
    curves = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
    keys: dict[str, Any] = {alg: rsa for alg in ALGORITHMS if alg[:2] in ("RS", "PS")}
    keys |= {alg: jwk.ECKey.generate_key(curve, auto_kid=True) for alg, curve in curves.items()}
    keys["EdDSA"] = jwk.OKPKey.generate_key("Ed25519", auto_kid=True)
    keys |= {alg: jwk.OctKey.generate_key(512, auto_kid=True) for alg in SYMMETRIC}
    return keys


KEYS = minted_keys()
FORMS = ["JWK", "JWK set", "JSON", "JSON of a set", "list", "bytes", "PEM", "PEM by kid", "function"]


def given_as(form: str, alg: str) -> Any:
    """A public key, in one of the forms that `Provider` takes."""
    key = KEYS[alg]
    public = key.as_dict(private=alg in SYMMETRIC)
    if form in ("PEM", "PEM by kid"):
        pem = key.as_pem(private=False).decode()
        return pem if form == "PEM" else {key.kid: pem}
    material: Any = {
        "JWK": public,
        "JWK set": {"keys": [public]},
        "JSON": json.dumps(public),
        "JSON of a set": json.dumps({"keys": [public]}, indent=1),
        "list": [public],
        "bytes": _json(public),
        "function": lambda: {"keys": [public]},
    }[form]
    return material


times = st.integers(1, 10**6) | st.floats(1, 1e6)
extra = st.dictionaries(
    st.text().filter(lambda name: name not in {*minting.CLAIMS, "cnf"}), json_values, max_size=4
).filter(lambda claims: all(_is_interoperable(part) for pair in claims.items() for part in pair))


def _is_interoperable(value: Any) -> bool:
    """JSON that every parser takes: finite numbers, no lone surrogates (RFC 8259, sections 6 and 8.2)."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return all(_is_interoperable(item) for pair in value.items() for item in pair)
    return not isinstance(value, list) or all(map(_is_interoperable, value))


claim_shapes = st.fixed_dictionaries(
    {
        "iss": st.just(ISSUER),
        "aud": st.sampled_from([AUDIENCE, [AUDIENCE], ["https://other.test", AUDIENCE]]),
        "exp": times.map(lambda seconds: NOW + seconds),
    },
    optional={
        "nbf": times.map(lambda seconds: NOW - seconds),
        "iat": times.map(lambda seconds: NOW - seconds),
        "sub": st.text().filter(_is_interoperable),
        "jti": st.text().filter(_is_interoperable),
        "scope": st.sampled_from(["", "a", "a b"]),
    },
)


@thorough
@given(
    alg=st.sampled_from(ALGORITHMS + SYMMETRIC),
    form=st.sampled_from(FORMS),
    typ=st.sampled_from([None, "JWT", "at+jwt", "application/at+jwt"]),
    has_kid=st.booleans(),
    claims=claim_shapes,
    more=extra,
)
def test_whatever_a_valid_token_looks_like_it_is_accepted(
    *, alg: str, form: str, typ: str | None, has_kid: bool, claims: dict[str, Any], more: dict[str, Any]
) -> None:
    if alg in SYMMETRIC:  # a secret is given as an object, and named
        assume(form not in ("PEM", "PEM by kid", "function"))
    algorithms = [alg] if alg in SYMMETRIC else ALGORITHMS
    provider = Provider(ISSUER, audience=AUDIENCE, keys=given_as(form, alg), algorithms=algorithms)
    header: dict[str, Any] = {"alg": alg}
    header |= {"typ": typ} if typ is not None else {}
    header |= {"kid": KEYS[alg].kid} if has_kid and form != "PEM" else {}
    expected = {**more, **claims}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # joserfc's, of the name EdDSA
        text = jws.serialize_compact(header, _json(expected), KEYS[alg], algorithms=[alg])
    token = ResourceServer(provider, clock=lambda: NOW).verify(text)
    assert json.dumps(dict(token.claims), sort_keys=True) == json.dumps(expected, sort_keys=True)
