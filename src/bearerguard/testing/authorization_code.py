"""The authorization code grant with PKCE, at an issuer of tests: RFC 6749 section 4.1, RFC 7636, RFC 9207.

For public clients whose redirect URIs lead to this machine. A redirect URI is taken exactly as it was
registered, `S256` is the only transformation, and a code works once. Users choose here who to be,
without passwords: there is nothing to be stolen.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bearerguard._core.address import why_insecure
from bearerguard.testing.endpoints.refused import Refused
from bearerguard.testing.login_page import Persona

__all__ = ["AuthorizationCodeGrant", "Login", "NoWayBack", "SentBack"]

_CODE_LIFETIME = 60.0  # seconds; RFC 6749 section 4.1.2 has ten minutes at most
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)  # RFC 7636 section 4.1


@dataclass(frozen=True)
class Login:
    """A login that a code stands for.

    Attributes:
        persona: who logged in.
        client_id: the client that the code was given to.
        redirect_uri: where it was sent.
        scope: what was asked for and is the persona's to give.
        challenge: the `code_challenge`.
        at: when, in seconds since the epoch.
        acr: the authentication context that was asked for, or `basic`.
    """

    persona: Persona
    client_id: str
    redirect_uri: str
    scope: str
    challenge: str
    at: float
    acr: str


class NoWayBack(Exception):
    """The request names no client, or no place of its own to be sent back to (RFC 6749 section 4.1.2.1)."""


class SentBack(Exception):
    """The client is told that its request cannot be granted (RFC 6749 section 4.1.2.1)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.parameters: dict[str, str] = {"error": error, "error_description": description}


class AuthorizationCodeGrant:
    """Who can log in, for which clients, and what their codes stand for; safe to use from threads.

    Args:
        personas: who can log in.
        clock: seconds since the epoch.
    """

    def __init__(self, personas: Iterable[Persona], clock: Callable[[], float]) -> None:
        self._personas = {persona.sub: persona for persona in personas}
        self._clock = clock
        self._redirect_uris: dict[str, tuple[str, ...]] = {}
        self._codes: dict[str, Login] = {}

    def register(self, client_id: str, redirect_uris: tuple[str, ...]) -> None:
        """Make a public client known, in place of one that has its id."""
        for uri in redirect_uris:
            if not uri.startswith("http://") or why_insecure(uri) is not None or "#" in uri:
                raise ValueError(
                    f"{uri!r} is not a redirect URI on loopback, such as http://127.0.0.1:8000/callback."
                )
        if not client_id or not redirect_uris:
            raise ValueError("A client has an id and at least one redirect URI.")
        self._redirect_uris[client_id] = redirect_uris

    # -- for the authorization endpoint

    @property
    def personas(self) -> Iterable[Persona]:
        """Who can log in."""
        return self._personas.values()

    def way_back(self, pairs: list[tuple[str, str]]) -> tuple[str, str]:
        """The client and the redirect URI, exactly as registered: nobody is sent anywhere else."""
        client_ids = [value for name, value in pairs if name == "client_id"]
        if len(client_ids) != 1 or client_ids[0] not in self._redirect_uris:
            raise NoWayBack("No such client is registered here.")
        uris = [value for name, value in pairs if name == "redirect_uri"]
        if len(uris) != 1 or uris[0] not in self._redirect_uris[client_ids[0]]:
            raise NoWayBack("This client has not registered that redirect URI.")
        return client_ids[0], uris[0]

    def code(self, parameters: Mapping[str, str], client_id: str, redirect_uri: str) -> str:
        """A code for what was chosen on the login page; `SentBack` where nobody was."""
        persona = self._personas.get(parameters.get("persona", ""))
        if persona is None:
            raise SentBack("access_denied", "Nobody logged in.")
        asked = dict.fromkeys(parameters.get("scope", "").split(" "))
        now = self._clock()
        for code, login in list(self._codes.items()):
            if now >= login.at + _CODE_LIFETIME:
                self._codes.pop(code, None)
        code = secrets.token_urlsafe(32)
        self._codes[code] = Login(
            persona=persona,
            client_id=client_id,
            redirect_uri=redirect_uri,
            scope=" ".join(scope for scope in asked if scope in persona.scopes),
            challenge=parameters["code_challenge"],
            at=now,
            acr=parameters.get("acr_values", "").split(" ")[0] or "basic",
        )
        return code

    # -- for the token endpoint

    def redeem(self, form: Mapping[str, str], headers: Mapping[str, str]) -> Login:
        """The login that a code stands for (RFC 6749 section 4.1.3), which is used up by being sent.

        Raises:
            Refused: with the error of RFC 6749 section 5.2.
        """
        login = self._codes.pop(form.get("code", ""), None)
        if "authorization" in headers or "client_secret" in form:
            raise Refused("invalid_client", "A public client has no secret.", status=401)
        if form.get("client_id") not in self._redirect_uris:
            raise Refused("invalid_client", "No such client is registered here.", status=401)
        missing = [name for name in ("code", "redirect_uri", "code_verifier") if name not in form]
        if missing:
            raise Refused("invalid_request", f"There is no {missing[0]} in the request.")
        if login is None or self._clock() >= login.at + _CODE_LIFETIME:
            raise Refused("invalid_grant", "The code is unknown, has been used, or is too old.")
        if (form["client_id"], form["redirect_uri"]) != (login.client_id, login.redirect_uri):
            raise Refused("invalid_grant", "The code was given to another client, or to another place.")
        if not _answers(form["code_verifier"], login.challenge):
            raise Refused("invalid_grant", "The code_verifier is not the one that was promised.")
        return login


def _answers(verifier: str, challenge: str) -> bool:
    """Whether the verifier is what the challenge was made of (RFC 7636 section 4.6)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest, challenge)
