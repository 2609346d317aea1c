"""Causes that lie in how a token was sent: not at all, by another scheme, with something around it."""

from __future__ import annotations

from urllib.parse import parse_qs

from bearerguard._jose import base64url
from bearerguard._limits import MAX_TOKEN_BYTES
from bearerguard.explain.situation import Cause, Situation, shown

__all__: list[str] = []

_PLACEHOLDERS = {"undefined", "null", "none", "nan", "true", "false", "token", "[object object]"}


def field_of_a_proxy_is_missing(situation: Situation) -> Cause | None:
    """A proxy that has logged the user in puts the token into a field of its own."""
    sources = [one.source for one in situation.providers if one.source is not None]
    names = [getattr(source, "name", None) for source in sources]
    if not names or len(names) < len(situation.providers) or not situation.is_refused_for("no_credentials"):
        return None
    return Cause(
        f"The request has no {shown(names[0])[1:-1]}, where this provider's tokens come from.",
        "Let requests come only through the proxy or the page that adds it: whoever goes around it has none.",
    )


def no_token_was_sent(situation: Situation) -> Cause | None:
    """Nothing came: the client has sent nothing, or somebody took it away."""
    if not situation.is_refused_for("no_credentials") or situation.request is None:
        return None
    return Cause(
        "The request has no Authorization header.",
        "Have the client send 'Authorization: Bearer <token>'. If it does, look for a redirect or a proxy "
        "that "
        "takes the header away.",
    )


def token_in_the_address(situation: Situation) -> Cause | None:
    """`?access_token=...`, which RFC 6750, section 2.3 advises against, and which is not read."""
    request = situation.request
    if request is None or not situation.is_refused_for("no_credentials"):
        return None
    query = (request.url or (request.target or b"").decode("latin-1")).partition("?")[2]
    if "access_token" not in parse_qs(query):
        return None
    return Cause(
        "The token stands in the address (access_token=), where it is not read, as addresses end up in logs.",
        "Have the client send 'Authorization: Bearer <token>', and get a new token: this one may be in logs.",
    )


def password_was_sent(situation: Situation) -> Cause | None:
    """The client shows its id and secret to the API, which are for the provider."""
    if _scheme(situation) != "basic":
        return None
    return Cause(
        "The client sent a name and a password (Basic), and not a token.",
        "Have it send these to the provider's token endpoint, and the access_token of the answer to this "
        "API.",
    )


def bound_token_where_none_is_taken(situation: Situation) -> Cause | None:
    """`Authorization: DPoP`, and the server was given nothing to check proofs with."""
    if _scheme(situation) != "dpop":
        return None
    return Cause(
        "The client sent a token with a proof (DPoP), and this API takes only Bearer tokens.",
        "Write ResourceServer(..., dpop=DPoP()) to take both.",
    )


def header_was_sent_twice(situation: Situation) -> Cause | None:
    """Two `Authorization` headers."""
    if not situation.is_refused_for("repeated_header"):
        return None
    return Cause(
        "There are two Authorization headers, and which of them counts would be a guess.",
        "Find out who adds the second: mostly a proxy, or a client library beside the program's own code.",
    )


def token_that_was_cut_off(situation: Situation) -> Cause | None:
    """The beginning of a JWT: somebody has not copied all of it, or a field was too short."""
    text = situation.text
    if not situation.is_refused_for("malformed") or not text.startswith("eyJ") or text.count(".") > 1:
        return None
    return Cause(
        f"The text begins as a JWT, and has {text.count('.') + 1} of its three parts: it was cut off.",
        "Copy all of it; look for a column, a cookie or a variable that is too short for it.",
    )


def _scheme(situation: Situation) -> str | None:
    """The scheme that is refused, in lower case."""
    values = [] if situation.request is None else situation.request.values(b"authorization")
    if not situation.is_refused_for("other_scheme") or len(values) != 1:
        return None
    return values[0].partition(b" ")[0].decode("latin-1").lower()


def scheme_is_written_twice(situation: Situation) -> Cause | None:
    """`Bearer Bearer ...`, or the scheme before a token that is given by itself."""
    if situation.text[:7].lower() != "bearer " or not situation.is_refused_for(
        "malformed", "malformed_header"
    ):
        return None
    if situation.request is None:
        return Cause(
            "What was given begins with the scheme 'Bearer', which is not a part of the token.",
            "Give only what follows 'Bearer '; or give the whole request, as Request(method, url, headers).",
        )
    return Cause(
        "The scheme 'Bearer' is there twice: the client adds it to a token that has it already.",
        "Have the client send 'Authorization: Bearer <token>' with the scheme once.",
    )


def placeholder_was_sent(situation: Situation) -> Cause | None:
    """`Bearer undefined`: the client had no token when it made the request."""
    if situation.text.lower() not in _PLACEHOLDERS or not situation.is_refused_for(
        "malformed", "malformed_header"
    ):
        return None
    return Cause(
        f"The client sent the word {shown(situation.text)} where its token should be: it had none yet.",
        "Have the client wait for its token, and send no Authorization header without one.",
    )


def quotes_around_the_token(situation: Situation) -> Cause | None:
    """Quotes that belong to JSON or to a shell."""
    if situation.text[:1] not in ("'", '"') or not situation.is_refused_for(
        "malformed", "critical", "encrypted"
    ):
        return None
    return Cause(
        "There are quotes around the token: they belong to the JSON or the shell that it was copied from.",
        "Take the quotes away; in a program, parse the token response as JSON and use its access_token.",
    )


def token_without_its_scheme(situation: Situation) -> Cause | None:
    """The token stands in the header by itself."""
    request = situation.request
    if request is None or not situation.is_refused_for("other_scheme"):
        return None
    value = request.values(b"authorization")[0]
    if b" " in value or value.count(b".") != 2:
        return None
    return Cause(
        "The Authorization header holds the token without a scheme before it.",
        "Have the client send 'Authorization: Bearer <token>'.",
    )


def too_long_for_a_token(situation: Situation) -> Cause | None:
    """More than is taken: mostly groups."""
    if not situation.is_refused_for("too_large"):
        return None
    many = f"The token has {len(situation.text):,} characters, and at most {MAX_TOKEN_BYTES:,} are taken."
    return Cause(many, "Have the provider put less into it: mostly it is the list of groups or roles.")


def name_of_the_header_stands_before(situation: Situation) -> Cause | None:
    """`Authorization: Bearer ...`, where the token is given by itself."""
    if situation.text[:14].lower() != "authorization:" or not situation.is_refused_for("malformed"):
        return None
    return Cause(
        "What was given begins with 'Authorization:', the name of the header that holds the token.",
        "Give only what follows 'Bearer '; or give the whole request, as Request(method, url, headers).",
    )


def white_space_in_the_token(situation: Situation) -> Cause | None:
    """A line break that a terminal, a mail or a file has put in, or blanks around the text."""
    text = situation.text
    if not situation.is_refused_for("malformed") or text.count(".") != 2 or text == "".join(text.split()):
        return None
    return Cause(
        "There is white space in the token, or around it: it was copied from where it was wrapped.",
        "Copy it as one line, with nothing before or after it.",
    )


def part_that_cannot_be_decoded(situation: Situation) -> Cause | None:
    """Three parts, and one of them is not base64url."""
    parts = situation.text.split(".")
    if not situation.is_refused_for("malformed") or len(parts) != 3:
        return None
    for name, part in zip(("header", "payload", "signature"), parts, strict=True):
        try:
            base64url.decode(part.encode("ascii", "replace"))
        except ValueError:
            return Cause(
                f"The token's {name} cannot be decoded: it was changed, cut or added to on its way.",
                "Copy it again from where the provider issued it. Its parts have only letters, digits, '-' "
                "and '_' (base64url), without '=' at the end.",
            )
    return None


SENT_CAUSES = (
    field_of_a_proxy_is_missing,
    token_in_the_address,
    no_token_was_sent,
    password_was_sent,
    bound_token_where_none_is_taken,
    header_was_sent_twice,
    scheme_is_written_twice,
    name_of_the_header_stands_before,
    placeholder_was_sent,
    quotes_around_the_token,
    token_without_its_scheme,
    white_space_in_the_token,
    too_long_for_a_token,
    token_that_was_cut_off,
)
"""The more particular first."""
