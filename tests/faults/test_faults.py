"""What each fault of a provider does to the application: nothing, where keys are in hand; else a 503 in time.

Every fault is produced by a real socket. `docs/keys.md` has the same list for the reader; the last test here
holds the two together.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bearerguard import InvalidToken, ProviderUnavailable, ResourceServer
from bearerguard.answer import challenges
from tests.faults import fault_server as fault
from tests.faults.fault_server import Answer, FaultServer, respond
from tests.faults.scripted_provider import (
    JWKS,
    METADATA,
    OAUTH_METADATA,
    ScriptedProvider,
    health,
    until,
    verify,
)

STALLED = 0.1  # seconds that a fetch gets where it will use them up
PATIENT = 60.0  # seconds for one that is to end by itself, on however busy a machine
DUE = 599.0  # seconds after which a key set without Cache-Control is due for a refresh
COOLDOWN = 30.0
FIRST_COOLDOWN = 1.0  # while there are no keys; doubled by each further failure
LARGE = 600_000  # bytes; a key set may have 524,288

Document = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """A fault as `docs/keys.md` calls it, the reason that is logged and told by health, and its making."""

    name: str
    reason: str
    answer: Callable[[Document], Answer] | None = None  # to a request for either document
    server: Callable[[FaultServer], None] | None = None  # before any request is read
    stalls: bool = False  # the fetch ends by its deadline

    def begin(self, faults: FaultServer, path: str, document: Document) -> None:
        if self.server is not None:
            self.server(faults)
        if self.answer is not None:
            faults.script(path, self.answer(document))

    @property
    def timeout(self) -> float:
        return STALLED if self.stalls else PATIENT


def constant(answer: Answer) -> Callable[[Document], Answer]:
    return lambda document: answer


def status(code: int) -> Callable[[Document], Answer]:
    return constant(respond({"error": "trouble"}, status=code, headers=[("Retry-After", "7200")]))


def elsewhere(code: int) -> Callable[[Document], Answer]:
    return constant(fault.redirect("/elsewhere", code))


ON_THE_WIRE = [
    Fault("connection refused", "connection", server=FaultServer.refuse),
    Fault("connect hangs", "timeout", server=FaultServer.stall_connect, stalls=True),
    Fault("connection never accepted", "timeout", server=FaultServer.stall_accept, stalls=True),
    Fault("no first byte", "timeout", constant(fault.stall()), stalls=True),
    Fault("stalls within the headers", "timeout", constant(fault.stall_in_headers()), stalls=True),
    Fault("stalls within the body", "timeout", fault.stall_in_body, stalls=True),
    Fault("headers trickle", "timeout", fault.trickle_headers, stalls=True),
    Fault("body trickles", "timeout", fault.trickle_body, stalls=True),
    Fault("closed without an answer", "connection", constant(fault.no_answer())),
    Fault("closed within the headers", "connection", constant(fault.cut_in_headers())),
    Fault("body cut short", "connection", fault.cut_short),
    Fault("connection reset", "connection", constant(fault.reset())),
    Fault("not HTTP", "connection", constant(fault.not_http())),
    Fault("HTTP 404", "http_status", status(404)),
    Fault("HTTP 429", "http_status", status(429)),
    Fault("HTTP 500", "http_status", status(500)),
    Fault("HTTP 503", "http_status", status(503)),
    Fault("HTTP 204", "http_status", constant(lambda exchange: exchange.send(fault.head(204, None)))),
    Fault("redirect, 301", "redirect", elsewhere(301)),
    Fault("redirect, 302", "redirect", elsewhere(302)),
    Fault("redirect, 307", "redirect", elsewhere(307)),
    Fault("304 to an unconditional request", "http_status", constant(fault.not_modified())),
    Fault("more than 512 KiB", "too_large", lambda document: fault.padded(document, LARGE)),
    Fault("body without end", "too_large", constant(fault.endless_body())),
    Fault("gzip bomb", "too_large", lambda document: fault.bomb(document, 5_000_000, "gzip")),
    Fault("deflate bomb", "too_large", lambda document: fault.bomb(document, 5_000_000, "deflate")),
    Fault("content encoding that nobody asked for", "encoding", lambda document: encoded(document, "br")),
    Fault("broken compression", "encoding", lambda document: encoded(document, "gzip")),
]


def encoded(document: Document, encoding: str) -> Answer:
    return respond(document, headers=[("Content-Encoding", encoding)])


def nested(depth: int) -> bytes:
    return b'{"keys": ' + b"[" * depth + b"]" * depth + b"}"


def each_renamed(document: Document, count: int) -> Document:
    return {"keys": [{**document["keys"][0], "kid": f"key-{number}"} for number in range(count)]}


def unusable(document: Document) -> Document:
    """Keys that verify nothing: for encryption, a secret, weak, of unknown type, broken."""
    good = document["keys"][0]
    rsa = next(key for key in document["keys"] if key["kty"] == "RSA")
    return {
        "keys": [
            {**good, "use": "enc"},
            {**good, "key_ops": ["encrypt"]},
            {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"},
            {**rsa, "n": rsa["n"][:128]},
            {**good, "kty": "quantum"},
            {**good, "x": "not base64url!"},
            "a string",
            None,
        ]
    }


IN_THE_KEY_SET = [
    Fault("HTML", "not_a_key_set", constant(respond("<html>Sign in</html>", content_type="text/html"))),
    Fault("empty body", "not_a_key_set", constant(respond(b""))),
    Fault("not UTF-8", "not_a_key_set", constant(respond(b'{"keys": ["\xff\xfe"]}'))),
    Fault("byte order mark", "not_a_key_set", lambda jwks: respond(b"\xef\xbb\xbf" + fault.as_body(jwks))),
    Fault("nested too deep", "not_a_key_set", constant(respond(nested(100_000)))),
    Fault("JSON string", "not_a_key_set", constant(respond('"keys"'))),
    Fault("JSON number", "not_a_key_set", constant(respond("1"))),
    Fault("JSON null", "not_a_key_set", constant(respond("null"))),
    Fault('`{"keys": {}}`', "not_a_key_set", constant(respond({"keys": {}}))),
    Fault("object without keys", "not_a_key_set", constant(respond({"error": "none"}))),
    Fault("empty array", "empty", constant(respond([]))),
    Fault("empty set", "empty", constant(respond({"keys": []}))),
    Fault("only unusable keys", "no_usable_key", lambda jwks: respond(unusable(jwks))),
    Fault("more than 100 keys", "too_many_keys", lambda jwks: respond(each_renamed(jwks, 101))),
]

IN_THE_METADATA = [
    Fault("metadata: HTML", "not_json", constant(respond("<html>Sign in</html>"))),
    Fault("metadata: an array", "not_json", lambda metadata: respond([metadata])),
    Fault("metadata: of another issuer", "issuer_mismatch", lambda m: respond({**m, "issuer": "https://x"})),
    Fault("metadata: without issuer", "issuer_mismatch", lambda m: respond({"jwks_uri": m["jwks_uri"]})),
    Fault("metadata: no `jwks_uri`", "no_jwks_uri", lambda m: respond({"issuer": m["issuer"]})),
    Fault("metadata: `jwks_uri` is not text", "no_jwks_uri", lambda m: respond({**m, "jwks_uri": [1]})),
    Fault(
        "metadata: `jwks_uri` off https",
        "insecure_jwks_uri",
        lambda m: respond({**m, "jwks_uri": "http://keys.test/jwks"}),
    ),
]


class Row(NamedTuple):
    """A row of the table in `docs/keys.md`: the reason, and a pattern of what is logged (`…`: anything)."""

    reason: str
    logged: str


def documented() -> dict[str, Row]:
    page = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")
    chapter = page.partition("## When the provider is in trouble")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| `(\w+)` \| (.+) \|$", chapter, re.MULTILINE)
    return {name: Row(reason, re.escape(logged).replace("…", ".*")) for name, reason, logged in rows}


DOCUMENTED = documented()
KEY_SET_FAULTS = [*ON_THE_WIRE, *IN_THE_KEY_SET]
METADATA_FAULTS = [*ON_THE_WIRE, *IN_THE_METADATA]


def named(faults: list[Fault]) -> dict[str, Any]:
    return {"argvalues": faults, "ids": [one.name for one in faults]}


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("bearerguard") and record.levelno >= logging.WARNING
    ]


def refresh_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("bearerguard refresh")]


def refused(provider: ScriptedProvider, server: ResourceServer, colour: str) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as caught:
        verify(server, provider.token(), colour)
    return caught.value


def requests_read(provider: ScriptedProvider, fault: Fault) -> int | None:
    """How many requests came so far; None where one that was given up may be read only later."""
    if fault.stalls:
        return None
    until(lambda: not refresh_threads(), "the end of the refresh thread")
    return len(provider.faults.requests)


def not_asked_again(provider: ScriptedProvider, server: ResourceServer, asked: int | None) -> bool:
    """Whether nothing was tried since the clock was moved, and no request came since `asked` was counted."""
    if asked is not None and (refresh_threads() or asked != len(provider.faults.requests)):
        return False
    failure: float = health(server)["last_failure"]["at"]
    return failure < provider.clock()


# ------------------------------------------------------------------------- no keys yet: a 503, and in time


def check_cold(
    provider: ScriptedProvider, fault: Fault, path: str, *, colour: str, caplog: pytest.LogCaptureFixture
) -> None:
    discovered = path == METADATA
    server = provider.server(discovered=discovered, timeout=fault.timeout)
    fault.begin(provider.faults, path, provider.document(path))

    error = refused(provider, server, colour)
    assert (error.status, error.reason) == (503, "provider_unavailable")
    assert error.retry_after == FIRST_COOLDOWN
    assert ("Retry-After", "1") in challenges(error)
    asked = requests_read(provider, fault)

    told = health(server)
    assert (told["state"], told["keys"], told["last_success"]) == ("none", 0, None)
    assert told["last_failure"]["reason"] == fault.reason
    assert told["last_failure"]["at"] == provider.clock()
    assert told["next_refresh"] == provider.clock() + FIRST_COOLDOWN

    # Within the cooldown nobody is asked again, and nobody waits.
    provider.clock.advance(FIRST_COOLDOWN / 2)
    assert refused(provider, server, colour).retry_after == FIRST_COOLDOWN / 2
    assert not_asked_again(provider, server, asked)
    # After it, the same again: told once, and the next cooldown is longer.
    provider.clock.advance(FIRST_COOLDOWN / 2)
    assert refused(provider, server, colour).retry_after == 2 * FIRST_COOLDOWN
    assert health(server)["last_failure"]["at"] == provider.clock()
    (warning,) = warnings_in(caplog)
    told_once = warning.replace(provider.faults.url(), "https://login.example")
    origin = "https://login.example" + ("" if discovered else JWKS)
    assert told_once.startswith(f"keys of {origin} could not be refreshed ({fault.reason}): ")
    if not fault.stalls and not (discovered and fault in ON_THE_WIRE):
        assert re.fullmatch(f".*: {DOCUMENTED[fault.name].logged}", told_once)
    assert provider.faults.count("/elsewhere") == 0

    # Nothing is failed for ever.
    provider.faults.accept()
    provider.publish()

    def recovered() -> bool:
        provider.clock.advance(COOLDOWN)
        try:
            return verify(server, provider.token(), colour).subject == "user-1"
        except (
            ProviderUnavailable
        ):  # on a busy machine a good answer may miss a deadline that is as short as here
            return False

    until(recovered, "the recovery")
    assert health(server)["state"] == "fresh"
    until(lambda: not refresh_threads(), "the end of every refresh thread")


@pytest.mark.parametrize("colour", ["sync", "asyncio"])
@pytest.mark.parametrize("fault", **named(KEY_SET_FAULTS))
def test_without_keys_a_fault_of_the_key_set_is_a_503_until_it_is_over(
    provider: ScriptedProvider, fault: Fault, colour: str, caplog: pytest.LogCaptureFixture
) -> None:
    check_cold(provider, fault, JWKS, colour=colour, caplog=caplog)


@pytest.mark.parametrize("fault", **named(METADATA_FAULTS))
def test_without_keys_a_fault_of_the_metadata_is_a_503_until_it_is_over(
    provider: ScriptedProvider, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    check_cold(provider, fault, METADATA, colour="trio", caplog=caplog)


# ----------------------------------------------------------------------- keys in hand: nothing but a warning


def check_warm(
    provider: ScriptedProvider,
    fault: Fault,
    *,
    discovered: bool,
    colour: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    exported = keys_of(provider, discovered=discovered)
    server = provider.server(discovered=discovered, imported=exported, timeout=fault.timeout)
    before = health(server)
    fault.begin(provider.faults, JWKS, provider.issuer.jwks())

    for wait in (DUE, COOLDOWN):
        provider.clock.advance(wait)
        # Served with the keys in hand while the refresh is under way, and once it has failed.
        assert verify(server, provider.token(), colour).subject == "user-1"
        until(lambda: failed_now(provider, server), "the failure of the refresh")
        assert verify(server, provider.token(), colour).subject == "user-1"
    asked = requests_read(provider, fault)
    provider.clock.advance(COOLDOWN - 1)
    assert verify(server, provider.token(), colour).subject == "user-1"
    assert not_asked_again(provider, server, asked)

    told = health(server)
    assert told["last_failure"]["reason"] == fault.reason
    assert (told["kids"], told["last_success"]) == (before["kids"], before["last_success"])
    (warning,) = warnings_in(caplog)
    assert fault.reason in warning
    assert provider.faults.count("/elsewhere") == 0
    until(lambda: not refresh_threads(), "the end of every refresh thread")


def keys_of(provider: ScriptedProvider, *, discovered: bool) -> dict[str, Any]:
    """Keys fetched at leisure, so that the short deadline of a test never meets a good fetch."""
    server = provider.server(discovered=discovered, timeout=PATIENT)
    server.warm_up()
    return server.snapshot()


def failed_now(provider: ScriptedProvider, server: ResourceServer) -> bool:
    """Whether a refresh failed since the clock was moved. Asks by a request: one gives up what is overdue."""
    server.verify(provider.token())
    failure = health(server)["last_failure"]
    return failure is not None and failure["at"] == provider.clock()


@pytest.mark.parametrize("fault", **named(KEY_SET_FAULTS))
def test_with_keys_in_hand_a_fault_of_the_key_set_changes_nothing(
    provider: ScriptedProvider, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    check_warm(provider, fault, discovered=False, colour="sync", caplog=caplog)


@pytest.mark.parametrize("fault", **named(KEY_SET_FAULTS))
def test_with_discovered_keys_in_hand_a_fault_of_the_key_set_changes_nothing(
    provider: ScriptedProvider, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    check_warm(provider, fault, discovered=True, colour="asyncio", caplog=caplog)


@pytest.mark.parametrize("fault", **named(METADATA_FAULTS))
def test_with_keys_in_hand_a_fault_of_the_metadata_refuses_nobody(
    provider: ScriptedProvider, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    exported = keys_of(provider, discovered=True)
    server = provider.server(discovered=True, imported=exported, timeout=fault.timeout)
    fault.begin(provider.faults, METADATA, provider.metadata)
    provider.clock.advance(DUE)

    def refreshed_or_failed() -> bool:
        assert server.verify(provider.token()).subject == "user-1"
        return health(server)["age"] == 0 or failed_now(provider, server)

    until(refreshed_or_failed, "the end of the refresh")
    until(lambda: not refresh_threads(), "the end of every refresh thread")


def test_a_refresh_that_nobody_waits_for_ends_by_itself(provider: ScriptedProvider) -> None:
    """No read times out where a byte comes now and then, and no request comes to give it up."""
    server = provider.server(imported=keys_of(provider, discovered=False), timeout=STALLED)
    provider.answer(fault.trickle_body(provider.issuer.jwks(), pause=STALLED / 2))
    provider.clock.advance(DUE)
    assert verify(server, provider.token()).subject == "user-1"
    until(lambda: not refresh_threads(), "the end of the refresh")
    assert health(server)["last_failure"]["reason"] == "timeout"


@pytest.mark.parametrize(
    "answer",
    [constant(fault.stall()), constant(fault.stall_in_headers()), fault.stall_in_body],
    ids=["no first byte", "stalls within the headers", "stalls within the body"],
)
def test_with_keys_in_hand_a_metadata_document_that_hangs_hides_no_new_key(
    provider: ScriptedProvider, answer: Callable[[Document], Answer]
) -> None:
    server = provider.server(discovered=True, imported=keys_of(provider, discovered=True), timeout=5.0)
    provider.faults.script(METADATA, answer(provider.metadata))
    provider.issuer.rotate()
    provider.answer(respond(provider.issuer.jwks()))
    assert verify(server, provider.token()).subject == "user-1"


def test_trouble_with_the_metadata_is_told_though_the_keys_can_be_had(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    server = provider.server(discovered=True, imported=keys_of(provider, discovered=True))
    provider.faults.script(METADATA, respond({**provider.metadata, "issuer": "https://other.test"}))
    provider.clock.advance(DUE)
    verify(server, provider.token())
    until(lambda: health(server)["age"] == 0, "the refresh")
    until(lambda: bool(warnings_in(caplog)), "a word about it, which follows")
    (warning,) = warnings_in(caplog)
    assert "issuer_mismatch" in warning


# ------------------------------------------------------------------------------- what is odd, but not a fault


def test_a_content_type_is_not_looked_at(provider: ScriptedProvider) -> None:
    provider.answer(respond(provider.issuer.jwks(), content_type="text/plain; charset=latin-1"))
    assert verify(provider.server(), provider.token()).subject == "user-1"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_key_set_is_read(provider: ScriptedProvider, encoding: str) -> None:
    provider.answer(fault.compressed(provider.issuer.jwks(), encoding))
    assert verify(provider.server(), provider.token()).subject == "user-1"


def test_a_key_set_of_a_hundred_keys_is_read(provider: ScriptedProvider) -> None:
    jwks = each_renamed(provider.issuer.jwks(), 100)
    provider.answer(respond(jwks))
    token = provider.token(header={"kid": "key-99"})
    assert verify(provider.server(), token).subject == "user-1"


def test_a_slow_answer_within_the_deadline_is_waited_for(provider: ScriptedProvider) -> None:
    provider.answer(fault.after(0.2, respond(provider.issuer.jwks())))
    assert verify(provider.server(), provider.token()).subject == "user-1"


def test_unusable_keys_among_good_ones_are_skipped_with_one_warning_each(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    bad = unusable(provider.issuer.jwks())["keys"]
    provider.answer(respond({"keys": [*bad, *provider.issuer.jwks()["keys"]]}))
    server = provider.server()
    assert verify(server, provider.token()).subject == "user-1"
    assert len(warnings_in(caplog)) == len(bad)
    provider.clock.advance(DUE)
    verify(server, provider.token())
    until(lambda: health(server)["age"] == 0)
    assert len(warnings_in(caplog)) == len(bad)


def test_keys_that_share_a_kid_are_all_tried(provider: ScriptedProvider) -> None:
    jwks = provider.issuer.jwks()
    first = jwks["keys"][0]
    provider.issuer.rotate(overlap=False)
    second = provider.issuer.jwks()["keys"][0]
    provider.answer(respond({"keys": [{**first, "kid": "shared"}, {**second, "kid": "shared"}]}))
    server = provider.server()
    assert verify(server, provider.token(header={"kid": "shared"})).subject == "user-1"


def test_an_etag_that_the_provider_then_ignores_costs_nothing(provider: ScriptedProvider) -> None:
    """It answers 200 with the whole set to a conditional request, under another ETag each time."""
    jwks = provider.issuer.jwks()
    provider.answer(*(respond(jwks, headers=[("ETag", f'"{number}"')]) for number in range(3)))
    server = provider.server()
    for _ in range(3):
        assert verify(server, provider.token()).subject == "user-1"
        provider.clock.advance(DUE)
        verify(server, provider.token())
        until(lambda: health(server)["age"] == 0)


def test_a_304_under_an_etag_that_was_never_given_is_not_believed(provider: ScriptedProvider) -> None:
    provider.answer(fault.not_modified())
    with pytest.raises(ProviderUnavailable):
        verify(provider.server(), provider.token())


def test_trouble_with_only_the_openid_document_does_no_harm(provider: ScriptedProvider) -> None:
    """RFC 8414 has another address for the same metadata."""
    provider.faults.script(METADATA, respond({"error": "none"}, status=404))
    provider.faults.script(OAUTH_METADATA, respond(provider.metadata))
    assert verify(provider.server(discovered=True), provider.token()).subject == "user-1"


@pytest.mark.parametrize("fault", **named(ON_THE_WIRE))
def test_a_forged_token_is_a_401_whatever_the_provider_does(provider: ScriptedProvider, fault: Fault) -> None:
    server = provider.server(imported=keys_of(provider, discovered=False), timeout=fault.timeout)
    fault.begin(provider.faults, JWKS, provider.issuer.jwks())
    provider.clock.advance(DUE)
    with pytest.raises(InvalidToken) as caught:
        server.verify(provider.issuer.forged(expires_in=10_000_000))
    assert caught.value.reason == "signature"


def test_no_log_of_a_fault_holds_a_token(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="bearerguard")
    server = provider.server()
    provider.answer(respond(b"", status=500))
    token = provider.token()
    with pytest.raises(ProviderUnavailable):
        server.verify(token)
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "http_status" in logged
    assert not any(part in logged for part in token.split("."))


# ------------------------------------------------------------------------------------------------ the page


def test_the_documentation_lists_every_fault_with_the_reason_that_is_logged() -> None:
    faults = [*ON_THE_WIRE, *IN_THE_KEY_SET, *IN_THE_METADATA]
    assert {name: row.reason for name, row in DOCUMENTED.items()} == {one.name: one.reason for one in faults}


@pytest.mark.parametrize("fault", **named([one for one in ON_THE_WIRE if one.stalls]))
def test_the_documentation_says_what_is_logged_of_a_fetch_that_is_given_up(fault: Fault) -> None:
    assert re.fullmatch(DOCUMENTED[fault.name].logged, "https://login.example/jwks did not answer within 5 s")
