from __future__ import annotations

import base64
import datetime as dt
import math
from typing import Any, cast

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwk as joserfc_jwk

from bearerguard._jose.jwk import (
    UnusableKey,
    VerificationKey,
    import_exact_jwk,
    import_jwk,
    import_pem,
    thumbprint,
)
from bearerguard._limits import MAX_KID_CHARACTERS
from bearerguard.testing import signing_key
from tests.jose import edwards25519

KEYS = {key_type: signing_key(key_type) for key_type in ("RSA", "P-256", "P-384", "P-521", "Ed25519")}
ALGORITHMS = {
    "RSA": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
    "P-256": {"ES256"},
    "P-384": {"ES384"},
    "P-521": {"ES512"},
    "Ed25519": {"EdDSA", "Ed25519"},
}
each_key_type = pytest.mark.parametrize("key_type", list(KEYS))


def import_public(jwk: dict[str, Any]) -> VerificationKey:
    return import_jwk(jwk, allow_secret=False)


def why_unusable(jwk: dict[str, Any], *, allow_secret: bool = False) -> str:
    with pytest.raises(UnusableKey) as refusal:
        import_jwk(jwk, allow_secret=allow_secret)
    return str(refusal.value)


def public_pem(key: Any) -> str:
    return cast("bytes", key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).decode()


def certificate(key_type: str) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.test")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    key = cast("Any", KEYS[key_type].private)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=1))
        .sign(key, None if key_type == "Ed25519" else hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def uint(number: int) -> str:
    return text(number.to_bytes((number.bit_length() + 7) // 8, "big"))


# -- what is taken


@each_key_type
def test_a_key_verifies_with_every_algorithm_of_its_type(key_type: str) -> None:
    key = import_public(KEYS[key_type].public_jwk())
    assert set(key.verifiers) == ALGORITHMS[key_type]
    for alg, verify in key.verifiers.items():
        signature = KEYS[key_type].sign(alg, b"signing input")
        assert verify(signature, b"signing input")
        assert not verify(signature, b"another input")


@each_key_type
def test_what_another_library_signed_verifies(key_type: str) -> None:
    key = import_public(KEYS[key_type].public_jwk())
    for alg in ALGORITHMS[key_type] - {"Ed25519"}:  # the name of RFC 9864 is too new for it
        token = jwt.encode({"sub": "ada"}, cast("Any", KEYS[key_type].private), algorithm=alg)
        signing_input, _, signature = token.rpartition(".")
        assert key.verifiers[alg](base64.urlsafe_b64decode(signature + "=="), signing_input.encode())


@each_key_type
def test_pem_certificate_and_jwk_of_one_key_are_the_same_key(key_type: str) -> None:
    published = KEYS[key_type].public_jwk()
    expected = import_public(published)
    pem = public_pem(cast("Any", KEYS[key_type].private).public_key())
    for key in (import_pem(pem, kid=expected.kid), import_pem(certificate(key_type), kid=expected.kid)):
        assert key.identity == expected.identity
        assert key.jwk == expected.jwk
        for alg, verify in key.verifiers.items():
            assert verify(KEYS[key_type].sign(alg, b"signing input"), b"signing input")
    assert import_pem(pem).kid is None


@each_key_type
def test_the_thumbprint_is_that_of_another_library(key_type: str) -> None:
    published = KEYS[key_type].public_jwk()
    assert import_public(published).thumbprint == joserfc_jwk.import_key(dict(published)).thumbprint()


def test_the_thumbprint_is_that_of_the_rfc() -> None:
    # RFC 8037, appendix A.3
    okp = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(okp) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@each_key_type
def test_the_members_that_are_kept_make_the_same_key_again(key_type: str) -> None:
    first = import_public({**KEYS[key_type].public_jwk(), "x5c": ["..."], "x5t": "...", "note": 1})
    assert set(first.jwk) <= {"kty", "n", "e", "crv", "x", "y", "kid", "alg"}
    assert import_public(dict(first.jwk)).identity == first.identity


@pytest.mark.parametrize("member", ["x", "y"])
def test_a_coordinate_with_a_leading_zero_keeps_its_length(member: str) -> None:
    # One in 256 points has such a coordinate: found by trying, a few hundred keys at most.
    while True:
        public = ec.generate_private_key(ec.SECP256R1()).public_key()
        if getattr(public.public_numbers(), member) < 1 << 248:
            break
    kept = import_pem(public_pem(public)).jwk
    assert len(kept[member]) == 43
    assert import_public(dict(kept)).jwk == kept


def test_a_kid_is_optional_and_may_be_null() -> None:
    published = KEYS["P-256"].public_jwk()
    assert import_public(published).kid == KEYS["P-256"].kid
    assert import_public({**published, "kid": None}).kid is None
    del published["kid"]
    assert import_public(published).kid is None


def test_a_keys_own_alg_narrows_what_it_is_used_for() -> None:
    key = import_public({**KEYS["RSA"].public_jwk(), "alg": "PS256"})
    assert set(key.verifiers) == {"PS256"}
    assert key.jwk["alg"] == "PS256"
    assert set(import_public({**KEYS["Ed25519"].public_jwk(), "alg": "EdDSA"}).verifiers) == {"EdDSA"}


def test_the_issuer_that_a_key_of_a_shared_set_signs_for_is_kept_with_it() -> None:
    published = KEYS["RSA"].public_jwk()
    key = import_public({**published, "issuer": "https://login.example/blue"})
    assert key.issuer == "https://login.example/blue"
    assert dict(key.jwk) == {**import_public(published).jwk, "issuer": "https://login.example/blue"}
    assert key.identity != import_public(published).identity
    for issuer in (None, 7, ["https://login.example/blue"]):
        assert import_public({**published, "issuer": issuer}).issuer is None
    secret = {**signing_key("oct").secret_jwk(), "issuer": "https://login.example/blue"}
    assert dict(import_jwk(secret, allow_secret=True).jwk) == {}


# -- what providers write that is not quite what the RFC says


def widened(jwk: dict[str, Any], member: str, zeros: int) -> dict[str, Any]:
    """A JWK of which one number has zero bytes in front."""
    return {**jwk, member: text(bytes(zeros) + base64.urlsafe_b64decode(jwk[member] + "=="))}


def narrowed(jwk: dict[str, Any]) -> dict[str, Any]:
    """A JWK of which all numbers have lost the zero bytes in front."""
    numbers = {
        name: base64.urlsafe_b64decode(jwk[name] + "==") for name in ("n", "e", "x", "y") if name in jwk
    }
    return {**jwk, **{name: text(number.lstrip(b"\0")) for name, number in numbers.items()}}


def with_short_coordinate(curve: ec.EllipticCurve, member: str) -> dict[str, Any]:
    """A key of which a coordinate begins with a zero byte: found by trying, a few hundred at most."""
    name, size = {256: "P-256", 384: "P-384", 521: "P-521"}[curve.key_size], (curve.key_size + 7) // 8
    while True:
        point = ec.generate_private_key(curve).public_key().public_numbers()
        if getattr(point, member) < 1 << (8 * size - 8):
            x, y = (text(number.to_bytes(size, "big")) for number in (point.x, point.y))
            return {"kty": "EC", "crv": name, "x": x, "y": y}


@pytest.mark.parametrize("zeros", [1, 2, 33])
@pytest.mark.parametrize(("key_type", "member"), [("RSA", "n"), ("RSA", "e"), ("P-256", "x"), ("P-521", "y")])
def test_zero_bytes_in_front_of_a_number_change_nothing(key_type: str, member: str, zeros: int) -> None:
    published = KEYS[key_type].public_jwk()
    key = import_public(widened(published, member, zeros))
    assert key.identity == import_public(published).identity
    assert key.jwk == import_public(published).jwk


@pytest.mark.parametrize(
    "curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name
)
@pytest.mark.parametrize("member", ["x", "y"])
def test_a_coordinate_that_lost_its_zero_bytes_is_the_same_number(curve: Any, member: str) -> None:
    exact = with_short_coordinate(curve, member)
    short = narrowed(exact)
    assert short != exact
    assert import_public(short).jwk == import_public(exact).jwk == exact
    assert import_public(short).thumbprint == joserfc_jwk.import_key(exact).thumbprint()


@each_key_type
@pytest.mark.parametrize(
    "member", ["use", "alg", "key_ops", "d", "p", "q", "dp", "dq", "qi", "oth", "x5c", "x5t"]
)
def test_a_member_that_is_null_is_not_there(key_type: str, member: str) -> None:
    published = KEYS[key_type].public_jwk()
    without = {name: value for name, value in published.items() if name != member}
    assert import_public({**published, member: None}).identity == import_public(without).identity


def test_an_empty_use_or_alg_says_nothing() -> None:
    published = KEYS["RSA"].public_jwk()
    assert import_public({**published, "use": "", "alg": ""}).identity == import_public(published).identity


def test_one_operation_may_stand_outside_an_array() -> None:
    published = KEYS["P-256"].public_jwk()
    assert import_public({**published, "key_ops": "verify"}).identity == import_public(published).identity


# -- the key of a stranger


def why_inexact(jwk: dict[str, Any]) -> str:
    with pytest.raises(UnusableKey) as refusal:
        import_exact_jwk(jwk)
    return str(refusal.value)


@each_key_type
def test_an_exact_jwk_is_the_key_that_it_is(key_type: str) -> None:
    published = KEYS[key_type].public_jwk()
    assert import_exact_jwk(published).identity == import_public(published).identity
    only_the_key = {
        name: value for name, value in published.items() if name in ("kty", "crv", "x", "y", "n", "e")
    }
    assert import_exact_jwk(only_the_key).jwk == only_the_key


@pytest.mark.parametrize(
    "inexact",
    [
        widened(KEYS["RSA"].public_jwk(), "n", 1),
        widened(KEYS["RSA"].public_jwk(), "e", 1),
        widened(KEYS["P-256"].public_jwk(), "x", 1),
        widened(KEYS["P-256"].public_jwk(), "y", 1),
        narrowed(with_short_coordinate(ec.SECP256R1(), "x")),
        narrowed(with_short_coordinate(ec.SECP256R1(), "y")),
    ],
    ids=["n wide", "e wide", "x wide", "y wide", "x short", "y short"],
)
def test_numbers_of_another_length_are_not_an_exact_jwk(inexact: dict[str, Any]) -> None:
    assert import_public(inexact).verifiers
    assert "not as long" in why_inexact(inexact)


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
@pytest.mark.parametrize("value", [None, "", "AQAB"])
def test_no_member_of_a_private_key_is_in_an_exact_jwk(member: str, value: Any) -> None:
    for key_type in ("RSA", "P-256", "Ed25519"):
        assert "private" in why_inexact({**KEYS[key_type].public_jwk(), member: value})


def test_a_secret_or_a_weak_key_is_not_an_exact_jwk_either() -> None:
    assert why_inexact(signing_key("oct").secret_jwk())
    assert why_inexact({"kty": "oct"})
    assert "1024 bits" in why_inexact({"kty": "RSA", "n": uint(1 << 1023 | 1), "e": "AQAB"})


def test_neither_repr_nor_str_shows_the_key() -> None:
    published = KEYS["RSA"].public_jwk()
    key = import_public(published)
    assert published["n"] not in f"{key!r} {key}"


# -- secrets


def test_a_secret_is_taken_only_where_secrets_are_allowed() -> None:
    secret = signing_key("oct").secret_jwk()
    key = import_jwk(secret, allow_secret=True)
    assert set(key.verifiers) == {"HS256", "HS384", "HS512"}
    assert (key.kid, dict(key.jwk), key.thumbprint) == (secret["kid"], {}, "")
    assert "symmetric" in why_unusable(secret)


@pytest.mark.parametrize(
    ("length", "algorithms"), [(32, {"HS256"}), (48, {"HS256", "HS384"}), (64, {"HS256", "HS384", "HS512"})]
)
def test_a_secret_fits_the_hashes_that_are_no_longer_than_it(length: int, algorithms: set[str]) -> None:
    key = import_jwk({"kty": "oct", "k": text(b"k" * length)}, allow_secret=True)
    assert set(key.verifiers) == algorithms


@pytest.mark.parametrize("k", ["", text(b"k" * 31), "not base64url!", 1, None], ids=str)
def test_a_secret_that_is_short_or_malformed_is_unusable(k: Any) -> None:
    assert why_unusable({"kty": "oct", "k": k}, allow_secret=True)


# -- what is not taken


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kty": None}, "kty"),
        ({"kty": "rsa"}, "kty is 'rsa'"),
        ({"kty": 1}, "kty"),
        ({"use": "enc"}, "use"),
        ({"key_ops": ["sign"]}, "key_ops"),
        ({"key_ops": "sign"}, "key_ops"),
        ({"key_ops": []}, "key_ops"),
        ({"use": "SIG"}, "use"),
        ({"use": False}, "use"),
        ({"kid": 1}, "kid"),
        ({"kid": "k" * (MAX_KID_CHARACTERS + 1)}, "kid"),
        ({"alg": "RSA-OAEP"}, "alg"),
        ({"alg": "ES256"}, "alg"),
        ({"alg": "none"}, "alg"),
        ({"alg": ["RS256"]}, "alg"),
        *(({member: "AQAB"}, "private") for member in ("d", "p", "q", "dp", "dq", "qi")),
        ({"oth": []}, "private"),
        ({"n": None}, "n is missing"),
        ({"n": 5}, "n is missing"),
        ({"n": ""}, "0 bits"),
        ({"n": "AAAA"}, "0 bits"),
        ({"n": "not base64url"}, "not base64url"),
        ({"n": "é"}, "not base64url"),
        ({"e": ""}, "exponent"),
        ({"e": "AAAA"}, "exponent"),
        ({"e": uint(1)}, "exponent"),
        ({"e": uint(65536)}, "exponent"),
        ({"e": uint(2**64 + 1)}, "exponent"),
    ],
    ids=str,
)
def test_an_rsa_key_that_is_not_valid_says_why(changes: dict[str, Any], reason: str) -> None:
    assert reason in why_unusable({**KEYS["RSA"].public_jwk(), **changes})


@pytest.mark.parametrize("bits", [512, 1024, 2047, 8193, 16_384])
def test_an_rsa_key_of_another_size_is_unusable(bits: int) -> None:
    modulus = (1 << (bits - 1)) | 1
    assert f"{bits} bits" in why_unusable({"kty": "RSA", "n": uint(modulus), "e": "AQAB"})


def test_an_even_modulus_is_unusable() -> None:
    assert "even" in why_unusable({"kty": "RSA", "n": uint(1 << 2047), "e": "AQAB"})


def test_a_modulus_of_the_generator_that_can_be_factored_is_unusable() -> None:
    # For 2,048 bits that generator works modulo the product of the first 126 primes (up to 701).
    product = math.prod(number for number in range(2, 702) if all(number % d for d in range(2, number)))
    modulus = pow(65537, 12_345, product) + product * (((1 << 2047) // product) + 1)
    assert "CVE-2017-15361" in why_unusable({"kty": "RSA", "n": uint(modulus), "e": "AQAB"})
    assert import_public({"kty": "RSA", "n": uint(modulus + 2), "e": "AQAB"}).kid is None


@pytest.mark.parametrize("bits", [2048, 3072, 4096, 8192])
@pytest.mark.parametrize("exponent", [3, 17, 65537, 2**64 - 1])
def test_the_sizes_and_exponents_in_use_are_taken(bits: int, exponent: int) -> None:
    key = import_public({"kty": "RSA", "n": uint((1 << (bits - 1)) | 1), "e": uint(exponent)})
    assert set(key.verifiers) == ALGORITHMS["RSA"]


def test_a_kid_may_have_the_greatest_length() -> None:
    kid = "k" * MAX_KID_CHARACTERS
    assert import_public({**KEYS["P-256"].public_jwk(), "kid": kid}).kid == kid


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"crv": "P-384"}, "a valid EC key"),
        ({"crv": "secp256k1"}, "curve"),
        ({"crv": None}, "crv"),
        ({"x": text(b"\0" * 32)}, "a valid EC key"),
        ({"x": text(b"\xff" * 32)}, "a valid EC key"),
        ({"x": text(b"\1" * 31)}, "a valid EC key"),
        ({"x": text(b"\1" + b"\0" * 32)}, "a valid EC key"),
        ({"x": text(b"\1" * 1000)}, "a valid EC key"),
        ({"x": ""}, "a valid EC key"),
        ({"y": None}, "y is missing"),
        ({"d": "AQAB"}, "private"),
    ],
    ids=str,
)
def test_an_ec_key_that_is_not_valid_says_why(changes: dict[str, Any], reason: str) -> None:
    assert reason in why_unusable({**KEYS["P-256"].public_jwk(), **changes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"crv": "Ed448"}, "Ed25519"),
        ({"crv": "X25519"}, "Ed25519"),
        ({"x": text(b"\1" * 31)}, "32 bytes"),
        ({"x": text(b"\1" * 33)}, "32 bytes"),
        ({"x": text((2**255 - 19).to_bytes(32, "little"))}, "not canonical"),
        ({"x": text((2**255 - 19 + 3).to_bytes(32, "little"))}, "not canonical"),
        ({"d": "AQAB"}, "private"),
    ],
    ids=str,
)
def test_an_ed25519_key_that_is_not_valid_says_why(changes: dict[str, Any], reason: str) -> None:
    assert reason in why_unusable({**KEYS["Ed25519"].public_jwk(), **changes})


def test_each_point_of_small_order_is_unusable_as_jwk_and_as_pem() -> None:
    points = [edwards25519.encode(point) for point in edwards25519.points_of_small_order()]
    assert len(points) == 8
    neutral = edwards25519.encode(edwards25519.NEUTRAL)
    # The reason: under such a key this signature fits any message.
    Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), b"any message")
    for raw in points:
        assert "small order" in why_unusable({"kty": "OKP", "crv": "Ed25519", "x": text(raw)})
        with pytest.raises(UnusableKey, match="small order"):
            import_pem(public_pem(Ed25519PublicKey.from_public_bytes(raw)))


def test_no_reason_shows_a_part_of_the_key() -> None:
    published = KEYS["RSA"].public_jwk()
    for changes in ({"use": "enc"}, {"d": "secret-part"}, {"n": published["n"] + "=="}, {"e": "AAEAAA"}):
        reason = why_unusable({**published, **changes})
        assert published["n"][:20] not in reason
        assert "secret-part" not in reason


# -- PEM


@pytest.mark.parametrize(
    "private",
    [
        KEYS["RSA"].private,
        KEYS["P-256"].private,
        KEYS["Ed25519"].private,
    ],
    ids=["RSA", "EC", "Ed25519"],
)
def test_a_private_key_in_pem_is_refused_as_such(private: Any) -> None:
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(UnusableKey, match=r"^it is a private key; give only its public part$"):
        import_pem(pem)


@pytest.mark.parametrize(
    "pem",
    [
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "-----BEGIN PUBLIC KEY-----\n\ud800\n-----END PUBLIC KEY-----\n",
    ],
    ids=ascii,
)
def test_what_is_not_a_pem_key_or_certificate_is_unusable(pem: str) -> None:
    with pytest.raises(
        UnusableKey, match=r"^it is not a PEM public key or certificate(: it is a CERTIFICATE REQUEST)?$"
    ):
        import_pem(pem)


@pytest.mark.parametrize("line_end", ["\\n", "\\r\\n", "\\\\n", "\n", "\r\n", " "], ids=ascii)
@pytest.mark.parametrize("quote", ["", '"', "'"])
@each_key_type
def test_pem_is_read_whatever_became_of_its_line_ends(key_type: str, line_end: str, quote: str) -> None:
    pem = public_pem(cast("Any", KEYS[key_type].private).public_key())
    for given in (pem, certificate(key_type)):
        mangled = quote + given.replace("\n", line_end) + quote
        assert import_pem(mangled).thumbprint == import_public(KEYS[key_type].public_jwk()).thumbprint


def test_a_private_key_is_seen_behind_line_ends_that_are_written_out() -> None:
    pem = cast("Any", KEYS["RSA"].private).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(UnusableKey, match="private"):
        import_pem(pem.decode().replace("\n", "\\n"))


@pytest.mark.parametrize("label", ["X509 CRL", "CERTIFICATE REQUEST", "PKCS7", "PGP PUBLIC KEY BLOCK"])
def test_pem_of_another_kind_is_named(label: str) -> None:
    with pytest.raises(UnusableKey, match=f"certificate: it is a {label}$"):
        import_pem(f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")


def test_the_dates_of_a_certificate_are_kept_with_its_key() -> None:
    begins, ends = (dt.datetime(2020, 1, day, tzinfo=dt.UTC).timestamp() for day in (1, 2))
    assert import_pem(certificate("RSA")).valid == (begins, ends)
    assert import_pem(public_pem(cast("Any", KEYS["RSA"].private).public_key())).valid is None


def test_a_certificate_of_a_version_that_there_is_not_is_unusable() -> None:
    der = bytearray(x509.load_pem_x509_certificate(certificate("P-256").encode()).public_bytes(Encoding.DER))
    version = der.index(b"\xa0\x03\x02\x01\x02") + 4  # RFC 5280, section 4.1: 2 stands for version 3
    der[version] = 9
    pem = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
    with pytest.raises(UnusableKey, match="not a PEM"):
        import_pem(pem)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate,
        x25519.X25519PrivateKey.generate,
        lambda: dsa.generate_private_key(2048),
    ],
    ids=["secp256k1", "Ed448", "X25519", "DSA"],
)
def test_a_pem_key_of_another_kind_signs_no_tokens(make: Any) -> None:
    with pytest.raises(UnusableKey, match=r"^it is of a kind that does not sign tokens$"):
        import_pem(public_pem(make().public_key()))


def test_a_weak_rsa_key_in_pem_is_unusable() -> None:
    weak = rsa.RSAPublicNumbers(65537, (1 << 1023) | 1).public_key()
    with pytest.raises(UnusableKey, match="1024 bits"):
        import_pem(public_pem(weak))


def test_a_strangers_key_is_made_ready_for_the_one_algorithm_that_is_asked_for() -> None:
    for key_type, wanted, other in (
        ("RSA", "PS256", "ES256"),
        ("P-256", "ES256", "ES384"),
        ("Ed25519", "EdDSA", "RS256"),
    ):
        published = KEYS[key_type].public_jwk()
        assert [*import_exact_jwk(published, wanted).verifiers] == [wanted]
        assert not import_exact_jwk(published, other).verifiers, "it does not fit"
        assert import_exact_jwk(published, wanted).thumbprint == import_exact_jwk(published).thumbprint
