"""What every door's `Guard` has in common: a server, the rules it was asked for, and how it answers.

Knows no framework. A door adds how a request is read, how an answer is written, and nothing that decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from bearerguard._core.address import why_insecure
from bearerguard._core.credentials import Headers
from bearerguard.answer import Answer, Body, answer, json_body
from bearerguard.errors import AuthError, ConfigurationError, MissingCredentials
from bearerguard.rules import Rule, authenticated
from bearerguard.server import ResourceServer, log_refusal
from bearerguard.token import AccessToken

WELL_KNOWN = "/.well-known/oauth-protected-resource"
METADATA_METHODS = ("GET", "HEAD", "OPTIONS")
_ANY_ORIGIN = [("Access-Control-Allow-Origin", "*")]


class BaseGuard:
    """Protects routes by rules. Use the `Guard` of your framework's door.

    Args:
        server: what verifies the tokens.
        resource: the URL of this API as its clients know it, `"https://api.example/v1"`. With it, the API
            publishes its metadata (RFC 9728) and its challenges point there. It is never taken from a
            request.
        realm: a name for the protected space, in every challenge.
        body: what makes the body of a refusal: `json_body`, `problem_details`, or your own function.

    Raises:
        ConfigurationError: `server` is none, or `resource` is no https URL.
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
            raise ConfigurationError(f"Guard({server!r:.80}): give a ResourceServer.")
        if resource is not None:
            _check_resource(resource)
        if realm is not None and not (isinstance(realm, str) and realm.isascii() and realm.isprintable()):
            raise ConfigurationError(f"realm is {realm!r:.80}: a header carries printable ASCII alone.")
        if not callable(body):
            raise ConfigurationError(f"body is {body!r:.80}: give json_body, problem_details or a function.")
        self.server = server
        self.resource = resource
        self.realm = realm
        self.body = body
        # The rules asked for so far, in order, each once.
        self._rules: dict[Rule, None] = {}

    # -- requests ------------------------------------------------------------------------------------

    def check(self, headers: Headers, rule: Rule) -> AccessToken:
        """Return the token of a request that fulfils `rule`.

        Args:
            headers: the header fields as in ASGI: pairs of bytes, names in lower case.
            rule: what the token must fulfil.

        Raises:
            AuthError: the refusal.
        """
        return _allowed(rule, self.server.authenticate(headers))

    async def acheck(self, headers: Headers, rule: Rule) -> AccessToken:
        """The same as `check`, for a task."""
        return _allowed(rule, await self.server.aauthenticate(headers))

    def check_optional(self, headers: Headers) -> AccessToken | None:
        """Return the token, or None where the request carries none; a bad token is refused all the same."""
        try:
            return self.server.authenticate(headers)
        except MissingCredentials:
            return None

    async def acheck_optional(self, headers: Headers) -> AccessToken | None:
        """The same as `check_optional`, for a task."""
        try:
            return await self.server.aauthenticate(headers)
        except MissingCredentials:
            return None

    def answer(self, error: AuthError) -> Answer:
        """Return the answer to a request that is refused."""
        return answer(
            error, body=self.body, realm=self.realm, resource_metadata=self.resource_metadata_address
        )

    def remember(self, rule: Rule | None) -> Rule:
        """Note a rule that a route asks for, so that the metadata can name its scopes; return it."""
        rule = authenticated if rule is None else rule
        if not isinstance(rule, Rule):
            raise ConfigurationError(f"{rule!r:.80} is no rule: write scope('...'), role('...') or the like.")
        self._rules[rule] = None
        return rule

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that routes have asked for so far."""
        return tuple(self._rules)

    # -- the metadata of the resource (RFC 9728) -----------------------------------------------------

    @property
    def resource_metadata_address(self) -> str | None:
        """Where the resource's metadata stands (RFC 9728, section 3.1); None without `resource`."""
        if self.resource is None:
            return None
        parts = urlsplit(self.resource)
        query = f"?{parts.query}" if parts.query else ""
        return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}{query}"

    @property
    def metadata_paths(self) -> tuple[str, ...]:
        """The paths at which to serve the metadata: with the resource's path inserted, and without it."""
        if self.resource is None:
            return ()
        path = urlsplit(self.resource).path.rstrip("/")
        return (WELL_KNOWN + path, WELL_KNOWN) if path else (WELL_KNOWN,)

    def metadata(self) -> dict[str, Any]:
        """Return the resource's metadata (RFC 9728, section 2)."""
        # An issuer that is no URL is none that a client could discover (RFC 9728, section 2).
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

    def metadata_answer(self, method: str = "GET") -> Answer:
        """Return the response that serves the metadata: public, cacheable, readable from any origin.

        Args:
            method: one of `METADATA_METHODS`. A browser asks with OPTIONS whether it may send header fields
                of its own, such as the `MCP-Protocol-Version` of an MCP client.
        """
        if method == "OPTIONS":
            headers = [("Access-Control-Allow-Methods", "GET"), ("Access-Control-Allow-Headers", "*")]
            return Answer(204, [*_ANY_ORIGIN, *headers], b"")
        content = json.dumps(self.metadata()).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "public, max-age=3600"),
        ]
        return Answer(200, [*headers, *_ANY_ORIGIN], content)


def paths(public_paths: Iterable[str] | None) -> frozenset[str]:
    """Return public paths as a set; one string is one path.

    Raises:
        ConfigurationError: they are no strings.
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


def _allowed(rule: Rule, token: AccessToken) -> AccessToken:
    if not rule.allows(token):
        raise refused(rule, token)
    return token


def refused(rule: Rule, token: AccessToken) -> AuthError:
    """Return the refusal of a token that does not fulfil `rule`, logged."""
    error = rule.refusal(token)
    error.provider = token.provider.name
    return log_refusal(error)


def _check_resource(resource: str) -> None:
    """An https URL without a fragment (RFC 9728, section 1.2); http on loopback."""
    problem = why_insecure(resource) if isinstance(resource, str) else "it is no URL"
    if problem is None and "#" in resource:
        problem = "it has a fragment"
    if problem is None and not (resource.isascii() and resource.isprintable() and '"' not in resource):
        problem = "it has characters that a URL writes with % (or xn-- in a host)"
    if problem is not None:
        raise ConfigurationError(
            f"resource is {resource!r:.200}, but {problem}: write the URL of the API as clients know it, "
            "such as 'https://api.example/v1'."
        )
