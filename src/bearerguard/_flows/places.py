"""Where a server looks for tokens whose providers have a place of their own for them (`Header`, `Cookie`).

A token that is found in a place goes to the providers of that place and to nobody else, so a header that is
meant for one cannot open the door of another. Nothing here reads a token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import TYPE_CHECKING

from bearerguard._core.credentials import BEARER, credentials, is_one_token
from bearerguard._core.htu import normal_form, origin_of
from bearerguard._core.peers import is_among, names_itself
from bearerguard._flows.binding import Binding
from bearerguard._flows.effects import AnswerSource, KeySource
from bearerguard._flows.pipeline import Pipeline
from bearerguard._flows.signer import pipeline_of
from bearerguard.errors import AccessDenied, AuthError, InvalidRequest, MissingCredentials
from bearerguard.provider import Provider
from bearerguard.provider.sources import Cookie, Header, Source
from bearerguard.request import Incoming

if TYPE_CHECKING:
    from bearerguard._flows.revocation import Revoked

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""


class Places:
    """The places at which the providers of a server have their tokens, each with what verifies those.

    Args:
        trusted: the providers, each with where its keys are.
        clock: seconds since 1970.
        resource: the URL of the API as its clients know it, for requests that carry a cookie.
        schemes: which may be used in `Authorization`.
        binding: what can be proven there.
        asked: what asks those that have introspection, by their names.
        revoked: which tokens were taken back.
    """

    def __init__(
        self,
        trusted: Iterable[tuple[Provider, KeySource]],
        clock: Callable[[], float],
        resource: str | None,
        schemes: tuple[str, ...] = (BEARER,),
        binding: Binding | None = None,
        *,
        asked: Mapping[str, AnswerSource] | None = None,
        revoked: Revoked | None = None,
    ) -> None:
        by_source: dict[Source | None, list[tuple[Provider, KeySource]]] = {}
        for provider, keys in trusted:
            by_source.setdefault(provider.source, []).append((provider, keys))
        self._pipelines = {
            source: pipeline_of(one, clock, binding, asked, revoked) for source, one in by_source.items()
        }
        self._resource = resource
        self._schemes = schemes

    def apart(self) -> Places:
        """Return the same places for one explanation, which spends nothing and remembers nothing."""
        return self.with_each(lambda pipeline: pipeline.apart())

    def with_each(self, change: Callable[[Pipeline], Pipeline]) -> Places:
        """Return the same places with what `change` makes of each pipeline."""
        places = copy(self)
        places._pipelines = {  # noqa: SLF001 - of the same class
            source: change(pipeline) for source, pipeline in self._pipelines.items()
        }
        return places

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """What verifies the tokens of each place."""
        return tuple(self._pipelines.values())

    def found(self, request: Incoming, resource: str | None = None) -> tuple[bytes, str, Pipeline]:
        """Return the one token of a request, the scheme by which it is presented, and what verifies it.

        In a place of its own a token is presented as in `Bearer`: whoever has it can put it there.

        Args:
            request: what carries it.
            resource: the URL of the API, where a guard has another than the server.

        Raises:
            MissingCredentials: there is none at any of the places.
            InvalidRequest: there are several, or it is not written as it should be, or it stands where it can
                be judged only with the whole request, of which just the header fields are known.
            AccessDenied: it is in a cookie, and the request may come from another site.
        """
        found: list[tuple[bytes, str, Source | None]] = []
        missing: AuthError | None = None
        for source in self._pipelines:
            try:
                if source is None:
                    scheme, raw = credentials(request.values(b"authorization"), self._schemes)
                else:
                    scheme, raw = BEARER, _at(source, request)
            except MissingCredentials as refusal:
                missing = missing or refusal
                continue
            found.append((raw, scheme, source))
        if not found:
            assert missing is not None  # noqa: S101 - each place was either found or missing
            raise missing
        if len(found) > 1:
            raise InvalidRequest("several_tokens", "There are tokens in several places of the request.")
        raw, scheme, source = found[0]
        if source.__class__ is Cookie:
            refuse_other_sites(request, resource or self._resource)
        return raw, scheme, self._pipelines[source]


def _at(source: Source, request: Incoming) -> bytes:
    """The token at a place.

    Raises:
        MissingCredentials: there is none.
        InvalidRequest: there are several.
    """
    values = _field_values(source, request) if isinstance(source, Header) else _cookies(source, request)
    if not values or (values[0] == b"" and len(values) == 1):
        raise MissingCredentials("no_credentials", f"There is no token in {source}.")
    if len(values) > 1 or not is_one_token(values[0]):
        raise InvalidRequest("several_tokens", f"There is more than one token in {source}.")
    if request.method is None and (isinstance(source, Cookie) or source.peers is not None):
        raise InvalidRequest("request_unknown", f"A token in {source} is judged only with its whole request.")
    return values[0]


def _field_values(source: Header, request: Incoming) -> list[bytes]:
    """What a field holds; nothing where it comes from somebody whose word it is not."""
    values = request.values(source.name.encode())
    if values and source.peers is not None and request.method is not None:
        peer = request.peer
        if not is_among(peer, source.peers) or names_itself(
            peer, request.values(b"x-forwarded-for"), request.values(b"forwarded")
        ):
            return []
    return [value.strip(b" \t") for value in values]


def _cookies(source: Cookie, request: Incoming) -> list[bytes]:
    """The values of all cookies of a name (RFC 6265, section 5.4); HTTP/2 may use several fields."""
    name = source.name.encode()
    pairs = (
        pair.strip(b" \t").partition(b"=")
        for field in request.values(b"cookie")
        for pair in field.split(b";")
    )
    return [value for written, equals, value in pairs if equals and written == name]


def refuse_other_sites(request: Incoming, resource: str | None) -> None:
    """Refuse what another site may have had a browser send, with the cookie that the browser adds.

    A request that changes something, or opens a WebSocket, needs a sign of the same origin: `Sec-Fetch-Site`
    (Fetch Metadata), `Origin` (RFC 6454, section 7), or both, and then both have to say so.

    Args:
        request: what carries the cookie.
        resource: the URL of the API as its clients know it; a program's request says its own.

    Raises:
        AccessDenied: `cross_site`.
    """
    opens_websocket = bool(request.values(b"sec-websocket-version"))
    if request.method in _SAFE and not opens_websocket:
        return
    sites, origins = request.values(b"sec-fetch-site"), request.values(b"origin")
    signs = []
    if sites:
        signs.append(sites == [b"same-origin"])
    if origins:
        address = normal_form(request.url or resource or "")
        signs.append(address is not None and origins == [origin_of(address).encode()])
    if not signs or not all(signs):
        raise AccessDenied(
            "cross_site",
            "The token is in a cookie, and the request does not come from a page of this origin.",
        )
