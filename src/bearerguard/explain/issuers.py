"""Causes of refused issuers: what differs between the one that a token names and those that are trusted."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bearerguard.explain.situation import Cause, Situation, shown

__all__: list[str] = []

_V1 = re.compile(r"https://sts\.windows\.net/([^/]+)/?")
_V2 = re.compile(r"https://login\.microsoftonline\.com/([^/]+)/v2\.0/?")


def _claimed(situation: Situation) -> str | None:
    """The issuer that a token claims which is refused for it."""
    issuer = situation.claims.get("iss")
    refused = situation.error is not None and situation.error.reason == "issuer"
    return issuer if refused and isinstance(issuer, str) else None


def entra_v1_at_v2(situation: Situation) -> Cause | None:
    """Entra ID issued the token as version 1, and the issuer of version 2 is configured."""
    issuer = _claimed(situation)
    if issuer is None or not _V1.fullmatch(issuer) or not any(map(_V2.fullmatch, situation.issuers)):
        return None
    return Cause(
        "Entra ID issued a token of version 1, and the issuer of version 2 is configured.",
        "Set requestedAccessTokenVersion to 2 in the manifest of the API's registration, or write "
        "presets.entra(..., version='v1').",
    )


def entra_v2_at_v1(situation: Situation) -> Cause | None:
    """Entra ID issued the token as version 2, and the issuer of version 1 is configured."""
    issuer = _claimed(situation)
    if issuer is None or not _V2.fullmatch(issuer) or not any(map(_V1.fullmatch, situation.issuers)):
        return None
    return Cause(
        "Entra ID issued a token of version 2, and the issuer of version 1 is configured.",
        "Write presets.entra(..., version='v2'), with the client id of the API as its audience.",
    )


def issuer_is_written_otherwise(situation: Situation) -> Cause | None:
    """A slash at the end, upper and lower case, white space."""
    issuer = _claimed(situation)
    if issuer is None:
        return None
    for configured in situation.issuers:
        differences = differences_in_writing(issuer, configured)
        if differences:
            return Cause(
                f"The token's issuer {shown(issuer)} and the configured {shown(configured)} differ only in "
                f"{' and '.join(differences)}.",
                f"If it is the same provider, write Provider({shown(issuer)}, ...): issuers are compared "
                "character by character (RFC 7519, section 4.1.1)."
                if issuer == issuer.strip()
                else "Mend the setting of the provider that puts white space into its issuer.",
            )
    return None


def differences_in_writing(one: str, other: str) -> list[str]:
    """Return what differs between two texts that are otherwise the same; nothing where more does.

    Examples:
        >>> differences_in_writing("https://login.example/", "https://LOGIN.example")
        ['a slash at the end', 'upper and lower case']
    """
    if one == other or alike(one) != alike(other):
        return []
    found = []
    if one.strip() != one or other.strip() != other:
        found.append("white space")
    one, other = one.strip(), other.strip()
    if one.endswith("/") != other.endswith("/"):
        found.append("a slash at the end")
    if one.rstrip("/") != other.rstrip("/"):
        found.append("upper and lower case")
    return found or ["slashes at the end"]


def alike(text: str) -> str:
    """Return a text without what people overlook: white space around it, slashes at the end, its case."""
    return text.strip().rstrip("/").casefold()


def other_tenant(situation: Situation) -> Cause | None:
    """The same host and port, and another path: mostly another tenant or realm."""
    issuer = _claimed(situation)
    place = _host_and_port(issuer or "")
    for configured in situation.issuers:
        if place and place == _host_and_port(configured):
            return Cause(
                f"The token is of {shown(issuer)}, and {shown(configured)} is configured: another tenant, "
                "realm or application of the same provider.",
                "Have the client ask the one that this API trusts; or configure the other too, as a Provider "
                "of its own.",
            )
    return None


def unknown_issuer(situation: Situation) -> Cause | None:
    """Nobody that is configured."""
    issuer = _claimed(situation)
    if issuer is None:
        return None
    trusted = ", ".join(map(shown, situation.issuers[:3])) or "what the server's function accepts"
    return Cause(
        f"The token claims to be of {shown(issuer)}, and this API trusts {trusted}.",
        "Have the client ask a provider that this API trusts, or configure this one as a Provider.",
    )


def host_of(address: str) -> str:
    """Return the host of an address; empty where it is not one."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _host_and_port(address: str) -> str:
    """Where an address is, as it is written; empty where it is not one."""
    try:
        return urlsplit(address).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def path_of(address: str) -> str:
    """Return the path of an address; empty where it is not one."""
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


ISSUER_CAUSES = (
    entra_v1_at_v2,
    entra_v2_at_v1,
    issuer_is_written_otherwise,
    other_tenant,
    unknown_issuer,
)
"""The more particular first."""
