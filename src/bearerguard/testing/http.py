"""What an issuer answers to an HTTP request: one function from a request to a response.

Metadata (OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3), the key set (RFC 7517) and a token
endpoint for two grants: client credentials (RFC 6749 section 4.4) and authorization codes. No socket, clock
or key is touched here: what is to be said comes in as an `Endpoints`, so that the in-process transport and
the loopback server cannot differ.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

if TYPE_CHECKING:
    from bearerguard.testing.authorization_code import AuthorizationCodeGrant, Login

__all__ = ["Endpoints", "Refused", "Request", "Response", "respond"]

# Scripts of any origin may read what these endpoints say: nothing is sent to them that a browser adds by
# itself. The authorization endpoint is none of them (RFC 9700 section 2.6).
_ANY_ORIGIN = ("Access-Control-Allow-Origin", "*")
_PREFLIGHT = (
    _ANY_ORIGIN,
    ("Access-Control-Allow-Methods", "GET, POST"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Requested-With"),
)


@dataclass(frozen=True)
class Request:
    """A request as it arrives: `path` without the query, the names of `headers` in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    query: str = ""


@dataclass(frozen=True)
class Response:
    """A response as it leaves."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Endpoints:
    """What there is to say at this moment.

    Args:
        issuer: the issuer's identifier, from which all paths follow.
        audiences: the resources for which the token endpoint issues tokens (RFC 8707).
        algorithms: what tokens may be signed with, as the metadata tell it.
        key_set: the published JWK set.
        cache_control: the value of that header on metadata and key set, or None for no such header.
        clients: the secret of each client, by `client_id`.
        issue: makes the token response for a `client_id` and the scope that it asked for.
        authorization_code: the grant by which users log in.
        issue_login: makes the token response for such a login.
    """

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    key_set: Mapping[str, Any]
    cache_control: str | None
    clients: Mapping[str, str]
    issue: Callable[[str, str | None], Mapping[str, Any]]
    authorization_code: AuthorizationCodeGrant
    issue_login: Callable[[Login], Mapping[str, Any]]


class Refused(Exception):
    """The token endpoint says no: an error of RFC 6749 section 5.2."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.response: Response = _json_response(
            status,
            {"error": error, "error_description": description},
            ("Cache-Control", "no-store"),
            *([("WWW-Authenticate", 'Basic realm="token"')] if status == 401 else []),
        )


def respond(request: Request, endpoints: Endpoints) -> Response:
    """The issuer's answer to `request`."""
    path = urlsplit(endpoints.issuer).path.rstrip("/")
    if request.path == f"{path}/authorize":
        return endpoints.authorization_code.authorize(request, endpoints)
    routes: dict[str, tuple[str, Callable[[Request, Endpoints], Response]]] = {
        f"{path}/.well-known/openid-configuration": ("GET", _metadata),
        f"/.well-known/oauth-authorization-server{path}": ("GET", _metadata),
        f"{path}/jwks": ("GET", _key_set),
        f"{path}/token": ("POST", _token),
    }
    if request.path not in routes:
        return _json_response(404, {"error": "not_found"})
    method, endpoint = routes[request.path]
    if request.method == "OPTIONS":
        return Response(204, _PREFLIGHT)
    if request.method != method:
        return _json_response(405, {"error": "method_not_allowed"}, ("Allow", method))
    response = endpoint(request, endpoints)
    return replace(response, headers=(*response.headers, _ANY_ORIGIN))


def metadata(endpoints: Endpoints) -> dict[str, Any]:
    """The issuer's metadata, one document for OpenID Connect Discovery and RFC 8414."""
    base = endpoints.issuer.rstrip("/")
    return {
        "issuer": endpoints.issuer,
        "jwks_uri": f"{base}/jwks",
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,  # RFC 9207 section 3
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(endpoints.algorithms),
    }


def _metadata(request: Request, endpoints: Endpoints) -> Response:
    return _cacheable(request, endpoints, metadata(endpoints))


def _key_set(request: Request, endpoints: Endpoints) -> Response:
    return _cacheable(request, endpoints, endpoints.key_set)


def _cacheable(request: Request, endpoints: Endpoints, content: Mapping[str, Any]) -> Response:
    """`content`, or 304 to somebody who has it already (RFC 9110 section 13.1.2)."""
    tag = f'"{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]}"'
    headers = [("ETag", tag)]
    if endpoints.cache_control is not None:
        headers.append(("Cache-Control", endpoints.cache_control))
    known = [item.strip().removeprefix("W/") for item in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(304, tuple(headers))
    return _json_response(200, content, *headers)


def _token(request: Request, endpoints: Endpoints) -> Response:
    """The token endpoint: the grants of client credentials and of authorization codes."""
    try:
        form = _form(request)
        if form.get("grant_type") == "authorization_code":
            login = endpoints.authorization_code.redeem(form, request.headers)
            _check_target(form, endpoints)
            return _json_response(200, endpoints.issue_login(login), ("Cache-Control", "no-store"))
        client_id = _authenticated_client(request, form, endpoints.clients)
        grant_type = form.get("grant_type")
        if grant_type is None:
            raise Refused("invalid_request", "There is no grant_type in the request.")
        if grant_type != "client_credentials":
            raise Refused("unsupported_grant_type", "This issuer does not know that grant.")
        _check_target(form, endpoints)
        return _json_response(
            200, endpoints.issue(client_id, form.get("scope")), ("Cache-Control", "no-store")
        )
    except Refused as refused:
        return refused.response


def _form(request: Request) -> dict[str, str]:
    """The form in a request's body; a parameter sent twice makes it invalid (RFC 6749 section 3.2)."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise Refused("invalid_request", "The body is to be sent as application/x-www-form-urlencoded.")
    # An empty parameter counts as one that was not sent, and is dropped here (RFC 6749 section 3.2).
    pairs = parse_qsl(request.body.decode("utf-8", "replace"))
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Refused("invalid_request", "A parameter was sent more than once.")
    return form


def _check_target(form: Mapping[str, str], endpoints: Endpoints) -> None:
    """What a token is asked for must be a resource of this issuer (RFC 8707 section 2)."""
    if form.get("resource", endpoints.audiences[0]) not in endpoints.audiences:
        raise Refused("invalid_target", "This issuer issues no tokens for that resource.")


def _authenticated_client(request: Request, form: Mapping[str, str], clients: Mapping[str, str]) -> str:
    """The client that authenticated itself, in the header or in the form, not both (RFC 6749 section 2.3)."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme and "client_secret" in form:
        raise Refused("invalid_request", "A client authenticates itself in one way, not in two.")
    if scheme:
        if scheme.lower() != "basic":
            raise Refused(
                "invalid_client", "A client authenticates itself by HTTP Basic or in the form.", status=401
            )
        try:
            decoded = base64.b64decode(credentials.strip(), validate=True).decode()
        except ValueError:
            decoded = ""
        client_id, _, secret = (unquote_plus(part) for part in decoded.partition(":"))
    else:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    expected = clients.get(client_id)
    if expected is None or not hmac.compare_digest(expected.encode(), secret.encode()):
        raise Refused("invalid_client", "No such client, or not its secret.", status=401)
    return client_id


def _json_response(status: int, content: Mapping[str, Any], *headers: tuple[str, str]) -> Response:
    return Response(status, (("Content-Type", "application/json"), *headers), json.dumps(content).encode())
