"""authentik.

Facts from authentik's page "OAuth2 provider" and its source (`providers/oauth2/id_token.py`, commit 014e22c),
of which excerpts were read on 2026-11-28: each provider is an issuer of its own, `.../application/o/<slug>/`
with a slash at the end, unless its issuer mode is "same for all"; `aud` is the client id; an access token is
made like the ID token, `nonce` too, with `azp` and `uid` in addition. So these two tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bearerguard.presets._inputs import base_url, flag, provider, refuse, text
from bearerguard.provider import Profile, Provider, RemoteKeys

__all__ = ["authentik"]

_PROFILE = Profile("AUTHENTIK", frozenset({None, "jwt", "at+jwt"}), ("azp", "uid"))
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,255}")


def authentik(
    url: str, application: str, client_id: str | Iterable[str], *, same_issuer: bool = False, **options: Any
) -> Provider:
    """Authentik: access tokens of one application.

    Args:
        url: the address of authentik: `"https://login.shop.example"`.
        application: the slug of the application.
        client_id: the client ids of its provider, which tokens name as their audience.
        same_issuer: the provider's issuer mode is "Same identifier is used for all providers".
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: an address that names an application, a name in place of the slug.

    Examples:
        >>> authentik("https://login.shop.example", "orders", "AbCdEf").issuer
        'https://login.shop.example/application/o/orders/'
    """
    address = base_url("authentik", "url", url, "https://login.shop.example")
    slug = text("authentik", "application", application, "orders")
    if "/application/o" in address:
        refuse(
            "authentik",
            f"url is {address!r:.200}: write the address before '/application/', and the slug apart",
        )
    if not _SLUG.fullmatch(slug):
        refuse("authentik", f"application is {slug!r:.200}: write its slug, not its name, as 'orders'")
    own = f"{address}/application/o/{slug}/"
    settings = {
        "issuer": f"{address}/" if flag("authentik", "same_issuer", same_issuer) else own,
        "audience": client_id,
        "keys": RemoteKeys(metadata_url=f"{own}.well-known/openid-configuration"),
        "profile": _PROFILE,
        "roles_claim": "groups",
    }
    return provider(settings, options)
