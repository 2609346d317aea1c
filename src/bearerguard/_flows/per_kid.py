"""Tokens of a provider that publishes each key at an address of its own, made of the token's `kid`.

That is the one place where something of a token becomes part of an address. So the whole `kid` has to match a
pattern of the configuration first, and few keys that were never seen are asked for at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from bearerguard._flows.effects import KeySource, KeySourceByKid
from bearerguard._flows.jwt import NOT_TRUSTED, Deciding, JwtVerifier, Verdict, unavailable
from bearerguard._jose.jws import Header
from bearerguard.errors import InvalidToken, ProviderUnavailable
from bearerguard.provider import Provider


class PerKidVerifier(Struct, frozen=True):
    """A provider, where each of its keys is, and its checks.

    Attributes:
        provider: the provider.
        sources: where each key is.
        matches: whether a `kid` looks like the provider's.
        clock: seconds since 1970.
        verifier: makes the checks, with the source of the token's key in place of its own.
    """

    provider: Provider
    sources: KeySourceByKid
    matches: Callable[[str], object]
    clock: Callable[[], float]
    verifier: JwtVerifier

    def decide(self, *parts: Any) -> Verdict | Deciding:
        """Decide as `JwtVerifier.decide` does, under the key that the header names.

        Raises:
            AuthError: the first check that fails.
        """
        header: Header = parts[0]
        alg, kid, typ = header
        verifier = self.verifier
        if alg not in verifier.algorithms:
            raise InvalidToken("algorithm", NOT_TRUSTED)
        if typ not in verifier.types:
            raise InvalidToken("type", NOT_TRUSTED)
        if kid is None or not self.matches(kid):
            raise InvalidToken("unknown_key", NOT_TRUSTED)
        source = self.sources.source_of(kid)
        if source is None:
            raise unavailable(None)
        outcome = replace(verifier, source=source).decide(*parts)
        return outcome if isinstance(outcome, Verdict) else self._unless_absent(kid, outcome)

    def _unless_absent(self, kid: str, deciding: Deciding) -> Deciding:
        """A key that the provider says it has not is the token's fault, not the provider's."""
        try:
            return (yield from deciding)
        except ProviderUnavailable:
            if self.sources.is_absent(kid):
                raise InvalidToken("unknown_key", NOT_TRUSTED) from None
            raise


def per_kid(verifier: JwtVerifier) -> PerKidVerifier:
    """Return the verifier of a provider whose keys are fetched one by one."""
    remote = verifier.provider.remote_keys
    pattern = "" if remote is None or remote.kid_pattern is None else remote.kid_pattern
    sources = cast("KeySourceByKid", verifier.source)
    placeholder = cast("KeySource", None)
    return PerKidVerifier(
        verifier.provider,
        sources,
        re.compile(pattern).fullmatch,
        verifier.clock,
        replace(verifier, source=placeholder),
    )
