"""What each proxy writes into a header field, and what is read of it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from ssl import DER_cert_to_PEM_cert
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearerguard._core.certificate_field import FORMATS, thumbprint_in, thumbprint_of
from bearerguard._limits import MAX_CERTIFICATE_BYTES, MAX_CERTIFICATE_FIELD_BYTES
from tests.certificates import certificate_der, x5t_s256
from tests.proxies_writing import WRITE, byte_sequence, escaped_pem, hash_of_hop, pem_with_plain_base64

LEAF, OTHER = certificate_der("leaf.test"), certificate_der("other.test")
PEM = DER_cert_to_PEM_cert(LEAF)
BASE64 = b64encode(LEAF)
HEX = sha256(LEAF).hexdigest().encode()

at_every_format = pytest.mark.parametrize("name", FORMATS)


def numbered(names: str | tuple[str, ...], values: Sequence[Any]) -> pytest.MarkDecorator:
    """Parameters that hold certificates, which are other ones in each run: their names are their numbers."""
    return pytest.mark.parametrize(names, values, ids=[str(number) for number in range(len(values))])


def read(name: str, value: bytes) -> str:
    return thumbprint_in(value, FORMATS[name])


def sequence(length: int) -> bytes:
    """A SEQUENCE in DER, `length` bytes long as a whole."""
    return b"\x30\x82" + (length - 4).to_bytes(2) + bytes(length - 4)


# -- x5t#S256 --------------------------------------------------------------------------------------------


def test_the_thumbprint_is_the_sha256_of_the_der_as_others_compute_it() -> None:
    assert thumbprint_of(LEAF) == x5t_s256(LEAF)


# -- what each format takes ------------------------------------------------------------------------------


@at_every_format
def test_a_certificate_is_read_as_its_proxy_writes_it(name: str) -> None:
    assert read(name, WRITE[name](LEAF)) == x5t_s256(LEAF)


@numbered(
    ("name", "value"),
    [
        ("nginx", quote(PEM.replace("\n", "\r\n"), safe="").encode()),
        ("nginx", quote(PEM.rstrip("\n"), safe="").encode()),
        ("nginx", pem_with_plain_base64(LEAF)),  # a plus is a plus
        ("aws-alb", escaped_pem(LEAF)),
        ("aws-alb", pem_with_plain_base64(LEAF) + pem_with_plain_base64(OTHER)),  # in passthrough, the chain
        ("traefik", BASE64 + b"," + b64encode(OTHER)),
        ("traefik", quote(BASE64, safe="").encode()),
        ("traefik", quote(BASE64 + b"," + b64encode(OTHER), safe="").encode()),
        ("envoy", b"Hash=" + HEX),
        ("envoy", b"hash=" + HEX.upper()),
        ("envoy", b'Hash="' + HEX + b'"'),
        ("envoy", b'Cert="' + escaped_pem(LEAF) + b'"'),
        ("envoy", b"Hash=" + HEX + b';Cert="' + escaped_pem(LEAF) + b'";Chain="' + escaped_pem(OTHER) + b'"'),
        ("envoy", hash_of_hop(OTHER) + b"," + hash_of_hop(LEAF)),
        ("envoy", hash_of_hop(OTHER) + b", " + hash_of_hop(LEAF)),
        ("envoy", b"By=;Hash=" + HEX + b";URI=spiffe://a/b=c;DNS=a.test;DNS=b.test"),
        ("envoy", b'Subject="CN=\\"Hash=00\\", O=a;b";Hash=' + HEX),
    ],
)
def test_a_certificate_is_also_read_as_its_proxy_may_write_it(name: str, value: bytes) -> None:
    assert read(name, value) == x5t_s256(LEAF)


def test_of_envoys_hops_only_the_last_counts() -> None:
    assert read("envoy", hash_of_hop(LEAF) + b"," + hash_of_hop(OTHER)) == x5t_s256(OTHER)


# -- what none takes -------------------------------------------------------------------------------------

JUNK = {
    "nothing": b"",
    "a space": b" ",
    "a word": b"garbage",
    "null": b"(null)",
    "zero": b"\0",
    "not ASCII": "é".encode(),
    "a byte that is not UTF-8": b"\xff",
    "commas": b"," * 100,
    "colons": b"::",
    "quotes": b'"' * 101,
    "per cent": b"%" * 100,
    "half an escape": b"%4",
    "an escape that is not one": b"%zz",
    "a bare thumbprint": x5t_s256(LEAF).encode(),
    "a bare hash": HEX,
    "PEM on several lines": PEM.encode(),
    "PEM, folded as old nginx folds it": PEM.replace("\n", "\n\t").encode(),
    "PEM with spaces for line breaks": PEM.replace("\n", " ").encode(),
    "a key": quote(PEM.replace("CERTIFICATE", "PUBLIC KEY"), safe="").encode(),
    "PEM with text before it": quote("subject=leaf\n" + PEM, safe="").encode(),
    "PEM with text behind it": quote(PEM + "x", safe="").encode(),
    "PEM without an end": escaped_pem(LEAF)[:200],
    "empty PEM": quote("-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n", safe="").encode(),
}


@pytest.mark.parametrize("junk", JUNK)
@at_every_format
def test_what_is_not_a_certificate_is_an_error_and_never_none(name: str, junk: str) -> None:
    with pytest.raises(ValueError, match=r"^\w"):
        read(name, JUNK[junk])


@at_every_format
def test_a_field_of_more_than_16_kib_is_not_read(name: str) -> None:
    value = WRITE[name](LEAF)
    with pytest.raises(ValueError, match="too long"):
        read(name, b"A" * (MAX_CERTIFICATE_FIELD_BYTES + 1 - len(value)) + value)


def variants(certificate: bytes) -> dict[str, bytes]:
    """A certificate in DER, altered, so that another reader might see the same one in it."""
    return {
        "a byte behind it": certificate + b"\0",
        "another one behind it": certificate + OTHER,
        "a byte too few": certificate[:-1],
        "its length in more bytes than needed": b"\x30\x83\0" + certificate[2:],
        "an indefinite length": b"\x30\x80" + certificate[4:] + b"\0\0",
        "a SET": b"\x31" + certificate[1:],
        "only a tag": b"\x30",
        "a tag and a length": b"\x30\x82",
        "an empty SEQUENCE": b"\x30\x00",
        "a short length written long": b"\x30\x81\x05" + bytes(5),
        "nothing": b"",
        "too large": sequence(MAX_CERTIFICATE_BYTES + 1),
    }


@pytest.mark.parametrize("variant", variants(LEAF))
@at_every_format
def test_a_certificate_is_one_sequence_to_its_last_byte(name: str, variant: str) -> None:
    der = variants(LEAF)[variant]
    value = b"Cert=" + escaped_pem(der) if name == "envoy" else WRITE[name](der)
    with pytest.raises(ValueError, match=r"^\w"):
        read(name, value)


def test_a_certificate_may_have_8_kib_and_a_short_one_a_length_of_one_byte() -> None:
    for der in (
        sequence(MAX_CERTIFICATE_BYTES),
        b"\x30\x05" + bytes(5),
        b"\x30\x7f" + bytes(127),
        b"\x30\x81\x80" + bytes(128),
    ):
        assert read("azure", b64encode(der)) == thumbprint_of(der)


PADDED = b64encode(
    b"\x30\x05\x01\x02\x03\x04\x05"
)  # ends in one character of four bits that say nothing, and ==


@numbered(
    "value",
    [
        PADDED[:-1],
        PADDED[:-2],
        PADDED + b"=",
        PADDED + b"====",
        PADDED[:-3] + b"R==",  # the bits that say nothing say something
        b"=" + PADDED,
        b"==" + PADDED[:-2],
        b" " + PADDED,
        PADDED + b"\n",
        PADDED[:4] + b"\n" + PADDED[4:],
        PADDED.replace(b"MAUB", b"MA_B"),
        PADDED.replace(b"MAUB", b"MA-B"),
        BASE64.translate(bytes.maketrans(b"+/", b"-_")) + b"-",
    ],
)
def test_base64_is_the_one_text_of_its_bytes(value: bytes) -> None:
    assert read("azure", PADDED)
    with pytest.raises(ValueError, match=r"^\w"):
        read("azure", value)
    with pytest.raises(ValueError, match=r"^\w"):
        read("rfc9440", b":" + value + b":")


BOTH_SIGNS = b64encode(b"\x30\x04\x00\xf8\x0f\xff")  # MAQA+A//


def test_base64url_is_not_base64() -> None:
    assert read("azure", BOTH_SIGNS)
    for standard, url in ((b"+", b"-"), (b"/", b"_")):
        assert standard in BOTH_SIGNS
        with pytest.raises(ValueError, match="not base64"):
            read("azure", BOTH_SIGNS.replace(standard, url))


@numbered(
    "value",
    [
        BASE64,
        b":" + BASE64,
        BASE64 + b":",
        b":" + BASE64 + b"x",
        b"x" + BASE64 + b":",
        b":",
        byte_sequence(LEAF) + b";a=1",
        byte_sequence(LEAF) + b";a",
        byte_sequence(LEAF) + b"," + byte_sequence(LEAF),
        byte_sequence(LEAF) + b"," + byte_sequence(OTHER),
        byte_sequence(OTHER) + byte_sequence(LEAF),
        b"(" + byte_sequence(LEAF) + b")",
        b'"' + BASE64 + b'"',
        b"cert=" + byte_sequence(LEAF),
    ],
)
@pytest.mark.parametrize("name", ["rfc9440", "haproxy", "caddy"])
def test_a_byte_sequence_is_one_item_without_parameters(name: str, value: bytes) -> None:
    with pytest.raises(ValueError, match=r"^\w"):
        read(name, value)


@numbered(
    "value",
    [
        escaped_pem(LEAF) * 2,
        escaped_pem(LEAF) + escaped_pem(OTHER),
        escaped_pem(LEAF) + b"," + escaped_pem(OTHER),
        escaped_pem(LEAF).replace(b"%2B", b"%20").replace(b"%0A", b"+"),
        quote(PEM.replace("+", " ") + " ", safe="").encode(),
        quote(escaped_pem(LEAF), safe="").encode(),  # escaped twice
    ],
)
def test_nginx_writes_one_certificate_escaped_once(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"^\w"):
        read("nginx", value)


@numbered(
    "value",
    [
        b"By=a",
        b'Subject="CN=a"',
        b"Hash=",
        b"Hash=" + HEX[:-1],
        b"Hash=" + HEX + b"0",
        b"Hash=g" + HEX[1:],
        b"Hash=" + x5t_s256(LEAF).encode(),
        b"Hash=" + HEX + b";Hash=" + HEX,
        b"Hash=" + HEX + b";hash=" + sha256(OTHER).hexdigest().encode(),
        b"Hash=" + HEX + b';Cert="' + escaped_pem(OTHER) + b'"',
        b"Hash=" + HEX + b';Cert="garbage"',
        b"Hash=" + HEX + b";Cert=",
        b"Hash=" + HEX + b";",
        b"Hash=" + HEX + b",",
        b";Hash=" + HEX,
        b",Hash=" + HEX,
        b"Hash =" + HEX,
        b"Hash: " + HEX,
        b"Hash=" + HEX + b' "',
        b'Hash="' + HEX,
        b'Hash="' + HEX + b'"x',
        b"Hash=" + HEX + b";By",
        b'By="a"xHash=' + HEX,
        b'By="a" Hash=' + HEX,
        b"Hash=" + HEX + b";=a",
        b"Hash=" + HEX + b"\t",
        hash_of_hop(LEAF) + b",By=a",  # our neighbour was shown none
        hash_of_hop(LEAF) + b",",
    ],
)
def test_envoys_last_hop_has_one_certificate_or_none_is_read(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"^\w"):
        read("envoy", value)


@numbered(
    "earlier",
    [
        b'Subject="',
        b'Subject="CN=a\\',
        b'Subject="a"b',
        b"Hash=" + HEX + b';Subject="a,',
        b'URI=a"',
        b"\\",
        b'"',
        b"=",
    ],
)
def test_a_quote_that_an_earlier_hop_left_open_swallows_nothing(earlier: bytes) -> None:
    with pytest.raises(ValueError, match=r"^\w"):
        read("envoy", earlier + b"," + hash_of_hop(OTHER))


@pytest.mark.parametrize("name", ["rfc9440", "nginx", "haproxy", "caddy", "aws-alb", "azure"])
def test_a_comma_means_two_fields(name: str) -> None:
    for joined in (b",", b", "):
        with pytest.raises(ValueError, match=r"^\w"):
            read(name, WRITE[name](LEAF) + joined + WRITE[name](LEAF))


@at_every_format
@given(st.binary(max_size=200))
def test_whatever_a_field_holds_it_is_a_thumbprint_or_an_error(name: str, value: bytes) -> None:
    with suppress(ValueError):
        assert len(read(name, value)) == 43


@given(st.binary(max_size=100), st.binary(max_size=100))
@at_every_format
def test_nothing_put_around_a_certificate_makes_another_of_it(
    name: str, before: bytes, behind: bytes
) -> None:
    try:
        found = read(name, before + WRITE[name](LEAF) + behind)
    except ValueError:
        return
    assert found == x5t_s256(LEAF)
