"""What an introspection endpoint says of a token (RFC 7662, section 2.2): read strictly, then judged.

Two kinds of refusal are told apart. An answer that is not one (`MalformedAnswer`) says nothing of the token:
the provider is in trouble. An answer that was read is judged as the claims of a JWT are, except that it may
leave out what a JWT may not, and that it may speak of tokens that are not access tokens. `cnf` is not judged:
that is for each request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from bearerguard._core.claims import ClaimsSet, check_value
from bearerguard._core.token_kind import refuse_other_kinds
from bearerguard._jose.json_object import decode_object, names_a_member_twice
from bearerguard._limits import MAX_NUMERIC_DATE
from bearerguard.errors import InvalidToken

AnswerCheck = Callable[[ClaimsSet, float], None]
"""All checks of a provider on what is said of an active token, at a time in seconds since 1970."""

NOT_REMEMBERED = frozenset({"expired", "not_yet_valid", "issuer", "sender_constrained", "invalid_claim"})
"""Reasons that time, another clock or another answer may change; other refusals are remembered shortly."""

_DATES = ("exp", "nbf", "iat")
_TEXTS = ("iss", "sub", "client_id", "username", "jti", "token_type", "token_use", "typ")
_BEARER_TYPES = (None, "bearer", "dpop")


class MalformedAnswer(Exception):
    """An answer that says nothing of the token that was asked about; the message shows nothing of it."""


def read_answer(body: bytes, audience_claim: str = "aud") -> ClaimsSet | None:
    """Return what an answer says of an active token, without `active`; None of a token that is not active.

    Args:
        body: a JSON object (RFC 7662, section 2.2).
        audience_claim: the member that names the audience.

    Raises:
        MalformedAnswer: it is anything else, names a member twice, or has one of a type that it may not have.

    Examples:
        >>> read_answer(b'{"active": true, "sub": "ada"}')
        {'sub': 'ada'}
        >>> read_answer(b'{"active": false, "sub": "ada"}') is None
        True
    """
    return read_members(answered_object(body), audience_claim)


def answered_object(body: bytes) -> dict[str, Any]:
    """Return the members of a JSON object that names none of them twice, nor does an object in it.

    Raises:
        MalformedAnswer: it is anything else.
    """
    try:
        members = decode_object(body)
    except ValueError as problem:
        raise MalformedAnswer(f"the answer is {problem}") from None
    # What parsed it keeps the last of two that have one name. Another reader may believe the first.
    if names_a_member_twice(body, members):
        raise MalformedAnswer("the answer names a member twice")
    return members


def read_members(members: Mapping[str, Any], audience_claim: str) -> ClaimsSet | None:
    """Return what the members of an answer say; as `read_answer`.

    `active` is a boolean and nothing that is like one. Of a token that is not active nothing else is read.
    null counts as absent, except where a date has to be.

    Raises:
        MalformedAnswer: a member is of a type that it may not have.
    """
    active = members.get("active")
    if active is False:
        return None
    if active is not True:
        raise MalformedAnswer("active is neither true nor false")
    for name in _DATES:
        if name in members and not _is_date(members[name]):
            raise MalformedAnswer(f"{name} is not a date")
    for name in _TEXTS:
        if members.get(name) is not None and members[name].__class__ is not str:
            raise MalformedAnswer(f"{name} is not text")
    for name in ("scope", audience_claim):
        value = members.get(name)
        if value is not None and value.__class__ is not str and not _is_list_of_texts(value):
            raise MalformedAnswer(f"{name} is neither text nor a list of texts")
    claims = dict(members)
    del claims["active"]
    return claims


def _is_date(value: Any) -> bool:
    """A finite JSON number of seconds, never a string or a boolean (RFC 7662, section 2.2)."""
    return (value.__class__ is int or value.__class__ is float) and (
        -MAX_NUMERIC_DATE <= value <= MAX_NUMERIC_DATE
    )


def _is_list_of_texts(value: Any) -> bool:
    return value.__class__ is list and all(one.__class__ is str for one in value)


def compose_answer_check(
    *,
    issuers: Collection[str],
    leeway: float,
    audiences: Collection[str] | None,
    audience_claim: str,
    audience_checked_by_issuer: bool,
    required_values: Mapping[str, tuple[Any, ...]],
    refuses_other_kinds: bool,
) -> AnswerCheck:
    """Return one function that makes all checks of a provider on what `read_answer` returned.

    Args:
        issuers: the provider's; empty where any is accepted.
        leeway: seconds of clock difference to forgive.
        audiences: of which the answer must name one; None checks no audience.
        audience_claim: the member that names the audience.
        audience_checked_by_issuer: whether an answer need not name any.
        required_values: members that must have one of some values.
        refuses_other_kinds: whether to refuse a token that says that it is not an access token.
    """
    accepted = None if audiences is None else frozenset(audiences)

    def check(claims: ClaimsSet, now: float) -> None:
        check_expiry(claims, now, leeway)
        check_beginning(claims, now, leeway)
        check_issuer(claims, issuers)
        is_named = check_audience(claims, audience_claim, accepted, is_optional=audience_checked_by_issuer)
        check_type(claims, is_audience_named=is_named)
        check_use(claims)
        if refuses_other_kinds:
            refuse_other_kinds(claims)
        check_binding(claims)
        for name, allowed in required_values.items():
            check_value(claims, name, allowed)

    return check


def check_expiry(claims: ClaimsSet, now: float, leeway: float) -> None:
    """`exp` (RFC 7662, section 2.2), which may be absent: a server may say `active` and be wrong."""
    expires = claims.get("exp")
    if expires is not None and not now < expires + leeway:  # written so that a NaN clock refuses everyone
        raise InvalidToken("expired", "The token has expired.")


def check_beginning(claims: ClaimsSet, now: float, leeway: float) -> None:
    """`nbf` and `iat` (RFC 7519, sections 4.1.5 and 4.1.6): neither may lie in the future."""
    for name in ("nbf", "iat"):
        begins = claims.get(name)
        if begins is not None and not now >= begins - leeway:
            raise InvalidToken("not_yet_valid", "The token is not valid yet.")


def check_issuer(claims: ClaimsSet, issuers: Collection[str]) -> None:
    """`iss`, where it is there: the provider that was asked (RFC 7662, section 2.2)."""
    named = claims.get("iss")
    if named is not None and issuers and named not in issuers:
        raise InvalidToken("issuer", "The token was issued by another issuer than the one that was asked.")


def check_audience(
    claims: ClaimsSet, name: str, accepted: frozenset[str] | None, *, is_optional: bool
) -> bool:
    """`aud` (RFC 7662, section 2.2): one of ours; return whether it names one.

    A server that answers everybody about every token says nothing by `active` of who a token is for.
    """
    if accepted is None:
        return False
    audience = claims.get(name)
    if not audience:  # null and an empty list name nobody
        if not is_optional:
            raise InvalidToken("missing_claim", f"The provider names no {name!r} for the token.")
        return False
    named = (audience,) if audience.__class__ is str else audience
    if accepted.isdisjoint(named):
        raise InvalidToken("audience", "The token is meant for another audience.")
    return True


def check_type(claims: ClaimsSet, *, is_audience_named: bool) -> None:
    """`token_type` (RFC 7662, section 2.2): a type of access tokens, in any case (RFC 6749, section 5.1).

    Servers answer `active` about refresh tokens too, and name no type then. So it may be absent only where
    the audience says that the token is for an API.
    """
    kind = claims.get("token_type")
    if (None if kind is None else kind.lower()) not in _BEARER_TYPES:
        raise InvalidToken("type", "The token is not an access token.")
    if kind is None and not is_audience_named:
        raise InvalidToken("type", "The provider does not say that the token is an access token.")


def check_use(claims: ClaimsSet) -> None:
    """`token_use`, of Hydra, Cognito and others: `access`, `access_token`."""
    use = claims.get("token_use")
    if use is not None and not use.lower().startswith("access"):
        raise InvalidToken("type", "The token is not an access token.")


def check_binding(claims: ClaimsSet) -> None:
    """A token of type `DPoP` names the key that it is bound to (RFC 9449, sections 5 and 6.2)."""
    if (claims.get("token_type") or "").lower() != "dpop":
        return
    confirmation = claims.get("cnf")
    if not isinstance(confirmation, dict) or confirmation.get("jkt") is None:
        raise InvalidToken(
            "sender_constrained", "The token is bound to a key that its provider does not name."
        )


def agreed(signed: ClaimsSet, answered: ClaimsSet, audience_claim: str) -> ClaimsSet:
    """Return the claims of a JWT with what its provider says of it on top.

    Both have to mean the same issuer, subject, client, end and key. A member that one of them leaves out does
    not disagree; JWTs name their client in one of three claims.

    Raises:
        InvalidToken: `invalid_claim`.
    """
    client = next((signed[name] for name in ("client_id", "azp", "appid") if signed.get(name)), None)
    for name in ("iss", "sub", "client_id", "exp", "cnf"):
        told = answered.get(name)
        said = client if name == "client_id" else signed.get(name)
        if told is not None and said is not None and told != said:
            raise InvalidToken(
                "invalid_claim", f"The token's {name!r} claim is not what its provider says it is."
            )
    on_top = {name: value for name, value in answered.items() if value is not None}
    if not on_top.get(audience_claim):
        on_top.pop(audience_claim, None)
    return {**signed, **on_top}


def check_signed_answer(
    claims: ClaimsSet, now: float, *, client_id: str, leeway: float, oldest: float
) -> None:
    """Who says it, to whom and when (RFC 9701, section 5). Its issuer is compared where it is chosen.

    It has no `exp`: its age is what keeps an old answer from being shown again.

    Raises:
        InvalidToken: it is not an answer to us, or too old; for its caller a `MalformedAnswer`.
    """
    audience: Any = claims.get("aud")
    named = [audience] if audience.__class__ is str else audience
    if not _is_list_of_texts(named) or client_id not in named:
        raise InvalidToken("audience", "it is meant for another client")
    issued_at: Any = claims.get("iat")
    if not _is_date(issued_at):
        raise InvalidToken("missing_claim", "its iat is not a date")
    if not now >= issued_at - leeway:
        raise InvalidToken("not_yet_valid", "it was issued in the future")
    if not now - issued_at <= oldest:
        raise InvalidToken("expired", f"it is older than {oldest:g} s")
