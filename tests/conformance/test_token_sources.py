"""Tokens that come elsewhere than in `Authorization`, at every guard."""

from __future__ import annotations

import pytest

from bearerguard import ConfigurationError, Cookie, Header, Provider, ResourceServer
from bearerguard.testing import Issuer
from tests.doors_under_test.door import Door
from tests.doors_under_test.doors import at_every_guard, at_every_http_guard
from tests.doors_under_test.exchange import Fields

RESOURCE = "https://api.test/v1"


@pytest.fixture(scope="module")
def elsewhere(issuer: Issuer, gateway: Issuer) -> ResourceServer:
    """Trusts the issuer in a cookie and a gateway in a header of its own."""
    return ResourceServer(
        issuer.provider(keys=issuer.jwks(), source=Cookie("access_token")),
        gateway.provider(keys=gateway.jwks(), source=Header("X-Gateway-Token")),
        resource=RESOURCE,
    )


@pytest.fixture(scope="module")
def gateway() -> Issuer:
    return Issuer("https://gateway.test")


def cookie(token: str) -> Fields:
    return [(b"Cookie", b"theme=dark; access_token=" + token.encode())]


def header(token: str) -> Fields:
    return [(b"X-Gateway-Token", token.encode())]


@at_every_http_guard
def test_a_token_is_accepted_in_its_providers_place_and_nowhere_else(
    door: Door, issuer: Issuer, gateway: Issuer, elsewhere: ResourceServer
) -> None:
    opened = door.open(elsewhere)
    # Where a door is asked by POST, a cookie needs it.
    sign = [(b"Sec-Fetch-Site", b"same-origin")]
    assert opened.get(fields=[*cookie(issuer.token("ada")), *sign]).json == {"subject": "ada"}
    assert opened.get(fields=header(gateway.token("eve"))).json == {"subject": "eve"}
    for fields in (cookie(gateway.token()), header(issuer.token())):
        assert opened.get(fields=[*fields, *sign]).status == 401
    for token in (issuer.token(), gateway.token()):
        assert opened.get(token).status == 401  # nobody's place is `Authorization`
    assert len(opened.api.entered) == 2


@at_every_guard
def test_two_tokens_in_one_request_are_a_400(
    door: Door, issuer: Issuer, gateway: Issuer, elsewhere: ResourceServer
) -> None:
    opened = door.open(elsewhere)
    answer = opened.get(fields=[*cookie(issuer.token()), *header(gateway.token())])
    assert (answer.status, answer.challenge["error"]) == (400, "invalid_request")
    assert opened.api.entered == []


@at_every_guard
def test_with_a_cookie_an_unsafe_method_needs_a_sign_of_the_same_origin(
    door: Door, issuer: Issuer, elsewhere: ResourceServer
) -> None:
    opened = door.open(elsewhere)
    token = cookie(issuer.token())
    for sign in ([], [(b"Origin", b"https://evil.test")], [(b"Sec-Fetch-Site", b"cross-site")]):
        answer = opened.get(fields=[*token, *sign], method="POST")
        assert (answer.status, set(answer.challenge)) == (403, {"resource_metadata"}), sign
    assert opened.api.entered == []
    for sign in ([(b"Origin", b"https://api.test")], [(b"Sec-Fetch-Site", b"same-origin")]):
        assert opened.get(fields=[*token, *sign], method="POST").status == 200, sign


@at_every_guard
def test_no_cache_keeps_a_refusal(door: Door, issuer: Issuer, elsewhere: ResourceServer) -> None:
    opened = door.open(elsewhere)
    for fields in ([], cookie(issuer.expired()), cookie("junk")):
        assert opened.get(fields=fields).one("cache-control") == "no-store"


@at_every_http_guard
def test_the_metadata_names_no_method_where_no_token_comes_in_authorization(
    door: Door, elsewhere: ResourceServer
) -> None:
    document = door.open(elsewhere).get(path="/.well-known/oauth-protected-resource").json
    assert "bearer_methods_supported" not in document


@at_every_guard
def test_beside_a_provider_with_a_place_of_its_own_authorization_is_read_for_the_others(
    door: Door, issuer: Issuer, gateway: Issuer
) -> None:
    own = gateway.provider(keys=gateway.jwks(), source=Header("X-Gateway-Token"))
    opened = door.open(ResourceServer(issuer.provider(keys=issuer.jwks()), own))
    assert opened.get(issuer.token("ada")).json == {"subject": "ada"}
    assert opened.get(fields=header(gateway.token("eve"))).json == {"subject": "eve"}
    assert opened.get(gateway.token()).status == 401


def test_a_program_that_verifies_a_text_says_itself_where_it_came_from(
    issuer: Issuer, gateway: Issuer, elsewhere: ResourceServer
) -> None:
    assert elsewhere.verify(issuer.token("ada")).subject == "ada"
    assert elsewhere.verify(gateway.token("eve")).subject == "eve"


def test_a_closed_server_says_that_it_is_closed(issuer: Issuer) -> None:
    server = ResourceServer(issuer.provider(keys=issuer.jwks(), source=Cookie("access_token")))
    server.close()
    with pytest.raises(ConfigurationError, match="closed"):
        server.authenticate([(b"cookie", b"access_token=" + issuer.token().encode())])


def test_a_place_is_part_of_a_provider(issuer: Issuer) -> None:
    provider: Provider = issuer.provider(keys=issuer.jwks(), source=Cookie("access_token"))
    assert provider.source == Cookie("access_token")
