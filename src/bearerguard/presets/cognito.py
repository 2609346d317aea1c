"""Amazon Cognito user pools.

Facts from the Amazon Cognito Developer Guide, "Understanding the access token" and "Verifying JSON web
tokens", of which excerpts were read on 2026-11-28: an access token has no `aud` unless the client asked for a
resource; `client_id` names the app client and `token_use` says `access`; groups stand in `cognito:groups`.
The API reference's "IssuerConfigurationType", read on 2026-11-29: a pool of the type `UPDATED` has another
issuer, which begins with `issuer-cognito-idp`; which of the two a pool has, its id does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bearerguard.presets._inputs import names, provider, refuse, text
from bearerguard.provider import Provider

__all__ = ["cognito"]

_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_POOL = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d_[A-Za-z0-9]{1,64}")
_CLIENT = re.compile(r"[A-Za-z0-9]{1,128}")


def cognito(region: str, user_pool_id: str, client_id: str | Iterable[str], **options: Any) -> Provider:
    """Amazon Cognito: access tokens of a user pool.

    Args:
        region: `"eu-west-1"`.
        user_pool_id: the id of the user pool, which begins with the region: `"eu-west-1_AbCdEfGhI"`.
        client_id: the app clients whose tokens are meant for this API: the tokens name no audience.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: a pool of another region, an identity pool, an ARN.

    Examples:
        >>> cognito("eu-west-1", "eu-west-1_AbCdEfGhI", "1h57kf5cpq17m0eml12EXAMPLE").issuer
        'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI'
    """
    place = text("cognito", "region", region, "eu-west-1")
    pool = text("cognito", "user_pool_id", user_pool_id, "eu-west-1_AbCdEfGhI")
    if not _REGION.fullmatch(place):
        refuse("cognito", f"region is {place!r:.80}: write it as 'eu-west-1'")
    if pool.startswith(f"{place}:"):
        refuse("cognito", f"user_pool_id is {pool!r:.80}, an identity pool: write the id of the user pool")
    if not _POOL.fullmatch(pool):
        refuse("cognito", f"user_pool_id is {pool!r:.200}: write the id, as '{place}_AbCdEfGhI'")
    if not pool.startswith(f"{place}_"):
        refuse("cognito", f"user_pool_id is {pool!r}, of another region than {place!r}: write its own region")
    for name in names(client_id):
        if not _CLIENT.fullmatch(name):
            refuse(
                "cognito",
                f"client_id is {name!r:.200}: write the id of the app client, not its name or a URL",
            )
    settings = {
        "issuer": f"https://cognito-idp.{place}.amazonaws.com/{pool}",
        "audience": client_id,
        "audience_claim": "client_id",
        "required_claims": {"token_use": "access"},
        "algorithms": "RS256",
        "roles_claim": ["cognito:groups"],
    }
    return provider(settings, options)
