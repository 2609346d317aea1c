"""Google: ID tokens of Google accounts, of Firebase, and of Identity-Aware Proxy.

Facts from excerpts of these pages, read on 2026-11-28. "Verify the Google ID token on your server side": the
issuer comes with and without `https://`, `aud` is the OAuth client id, `hd` names the organization. "Verify
ID Tokens" of Firebase: the issuer and the audience are made of the project id, and `auth_time` is there.
"Securing your app with signed headers" of IAP: ES256, keys at gstatic.com, 30 s of clock difference. In all
three the ID token is the token that an API gets; Google's own access tokens are opaque.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bearerguard.presets._inputs import names, provider, refuse, text
from bearerguard.provider import Profile, Provider
from bearerguard.provider.sources import Header

__all__ = ["firebase", "google", "google_iap"]

_ID_TOKEN = frozenset({None, "jwt"})
_CERTS = "https://www.googleapis.com/oauth2/v3/certs"
_FIREBASE_CERTS = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
_IAP_CERTS = "https://www.gstatic.com/iap/verify/public_key-jwk"
_CLIENT_ID = re.compile(r"\d+(?:-[a-z0-9]+)?\.apps\.googleusercontent\.com")
_PROJECT_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_IAP_AUDIENCE = re.compile(
    r"/projects/\d+/(?:apps/[a-z0-9.:-]+|(?:global|[a-z0-9-]+)/backendServices/\d+|locations/[a-z0-9-]+/services/[a-z0-9-]+)"
)


def google(client_id: str | Iterable[str], **options: Any) -> Provider:
    """Google: ID tokens of Google accounts, as clients get them with Sign in with Google.

    Args:
        client_id: the OAuth client ids whose tokens are accepted. For tokens of service accounts, the https
            address that they were asked for.
        **options: arguments of `Provider` that replace or add to these, such as
            `required_claims={"hd": "shop.example"}` to let in only one organization.

    Raises:
        ConfigurationError: what is neither a client id nor an https address.

    Examples:
        >>> google("1234-abc.apps.googleusercontent.com").issuer_aliases
        ('accounts.google.com',)
    """
    for name in names(client_id):
        if name.startswith("GOCSPX-"):
            refuse("google", "client_id is a client secret: write the client id, and replace the secret")
        is_address = name.startswith("https://") and ".apps.googleusercontent.com" not in name
        if not _CLIENT_ID.fullmatch(name) and not is_address:
            refuse(
                "google",
                f"client_id is {name!r:.200}: write the whole id, as '1234-abc.apps.googleusercontent.com'",
            )
    settings = {
        "issuer": "https://accounts.google.com",
        "issuer_aliases": "accounts.google.com",
        "audience": client_id,
        "keys": _CERTS,
        "algorithms": "RS256",
        "profile": Profile("GOOGLE", _ID_TOKEN, ("sub", "iat")),
        "client_claim": "azp",
    }
    return provider(settings, options)


def firebase(project_id: str, **options: Any) -> Provider:
    """Firebase Authentication, and Identity Platform: ID tokens of a project.

    Args:
        project_id: the id of the project, not its number or name.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: a number, a name, an address.

    Examples:
        >>> firebase("shop-1234").issuer
        'https://securetoken.google.com/shop-1234'
    """
    name = text("firebase", "project_id", project_id, "shop-1234")
    name = name.removesuffix(".firebaseapp.com").removeprefix("https://securetoken.google.com/")
    if not _PROJECT_ID.fullmatch(name):
        what = "the project's number" if name.isdigit() else f"{name!r:.200}"
        refuse(
            "firebase",
            f"project_id is {what}: write the project id from the project settings, as 'shop-1234'",
        )
    settings = {
        "issuer": f"https://securetoken.google.com/{name}",
        "audience": name,
        "keys": _FIREBASE_CERTS,
        "algorithms": "RS256",
        "profile": Profile("FIREBASE", _ID_TOKEN, ("sub", "iat", "auth_time")),
    }
    return provider(settings, options)


def google_iap(audience: str | Iterable[str], **options: Any) -> Provider:
    """Google Identity-Aware Proxy: the assertion that it puts into `X-Goog-IAP-JWT-Assertion`.

    Args:
        audience: the "Signed Header JWT Audience" of the backend, `"/projects/..."`.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: an audience of another form.

    Examples:
        >>> google_iap("/projects/123456/global/backendServices/789").source.name
        'x-goog-iap-jwt-assertion'
    """
    for name in names(audience):
        if not _IAP_AUDIENCE.fullmatch(name):
            refuse(
                "google_iap",
                f"audience is {name!r:.200}: copy the Signed Header JWT Audience of the backend, as "
                "'/projects/123456/global/backendServices/789' with the project's number",
            )
    settings = {
        "issuer": "https://cloud.google.com/iap",
        "audience": audience,
        "keys": _IAP_CERTS,
        "algorithms": "ES256",
        "leeway": 30,
        "profile": Profile("GOOGLE_IAP", _ID_TOKEN, ("sub", "iat")),
        "source": Header("x-goog-iap-jwt-assertion"),
    }
    return provider(settings, options)
