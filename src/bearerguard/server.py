"""`ResourceServer`: decides whether a token, or the request that carries it, is accepted.

It knows its providers, a clock and where keys come from. It answers nobody: turning a refusal into an HTTP
answer is the doors' work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, cast, final

from bearerguard._binding import binding_of, check_given, schemes_of, values_of
from bearerguard._core.credentials import BEARER, USUAL, credentials, encoded, is_one_token, several_tokens
from bearerguard._core.resource import check_resource
from bearerguard._flows.pipeline import Pipeline, Stages
from bearerguard._flows.signer import pipeline_of
from bearerguard._io.answer_sources import AnswerSources
from bearerguard._io.drive import Admission, Driven
from bearerguard._io.key_sources import KeySources, closed
from bearerguard._metadata import KnowsMetadata
from bearerguard._operated import Operated
from bearerguard._revokes import Revokes, revocations_of, revoked_by
from bearerguard.errors import AuthError, ConfigurationError
from bearerguard.explain.explains import Explains
from bearerguard.observe import Observer, Refusals
from bearerguard.provider import Provider
from bearerguard.provider.several import check_several
from bearerguard.request import Headers, Incoming, as_request
from bearerguard.token import AccessToken

if TYPE_CHECKING:
    from bearerguard._flows.places import Places
    from bearerguard._io.issuers import Function, Issuers
    from bearerguard.certificate import ClientCertificate
    from bearerguard.dpop import DPoP
    from bearerguard.revocation import Revocation
    from bearerguard.stores.redis import RedisStore

__all__ = ["Admission", "Driven", "ResourceServer"]

E = TypeVar("E", bound=AuthError)
_BEGINNING = slice(len(USUAL))


@final
class ResourceServer(Explains, KnowsMetadata, Operated, Revokes):
    """An OAuth 2.0 resource server (RFC 6749, section 1.1). Safe to share by threads and event loops.

    Args:
        providers: the issuers to trust. Where several have the same issuer, any of them that accepts will do.
        resource: the URL of this API as its clients know it, `"https://api.example/v1"`. With it, the API
            publishes its metadata (RFC 9728), and challenges point there. It is never taken from a request.
        dpop: how tokens are taken that are bound to a key of the client (RFC 9449). By default they are
            refused.
        certificate: where the certificates of clients come from, for tokens that are bound to one (RFC 8705).
            By default they are refused.
        store: what the processes of this API share (`RedisStore`); by default each has a memory of its own.
        revocation: that tokens may be taken back (`revoke`), and how long that is remembered. By default none
            may, and a token is good until it expires.
        observer: what is told of every decision and of what others are asked for, for metrics and traces.
        clock: seconds since 1970; claims and the age of keys are judged by it.
        snapshot: what `snapshot()` returned in an earlier process.

    Raises:
        ConfigurationError: no provider, two of one name, options that cannot be used, a snapshot that is not
            one.

    Examples:
        ```python
        server = ResourceServer(Provider("https://login.example", audience="https://api.example"))
        token = server.verify(text)
        token = await server.averify(text)
        ```

    It may be closed where a program goes on without it: `close`, `aclose`, `with`, `async with`.
    """

    def __init__(
        self,
        *providers: Provider,
        resource: str | None = None,
        dpop: DPoP | None = None,
        certificate: ClientCertificate | None = None,
        store: RedisStore | None = None,
        revocation: Revocation | None = None,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.time,
        snapshot: Mapping[str, Any] | None = None,
    ) -> None:
        if not providers:
            raise ConfigurationError(
                "A ResourceServer needs a provider: ResourceServer(Provider(...)), or .trusting(function)."
            )
        check_several(providers)
        self._hold(
            clock,
            providers,
            resource=resource,
            dpop=dpop,
            certificate=certificate,
            store=store,
            revocation=revocation,
        )
        if dpop is not None and dpop.required and any(one.source is not None for one in providers):
            raise ConfigurationError(
                "DPoP(required=True) takes tokens only from Authorization, and a provider has another source "
                "for its own: leave one of the two out."
            )
        self.providers = providers
        self._issuers: Issuers | None = None
        self._keys = KeySources(clock, defers=snapshot is not None, values=values_of(store, providers))
        binding = binding_of(dpop, certificate, clock, store)
        trusted = [(provider, self._keys.add(provider)) for provider in providers]
        self._answers = AnswerSources(trusted, self._keys, clock)
        asked = self._answers.by_name
        revoked = revoked_by(self._revocations)
        self._pipeline = pipeline_of(trusted, clock, binding, asked, revoked)
        # None where all tokens are in `Authorization`, as for nearly everybody.
        self._places: Places | None = None
        if any(provider.source is not None for provider in providers):
            from bearerguard._flows.places import Places  # noqa: PLC0415 - keeps `import bearerguard` short

            self._places = Places(
                trusted, clock, resource, self._schemes, binding, asked=asked, revoked=revoked
            )
        if snapshot is not None:
            self._keys.restore(snapshot)
        if observer is not None:
            self._observe_by(observer)

    @classmethod
    def from_env(
        cls, prefix: str = "BEARERGUARD_", *, environ: Mapping[str, str] | None = None, **options: Any
    ) -> Self:
        """A server for the providers of the environment (`Provider.from_env`), with `BEARERGUARD_RESOURCE`.

        Args:
            prefix: how the names of variables begin.
            environ: the environment; that of the process by default.
            **options: arguments of `ResourceServer`, which come before the environment.
        """
        from bearerguard._environment import providers_from, resource_from  # noqa: PLC0415 - for few

        resource = resource_from(prefix, environ)
        if resource is not None:
            try:
                check_resource(resource)
            except ConfigurationError:
                # No error shows what a variable holds.
                raise ConfigurationError(
                    f"{prefix}RESOURCE is not the URL of an API: write it over https and without a fragment, "
                    "such as 'https://api.example/v1'."
                ) from None
        settings: dict[str, Any] = {"resource": resource, **options}
        return cls(*providers_from(prefix, environ), **settings)

    @classmethod
    def trusting(
        cls,
        function: Function,
        *,
        max_issuers: int = 1000,
        resource: str | None = None,
        dpop: DPoP | None = None,
        certificate: ClientCertificate | None = None,
        store: RedisStore | None = None,
        revocation: Revocation | None = None,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> Self:
        """A server for issuers that are not known when the program starts, such as those of customers.

        The function is asked about the `iss` of a token before anything of it is verified, and only about an
        https URL (http on loopback) of at most 512 characters, without user, query or fragment. Compare it as
        a whole, never by `startswith` or `endswith`. Nothing is fetched for an issuer that it refuses.

        Args:
            function: is given an issuer, and returns True, a `Provider` of that issuer, or False; it may be
                async. A yes is believed for ten minutes, a no for one. One that raises makes the answer 503,
                or, for an issuer that it accepted before, changes nothing for an hour.
            max_issuers: how many with a verified token are kept; the least recently used gives way.
            resource: as for `ResourceServer`, and so are the next six.
            dpop: as there.
            certificate: as there.
            store: as there.
            revocation: as there.
            observer: as there.
            clock: as there.
            **options: arguments of `Provider`, at least `audience`, for issuers of which it says only True.

        Raises:
            ConfigurationError: options that cannot be used, or not for many issuers.

        Examples:
            ```python
            server = ResourceServer.trusting(customers.has_issuer, audience="https://api.example")
            ```
        """
        from bearerguard._flows.trusting import TrustingPipeline  # noqa: PLC0415 - keeps `import bearerguard` short
        from bearerguard._io.issuers import Issuers, check_arguments  # noqa: PLC0415 - as above

        probe = check_arguments(function, max_issuers, options)
        self = object.__new__(cls)
        self._hold(
            clock,
            (),
            resource=resource,
            dpop=dpop,
            certificate=certificate,
            store=store,
            revocation=revocation,
        )
        self.providers = ()
        # What is let go of must hold nowhere else.
        self._keys = KeySources(clock, shares=False, values=values_of(store, [probe]))
        if probe.remote_keys is not None:
            self._keys.prepare(probe.remote_keys)
        self._issuers = Issuers(function, options, max_issuers=max_issuers, clock=clock, keys=self._keys)
        self._answers = AnswerSources((), self._keys, clock)
        binding, revoked = binding_of(dpop, certificate, clock, store), revoked_by(self._revocations)
        self._pipeline = TrustingPipeline(self._issuers, clock, binding, revoked=revoked)
        self._places = None
        if observer is not None:
            self._observe_by(observer)
        return self

    def _hold(
        self,
        clock: Callable[[], float],
        providers: tuple[Provider, ...],
        *,
        resource: str | None,
        dpop: DPoP | None,
        certificate: ClientCertificate | None,
        store: RedisStore | None,
        revocation: Revocation | None,
    ) -> None:
        """Check and keep what every server has, whomever it trusts."""
        if resource is not None:
            check_resource(resource)
        check_given(dpop, certificate, store)
        self.resource = resource
        self.dpop = dpop
        self.certificate = certificate
        self.store = store
        self._revocations = revocations_of(revocation, clock, store, providers)
        self.revocation = revocation
        self._clock = clock
        self._refusals = Refusals(clock)
        self._schemes = schemes_of(dpop)
        self._usual = USUAL if BEARER in self._schemes else None

    def __init_subclass__(cls) -> None:
        # A door asks one of several methods: a check that a subclass adds to some is left out by others.
        raise TypeError(
            "ResourceServer is not for subclassing: write what more a token must fulfil as a rule, such as "
            "claim('jti', lambda jti: jti not in revoked)."
        )

    def __repr__(self) -> str:
        if self._issuers is not None:
            return "ResourceServer.trusting(...)"
        return f"ResourceServer({', '.join(repr(provider.name) for provider in self.providers)})"

    def trusts(self, provider: Provider) -> bool:
        """Whether a token of this provider may be one that this server verified: it is not another's.

        Args:
            provider: the `provider` of a token.
        """
        return provider in self.providers or (self._issuers is not None and self._issuers.has_made(provider))

    # -- tokens --------------------------------------------------------------------------------------

    def verify(self, token: str) -> AccessToken:
        """Return the verified token; block the thread in the rare case that keys have to be waited for.

        Args:
            token: the text of the token, without the scheme.

        Raises:
            InvalidToken: the token is refused; `reason` says why.
            ProviderUnavailable: what the check needs from the provider is unavailable right now.
        """
        try:
            outcome = self._pipeline.admit(encoded(token))
        except AuthError as error:
            self._refusals.log(error)
            raise
        return outcome if isinstance(outcome, AccessToken) else Admission(self._logged(outcome)).wait()

    async def averify(self, token: str) -> AccessToken:
        """The same as `verify`; suspend the task, on asyncio or trio, where `verify` would block."""
        try:
            outcome = self._pipeline.admit(encoded(token))
        except AuthError as error:
            self._refusals.log(error)
            raise
        return outcome if isinstance(outcome, AccessToken) else await Admission(self._logged(outcome))

    # -- requests ------------------------------------------------------------------------------------

    def authenticate(self, request: Incoming | Headers) -> AccessToken:
        """Return the verified token that a request carries.

        Args:
            request: a `Request`, or a door's view of one. Bare header fields will do (pairs of bytes, names
                in lower case, as in ASGI), but then nothing can be checked that needs more of a request, and
                a token that asks for it is refused.

        Raises:
            MissingCredentials: there is no bearer token.
            InvalidRequest: there is more than one, or it is not written as RFC 6750 section 2.1 says.
            InvalidToken: the token is refused.
            ProviderUnavailable: what the check needs from the provider is unavailable right now.

        Examples:
            ```python
            token = server.authenticate(Request("GET", "https://api.example/orders", headers))
            ```
        """
        outcome = self.admit(as_request(request))
        return outcome if isinstance(outcome, AccessToken) else outcome.wait()

    async def aauthenticate(self, request: Incoming | Headers) -> AccessToken:
        """The same as `authenticate`, for a task."""
        outcome = self.admit(as_request(request))
        return outcome if isinstance(outcome, AccessToken) else await outcome

    def admit(self, request: Incoming, resource: str | None = None) -> AccessToken | Admission:
        """The same as `authenticate`, for doors: where something has to be waited for, return what does that.

        The outcome's `wait()` blocks the thread, `await` suspends the task; either may be used, once.

        Args:
            request: a door's view of the request.
            resource: the URL of the API as the door's guard knows it; the server's own by default.

        Raises:
            AuthError: as `authenticate`, except `ProviderUnavailable`.
        """
        scheme, text, start = None, b"", 0
        try:
            if self._places is None:
                values = request.values(b"authorization")
                # What is written as usual is taken apart only where the token was not seen before.
                if len(values) == 1 and (field := values[0])[_BEGINNING] == self._usual:
                    scheme, text, start = BEARER, field, len(USUAL)
                else:
                    scheme, text = credentials(values, self._schemes)
                pipeline = self._pipeline
            else:
                text, scheme, pipeline = self._places.found(request, resource or self.resource)
            outcome = pipeline.admit(text, request, scheme, resource or self.resource, start)
        except AuthError as error:
            self._check_open()
            # An accepted token contains nothing that separates two: only refused ones are searched for it.
            if error.reason != "too_large" and not is_one_token(text[start:].strip(b" ")):
                raise self._refusals.log(several_tokens(scheme or BEARER, error.seconds), request) from None
            error.scheme = error.scheme or scheme
            self._refusals.log(error, request)
            raise
        return (
            outcome if isinstance(outcome, AccessToken) else Admission(self._logged(outcome, request, scheme))
        )

    def note_refusal(self, error: E, request: Incoming | None = None) -> E:
        """Log a refusal that was decided elsewhere than here, by a rule; return the error.

        Args:
            error: why the request is refused.
            request: the request, if there is one.
        """
        return self._refusals.log(error, request)

    def seconds_left(self, token: AccessToken) -> float | None:
        """Return for how many seconds a token is still good: until `exp` and the provider's leeway.

        For connections that outlive their tokens. Where tokens may be taken back, ask again when they have
        passed: then it is half of `max_lag` at most, and 0 for a token that was revoked.

        Args:
            token: a token that this server verified.

        Returns:
            The seconds, 0 or less where it has expired; None where it does not end.
        """
        expires_at = token.expires_at
        left = None if expires_at is None else expires_at + token.provider.leeway - self._clock()
        return self._left_unless_revoked(token, left)

    # -- the end -------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the fetches that no other server needs, with their connections; using the server is an error.

        Blocks nobody, and may be called more than once. Requests that wait get `ProviderUnavailable`.
        """
        self._pipeline = cast("Pipeline", _Closed())
        self._places = None
        self._answers.close()
        if self._revocations is not None:
            self._revocations.close()
        self._keys.close()

    async def aclose(self) -> None:
        """The same as `close`, for a task."""
        self.close()

    def _logged(self, stages: Stages, request: Incoming | None = None, scheme: str | None = None) -> Stages:
        try:
            return (yield from stages)
        except AuthError as error:
            error.scheme = scheme
            self._refusals.log(error, request)
            raise

    def _check_open(self) -> None:
        # Asked only where a request is refused: of one without a token, what verifies is never asked.
        if isinstance(self._pipeline, _Closed):
            raise closed() from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class _Closed:
    """Takes the place of what verifies, so that no request has to ask whether the server is open."""

    def __getattr__(self, _: str) -> NoReturn:
        raise closed()
