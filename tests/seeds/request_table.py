"""Requests that tell the old libraries and bearerguard apart, or show that nothing does."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from bearerguard.testing import Issuer, SigningKey, signing_key

Fields = list[tuple[str, str]]
_FOREVER = 99_999_999_999


def bearer(token: str) -> Fields:
    return [("authorization", f"Bearer {token}")]


def sound(**claims: Any) -> Callable[[Issuer], Fields]:
    """A token, sound but for these claims; None leaves one out."""
    return lambda issuer: bearer(issuer.token(**claims))


def header(**members: Any) -> Callable[[Issuer], Fields]:
    """A token, sound but for these members of its header."""
    return lambda issuer: bearer(issuer.token(header=members))


def written(form: str) -> Callable[[Issuer], Fields]:
    """A sound token, in an Authorization header written like this."""
    return lambda issuer: [("authorization", form.format(token=issuer.token()))]


def claimed(change: Callable[[dict[str, Any]], Any]) -> Callable[[Issuer], Fields]:
    """A well-signed token whose payload is what `change` makes of sound claims, JSON null and all."""

    def mint(issuer: Issuer) -> Fields:
        now = int(issuer.clock())
        claims = {"iss": issuer.url, "aud": issuer.audience, "exp": now + 3_600, "iat": now, "sub": "user-1"}
        payload = change(claims)
        return bearer(issuer.sign(payload if isinstance(payload, bytes) else json.dumps(payload).encode()))

    return mint


def nested(depth: int) -> list[Any]:
    """Lists, one in the other."""
    return [] if depth == 1 else [nested(depth - 1)]


def expiring(seconds: float) -> Callable[[Issuer], Fields]:
    return lambda issuer: bearer(issuer.token(expires_in=seconds))


def with_another_keys_name(issuer: Issuer) -> Fields:
    other = next(jwk["kid"] for jwk in issuer.jwks()["keys"] if jwk["kid"] != issuer.signing_key.kid)
    return bearer(issuer.token(header={"kid": other}))


def signed_with_the_public_key(issuer: Issuer) -> Fields:
    modulus = next(jwk["n"] for jwk in issuer.jwks()["keys"] if jwk["kid"] == issuer.signing_key.kid)
    secret = SigningKey(issuer.signing_key.kid, modulus.encode())
    return bearer(issuer.token(alg="HS256", key=secret))


def with_stray_bits(issuer: Issuer) -> Fields:
    token = issuer.token()  # 256 bytes are 342 characters; the last one has four bits to spare
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return bearer(token[:-1] + alphabet[alphabet.index(token[-1]) + 1])


REQUESTS: dict[str, Callable[[Issuer], Fields]] = {
    # -- where the token stands
    "a sound token": sound(),
    "no Authorization header": lambda issuer: [],
    "another scheme": lambda issuer: [("authorization", "Basic YTpi")],
    "`bearer` in lower case": written("bearer {token}"),
    "two spaces after `Bearer`": written("Bearer  {token}"),
    "`Bearer` alone": written("Bearer"),
    "`Bearer` and a space": written("Bearer "),
    "a space after the token": written("Bearer {token} "),
    "two tokens in one header": written("Bearer {token} {token}"),
    "two Authorization headers": lambda issuer: bearer(issuer.token()) * 2,
    "no token, and a `Host` that puts a public path before the real one": lambda issuer: [
        ("host", "api.test/public?")
    ],
    # -- its form
    "no JWT (`mocked_token`)": written("Bearer mocked_token"),
    "contains non-ASCII characters": written("Bearer \xe9\xff.a.b"),
    "padding (`==`) after the signature": written("Bearer {token}=="),
    "stray bits at the end of the signature": with_stray_bits,
    "characters outside base64url in the signature": written("Bearer {token}!!!!"),
    "a payload that is no object": claimed(lambda claims: [claims]),
    "a payload that is no JSON": claimed(lambda claims: b"{"),
    "a claim named twice": claimed(lambda claims: json.dumps(claims)[:-1].encode() + b', "sub": "user-2"}'),
    "more than 16 KiB": sound(filler="x" * 16_384),
    "`NaN` in the payload": claimed(lambda claims: {**claims, "filler": math.nan}),
    "half of a surrogate pair in the payload": claimed(lambda claims: {**claims, "filler": "\ud800"}),
    "a payload nested 65 deep": claimed(lambda claims: {**claims, "filler": nested(64)}),
    "a payload nested 64 deep": claimed(lambda claims: {**claims, "filler": nested(63)}),
    # -- its signature
    "a signature by a foreign key": lambda issuer: bearer(issuer.forged()),
    "`alg: none`": lambda issuer: bearer(issuer.unsigned()),
    "`HS256` with the public key as secret": signed_with_the_public_key,
    "a signature by a published key without `kid`": header(kid=None),
    "a `kid` that no published key has": header(kid="unheard-of"),
    "the `kid` of another published key": with_another_keys_name,
    "a key of the token's own (`jwk` in its header)": lambda issuer: bearer(
        issuer.token(key=(key := signing_key("RSA")), header={"jwk": key.public_jwk()})
    ),
    "`RS384`": lambda issuer: bearer(issuer.token(alg="RS384")),
    "`PS256`": lambda issuer: bearer(issuer.token(alg="PS256")),
    "`ES256`, where the key set begins with an RSA key": lambda issuer: bearer(issuer.token(alg="ES256")),
    "`EdDSA`": lambda issuer: bearer(issuer.token(alg="EdDSA")),
    # -- its header
    "`typ: at+jwt`": header(typ="at+jwt"),
    "`typ: JWT`": header(typ="JWT"),
    "no `typ`": header(typ=None),
    "another `typ` (`logout+jwt`)": header(typ="logout+jwt"),
    "`cty: JWT`, a token in the token": header(cty="JWT"),
    "`crit` with an extension": header(crit=["exp"], exp=_FOREVER),
    "`b64: false`": header(b64=False),
    "no `alg`": header(alg=None),
    "a `kid` that is not a string": header(kid=7),
    "a `kid` of more than 512 characters": header(kid="k" * 513),
    "a `typ` that is not a string": header(typ=7),
    "a `cty` that is not a string": header(cty=7),
    "another `cty` (`text/plain`)": header(cty="text/plain"),
    "`zip` in the header": header(zip="DEF"),
    "`enc` in the header": header(enc="A256GCM"),
    # -- when it is valid
    "expired an hour ago": expiring(-3_600),
    "expired five seconds ago": expiring(-5),
    "no `exp`": sound(exp=None),
    "`exp` as a string of digits": sound(exp=str(_FOREVER)),
    "`exp` with a fraction": sound(exp=_FOREVER + 0.5),
    "`exp` above 2^53": sound(exp=2**53 + 1),
    "`exp: null`": claimed(lambda claims: {**claims, "exp": None}),
    "`exp: true`": sound(exp=True),
    "`exp` as a list": sound(exp=[_FOREVER]),
    "`nbf` in an hour": lambda issuer: bearer(issuer.not_yet_valid()),
    "`nbf` as a string of digits": sound(nbf="1"),
    "`nbf: null`": claimed(lambda claims: {**claims, "nbf": None}),
    "`iat` in an hour": lambda issuer: bearer(issuer.token(iat=int(issuer.clock()) + 3_600)),
    "`iat` as a string of digits": sound(iat="1"),
    "`iat` as a list": sound(iat=[1]),
    "`iat: null`": claimed(lambda claims: {**claims, "iat": None}),
    "`nbf` in five seconds": lambda issuer: bearer(issuer.token(nbf=int(issuer.clock()) + 5)),
    # -- whom it is for and from
    "another audience": lambda issuer: bearer(issuer.for_another_audience()),
    "no `aud`": sound(aud=None),
    "`aud: null`": claimed(lambda claims: {**claims, "aud": None}),
    "several audiences, this one among them": sound(aud=["https://other.test", "https://api.test"]),
    "several audiences, one of them no string": sound(aud=["https://api.test", 7]),
    "`aud` as an object": sound(aud={"https://api.test": True}),
    "another issuer": lambda issuer: bearer(issuer.from_another_issuer()),
    "no `iss`": sound(iss=None),
    "`iss` as a list": lambda issuer: bearer(issuer.token(iss=[issuer.url])),
    # -- its other claims
    "`sub` that is not a string": sound(sub=7),
    "`sub: null`": claimed(lambda claims: {**claims, "sub": None}),
    "`jti` that is not a string": sound(jti=7),
    "`at_hash`": sound(at_hash="x"),
    "`cnf`, a token bound to a key": sound(cnf={"jkt": "x"}),
    "`cnf: null`": claimed(lambda claims: {**claims, "cnf": None}),
}
