"""The common half of every door: from what a route asks for, and a request, to a token or a refusal.

Knows no framework. A door adds how a request is read and how an answer is written, and nothing that decides:
see "Write your own door" in the documentation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from bearerguard._core.address import why_insecure
from bearerguard._core.resource import check_resource, metadata_address, metadata_paths
from bearerguard.answer import Answer, Body, ChallengeContext, answer, json_body, worded
from bearerguard.endpoints import Endpoint, metadata_endpoint
from bearerguard.errors import AuthError, ConfigurationError, MissingCredentials
from bearerguard.observe import log_refusal
from bearerguard.request import Incoming
from bearerguard.rules import Rule, authenticated
from bearerguard.server import ResourceServer
from bearerguard.token import AccessToken, judged

__all__ = ["BaseGuard", "Demand", "exact_paths"]


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


class BaseGuard:
    """Protects routes by rules. Use the `Guard` of your framework's door.

    Args:
        server: what verifies the tokens.
        resource: the URL of this API as its clients know it, `"https://api.example/v1"`; the server's own by
            default. With it, the API publishes its metadata (RFC 9728) and its challenges point there. It is
            never taken from a request.
        realm: a name for the protected space, in every challenge.
        body: what makes the body of a refusal: `json_body`, `problem_details`, or your own function. It is
            called once at this point, with the refusal of a request that was never made.

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
        body: Body = json_body,
    ) -> None:
        if not isinstance(server, ResourceServer):
            raise ConfigurationError(f"Guard is given a {type(server).__name__}: give a ResourceServer.")
        if resource is not None:
            check_resource(resource)
        if realm is not None and not (isinstance(realm, str) and realm.isascii() and realm.isprintable()):
            raise ConfigurationError(f"realm is {realm!r:.80}: a header carries only printable ASCII.")
        if not callable(body):
            raise ConfigurationError(f"body is {body!r:.80}: give json_body, problem_details or a function.")
        _try(body)
        self.server = server
        self.resource: str | None = server.resource if resource is None else resource
        self.realm = realm
        self.body = body
        address = None if self.resource is None else metadata_address(self.resource)
        self.context: ChallengeContext = ChallengeContext(realm, address)
        self.endpoints: tuple[Endpoint, ...] = tuple(
            metadata_endpoint(path, self.metadata) for path in self.metadata_paths
        )
        # The rules asked for so far, in order, each once.
        self._rules: dict[Rule, None] = {}

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
        rule = authenticated if rule is None else rule
        if not isinstance(rule, Rule):
            raise ConfigurationError(
                f"{rule!r:.80} is not a rule: write scope('...'), role('...') or the like."
            )
        self._rules[rule] = None
        return Demand(rule, optional, rule.is_constant)

    def admit(self, request: Incoming, demand: Demand) -> AccessToken | None:
        """Return the token of a request that meets a demand; None only where it is optional.

        Raises:
            AuthError: the refusal; its `rule` is the demand's.
        """
        try:
            token = self.server.admit(request)
            if not isinstance(token, AccessToken):
                token = token.wait()
        except AuthError as error:
            if not (demand.optional and isinstance(error, MissingCredentials)):
                error.rule = demand.rule
                raise
            return None
        rule = demand.rule
        allowed = judged(token, rule) if demand.is_constant else rule.allows(token)
        return token if allowed else self.allow(rule, token)

    async def aadmit(self, request: Incoming, demand: Demand) -> AccessToken | None:
        """The same as `admit`, for a task."""
        try:
            token = self.server.admit(request)
            if not isinstance(token, AccessToken):
                token = await token
        except AuthError as error:
            if not (demand.optional and isinstance(error, MissingCredentials)):
                error.rule = demand.rule
                raise
            return None
        rule = demand.rule
        allowed = judged(token, rule) if demand.is_constant else rule.allows(token)
        return token if allowed else self.allow(rule, token)

    def answer(self, error: AuthError) -> Answer:
        """Return the answer to a request that is refused."""
        return answer(error, body=self.body, context=self.context)

    # -- for applications ----------------------------------------------------------------------------

    def allow(self, rule: Rule, token: AccessToken) -> AccessToken:
        """Return a token that is known already, if it fulfils `rule`: for a GraphQL field, a tool, an event.

        Raises:
            AuthError: it does not; logged, with `rule` and `token` for handlers.

        Example:
            ```python
            guard.allow(scope("orders:write"), token)
            ```
        """
        if rule.allows(token):
            return token
        error = rule.refusal(token)
        error.provider = token.provider.name
        error.rule, error.token = rule, token
        raise log_refusal(error)

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
        named = (provider.issuer for provider in self.server.providers if provider.issuer)
        issuers = dict.fromkeys(issuer for issuer in named if why_insecure(issuer) is None)
        scopes = sorted({name for rule in self._rules for name in rule.scopes()})
        document: dict[str, Any] = {
            "resource": self.resource,
            "authorization_servers": list(issuers),
            "bearer_methods_supported": ["header"],
        }
        if scopes:
            document["scopes_supported"] = scopes
        if self.realm is not None:
            document["resource_name"] = self.realm
        return document


def _try(body: Body) -> None:
    """Have a body made of a refusal, before anybody is refused.

    Raises:
        ConfigurationError: it cannot be.
    """
    try:
        worded(MissingCredentials("no_credentials", "The Authorization header is missing."), body)
    except (RuntimeError, LookupError):
        return  # as frameworks say that there is no request: then the first refusal shows what it returns
    except ConfigurationError:
        raise
    except Exception as problem:
        raise ConfigurationError(
            f"body raises {type(problem).__name__} for a request without a token: it is called with the "
            "AuthError, and returns a media type and bytes."
        ) from problem


def exact_paths(public_paths: Iterable[str] | None) -> frozenset[str]:
    """Return public paths as a set; one string is one path.

    Raises:
        ConfigurationError: they are not strings.
    """
    try:
        given = (
            (public_paths,) if public_paths and isinstance(public_paths, str) else tuple(public_paths or ())
        )
    except TypeError:
        given = ("",)
    if not all(isinstance(path, str) and path for path in given):
        raise ConfigurationError(
            f"public_paths is {public_paths!r:.80}: give full paths, such as {{'/health'}}."
        )
    return frozenset(given)
