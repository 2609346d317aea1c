"""An issuer of tests whose tokens look like a real provider's, and which its preset trusts.

The provider is built by the preset itself, with every check that it has; only the way to the keys leads here.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bearerguard.testing.clock import Clock
from bearerguard.testing.issuer import Issuer
from bearerguard.testing.likeness import LIKENESSES, Likeness
from bearerguard.testing.minting import HOUR
from bearerguard.testing.signing_keys import SigningKey

if TYPE_CHECKING:
    import httpx2

    from bearerguard import Provider
    from bearerguard.testing.transport import InProcessTransport

__all__ = ["LikeIssuer"]

_SVID_LIFE = 300


class LikeIssuer(Issuer):
    """An issuer like a real provider; `Issuer.like` makes one.

    Args:
        name: the name of a preset.
        arguments: what the preset is given; made-up values where there are none.
        named: the same by name; replaces made-up ones one by one.
        clock: as for `Issuer`.

    Raises:
        ValueError: there is no preset of that name.
    """

    def __init__(
        self, name: str, arguments: tuple[Any, ...], named: Mapping[str, Any], clock: Clock | None
    ) -> None:
        likeness = LIKENESSES.get(name)
        if likeness is None:
            raise ValueError(f"There is no provider {name!r} here: take one of {', '.join(LIKENESSES)}.")
        self._likeness: Likeness = likeness
        self._arguments = arguments or likeness.arguments
        self._named = {**likeness.named, **named}
        self._like = likeness.preset(*self._arguments, **self._named)
        template, tenants = self._like.issuer_template, self._like.tenants
        url = self._like.issuer or f"https://{name.replace('_', '-')}.test"
        if template is not None and isinstance(tenants, tuple):
            url = template.issuer_of(tenants[0])
        super().__init__(url, audience=self._like.audiences, algorithm=likeness.algorithm, clock=clock)

    # -- trusting it

    def provider(self, **overrides: Any) -> Provider:
        """The provider that the preset makes, with the way to this issuer.

        Args:
            **overrides: as for `Issuer.provider`.
        """
        settings: dict[str, Any] = {**self._named, **overrides}
        if self._serving:
            here = {"keys": f"{self.url.rstrip('/')}/jwks"}
            if self._like.issuer is not None:
                here["issuer"] = self.url
            return self._likeness.preset(*self._arguments, **{**self._named, **here, **overrides})
        built = self._likeness.preset(*self._arguments, **settings)
        if built.remote_keys is None:
            return built
        transport = {"transport": LikeTransport(self, self.transport)}
        settings["keys"] = dataclasses.replace(built.remote_keys, http_options=transport)
        return self._likeness.preset(*self._arguments, **settings)

    # -- its tokens

    def _claims(
        self,
        sub: str | None,
        scope: str | Iterable[str] | None,
        expires_in: float,
        claims: Mapping[str, Any],
    ) -> dict[str, Any]:
        return self._shaped(self._likeness.shape, sub, scope, expires_in, claims)

    def _shaped(
        self, shape: Any, sub: Any, scope: Any, expires_in: float, claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        now = int(self.clock())
        asked = scope if scope is None or isinstance(scope, str) else " ".join(scope)
        audience = self._like.audiences[0] if self._like.audiences else None
        usual: dict[str, Any] = {"iss": self.url, "aud": audience, "iat": now, "exp": now + expires_in}
        usual = {name: value for name, value in usual.items() if name not in self._likeness.without}
        usual |= shape(self._like, sub, asked, claims) | dict(claims)
        template = self._like.issuer_template
        if template is not None and "iss" not in claims and usual.get(template.claim) is not None:
            usual["iss"] = template.issuer_of(usual[template.claim])
        return {name: value for name, value in usual.items() if value is not None}

    def token(
        self,
        sub: str | None = "user-1",
        scope: str | Iterable[str] | None = None,
        *,
        expires_in: float = HOUR,
        alg: str | None = None,
        key: SigningKey | None = None,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A token as this provider issues it, to be given to an API; arguments as for `Issuer.token`."""
        payload = self._claims(sub, scope, expires_in, claims)
        if self._like.signer is not None:
            return self._of_load_balancer(payload, alg, key, header)
        return self.sign(payload, alg=alg, key=key, header=header)

    def id_token(self, sub: str | None = "user-1", *, expires_in: float = HOUR, **claims: Any) -> str:
        """An ID token as this provider issues it to a client, for the audience of the API if not for another.

        An API should refuse it. Where the ID token is what an API gets, it is the same as `token`.

        Args:
            sub: the subject.
            expires_in: seconds until it expires.
            **claims: claims that replace or add to those of the provider; None leaves one out.
        """
        shape = self._likeness.id_token or self._likeness.shape
        return self.sign(self._shaped(shape, sub, None, expires_in, claims))

    def for_another_audience(self, *arguments: Any, **named: Any) -> str:
        """A token, valid except that it is meant for another API."""
        signer = self._like.signer
        if signer is None:
            other: dict[str, Any] = {self._like.audience_claim: "https://another.shop.example"}
        else:
            last = "1" if signer.endswith("0") else "0"
            other = {"header": {"signer": signer[:-1] + last}}
        return self.token(*arguments, **{**other, **named})

    def sign(
        self,
        payload: Mapping[str, Any] | bytes,
        *,
        alg: str | None = None,
        key: SigningKey | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> str:
        """Exactly this payload, signed, with the `typ` that this provider writes. As for `Issuer.sign`."""
        members = {"typ": self._likeness.typ, **(header or {})}
        return super().sign(payload, alg=alg, key=key, header=members)

    def _of_load_balancer(
        self,
        payload: dict[str, Any],
        alg: str | None,
        key: SigningKey | None,
        header: Mapping[str, Any] | None,
    ) -> str:
        """A token as AWS writes it: some claims in the header, and base64url with padding."""
        algorithm, key = self._choose(alg, key)
        moved = {name: payload.pop(name, None) for name in ("iss", "exp", "client")}
        payload.pop("iat", None)
        members = {
            "typ": "JWT",
            "kid": self.kid,
            "alg": algorithm,
            **moved,
            "iss": moved["iss"] or self.url,
            "client": moved["client"] or "app-1",
            "signer": self._like.signer,
            **(header or {}),
        }
        kept = {name: value for name, value in members.items() if value is not None}
        text = ".".join(
            base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).decode()
            for part in (kept, payload)
        )
        return f"{text}.{base64.urlsafe_b64encode(key.sign(algorithm, text.encode())).decode()}"

    # -- its keys

    @property
    def kid(self) -> str:
        """The key id that its tokens name: a UUID where the provider has such."""
        own = self.signing_key.kid
        return own if self._like.signer is None else str(uuid.uuid5(uuid.NAMESPACE_URL, own))

    def jwks(self) -> dict[str, Any]:
        """The published JWK set, with the members that this provider's have."""
        return {"keys": [{**key, **self._likeness.key_members} for key in super().jwks()["keys"]]}

    def answer_at(self, url: str) -> bytes | None:
        """What a provider like this answers at an address of its own; None for addresses of this issuer."""
        remote = self._like.remote_keys
        if remote is None:
            return None
        if remote.kid_pattern is not None and remote.url is not None:
            return self._pem() if url == remote.url.replace("{kid}", self.kid) else None
        if url == remote.url or urlsplit(url).path == self._likeness.keys_are_at:
            return json.dumps(self.jwks()).encode()
        well_known = f"{(self._like.issuer or '').rstrip('/')}/.well-known/openid-configuration"
        if url in (remote.metadata_url, well_known):
            return json.dumps(self._metadata(url)).encode()
        return None

    def _metadata(self, url: str) -> dict[str, Any]:
        parts = urlsplit(url)
        issuer = self._like.issuer or ""
        template = self._like.issuer_template
        return {
            "issuer": issuer if template is None else template.issuer_of("{tenantid}"),
            "jwks_uri": f"{parts.scheme}://{parts.netloc}{self._likeness.keys_are_at}",
        }

    def _pem(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - for one provider only
            Encoding,
            PublicFormat,
        )

        key: Any = self.signing_key.private
        pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem


class LikeTransport:
    """The way to the addresses of a provider that an issuer is like, without a network; else to the issuer.

    Args:
        issuer: the issuer.
        otherwise: the way to its own addresses. It is asked for each request, so that troubles count.
    """

    def __init__(self, issuer: LikeIssuer, otherwise: InProcessTransport) -> None:
        self._issuer = issuer
        self._otherwise = otherwise

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer `request` as the provider would."""
        import httpx2  # noqa: PLC0415 - whoever has a request has loaded it

        own = httpx2.URL(self._issuer.url)
        body = self._issuer.answer_at(str(request.url))
        path = "/" if body is None else f"{own.path.rstrip('/')}/jwks"
        asked = httpx2.Request(
            request.method, own.copy_with(path=path), extensions=request.extensions, headers=request.headers
        )
        # The issuer is asked in any case: it keeps the record, and has the outages.
        answer = self._otherwise.handle_request(asked)
        if answer.status_code not in (200, 304) or body is None:
            return answer
        return httpx2.Response(200, content=body, headers={"cache-control": "public, max-age=600"})

    def close(self) -> None:
        """Hold nothing that has to be closed."""
