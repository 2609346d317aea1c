"""CVE-2026-41707 (Spring Security): an attacker flooded the memory of DPoP proofs until it forgot some.

Then proofs that had been used were accepted again. A memory that is full has to refuse; and so that no client
can make it refuse everybody, each has only a part of it.
"""

from __future__ import annotations

import pytest

from bearerguard import InvalidDPoPProof, ProviderUnavailable, TooManyProofs
from bearerguard.stores import MemoryReplayStore, ReplayKey
from bearerguard.testing import signing_key
from tests.hostile.minting import NOW
from tests.proofs import KEY, bound, proof, request, server


def test_a_flood_of_one_key_is_refused_and_what_was_used_before_stays_used() -> None:
    at, first = server(), proof()
    at.authenticate(request(first))
    for _ in range(999):
        at.authenticate(request(proof()))
    with pytest.raises(TooManyProofs):
        at.authenticate(request(proof()))
    with pytest.raises(InvalidDPoPProof, match="used before"):
        at.authenticate(request(first))
    other = signing_key("P-256")
    token = bound(other)
    assert at.authenticate(request(proof(token, key=other), token=token)).confirmation == "dpop"


def test_a_flood_of_many_keys_fills_the_memory_and_pushes_nothing_out() -> None:
    store = MemoryReplayStore(lambda: NOW)
    used = ReplayKey("first", bytes(32))
    assert store.add(used, 61)
    for number in range(1, 100_000):
        store.add(ReplayKey(str(number % 1000), number.to_bytes(32, "big")), 61)
    with pytest.raises(ProviderUnavailable) as refused:
        store.add(ReplayKey("another", b"\xff" * 32), 61)
    assert (refused.value.status, refused.value.reason) == (503, "replay_store")
    assert not store.add(used, 61)
    assert store.seen(used)
    assert KEY.thumbprint not in store._of_key
