"""What a shared store shows of what it holds: names that are hashes, and values that are sealed.

Pure functions of a secret. Whoever reads the store learns no token, no subject and no `jti`; whoever writes
it can neither make a value nor move one to another name. An old value can be put back: its reader has to
judge the time that stands inside.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from hmac import digest

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bearerguard._jose import base64url
from bearerguard._limits import SEAL_NONCE_BYTES


def name_of(prefix: str, secret: bytes | None, kind: str, *parts: bytes) -> str:
    """Return the name under which a store holds something: the prefix, what it is, and a hash.

    Args:
        prefix: how all names begin.
        secret: with it the hash is an HMAC: nobody can guess what was hashed, such as a subject.
        kind: what it is, in a letter or two.
        *parts: what it is of; they are told apart, wherever one ends.

    Examples:
        >>> name_of("bearerguard", None, "p", b"ada")
        'bearerguard:p:KcW81rzv8rie4vCigNh17fZFzvyzQxfJbR_aQCFK5bM'
    """
    message = b"".join(len(part).to_bytes(4, "big") + part for part in (kind.encode(), *parts))
    if secret is None:
        hashed = sha256(message).digest()
    else:
        hashed = digest(_derived(secret, b"names"), message, "sha256")
    return f"{prefix}:{kind}:{base64url.encode(hashed).decode()}"


def sealed(secret: bytes, name: str, version: int, value: bytes, nonce: bytes) -> bytes:
    """Return a value as only who has the secret can read or make it, for one name and version: ASCII text.

    Args:
        secret: 32 bytes or more.
        name: under which it will stand.
        version: of what is written in it.
        value: what is sealed.
        nonce: `SEAL_NONCE_BYTES` random bytes.
    """
    text = AESGCM(_key(secret, name)).encrypt(nonce, value, _bound_to(name, version))
    return base64url.encode(nonce + text)


def opened(secret: bytes, name: str, version: int, text: bytes) -> bytes | None:
    """Return what was sealed for this name and version with this secret; None of anything else."""
    try:
        raw = base64url.decode(text)
        return AESGCM(_key(secret, name)).decrypt(
            raw[:SEAL_NONCE_BYTES], raw[SEAL_NONCE_BYTES:], _bound_to(name, version)
        )
    except (InvalidTag, ValueError):
        return None


def _key(secret: bytes, name: str) -> bytes:
    return digest(_derived(secret, b"values"), name.encode(), "sha256")


def _bound_to(name: str, version: int) -> bytes:
    return b"%d %s" % (version, name.encode())


@lru_cache(maxsize=16)  # two for each store
def _derived(secret: bytes, purpose: bytes) -> bytes:
    """A key for one purpose: what is known of one says nothing of the others."""
    return digest(secret, b"bearerguard store: " + purpose, "sha256")
