"""What gives a server `explain` and `aexplain`: they run the server itself, apart, so that nothing is spent.

What derives an explanation is loaded with the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from copy import copy
from typing import TYPE_CHECKING, Any, Self

from bearerguard.errors import AuthError
from bearerguard.observe import E, Refusals
from bearerguard.request import Headers, Incoming, as_request

if TYPE_CHECKING:
    from bearerguard._flows.pipeline import Pipeline
    from bearerguard._flows.places import Places
    from bearerguard.explain.explanation import Explanation
    from bearerguard.provider import Provider
    from bearerguard.revocation import Revocation
    from bearerguard.rules import Rule
    from bearerguard.token import AccessToken

__all__: list[str] = []


class Explains:
    """The half of a server that says why."""

    providers: tuple[Provider, ...]
    resource: str | None
    revocation: Revocation | None
    verify: Callable[[str], AccessToken]
    averify: Callable[[str], Coroutine[Any, Any, AccessToken]]
    authenticate: Callable[[Incoming | Headers], AccessToken]
    health: Callable[[], dict[str, Any]]
    aauthenticate: Callable[[Incoming | Headers], Coroutine[Any, Any, AccessToken]]
    _clock: Callable[[], float]
    _pipeline: Pipeline
    _places: Places | None
    _refusals: Refusals
    _check_open: Callable[[], None]

    def explain(self, token_or_request: str | Incoming | Headers, *, rule: Rule | None = None) -> Explanation:
        """Return why a token, or a request, is accepted or refused: every check, the cause, and advice.

        The checks are those of `verify` and `authenticate`, which decide the same. Nothing is spent: a proof
        is looked up and not noted, no verdict is remembered, nothing is logged. Keys that are not in memory
        are waited for, and an issuer is asked about an opaque token, as for one request. The explanation is
        for the developer: it says what is configured, and what an unverified token claims, so send it to
        nobody who presents a token.

        Args:
            token_or_request: the text of a token, as `verify` takes it; or a request, as `authenticate` does.
            rule: what a route asks of the token; it is the last check.

        Raises:
            ConfigurationError: what is given is neither a token nor a request, or the rule is not a rule.

        Examples:
            ```python
            print(server.explain(text, rule=scope("orders:read")))
            ```
        """
        return self._explained(token_or_request, rule)[0]

    def _explained(
        self, token_or_request: str | Incoming | Headers, rule: Rule | None
    ) -> tuple[Explanation, AccessToken | AuthError]:
        """The explanation, and what it explains: the verified token, or why there is none."""
        from bearerguard.explain.asked import explained  # noqa: PLC0415 - few programs ask

        apart = self._apart()
        outcome: AccessToken | AuthError
        try:
            if isinstance(token_or_request, str):
                outcome = apart.verify(token_or_request)
            else:
                outcome = apart.authenticate(as_request(token_or_request))
        except AuthError as error:
            outcome = error
        return explained(apart, token_or_request, rule, outcome), outcome

    async def aexplain(
        self, token_or_request: str | Incoming | Headers, *, rule: Rule | None = None
    ) -> Explanation:
        """The same as `explain`, for a task."""
        from bearerguard.explain.asked import explained  # noqa: PLC0415 - as above

        apart = self._apart()
        outcome: AccessToken | AuthError
        try:
            if isinstance(token_or_request, str):
                outcome = await apart.averify(token_or_request)
            else:
                outcome = await apart.aauthenticate(as_request(token_or_request))
        except AuthError as error:
            outcome = error
        return explained(apart, token_or_request, rule, outcome)

    def _apart(self) -> Self:
        """The same server for one explanation: it spends, remembers and logs nothing."""
        self._check_open()
        apart = copy(self)
        apart._pipeline = self._pipeline.apart()  # noqa: SLF001 - of the same object, but for these three
        apart._places = None if self._places is None else self._places.apart()  # noqa: SLF001 - as above
        apart._refusals = Untold(self._clock)  # noqa: SLF001 - as above
        return apart


class Untold(Refusals):
    """Tells nobody why a request was refused: whoever asked is told."""

    def log(self, error: E, request: Incoming | None = None) -> E:  # noqa: ARG002 - nothing is told
        """Return the error."""
        return error
