"""Key material in every form that people have it in: JWK, JWK set, PEM, mapping of `kid` to PEM, or lists.

Reads an object, never an address. An unusable key among good ones is reported and left out; if none is
usable, the whole is an error.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bearerguard._jose.json_object import decode_json
from bearerguard._jose.jwk import UnusableKey, VerificationKey, import_jwk, import_pem
from bearerguard._limits import MAX_KEYS, MAX_KID_CHARACTERS


class UnusableKeys(Exception):
    """Key material of which nothing can be used. `kind` is a stable code, the message says why."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read_keys(
    material: Any, *, allow_secret: bool = False, use: str = "sig"
) -> tuple[list[VerificationKey], list[str]]:
    """Return the usable keys in `material`, and a sentence for each one that was left out.

    Args:
        material: a JWK, a JWK set, the JSON text of either, PEM text, a mapping of `kid` to PEM, or a list
            of any of these.
        allow_secret: whether `oct` keys are acceptable.
        use: another `use` (RFC 7517, section 4.2) that the keys to read have. Keys of any other are then not
            even mentioned: a set is published with them on purpose.

    Raises:
        UnusableKeys: `not_a_key_set`, `empty`, `too_many_keys` or `no_usable_key`.
    """
    keys: list[VerificationKey] = []
    left_out: list[str] = []
    try:
        found = list(_entries(material, depth=0))
    except UnusableKeys as problem:
        if allow_secret and isinstance(material, str | bytes | bytearray):
            raise UnusableKeys(problem.kind, f"{problem}; {_HOW_A_SECRET_IS_GIVEN}") from None
        raise
    if not found:
        raise UnusableKeys("empty", "it holds no key")
    if use != "sig":
        found = [_for_signatures(entry) for entry in found if _has_use(entry, use)]
        if not found:
            raise UnusableKeys("empty", f"it holds no key whose use is {use!r}")
    if len(found) > MAX_KEYS:
        raise UnusableKeys("too_many_keys", f"it holds {len(found)} keys, and at most {MAX_KEYS} are read")
    for number, (kid, entry) in enumerate(found, start=1):
        try:
            keys.append(_read_one(kid, entry, allow_secret))
        except UnusableKey as reason:
            left_out.append(f"key {number} of {len(found)}{_named(kid, entry)} cannot be used: {reason}")
    if not keys:
        no_key = next((entry for _, entry in found if isinstance(entry, UnusableKey)), None)
        if no_key is not None and all(isinstance(entry, UnusableKey) for _, entry in found):
            raise UnusableKeys("not_a_key_set", str(no_key))
        raise UnusableKeys("no_usable_key", "; ".join(left_out[:3]))
    return keys, left_out


Entry = tuple[str | None, Any]
"""A JWK (a mapping), PEM text, or why it is neither, with the `kid` it was filed under."""


def _has_use(entry: Entry, use: str) -> bool:
    jwk = entry[1]
    return isinstance(jwk, Mapping) and jwk.get("use") == use


def _for_signatures(entry: Entry) -> Entry:
    kid, jwk = entry
    return kid, {**jwk, "use": "sig"}


def _entries(material: Any, depth: int) -> Iterator[Entry]:
    """Each key in the material."""
    if depth > 3:
        raise UnusableKeys("not_a_key_set", "its lists are nested too deep")
    if isinstance(material, str):
        material = material.encode("utf-8", "replace")
    if isinstance(material, bytes | bytearray):
        text = bytes(material)
        # A mapping of kid to PEM, written as JSON, has PEM in it too.
        if b"-----BEGIN" in text and not text.lstrip().startswith((b"{", b"[")):
            yield from _pem_entries(text.decode("utf-8", "replace"))
            return
        try:
            decoded = decode_json(text)
        except ValueError:
            raise UnusableKeys("not_a_key_set", _what_it_is(text)) from None
        if not isinstance(decoded, dict | list):
            raise UnusableKeys("not_a_key_set", "it is JSON, but neither a JWK nor a JWK set")
        material = decoded
    if isinstance(material, Mapping):
        yield from _mapping_entries(material)
    elif isinstance(material, list | tuple | set | frozenset):
        for item in material:
            try:
                yield from list(_entries(item, depth + 1))
            except UnusableKeys as problem:
                yield None, UnusableKey(str(problem))
    elif hasattr(material, "__fspath__"):
        raise UnusableKeys("not_a_key_set", _A_PATH)
    else:
        raise UnusableKeys("not_a_key_set", f"it is a {type(material).__name__}, not a form of a key")


_HOW_A_SECRET_IS_GIVEN = (
    "a secret is given as a JWK, {'kty': 'oct', 'k': ...}, where k is the secret in base64url without padding"
)
_A_PATH = "it seems to be the path of a file: give its content, as keys=Path(...).read_text()"
_FILE_NAME = rb"(?i)(?:~|\.{0,2}[/\\]|[a-z]:[/\\]).*|.*\.(?:pem|crt|cer|der|key|pub|txt|json|jwks?)"
_KEY_IN_BASE64 = rb"MI[A-Za-z0-9+/\s]{50,}={0,2}\s*"


def _what_it_is(text: bytes) -> str:
    """Name what was given in place of JSON or PEM, by its look; show nothing of it, as it may be a secret."""
    text = text.strip()
    if text.startswith(b"<"):
        return "it is HTML (a login page, perhaps?), neither JSON nor PEM"
    if re.fullmatch(_KEY_IN_BASE64, text):
        return (
            "it is a key or certificate without its first and last line: put it between -----BEGIN PUBLIC "
            "KEY----- and -----END PUBLIC KEY-----, or the same with CERTIFICATE"
        )
    if len(text) < 1024 and re.fullmatch(_FILE_NAME, text):
        return _A_PATH
    return "it is neither JSON nor PEM"


def _pem_entries(text: str) -> Iterator[Entry]:
    """The first key of a PEM text; the others in a chain of certificates are not keys to trust."""
    yield None, text
    for _ in range(text.count("-----BEGIN") - 1):
        yield None, UnusableKey("only the first of several in one PEM text is read; give a list")


def _mapping_entries(material: Mapping[Any, Any]) -> Iterator[Entry]:
    if "kty" in material:
        yield None, material
    elif "keys" in material:
        members = material["keys"]
        if not isinstance(members, list | tuple):
            raise UnusableKeys("not_a_key_set", "its keys member is not an array (RFC 7517, section 5.1)")
        for member in members:
            yield None, member
    elif any(_is_named_key(value) for value in material.values()):
        for kid, value in material.items():
            name = str(kid)[: MAX_KID_CHARACTERS + 1]
            entry = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            yield name, entry if _is_named_key(entry) else UnusableKey("it is neither PEM nor a JWK")
    elif "jwks_uri" in material or "issuer" in material:
        raise UnusableKeys(
            "not_a_key_set",
            "it is the metadata of an issuer, not its keys: leave keys out, or give its jwks_uri as keys",
        )
    else:
        raise UnusableKeys("not_a_key_set", "it has neither kty (a JWK) nor keys (a JWK set)")


def _is_named_key(value: Any) -> bool:
    """Whether a value in a mapping by `kid` is meant as a key."""
    if isinstance(value, Mapping):
        return "kty" in value
    return (isinstance(value, str) and "-----BEGIN" in value) or (
        isinstance(value, bytes) and b"-----BEGIN" in value
    )


def why_out_of_date(key: VerificationKey, now: float) -> str | None:
    """Return what is wrong with the dates of the certificate that a key came in, or None.

    The key is used all the same: nobody vouches for the certificate, so its dates prove nothing. But they
    tell that somebody forgot to renew it, or has set a clock wrong.

    Args:
        key: the key.
        now: seconds since 1970.
    """
    if key.valid is None:
        return None
    begins, ends = key.valid
    named = "" if key.kid is None else f" (kid {key.kid!r:.60})"
    if now > ends:
        return f"the certificate of a key{named} expired on {_date(ends)}; the key is used all the same"
    if now < begins:
        return (
            f"the certificate of a key{named} is valid from {_date(begins)} on; the key is used all the same"
        )
    return None


def _date(seconds: float) -> str:
    """A day as RFC 3339 writes it."""
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%d")


def _read_one(kid: str | None, entry: Any, allow_secret: bool) -> VerificationKey:
    if isinstance(entry, UnusableKey):
        raise entry
    if kid is not None and len(kid) > MAX_KID_CHARACTERS:
        raise UnusableKey(f"its kid is longer than {MAX_KID_CHARACTERS} characters")
    if isinstance(entry, str):
        return import_pem(entry, kid=kid)
    if not isinstance(entry, Mapping):
        raise UnusableKey("it is not a JSON object")
    jwk = entry if kid is None or "kid" in entry else {**entry, "kid": kid}
    return import_jwk(jwk, allow_secret=allow_secret)


def _named(kid: str | None, entry: Any) -> str:
    name = entry.get("kid") if isinstance(entry, Mapping) else kid
    return f" (kid {name!r:.60})" if isinstance(name, str) else ""
