"""Whether a request came with the certificate that its token is bound to (RFC 8705, section 3)."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ClientCertificate, InvalidToken, Request
from bearerguard._flows.certificate import PEER_FORWARDED, PEER_UNKNOWN, prove_certificate
from bearerguard._limits import MAX_FORWARDED_BYTES
from tests.certificates import certificate_der, x5t_s256
from tests.proxies_writing import WRITE

LEAF, OTHER = certificate_der("leaf.test"), certificate_der("other.test")
PROXY = "10.0.0.5"
NGINX = ClientCertificate.from_proxy("nginx", peers=["10.0.0.0/8", "2001:db8::/32"])
FIELD = ("Ssl-Client-Cert", WRITE["nginx"](LEAF).decode())


class View:
    """A door's view of a request: it knows no `url`."""

    url = None
    target = b"/"
    method = "GET"
    mount = ""
    notes = None
    route = None

    def __init__(self, *fields: tuple[str, str], peer: str | None = PROXY, certificate: Any = None) -> None:
        self._fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
        self.peer = peer
        self._certificate = certificate

    @property
    def certificate(self) -> bytes | None:
        if isinstance(self._certificate, Exception):
            raise self._certificate
        found: bytes | None = self._certificate
        return found

    def values(self, name: bytes) -> list[bytes]:
        return [value for field, value in self._fields if field == name]


def prove(
    request: View | Request, source: ClientCertificate | None = NGINX, bound_to: Any = None
) -> InvalidToken | None:
    """The refusal of a request with a token that is bound to the leaf; None where it is let in."""
    try:
        prove_certificate(x5t_s256(LEAF) if bound_to is None else bound_to, request, source)
    except InvalidToken as refusal:
        return refusal
    return None


def reason(*arguments: Any, **named: Any) -> str | None:
    refusal = prove(*arguments, **named)
    return None if refusal is None else refusal.reason


# -- the certificate -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITE)
def test_the_certificate_that_the_token_is_bound_to_gets_in(name: Any) -> None:
    source = ClientCertificate.from_proxy(name, peers=PROXY)
    assert source.header is not None
    assert reason(View((source.header, WRITE[name](LEAF).decode())), source) is None
    assert reason(View((source.header, WRITE[name](OTHER).decode())), source) == "certificate"
    assert reason(View(), source) == "certificate_missing"
    assert reason(View((source.header, "")), source) == "certificate"


def test_a_mismatch_and_none_at_all_are_both_401_invalid_token() -> None:
    for request in (
        View(),
        View(("Ssl-Client-Cert", WRITE["nginx"](OTHER).decode())),
        View(("Ssl-Client-Cert", "x")),
    ):
        refusal = prove(request)
        assert refusal is not None
        assert (refusal.status, refusal.code) == (401, "invalid_token")


def test_a_malformed_thumbprint_is_an_invalid_claim() -> None:
    for request in (View(FIELD), View(), Request("GET", "https://api.test/", certificate=LEAF)):
        assert reason(request, bound_to="") == "invalid_claim"


def test_without_a_source_a_bound_token_is_refused_as_bearer_whatever_the_request_says() -> None:
    request = View(FIELD, ("Client-Cert", WRITE["rfc9440"](LEAF).decode()), certificate=LEAF)
    assert reason(request, None) == "sender_constrained"


def test_a_field_of_another_name_is_not_read() -> None:
    for name in ("Client-Cert", "X-Ssl-Client-Cert", "Ssl_Client_Cert", "Ssl-Client-Cert-"):
        assert reason(View((name, FIELD[1]))) == "certificate_missing"


@pytest.mark.parametrize(
    "second", [FIELD[1], WRITE["nginx"](OTHER).decode(), ""], ids=["same", "other", "empty"]
)
def test_exactly_one_field_of_the_name_counts(second: str) -> None:
    assert reason(View(FIELD, ("ssl-client-cert", second))) == "certificate"
    assert reason(View(("ssl-client-cert", second), FIELD)) == "certificate"


# -- TLS itself ------------------------------------------------------------------------------------------


def test_from_tls_the_certificate_of_the_connection_counts_and_no_header() -> None:
    source = ClientCertificate.from_tls()
    fields = [("Client-Cert", WRITE["rfc9440"](LEAF).decode()), FIELD]
    assert reason(View(certificate=LEAF), source) is None
    assert reason(View(certificate=OTHER), source) == "certificate"
    assert reason(View(*fields), source) == "certificate_missing"
    assert reason(View(*fields, certificate=OTHER), source) == "certificate"


def test_what_a_server_hands_over_and_is_not_a_certificate_is_an_unreadable_one() -> None:
    assert reason(View(certificate=ValueError("not PEM")), ClientCertificate.from_tls()) == "certificate"


def test_from_a_proxy_the_certificate_of_its_own_connection_does_not_count() -> None:
    assert reason(View(certificate=LEAF)) == "certificate_missing"


# -- a request that a program describes ------------------------------------------------------------------


@pytest.mark.parametrize("source", [None, ClientCertificate.from_tls(), NGINX], ids=["none", "tls", "proxy"])
def test_a_request_of_a_program_carries_its_certificate_itself(source: ClientCertificate | None) -> None:
    assert reason(Request("GET", "https://api.test/", certificate=LEAF), source) is None
    assert (
        reason(Request("GET", "https://api.test/", [FIELD], certificate=OTHER, peer=PROXY), source)
        == "certificate"
    )


def test_a_request_of_a_program_without_one_is_judged_like_a_doors() -> None:
    assert reason(Request("GET", "https://api.test/", [FIELD], peer=PROXY)) is None
    assert reason(Request("GET", "https://api.test/", [FIELD])) == "certificate_missing"
    assert reason(Request("GET", "https://api.test/"), ClientCertificate.from_tls()) == "certificate_missing"
    assert reason(Request("GET", "https://api.test/"), None) == "sender_constrained"


# -- who is believed -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "peer", ["10.0.0.5", "10.255.255.255", "::ffff:10.0.0.5", "2001:db8::1", "2001:db8::1%eth0"]
)
def test_a_peer_of_the_given_networks_is_believed(peer: str) -> None:
    assert reason(View(FIELD, peer=peer)) is None


@pytest.mark.parametrize(
    "peer", ["11.0.0.1", "9.255.255.255", "2001:db9::", "::1", "testclient", "", "10.0.0", None]
)
def test_anybody_elses_field_counts_as_if_it_were_absent(peer: str | None) -> None:
    refusal = prove(View(FIELD, peer=peer))
    assert refusal is not None
    assert (refusal.reason, refusal.hint) == ("certificate_missing", PEER_UNKNOWN)


def test_what_a_stranger_sends_is_not_even_read() -> None:
    assert reason(View(("Ssl-Client-Cert", "garbage"), peer="203.0.113.9")) == "certificate_missing"


def test_a_unix_socket_is_believed_only_where_it_is_configured() -> None:
    unix = ClientCertificate.from_proxy("nginx", peers="unix")
    assert reason(View(FIELD, peer=None), unix) is None
    assert reason(View(FIELD, peer=PROXY), unix) == "certificate_missing"
    assert reason(View(FIELD, peer=None)) == "certificate_missing"


FORWARDED = [
    ("X-Forwarded-For", "10.0.0.5"),
    ("X-Forwarded-For", "10.0.0.5, 203.0.113.9"),
    ("X-Forwarded-For", "203.0.113.9,10.0.0.5:4711"),
    ("X-Forwarded-For", "[10.0.0.5]:1"),
    ("X-Forwarded-For", "::ffff:10.0.0.5"),
    ("X-Forwarded-For", "[::ffff:a00:5]:443"),
    ("X-Forwarded-For", '"10.0.0.5"'),
    ("X-Forwarded-For", '"10.0\\.0.5"'),
    ("X-Forwarded-For", '"10.0.0.5'),
    ("X-Forwarded-For", "\x8510.0.0.5\xa0"),
    ("X-Forwarded-For", "1" * MAX_FORWARDED_BYTES + "1"),
    ("Forwarded", "for=10.0.0.5"),
    ("Forwarded", 'proto=https;For="10.0.0.5:80", for=203.0.113.9'),
    ("Forwarded", "for = 10.0.0.5"),
    ("Forwarded", 'by="x;for=10.0.0.5"'),
]


@pytest.mark.parametrize("field", FORWARDED, ids=[str(number) for number in range(len(FORWARDED))])
def test_a_peer_whose_address_the_request_names_too_is_not_believed(field: tuple[str, str]) -> None:
    refusal = prove(View(FIELD, field))
    assert refusal is not None
    assert (refusal.reason, refusal.hint) == ("certificate_missing", PEER_FORWARDED)


def test_where_the_server_has_taken_the_clients_address_for_its_peers_the_hint_says_so() -> None:
    refusal = prove(View(FIELD, ("X-Forwarded-For", "203.0.113.9"), peer="203.0.113.9"))
    assert refusal is not None
    assert refusal.hint is not None
    assert "--no-proxy-headers" in refusal.hint


def test_a_proxy_may_say_for_whom_it_asks_and_who_it_is() -> None:
    said = [
        ("X-Forwarded-For", "203.0.113.9, 10.0.0.55, 110.0.0.5, 10.0.0.5.9, unknown"),
        ("Forwarded", 'for=203.0.113.9;by=10.0.0.5, for=_x;by="10.0.0.5:80", for=unknown; By = 10.0.0.5'),
        ("X-Real-Ip", "203.0.113.9"),
    ]
    assert reason(View(FIELD, *said)) is None


def test_a_request_without_the_field_gets_no_hint() -> None:
    refusal = prove(View(("X-Forwarded-For", PROXY)))
    assert refusal is not None
    assert (refusal.reason, refusal.hint) == ("certificate_missing", None)
