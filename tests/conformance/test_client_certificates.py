"""Tokens that are bound to a client certificate (RFC 8705), at every door."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ClientCertificate, DPoP, ResourceServer
from bearerguard import bound as is_bound
from bearerguard.testing import Issuer
from tests.certificates import certificate_der, certificate_pem, x5t_s256
from tests.conformance.test_metadata import RESOURCE, WELL_KNOWN
from tests.doors_under_test.door import Door
from tests.doors_under_test.doors import OF_HTTP, at, at_every_http_door, at_every_http_guard
from tests.doors_under_test.exchange import Answer, Fields
from tests.proxies_writing import WRITE

LEAF, OTHER = certificate_der("leaf.test"), certificate_der("other.test")
PROXY = "10.0.0.5"
FIELD = (b"Ssl-Client-Cert", WRITE["nginx"](LEAF))


def server_with(issuer: Issuer, source: ClientCertificate | None) -> ResourceServer:
    return ResourceServer(issuer.provider(keys=issuer.jwks()), clock=issuer.clock, certificate=source)


@pytest.fixture(scope="module")
def behind_nginx(issuer: Issuer) -> ResourceServer:
    return server_with(issuer, ClientCertificate.from_proxy("nginx", peers=["10.0.0.0/8"]))


@pytest.fixture(scope="module")
def bound(issuer: Issuer) -> str:
    return issuer.token("ada", cnf={"x5t#S256": x5t_s256(LEAF)})


def assert_refused(answer: Answer, because: str) -> None:
    assert (answer.status, answer.challenge["error"]) == (401, "invalid_token")
    assert because in answer.challenge["error_description"]


@at_every_http_door
def test_the_certificate_that_the_token_is_bound_to_gets_in(
    door: Door, behind_nginx: ResourceServer, bound: str
) -> None:
    answer = door.open(behind_nginx).get(bound, fields=[FIELD], peer=PROXY)
    assert (answer.status, answer.json) == (200, {"subject": "ada"})


REFUSED: dict[str, tuple[Fields, str | None, str]] = {
    "none": ([], PROXY, "none was shown"),
    "another": ([(b"Ssl-Client-Cert", WRITE["nginx"](OTHER))], PROXY, "another"),
    "garbage": ([(b"Ssl-Client-Cert", b"garbage")], PROXY, "cannot be read"),
    "empty": ([(b"Ssl-Client-Cert", b"")], PROXY, "cannot be read"),
    "twice": ([FIELD, FIELD], PROXY, "cannot be read"),
    "and another": ([FIELD, (b"ssl-client-cert", WRITE["nginx"](OTHER))], PROXY, "cannot be read"),
    "in a field of another name": ([(b"Client-Cert", FIELD[1])], PROXY, "none was shown"),
    "from a stranger": ([FIELD], "203.0.113.9", "none was shown"),
    "from a Unix socket": ([FIELD], None, "none was shown"),
    "from a peer that the request names": (
        [FIELD, (b"X-Forwarded-For", b"10.0.0.5")],
        PROXY,
        "none was shown",
    ),
    "forwarded for the peer": ([FIELD, (b"Forwarded", b'for="10.0.0.5:80"')], PROXY, "none was shown"),
}


@pytest.mark.parametrize("way", REFUSED)
@at_every_http_door
def test_any_other_and_what_a_client_could_have_written_does_not(
    door: Door, way: str, behind_nginx: ResourceServer, bound: str
) -> None:
    fields, peer, because = REFUSED[way]
    opened = door.open(behind_nginx)
    assert_refused(opened.get(bound, fields=fields, peer=peer), because)
    assert opened.api.entered == []


@at_every_http_door
def test_each_request_is_asked_for_it_and_none_opens_the_way_for_the_next(
    door: Door, behind_nginx: ResourceServer, bound: str
) -> None:
    opened = door.open(behind_nginx)
    statuses = [
        opened.get(bound, fields=fields, peer=PROXY).status for fields in ([], [FIELD], [], [FIELD], [])
    ]
    assert statuses == [401, 200, 401, 200, 401]


@at_every_http_door
def test_a_unix_socket_is_believed_where_it_is_configured(door: Door, issuer: Issuer, bound: str) -> None:
    opened = door.open(server_with(issuer, ClientCertificate.from_proxy("nginx", peers="unix")))
    assert opened.get(bound, fields=[FIELD], peer=None).status == 200
    assert opened.get(bound, fields=[FIELD], peer=PROXY).status == 401


@at_every_http_door
def test_the_certificate_of_a_server_that_ends_tls_counts_where_it_is_configured(
    door: Door, issuer: Issuer, behind_nginx: ResourceServer
) -> None:
    pem = certificate_pem()
    from ssl import PEM_cert_to_DER_cert

    token = issuer.token(cnf={"x5t#S256": x5t_s256(PEM_cert_to_DER_cert(pem))})
    opened = door.open(server_with(issuer, ClientCertificate.from_tls()))
    assert opened.get(token, certificate=pem).status == 200
    assert_refused(opened.get(token, certificate=certificate_pem()), "another")
    assert_refused(opened.get(token, certificate="garbage"), "cannot be read")
    assert_refused(opened.get(token, fields=[FIELD], peer=PROXY), "none was shown")
    assert_refused(door.open(behind_nginx).get(token, certificate=pem, peer=PROXY), "none was shown")


COMMAS = {
    "envoy": (b"X-Forwarded-Client-Cert", WRITE["envoy"](OTHER), WRITE["envoy"](LEAF)),
    "traefik": (b"X-Forwarded-Tls-Client-Cert", WRITE["traefik"](LEAF), WRITE["traefik"](OTHER)),
}


@pytest.mark.parametrize("name", COMMAS)
@at_every_http_door
def test_of_a_list_the_certificate_counts_that_the_proxy_saw(
    door: Door, name: Any, issuer: Issuer, bound: str
) -> None:
    """Envoy's last hop, Traefik's first certificate; two fields are told apart where they can be."""
    opened = door.open(server_with(issuer, ClientCertificate.from_proxy(name, peers=PROXY)))
    header, *parts = COMMAS[name]
    assert opened.get(bound, fields=[(header, b",".join(parts))], peer=PROXY).status == 200
    assert_refused(opened.get(bound, fields=[(header, b",".join(parts[::-1]))], peer=PROXY), "another")
    two = opened.get(bound, fields=[(header, part) for part in parts[::-1]], peer=PROXY)
    assert_refused(two, "another" if door.joins_fields else "cannot be read")


@at_every_http_door
def test_an_opaque_token_may_be_bound_too_by_what_its_provider_answers(
    door: Door, own_issuer: Issuer
) -> None:
    source = ClientCertificate.from_proxy("nginx", peers=PROXY)
    provider = own_issuer.provider(introspection=True)
    opened = door.open(ResourceServer(provider, clock=own_issuer.clock, certificate=source))
    token = own_issuer.opaque_token("ada", cnf={"x5t#S256": x5t_s256(LEAF)})
    for _ in range(2):  # asked about, and remembered
        assert opened.get(token, fields=[FIELD], peer=PROXY).json == {"subject": "ada"}
        assert_refused(opened.get(token, peer=PROXY), "none was shown")
        assert_refused(opened.get(token, fields=[FIELD], peer="203.0.113.9"), "none was shown")


@at_every_http_door
def test_without_a_source_the_token_is_refused_as_before(door: Door, issuer: Issuer, bound: str) -> None:
    opened = door.open(server_with(issuer, None))
    assert_refused(opened.get(bound, fields=[FIELD], peer=PROXY), "cannot be used as Bearer")


@at_every_http_door
def test_a_token_that_is_not_bound_gets_in_whatever_the_field_holds(
    door: Door, issuer: Issuer, behind_nginx: ResourceServer
) -> None:
    opened = door.open(behind_nginx)
    for fields in ([], [FIELD], [(b"Ssl-Client-Cert", b"garbage")], [FIELD, FIELD]):
        assert opened.get(issuer.token(), fields=fields, peer="203.0.113.9").status == 200


@pytest.mark.parametrize("thumbprint", [1, None, [], "", "x", x5t_s256(LEAF) + "="], ids=str)
@at_every_http_door
def test_a_thumbprint_of_a_wrong_type_or_length_is_a_malformed_claim(
    door: Door, thumbprint: Any, issuer: Issuer, behind_nginx: ResourceServer
) -> None:
    token = issuer.token(cnf={"x5t#S256": thumbprint})
    assert_refused(door.open(behind_nginx).get(token, fields=[FIELD], peer=PROXY), "'cnf' claim is malformed")


@at_every_http_guard
def test_a_rule_can_ask_for_a_token_that_is_bound_to_a_certificate(
    door: Door, issuer: Issuer, behind_nginx: ResourceServer, bound: str
) -> None:
    opened = door.open(behind_nginx, is_bound("mtls"))
    assert opened.get(bound, fields=[FIELD], peer=PROXY).status == 200
    assert_refused(opened.get(issuer.token(), fields=[FIELD], peer=PROXY), "not bound as it has to be")
    dpop_only = door.open(behind_nginx, is_bound("dpop"))
    assert_refused(dpop_only.get(bound, fields=[FIELD], peer=PROXY), "not bound as it has to be")


@at_every_http_guard
def test_where_dpop_is_required_a_certificate_does_not_replace_it(
    door: Door, issuer: Issuer, bound: str
) -> None:
    source = ClientCertificate.from_proxy("nginx", peers=PROXY)
    provider = issuer.provider(keys=issuer.jwks())
    server = ResourceServer(
        provider, clock=issuer.clock, resource=RESOURCE, dpop=DPoP(required=True), certificate=source
    )
    answer = door.open(server).get(bound, fields=[FIELD], peer=PROXY)
    assert answer.status == door.without_credentials
    assert answer.one("www-authenticate").startswith("DPoP ")
    assert "error" not in answer.one("www-authenticate")


@at([door for door in OF_HTTP if door.has_websockets])
def test_a_websocket_is_opened_with_the_certificate_and_not_without(
    door: Door, behind_nginx: ResourceServer, bound: str
) -> None:
    opened = door.open(behind_nginx)
    assert opened.websocket(bound, fields=[FIELD], peer=PROXY).status == 101
    for fields, peer, _ in REFUSED.values():
        assert opened.websocket(bound, fields=fields, peer=peer).status == 403


@at_every_http_guard
def test_the_metadata_say_that_tokens_may_be_bound_to_certificates(
    door: Door, server: ResourceServer, behind_nginx: ResourceServer
) -> None:
    member = "tls_client_certificate_bound_access_tokens"
    assert door.open(behind_nginx, resource=RESOURCE).get(path=WELL_KNOWN).json[member] is True
    assert member not in door.open(server, resource=RESOURCE).get(path=WELL_KNOWN).json
