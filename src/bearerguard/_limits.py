"""Every number that bounds the library, in one place, with its unit and its reason.

A limit that a user can change is an argument elsewhere; the default it takes stands here.
"""

from __future__ import annotations

from typing import Final

# -- tokens --------------------------------------------------------------------------------------
MAX_TOKEN_BYTES: Final = 16 * 1024
"""A token longer than this is refused before it is split or decoded."""
MAX_JSON_DEPTH: Final = 64
"""Nesting of a header or payload; fixed, so that the verdict does not float with the call stack."""
MAX_KID_CHARACTERS: Final = 512
MAX_NUMERIC_DATE: Final = 2**53
"""Above this a JSON number is not an exact integer everywhere (RFC 8259, section 6), and not a date."""
DEFAULT_LEEWAY: Final = 10.0
MAX_LEEWAY: Final = 300.0
"""Seconds of clock difference that are forgiven."""

# -- rules ---------------------------------------------------------------------------------------
MAX_ALTERNATIVES: Final = 32
"""Sets of scopes that a rule names, in a document or a challenge: nobody reads more of them."""

# -- caches --------------------------------------------------------------------------------------
VERDICT_MEMORY_BYTES: Final = 16 * 1024 * 1024
"""What all servers of a process remember of tokens, together; `limit_verdict_memory` changes it."""
VERDICT_BYTES: Final = 420
"""What the verdict of a token takes that came once, with its place in a dict that has just grown."""
KEPT_CLAIMS_BYTES: Final = 400
KEPT_RULE_BYTES: Final = 160
"""What is kept beside a verdict takes so much, without the claims themselves."""
MAX_KEPT_RULES: Final = 16
"""Verdicts of rules that are kept beside one of a token."""
FORGOTTEN_BYTES_AT_ONCE: Final = 4 * 1024
"""Verdicts are freed when so many bytes have come, as many as these twice."""
SIGNATURE_CHARACTERS_KEPT: Final = 16
"""The last characters of a token, 96 bits of its signature, under which its verdict is found."""
FORGOTTEN_AT_ONCE: Final = 16
"""Entries that are freed together: one by one it would cost each request, all at once it would be a pause."""
CACHED_HEADERS: Final = 256
MAX_CACHED_HEADER_BYTES: Final = 1024

# -- keys ----------------------------------------------------------------------------------------
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
MAX_RSA_EXPONENT_BITS: Final = 64
"""A huge public exponent makes each check slow; every exponent in use has at most 32 bits."""
MAX_KEYS_TRIED: Final = 4
MAX_KEYS: Final = 100
MAX_KEY_SET_BYTES: Final = 512 * 1024
MAX_VALIDATOR_CHARACTERS: Final = 1024
"""An `ETag` longer than this is not sent back: it could make a server refuse the next request."""

MAX_OBJECTS_LOOKED_INTO: Final = 1000
"""In search of a TLS context that checks nothing, within a transport."""

# -- life of a fetched key set, in seconds -------------------------------------------------------
KEY_SET_LIFETIME: Final = 600.0
MIN_KEY_SET_LIFETIME: Final = 60.0
MAX_KEY_SET_LIFETIME: Final = 24 * 3600.0
REFRESH_AHEAD: Final = 0.8
REFRESH_JITTER: Final = 0.1
"""A refresh is due at 80 % of the lifetime, plus up to this part of it, drawn anew for each key set."""
STALE_IF_ERROR: Final = 3600.0
COOLDOWN: Final = 30.0
SIGNATURE_COOLDOWN: Final = 300.0
"""After a refresh for a signature that does not verify under a known `kid`: most such tokens are forged."""
UNKNOWN_KID_PATIENCE: Final = 1.0
MAX_PATIENT_THREADS: Final = 2
"""With keys in hand, how long a request waits for newer ones, and how many threads do so at a time."""
FIRST_COOLDOWN: Final = 1.0
"""After a failure without any keys in hand; doubled by each further one, up to `COOLDOWN`."""
FETCH_TIMEOUT: Final = 5.0
WAITERS_WOKEN_AT_ONCE: Final = 16
"""Tasks that go on in one turn of their event loop when keys have come: all at once would be a pause."""
METADATA_LIFETIME: Final = 24 * 3600.0
"""After it an issuer's metadata is asked for again, by whoever wants it and without waiting."""
METADATA_SHARE: Final = 0.4
"""The part of a refresh's time that the metadata may take where the address of the keys is known."""
FROZEN_AFTER: Final = 300.0
"""A refresh that is so long past its end by the server's clock was begun before the machine slept."""
MAX_STUCK_REFRESHES: Final = 4
"""Threads of refreshes that were given up and have not ended: with so many, no further one is started."""
