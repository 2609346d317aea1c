"""The pipeline with providers that are asked about tokens, whose every answer a test gives by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, cast

import pytest

from bearerguard import AccessToken, AuthError, Introspection, Provider
from bearerguard._core.credentials import BEARER
from bearerguard._flows.binding import Binding
from bearerguard._flows.effects import Answered, AskIntrospection, Unanswered, WaitForKeys
from bearerguard._flows.jwt import Effect
from bearerguard._flows.pipeline import Pipeline
from tests.flows.pipeline import ISSUER, JWKS, NOW, StubSource

OPAQUE = b"opaque-1234567890-abcdefghij"
Says = Mapping[str, Any] | bool | float | Answered
"""What a provider says: claims; False of a token that is not active; a number if it is in trouble; or what
was said before, to somebody else."""


def active(**claims: Any) -> dict[str, Any]:
    """What a provider says of an access token for this API."""
    return {"aud": ISSUER.audience, "token_type": "Bearer", "sub": "ada", "exp": NOW + 600, **claims}


def provider(name: str = "login", **options: Any) -> Provider:
    """A provider that is asked; options of its introspection are taken too."""
    of_introspection = {
        option: options.pop(option)
        for option in (
            "jwts",
            "revocation_budget",
            "audience_checked_by_issuer",
            "token_prefix",
            "url",
            "signed",
        )
        if option in options
    }
    settings = {"issuer": ISSUER.url, "audience": ISSUER.audience, "name": name, **options}
    settings.setdefault("introspection", Introspection("orders-api", "secret", **of_introspection))
    return Provider(settings.pop("issuer"), **settings)


class Source:
    """What would ask a provider."""

    def __init__(self, name: str) -> None:
        self.name = name


class Server:
    """A pipeline; `says` is what each provider says when it is asked, by its name."""

    def __init__(self, *providers: Provider, binding: Binding | None = None, **says: Says) -> None:
        self.now = NOW
        self.says: dict[str, Says] = {one.name: active() for one in providers if one.introspection}
        self.says.update(says)
        self.asked: list[str] = []
        self.keys = {one.name: StubSource(JWKS) for one in providers}
        self.waited: dict[StubSource, Callable[[], float | None]] = {}
        self.pipeline = Pipeline(
            [(one, self.keys[one.name]) for one in providers],
            lambda: self.now,
            binding,
            {name: cast("Any", Source(name)) for name in self.says},
        )

    def admit(
        self, token: str | bytes = OPAQUE, now: float | None = None, request: Any = None, scheme: str = BEARER
    ) -> AccessToken:
        """The token, with every effect carried out."""
        if now is not None:
            self.now = now
        raw = token if isinstance(token, bytes) else token.encode()
        outcome = self.pipeline.admit(raw, request, scheme)
        if isinstance(outcome, AccessToken):
            return outcome
        try:
            effect = next(outcome)
            while True:
                effect = outcome.send(self.carry_out(effect, raw))
        except StopIteration as stop:
            return cast("AccessToken", stop.value)

    def carry_out(self, effect: Effect, raw: bytes) -> Any:
        """The outcome of an effect."""
        if isinstance(effect, WaitForKeys):
            wait = self.waited.get(cast("StubSource", effect.source))
            return wait() if wait is not None else None  # the keys are as new as they can be had
        assert isinstance(effect, AskIntrospection)
        assert (effect.token, effect.digest) == (raw, sha256(raw).digest())
        name = cast("Source", effect.source).name
        self.asked.append(name)
        said = self.says[name]
        if isinstance(said, Answered):
            return said
        if isinstance(said, bool):
            return Answered(None)
        return Unanswered(said) if isinstance(said, int | float) else Answered(dict(said))

    def refusal(
        self, token: str | bytes = OPAQUE, now: float | None = None, request: Any = None, scheme: str = BEARER
    ) -> AuthError:
        """Why it is refused."""
        with pytest.raises(AuthError) as refused:
            self.admit(token, now, request, scheme)
        return refused.value
