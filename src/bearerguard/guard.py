"""The common half of every door: from what a route asks for, and a request, to a token or a refusal.

Knows no framework. A door adds how a request is read and how an answer is written, and nothing that decides:
see "Write your own door" in the documentation.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakValueDictionary

from msgspec import Struct

from bearerguard._core.address import why_insecure
from bearerguard._core.resource import check_resource, metadata_address, metadata_paths
from bearerguard.answer import (
    BEARER,
    Answer,
    Body,
    ChallengeContext,
    Scheme,
    answer,
    body_content,
    dpop_scheme,
    json_body,
    worded,
)
from bearerguard.endpoints import Endpoint, metadata_endpoint, readiness_endpoint
from bearerguard.errors import AuthError, ConfigurationError, MissingCredentials
from bearerguard.request import Incoming
from bearerguard.rules import Rule, authenticated
from bearerguard.rules.algebra import checked_rule
from bearerguard.server import ResourceServer
from bearerguard.token import AccessToken, judged

if TYPE_CHECKING:
    from bearerguard.dpop import DPoP

__all__ = ["BaseGuard", "Demand", "Serves", "exact_paths", "is_ambiguous"]


class Demand(Struct, frozen=True):
    """What a route asks for.

    Attributes:
        rule: what a token must fulfil.
        optional: whether a request without a token is served too; a bad token is refused all the same.
        is_constant: whether the rule's verdict may be kept beside the token's; as the rule says.
    """

    rule: Rule = authenticated
    optional: bool = False
    is_constant: bool = False

    def allows(self, token: AccessToken) -> bool:
        """Whether a token fulfils the rule."""
        return judged(token, self.rule) if self.is_constant else self.rule.allows(token)


class Serves(Protocol):
    """What makes an endpoint for the guard of a server."""

    def endpoint(self, server: ResourceServer, /) -> Endpoint:
        """Return it."""
        ...


class BaseGuard:
    """Protects routes by rules. Use the `Guard` of your framework's door.

    Args:
        server: what verifies the tokens.
        resource: the URL of this API as its clients know it, `"https://api.example/v1"`; the server's own by
            default. With it, the API publishes its metadata (RFC 9728) and its challenges point there. It is
            never taken from a request.
        realm: a name for the protected space, in every challenge.
        authorization_servers: the issuers that the metadata names (RFC 9728, section 2), where not those of
            the server's providers: only you can name them where a function knows them, or a provider has
            tenants.
        body: what makes the body of a refusal: `json_body`, `problem_details`, or your own function. It is
            called once at this point, with the refusal of a request that was never made.
        endpoints: what else the guard serves by itself, to requests without a token: `BackChannelLogout`, or
            an `Endpoint` of your own.

    Raises:
        ConfigurationError: `server` is not a `ResourceServer`, `resource` is not an https URL, or `body` does
            not return a media type and bytes.
    """

    def __init__(
        self,
        server: ResourceServer,
        *,
        resource: str | None = None,
        realm: str | None = None,
        authorization_servers: str | Iterable[str] | None = None,
        body: Body = json_body,
        endpoints: Iterable[Endpoint | Serves] = (),
    ) -> None:
        if not isinstance(server, ResourceServer):
            raise ConfigurationError(f"Guard is given a {type(server).__name__}: give a ResourceServer.")
        if resource is not None:
            check_resource(resource)
        if realm is not None and not (isinstance(realm, str) and realm.isascii() and realm.isprintable()):
            raise ConfigurationError(f"realm is {realm!r:.80}: a header carries only printable ASCII.")
        if not callable(body):
            raise ConfigurationError(f"body is {body!r:.80}: give json_body, problem_details or a function.")
        made = _try(body)
        self.server = server
        self.resource: str | None = server.resource if resource is None else resource
        self.realm = realm
        self.authorization_servers: tuple[str, ...] | None = _checked_issuers(authorization_servers)
        self.body = body
        self.refusal_content: dict[str, Any] = body_content(body, made)
        address = None if self.resource is None else metadata_address(self.resource)
        dpop = server.dpop
        if dpop is not None and dpop.base_url is None and self.resource is None:
            raise ConfigurationError(
                "DPoP compares each proof with the public address of its request, and none is known here: "
                "write DPoP(base_url='https://api.example'), or give Guard or ResourceServer its "
                "resource='https://api.example/v1'."
            )
        elsewhere = any(provider.source is not None for provider in server.providers)
        self.context: ChallengeContext = ChallengeContext(realm, address, _schemes(dpop), no_store=elsewhere)
        self.endpoints: tuple[Endpoint, ...] = _endpoints(
            [metadata_endpoint(path, self.metadata) for path in self.metadata_paths], endpoints, server
        )
        # The rules asked for so far, in order, each once.
        self._rules: dict[Rule, None] = {}
        # By their id: the views that decorators of this guard were given, and whose rules they do not know.
        self._below: WeakValueDictionary[int, Any] = WeakValueDictionary()

    # -- for doors -----------------------------------------------------------------------------------

    def demand(self, rule: Rule | None = None, *, optional: bool = False) -> Demand:
        """Return what a route asks for; its rule is noted, so that the metadata can name its scopes.

        Args:
            rule: what a token must fulfil; any valid token by default.
            optional: whether a request without a token is served too.

        Raises:
            ConfigurationError: `rule` is not a rule.
        """
        if optional and rule is None:  # it asks for nothing that the metadata could name
            return Demand(authenticated, True, authenticated.is_constant)
        rule = authenticated if rule is None else checked_rule(rule)
        self._rules[rule] = None
        return Demand(rule, optional, rule.is_constant)

    def _stands_below(self, view: Any) -> None:
        """Note a view that a decorator of this guard was given."""
        with suppress(TypeError):  # some callable objects cannot be referred to weakly
            self._below[id(view)] = view

    def _check_served(self, views: Iterable[Any], decorator: str) -> None:
        """Check that an application serves what this guard's decorators return, not only what they are given.

        Args:
            views: what the application serves.
            decorator: what registers a view.

        Raises:
            ConfigurationError: a view is served without its rule, and nowhere with it.
        """
        served = list(views)
        behind = {id(inner) for view in served for inner in _inner(view)}
        for view in served:
            if self._below.get(id(view)) is view and id(view) not in behind:
                raise ConfigurationError(
                    f"{getattr(view, '__name__', view)} is served without its rule: write {decorator} above "
                    "@guard.requires(...), since it registers what stands below it."
                )

    def admit(self, request: Incoming, demand: Demand) -> AccessToken | None:
        """Return the token of a request that meets a demand; None only where it is optional.

        Raises:
            AuthError: the refusal; its `rule` is the demand's.
        """
        try:
            token = self.server.admit(request, self.resource)
            if not isinstance(token, AccessToken):
                token = token.wait()
        except AuthError as error:
            if not (demand.optional and isinstance(error, MissingCredentials)):
                error.rule = demand.rule
                raise
            return None
        rule = demand.rule
        if rule is authenticated:
            return token
        allowed = judged(token, rule) if demand.is_constant else rule.allows(token)
        return token if allowed else self.allow(rule, token, request=request)

    async def aadmit(self, request: Incoming, demand: Demand) -> AccessToken | None:
        """The same as `admit`, for a task."""
        try:
            token = self.server.admit(request, self.resource)
            if not isinstance(token, AccessToken):
                token = await token
        except AuthError as error:
            if not (demand.optional and isinstance(error, MissingCredentials)):
                error.rule = demand.rule
                raise
            return None
        rule = demand.rule
        if rule is authenticated:
            return token
        allowed = judged(token, rule) if demand.is_constant else rule.allows(token)
        return token if allowed else self.allow(rule, token, request=request)

    def answer(self, error: AuthError) -> Answer:
        """Return the answer to a request that is refused."""
        return answer(error, body=self.body, context=self.context)

    # -- for applications ----------------------------------------------------------------------------

    def allow(self, rule: Rule, token: AccessToken, *, request: Incoming | None = None) -> AccessToken:
        """Return a token that is known already, if it fulfils `rule`: for a GraphQL field, a tool, an event.

        Args:
            rule: what the token must fulfil.
            token: a token that the guard's server verified.
            request: what carries it, for the log.

        Raises:
            AuthError: it does not; logged, with `rule` and `token` for handlers.

        Examples:
            ```python
            guard.allow(scope("orders:write"), token)
            ```
        """
        if rule.allows(token):
            return token
        error = rule.refusal(token)
        if (token.confirmation or "").startswith("dpop"):
            error.scheme = "DPoP"
        error.provider = token.provider.name
        error.rule, error.token = rule, token
        error.facts = {"sub": token.subject, "client_id": token.client_id}
        raise self.server.note_refusal(error, request)

    def readiness(self, path: str) -> None:
        """Serve from a path whether the API is ready, before `install`, `protect` or `urls`.

        Needs no token, and therefore says nothing but `{"ready": true}`, with 200, or `{"ready": false}`,
        with 503: as `ResourceServer.ready` says, which names what it means.

        Args:
            path: such as `"/ready"`, below the mount of the application.

        Raises:
            ConfigurationError: it is not a path, or is served already.
        """
        endpoint = readiness_endpoint(path, self.server.ready)
        if any(other.path == path for other in self.endpoints):
            raise ConfigurationError(f"{path!r} is served by this guard already: give another path.")
        self.endpoints = (*self.endpoints, endpoint)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that routes have asked for so far."""
        return tuple(self._rules)

    @property
    def resource_metadata_address(self) -> str | None:
        """Where the resource's metadata stands (RFC 9728, section 3.1); None without `resource`."""
        return self.context.resource_metadata

    @property
    def metadata_paths(self) -> tuple[str, ...]:
        """Where `install` and `protect` serve the resource's metadata; none without `resource`."""
        return () if self.resource is None else metadata_paths(self.resource)

    def metadata(self) -> dict[str, Any]:
        """Return the resource's metadata (RFC 9728, section 2)."""
        # A client can discover only an issuer that is a URL (RFC 9728, section 2).
        # The issuers of tenants are theirs: whoever asks is not told who they are.
        named = (one.issuer for one in self.server.providers if one.issuer and one.issuer_template is None)
        issuers = self.authorization_servers or dict.fromkeys(
            issuer for issuer in named if why_insecure(issuer) is None
        )
        scopes = sorted({name for rule in self._rules for name in rule.scopes()})
        document: dict[str, Any] = {"resource": self.resource, "authorization_servers": list(issuers)}
        providers = self.server.providers
        if not providers or any(provider.source is None for provider in providers):
            document["bearer_methods_supported"] = ["header"]  # a header of another name has no word there
        if scopes:
            document["scopes_supported"] = scopes
        if self.realm is not None:
            document["resource_name"] = self.realm
        if self.server.certificate is not None:  # RFC 9728, section 2
            document["tls_client_certificate_bound_access_tokens"] = True
        if self.server.dpop is not None:
            document["dpop_signing_alg_values_supported"] = sorted(self.server.dpop.algorithms)
            document["dpop_bound_access_tokens_required"] = self.server.dpop.required
        return document


def _endpoints(found: list[Endpoint], given: Any, server: ResourceServer) -> tuple[Endpoint, ...]:
    """The endpoints of a guard: its own, and those that it is given.

    Raises:
        ConfigurationError: they are something else, or two have one path.
    """
    if not isinstance(given, Iterable):
        raise _not_endpoints(given)
    for one in given:
        endpoint = one.endpoint(server) if hasattr(one, "endpoint") else one
        if not isinstance(endpoint, Endpoint):
            raise _not_endpoints(one)
        if endpoint.path in {other.path for other in found}:
            raise ConfigurationError(f"endpoints has {endpoint.path!r} twice: a path has one endpoint.")
        found.append(endpoint)
    return tuple(found)


def _not_endpoints(given: object) -> ConfigurationError:
    return ConfigurationError(
        f"endpoints has {given!r:.80}: give a list, such as [BackChannelLogout('/logout', "
        "client_id='orders-web')]."
    )


def _schemes(dpop: DPoP | None) -> tuple[Scheme, ...]:
    if dpop is None:
        return (BEARER,)
    proven = dpop_scheme(dpop.algorithms)
    return (proven,) if dpop.required else (BEARER, proven)


def _try(body: Body) -> tuple[str, bytes] | None:
    """Have a body made of a refusal, before anybody is refused; None where that needs a request.

    Raises:
        ConfigurationError: it cannot be.
    """
    try:
        return worded(MissingCredentials("no_credentials", "The Authorization header is missing."), body)
    except (RuntimeError, LookupError):
        return None  # as frameworks say that there is no request: the first refusal shows what it is
    except ConfigurationError:
        raise
    except Exception as problem:
        raise ConfigurationError(
            f"body raises {type(problem).__name__} for a request without a token: it is called with the "
            "AuthError, and returns a media type and bytes."
        ) from problem


def _inner(view: Any) -> Iterable[Any]:
    """What a view was made of: the functions that it wraps, or the classes that it derives from."""
    if isinstance(view, type):
        return view.__mro__[1:]
    found: list[Any] = []
    while (view := getattr(view, "__wrapped__", None)) is not None and view not in found:
        found.append(view)
    return found


def exact_paths(public_paths: Iterable[str] | None) -> frozenset[str]:
    """Return public paths as a set; one string is one path.

    Raises:
        ConfigurationError: they are not paths, which begin with a slash.
    """
    try:
        given = (
            (public_paths,) if public_paths and isinstance(public_paths, str) else tuple(public_paths or ())
        )
    except TypeError:
        given = ("",)
    if not all(isinstance(path, str) and path.startswith("/") for path in given):
        raise ConfigurationError(
            f"public_paths is {public_paths!r:.80}: give full paths, from the first '/' on, such as "
            "{'/health'}."
        )
    return frozenset(given)


def is_ambiguous(path: bytes) -> bool:
    """Whether a path, as it was sent, has signs that one router decodes and another keeps.

    Such a path is not public, whatever it is when it is decoded: `/a%2Fb` may be `/a/b` to whoever compares
    it, and the name `a/b` below `/` to the router.

    Args:
        path: as the client wrote it, without a query.
    """
    lower = path.lower()
    return b"%2f" in lower or b"%5c" in lower or b"%2e" in lower


def _checked_issuers(given: Any) -> tuple[str, ...] | None:
    """The issuers to name to clients, which have to be able to discover them (RFC 8414, section 2)."""
    if given is None:
        return None
    issuers = (given,) if isinstance(given, str) else tuple(given)
    for issuer in issuers:
        if not isinstance(issuer, str) or why_insecure(issuer) is not None:
            raise ConfigurationError(
                f"authorization_servers has {issuer!r:.200}: give issuers as https:// URLs, or leave it out."
            )
    return issuers
