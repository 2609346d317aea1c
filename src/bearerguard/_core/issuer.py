"""What is wrong with the text that somebody gave as an issuer, and what they may have meant.

Looks at text and asks nobody. The issuer itself may be any text, as long as its tokens carry the very same
(RFC 7519, section 4.1.1); only what is surely a mistake is named. Where keys are to be discovered from it, it
also has to be a URL (RFC 8414, section 2).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bearerguard._core.address import why_insecure
from bearerguard._core.issuer_template import has_place
from bearerguard._limits import MAX_ISSUER_CHARACTERS

_METADATA = (
    r"(?P<before>.*?)/\.well-known/(?:openid-configuration|oauth-authorization-server)"
    r"(?P<after>/[^?#]*)?(?:[?#].*)?"
)
_HOST = r"[A-Za-z0-9.-]+(?::\d+)?(?:/[^\s]*)?"
_JWKS_URI = "give keys, such as the provider's jwks_uri"


def why_not_an_issuer(issuer: str) -> str | None:
    """Return why `issuer` cannot be the `iss` of any token and what to write instead, or None.

    Examples:
        >>> why_not_an_issuer(" https://login.example/")
        "issuer is ' https://login.example/', with white space around it: write 'https://login.example/'"
        >>> why_not_an_issuer("https://login.example/.well-known/openid-configuration")
        "issuer is the address of its metadata: write the 'issuer' named there, such as 'https://login.example'"
    """
    if holds_password(issuer):
        return "issuer holds a password: write the exact 'iss' of its tokens, which has none"
    bare = issuer.strip().strip("\ufeff\u200b")
    if not bare:
        return "issuer is only white space: write the exact 'iss' of its tokens, such as 'https://login.example/'"
    if bare != issuer:
        return f"issuer is {issuer!r:.200}, with white space around it: write {bare!r:.200}"
    if not issuer.isprintable() or ("://" in issuer and " " in issuer):
        return f"issuer is {issuer!r:.200}, with white space or a control character in it: write it without"
    if len(issuer) > 2 and issuer[0] == issuer[-1] and issuer[0] in "\"'":
        return f"issuer is {issuer!r:.200}, with quotation marks around it: write it without them"
    metadata = re.fullmatch(_METADATA, issuer)
    if metadata is not None:
        meant = metadata["before"] + (metadata["after"] or "").rstrip("/")
        return (
            f"issuer is the address of its metadata: write the 'issuer' named there, such as {meant!r:.200}"
        )
    return None


def why_not_discovered(issuer: str, *, allow_http: bool) -> str | None:
    """Return why keys cannot be discovered from `issuer` and what to write instead, or None.

    Args:
        issuer: the exact `iss` of a provider's tokens.
        allow_http: whether plain http off loopback is accepted.
    """
    insecure = why_insecure(issuer, allow_http=allow_http)
    if insecure is None:
        parts = urlsplit(issuer)
        if not parts.query and not parts.fragment:
            return None
        insecure = "it has a query or a fragment, which an issuer must not have (RFC 8414, section 2)"
        remedy = f"write it without, or {_JWKS_URI}"
    elif "://" not in issuer and re.fullmatch(_HOST, issuer):
        remedy = (
            f"write it as the 'iss' of its tokens has it, such as 'https://{issuer.rstrip('/')}/', with or "
            f"without the slash, or {_JWKS_URI}"
        )
    elif issuer.startswith("http://"):
        remedy = (
            f"{_JWKS_URI} over https; or, where nobody else is on the network between, as with docker "
            "compose, keys=RemoteKeys(dangerously_allow_http=True)"
        )
    else:
        remedy = _JWKS_URI
    shown = issuer.rpartition("@")[2]  # the part before it may be a password
    return (
        "keys is left out, so they would be discovered from the issuer, which "
        f"is {shown!r:.200}, but {insecure}: {remedy}"
    )


def is_well_formed(issuer: str) -> bool:
    """Whether an issuer that a token names may be one (RFC 8414, section 2), before anybody is asked.

    An https URL, or http on loopback, without a name, a password, a query or a fragment, and not too long.
    """
    if len(issuer) > MAX_ISSUER_CHARACTERS or not issuer.isascii() or not issuer.isprintable():
        return False
    if why_insecure(issuer) is not None or "?" in issuer or "#" in issuer or "@" in issuer or "\\" in issuer:
        return False
    # What `Provider` refuses as an issuer is one of no token.
    return why_not_an_issuer(issuer) is None and not has_place(issuer)


def holds_password(text: str) -> bool:
    """Whether a URL, or what is meant as one, has a name and a password before its host."""
    return "@" in text.partition("://")[2].partition("/")[0]
