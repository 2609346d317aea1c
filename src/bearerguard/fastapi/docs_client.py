"""As which clients `/docs` logs in: one per provider, each with its own scopes and parameters.

Swagger UI has settings for one client, whatever the scheme. So the page gets a plugin, by the interface that
Swagger UI has for plugins, which hands each provider's login the settings of its own client. The clients are
public ones with PKCE: a page can keep no secret, and there is no place for one here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from bearerguard.errors import ConfigurationError
from bearerguard.provider import Provider

__all__ = ["DocsClient", "checked_clients", "with_clients"]


class DocsClient(Struct, frozen=True):
    """A client as which the documentation logs in at one provider.

    Attributes:
        client_id: the id of a public client with PKCE, whose redirect URI is the application's
            `/docs/oauth2-redirect`.
        scopes: the scopes that it can ask for, under the names by which this provider wants to be asked, each
            with a description; by default those of the rules.
        parameters: what more this provider wants in the authorization request; at Auth0
            `{"audience": "https://api.example"}`.

    Examples:
        >>> DocsClient("docs", scopes={"api://orders/orders:read": "Read orders"}).client_id
        'docs'
    """

    client_id: str
    scopes: Mapping[str, str] | None = None
    parameters: Mapping[str, str] | None = None

    def settings(self) -> dict[str, Any]:
        """What Swagger UI calls it."""
        extra = {"additionalQueryStringParams": dict(self.parameters)} if self.parameters else {}
        return {"clientId": self.client_id, **extra}


def checked_clients(given: Any, providers: tuple[Provider, ...]) -> dict[str, DocsClient]:
    """Return the clients by the names of their providers.

    Raises:
        ConfigurationError: a name is not that of a provider, or something is not a client.
    """
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"docs_clients is a {type(given).__name__}: give clients by the names of providers, as "
            "{'entra': 'the client id', 'auth0': DocsClient('the client id', scopes={...})}."
        )
    known = [provider.name for provider in providers]
    clients: dict[str, DocsClient] = {}
    for name, one in given.items():
        if name not in known:
            raise ConfigurationError(
                f"docs_clients has {name!r:.80}, but no provider has that name: write one of "
                f"{', '.join(map(repr, known)) or 'none, as only a function knows the issuers'}."
            )
        client = DocsClient(one) if isinstance(one, str) else one
        if not (isinstance(client, DocsClient) and isinstance(client.client_id, str) and client.client_id):
            raise ConfigurationError(
                f"docs_clients has a {type(one).__name__} for {name!r:.80}: give the id of a client, or "
                "DocsClient('the client id', scopes={...})."
            )
        for what, names in (("scopes", client.scopes), ("parameters", client.parameters)):
            if names is not None and not _is_text(names):
                raise ConfigurationError(
                    f"{what} of the docs client for {name!r:.80} is not a dictionary from text to text: "
                    f"write {what}={{'name': 'text'}}."
                )
        clients[name] = client
    return clients


def with_clients(page: str, clients: Mapping[str, Mapping[str, Any]]) -> str:
    """Return FastAPI's page with a plugin that knows the client of each scheme.

    Args:
        page: the HTML. Where it does not start Swagger UI, it is returned as it is.
        clients: the settings of each client, by the name of the scheme.
    """
    before, start, after = page.partition("SwaggerUIBundle({")
    head, script, rest = before.rpartition("<script>")
    if not start or not script:
        return page
    # As FastAPI writes JSON into its page: nothing in it can end the script.
    text = json.dumps(clients).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    plugin = _PLUGIN.replace("CLIENTS", text)
    return f"{head}<script>{plugin}</script>\n    {script}{rest}{start}{after}"


def _is_text(given: Any) -> bool:
    return isinstance(given, Mapping) and all(
        isinstance(name, str) and isinstance(value, str) for name, value in given.items()
    )


_PLUGIN = """
    (function (start, clients) {
      function login(Original, system) {
        return function (props) {
          const own = clients[props.name];
          if (!own) { return system.React.createElement(Original, props); }
          const selectors = {
            ...props.authSelectors,
            getConfigs: () => ({...props.authSelectors.getConfigs(), ...own}),
          };
          return system.React.createElement(Original, {...props, authSelectors: selectors});
        };
      }
      const plugin = () => ({wrapComponents: {oauth2: login}});
      window.SwaggerUIBundle = Object.assign(
        (options) => start({...options, plugins: [...(options.plugins || []), plugin]}), start,
      );
    })(window.SwaggerUIBundle, CLIENTS);
    """
