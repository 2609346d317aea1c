"""What `doctor` says of a key set: each key, whether it can be used or why not, and for how long it is kept.

Pure: from an answer to findings. A key is read as the library reads it; nothing here decides what is usable.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from cryptography import x509

from bearerguard import Provider
from bearerguard._flows.key_fetch import max_age_of
from bearerguard._jose import base64url
from bearerguard._jose.jwk import UnusableKey, VerificationKey, import_jwk
from bearerguard._jose.key_material import UnusableKeys, read_keys, why_out_of_date
from bearerguard._jose.key_set import lifetime_of
from bearerguard.cli._doctor.findings import Finding
from bearerguard.cli._doctor.probe import Answer
from bearerguard.explain.situation import duration, shown, written

__all__ = ["about_cache", "about_given_keys", "about_keys"]


def about_keys(provider: Provider, answer: Answer, now: float) -> list[Finding]:
    """Return what is to be said of a key set that was fetched.

    Args:
        provider: whose it is.
        answer: that of its address.
        now: in seconds since 1970.
    """
    if answer.failure is not None or answer.status != 200:
        said = answer.failure or f"HTTP {answer.status}"
        return [Finding("error", "key set", f"{answer.url}: {said}", "Without keys no token is accepted.")]
    try:
        read_keys(answer.body, use=provider.key_use)
        members = json.loads(answer.body)["keys"]
    except (UnusableKeys, ValueError, KeyError, TypeError) as problem:
        said = str(problem) if isinstance(problem, UnusableKeys) else "it is not a JWK set"
        return [Finding("error", "key set", f"{answer.url}: {said}", "Without keys no token is accepted.")]
    count = "1 key" if len(members) == 1 else f"{len(members)} keys"
    findings = [Finding("ok", "key set", f"{answer.url}: {count}")]
    usable: list[VerificationKey] = []
    for member in members:
        key, finding = _about_key(member, provider, now)
        findings.append(finding)
        usable += [] if key is None else [key]
    if not any(key.verifiers.keys() & provider.algorithms for key in usable):
        findings.append(
            Finding(
                "error", "key set",
                f"no key fits the algorithms {', '.join(sorted(provider.algorithms))}",
                "Write Provider(..., algorithms=...) with those of the keys.",
            )
        )  # fmt: skip
    names = [key.kid for key in usable]
    twice = sorted({shown(name) for name in names if name is not None and names.count(name) > 1})
    if twice:
        findings.append(
            Finding("note", "key set", f"published under one kid more than once: {', '.join(twice)}")
        )
    return findings


def about_given_keys(provider: Provider, now: float) -> list[Finding]:
    """Return what is to be said of keys that were given as an object."""
    keys = () if provider.key_set is None else provider.key_set.keys.all
    findings = []
    for key in keys:
        old = why_out_of_date(key, now)
        said = f"{_kind(key.jwk)}, {_kid(key.kid)}, given by the program"
        findings.append(Finding("ok" if old is None else "warning", "key", said, old))
    findings += [Finding("warning", "key", sentence) for sentence in provider.left_out]
    if keys:
        findings.append(
            Finding("note", "key set", "the keys are fixed: a rotation at the provider needs a new release")
        )
    return findings


def _about_key(member: Any, provider: Provider, now: float) -> tuple[VerificationKey | None, Finding]:
    if not isinstance(member, Mapping):
        return None, Finding("warning", "key", "not a JSON object")
    said = f"{_kind(member)}, {_kid(member.get('kid'))}"
    use = member.get("use")
    if use is not None:
        said += f", use {shown(use)}"
    try:
        as_signing = {**member, "use": "sig"} if use == provider.key_use else member
        key = import_jwk(as_signing, allow_secret=False)
    except UnusableKey as problem:
        is_meant = use not in (None, provider.key_use)
        return None, Finding("note" if is_meant else "warning", "key", f"{said}: not usable: {problem}")
    pinned = None if provider.remote_keys is None else provider.remote_keys.pinned_thumbprints
    if pinned is not None and key.thumbprint not in pinned:
        return None, Finding("note", "key", f"{said}: not usable: it is not among pinned_thumbprints")
    names = sorted(key.verifiers.keys() & provider.algorithms)
    if not names:
        return key, Finding("warning", "key", f"{said}: not usable: for none of the accepted algorithms")
    said += f": usable for {', '.join(names)}" if len(names) < 4 else f": usable, for {len(names)} algorithms"
    certificate = _certificate(member)
    if certificate is None:
        return key, Finding("ok", "key", said)
    begins = certificate.not_valid_before_utc.timestamp()
    ends = certificate.not_valid_after_utc.timestamp()
    said += f"; its certificate is good from {written(begins)} to {written(ends)}"
    if not begins <= now <= ends:
        advice = "The key is used all the same; but somebody may have forgotten to renew it."
        return key, Finding("warning", "key", said, advice)
    return key, Finding("ok", "key", said)


def _kind(jwk: Mapping[str, Any]) -> str:
    kty = jwk.get("kty")
    if kty == "RSA":
        try:
            modulus = base64url.decode(str(jwk.get("n")).encode("ascii", "replace"))
        except ValueError:
            return "RSA"
        return f"RSA of {int.from_bytes(modulus, 'big').bit_length():,} bits"
    if kty in ("EC", "OKP"):
        return f"{kty} {shown(jwk.get('crv'))[1:-1]}"
    return f"kty {shown(kty)}" if kty is not None else "a secret"


def _kid(kid: Any) -> str:
    return "no kid" if kid is None else f"kid {shown(kid)}"


def _certificate(jwk: Mapping[str, Any]) -> x509.Certificate | None:
    chain = jwk.get("x5c")
    try:
        return x509.load_der_x509_certificate(base64.b64decode(chain[0])) if isinstance(chain, list) else None
    except (ValueError, TypeError, IndexError):
        return None


def about_cache(provider: Provider, answer: Answer) -> Finding:
    """Return for how long the keys are kept, and by whose word."""
    configured = None if provider.remote_keys is None else provider.remote_keys.lifetime
    field = answer.fields.get("cache-control")
    age = max_age_of(field)
    lifetime = lifetime_of(age, configured)
    kept = f"keys are fresh {f'for {duration(lifetime)}' if isfinite(lifetime) else 'for ever'}"
    if configured is not None:
        return Finding("ok" if isfinite(lifetime) else "warning", "cache", f"{kept}, as configured")
    if age is None:
        said = "there is no Cache-Control" if field is None else f"Cache-Control is {shown(field)}"
        return Finding("note", "cache", f"{said}: {kept}")
    said = f"Cache-Control is {shown(field)}: {kept}"
    if age > lifetime:
        advice = "A key that is withdrawn stays in use for as long: give RemoteKeys(lifetime=...)."
        return Finding("warning", "cache", f"{said}, the most", advice)
    return Finding(
        "note" if age < lifetime else "ok", "cache", said + (", the least" if age < lifetime else "")
    )
