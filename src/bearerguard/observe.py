"""What operators are told: a log line for each refusal, and, where a program observes, everything as values.

It decides nothing. A line shows nothing unverified but the key id and, marked as such, the issuer that a
token claims; no token text, no query of an address. Text of somebody else's choosing stands on one line,
bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from bearerguard._limits import LONGEST_LOGGED, LONGEST_LOGGED_RULE, QUIET
from bearerguard.errors import AuthError
from bearerguard.request import Incoming, without_origin
from bearerguard.token import AccessToken

if TYPE_CHECKING:
    import logging

__all__ = ["Observer"]

E = TypeVar("E", bound=AuthError)

_SET_UP_REASONS = frozenset({"issuer", "audience", "algorithm", "type", "not_yet_valid"})
"""Where tokens are refused for these, a client, a provider, the API or a clock is set up wrongly."""
FIELDS = (
    "method",
    "route",
    "provider",
    "sub",
    "client_id",
    "kid",
    "audience_expected",
    "audience_found",
    "issuers",
    "unverified_iss",
    "rule",
)
"""What a record says beside `reason` and `count`, in the order of its words."""


class Observer:
    """What a server tells of all that it does: `ResourceServer(..., observer=...)`.

    Derive from it, and write the methods that you need. `decided` is called by the thread or the task that
    decided, and whoever waits for the decision waits for it too, so it has to be quick. `refreshed` and
    `asked` are called by a thread that belongs to no request, in the context of the request that began it.
    One that raises is logged, and changes nothing. What is told comes as arguments: to make an object of
    each decision would take as long as to tell it.

    The name of a provider is None where none was chosen, and where a function knows the issuers
    (`ResourceServer.trusting`): their names are not yours, and nobody bounds how many there are.

    Examples:
        ```python
        class Counting(Observer):
            def __init__(self):
                self.refused = Counter()

            def decided(self, outcome, provider, seconds, remembered, stale):
                if isinstance(outcome, AuthError):
                    self.refused[outcome.reason] += 1


        server = ResourceServer(provider, observer=Counting())
        ```
    """

    def decided(
        self,
        outcome: AccessToken | AuthError,
        provider: str | None,
        seconds: float,
        remembered: bool,
        stale: bool,
    ) -> None:
        """A request was decided about, or a token that a program asked for: each, repeated ones too.

        Args:
            outcome: the verified token, or why the request is refused. Where a rule refuses a token, that the
                token was verified has been told before, and the error has it as `token`.
            provider: the name of the provider.
            seconds: how long it took, waiting included; 0 where no token was looked at.
            remembered: whether the token was verified before, and its verdict still held.
            stale: whether it was accepted by keys past their lifetime, while newer ones cannot be had.
        """

    def refreshed(self, operation: str, provider: str | None, seconds: float, failure: str | None) -> None:
        """An issuer was asked for what it publishes, or a function for keys.

        Args:
            operation: `keys` or `metadata`.
            provider: the name of the provider; the first, where several have the same keys.
            seconds: how long it took.
            failure: why it brought nothing, in a short stable word such as `timeout`; None where it did.
        """

    def asked(self, provider: str | None, seconds: float, failure: str | None) -> None:
        """A provider was asked about a token (RFC 7662).

        Args:
            provider: the name of the provider.
            seconds: how long it took.
            failure: why no answer came, as for `refreshed`; None where one came, whatever it says.
        """

    def store(self, operation: str, seconds: float, failure: str | None) -> None:
        """A store that several processes share was asked, by the thread or the task that waits for it.

        Args:
            operation: the command, by the name that its client has for it, such as `set`.
            seconds: how long it took.
            failure: why it failed, as for `refreshed`; None where it did not.
        """


@cache
def logger() -> logging.Logger:
    """The logger of all that this library says; what logs is loaded when there is something to say."""
    import logging  # noqa: PLC0415

    return logging.getLogger("bearerguard")


class Refusals:
    """Logs why requests are refused: at INFO, and at WARNING once a minute what looks like a wrong set-up.

    WARNING is what Python shows where nobody configured logging.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # By reason: when it was told loudly, and how often it was met since. Two threads at the same moment
        # may both be loud: a lock for every refusal would cost more.
        self._met: dict[str, tuple[float, int]] = {}

    def log(self, error: E, request: Incoming | None = None) -> E:
        """Log why a request was refused; return the error."""
        reason = error.reason
        if reason not in _SET_UP_REASONS:
            return log_refusal(error, request)
        now = self._clock()
        told_at, count = self._met.get(reason, (None, 0))
        if told_at is None or not told_at <= now < told_at + QUIET:
            self._met[reason] = (now, 0)
            return log_refusal(error, request, level=30, count=count + 1)  # WARNING
        self._met[reason] = (told_at, count + 1)
        return log_refusal(error, request)


def log_refusal(error: E, request: Incoming | None = None, *, level: int = 20, count: int = 1) -> E:
    """Log why a request was refused; return the error.

    Args:
        error: why.
        request: the request, if there is one.
        level: one of `logging`.
        count: how often this reason was met since it was last told.
    """
    if error.hint is not None:
        warn_once(error.hint)
    log = logger()
    if log.isEnabledFor(level):
        said = facts_of(error, request)
        words = "".join(_word(name, value) for name, value in said.items() if value is not None)
        often = f" ({count} times since it was last told)" if count > 1 else ""
        extra = {"reason": error.reason, "count": count, **said}
        log.log(level, "refused: reason=%s%s%s", error.reason, words, often, extra=extra)
    return error


def facts_of(error: AuthError, request: Incoming | None) -> dict[str, Any]:
    """Return what is known of a refusal, by the names under which it is logged; None where it is not."""
    known = dict.fromkeys(FIELDS)
    if request is not None:
        known["method"] = _shown(request.method)
        known["route"] = _shown(request.route or _path(request))
    known["provider"] = _shown(error.provider)
    known |= {name: _shown(value) for name, value in error.facts.items()}
    if error.kid is not None:
        known["kid"] = _shown(error.kid[:64])
    if error.token is not None and error.rule is not None:
        tree = str(error.rule.explain(error.token)).splitlines()
        known["rule"] = on_one_line("; ".join(line.strip() for line in tree))[:LONGEST_LOGGED_RULE]
    return known


def _word(name: str, value: str) -> str:
    """A value in the words of a line: in ASCII, whatever reads the log; quoted where it would fall apart."""
    text = "".join(c if c.isascii() else c.encode("unicode_escape").decode() for c in value)
    is_quoted = name in _UNVERIFIED or " " in text or text[:1] in ("", "'", '"')
    return f" {name}={_quoted(text) if is_quoted else text}"


def _quoted(text: str) -> str:
    """A text in quotes that nothing in it can end: else it could go on as if it were another word."""
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace('"', "\\x22")
    return f'"{escaped}"'


_UNVERIFIED = ("kid", "unverified_iss")


def _path(request: Incoming) -> str | None:
    """The path of a request. Its query may hold anything, a token as well; so may what stands before it."""
    if request.target:
        return _before_query(request.target.decode("latin-1"))
    if request.url is None:
        return None
    address = _before_query(request.url).encode("utf-8", "surrogatepass")
    return without_origin(address).decode("utf-8", "surrogatepass")


def _before_query(address: str) -> str:
    return address.partition("?")[0].partition("#")[0]


def _shown(value: Any) -> Any:
    """A value as it may stand in a log: on one line, bounded."""
    if value is None:
        return None
    text: str = on_one_line(value if isinstance(value, str) else repr(value))
    return text if len(text) <= LONGEST_LOGGED else text[: LONGEST_LOGGED - 3] + "..."


def on_one_line(value: Any) -> Any:
    r"""Return a claim as it may stand in a log: no text of a user's choosing begins a new line.

    Examples:
        >>> on_one_line("ada\nERROR root logged in")
        'ada\\nERROR root logged in'
    """
    if value is None:
        return ""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)


@cache
def warn_once(hint: str) -> None:
    """Log what may be wrong with how the API was set up, once in the life of the process.

    Args:
        hint: one of a few sentences of ours; nothing of a request is in it.
    """
    logger().warning(hint)
