"""What a client is told about its proof, word for word: each sentence of the documentation, by a request.

As `test_sentences`, which has those about tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bearerguard import AuthError, DPoP, bound
from bearerguard._core.dpop_nonce import Nonces
from bearerguard.asgi import Guard
from bearerguard.stores import MemoryReplayStore, ReplayKey
from bearerguard.stores.redis import RedisStore
from tests import proofs
from tests.hostile import minting
from tests.hostile.minting import ABSENT, NOW
from tests.stores.engines import free_port

Attempt = Callable[[], object]
SECRET = "s" * 32


def sending(*sent: str | bytes, dpop: DPoP | None = None, **presented: Any) -> Attempt:
    """Send a request with these proofs."""
    return lambda: proofs.server(dpop).authenticate(proofs.request(*sent, **presented))


def saying(**changes: Any) -> Attempt:
    """Send a proof that is good but for these claims."""
    return sending(proofs.proof(**changes))


def headed(**members: Any) -> Attempt:
    """Send a proof that is good but for these members of its header."""
    return sending(proofs.proof(head=members))


def twice() -> object:
    server, sent = proofs.server(), proofs.proof()
    server.authenticate(proofs.request(sent))
    return server.authenticate(proofs.request(sent))


def asking(rule: Any) -> Attempt:
    guard = Guard(minting.server())
    return lambda: guard.allow(rule, guard.server.verify(proofs.PLAIN))


def noting(**limits: int) -> Attempt:
    def note() -> None:
        store = MemoryReplayStore(lambda: NOW, **limits)
        for digest in (b"1", b"2"):
            store.add(ReplayKey("a", digest), 60)

    return note


def while_the_store_is_away() -> object:
    """Send a good proof where the fleet notes proofs in a store that nobody reaches."""
    store = RedisStore(f"redis://127.0.0.1:{free_port()}", timeout=5)
    return proofs.server(store=store).authenticate(proofs.request(proofs.proof()))


def with_nonce(nonce: Any) -> Attempt:
    return sending(proofs.proof(nonce=nonce), dpop=DPoP(nonce=SECRET))


BEARER_AT = {"scheme": "Bearer", "token": proofs.PLAIN}
LONG_RSA = {"kty": "RSA", "e": "AQAB", "n": "_" * 684}

SENTENCES: Mapping[str, tuple[str, list[Attempt]]] = {
    "A Bearer token will not do: use DPoP, with a proof.": (
        "proof_required",
        [sending(dpop=DPoP(required=True), **BEARER_AT)],
    ),
    "The Authorization header must start with 'Bearer ' or 'DPoP '.": (
        "other_scheme",
        [sending(scheme="Basic")],
    ),
    "There is no token after 'DPoP '.": ("malformed_header", [sending(token="")]),
    "There is more than one token after 'DPoP '.": ("malformed_header", [sending(token="a b")]),
    "The token is bound to another key than that of the proof.": (
        "key_binding",
        [sending(proofs.proof(key=proofs.THIEF))],
    ),
    "The token is not bound to a key: it cannot be used with DPoP.": (
        "not_bound",
        [sending(proofs.proof(proofs.PLAIN), token=proofs.PLAIN)],
    ),
    "The token is not bound as it has to be here.": ("not_bound", [asking(bound()), asking(bound("dpop"))]),
    "The token's 'cnf' claim is malformed.": (
        "invalid_claim",
        [sending(proofs.proof(), token=minting.token(cnf={"jkt": jkt})) for jkt in ("x", 1, None, "x" * 42)],
    ),
    "The DPoP header with the proof is missing.": ("proof_missing", [sending()]),
    "There is more than one DPoP proof.": (
        "proof_repeated",
        [sending(proofs.proof(), proofs.proof()), sending("a,b"), sending("", "")],
    ),
    "The DPoP proof is too long.": ("proof_malformed", [saying(x="x" * 8192)]),
    "The DPoP proof is not a JWT: it does not have three parts.": ("proof_malformed", [sending("a.b")]),
    "The DPoP proof's header is not a base64url JSON object.": (
        "proof_malformed",
        [sending("a.b.c"), sending(proofs.proof(head=b"[]"))],
    ),
    "The DPoP proof's payload is not a base64url JSON object.": (
        "proof_malformed",
        [sending(proofs.proof(body=b"[]")), sending(proofs.proof(body=b"{"))],
    ),
    "The DPoP proof's signature is not base64url.": ("proof_malformed", [sending(proofs.proof() + "=")]),
    "The DPoP proof's header names a member twice.": (
        "proof_malformed",
        [sending(proofs.proof(head=minting.text(proofs.header())[:-1] + b', "alg": "ES256"}'))],
    ),
    "The DPoP proof's payload names a member twice.": (
        "proof_malformed",
        [sending(proofs.proof(body=minting.text(proofs.claims())[:-1] + b', "htm": "GET"}'))],
    ),
    "The DPoP proof's typ is not 'dpop+jwt'.": ("proof_type", [headed(typ="JWT"), headed(typ=ABSENT)]),
    "The DPoP proof's alg is not one that is accepted here.": (
        "proof_algorithm",
        [headed(alg="none"), headed(alg=ABSENT), headed(alg=["ES256"])],
    ),
    "The DPoP proof has a critical extension.": (
        "proof_algorithm",
        [headed(crit=["b64"]), headed(b64=1)],
    ),
    "The DPoP proof has no jwk, or it is not an object.": (
        "proof_key",
        [headed(jwk=ABSENT), headed(jwk="x")],
    ),
    "The DPoP proof's RSA key is too long.": ("proof_key", [headed(alg="PS256", jwk=LONG_RSA)]),
    "The DPoP proof's jwk is not a valid public key.": (
        "proof_key",
        [headed(jwk={**proofs.jwk(proofs.KEY), "d": "AA"}), headed(jwk={})],
    ),
    "The DPoP proof's jwk is not for its alg.": ("proof_key", [headed(alg="ES384")]),
    "The DPoP proof's signature is not that of its key.": (
        "proof_signature",
        [sending(proofs.proof(key=proofs.THIEF, head={"jwk": proofs.jwk(proofs.KEY)}))],
    ),
    "The DPoP proof's jti is not text of 1 to 256 characters.": (
        "proof_claims",
        [saying(jti=jti) for jti in (ABSENT, "", 7, "x" * 257)],
    ),
    "The DPoP proof's iat is not a date.": ("proof_claims", [saying(iat=ABSENT), saying(iat="1")]),
    "The DPoP proof is for another method: see its htm.": ("proof_method", [saying(htm="get")]),
    "The DPoP proof is for another address: see its htu.": ("proof_url", [saying(htu=f"{proofs.URL}/1")]),
    "The DPoP proof is too old: see its iat.": ("proof_expired", [saying(iat=NOW - 61)]),
    "The DPoP proof has expired: see its exp.": ("proof_expired", [saying(exp=NOW), saying(exp="soon")]),
    "The DPoP proof's nbf is not a date.": ("proof_expired", [saying(nbf=True)]),
    "The DPoP proof is from the future: see its iat.": ("proof_in_future", [saying(iat=NOW + 16)]),
    "The DPoP proof is not valid yet: see its nbf.": ("proof_in_future", [saying(nbf=NOW + 16)]),
    "The DPoP proof is for another token: see its ath.": ("proof_token_hash", [saying(ath="x")]),
    "The DPoP proof was used before: each is good once.": ("proof_replayed", [twice]),
    "The DPoP proof needs a nonce.": ("nonce_missing", [with_nonce(ABSENT), with_nonce(None)]),
    "The DPoP proof's nonce is not good any more.": (
        "nonce",
        [with_nonce("x"), with_nonce(7), with_nonce(Nonces(SECRET.encode()).newest(NOW - 360))],
    ),
    "This key has signed too many proofs lately.": ("too_many_proofs", [noting(max_proofs_of_a_key=1)]),
    "Proofs cannot be noted right now.": ("replay_store", [while_the_store_is_away]),
    "No further proof can be noted right now.": ("replay_store", [noting(max_proofs=1)]),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_refusal_says_what_the_documentation_says_it_says(sentence: str) -> None:
    reason, attempts = SENTENCES[sentence]
    for attempt in attempts:
        with pytest.raises(AuthError) as refusal:
            attempt()
        assert (refusal.value.reason, refusal.value.description) == (reason, sentence)
