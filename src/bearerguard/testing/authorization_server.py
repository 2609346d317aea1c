"""An issuer of tests as an HTTP client meets it: endpoints, troubles, a record of what it was asked.

It answers a `Request` that somebody hands over; it opens no socket and knows no HTTP client.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bearerguard.testing.authorization_code import AuthorizationCodeGrant, Login
from bearerguard.testing.client_assertions import ClientAssertions
from bearerguard.testing.clock import Clock
from bearerguard.testing.endpoints.endpoint import State
from bearerguard.testing.endpoints.table import respond
from bearerguard.testing.exchange import RecordedRequest, Request, Response
from bearerguard.testing.login_page import Persona
from bearerguard.testing.minting import HOUR, Mint
from bearerguard.testing.signed import signed_claims
from bearerguard.testing.signing_keys import ALGORITHMS, SigningKey, key_type_of, signing_key
from bearerguard.testing.token_proofs import TokenProofs
from bearerguard.testing.trouble import Trouble, Troubles

__all__ = ["AuthorizationServer"]


class AuthorizationServer(Mint):
    """Answers for an issuer. Arguments as for `Issuer`."""

    client_secret = "test-secret"

    def __init__(
        self,
        url: str,
        audience: str | Sequence[str],
        algorithm: str,
        clock: Clock,
        personas: Iterable[Persona],
    ) -> None:
        super().__init__(url, audience, algorithm, clock)
        #: The `Cache-Control` header of metadata and key set; None leaves it out.
        self.cache_control: str | None = "public, max-age=600"
        self._authorization_code = AuthorizationCodeGrant(personas, clock)
        #: Signs the assertions of its client, where that authenticates itself by `private_key_jwt`.
        self.client_key: SigningKey = signing_key("P-256")
        self._assertions = ClientAssertions(clock)
        self._proofs = TokenProofs(clock)
        self._troubles = Troubles()
        self._requests: list[RecordedRequest] = []
        self._lock = threading.Lock()

    # -- its endpoints

    @property
    def jwks_uri(self) -> str:
        """Where the key set is published."""
        return f"{self.url.rstrip('/')}/jwks"

    @property
    def token_endpoint(self) -> str:
        """Where `client_id` and `client_secret` get a token for the client credentials grant."""
        return f"{self.url.rstrip('/')}/token"

    @property
    def authorization_endpoint(self) -> str:
        """Where users log in, and clients that are registered get a code (with PKCE) for it."""
        return f"{self.url.rstrip('/')}/authorize"

    @property
    def introspection_endpoint(self) -> str:
        """Where its client asks what a token stands for, and whether it is active (RFC 7662)."""
        return f"{self.url.rstrip('/')}/introspect"

    def register_client(self, client_id: str, *redirect_uris: str) -> None:
        """Let a public client, such as a page in a browser, have users log in.

        Args:
            client_id: its id.
            *redirect_uris: where users may be sent back to, exactly so, all on loopback.

        Raises:
            ValueError: a redirect URI leads away from loopback, or there is none.
        """
        self._authorization_code.register(client_id, redirect_uris)

    # -- its life

    def revoke(self, token: str) -> None:
        """Say from now on that `token` is not active. An API notices at its next question, if it asks at all.

        Args:
            token: what `opaque_token` returned, or a JWT.

        Raises:
            ValueError: it is neither.
        """
        self._issued.revoke(token)

    def outage(self, status: int | None = None, *, path: str | None = None) -> Trouble:
        """Be down from now until `stop()` of what is returned, or until the end of the `with` block.

        Args:
            status: answer everything with this status. None: give no answer at all.
            path: be down only there, such as at `/introspect`.

        Examples:
            ```python
            with issuer.outage():
                ...
            ```
        """
        return self._troubles.begin(outage=True, status=status, path=path)

    def slow(self, seconds: float, *, path: str | None = None) -> Trouble:
        """Answer this many seconds (of real time) late, until `stop()` or the end of the `with` block.

        Requests that wait are answered as soon as it ends: a test can hold the issuer with a large number
        and let go.

        Args:
            seconds: how late.
            path: be slow only there, such as at `/introspect`.
        """
        return self._troubles.begin(seconds=seconds, path=path)

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """What was asked of it so far, answered or not, in order."""
        with self._lock:
            return tuple(self._requests)

    def count(self, path: str) -> int:
        """How often `path` (such as `/jwks`) was asked for."""
        return sum(request.path == path for request in self.requests)

    # -- for its transport and its server

    def answer(
        self,
        request: Request,
        limit: float | None = None,
        *,
        cut_short: Callable[[], bool] = lambda: False,
    ) -> Response | None:
        """Its answer to `request`, None where it gives none; `TimeoutError` if that takes `limit` seconds."""
        with self._lock:
            self._requests.append(
                RecordedRequest(request.method, request.path, self.clock(), request.headers)
            )
        if not self._troubles.wait(request.path, limit, cut_short):
            raise TimeoutError(f"No answer from {self.url} in {limit} seconds.")
        if cut_short():
            return None
        outage = self._troubles.outage(request.path)
        if outage is not None:
            return None if outage.status is None else Response(outage.status)
        return respond(request, self._state())

    def look_again(self) -> None:
        """Have requests that wait for a slow issuer look at their `cut_short` again."""
        self._troubles.look_again()

    def _state(self) -> State:
        return State(
            issuer=self.url,
            audiences=(self.audience,) if isinstance(self.audience, str) else tuple(self.audience),
            algorithms=tuple(algorithm for algorithm in ALGORITHMS if key_type_of(algorithm) != "oct"),
            key_set=self.jwks(),
            cache_control=self.cache_control,
            clients={self.client_id: self.client_secret},
            issue=self._issue,
            authorization_code=self._authorization_code,
            issue_login=self._issue_login,
            key_of_proof=lambda proof: self._proofs.key_of(proof, self.token_endpoint),
            client_of_assertion=self._client_of_assertion,
            introspect=self._introspect,
            sign_answer=self._sign_answer,
        )

    def _client_of_assertion(self, assertion: str) -> str:
        return self._assertions.client_of(assertion, self.url, {self.client_id: self.client_key})

    def _introspect(self, token: str) -> dict[str, Any]:
        """What an active token stands for; of any other nothing is said (RFC 7662 section 2.2)."""
        claims = self._issued.claims_of(token)
        if claims is None:
            claims = signed_claims(token, self._keys.all())
            if claims is not None and claims.get("iss") != self.url:
                claims = None
        if claims is None or self._issued.is_revoked(token):
            return {"active": False}
        expires = claims.get("exp")
        if "active" not in claims and isinstance(expires, int | float) and expires <= self.clock():
            return {"active": False}
        confirmation = claims.get("cnf")
        is_bound = isinstance(confirmation, dict) and "jkt" in confirmation
        return {"active": True, "token_type": "DPoP" if is_bound else "Bearer", **claims}

    def _sign_answer(self, answer: Mapping[str, Any], client_id: str) -> str:
        claims = {
            "iss": self.url,
            "aud": client_id,
            "iat": int(self.clock()),
            "token_introspection": answer,
        }
        return self.sign(claims, header={"typ": "token-introspection+jwt"})

    def _issue(self, client_id: str, scope: str | None, key: str | None) -> dict[str, Any]:
        """A token response (RFC 6749 section 5.1); the client is the subject (RFC 9068 section 2.2)."""
        token = self.token(client_id, scope, client_id=client_id, cnf=_bound_to(key))
        response = {"access_token": token, "token_type": _type(key), "expires_in": HOUR}
        return response if scope is None else {**response, "scope": scope}

    def _issue_login(self, login: Login, key: str | None) -> dict[str, Any]:
        """A token response that tells what is granted, which may be less than was asked for."""
        token = self.token(
            login.persona.sub,
            login.scope or None,
            client_id=login.client_id,
            roles=list(login.persona.roles),
            auth_time=int(login.at),
            acr=login.acr,
            cnf=_bound_to(key),
        )
        return {"access_token": token, "token_type": _type(key), "expires_in": HOUR, "scope": login.scope}


def _bound_to(key: str | None) -> dict[str, str] | None:
    return None if key is None else {"jkt": key}


def _type(key: str | None) -> str:
    return "Bearer" if key is None else "DPoP"
