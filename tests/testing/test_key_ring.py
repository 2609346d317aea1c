"""An issuer's keys over time."""

from __future__ import annotations

from bearerguard.testing.key_ring import KeyRing


def kids(ring: KeyRing) -> list[str]:
    return [jwk["kid"] for jwk in ring.published()]


def test_the_published_set_begins_with_the_asked_for_type_and_holds_no_secret() -> None:
    published = KeyRing("P-256").published()
    assert [(jwk["kty"], jwk.get("crv")) for jwk in published] == [
        ("EC", "P-256"),
        ("RSA", None),
        ("EC", "P-384"),
        ("EC", "P-521"),
        ("OKP", "Ed25519"),
    ]


def test_one_key_signs_with_all_algorithms_of_its_type_and_stays_the_same() -> None:
    ring = KeyRing("RSA")
    assert ring.current("RS256") is ring.current("PS512") is ring.current("RS256")


def test_a_rotation_signs_with_new_keys_and_keeps_the_old_ones_published_on_overlap() -> None:
    ring = KeyRing("RSA")
    old, published = ring.current("RS256"), kids(ring)
    ring.rotate(overlap=True)
    assert ring.current("RS256").kid != old.kid
    assert kids(ring)[0] == ring.current("RS256").kid
    assert set(published) < set(kids(ring))


def test_a_rotation_without_overlap_withdraws_the_old_keys_and_those_before() -> None:
    ring = KeyRing("RSA")
    published = kids(ring)
    ring.rotate(overlap=True)
    published += kids(ring)
    ring.rotate(overlap=False)
    assert not set(published) & set(kids(ring))


def test_an_overlap_lasts_until_the_next_rotation() -> None:
    ring = KeyRing("RSA")
    first = ring.current("RS256").kid
    ring.rotate(overlap=True)
    assert first in kids(ring)
    ring.rotate(overlap=True)
    assert first not in kids(ring)


def test_announced_keys_are_published_at_once_and_sign_from_the_next_rotation() -> None:
    ring = KeyRing("RSA")
    signing = ring.current("RS256")
    ring.announce()
    ring.announce()
    announced = kids(ring)
    assert len(announced) == 10
    assert ring.current("RS256") is signing
    ring.rotate(overlap=True)
    assert ring.current("RS256") is not signing
    assert set(kids(ring)) == set(announced)
