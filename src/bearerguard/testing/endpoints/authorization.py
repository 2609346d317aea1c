"""The authorization endpoint (RFC 6749 section 3.1): the login page, and what follows from a choice on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from bearerguard.testing.authorization_code import NoWayBack, SentBack
from bearerguard.testing.endpoints.endpoint import Endpoint, State
from bearerguard.testing.exchange import Request, Response
from bearerguard.testing.login_page import login_page, problem_page

__all__ = ["ENDPOINT"]

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # of S256 (RFC 7636 section 4.2)
_PAGE = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
)


def _answer(request: Request, state: State) -> Response:
    grant = state.authorization_code
    text = request.query if request.method == "GET" else request.body.decode("utf-8", "replace")
    pairs = parse_qsl(text)
    try:
        client_id, redirect_uri = grant.way_back(pairs)
    except NoWayBack as problem:
        return Response(400, _PAGE, problem_page(str(problem)))
    parameters = dict(pairs)
    try:
        _check(parameters, pairs, state.audiences)
        if request.method == "GET":
            scopes = parameters.get("scope", "").split(" ")
            page = login_page(grant.personas, client_id, filter(None, scopes), parameters)
            return Response(200, _PAGE, page)
        answer = {"code": grant.code(parameters, client_id, redirect_uri)}
    except SentBack as refusal:
        answer = refusal.parameters
    if "state" in parameters:
        answer["state"] = parameters["state"]
    answer["iss"] = state.issuer  # RFC 9207 section 2
    separator = "&" if "?" in redirect_uri else "?"
    location = f"{redirect_uri}{separator}{urlencode(answer)}"
    return Response(303, (("Location", location), ("Cache-Control", "no-store")))


def _check(parameters: Mapping[str, str], pairs: list[tuple[str, str]], audiences: tuple[str, ...]) -> None:
    if len(parameters) != len(pairs):
        raise SentBack("invalid_request", "A parameter was sent more than once.")
    response_type = parameters.get("response_type")
    if response_type is None:
        raise SentBack("invalid_request", "There is no response_type in the request.")
    if response_type != "code":
        raise SentBack("unsupported_response_type", "This issuer answers with a code only.")
    if parameters.get("code_challenge_method") != "S256":
        raise SentBack("invalid_request", "code_challenge_method has to be S256.")
    if not _CHALLENGE.fullmatch(parameters.get("code_challenge", "")):
        raise SentBack("invalid_request", "code_challenge is missing, or not as S256 makes it.")
    if parameters.get("resource", audiences[0]) not in audiences:
        raise SentBack("invalid_target", "This issuer does not issue tokens for that resource.")


ENDPOINT = Endpoint(
    "/authorize",
    ("GET", "POST"),
    _answer,
    called="authorization_endpoint",
    metadata={
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,  # RFC 9207 section 3
    },
    is_a_page=True,
)
