"""Verified tokens are remembered: what a memory must not change, and what it must forget."""

from __future__ import annotations

import json
from hashlib import sha256
from sys import getsizeof
from typing import Any

import pytest
from msgspec import structs

from bearerguard import AccessToken, InvalidRequest, InvalidToken, Provider, Request, limit_verdict_memory
from bearerguard._core.confirmation import Confirmation
from bearerguard._core.credentials import BEARER, DPOP
from bearerguard._core.fingerprint import fingerprint
from bearerguard._core.generations import Generations
from bearerguard._core.shared_bound import SharedBound, WeighedGenerations
from bearerguard._flows.jwt import length_to_keep, read_unread
from bearerguard._flows.pipeline import Pipeline
from bearerguard._jose import base64url
from bearerguard._limits import (
    FORGOTTEN_BYTES_AT_ONCE,
    MAX_CACHED_HEADER_BYTES,
    MAX_TOKEN_BYTES,
    SIGNATURE_CHARACTERS_KEPT,
    VERDICT_BYTES,
    VERDICT_MEMORY_BYTES,
)
from bearerguard.request import BareHeaders
from bearerguard.testing import Clock, Issuer
from tests.flows.pipeline import (
    ISSUER,
    JWKS,
    NOW,
    PROVING,
    TOKEN,
    Admitting,
    ProvenError,
    StubSource,
    accepted,
    admitting,
    refusal,
    wanted,
)

RSA = Issuer(algorithm="RS256", clock=Clock(NOW))


def test_a_token_is_not_accepted_from_memory_once_it_has_expired() -> None:
    server = admitting(StubSource(JWKS))
    token = ISSUER.token(expires_in=60)
    accepted(server.attempt(token, NOW))
    accepted(server.attempt(token, NOW + 69.9))
    assert refusal(server, token, NOW + 70).reason == "expired"


def test_a_token_is_not_accepted_from_memory_before_its_time() -> None:
    server = admitting(StubSource(JWKS))
    accepted(server.attempt(TOKEN, NOW))
    assert refusal(server, TOKEN, NOW - 11).reason == "not_yet_valid"


def test_a_token_is_verified_again_where_the_clock_was_set_back() -> None:
    source = StubSource(JWKS)
    server = admitting(source)
    accepted(server.attempt(TOKEN, NOW))
    accepted(server.attempt(TOKEN, NOW - 5))
    assert source.key_set is not None
    source.key_set.keys.named.clear()  # verified again, it would be of an unknown key
    accepted(server.attempt(TOKEN, NOW))
    assert wanted(server.attempt(TOKEN, NOW - 6)).cause == "unknown_kid"


def test_a_token_is_not_accepted_from_memory_once_its_key_has_left() -> None:
    source = StubSource(JWKS)
    server = admitting(source)
    accepted(server.attempt(TOKEN, NOW))
    source.publish(Issuer(algorithm="ES256").jwks())
    assert wanted(server.attempt(TOKEN, NOW)).cause == "unknown_kid"


def test_a_token_is_not_accepted_from_memory_once_there_are_no_keys() -> None:
    source = StubSource(JWKS)
    server = admitting(source)
    accepted(server.attempt(TOKEN, NOW))
    source.key_set = None
    assert wanted(server.attempt(TOKEN, NOW)).cause == "missing"


def test_a_token_from_memory_has_the_keys_refreshed_that_are_due_and_not_used_that_are_too_old() -> None:
    source = StubSource(JWKS, refresh_at=NOW + 10, usable_until=NOW + 20)
    server = admitting(source)
    accepted(server.attempt(TOKEN, NOW))
    accepted(server.attempt(TOKEN, NOW))
    assert source.asked_ahead == []
    assert source.key_set is not None
    source.key_set.keys.named.clear()  # verified again, it would be of an unknown key
    accepted(server.attempt(TOKEN, NOW + 10))
    assert source.asked_ahead == [NOW + 10]
    assert wanted(server.attempt(TOKEN, NOW + 20)).cause == "missing"


def test_keys_that_came_in_this_very_moment_are_not_refreshed() -> None:
    source = StubSource(JWKS)
    assert source.key_set is not None
    source.key_set = structs.replace(source.key_set, fetched_at=NOW)
    server = admitting(source)
    for _ in range(2):  # a token that is new, and one that is remembered
        accepted(server.attempt(TOKEN, NOW))
    assert source.asked_ahead == []


def test_keys_from_the_future_are_refreshed_for_a_token_from_memory_as_the_clock_was_set_back() -> None:
    source = StubSource(JWKS)
    server = admitting(source)
    accepted(server.attempt(TOKEN, NOW))
    assert source.key_set is not None
    source.key_set = structs.replace(source.key_set, fetched_at=NOW + 10)
    source.key_set.keys.named.clear()  # verified again, it would be of an unknown key
    accepted(server.attempt(TOKEN, NOW + 1))
    assert source.asked_ahead == [NOW + 1]


def test_a_token_from_memory_is_not_verified_again() -> None:
    source = StubSource(JWKS)
    server = admitting(source)
    first = accepted(server.attempt(TOKEN, NOW))
    assert source.key_set is not None
    source.key_set.keys.named.clear()  # verified again, it would be of an unknown key
    second = accepted(server.attempt(TOKEN, NOW + 1))
    assert first == second
    assert (first.verified_at, second.verified_at) == (NOW, NOW + 1)


def test_a_token_that_was_not_brought_for_a_while_is_still_in_memory() -> None:
    source = StubSource(JWKS)
    server = admitting(source)
    bound = SharedBound(FORGOTTEN_BYTES_AT_ONCE)
    server.pipeline._verdicts = WeighedGenerations(bound)
    accepted(server.attempt(TOKEN, NOW))
    while not server.pipeline._verdicts.old:  # one generation is full
        accepted(server.attempt(ISSUER.token(), NOW))
    assert source.key_set is not None
    source.key_set.keys.named.clear()  # verified again, it would be of an unknown key
    accepted(server.attempt(TOKEN, NOW + 1))
    assert TOKEN[-16:].encode() in server.pipeline._verdicts.young


def test_what_one_request_does_to_its_claims_no_other_sees() -> None:
    server = admitting(StubSource(JWKS))
    token = ISSUER.token(roles=["reader"])
    for _ in range(3):
        claims = accepted(server.attempt(token, NOW)).claims
        assert claims["roles"] == ["reader"]
        claims["roles"].append("admin")


def test_another_signature_under_the_same_words_is_another_token() -> None:
    server = admitting(StubSource(JWKS))
    token = ISSUER.token()
    accepted(server.attempt(token, NOW))
    signed, _, signature = token.rpartition(".")
    altered = ("B" if signature[0] == "A" else "A") + signature[1:]
    assert refusal(server, f"{signed}.{altered}").reason == "signature"


def test_a_refusal_is_not_remembered() -> None:
    server = admitting(StubSource(JWKS))
    token = ISSUER.token(nbf=NOW + 60)
    assert refusal(server, token).reason == "not_yet_valid"
    accepted(server.attempt(token, NOW + 60))


def test_a_header_that_is_too_long_to_keep_is_read_each_time() -> None:
    server = admitting(StubSource(JWKS))
    long = ISSUER.with_header(note="n" * MAX_CACHED_HEADER_BYTES)
    accepted(server.attempt(long, NOW))
    assert len(server.pipeline._headers) == 0
    accepted(server.attempt(TOKEN, NOW))
    assert len(server.pipeline._headers) == 1


def test_a_header_that_was_not_seen_for_a_while_is_still_in_memory() -> None:
    server = admitting(StubSource(JWKS))
    server.pipeline._headers = Generations(2)
    for token in (TOKEN, ISSUER.with_header(note="another")):  # one generation is full
        accepted(server.attempt(token, NOW))
    assert not server.pipeline._headers.young
    accepted(server.attempt(ISSUER.token(), NOW))
    assert list(server.pipeline._headers.young) == [TOKEN.partition(".")[0].encode()]


def test_a_key_set_that_never_grows_old_never_asks_for_a_refresh() -> None:
    source = StubSource(JWKS, is_fixed=True)
    server = admitting(source)
    accepted(server.attempt(ISSUER.token(exp=2**53), 2.0**40))
    assert source.asked_ahead == []
    assert source.key_set is not None
    assert source.key_set.refresh_at == float("inf")


def test_a_token_of_any_size_is_remembered() -> None:
    source = StubSource(JWKS)
    server = admitting(source)
    token = ISSUER.token(padding="x" * 11_500)
    assert len(token) > 15_000
    accepted(server.attempt(token, NOW))
    assert source.key_set is not None
    source.key_set.keys.named.clear()  # verified again, it would be of an unknown key
    assert accepted(server.attempt(token, NOW)).claims["padding"] == "x" * 11_500


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_token_that_ends_like_a_remembered_one_is_another_token(times: int) -> None:
    server = admitting(StubSource(JWKS))
    token = ISSUER.token()
    for _ in range(times):
        accepted(server.attempt(token, NOW))
    header, payload, signature = token.split(".")
    other = ISSUER.token(sub="eve").split(".")[1]
    assert refusal(server, f"{header}.{other}.{signature}").reason == "signature"
    assert refusal(server, f"{header}..{signature}").reason == "malformed"
    assert refusal(server, signature).reason == "malformed"
    half = len(signature) // 2
    altered = signature[:5] + ("B" if signature[5] == "A" else "A") + signature[6:]
    assert refusal(server, f"{header}.{payload}.{altered}").reason == "signature"
    assert refusal(server, f"{header}.{payload}.{signature[half:]}").reason == "signature"
    assert accepted(server.attempt(token, NOW)).subject == "user-1"


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_token_is_found_in_the_field_that_it_came_in_and_no_other_is_taken_for_it(times: int) -> None:
    source = StubSource(JWKS)
    server = admitting(source)
    token = ISSUER.token()

    def presented(text: str, prefix: str = "Bearer ") -> AccessToken | None:
        field = f"{prefix}{text}".encode()
        try:
            outcome = server.pipeline.admit(field, BareHeaders([]), BEARER, None, len("Bearer "))
        except InvalidToken:
            return None
        return outcome if isinstance(outcome, AccessToken) else None  # else it waits for other keys

    for _ in range(times):
        assert presented(token) is not None
    header, payload, signature = token.split(".")
    altered = ("B" if signature[5] == "A" else "A") + signature[6:]
    for other in (
        f"{header}.{payload}.{signature[:5]}{altered}",
        f"{header}.{payload}x.{signature}",
        f"x{token}",
        token[1:],
        f"{token} {token}",
        f"a {token}",
        signature,
    ):
        assert presented(other) is None
    assert source.key_set is not None
    source.key_set.keys.named.clear()  # verified again, it would be of an unknown key
    tokens = [
        presented(token),
        presented(token, "Bearer   "),
        presented(f"{token}  "),
        accepted(server.attempt(token, NOW)),
    ]
    assert [one and one.raw for one in tokens] == [token] * 4
    assert len(set(tokens)) == 1


@pytest.mark.parametrize("spaces", [0, 1, MAX_TOKEN_BYTES, MAX_TOKEN_BYTES + 1])
def test_a_field_without_a_token_says_so_however_many_spaces_it_has(spaces: int) -> None:
    server = admitting(StubSource(JWKS))
    with pytest.raises(InvalidRequest) as refused:
        server.pipeline.admit(b"Bearer " + b" " * spaces, BareHeaders([]), BEARER, None, len("Bearer "))
    assert refused.value.description == "There is no token after 'Bearer '."
    found = server.pipeline.admit(
        b"Bearer " + b" " * spaces + TOKEN.encode(), BareHeaders([]), BEARER, None, len("Bearer ")
    )
    assert isinstance(found, AccessToken)


@pytest.mark.parametrize("spaces", [1, 2, MAX_TOKEN_BYTES])
def test_the_proof_beside_a_token_behind_spaces_is_for_the_request_as_it_came(spaces: int) -> None:
    provider = Provider(ISSUER.url, audience=ISSUER.audience, keys=JWKS)
    pipeline = Pipeline([(provider, StubSource(JWKS))], lambda: NOW, PROVING)
    request = Request("GET", "https://api.example/orders", [])
    raw = ISSUER.token(cnf={"jkt": "0" * 43}).encode()
    for _ in range(2):
        with pytest.raises(ProvenError) as proven:
            pipeline.admit(b"DPoP" + b" " * spaces + raw, request, DPOP, "https://api.example", len("DPoP "))
        assert proven.value.args == (raw, request, DPOP, "https://api.example", NOW)


@pytest.mark.parametrize(("issuer", "kept"), [(ISSUER, 0), (RSA, 86)])
def test_a_token_that_came_once_is_known_by_hashes_and_of_one_that_came_again_nearly_all_is_in_memory(
    issuer: Issuer, kept: int
) -> None:
    """All but its signature, and what fills no whole block of the hash of that; it is weighed too."""
    server = admitting(StubSource(issuer.jwks()))
    token = issuer.token(padding="x" * 2000).encode()
    signing_input, _, tail = token.rpartition(b".")
    known = signing_input + b"." + tail[:kept]
    at_first = sha256(signing_input).digest() + fingerprint(base64url.decode(tail)).digest()
    later = fingerprint(tail[kept:]).digest()
    weights = []
    for in_memory in ((b"", at_first), (known, later), (known, later)):
        accepted(server.attempt(token, NOW))
        [verdict] = server.pipeline._verdicts.young.values()
        assert (verdict.known, verdict.digest) == in_memory
        weights.append(verdict.weight)
    assert weights == [VERDICT_BYTES, *[VERDICT_BYTES + getsizeof(known)] * 2]


@pytest.mark.parametrize(
    ("characters", "kept"), [(43, 0), (86, 0), (128, 0), (176, 48), (342, 86), (512, 0), (683, 43)]
)
def test_what_fills_no_whole_block_of_a_long_signature_may_be_kept(characters: int, kept: int) -> None:
    assert length_to_keep(b"a.b." + b"c" * characters) == len(b"a.b.") + kept


@pytest.mark.parametrize("issuer", [ISSUER, RSA])
def test_a_token_is_another_one_where_one_character_of_any_part_is_another(issuer: Issuer) -> None:
    """Also the third time, when most of it is in memory."""
    server = admitting(StubSource(issuer.jwks()))
    token = issuer.token().encode()
    others = [token[1:], b"A" + token, token.replace(b".", b"..", 1), token.rpartition(b".")[2]]
    for place in range(len(token) - SIGNATURE_CHARACTERS_KEPT):
        other = b"B" if token[place : place + 1] == b"A" else b"A"
        others.append(token[:place] + other + token[place + 1 :])
    for _ in range(3):
        accepted(server.attempt(token, NOW))
        assert not [other for other in others if is_accepted(server, other)]


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("issuer", [ISSUER, RSA])
def test_a_token_whose_signature_cannot_be_read_is_not_taken_for_a_remembered_one(
    issuer: Issuer, times: int
) -> None:
    server = admitting(StubSource(issuer.jwks()))
    token = issuer.token().encode()
    for _ in range(times):
        accepted(server.attempt(token, NOW))
    for signing_input in (token, issuer.token(sub="eve").encode()):
        for wrong in (b"?", b"+", b"=", b"\xe9"):
            head = signing_input.rpartition(b".")[0]
            tail = token.rpartition(b".")[2]
            assert refusal(server, head + b"." + wrong + tail[1:]).reason == "malformed"
            assert refusal(server, head + b"." + wrong + tail).reason == "malformed"


@pytest.mark.parametrize("issuer", [ISSUER, RSA])
def test_a_verdict_is_of_its_token_to_the_byte_before_that_is_known_and_after(issuer: Issuer) -> None:
    server = admitting(StubSource(issuer.jwks()))
    token = issuer.token().encode()
    for is_known in (False, True):
        accepted(server.attempt(token, NOW))
        [verdict] = server.pipeline._verdicts.young.values()
        assert bool(verdict.known) is is_known
        assert verdict.is_of(token)
        for place in range(len(token)):
            other = b"B" if token[place : place + 1] == b"A" else b"A"
            assert not verdict.is_of(token[:place] + other + token[place + 1 :])
            assert not verdict.is_of(token[:place] + b"?" + token[place + 1 :])
        for other in (b"", b"A" + token, token + b"A", token[1:], token[:-1]):
            assert not verdict.is_of(other)


def test_what_is_kept_of_tokens_that_came_twice_stays_within_the_bound() -> None:
    limit = 100_000
    limit_verdict_memory(limit)
    try:
        server = admitting(StubSource(JWKS))
        for number in range(100):
            token = ISSUER.token(padding="x" * 2000, number=number)
            for _ in range(2):
                accepted(server.attempt(token, NOW))
            generations = server.pipeline._verdicts
            kept = [*generations.young.values(), *generations.old.values()]
            assert any(verdict.known for verdict in kept)
            weights = [verdict.weight for verdict in kept]
            # Each of the two generations ends when so much has come, and may have one more by then.
            assert sum(weights) <= limit + 2 * (FORGOTTEN_BYTES_AT_ONCE + max(weights))
    finally:
        limit_verdict_memory(VERDICT_MEMORY_BYTES)


def is_accepted(server: Admitting, token: bytes) -> bool:
    try:
        return isinstance(server.attempt(token, NOW), AccessToken)
    except InvalidToken:
        return False


@pytest.mark.parametrize(("spare", "is_kept"), [(0, True), (-1, False)])
def test_a_token_that_would_fill_the_memory_is_known_by_its_hash(spare: int, is_kept: bool) -> None:
    token = ISSUER.token(padding="x" * 500)
    signed = token.encode()[: token.rindex(".") + 1]
    fits = VERDICT_BYTES + getsizeof(signed)
    limit_verdict_memory(2 * (fits + spare))
    try:
        server = admitting(StubSource(JWKS))
        for _ in range(3):
            accepted(server.attempt(token, NOW))
        generations = server.pipeline._verdicts
        [verdict] = [*generations.young.values(), *generations.old.values()]
        assert bool(verdict.known) is is_kept
    finally:
        limit_verdict_memory(VERDICT_MEMORY_BYTES)


def test_servers_do_not_see_each_others_verdicts() -> None:
    one, other = admitting(StubSource(JWKS)), admitting(StubSource(Issuer(algorithm="ES256").jwks()))
    accepted(one.attempt(TOKEN, NOW))
    assert wanted(other.attempt(TOKEN, NOW)).cause == "unknown_kid"


def test_a_bound_token_weighs_more_and_no_more_for_all_that_is_in_its_cnf() -> None:
    server = admitting(StubSource(JWKS))
    server.attempt(ISSUER.token(), NOW)
    for cnf in ({"jkt": "x" * 43, "x5t#S256": "x" * 43}, {"jkt": "x" * 5000}):
        with pytest.raises(InvalidToken):
            server.attempt(ISSUER.token(cnf=cnf), NOW)
    weights = [verdict.weight for verdict in server.pipeline._verdicts.young.values()]
    kept = [getsizeof(what) for what in (Confirmation("", ""), "x" * 43, "x" * 43)]
    assert weights[1] - weights[0] == weights[2] - weights[0] >= sum(kept)


# -- a payload of many parts is read after its signature was checked

MANY: list[Any] = [[]] * 1000


def test_a_payload_of_many_parts_is_accepted_like_any_other() -> None:
    server = admitting(StubSource(JWKS))
    token = ISSUER.token(parts=MANY)
    for _ in range(3):
        assert accepted(server.attempt(token, NOW)).claims["parts"] == MANY
    waiting = StubSource()
    server = admitting(waiting)
    assert wanted(server.attempt(token, NOW)).cause == "missing"
    waiting.publish(JWKS)
    assert server.stages is not None
    with pytest.raises(StopIteration) as stop:
        server.stages.send(None)
    assert accepted(stop.value.value).claims["parts"] == MANY


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://other.test"}, "issuer"),
        ({"iss": MANY}, "invalid_claim"),
        ({"iss": None}, "missing_claim"),
        ({"aud": MANY}, "invalid_claim"),
        ({"exp": NOW - 60}, "expired"),
    ],
    ids=["other issuer", "no text", "null", "audience", "expired"],
)
def test_a_payload_of_many_parts_is_refused_like_any_other(claims: dict[str, Any], reason: str) -> None:
    server = admitting(StubSource(JWKS))
    assert refusal(server, ISSUER.token(parts=MANY, **claims)).reason == reason


@pytest.mark.parametrize(
    "payload",
    [
        b'{"iss":"%s","a":[%s]',
        b'{"iss":"%s","a":[%s],}',
        b'{"iss":"%s","a":[%s],"b":"\xff"}',
        b'{"iss":"%s","a":[%s],"b":"\\ud800"}',
        b'{"iss":"%s","a":[%s],"b":01}',
        b'{"iss":"%s","a":[%s],"b":"\n"}',
        b'{"iss":"%s","a":[%s]} x',
        b'{"iss":"\xff%s","a":[%s]}',
    ],
    ids=ascii,
)
def test_many_parts_that_are_not_json_are_malformed_with_a_good_signature_too(payload: bytes) -> None:
    body = payload % (ISSUER.url.encode(), b",".join([b"[]"] * 1000))
    server = admitting(StubSource(JWKS))
    refused = refusal(server, ISSUER.sign(body))
    assert refused.reason == "malformed"
    assert refused.description == "The token's payload is not a base64url JSON object."


@pytest.mark.parametrize("parts", [[], MANY], ids=["few", "many"])
def test_an_issuer_of_null_is_missing_however_many_parts_there_are(parts: list[Any]) -> None:
    body = json.dumps({"iss": None, "aud": ISSUER.audience, "exp": NOW + 60, "parts": parts}).encode()
    assert refusal(admitting(StubSource(JWKS)), ISSUER.sign(body)).reason == "missing_claim"


def test_a_payload_of_many_parts_is_read_for_one_request_and_kept_only_for_the_second() -> None:
    server = admitting(StubSource(JWKS))
    token = ISSUER.token(parts=MANY)
    first = accepted(server.attempt(token, NOW))
    [verdict] = server.pipeline._verdicts.young.values()
    assert first.claims["parts"] == MANY
    assert verdict.kept is None
    assert verdict.read is None
    first.claims["parts"].clear()
    assert accepted(server.attempt(token, NOW)).claims["parts"] == MANY
    assert verdict.kept is not None


@pytest.mark.parametrize("issuer", [None, "https://other.test"])
def test_an_issuer_that_only_one_of_two_readings_knows_is_malformed(issuer: str | None) -> None:
    with pytest.raises(InvalidToken) as refused:
        read_unread(b'{"iss":1}', issuer)
    assert refused.value.reason == "malformed"


def test_claims_of_no_issuer_are_read_where_any_will_do() -> None:
    assert read_unread(b'{"a":1}', None) == {"a": 1}
    assert read_unread(b'{"iss":"b"}', None) == {"iss": "b"}
    assert read_unread(b'{"iss":"b"}', "b") == {"iss": "b"}


@pytest.mark.parametrize("name", [b"iss", b"\\u0069ss"])
def test_of_two_issuers_in_many_parts_the_last_counts_or_neither(name: bytes) -> None:
    """Never the first: the one that was asked is the one that the claims say."""
    body = b'{"iss":"%s","%s":"https://other.test","exp":%d,"a":[%s]}'
    body %= (ISSUER.url.encode(), name, int(NOW) + 60, b",".join([b"[]"] * 1000))
    server = admitting(StubSource(JWKS))
    assert refusal(server, ISSUER.sign(body)).reason in {"issuer", "malformed"}
