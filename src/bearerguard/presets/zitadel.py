"""Zitadel.

Facts from Zitadel's pages "Claims" and "Scopes", of which excerpts were read on 2026-11-28: an application
gets opaque access tokens until its token type is set to JWT; `jti` is in a JWT access token and never in an
ID token; roles are the members of an object, below `urn:zitadel:iam:org:project:roles` or the same with the
project's id; `aud` has ids, never addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bearerguard.presets._inputs import host, names, provider, refuse, text
from bearerguard.provider import Profile, Provider

__all__ = ["zitadel"]

_PROFILE = Profile("ZITADEL", frozenset({None, "jwt", "at+jwt"}), ("jti",), refuses_other_kinds=True)
_ID = re.compile(r"[A-Za-z0-9_@.-]{1,200}")


def zitadel(
    domain: str, audience: str | Iterable[str], *, project: str | None = None, **options: Any
) -> Provider:
    """Zitadel: JWT access tokens of an instance.

    Args:
        domain: the instance's domain, or your own: `"shop-1a2b3c.zitadel.cloud"`.
        audience: the id of the project, which tokens name where the client asks for
            `urn:zitadel:iam:org:project:id:<id>:aud`, or the id of a client.
        project: the id of the project whose roles count; by default those of the project of the client.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: an address as the audience.

    Examples:
        >>> zitadel("shop-1a2b3c.zitadel.cloud", "123456789012345678").roles_claim
        ('urn:zitadel:iam:org:project:roles',)
    """
    name = host("zitadel", "domain", domain, "shop-1a2b3c.zitadel.cloud")
    for given in names(audience):
        if not _ID.fullmatch(given):
            refuse(
                "zitadel",
                f"audience is {given!r:.200}, but tokens name ids only: write the project's resource id, as "
                "'123456789012345678'",
            )
    middle = "" if project is None else f"{text('zitadel', 'project', project, '123456789012345678')}:"
    settings = {
        "issuer": f"https://{name}",
        "audience": audience,
        "profile": _PROFILE,
        "roles_claim": [f"urn:zitadel:iam:org:project:{middle}roles"],
        "roles_are_keys": True,
    }
    return provider(settings, options)
