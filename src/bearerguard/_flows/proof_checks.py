"""What one server asks of a proof of possession, and what it remembers for that (RFC 9449).

Loaded only where DPoP is taken. It asks whether the token is bound to the key of the proof, and says nothing
else about the token.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from hashlib import sha256
from typing import Any, cast

from bearerguard._core.confirmation import Confirmation
from bearerguard._core.dpop_nonce import Nonces
from bearerguard._core.dpop_proof import Expected, ProofKey, check_signature, claims_of, key_of, the_proof_in
from bearerguard._core.generations import Generations
from bearerguard._core.htu import address_of, base_of, normal_form, origin_of
from bearerguard._flows.binding import Noting, Presented
from bearerguard._flows.effects import AskReplays, ReplayKey, ReplayStore, SharedReplays, Unanswered
from bearerguard._limits import MAX_KEPT_PROOF_HEADER_BYTES, PROOF_KEYS_KEPT
from bearerguard.dpop import DPoP
from bearerguard.errors import (
    ConfigurationError,
    InvalidDPoPProof,
    InvalidToken,
    ProviderUnavailable,
    UseDPoPNonce,
)
from bearerguard.request import Incoming

PROVEN = "bearerguard.proven"
"""In the notes of a request: what was proven by it, and to whom."""


class ProofChecks:
    """What one server asks of proofs, and what it remembers for that. Safe to share by threads.

    Args:
        settings: how DPoP is taken.
        secret: of the nonces; None where none is asked for.
        store: where proofs are noted: in this process, or where a fleet does.
        tell: called once, with the first request that sends a proof beside a token that needs none; or None.
        of: the checks of which these are a look, which notes nothing.
    """

    def __init__(
        self,
        settings: DPoP,
        secret: bytes | None,
        store: ReplayStore | SharedReplays,
        tell: Callable[[], None] | None,
        of: ProofChecks | None = None,
    ) -> None:
        self._settings, self._secret = settings, secret
        self._algorithms = frozenset(settings.algorithms)
        self._max_age = settings.max_age
        self._base = None if settings.base_url is None else base_of(settings.base_url)
        self._nonces = None if secret is None else Nonces(secret)
        self._given = store
        self._store: ReplayStore | None = None if hasattr(store, "ask") else cast("Any", store)
        self._keys: Generations[bytes, ProofKey] = Generations(PROOF_KEYS_KEPT)
        self._tell: Callable[[], None] | None = tell
        self._of = self if of is None else of

    def looking(self) -> ProofChecks:
        """Return the same checks, which look proofs up and note none: to explain, not to admit."""
        store = self._given if self._store is None else LookingStore(self._store)
        return ProofChecks(self._settings, self._secret, store, None, self)

    def look_for_stray(self, request: Incoming | None) -> None:
        """Tell, once, of a proof beside a token that is not bound: it is ignored, and its sender misled."""
        if self._tell is not None and request is not None and request.values(b"dpop"):
            tell, self._tell = self._tell, None
            tell()

    def check(
        self, bound: Confirmation, presented: Presented, request: Incoming, now: float
    ) -> Noting | None:
        """Check that the request was made by the owner of a key, now, for this token, and only once.

        Args:
            bound: what the token is bound to: a key that signs proofs among it.
            presented: the token.
            request: the request that presents it.
            now: in seconds since 1970.

        Returns:
            What is left to do, where the store has to be waited for.

        Raises:
            AuthError: it does not prove that, or cannot be noted.
        """
        proof = the_proof_in(request.values(b"dpop"))
        address = self._address(request, presented.resource)
        # Two guards may stand in the way of one request, and a proof is good once.
        proven = (self._of, presented.token, proof, request.method, address)
        notes = request.notes
        if notes is not None and notes.get(PROVEN) == proven:
            return None
        # Looked up here first: a call more would cost as much as the look-up.
        key = self._keys.young.get(proof.header) or self._keys.get(proof.header)
        is_new = key is None
        if key is None:
            key = key_of(proof.header, self._algorithms)
        jkt = key.thumbprint
        if jkt != bound.jkt:
            raise InvalidToken("key_binding", "The token is bound to another key than that of the proof.")
        if is_new and len(proof.header) <= MAX_KEPT_PROOF_HEADER_BYTES:
            self._keys.put(proof.header, key)
        max_age = self._max_age if self._nonces is None else None
        claims = claims_of(
            proof.payload, Expected(request.method, address, bound.hash_of(presented.token), now, max_age)
        )
        if self._nonces is None:
            until = claims["iat"] + self._max_age
        else:
            until = _nonce_until(self._nonces, claims.get("nonce"), now)
        check_signature(proof, key)
        digest = sha256(f"{jkt}\0{claims['jti']}".encode()).digest()
        # It is good at `until` too, and nobody knows in which fraction of a second a store forgets.
        replay_key, seconds = ReplayKey(jkt, digest), until - now + 1
        if notes is None or self._of is not self:
            notes = {}
        if self._store is None:
            return self._noting(replay_key, seconds if self._of is self else None, notes, proven)
        if not self._store.add(replay_key, seconds):
            raise _replayed()
        notes[PROVEN] = proven
        return None

    def _noting(
        self, key: ReplayKey, seconds: float | None, notes: MutableMapping[str, Any], proven: object
    ) -> Noting:
        """Note a proof where a fleet does, as the last of its checks."""
        is_new: bool | Unanswered = yield AskReplays(cast("SharedReplays", self._given), key, seconds)
        if isinstance(is_new, Unanswered):
            if not self._settings.dangerously_accept_replays:
                raise ProviderUnavailable(
                    "Proofs cannot be noted right now.", retry_after=is_new.retry_after, reason="replay_store"
                )
        elif not is_new:
            raise _replayed()
        notes[PROVEN] = proven

    def _address(self, request: Incoming, resource: str | None) -> str | None:
        """The public address of a request; never by what the client or a proxy says of the host."""
        if request.url is not None:
            address = normal_form(request.url)
            if address is None:
                raise ConfigurationError(
                    f"The url of a Request is {request.url!r:.200}, which is not an address: give the public "
                    "one of what is asked for, such as 'https://api.example/orders'."
                )
            return address
        target = request.target or b""
        if self._base is not None:
            return address_of(target, self._base, request.mount)
        if resource is None:
            raise ConfigurationError(NO_ADDRESS)
        return address_of(target, origin_of(resource))


def _replayed() -> InvalidDPoPProof:
    return InvalidDPoPProof("proof_replayed", "The DPoP proof was used before: each is good once.")


class LookingStore:
    """A store of proofs into which nothing is written.

    Args:
        store: what is looked into.
    """

    def __init__(self, store: ReplayStore) -> None:
        self._store = store

    def add(self, key: ReplayKey, seconds: float) -> bool:  # noqa: ARG002 - nothing is noted
        """Whether a proof could be noted as a new one, which it is not."""
        return not self._store.seen(key)

    def seen(self, key: ReplayKey) -> bool:
        """Whether a proof is there."""
        return self._store.seen(key)


NO_ADDRESS = (
    "DPoP compares each proof with the public address of its request, and it is not known here: write "
    "DPoP(base_url='https://api.example'), or give the guard its resource='https://api.example/v1'."
)


def _nonce_until(nonces: Nonces, nonce: object, now: float) -> float:
    """Until when the nonce of a proof is good (RFC 9449, section 4.3, check 10).

    Raises:
        UseDPoPNonce: there is none, or it is not one of this API's that is good now.
    """
    if nonce is None:
        raise UseDPoPNonce("nonce_missing", "The DPoP proof needs a nonce.", nonces.newest(now))
    until = nonces.good_until(nonce, now) if isinstance(nonce, str) else None
    if until is None:
        raise UseDPoPNonce("nonce", "The DPoP proof's nonce is not good any more.", nonces.newest(now))
    return until
