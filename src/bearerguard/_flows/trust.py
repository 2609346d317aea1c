"""What one provider says of a token that claims to be its own: every check, in one order.

`decide` gets a token taken apart, of which nothing is verified yet, and answers at once: accepted, refused,
or the keys that it would have to wait for. It neither reads a token's text nor remembers a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf

from msgspec import Struct

from bearerguard._core.claims import ClaimChecks, Claims, compose_checks
from bearerguard._flows.effects import KeySource, WaitForKeys
from bearerguard._jose.jws import Header
from bearerguard._jose.key_set import Keys, KeySet
from bearerguard.errors import AuthError, InvalidToken, ProviderUnavailable
from bearerguard.provider import Provider
from bearerguard.token import SignedClaims

Waited = Mapping[KeySource, float | None]
"""The sources that this request has waited for, each with the answer."""
Question = tuple[Header, Claims, bytes, bytes, bytes, float, Waited]
"""What `decide` takes."""


class Accepted(SignedClaims, gc=False):
    """A verdict in memory: all that is needed to give it again."""

    since: float
    until: float
    source: KeySource
    keys: Keys


class Trust(Struct, frozen=True):
    """A provider, where its keys are, and its checks, composed."""

    provider: Provider
    source: KeySource
    algorithms: frozenset[str]
    types: frozenset[str | None]
    check: ClaimChecks

    def decide(  # noqa: PLR0917 - the parts of a token; on the way of each new one no object is made of them
        self,
        header: Header,
        claims: Claims,
        payload: bytes,
        signing_input: bytes,
        signature: bytes,
        now: float,
        waited: Waited,
    ) -> Accepted | WaitForKeys:
        """Make every check, in an order that learns nothing from a token before its signature.

        Args:
            header: the token's header.
            claims: its claims.
            payload: the JSON text of them.
            signing_input: what the signature is over.
            signature: the signature.
            now: seconds since 1970.
            waited: the key sources that this request has waited for already.

        Raises:
            InvalidToken: the first check that fails; the caller adds whose it is.
            ProviderUnavailable: the provider could not be asked for keys that are needed.
        """
        alg, kid, typ = header
        if alg not in self.algorithms:
            raise InvalidToken("algorithm", "The token is signed with an algorithm that is not accepted.")
        if typ not in self.types:
            raise InvalidToken("type", "The token is not of a type that is accepted as an access token.")
        source = self.source
        key_set = source.key_set
        if key_set is None or (
            not key_set.fetched_at <= now < key_set.refresh_at and not is_usable(source, key_set, now)
        ):
            if source in waited:
                raise _unavailable(waited[source])
            return WaitForKeys(source, "missing")
        keys = key_set.keys
        for verify in keys.named.get((alg, kid)) or keys.unnamed(alg, kid):
            if verify(signature, signing_input):
                until = self.check(claims, now)
                return Accepted(self.provider, payload, None, now, until, source, keys)
        named = (alg, kid) in keys.named
        if named or key_set.refresh_at == inf:
            raise _not_signed(named or bool(keys.unnamed(alg, kid)))
        # No key of that name: it may have been published since. Keys without a name may have been replaced.
        if source not in waited:
            return WaitForKeys(source, "unknown_kid")
        if waited[source] is not None:
            raise _unavailable(waited[source])
        raise _not_signed(bool(keys.unnamed(alg, kid)))


class AnyOf(Struct, frozen=True):
    """Several providers that have the same issuer: any of them that accepts will do."""

    trusts: tuple[Trust, ...]

    def decide(self, *asked: *Question) -> Accepted | WaitForKeys:
        """Decide as the first that accepts.

        Raises:
            AuthError: none accepts; of their refusals the one that got furthest, with its provider.
        """
        wanted: WaitForKeys | None = None
        refusals: list[AuthError] = []
        for trust in self.trusts:
            try:
                outcome = trust.decide(*asked)
            except AuthError as error:
                error.provider = trust.provider.name
                refusals.append(error)
                continue
            if isinstance(outcome, Accepted):
                return outcome
            wanted = wanted or outcome
        if wanted is not None:
            return wanted
        try:
            raise max(refusals, key=_weight)
        finally:
            refusals.clear()  # else error, traceback and frame are a cycle, left to the garbage collector


def trust_in(providers: Iterable[tuple[Provider, KeySource]]) -> dict[str | None, Trust | AnyOf]:
    """Whom to ask about a token, by its issuer; under None, whom to ask about the tokens of all others."""
    by_issuer: dict[str | None, list[Trust]] = {}
    for provider, source in providers:
        by_issuer.setdefault(provider.issuer, []).append(_trust(provider, source))
    return {
        issuer: trusts[0] if len(trusts) == 1 else AnyOf(tuple(trusts))
        for issuer, trusts in by_issuer.items()
    }


def _trust(provider: Provider, source: KeySource) -> Trust:
    check = compose_checks(
        leeway=provider.leeway,
        audiences=None if provider.dangerously_accept_any_audience else provider.audiences,
        audience_claim=provider.audience_claim,
        required=provider.profile.required_claims,
        required_values=provider.required_values,
    )
    return Trust(provider, source, frozenset(provider.algorithms), provider.profile.types, check)


def is_usable(source: KeySource, key_set: KeySet, now: float) -> bool:
    """Whether keys that are due for a refresh may be used meanwhile; has the refresh started.

    Keys from the future are due as well: the clock was set back, and would keep them for longer.
    """
    source.refresh_ahead(now)
    return now < key_set.usable_until


def _not_signed(had_a_key: bool) -> InvalidToken:
    if had_a_key:
        return InvalidToken("signature", "The token's signature does not verify.")
    return InvalidToken("unknown_key", "The token is signed with a key that is not known.")


def _unavailable(retry_after: float | None) -> ProviderUnavailable:
    return ProviderUnavailable(
        "The signing keys of the token's issuer are unavailable right now.",
        retry_after=1.0 if retry_after is None else retry_after,
    )


# How far a token got before it was refused; whoever had trouble might have accepted it.
_WEIGHTS = {"algorithm": 0, "type": 0, "unknown_key": 1, "signature": 2, "provider_unavailable": 4}


def _weight(refusal: AuthError) -> int:
    """Of several providers' refusals, the one that tells most is given."""
    return _WEIGHTS.get(refusal.reason, 3)
