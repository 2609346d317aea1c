"""What holds among the providers of one server: each is one, and has a name of its own."""

from __future__ import annotations

from collections.abc import Sequence

from bearerguard.errors import ConfigurationError
from bearerguard.provider.provider import Provider

__all__: list[str] = []


def check_several(providers: Sequence[Provider]) -> None:
    """Refuse what is not a provider, and two of one name.

    Raises:
        ConfigurationError: says which.
    """
    for provider in providers:
        if not isinstance(provider, Provider):
            raise ConfigurationError(
                f"a {type(provider).__name__} is not a Provider: write Provider(issuer, audience=...)."
            )
    names = [provider.name for provider in providers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"Two providers are called {twice[0]!r}: give each a name=... of its own.")
