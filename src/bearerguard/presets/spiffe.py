"""Workloads with an identity of SPIFFE: JWT-SVIDs.

Facts from the SPIFFE standards "JWT-SVID", "SPIFFE-ID" and "SPIFFE Trust Domain and Bundle", of which
excerpts were read on 2026-11-28: the trust domain of `sub` says whose keys verify, `aud` and `exp` are
required, `iss` is not; `typ` is absent, `JWT` or `JOSE`; the keys of a bundle that sign JWT-SVIDs have the
use `jwt-svid`; of the algorithms EdDSA is not one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bearerguard.presets._inputs import names, provider, refuse, text
from bearerguard.provider import ASYMMETRIC, Profile, Provider

__all__ = ["spiffe"]

_PROFILE = Profile("JWT_SVID", frozenset({None, "jwt", "jose"}), ("sub",))
_ALGORITHMS = tuple(name for name in ASYMMETRIC if name not in ("EdDSA", "Ed25519"))


def spiffe(trust_domain: str, audience: str | Iterable[str], *, keys: Any, **options: Any) -> Provider:
    """SPIFFE: JWT-SVIDs of a trust domain.

    Args:
        trust_domain: its name, `"prod.shop.example"`.
        audience: what the workload asks an SVID for, most often the SPIFFE ID of this API.
        keys: the bundle of the trust domain: the https address of its bundle endpoint, or the bundle as an
            object.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: a trust domain that is not one, no keys, an algorithm that SVIDs never have.

    Examples:
        ```python
        spiffe(
            "prod.shop.example", "spiffe://prod.shop.example/orders", keys="https://spire.shop.example/bundle"
        )
        ```
    """
    name = (
        text("spiffe", "trust_domain", trust_domain, "prod.shop.example")
        .removeprefix("spiffe://")
        .rstrip("/")
    )
    if "/" in name:
        refuse(
            "spiffe",
            f"trust_domain is {trust_domain!r:.200}, the ID of a workload: write 'prod.shop.example'",
        )
    if keys is None:
        refuse(
            "spiffe",
            "keys is None, and a trust domain has no metadata to discover them from: give the address of its "
            "bundle endpoint, or the bundle as an object",
        )
    unfit = {"EdDSA", "Ed25519"}.intersection(names(options.get("algorithms", ())))
    if unfit:
        refuse(
            "spiffe",
            f"algorithms has {min(unfit)!r}, which JWT-SVIDs are never signed with: leave algorithms out, or "
            "name ES256 or another of those that the standard lists",
        )
    settings = {
        "issuer": None,
        "audience": audience,
        "trust_domain": name.lower(),
        "keys": keys,
        "key_use": "jwt-svid",
        "algorithms": _ALGORITHMS,
        "profile": _PROFILE,
    }
    return provider(settings, options)
