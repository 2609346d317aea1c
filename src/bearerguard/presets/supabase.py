"""Supabase Auth.

Facts from Supabase's pages "JWT Claims Reference" and "JWT Signing Keys", of which excerpts were read on
2026-11-28: the issuer is the project's address with `/auth/v1`; `aud` is `authenticated` for users; keys are
published only where the project signs with asymmetric ones, and the older shared secret (HS256) verifies
nothing here; people who signed in without a name have `is_anonymous`; `role` is the role in the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from bearerguard.presets._inputs import base_url, names, provider, refuse, text
from bearerguard.provider import Profile, Provider

__all__ = ["supabase"]

_PROFILE = Profile(
    "SUPABASE", frozenset({None, "jwt"}), ("sub", "iat", "session_id"), refuses_other_kinds=True
)
_REFERENCE = re.compile(r"[a-z]{20}")


def supabase(project: str, audience: str | Iterable[str] = "authenticated", **options: Any) -> Provider:
    """Supabase: access tokens of the users of a project.

    Args:
        project: the project's reference of 20 letters, or its address: `"https://abcdefghijklmnopqrst.supabase.co"`.
        audience: `"authenticated"`, unless a hook changes it.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: a key in place of the project, the audience of those who are not logged in.

    Examples:
        >>> supabase("abcdefghijklmnopqrst").issuer
        'https://abcdefghijklmnopqrst.supabase.co/auth/v1'
    """
    name = text("supabase", "project", project, "abcdefghijklmnopqrst")
    bare = name.removeprefix("https://").rstrip("/")
    name = bare if _REFERENCE.fullmatch(bare) else name
    if name.startswith(("eyJ", "sb_publishable_", "sb_secret_")):
        refuse("supabase", "project is an API key: write the project's reference, and replace a secret key")
    if not _REFERENCE.fullmatch(name) and "." not in name and "://" not in name:
        refuse("supabase", f"project is {name!r:.80}: write its reference of 20 letters, or its address")
    address = (
        f"https://{name}.supabase.co"
        if _REFERENCE.fullmatch(name)
        else base_url("supabase", "project", name, "https://abcdefghijklmnopqrst.supabase.co")
    )
    there = urlsplit(address)
    if there.hostname in ("supabase.com", "www.supabase.com") or (
        there.netloc.endswith(".supabase.co") and there.path not in ("", "/auth/v1")
    ):
        refuse(
            "supabase",
            f"project is {name!r:.200}, another page or API of Supabase: write the project's reference of 20 "
            "letters, or the Project URL, as 'https://abcdefghijklmnopqrst.supabase.co'",
        )
    if "anon" in names(audience):
        refuse(
            "supabase", "audience has 'anon', which everybody gets who has the page: write 'authenticated'"
        )
    issuer = address if address.endswith("/auth/v1") else f"{address}/auth/v1"
    settings = {
        "issuer": issuer,
        "audience": audience,
        "keys": f"{issuer}/.well-known/jwks.json",
        "algorithms": ["ES256", "RS256"],
        "profile": _PROFILE,
        "roles_claim": "role",
    }
    return provider(settings, options)
