"""`Introspection`: how a provider is asked about tokens that only it can read (RFC 7662).

A value, checked when it is built. It asks nothing; that is left to the server that is given it. Neither a
secret nor a token stands in its `repr`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from bearerguard._core.address import is_address
from bearerguard._core.unchecked_tls import unchecked_tls
from bearerguard._jose.jwk import UnusableKey
from bearerguard._limits import REVOCATION_BUDGET
from bearerguard.errors import ConfigurationError
from bearerguard.provider._checks import Problem, check_address, checked_flag, checked_http_options
from bearerguard.provider._warning import warn_caller

if TYPE_CHECKING:
    from bearerguard._jose.signing import SigningKey

__all__ = ["Introspection"]

Method: TypeAlias = Literal[
    "client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "bearer", "none"
]
"""How the API authenticates itself (RFC 6749 section 2.3.1, RFC 7523 section 2.2, RFC 8705 section 2)."""
Jwts: TypeAlias = Literal["local", "verify_then_ask", "ask"]
"""What is done about a JWT of the provider."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class Introspection:
    """Tokens that the provider is asked about (RFC 7662).

    Args:
        client_id: what the provider calls this API, as its client.
        client_secret: for the two methods that have one.
        method: how this API authenticates itself: `client_secret_basic`, `client_secret_post`,
            `private_key_jwt`, `tls_client_auth` (the certificate is in `http_options`) or `bearer`.
        url: the address of the introspection endpoint; None to read it in the provider's metadata.
        key: for `private_key_jwt`, the private key: a JWK, its JSON text or PEM text.
        token: for `bearer`, an access token of this API's own, or a function without arguments, sync or
            async, that returns one. What it returned is used until the endpoint answers 401; then it is
            called again, once for each question.
        signed: take only signed answers (RFC 9701), verified with the provider's keys.
        jwts: what is done about a JWT of the provider: `local` verifies it here and asks nothing,
            `verify_then_ask` does both, `ask` only asks, and no keys are fetched.
        revocation_budget: seconds for which an answer is believed, and so for how long a token may still be
            accepted after it was revoked. 0 asks about a token each time.
        audience_checked_by_issuer: accept an answer that does not name an audience, from a provider that
            answers `active` only to the API that a token is for.
        token_prefix: what the provider's opaque tokens begin with, where several providers have
            introspection.
        form_encoded: whether id and secret are form-encoded in `client_secret_basic`, as RFC 6749 section
            2.3.1 says. Some servers do not decode them.
        http_options: arguments for the `httpx2.Client` that asks (`verify`, `cert`, `proxy`, `headers`, ...).
        dangerously_unauthenticated: with `method="none"`, ask without authentication. A server that answers
            so answers anyone who tries tokens out.

    Raises:
        ConfigurationError: for anything missing, contradictory or unsafe.

    Warns:
        SecurityWarning: it asks without authentication, or does not check whom it asks.

    Examples:
        >>> introspection = Introspection("orders-api", "a secret of 32 characters or more")
        >>> introspection
        Introspection('orders-api', method='client_secret_basic')
    """

    client_id: str
    client_secret: str | None
    method: Method
    url: str | None
    key: Any
    token: str | Callable[[], Any] | None
    signed: bool
    jwts: Jwts
    revocation_budget: float
    audience_checked_by_issuer: bool
    token_prefix: str | None
    form_encoded: bool
    http_options: Mapping[str, Any]
    dangerously_unauthenticated: bool

    signing_key: SigningKey | None = dataclasses.field(init=False)
    """The key, ready to sign with."""

    def __init__(
        self,
        client_id: str,
        client_secret: str | None = None,
        *,
        method: Method = "client_secret_basic",
        url: str | None = None,
        key: Any = None,
        token: str | Callable[[], Any] | None = None,
        signed: bool = False,
        jwts: Jwts = "local",
        revocation_budget: float = REVOCATION_BUDGET,
        audience_checked_by_issuer: bool = False,
        token_prefix: str | None = None,
        form_encoded: bool = True,
        http_options: Mapping[str, Any] | None = None,
        dangerously_unauthenticated: bool = False,
    ) -> None:
        try:
            _check_choice("method", method, get_args(Method))
            _check_choice("jwts", jwts, get_args(Jwts))
            _refuse_redirects(http_options)
            _refuse_other_credentials(http_options, method)
            options = checked_http_options(http_options)
            values = {
                "client_id": _checked_client_id(client_id),
                "client_secret": _checked_secret(client_secret, method),
                "method": method,
                "url": _checked_url(url),
                "key": key,
                "signing_key": _checked_key(key, method),
                "token": _checked_token(token, method),
                "signed": checked_flag("signed", signed),
                "jwts": jwts,
                "revocation_budget": _checked_budget(revocation_budget),
                "audience_checked_by_issuer": checked_flag(
                    "audience_checked_by_issuer", audience_checked_by_issuer
                ),
                "token_prefix": _checked_prefix(token_prefix),
                "form_encoded": _checked_encoding(form_encoded, method, client_id),
                "http_options": options,
                "dangerously_unauthenticated": _checked_opt_out(dangerously_unauthenticated, method),
            }
            if method == "tls_client_auth" and not _may_hold_certificate(options):
                raise Problem(
                    "method is 'tls_client_auth', and http_options has no certificate: give "
                    "http_options={'verify': context} with an ssl.SSLContext that has loaded one"
                )
        except Problem as problem:
            raise ConfigurationError(f"Introspection: {problem}.") from None
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if dangerously_unauthenticated:
            warn_caller(
                f"{self!r} asks without authentication: a server that answers so answers anyone who tries "
                "tokens out. Choose another method"
            )
        unchecked = unchecked_tls(options)
        if unchecked is not None:
            warn_caller(f"{self!r} {unchecked}")

    @property
    def needs_no_keys(self) -> bool:
        """Whether nothing is ever verified with the provider's keys."""
        return self.jwts == "ask" and not self.signed

    def __repr__(self) -> str:
        return f"Introspection({self.client_id!r}, method={self.method!r})"


def _check_choice(option: str, given: Any, choices: tuple[str, ...]) -> None:
    if not isinstance(given, str) or given not in choices:
        shown = repr(given)[:60] if isinstance(given, str) else f"a {type(given).__name__}"
        raise Problem(f"{option} is {shown}: choose from {', '.join(choices)}")


def _refuse_redirects(http_options: Any) -> None:
    if isinstance(http_options, Mapping) and http_options.get("follow_redirects"):
        raise Problem(
            "http_options has follow_redirects: a token and a secret are never sent to where a redirect "
            "leads. Give the final address as url"
        )


def _refuse_other_credentials(http_options: Any, method: Method) -> None:
    in_header = method in ("client_secret_basic", "bearer")
    if in_header and isinstance(http_options, Mapping) and http_options.get("auth") is not None:
        raise Problem(
            f"http_options has auth, which would be sent in the place of what method={method!r} sends: leave "
            "auth out"
        )


def _checked_client_id(client_id: Any) -> str:
    if not isinstance(client_id, str) or not client_id:
        raise Problem("client_id is missing or empty: write what the provider calls this API, as its client")
    _check_characters("client_id", client_id)
    return client_id


def _checked_secret(secret: Any, method: Method) -> str | None:
    """RFC 6749, section 2.3.1."""
    wants = method in ("client_secret_basic", "client_secret_post")
    if secret is None and not wants:
        return None
    if not wants:
        raise Problem(f"client_secret is given, and method={method!r} has none: leave one of them out")
    if not isinstance(secret, str) or not secret:
        raise Problem(
            f"client_secret is missing or empty, and method is {method!r}: give the secret, or another method"
        )
    _check_characters("client_secret", secret)
    return secret


def _check_characters(option: str, text: str) -> None:
    """RFC 6749, appendices A.1 and A.2; what lies beyond ASCII is left to the provider."""
    if not all(one.isprintable() for one in text):
        raise Problem(
            f"{option} has a line break or another character that cannot be printed: write it without, and "
            "what was read from a file with .strip()"
        )


def _checked_key(key: Any, method: Method) -> SigningKey | None:
    """RFC 7523, section 2.2."""
    if method != "private_key_jwt":
        if key is not None:
            raise Problem(f"key is given, and method is {method!r}: write method='private_key_jwt'")
        return None
    if key is None:
        raise Problem("key is missing, and method is 'private_key_jwt': give a private JWK or PEM text")
    from bearerguard._jose.signing import read_signing_key  # noqa: PLC0415 - few need it, and it takes time

    try:
        return read_signing_key(key)
    except UnusableKey as problem:
        raise Problem(f"key cannot be used: {problem}") from None


def _checked_token(token: Any, method: Method) -> str | Callable[[], Any] | None:
    """RFC 7662, section 2.1."""
    if method != "bearer":
        if token is not None:
            raise Problem(f"token is given, and method is {method!r}: write method='bearer'")
        return None
    if callable(token):
        return token  # type: ignore[no-any-return]  # what it returns is looked at when it does
    if not isinstance(token, str) or not re.fullmatch(_B64TOKEN, token):
        raise Problem(
            "token is not an access token, and method is 'bearer': give its text, or a function without "
            "arguments that returns it"
        )
    return token


def _checked_url(url: Any) -> str | None:
    if url is None:
        return None
    if not isinstance(url, str) or not is_address(url):
        # Not shown: it may be a secret.
        raise Problem("url is not an address: give an https:// URL, or leave it out to have it discovered")
    check_address(url, "url", "give an https:// URL", allow_http=False)
    return url


def _checked_budget(budget: Any) -> float:
    is_number = isinstance(budget, int | float) and not isinstance(budget, bool)
    if not is_number or not math.isfinite(budget) or budget < 0:
        shown = repr(budget) if is_number else f"a {type(budget).__name__}"
        raise Problem(f"revocation_budget is {shown}: give seconds from 0 up, such as 30")
    return float(budget)


def _checked_prefix(prefix: Any) -> str | None:
    if prefix is not None and (not isinstance(prefix, str) or not re.fullmatch(_B64TOKEN, prefix)):
        raise Problem("token_prefix is not what a token begins with: give text such as 'ory_at_'")
    return prefix


def _checked_encoding(form_encoded: Any, method: Method, client_id: str) -> bool:
    if checked_flag("form_encoded", form_encoded):
        return True
    if method != "client_secret_basic":
        raise Problem(f"form_encoded=False is for method='client_secret_basic', and method is {method!r}")
    if ":" in client_id:  # RFC 7617, section 2: it would end there
        raise Problem(
            "form_encoded is False, and client_id has a colon, at which a server that does not decode would "
            "end it: leave form_encoded out, or write method='client_secret_post'"
        )
    return False


def _checked_opt_out(unauthenticated: Any, method: Method) -> bool:
    if checked_flag("dangerously_unauthenticated", unauthenticated) and method != "none":
        raise Problem(f"dangerously_unauthenticated=True is for method='none', and method is {method!r}")
    if method == "none" and not unauthenticated:
        raise Problem(
            "method is 'none': choose one that authenticates this API, or write "
            "dangerously_unauthenticated=True"
        )
    return bool(unauthenticated)


def _may_hold_certificate(options: Mapping[str, Any]) -> bool:
    return any(
        options.get(name) is not None and not isinstance(options[name], bool)
        for name in ("cert", "verify", "transport", "mounts")
    )


_B64TOKEN = r"[A-Za-z0-9._~+/-]+=*"
