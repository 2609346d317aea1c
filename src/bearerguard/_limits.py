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

# -- proofs of possession ------------------------------------------------------------------------
MAX_CERTIFICATE_FIELD_BYTES: Final = 16 * 1024
"""A header field with a client's certificate, of a proxy that writes the whole chain too."""
MAX_CERTIFICATE_BYTES: Final = 8 * 1024
"""A client's certificate as DER; most have less than 2 KiB."""
MAX_FORWARDED_BYTES: Final = 4 * 1024
"""`X-Forwarded-For` and `Forwarded` together: a hundred hops."""
MAX_PROOF_BYTES: Final = 8 * 1024
MAX_JTI_CHARACTERS: Final = 256
"""Longer identifiers are refused (RFC 9449, section 11.1), shorter ones are kept as a hash."""
MAX_PROOF_RSA_CHARACTERS: Final = 683
"""The base64url text of 4,096 bits: a client chooses its key, and the time that each check of it takes."""
DEFAULT_PROOF_AGE: Final = 60.0
MAX_PROOF_AGE: Final = 300.0
PROOF_LEEWAY: Final = 15.0
"""Seconds that a proof may lie ahead, for the clocks of clients."""
MIN_NONCE_SECRET_BYTES: Final = 32
NONCE_BYTES: Final = 18
NONCE_SECONDS: Final = 120
NONCE_STEPS: Final = 3
"""A nonce lasts for so many steps of so many seconds; a client is told a new one when its own has ended."""
PROOF_KEYS_KEPT: Final = 1024
MAX_KEPT_PROOF_HEADER_BYTES: Final = 1024
"""Keys that clients have proven are remembered, by the header in which they come."""
MAX_PROOFS: Final = 100_000
MAX_PROOFS_OF_A_KEY: Final = 1_000
"""Proofs that the memory store holds at a time, of all keys and of each."""

# -- rules ---------------------------------------------------------------------------------------
MAX_ALTERNATIVES: Final = 32
"""Sets of scopes that a rule names, in a document or a challenge: nobody reads more of them."""

# -- caches --------------------------------------------------------------------------------------
VERDICT_MEMORY_BYTES: Final = 16 * 1024 * 1024
"""What all servers of a process remember of tokens, together; `limit_verdict_memory` changes it."""
VERDICT_BYTES: Final = 484
"""What the verdict of a token takes that came once, with its place in a dict that has just grown."""
FINGERPRINT_BLOCK: Final = 128
"""Bytes that are hashed together of a signature that is known by its hash (BLAKE2b, RFC 7693)."""
CONFIRMATION_BYTES: Final = 340
"""What a token is bound to takes so much more, by both ways."""
KEPT_CLAIMS_BYTES: Final = 400
KEPT_RULE_BYTES: Final = 160
"""What is kept beside a verdict takes so much, without the claims themselves."""
MAX_KEPT_RULES: Final = 16
"""Verdicts of rules that are kept beside one of a token."""
FORGOTTEN_BYTES_AT_ONCE: Final = 4 * 1024
"""Verdicts are freed when so many bytes have come, as many as these twice."""
HASHED_AT_ONCE: Final = 31 * 64
"""Bytes: less than `hashlib` lets go of the interpreter's lock for, and whole blocks of SHA-256."""
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

# -- issuers that a function is asked about --------------------------------------------------------
MAX_ISSUER_CHARACTERS: Final = 512
NEW_ISSUERS: Final = 64
"""How many that were accepted, and under which no token was verified so far, are kept beside the others."""
ISSUERS_AT_ONCE: Final = 8
ISSUERS_A_MINUTE: Final = 60
"""How many may be fetched for the first time, at once and in a minute."""
REFUSED_ISSUERS: Final = 1024
REFUSAL_LIFETIME: Final = 60.0
"""How many refusals of the function are kept, and for how many seconds."""
ACCEPTANCE_LIFETIME: Final = 600.0
STALE_ACCEPTANCE: Final = 3600.0
"""After how many seconds the function is asked again about an issuer, and for how many more its last answer
holds while it raises."""
ISSUER_THREADS: Final = 16
"""How many calls of a function that is not async run at a time for the tasks of one event loop."""

# -- keys with an address each ---------------------------------------------------------------------
KEYS_BY_KID: Final = 100
NEW_KEYS_BY_KID: Final = 64
KEYS_BY_KID_AT_ONCE: Final = 8
KEYS_BY_KID_A_MINUTE: Final = 20
"""Where each key has an address of its own: how many are kept, how many of them without an answer so far, and
how many may be asked for the first time at once and in a minute."""

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

# -- introspection -------------------------------------------------------------------------------
REVOCATION_BUDGET: Final = 30.0
"""Seconds for which an answer is believed, and so for how long a token may outlive its revocation."""
INTROSPECTION_TIMEOUT: Final = 3.0
MAX_ANSWER_BYTES: Final = 64 * 1024
MAX_QUESTIONS: Final = 32
"""Questions about tokens that are under way at a provider; who finds no place in time gets a 503."""
INACTIVE_REMEMBERED: Final = 10.0
"""Seconds for which a token that a provider refused is not asked about again."""
REMEMBERED_REFUSALS: Final = 2048
SIGNED_ANSWER_AGE: Final = 300.0
"""Seconds; a signed answer has no `exp`, so its age keeps an old one from being shown again."""
ASSERTION_LIFETIME: Final = 60
RETRY_AFTER_TROUBLE: Final = 5.0
MAX_RETRY_AFTER: Final = 60.0
"""Seconds that clients are told to wait: as the provider says, up to the second; else the first."""
IDLE_CONNECTION: Final = 15.0
"""Seconds after which a thread that has nothing to ask ends, and its connection with it."""

# -- revocation ----------------------------------------------------------------------------------
DEFAULT_HORIZON: Final = 48 * 3600.0
MIN_HORIZON: Final = 60.0
DEFAULT_MAX_LAG: Final = 10.0
MIN_MAX_LAG: Final = 1.0
"""Seconds: how long revocations are remembered, and for how long a store may not be heard."""
MAX_REVOCATIONS: Final = 1_000_000
"""Entries in memory, some 150 bytes each; with so many, requests are answered 503: one may be missing."""
LOGOUT_TOKEN_AGE: Final = 300.0
"""Seconds for which a logout token is good: a provider tells at once, and again where it was not heard."""
MAX_LOGOUT_BYTES: Final = 16 * 1024
"""What a provider may send to the address for logouts: a form with one token."""
MAX_SPENT_LOGOUTS: Final = 100_000
"""Logout tokens that a process remembers as used; they are good for minutes."""
REVOCATIONS_READ_EVERY: Final = 0.4
"""Seconds after which a process reads on in the store: what is revoked anywhere is refused everywhere within
one."""
REVOCATIONS_AT_ONCE: Final = 2_000
"""Entries of one read, some 20 ms of it."""
REVOCATIONS_TRIMMED: Final = 100
"""Writes of a process after which it drops from the store what is over."""
REVOCATION_NAME_BYTES: Final = 16
"""Of a hash. Who found another text of the same would have one more token refused."""

# -- connections that outlive their tokens, and logs -----------------------------------------------
NAP: Final = 30.0
"""Seconds after which whoever waits for the end of a token looks at the clock again."""
QUIET: Final = 60.0
"""Seconds for which a mistake in the set-up is not told loudly again."""
LONGEST_LOGGED: Final = 200
LONGEST_LOGGED_RULE: Final = 500
"""Characters of a value in a log line, and of what a rule says there."""

# -- a store that a fleet shares -------------------------------------------------------------------
STORE_TIMEOUT: Final = 0.25
"""Seconds for one command, after which the store counts as away."""
MIN_STORE_SECRET_BYTES: Final = 32
STORE_CONNECTIONS: Final = 32
"""Connections of a process, and of an event loop; a command takes half a millisecond."""
STORE_KEPT: Final = 16
"""How many of the connections of a process are kept by clients that have one each; others are the pool's."""
STORE_THREADS: Final = 32
"""Threads that ask at a time for the tasks of an event loop that has no client of its own."""
STORE_FAILURES: Final = 1
STORE_FIRST_REST: Final = 0.25
STORE_LONGEST_REST: Final = 2.0
"""After one failure nobody waits for the store; these seconds later one command looks if it is back."""
MAX_SHARED_BYTES: Final = 1024 * 1024
"""A sealed value that is longer is neither written nor read: a key set has half of that at most."""
LEADER_SECONDS: Final = 5.0
"""For how long one process asks for all, at most."""
LEADER_PATIENCE: Final = 0.4
"""The part of a question's time for which another process waits for the one that asks."""
LEADER_LOOKS: Final = (0.025, 0.05, 0.1)
"""After so many seconds it looks again; the last for each further time."""
SHARED_ANSWER_LEEWAY: Final = 1.0
"""Seconds by which the clock of another process may be ahead, for its answers to be believed."""
SEAL_NONCE_BYTES: Final = 12
"""Of AES-GCM (NIST SP 800-38D, section 8.2.2); each name has a key of its own, so few values share one."""

# -- breakers ------------------------------------------------------------------------------------
BREAKER_FAILURES: Final = 5
BREAKER_FIRST_REST: Final = 1.0
BREAKER_LONGEST_REST: Final = 30.0
