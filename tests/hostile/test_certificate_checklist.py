"""RFC 8705 as a list: each sentence about a client's certificate is a test, at doors of ASGI and of WSGI.

How each proxy writes a certificate is in `tests/core/test_certificate_field.py`; what every door does in
`tests/conformance/test_client_certificates.py`. Here is what the client is answered.
"""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from hashlib import sha1, sha256
from ssl import PEM_cert_to_DER_cert
from typing import Any

import pytest

from bearerguard import ClientCertificate, InvalidToken, ResourceServer
from bearerguard.testing import Issuer
from tests import proofs
from tests.certificates import certificate_der, certificate_pem, x5t_s256
from tests.doors_under_test.door import Door, Opened
from tests.doors_under_test.doors import at
from tests.doors_under_test.exchange import Answer
from tests.doors_under_test.plain_doors import PlainASGI, PlainWSGI
from tests.hostile import minting
from tests.proxies_writing import WRITE

AT_BOTH = at([PlainASGI(), PlainWSGI()])
PROXY = "10.0.0.5"
NGINX = ClientCertificate.from_proxy("nginx", peers=PROXY)
LEAF, OTHER = certificate_der("leaf.test"), certificate_der("other.test")
TOKEN = minting.token(cnf={"x5t#S256": x5t_s256(LEAF)})
REFUSED = (401, "invalid_token")


def opened_at(door: Door, source: ClientCertificate | None = NGINX) -> Opened:
    return door.open(proofs.server(certificate=source, resource="https://api.test"))


def ask(
    opened: Opened, *values: bytes, token: str = TOKEN, name: str = "Ssl-Client-Cert", **more: Any
) -> Answer:
    fields = [*more.pop("fields", ()), *((name.encode(), value) for value in values)]
    return opened.get(token, path="/orders", fields=fields, **{"peer": PROXY, **more})


def said(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["error"]


def hashed(der: bytes) -> str:
    """What names something that is not a certificate to whoever reads more of it than its length."""
    return urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode()


def shown(certificate: bytes) -> bytes:
    return WRITE["nginx"](certificate)


@AT_BOTH
def test_m1_another_certificate_and_none_at_all_are_401_invalid_token(door: Door) -> None:
    opened = opened_at(door)
    assert ask(opened, shown(LEAF)).status == 200
    assert said(ask(opened, shown(OTHER))) == said(ask(opened)) == REFUSED


@AT_BOTH
def test_m2_the_thumbprint_is_43_characters_of_base64url(door: Door) -> None:
    opened, good = opened_at(door), x5t_s256(LEAF)
    for bad in (good + "=", good[:-1], good.upper(), "", None, 7, [good], b64encode(LEAF).decode()):
        token = minting.token(cnf={"x5t#S256": bad})
        assert said(ask(opened, shown(LEAF), token=token)) == REFUSED
    for malformed in (good + "=", good[:-1], "", None, 7):
        answer = ask(opened, shown(LEAF), token=minting.token(cnf={"x5t#S256": malformed}))
        assert "'cnf' claim is malformed" in answer.json["message"]


@AT_BOTH
def test_m3_the_answer_about_an_opaque_token_names_it_too(door: Door) -> None:
    issuer = Issuer()
    provider = issuer.provider(introspection=True)
    opened = door.open(ResourceServer(provider, clock=issuer.clock, certificate=NGINX))
    token = issuer.opaque_token("ada", cnf={"x5t#S256": x5t_s256(LEAF)})
    assert ask(opened, shown(LEAF), token=token).status == 200
    assert said(ask(opened, shown(OTHER), token=token)) == REFUSED


@AT_BOTH
def test_m4_the_scheme_is_bearer_and_without_a_source_the_token_is_refused(door: Door) -> None:
    opened = opened_at(door)
    credentials = [(b"Authorization", f"DPoP {TOKEN}".encode()), (b"DPoP", proofs.proof(TOKEN).encode())]
    field = (b"Ssl-Client-Cert", shown(LEAF))
    assert said(opened.get(path="/orders", fields=[*credentials, field], peer=PROXY)) == REFUSED
    answer = ask(opened_at(door, None), shown(LEAF))
    assert (said(answer), answer.json["message"]) == (
        REFUSED,
        "The token is bound to a key, and cannot be used as Bearer.",
    )


@AT_BOTH
def test_m5_only_the_leaf_counts_and_only_its_sha256(door: Door) -> None:
    source = ClientCertificate.from_proxy("aws-alb", header="X-Amzn-Mtls-Clientcert", peers=PROXY)
    opened, write = opened_at(door, source), WRITE["aws-alb"]
    name = "X-Amzn-Mtls-Clientcert"
    assert ask(opened, write(LEAF) + write(OTHER), name=name).status == 200
    assert said(ask(opened, write(OTHER) + write(LEAF), name=name)) == REFUSED
    old = minting.token(cnf={"x5t": b64encode(sha1(LEAF, usedforsecurity=False).digest()).decode()})
    assert said(ask(opened_at(door), shown(LEAF), token=old)) == REFUSED
    ended = minting.token(cnf={"x5t#S256": hashed(b"0\x01\x00")})  # neither names nor dates are read
    assert ask(opened_at(door), shown(b"0\x01\x00"), token=ended).status == 200


@AT_BOTH
def test_m6_a_token_bound_to_a_key_and_a_certificate_has_to_prove_both(door: Door) -> None:
    both = minting.token(cnf={"jkt": proofs.thumbprint(proofs.KEY), "x5t#S256": x5t_s256(LEAF)})
    opened = opened_at(door)

    def status(*sent: tuple[bytes, bytes], scheme: str = "DPoP") -> int:
        fields = [(b"Authorization", f"{scheme} {both}".encode()), *sent]
        return opened.get(path="/orders", fields=fields, peer=PROXY).status

    def proof() -> tuple[bytes, bytes]:
        return b"DPoP", proofs.proof(both).encode()

    certificate = (b"Ssl-Client-Cert", shown(LEAF))
    assert status(proof(), certificate) == 200
    assert [status(proof()), status(certificate), status(proof(), certificate, scheme="Bearer")] == [401] * 3


@AT_BOTH
def test_m7_the_metadata_say_so(door: Door) -> None:
    document = opened_at(door).get(path="/.well-known/oauth-protected-resource").json
    assert document["tls_client_certificate_bound_access_tokens"] is True


@AT_BOTH
def test_m8_the_certificate_is_read_for_each_request(door: Door) -> None:
    opened = opened_at(door)
    sent = [(), (shown(LEAF),), (), (shown(OTHER),), (shown(LEAF),)]
    assert [ask(opened, *values).status for values in sent] == [401, 200, 401, 401, 200]


@AT_BOTH
def test_m9_a_header_counts_only_from_a_peer_that_is_configured(door: Door) -> None:
    opened = opened_at(door)
    for peer in ("10.0.0.6", "203.0.113.9", None):
        assert "none was shown" in ask(opened, shown(LEAF), peer=peer).json["message"]
    forwarded = [(b"X-Forwarded-For", b"203.0.113.9, 10.0.0.5")]
    assert "none was shown" in ask(opened, shown(LEAF), fields=forwarded).json["message"]
    on_a_socket = opened_at(door, ClientCertificate.from_proxy("nginx", peers="unix"))
    assert ask(on_a_socket, shown(LEAF), peer=None).status == 200
    assert said(ask(on_a_socket, shown(LEAF))) == REFUSED


@AT_BOTH
def test_m10_exactly_one_field_and_what_cannot_be_read_is_never_none(door: Door) -> None:
    opened = opened_at(door)
    for values in ((shown(LEAF), shown(LEAF)), (b"",), (b"(null)",), (shown(LEAF)[:-9],)):
        answer = ask(opened, *values)
        assert (said(answer), answer.json["message"]) == (REFUSED, "The client certificate cannot be read.")


@AT_BOTH
def test_m11_a_field_has_16_kib_and_a_certificate_8_kib_to_its_last_byte(door: Door) -> None:
    longest = b"\x30\x82" + (8192 - 4).to_bytes(2) + bytes(8192 - 4)
    longer = b"\x30\x82" + (8192 - 3).to_bytes(2) + bytes(8192 - 3)
    source = ClientCertificate.from_proxy("azure", peers=PROXY)
    opened, name = opened_at(door, source), "X-ARR-ClientCert"
    for der, status in ((longest, 200), (longer, 401), (LEAF + b"\0", 401), (LEAF[:-1], 401)):
        token = minting.token(cnf={"x5t#S256": hashed(der)})
        assert ask(opened, b64encode(der), token=token, name=name).status == status
    assert said(ask(opened, b64encode(LEAF) + b"A" * 16384, name=name)) == REFUSED
    assert said(ask(opened, b64encode(LEAF).replace(b"=", b"") + b"!", name=name)) == REFUSED
    assert said(ask(opened_at(door), shown(LEAF) * 2)) == REFUSED, "two certificates in one PEM"


def test_m12_where_a_server_takes_an_underscore_for_a_hyphen_two_fields_are_none_to_believe() -> None:
    """What the client sent as `Ssl_Client_Cert` stands beside what the proxy wrote, joined by a comma."""
    opened = opened_at(PlainWSGI())
    for both in ((shown(OTHER), shown(LEAF)), (shown(LEAF), shown(OTHER)), (shown(LEAF), b"")):
        answer = ask(opened, b",".join(both))
        assert answer.json["message"] == "The client certificate cannot be read."
    assert said(ask(opened_at(PlainASGI()), shown(LEAF), name="Ssl_Client_Cert")) == REFUSED


@AT_BOTH
def test_the_list_goes_on_where_the_server_itself_ends_tls(door: Door) -> None:
    pem = certificate_pem()
    token = minting.token(cnf={"x5t#S256": x5t_s256(PEM_cert_to_DER_cert(pem))})
    opened = opened_at(door, ClientCertificate.from_tls())
    assert ask(opened, token=token, certificate=pem).status == 200
    assert said(ask(opened, token=token, certificate=certificate_pem())) == REFUSED
    assert said(ask(opened, shown(PEM_cert_to_DER_cert(pem)), token=token)) == REFUSED


def test_and_where_it_is_about_programs() -> None:
    """With only a token, nothing can be proven."""
    with pytest.raises(InvalidToken):
        proofs.server(certificate=NGINX).verify(TOKEN)
