"""What operators have of a server: its keys before the first request, its state, and its observer.

It decides about no request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from bearerguard.observe import Observer, Refusals

if TYPE_CHECKING:
    from bearerguard._flows.pipeline import Pipeline
    from bearerguard._flows.places import Places
    from bearerguard._io.answer_sources import AnswerSources
    from bearerguard._io.issuers import Issuers
    from bearerguard._io.key_sources import KeySources
    from bearerguard._io.revocations import Revocations
    from bearerguard._io.single_flight import SingleFlight
    from bearerguard.stores.redis import RedisStore

__all__: list[str] = []


class Operated:
    """The half of a server that operators deal with."""

    _clock: Callable[[], float]
    _pipeline: Pipeline
    _places: Places | None
    _refusals: Refusals
    _keys: KeySources
    _answers: AnswerSources
    store: RedisStore | None
    _revocations: Revocations | None
    _issuers: Issuers | None

    def warm_up(self) -> None:
        """Fetch all keys that are not in memory, for a start script or a readiness probe.

        Raises:
            ProviderUnavailable: where some could not be fetched; the message names each and says why.
        """
        self._keys.warm_up()

    async def awarm_up(self) -> None:
        """The same as `warm_up`, for a task."""
        await self._keys.awarm_up()

    def ready(self) -> bool:
        """Whether the API may be sent requests.

        Every provider has keys that may still be used, and where a server shares its revocations with others,
        the store was heard within `max_lag`. Stale keys are good enough, so an outage of a provider takes no
        instance out of service that has its keys. Never waits: what is missing or due is fetched meanwhile,
        by the same pauses as for requests, so that a probe that comes again finds it. Providers that a
        function knows (`trusting`), and those of which each key has an address of its own, are fetched when a
        token comes, and count as ready.

        False once the server is closed.

        Examples:
            ```python
            guard.readiness("/ready")  # before guard.install(app)
            ```
        """
        if self._keys.is_closed:
            return False
        is_heard = self._revocations is None or self._revocations.is_heard()
        return (self._issuers is not None or self._keys.are_usable()) and is_heard

    def health(self) -> dict[str, Any]:
        """Return the state of what the server asks others for; plain values, ready for `json.dumps`.

        Of a store it is told whether it is `reachable`, what it forgets when its memory is full (`eviction`),
        the bytes in use (`memory`), how many seconds ago its revocations were heard (`lag`), and how many
        there are (`entries`); what is not known is None. Never raises while the server is open.

        Examples:
            ```python
            keys = server.health()["providers"]["https://login.example"]
            ready = keys["state"] == "fresh"
            ```
        """
        providers = self._keys.health()
        for name, source in self._answers.by_name.items():
            providers[name]["introspection"] = source.health()
        report: dict[str, Any] = {"providers": providers}
        heard: dict[str, Any] = {}
        if self._revocations is not None:
            heard = report["revocations"] = self._revocations.health()
        if self.store is not None:
            of_revocations = {"lag": heard.get("lag"), "entries": heard.get("entries")}
            report["store"] = {**self.store.health(), **of_revocations}
        return report

    def snapshot(self) -> dict[str, Any]:
        """Return the fetched key sets, ready for `json.dumps`, for `ResourceServer(..., snapshot=...)`.

        Only public keys are in it. Anyone who can change the file can forge tokens: keep it as safe as code.
        """
        return self._keys.snapshot()

    def _observe_by(self, observer: Observer) -> None:
        """Have an observer told of all that the server does from now on.

        What decides is put behind what tells, once, so that a server without an observer asks no request
        whether it has one.

        Raises:
            ConfigurationError: the observer lacks a method.
        """
        from bearerguard._observed import ObservedPipeline, ObservedRefusals, Told  # noqa: PLC0415 - few servers have one

        told = Told(observer)
        # A name that came with a token is not told: nobody bounds how many there are.
        is_named, keys = self._issuers is None, self._keys

        def observed(pipeline: Pipeline) -> Pipeline:
            return cast("Pipeline", ObservedPipeline(pipeline, told, is_named=is_named))

        self._pipeline = observed(self._pipeline)
        if self._places is not None:
            self._places = self._places.with_each(observed)
        self._refusals = ObservedRefusals(self._clock, told, is_named=is_named)

        def refreshed(source: SingleFlight[Any], seconds: float, failure: str | None) -> None:
            name = keys.name_of(source) if is_named else None
            told.refreshed(source.operation, name, seconds, failure)

        keys.tell = refreshed
        self._answers.tell(told.asked)
        if self.store is not None:
            self.store.commands.tells += (told.stored,)
