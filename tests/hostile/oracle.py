"""What must hold of every answer to every input, and one row of a table of inputs.

The reason is read from the log, which is where operators read it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from bearerguard import AuthError, ResourceServer
from bearerguard.answer import challenges
from tests.doors_under_test.exchange import Answer, Fields, run
from tests.hostile import minting
from tests.hostile.entrances import BAD_REQUEST, ENTRANCES, NO_CREDENTIALS, Entrance

_LEAK = 12  # characters of a token that are in a text by no chance
_SEARCHED = 64 * 1024
_LONGEST_LINE = 800


@dataclass(frozen=True)
class Row:
    """An input and its verdict.

    Attributes:
        name: what the test is called.
        fields: the request that carries it.
        reason: of its refusal; None where it is accepted.
        token: the token in it, where it is about one.
        of_token: the reason for the token by itself, without a header around it.
        is_about_token: whether there is one to be looked at by itself.
    """

    name: str
    fields: Fields
    reason: str | None
    token: str = ""
    of_token: str | None = None
    is_about_token: bool = False


def row(name: str, credentials: bytes, reason: str | None) -> Row:
    """A row about the value of the Authorization header."""
    return Row(name, [(b"host", b"api.test"), (b"authorization", credentials)], reason)


def token_row(name: str, token: str, reason: str | None, *, in_header: str | None = None) -> Row:
    """A row about a token; `in_header` is the reason where a header cannot carry it as one token."""
    carried = row(name, b"Bearer " + token.encode("utf-8", "surrogatepass"), in_header or reason)
    return replace(carried, token=token, of_token=reason, is_about_token=True)


def table(rows: Sequence[Row]) -> pytest.MarkDecorator:
    """A test for each row."""
    return pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in rows])


@contextmanager
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[list[logging.LogRecord]]:
    """All records of every logger, down to DEBUG."""
    caplog.clear()
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="bearerguard"):
        yield caplog.records


def check_everywhere(case: Row, caplog: pytest.LogCaptureFixture) -> None:
    """Put a row in by every entrance; through `verify` and `averify` too, where it is about a token."""
    with everything_logged(caplog):
        for entrance in ENTRANCES:
            try:
                check(entrance, case, caplog)
            except BaseException as problem:
                problem.add_note(f"at the entrance {entrance.name!r}")
                raise
    if case.is_about_token:
        check_text(_server_of_texts(), case, caplog)


@functools.cache
def _server_of_texts() -> ResourceServer:
    return minting.server()


def check(entrance: Entrance, case: Row, caplog: pytest.LogCaptureFixture) -> None:
    """One decision, well put, for the right reason, with nothing of the token in it."""
    reason = entrance.reason(case.name, case.reason)
    caplog.clear()
    answer, was_entered = entrance.ask(case.fields)
    assert reason_logged(caplog.records) == reason
    assert was_entered == (reason is None)
    assert answer.status == entrance.status(reason)
    if reason is not None:
        check_refusal(answer, reason, entrance)
        check_silence(answer.text, case.fields)
    check_lines(caplog.records, case.fields)


def check_text(server: ResourceServer, case: Row, caplog: pytest.LogCaptureFixture) -> None:
    """The same for a token by itself, sync and async: an `AccessToken`, or an error of the library's own."""
    for verify in (server.verify, lambda token: run(lambda: server.averify(token))):
        with everything_logged(caplog):
            try:
                verify(case.token)
                reason, said = None, ""
            except AuthError as error:
                reason, said = error.reason, f"{error!r} {error.description} {challenges(error)}"
        assert reason == reason_logged(caplog.records) == case.of_token
        check_silence(said, case.fields)
        check_lines(caplog.records, case.fields)


def code_of(reason: str) -> str | None:
    """The error code (RFC 6750, section 3.1); none without credentials, or without trouble about them."""
    if reason in NO_CREDENTIALS or reason == "provider_unavailable":
        return None
    return "invalid_request" if reason in BAD_REQUEST else "invalid_token"


VERIFIED = {
    *("audience", "expired", "invalid_claim", "missing_claim", "not_yet_valid", "sender_constrained", "type"),
    *("authentication", "denied", "scope"),
}
"""What may be told of a token whose signature was verified: then the log says who it was."""
LOUD = {"issuer", "audience", "algorithm", "type", "not_yet_valid"}


def reason_logged(records: Sequence[logging.LogRecord]) -> str | None:
    """The reason in the one line that a refusal is told in; None where there is no line."""
    told = [record for record in records if hasattr(record, "reason")]
    assert len(told) <= 1, "one refusal is told once"
    if not told:
        return None
    reason: str = vars(told[0])["reason"]
    # What looks like a mistake in the set-up is loud, but not each time.
    levels = {"INFO", "WARNING"} if reason in LOUD else {"INFO"}
    assert told[0].name == "bearerguard"
    assert told[0].levelname in levels
    assert f"reason={reason}" in told[0].getMessage()
    return reason


def check_refusal(answer: Answer, reason: str, entrance: Entrance) -> None:
    """A client can act on it: one challenge, well-formed, with the code that belongs to the status."""
    if entrance.challenges(reason):
        assert answer.challenge.get("error") == code_of(reason)
    if answer.status == 503:
        assert int(answer.one("retry-after")) >= 1


def check_silence(said: str, fields: Fields) -> None:
    """Nothing of the credentials, and of no claim, is in what is said."""
    assert minting.CANARY not in said
    for name, value in fields:
        if name == b"authorization":
            credentials = value.decode("latin-1").partition(" ")[2]
            assert not shows(said, credentials)


def check_lines(records: Sequence[logging.LogRecord], fields: Fields) -> None:
    """Every line of the log is one line, short, printable, and shows nothing of the token."""
    for record in records:
        # The one tells each part of an answer, at the level DEBUG; the other, in its oldest release, what
        # ends a call of a function on a server of asyncio.
        if record.name.startswith(("sse_starlette", "grpc.")):
            continue
        line = record.getMessage()
        silent = line
        if vars(record).get("reason") in VERIFIED:
            silent = line.replace(f" sub={minting.CANARY}", "")
        check_silence(silent, fields)
        assert len(line) <= _LONGEST_LINE
        assert line.isascii()
        assert line.isprintable()
        assert record.exc_info is None


def shows(said: str, secret: str) -> bool:
    """Whether a part of `secret` that is long enough to mean something is in what is said."""
    searched = secret[:_SEARCHED]
    return any(said[at : at + _LEAK] in searched for at in range(len(said) - _LEAK + 1))
