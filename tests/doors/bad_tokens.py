"""The bad tokens that the test kit mints, each with what a client is told of it."""

from __future__ import annotations

import functools
from collections.abc import Callable

from bearerguard.testing import Issuer

BAD: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "expired": (Issuer.expired, "The token has expired."),
    "not yet valid": (Issuer.not_yet_valid, "The token is not valid yet: it will be in 60 min."),
    "for another audience": (Issuer.for_another_audience, "The token is meant for another audience."),
    "from another issuer": (
        Issuer.from_another_issuer,
        "The token was not issued by a provider that this API trusts.",
    ),
    "forged": (Issuer.forged, "The token was not issued by a provider that this API trusts."),
    "unsigned": (Issuer.unsigned, "The token was not issued by a provider that this API trusts."),
    "without end": (functools.partial(Issuer.token, exp=None), "The token has no 'exp' claim."),
}
