"""Verified tokens in the form of the MCP SDK, and a `TokenVerifier` for programs that keep `AuthSettings`."""

from __future__ import annotations

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken as SDKToken
from pydantic import PrivateAttr

from bearerguard.errors import AuthError, ConfigurationError, ProviderUnavailable
from bearerguard.server import ResourceServer
from bearerguard.token import AccessToken

__all__ = ["Verifier"]


class Verifier:
    """A `token_verifier` for the SDK's own `AuthSettings`.

    `bearerguard.mcp.Guard` answers more: the SDK makes a 500 of an outage, and names no scope in a 403.

    Args:
        server: what verifies the tokens.
        resource: the URL of this MCP server, as in `AuthSettings`; the server's own by default. It is what a
            token is said to be for only if the token's `aud` has it.

    Examples:
        ```python
        mcp = MCPServer("Notes", token_verifier=Verifier(server), auth=AuthSettings(...))
        ```
    """

    def __init__(self, server: ResourceServer, *, resource: str | None = None) -> None:
        if not isinstance(server, ResourceServer):
            raise ConfigurationError(f"Verifier is given a {type(server).__name__}: give a ResourceServer.")
        self._server = server
        self._resource = server.resource if resource is None else resource

    async def verify_token(self, token: str) -> SDKToken | None:
        """Return the verified token, None for one that is refused.

        Raises:
            ProviderUnavailable: nobody can tell now; for None, clients would throw good tokens away.
        """
        try:
            return in_the_sdks_form(await self._server.averify(token), self._resource)
        except ProviderUnavailable:
            raise
        except AuthError:
            return None


class _Verified(SDKToken):
    """A token as the SDK knows it, which a `ResourceServer` has verified."""

    _token: AccessToken = PrivateAttr()


def in_the_sdks_form(token: AccessToken, resource: str | None) -> SDKToken:
    """Return a verified token as the SDK knows it; sessions belong to its client, issuer and subject."""
    expires_at = token.expires_at
    made = _Verified(
        token=token.raw,
        client_id=token.client_id or token.subject or "",
        scopes=sorted(token.scopes),
        expires_at=None if expires_at is None else int(expires_at),
        resource=_meant_for(token, resource),
        subject=token.subject,
        claims=dict(token.claims),
    )
    made._token = token  # noqa: SLF001 - pydantic sets no private attribute when it makes a model
    return made


def token_of_request() -> AccessToken | None:
    """Return the verified token of the message that is being handled; None where nobody here verified one."""
    known = get_access_token()
    return known._token if isinstance(known, _Verified) else None  # noqa: SLF001 - of this file


def _meant_for(token: AccessToken, resource: str | None) -> str | None:
    """Return whom the token names as its audience: this server, or else the audience that was accepted."""
    claimed = token.claims.get(token.provider.audience_claim)
    audience = claimed if isinstance(claimed, list) else [claimed]
    accepted = (resource, *token.provider.audiences)
    return next((one for one in accepted if one is not None and one in audience), None)
