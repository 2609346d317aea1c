"""Tokens bound to a key (DPoP, RFC 9449), at every door: what a proof opens, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ConfigurationError, DPoP, ResourceServer, scope
from bearerguard.stores import MemoryReplayStore
from bearerguard.testing import Issuer
from bearerguard.testing.api_client import APIClient
from tests.doors_under_test.door import Door, Opened, bearer
from tests.doors_under_test.doors import (
    CONFORMING,
    GUARDS,
    at,
    at_every_door,
    at_every_guard,
    at_every_http_guard,
)
from tests.doors_under_test.exchange import Answer, Fields
from tests.hostile.challenge_grammar import parse_challenge

API = "https://api.test"
AT_ONCE = 64
WITH_WEBSOCKETS = at([door for door in CONFORMING if door.has_websockets])
OPTIONAL = at([door for door in CONFORMING if door.has_optional])


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    return server_with(issuer, DPoP())


def server_with(issuer: Issuer, dpop: DPoP) -> ResourceServer:
    return issuer.resource_server(keys=issuer.jwks(), dpop=dpop, resource=API)


def proven(opened: Opened, client: APIClient, path: str = "/", method: str = "GET", **changes: Any) -> Fields:
    """The fields of a request, with a proof for what is really sent."""
    sent_method, sent_path = opened.door.sent(method, path)
    fields = client.headers(sent_method, API + sent_path, **changes)
    return [(name.encode(), value.encode()) for name, value in fields.items()]


def schemes(answer: Answer) -> list[str]:
    return [value.partition(" ")[0] for value in answer.all("www-authenticate")]


def dpop_challenge(answer: Answer) -> dict[str, str]:
    """The parameters of the one challenge, which has to be of DPoP."""
    return parse_challenge(answer.one("www-authenticate").encode(), "DPoP")


# -- what gets in ------------------------------------------------------------------------------------------


@at_every_door
def test_a_bound_token_gets_in_with_a_proof_and_each_proof_once(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, view=lambda token: {"by": token and token.confirmation})
    client = issuer.client(dpop=True)
    fields = proven(opened, client)
    answers = [
        opened.get(fields=fields),
        opened.get(fields=fields),
        opened.get(fields=proven(opened, client)),
    ]
    assert [answer.status for answer in answers] == [200, 401, 200]
    assert [answers[0].json, answers[2].json] == [{"by": "dpop"}] * 2
    assert "used before" in dpop_challenge(answers[1])["error_description"]
    assert len(opened.api.entered) == 2


@at_every_door
def test_a_token_that_is_not_bound_is_a_bearer_token_as_ever(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    assert opened.get(issuer.token("ada")).status == 200
    assert opened.get(issuer.token("ada"), fields=[(b"DPoP", b"whatever")]).status == 200


@at_every_door
def test_the_name_of_the_field_and_of_the_scheme_are_taken_in_any_case(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened, client = door.open(server), issuer.client(dpop=True)
    (_, credentials), (_, proof) = proven(opened, client)
    fields = [(b"authorization", credentials.replace(b"DPoP", b"dpop", 1)), (b"DPOP", proof)]
    assert opened.get(fields=fields).status == 200


@at_every_door
def test_of_64_requests_with_one_proof_at_once_one_gets_in(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    """Threads where the door is WSGI's, tasks where it is ASGI's."""
    opened, client = door.open(server), issuer.client(dpop=True)
    fields = proven(opened, client)
    answers = opened.get_all([None] * AT_ONCE, fields=fields)
    assert sorted(answer.status for answer in answers) == [200] + [401] * (AT_ONCE - 1)
    assert len(opened.api.entered) == 1


# -- what does not -----------------------------------------------------------------------------------------


@at_every_door
def test_a_bound_token_without_its_own_proof_for_this_request_is_refused(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened, client = door.open(server), issuer.client(dpop=True)
    thief = issuer.client(dpop=True, token=client.token)
    credentials = (b"Authorization", b"DPoP " + client.token.encode())
    proof = proven(opened, client)[1]
    refused: dict[str, tuple[Fields, str]] = {
        "no proof": ([credentials], "invalid_dpop_proof"),
        "not a proof": ([credentials, (b"DPoP", b"x")], "invalid_dpop_proof"),
        "two proofs": ([credentials, proof, proof], "invalid_dpop_proof"),
        "the key of a thief": (proven(opened, thief), "invalid_token"),
        "another method": (proven(opened, client, htm="DELETE"), "invalid_dpop_proof"),
        "another address": (proven(opened, client, htu=f"{API}/other"), "invalid_dpop_proof"),
        "another host": (proven(opened, client, htu="https://api.test.evil.test/"), "invalid_dpop_proof"),
        "too old": (proven(opened, client, iat=0), "invalid_dpop_proof"),
        "another token": (proven(opened, client, ath="x" * 43), "invalid_dpop_proof"),
    }
    for name, (fields, code) in refused.items():
        answer = opened.get(fields=fields)
        assert (answer.status, dpop_challenge(answer)["error"]) == (401, code), name
        assert dpop_challenge(answer)["algs"].split(" ")[:2] == ["ES256", "ES384"], name
        assert answer.all("dpop-nonce") == [], name
        assert client.token not in answer.text
    assert opened.api.entered == []


@at_every_door
def test_there_is_no_way_down_to_bearer(door: Door, issuer: Issuer, server: ResourceServer) -> None:
    """RFC 9449, section 7.2."""
    opened, client = door.open(server), issuer.client(dpop=True)
    proof = proven(opened, client)[1]
    for fields in (bearer(client.token), [*bearer(client.token), proof]):
        answer = opened.get(fields=fields)
        assert (answer.status, schemes(answer)) == (401, ["Bearer", "DPoP"])
        first, second = (value.encode() for value in answer.all("www-authenticate"))
        assert parse_challenge(first)["error"] == "invalid_token"
        assert "error" not in parse_challenge(second, "DPoP")
    assert opened.api.entered == []


@at_every_door
def test_without_credentials_both_schemes_are_offered_bearer_first(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened, client = door.open(server), issuer.client(dpop=True)
    for fields in ([], [proven(opened, client)[1]]):  # a proof by itself is not a credential
        answer = opened.get(fields=fields)
        assert (answer.status, schemes(answer)) == (door.without_credentials, ["Bearer", "DPoP"])
        assert not any("error" in challenge for challenge in answer.all("www-authenticate"))
        assert "algs=" in answer.all("www-authenticate")[1]


@at_every_door
def test_what_is_wrong_with_the_token_goes_before_what_is_wrong_with_the_proof(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    client = issuer.client(dpop=True, token=issuer.expired())
    answer = opened.get(fields=proven(opened, client, htm="DELETE"))
    assert (answer.status, dpop_challenge(answer)["error"]) == (401, "invalid_token")
    assert dpop_challenge(answer)["error_description"] == "The token has expired."


@at_every_guard
def test_a_rule_that_refuses_a_bound_token_says_so_in_a_dpop_challenge(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened, client = door.open(server, scope("more")), issuer.client(dpop=True)
    answer = opened.get(fields=proven(opened, client))
    challenge = dpop_challenge(answer)
    assert (answer.status, challenge["error"], challenge["scope"]) == (403, "insufficient_scope", "more")
    assert "algs" in challenge
    assert opened.api.entered == []


@at_every_door
def test_where_only_dpop_will_do_a_bearer_token_is_offered_dpop_and_told_of_no_error(
    door: Door, issuer: Issuer
) -> None:
    opened = door.open(server_with(issuer, DPoP(required=True)))
    for token in (None, issuer.token(), issuer.client(dpop=True).token):
        answer = opened.get(token)
        assert (answer.status, schemes(answer)) == (door.without_credentials, ["DPoP"])
        assert dpop_challenge(answer).keys() <= {"algs", "resource_metadata"}
    assert opened.get(fields=proven(opened, issuer.client(dpop=True))).status == 200


# -- nonces ------------------------------------------------------------------------------------------------


@at_every_door
def test_a_nonce_is_told_with_the_refusal_and_good_for_the_next_requests(door: Door, issuer: Issuer) -> None:
    opened, client = door.open(server_with(issuer, DPoP(nonce=True))), issuer.client(dpop=True)
    asked = opened.get(fields=proven(opened, client))
    assert (asked.status, dpop_challenge(asked)["error"]) == (401, "use_dpop_nonce")
    assert (asked.one("cache-control"), schemes(asked)) == ("no-store", ["DPoP"])
    nonce = asked.one("dpop-nonce")
    for _ in range(2):
        answer = opened.get(fields=proven(opened, client, nonce=nonce))
        assert (answer.status, answer.all("dpop-nonce")) == (200, [])
    other = opened.get(fields=proven(opened, client, nonce="of another server"))
    assert (other.status, other.one("dpop-nonce")) == (401, nonce)
    bad = opened.get(fields=proven(opened, client, htm="DELETE"))
    assert (dpop_challenge(bad)["error"], bad.all("dpop-nonce")) == ("invalid_dpop_proof", [])


# -- a memory that is full -----------------------------------------------------------------------------------


@at_every_door
@pytest.mark.parametrize(
    ("limits", "status"), [({"max_proofs_of_a_key": 1}, 429), ({"max_proofs": 1}, 503)], ids=["429", "503"]
)
def test_what_cannot_be_noted_is_told_when_to_come_again_and_not_let_in(
    door: Door, issuer: Issuer, server: ResourceServer, limits: dict[str, int], status: int
) -> None:
    checks = server._pipeline._binding.proofs
    assert checks is not None
    checks._store = MemoryReplayStore(issuer.clock, **limits)
    opened, client = door.open(server), issuer.client(dpop=True)
    assert opened.get(fields=proven(opened, client)).status == 200
    answer = opened.get(fields=proven(opened, client))
    assert (answer.status, "error" in dpop_challenge(answer)) == (status, False)
    assert 0 < int(answer.one("retry-after")) <= 62
    assert len(opened.api.entered) == 1


# -- optional credentials, WebSockets ----------------------------------------------------------------------


@OPTIONAL
def test_where_credentials_are_optional_a_bad_proof_is_refused(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened, client = door.open(server, optional=True), issuer.client("ada", dpop=True)
    assert opened.get().json == {"subject": None}
    assert opened.get(fields=proven(opened, client)).json == {"subject": "ada"}
    assert opened.get(fields=proven(opened, client, htm="DELETE")).status == 401


@WITH_WEBSOCKETS
@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_a_websocket_opens_with_a_proof_for_a_get_to_either_scheme(
    door: Door, issuer: Issuer, server: ResourceServer, scheme: str
) -> None:
    opened, client = door.open(server), issuer.client("ada", dpop=True)
    fields = proven(opened, client, "/ws", htu=f"{scheme}://api.test{door.mount}/ws")
    assert opened.websocket(fields=fields).json == {"subject": "ada"}
    assert opened.websocket(fields=fields).status == 403
    assert opened.websocket(fields=proven(opened, client, "/ws", htm="POST")).status == 403


# -- what the API says of itself ---------------------------------------------------------------------------


@at_every_http_guard
@pytest.mark.parametrize("required", [False, True])
def test_the_metadata_of_the_resource_say_that_dpop_is_taken(
    door: Door, issuer: Issuer, required: bool
) -> None:
    """RFC 9728, section 2."""
    opened = door.open(server_with(issuer, DPoP(required=required, algorithms=["ES256", "EdDSA"])))
    document = opened.get(path="/.well-known/oauth-protected-resource").json
    assert document["dpop_signing_alg_values_supported"] == ["ES256", "EdDSA"]
    assert document["dpop_bound_access_tokens_required"] is required


@at_every_http_guard
def test_without_dpop_they_say_nothing_of_it(door: Door, issuer: Issuer) -> None:
    opened = door.open(issuer.resource_server(keys=issuer.jwks(), resource=API))
    document = opened.get(path="/.well-known/oauth-protected-resource").json
    assert not [name for name in document if "dpop" in name]


@pytest.mark.parametrize("door", [*GUARDS], ids=lambda door: door.name)
def test_a_guard_that_does_not_know_its_public_address_is_not_built(door: Door, issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), dpop=DPoP())
    with pytest.raises(ConfigurationError, match=r"base_url=.*resource="):
        door.open(server)
    assert door.open(server, resource=API).guard is not None


@at_every_door
def test_with_a_base_url_the_server_need_not_know_its_resource(door: Door, issuer: Issuer) -> None:
    opened = door.open(
        issuer.resource_server(keys=issuer.jwks(), dpop=DPoP(base_url="https://public.test/v1"))
    )
    client = issuer.client(dpop=True)
    _, path = door.sent("GET", "/")
    fields = proven(opened, client, htu=f"https://public.test/v1{path}")
    assert opened.get(fields=fields).status == 200
    assert opened.get(fields=proven(opened, client)).status == 401
