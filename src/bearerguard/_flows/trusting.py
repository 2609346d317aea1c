"""Tokens of issuers that are not known when the program starts: a function of the program says whom to trust.

Nothing is fetched for an issuer that it did not accept, and it is asked only about what may be an issuer (RFC
8414, section 2). It is asked before any signature is checked, as the keys are the issuer's: so its answer is
the only thing between a stranger and a fetch. Which answers are kept, and for how long, is the register's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, cast

from bearerguard._core.issuer import is_well_formed
from bearerguard._core.shared_bound import SharedBound
from bearerguard._flows.binding import Binding
from bearerguard._flows.effects import IssuerRegister, KeySource, Resolution, ResolveIssuer
from bearerguard._flows.jwt import NOT_TRUSTED, Deciding, Effect, Verdict, Verifier, unavailable
from bearerguard._flows.pipeline import Pipeline
from bearerguard._flows.trust import AnyVerifier, verifier_of
from bearerguard.errors import AuthError, InvalidToken
from bearerguard.provider import Provider
from bearerguard.token import REMEMBERED

if TYPE_CHECKING:
    from bearerguard._flows.revocation import Revoked


class TrustingPipeline(Pipeline):
    """Admits the tokens of issuers that a register knows, or that its function accepts.

    Args:
        register: knows them.
        clock: seconds since 1970.
        binding: as for `Pipeline`; so are `memory` and `revoked`.
        memory: as there.
        revoked: as there.
    """

    def __init__(
        self,
        register: IssuerRegister,
        clock: Callable[[], float],
        binding: Binding | None = None,
        memory: SharedBound = REMEMBERED,
        revoked: Revoked | None = None,
    ) -> None:
        super().__init__((), clock, binding, None, memory, revoked)
        self._register = register
        # It is looked up as the issuers of configuration are, and keeps its own order.
        self._by_issuer = cast("dict[str | None, AnyVerifier]", register)

    def _like(self, binding: Binding, revoked: Revoked | None) -> TrustingPipeline:
        # The register is asked as one request asks it.
        return TrustingPipeline(self._register, self._clock, binding, SharedBound(0), revoked)

    def trusted_for(self, issuer: str) -> Generator[Effect, Any, tuple[tuple[Provider, KeySource], ...]]:
        """Return the issuer, where the function accepts it, with where its keys are."""
        found: TrustedIssuer | None = self._register.get(issuer)
        if found is None:
            self._of_any_issuer(issuer)  # which refuses what the function is not asked about
            resolution: Resolution = yield ResolveIssuer(self._register, issuer)
            found = resolution.verifier
            if found is None and resolution.retry_after is not None:
                raise unavailable(resolution.retry_after)
        return () if found is None else ((found.provider, found.source),)

    def _of_any_issuer(self, issuer: Any) -> AnyVerifier:
        if issuer is None:
            raise InvalidToken("missing_claim", "The token has no 'iss' claim.")
        if issuer.__class__ is not str:
            raise InvalidToken("invalid_claim", "The token's 'iss' claim is malformed.")
        if not is_well_formed(issuer) or self._register.has_refused(issuer):
            raise InvalidToken("issuer", NOT_TRUSTED)
        return cast("AnyVerifier", Unresolved(self._register, issuer, self._clock))


class Unresolved:
    """Stands for the verifier of an issuer that the function has to be asked about first."""

    __slots__ = ("_clock", "_issuer", "_register")

    def __init__(self, register: IssuerRegister, issuer: str, clock: Callable[[], float]) -> None:
        self._register = register
        self._issuer = issuer
        self._clock = clock

    def decide(self, *parts: Any) -> Deciding:
        """Have the function asked; then decide as the issuer's verifier does."""
        resolution: Resolution = yield ResolveIssuer(self._register, self._issuer)
        verifier: TrustedIssuer | None = resolution.verifier
        if verifier is None:
            if resolution.retry_after is not None:
                raise unavailable(resolution.retry_after)
            raise InvalidToken("issuer", NOT_TRUSTED)
        try:
            outcome = verifier.decide(*parts[:-1], self._clock())
            return outcome if isinstance(outcome, Verdict) else (yield from outcome)
        except AuthError as error:
            error.provider = verifier.provider.name
            raise


class TrustedIssuer:
    """An issuer that the function accepted: verifies its tokens, and notes the first that was verified.

    Args:
        provider: the issuer.
        source: where its keys are.
        clock: seconds since 1970.
        on_proof: called once, when a token of the issuer was verified.
    """

    __slots__ = ("_is_proven", "_on_proof", "_verifier", "provider", "source")

    def __init__(
        self,
        provider: Provider,
        source: KeySource,
        clock: Callable[[], float],
        on_proof: Callable[[], None],
    ) -> None:
        self.provider = provider
        self.source = source
        self._verifier: Verifier = verifier_of(provider, source, clock)
        self._on_proof = on_proof
        self._is_proven = False

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since 1970."""
        return self._verifier.clock

    def decide(self, *parts: Any) -> Verdict | Deciding:
        """Decide as the provider's verifier.

        Raises:
            AuthError: the first check that fails.
        """
        outcome = self._verifier.decide(*parts)
        if not isinstance(outcome, Verdict):
            return self._after(outcome)
        self._prove()
        return outcome

    def _after(self, deciding: Deciding) -> Deciding:
        verdict = yield from deciding
        self._prove()
        return verdict

    def _prove(self) -> None:
        if not self._is_proven:
            self._is_proven = True
            self._on_proof()
