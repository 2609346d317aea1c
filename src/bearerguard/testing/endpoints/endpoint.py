"""What an endpoint is: a path, who answers there, and what the metadata say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bearerguard.testing.exchange import Request, Response

if TYPE_CHECKING:
    from bearerguard.testing.authorization_code import AuthorizationCodeGrant, Login

__all__ = ["Endpoint", "State"]


@dataclass(frozen=True)
class State:
    """The state of an issuer at this moment.

    Args:
        issuer: the issuer's identifier, from which all paths follow.
        audiences: the resources for which the token endpoint issues tokens (RFC 8707).
        algorithms: what tokens may be signed with, as the metadata tell it.
        key_set: the published JWK set.
        cache_control: the value of that header on metadata and key set, or None for no such header.
        clients: the secret of each client, by `client_id`.
        issue: makes the token response for a `client_id`, the scope that it asked for, and the thumbprint of
            the key to which the token is to be bound.
        authorization_code: the grant by which users log in.
        issue_login: makes the token response for such a login, and such a thumbprint.
        key_of_proof: the thumbprint of the key that a `DPoP` field proves; raises `Refused`.
        client_of_assertion: the client that signed an assertion; raises `Refused`.
        introspect: what is said of a token to those who may ask (RFC 7662 section 2.2).
        sign_answer: signs what is said, for the client that asked (RFC 9701 section 5).
    """

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    key_set: Mapping[str, Any]
    cache_control: str | None
    clients: Mapping[str, str]
    issue: Callable[[str, str | None, str | None], Mapping[str, Any]]
    authorization_code: AuthorizationCodeGrant
    issue_login: Callable[[Login, str | None], Mapping[str, Any]]
    key_of_proof: Callable[[str | None], str | None]
    client_of_assertion: Callable[[str], str]
    introspect: Callable[[str], Mapping[str, Any]]
    sign_answer: Callable[[Mapping[str, Any], str], str]


@dataclass(frozen=True)
class Endpoint:
    """One of an issuer's endpoints.

    Args:
        path: its path below the issuer's identifier, with the slash.
        methods: what it may be asked by, besides `OPTIONS`.
        answer: the answer to a request by one of them.
        called: the member of the metadata that has its address.
        metadata: other members that come with it.
        is_a_page: whether people are sent there: scripts of other origins may not read what it answers
            (RFC 9700 section 2.6).
    """

    path: str
    methods: tuple[str, ...]
    answer: Callable[[Request, State], Response]
    called: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_a_page: bool = False
