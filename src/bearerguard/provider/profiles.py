"""Named, frozen sets of checks: which kind of token a provider's API accepts.

A profile only says what a token must look like; issuer, audience, keys and times are always checked.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

__all__ = ["ANY_JWT", "ID_TOKEN", "JWT", "RFC9068", "Profile"]


class Profile(msgspec.Struct, frozen=True):
    """What a token must look like, beyond what every token must.

    Attributes:
        name: for error messages and logs.
        types: the accepted `typ` values, lower case, without `application/`; None for an absent one.
        required_claims: claims that must be there, besides `iss`, `exp` and the audience.
        refuses_other_kinds: whether a token is refused that says of itself that it is an ID token, a refresh
            token, a logout token or an authorization response. A `typ` of `at+jwt` says what it is.
    """

    name: str
    types: Collection[str | None]
    required_claims: tuple[str, ...] = ()
    refuses_other_kinds: bool = False

    def __post_init__(self) -> None:
        # A copy: a set of the program's own may change, and has no hash.
        msgspec.structs.force_setattr(self, "types", frozenset(self.types))


JWT: Final = Profile("JWT", {None, "jwt", "at+jwt"}, refuses_other_kinds=True)
"""Any signed JWT that is meant as an access token: what most providers issue. The default."""

ANY_JWT: Final = Profile("ANY_JWT", JWT.types)
"""Any signed JWT of the provider, ID tokens too: what starlette-oauth2-api and layabauth promise."""

RFC9068: Final = Profile("RFC9068", {"at+jwt"}, ("sub", "client_id", "iat", "jti"))
"""The JWT profile for access tokens (RFC 9068, sections 2.1 and 2.2): nothing can be mistaken for one."""

ID_TOKEN: Final = Profile("ID_TOKEN", {None, "jwt"}, ("sub", "iat"))
"""OpenID Connect ID tokens (OpenID Connect Core, section 2), for front ends that send those to an API."""
