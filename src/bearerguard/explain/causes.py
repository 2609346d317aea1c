"""What people in a situation mostly have done, and what to write instead: a small pure function for each.

Each is named for its situation and returns the cause in one sentence and the advice, or None where it is not
this one. They are asked in order, of refused tokens; they decide nothing about a token, and may read what is
not verified. Facts about providers are those of `bearerguard.presets`.
"""

from __future__ import annotations

from collections.abc import Callable

from bearerguard._limits import MAX_LEEWAY
from bearerguard.explain.bindings import BINDING_CAUSES
from bearerguard.explain.checks import check_of
from bearerguard.explain.families import FAMILY_CAUSES
from bearerguard.explain.issuers import ISSUER_CAUSES, alike
from bearerguard.explain.rulings import RULING_CAUSES, leaves_out_groups
from bearerguard.explain.sent import SENT_CAUSES, part_that_cannot_be_decoded
from bearerguard.explain.situation import Cause, Situation, audience_of, date_in, duration, shown

__all__: list[str] = []

_CLOCK = 600
"""Seconds that a clock is off by, rather than a token old."""


def cause_of(situation: Situation) -> Cause | None:
    """Return what has probably happened, where it is something usual."""
    if situation.error is None:
        return groups_are_elsewhere(situation)
    for cause in CAUSES:
        found = cause(situation)
        if found is not None:
            return found
    return None


# -- what kind of token it is ------------------------------------------------------------------------


def id_token(situation: Situation) -> Cause | None:
    """An ID token tells a client who has logged in."""
    claims = situation.claims
    says_id = claims.get("typ") == "ID" or claims.get("token_use") == "id"
    has_marks = "at_hash" in claims or "c_hash" in claims or ("nonce" in claims and "scp" not in claims)
    has_marks = has_marks and "scope" not in claims and not _is_as_expected(situation)
    if not (says_id or has_marks or _lacks_its_mark(situation)) or not situation.is_refused_for(
        "type", "audience", "missing_claim", "invalid_claim"
    ):
        return None
    return Cause(
        "This is an ID token: it tells the client who has logged in, and is not meant for an API.",
        "Have the client send the access_token of the token response, not the id_token.",
    )


_MARKED = {"OKTA": "cid", "ZITADEL": "jti", "AUTHENTIK": "uid"}
"""The claim by which a provider's access tokens are told from its ID tokens, by the profile of its preset."""


def _lacks_its_mark(situation: Situation) -> bool:
    provider = situation.provider
    mark = None if provider is None else _MARKED.get(provider.profile.name)
    return mark is not None and mark not in situation.claims


def _is_as_expected(situation: Situation) -> bool:
    """Whether a token has all claims by which its provider's tokens for an API are known."""
    required = () if situation.provider is None else situation.provider.profile.required_claims
    return bool(required) and all(name in situation.claims for name in required)


def refresh_token(situation: Situation) -> Cause | None:
    """A refresh token goes to the provider only."""
    typ, use = situation.claims.get("typ"), situation.claims.get("token_use")
    if (typ not in ("Refresh", "Offline") and use != "refresh") or situation.error is None:
        return None
    return Cause(
        "This is a refresh token, which is for the provider only.",
        "Have the client send the access_token of the token response, and its refresh_token only "
        "to the provider.",
    )


def logout_token(situation: Situation) -> Cause | None:
    """A logout token tells a client that somebody has logged out."""
    typ = situation.header.get("typ")
    is_one = isinstance(typ, str) and typ.lower().removeprefix("application/") == "logout+jwt"
    if not (is_one or "events" in situation.claims) or not situation.is_refused_for("type", "audience"):
        return None
    return Cause(
        "This is a logout token or another security event, which a provider sends to clients by itself.",
        "It belongs to the endpoint for back-channel logout, and never into Authorization.",
    )


def opaque_token(situation: Situation) -> Cause | None:
    """A token that only its provider can read."""
    if not situation.is_refused_for("malformed") or "." in situation.text or len(situation.text) < 16:
        return None
    return Cause(
        "This is not a JWT: it is an opaque token perhaps, which only its provider can read.",
        "Have the provider asked about it by Provider(..., introspection=Introspection(...)), or configure "
        "it to issue JWTs, mostly by having clients name this API.",
    )


def encrypted_token(situation: Situation) -> Cause | None:
    """A JWE."""
    if not situation.is_refused_for("encrypted"):
        return None
    return Cause(
        "The token is encrypted (JWE), and only signed ones are read here.",
        "Switch the encryption of access tokens off at the provider.",
    )


def algorithm_that_is_not_accepted(situation: Situation) -> Cause | None:
    """None at all, a secret that is shared, or one that the configuration leaves out."""
    if not situation.is_refused_for("algorithm"):
        return None
    name = situation.header.get("alg")
    if isinstance(name, str) and name.lower() == "none":
        return Cause(
            "The token is not signed (alg none): anybody could have written it.",
            "Have the client send what the provider issued, unchanged.",
        )
    if isinstance(name, str) and name.startswith("HS"):
        return Cause(
            f"The token is signed with a secret ({name}), which whoever verifies it would have to know.",
            "Have the provider sign with RS256 or ES256; where you cannot, give the secret as keys=, with "
            f"algorithms={shown(name)}.",
        )
    return Cause(
        f"The token is signed with {shown(name)}, which the provider's algorithms= leave out.",
        "Add it there, if it is what the provider signs with.",
    )


def token_that_is_not_marked(situation: Situation) -> Cause | None:
    """`profile=RFC9068`, and a provider that does not follow it."""
    provider = situation.provider
    if not situation.is_refused_for("type") or provider is None or None in provider.profile.types:
        return None
    return Cause(
        f"The token's typ is {shown(situation.header.get('typ'))}, and the profile {provider.profile.name} "
        "takes "
        "only tokens that are marked as access tokens (RFC 9068, section 2.1).",
        "Leave profile out, if the provider does not mark them; else the client sends another kind of token.",
    )


def signature_of_another_text(situation: Situation) -> Cause | None:
    """Altered, or cut, or of another environment."""
    if not situation.is_refused_for("signature"):
        return None
    return Cause(
        f"The key {shown(situation.header.get('kid'))} has not signed this text: it was changed or cut on "
        "its way, "
        "or another environment has a key of that name.",
        "Compare the token with what the provider issued; if it is the same, its issuer has other keys than "
        "those "
        "that this API fetches.",
    )


def answer_without_an_audience(situation: Situation) -> Cause | None:
    """Nobody says whom the token is for."""
    error = situation.error
    if error is None or not situation.is_refused_for("missing_claim") or not situation.is_unread:
        return None
    if check_of(error, situation) != "audience":
        return None
    return Cause(
        "The provider says that the token is active, and not which API it is for.",
        "Have the client name this API when it asks for a token. If the provider tells an API only about "
        "tokens that are meant for it, write Introspection(..., audience_checked_by_issuer=True).",
    )


def inactive_token(situation: Situation) -> Cause | None:
    """What the provider says of a token that only it can read."""
    if not situation.is_refused_for("inactive"):
        return None
    return Cause(
        "The provider was asked, and says that the token is not active.",
        "Get a new token. If that is refused too, the provider may not tell this client about it (RFC 7662, "
        "section 2.2): look at the client of Introspection(...), and whether the token is of this provider.",
    )


def provider_that_cannot_be_asked(situation: Situation) -> Cause | None:
    """For its keys, or about a token."""
    error = situation.error
    if error is None or not situation.is_refused_for("provider_unavailable"):
        return None
    what = "for its signing keys" if "signing keys" in error.description else "about this token"
    why = "" if situation.trouble is None else f": {shown(situation.trouble)[1:-1]}"
    return Cause(
        f"The provider could not be asked {what}{why}.",
        "Nothing is wrong with the token, as far as is known. Run 'bearerguard doctor' on the machine of "
        "this "
        "API, which says what is in the way.",
    )


# -- whose it is, and for whom -----------------------------------------------------------------------


def key_that_rotated_away(situation: Situation) -> Cause | None:
    """The key of the token is not published, any more or at all."""
    if not situation.is_refused_for("unknown_key"):
        return None
    issued_at = date_in(situation.claims, "iat")
    age = ""
    if issued_at is not None:
        age = f" The token claims to have been issued {duration(situation.now - issued_at)} ago."
    return Cause(
        f"The provider publishes no key {shown(situation.header.get('kid'))}: it was rotated away, or the "
        f"token is of another environment.{age}",
        "Get a new token. If that is refused too, compare the kid with the provider's key set, and the "
        "issuer with the one that this API trusts.",
    )


def audience_is_written_otherwise(situation: Situation) -> Cause | None:
    """A slash, the case, white space."""
    if not situation.is_refused_for("audience") or situation.provider is None:
        return None
    found = situation.claims.get(situation.provider.audience_claim)
    for one in found if isinstance(found, list) else [found]:
        for expected in situation.provider.audiences:
            if isinstance(one, str) and alike(one) == alike(expected):
                return Cause(
                    f"The token is for {shown(one)}, and {shown(expected)} is configured: they differ in how "
                    "they are written only.",
                    f"Write Provider(..., audience={shown(one)}), if that is this API.",
                )
    return None


def token_for_another_api(situation: Situation) -> Cause | None:
    """The audience is another."""
    if not situation.is_refused_for("audience") or situation.provider is None:
        return None
    found = situation.claims.get(situation.provider.audience_claim)
    return Cause(
        f"The token is for {shown(found)}, which is another API than this one.",
        f"Have the client ask for a token for {audience_of(situation)}; or, if the token is for this API, "
        "write Provider(..., audience=...) as the token has it.",
    )


# -- when --------------------------------------------------------------------------------------------


def clock_that_is_off(situation: Situation) -> Cause | None:
    """The token begins in the future, or ended a moment ago though it is new."""
    dates = [date_in(situation.claims, name) for name in ("nbf", "iat")]
    begins = [date for date in dates if date is not None]
    if situation.is_refused_for("not_yet_valid") and begins:
        ahead = max(begins) - situation.now
        return Cause(
            f"The token begins {duration(ahead)} from now by the clock of this API: one of the two clocks "
            "is off by that much at least.",
            f"Set the clock of this machine by NTP; up to {MAX_LEEWAY:.0f} s may be forgiven by "
            "Provider(..., leeway=...).",
        )
    return None


def token_that_has_expired(situation: Situation) -> Cause | None:
    """It was good once."""
    expires, issued_at = date_in(situation.claims, "exp"), date_in(situation.claims, "iat")
    if not situation.is_refused_for("expired") or expires is None:
        return None
    ago = situation.now - expires
    lived = ""
    if issued_at is not None:
        lived = f", {duration(expires - issued_at)} after it was issued"
    advice = "Have the client get a new token before the old one ends."
    if ago <= _CLOCK:
        advice += " If the token is new, one of the two clocks is off by that much at least: set them by NTP."
    return Cause(f"The token expired {duration(ago)} ago{lived}.", advice)


# -- whose request it is -----------------------------------------------------------------------------


def token_that_was_revoked(situation: Situation) -> Cause | None:
    """Somebody took it back: by itself, or with all of its user, session or client."""
    if not situation.is_refused_for("revoked"):
        return None
    return Cause(
        "The token was taken back before it expired: by itself, or with its user, session or client.",
        "Have the user log in again. If nobody meant it, look for who called revoke, or which provider sent "
        "a logout.",
    )


def token_older_than_the_horizon(situation: Situation) -> Cause | None:
    """Nobody remembers whether it was revoked."""
    if not situation.is_refused_for("too_old"):
        return None
    horizon = duration(situation.horizon or 0)
    issued_at = date_in(situation.claims, "iat")
    if issued_at is None and not situation.is_opaque:
        return Cause(
            "The token does not say when it was issued, so nobody knows whether it was revoked since.",
            "Have the provider put iat into its access tokens.",
        )
    # What its provider says of an opaque token is not shown.
    age = "longer ago" if issued_at is None else f"{duration(situation.now - issued_at)} ago"
    return Cause(
        f"The token was issued {age}, and revocations are remembered for {horizon}.",
        "Have the provider issue tokens that live for less, or write Revocation(horizon=...) with more "
        "seconds than they live.",
    )


def groups_are_elsewhere(situation: Situation) -> Cause | None:
    """Too many groups for the token: it says where to ask."""
    if not leaves_out_groups(situation):
        return None
    return Cause(
        "The token leaves out the groups, as there are too many: a rule that asks for one refuses it.",
        "Use roles of the application in place of groups.",
    )


CAUSES: tuple[Callable[[Situation], Cause | None], ...] = (
    *SENT_CAUSES,
    *RULING_CAUSES,
    refresh_token,
    logout_token,
    id_token,
    *FAMILY_CAUSES,
    opaque_token,
    encrypted_token,
    *ISSUER_CAUSES,
    algorithm_that_is_not_accepted,
    token_that_is_not_marked,
    key_that_rotated_away,
    signature_of_another_text,
    audience_is_written_otherwise,
    token_for_another_api,
    clock_that_is_off,
    token_that_has_expired,
    answer_without_an_audience,
    inactive_token,
    provider_that_cannot_be_asked,
    token_that_was_revoked,
    token_older_than_the_horizon,
    *BINDING_CAUSES,
    part_that_cannot_be_decoded,
)
"""Those of refused tokens, the more particular first."""
