"""How a provider is asked about one token (RFC 7662, RFC 9701): what is sent, and which answers are believed.

A flow of effects, for one thread. Nothing in a token chooses the address. An answer is believed only where it
is wholly what was asked for; anything else is the provider's trouble, or this API's configuration, and says
nothing of the token. What the claims in an answer are good for is judged elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from typing import Any
from urllib.parse import urlencode

from bearerguard._core.claims import ClaimsSet
from bearerguard._core.client_authentication import ASSERTION_TYPE, basic, client_assertion
from bearerguard._core.introspection_answer import (
    MalformedAnswer,
    answered_object,
    check_signed_answer,
    read_answer,
    read_members,
)
from bearerguard._flows.discovery import address_in
from bearerguard._flows.effects import (
    Answered,
    CallSource,
    FetchFailed,
    HttpAnswer,
    HttpPost,
    KeySource,
    QuestionFailed,
    WantMetadata,
)
from bearerguard._flows.jwt import NOT_TRUSTED, Deciding, Effect, JwtVerifier, Verdict
from bearerguard._jose import base64url
from bearerguard._jose.hashing import sha256_of
from bearerguard._jose.jose_error import JoseError
from bearerguard._jose.json_object import decode_object
from bearerguard._jose.jws import parse_header, split
from bearerguard._limits import MAX_RETRY_AFTER, SIGNED_ANSWER_AGE
from bearerguard.errors import AuthError
from bearerguard.provider import Introspection, Provider

Asking = Generator[HttpPost | CallSource | WantMetadata | Effect, Any, Answered]

_SENDABLE = r"[!-~]+"
"""What may stand behind `Bearer` in a header."""
_JSON = "application/json"
_SIGNED = "application/token-introspection+jwt"
_OURS = frozenset({400, 401, 403, 404, 405, 415})
"""What a server answers to a client that it does not know, or that asks in a way it does not take."""


class IntrospectionClient:
    """A provider and all that it takes to ask it. It keeps the token of its own that a function gave it.

    Args:
        provider: one with introspection.
        keys: where its keys are, for signed answers.
        clock: seconds since 1970.
        new_id: returns an identifier that was never used before.
    """

    def __init__(
        self, provider: Provider, keys: KeySource, clock: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        self._provider = provider
        self._introspection = _of(provider)
        self._clock = clock
        self._new_id = new_id
        self._own_token: str | None = None
        self._headers = _headers_of(self._introspection)
        self._signed = JwtVerifier(
            provider,
            keys,
            clock,
            provider.algorithms,
            frozenset({"token-introspection+jwt"}),
            self._check_signed,
            refuses_other_kinds=False,
        )

    def ask(self, token: bytes, *, was_reset: bool = False) -> Asking:
        """Return what the provider says of a token.

        A connection that was reset before anything came of it is tried once more, and so is a token of our
        own that the endpoint does not take.

        Args:
            token: its text.
            was_reset: whether this is that second time.

        Raises:
            FetchFailed: it says nothing of the token; its `kind` is stable.
        """
        url = yield from self._endpoint()
        own = yield from self._current_token()
        was_renewed = False
        while True:
            try:
                answer: HttpAnswer = yield HttpPost(url, *self._message(token, own))
            except FetchFailed as failure:
                if failure.kind != "reset" or was_reset:
                    raise
                was_reset = True
                continue
            if answer.status == 401 and callable(self._introspection.token) and not was_renewed:
                was_renewed = True
                own = yield from self._renewed_token(own)
                continue
            return (yield from self._read(answer, url))

    def _endpoint(self) -> Generator[WantMetadata, Any, str]:
        """RFC 8414, section 2; with mutual TLS its address may be another (RFC 8705, section 5)."""
        introspection, provider = self._introspection, self._provider
        if introspection.url is not None:
            return introspection.url
        metadata: Mapping[str, Any] = yield WantMetadata()
        aliases = metadata.get("mtls_endpoint_aliases")
        if introspection.method == "tls_client_auth" and isinstance(aliases, Mapping):
            metadata = {**metadata, **aliases}
        allow_http = provider.remote_keys is not None and provider.remote_keys.dangerously_allow_http
        return address_in(metadata, "introspection_endpoint", provider.issuer or "", allow_http=allow_http)

    # -- who asks ------------------------------------------------------------------------------------

    def _message(self, token: bytes, own: str | None) -> tuple[bytes, dict[str, str]]:
        """The form and the header fields (RFC 7662, section 2.1)."""
        introspection = self._introspection
        form = {"token": token.decode(), "token_type_hint": "access_token"}
        headers, method, client_id = self._headers, introspection.method, introspection.client_id
        if method == "bearer":
            headers = {**headers, "Authorization": f"Bearer {own}"}
        elif method != "client_secret_basic":
            form["client_id"] = client_id
        if method == "client_secret_post":
            form["client_secret"] = introspection.client_secret or ""
        elif introspection.signing_key is not None:
            form["client_assertion_type"] = ASSERTION_TYPE
            form["client_assertion"] = client_assertion(
                client_id,
                self._provider.issuer or "",
                introspection.signing_key,
                now=self._clock(),
                jti=self._new_id(),
            )
        return urlencode(form).encode(), headers

    def _current_token(self) -> Generator[CallSource, Any, str | None]:
        given = self._introspection.token
        if given is None or isinstance(given, str):
            return given
        return self._own_token or (yield from self._renewed_token(None))

    def _renewed_token(self, refused: str | None) -> Generator[CallSource, Any, str]:
        """A token of our own other than the one that was refused, which another question may have got."""
        if self._own_token is not None and self._own_token != refused:
            return self._own_token
        token = yield CallSource(self._introspection.token)
        # What cannot stand in a header is not sent, and not shown.
        if not isinstance(token, str) or not re.fullmatch(_SENDABLE, token):
            raise QuestionFailed("token", "token= did not return the text of an access token")
        self._own_token = token
        return token

    # -- what is answered ----------------------------------------------------------------------------

    def _read(self, answer: HttpAnswer, url: str) -> Generator[Effect, Any, Answered]:
        status = answer.status
        if status == 400 and _error_in(answer.body) == "unsupported_token_type":
            return Answered(None)  # it is not one of theirs
        if status != 200:
            raise _refused(answer, url)
        wanted = _SIGNED if self._introspection.signed else _JSON
        found = (answer.content_type or "").partition(";")[0].strip().lower()
        if found != wanted:
            raise QuestionFailed(
                "content_type",
                f"{url} answered with the content type {ascii(found)[:60]}, not {wanted}",
                # Else whoever can choose the type could choose that nothing is checked.
                is_ours=wanted == _SIGNED and found == _JSON,
            )
        try:
            if not self._introspection.signed:
                return Answered(read_answer(answer.body, self._provider.audience_claim))
            members = yield from self._verified(answer.body)
            return Answered(read_members(members, self._provider.audience_claim))
        except MalformedAnswer as problem:
            raise QuestionFailed("malformed", f"{url}: {problem}") from None

    def _verified(self, body: bytes) -> Generator[Effect, Any, dict[str, Any]]:
        """The member `token_introspection` of a signed answer (RFC 9701, section 5), once it is verified."""
        text = body.strip(b" \t\r\n")
        try:
            head, payload, tail, signing_input = split(text)
            header = parse_header(head)
            document, signature = base64url.decode(payload), base64url.decode(tail)
        except JoseError as problem:
            raise QuestionFailed(problem.reason, problem.said_of("The signed answer")) from None
        except ValueError:
            raise MalformedAnswer("the signed answer is not base64url") from None
        claims = answered_object(document)
        if claims.get("iss") != self._provider.issuer:
            raise QuestionFailed("issuer", "the signed answer is another issuer's")
        try:
            outcome: Verdict | Deciding = self._signed.decide(
                header, claims, document, signing_input, signature, sha256_of(signing_input), self._clock()
            )
            if not isinstance(outcome, Verdict):
                yield from outcome
        except AuthError as error:
            # What a client would be told of a token says nothing to an operator.
            why = "" if error.description == NOT_TRUSTED else f": {error}"
            raise QuestionFailed(
                error.reason, f"the signed answer is refused ({error.reason}){why}"
            ) from None
        members = claims.get("token_introspection")
        if not isinstance(members, dict):
            raise MalformedAnswer("the signed answer has no token_introspection")
        return members

    def _check_signed(self, claims: ClaimsSet, now: float) -> float:
        check_signed_answer(
            claims,
            now,
            client_id=self._introspection.client_id,
            leeway=self._provider.leeway,
            oldest=SIGNED_ANSWER_AGE,
        )
        return now


def _of(provider: Provider) -> Introspection:
    introspection = provider.introspection
    assert introspection is not None  # noqa: S101 - only such a provider is asked
    return introspection


def _headers_of(introspection: Introspection) -> dict[str, str]:
    """The header fields that every question has."""
    headers = {
        "Accept": _SIGNED if introspection.signed else _JSON,  # RFC 9701, section 4
        "Content-Type": "application/x-www-form-urlencoded",
    }
    if introspection.method == "client_secret_basic":
        secret = introspection.client_secret or ""
        headers["Authorization"] = basic(
            introspection.client_id, secret, form_encoded=introspection.form_encoded
        )
    return headers


def _error_in(body: bytes) -> str | None:
    """The code of an error response (RFC 6749, section 5.2)."""
    try:
        error = decode_object(body).get("error")
    except ValueError:
        return None
    return error if isinstance(error, str) else None


def _refused(answer: HttpAnswer, url: str) -> QuestionFailed:
    """What any status but 200 means."""
    status = answer.status
    if status in _OURS:
        code = _error_in(answer.body)
        said = "" if code is None else f" with the error {code[:60]!a}"
        return QuestionFailed("refused", f"{url} answered HTTP {status}{said}", is_ours=True)
    kind = "redirect" if 300 <= status < 400 else "http_status"
    retry_after = _seconds_in(answer.retry_after)
    return QuestionFailed(kind, f"{url} answered HTTP {status}", retry_after=retry_after)


def _seconds_in(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds (RFC 9110, section 10.2.3), where it is one that may be passed on."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MAX_RETRY_AFTER:
        return float(text)
    return None
