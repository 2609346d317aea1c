"""One DPoP proof: a JWT by which a client shows, for one request, that it has a key (RFC 9449 section 4).

The key comes with the proof, so a proof shows nothing by itself: the caller compares its thumbprint with what
the token is bound to. Everything is strict, as it is the client's word alone: one key has one text. Nothing
here knows a token, a clock or what was seen before.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from bearerguard._core.htu import is_for
from bearerguard._jose import base64url
from bearerguard._jose.algorithms import Verify
from bearerguard._jose.jose_error import JoseError
from bearerguard._jose.json_object import decode_object, names_a_member_twice
from bearerguard._jose.jwk import UnusableKey, import_exact_jwk
from bearerguard._jose.jws import media_type, split
from bearerguard._limits import (
    MAX_JTI_CHARACTERS,
    MAX_NUMERIC_DATE,
    MAX_PROOF_BYTES,
    MAX_PROOF_RSA_CHARACTERS,
    PROOF_LEEWAY,
)
from bearerguard.errors import InvalidDPoPProof

_COMMA = ord(",")


class Proof(Struct, frozen=True, gc=False):
    """A proof taken apart, still encoded."""

    header: bytes
    payload: bytes
    signature: bytes
    signing_input: bytes


class ProofKey(Struct, frozen=True, gc=False):
    """The key that a proof's header names, ready to verify.

    Attributes:
        thumbprint: SHA-256, base64url (RFC 7638).
        verify: the check of a signature under the header's algorithm.
    """

    thumbprint: str
    verify: Verify


class Expected(Struct, frozen=True, gc=False):
    """What a proof has to say.

    Attributes:
        method: the method of the request.
        address: its public address, in its one form.
        token_hash: base64url of the token's SHA-256; None where no token is presented, as where one is asked
            for (RFC 9449, section 5).
        now: in seconds since 1970.
        max_age: for how long a proof is good, in seconds; None where a nonce says so.
    """

    method: str | None
    address: str | None
    token_hash: str | None
    now: float
    max_age: float | None


def the_proof_in(values: list[bytes]) -> Proof:
    """Return the one proof of a request (RFC 9449, section 4.3, check 1).

    Args:
        values: those of its `DPoP` fields. Some servers join two by a comma.

    Raises:
        InvalidDPoPProof: `proof_missing`, `proof_repeated` or `proof_malformed`.
    """
    if not values:
        raise InvalidDPoPProof("proof_missing", "The DPoP header with the proof is missing.")
    value = values[0]
    if len(values) > 1 or _COMMA in value:
        raise InvalidDPoPProof("proof_repeated", "There is more than one DPoP proof.")
    if len(value) > MAX_PROOF_BYTES:
        raise InvalidDPoPProof("proof_malformed", "The DPoP proof is too long.")
    try:
        header, payload, signature, signing_input = split(value.strip(b" \t"))
    except JoseError as error:
        raise InvalidDPoPProof("proof_malformed", error.said_of("The DPoP proof")) from None
    return Proof(header, payload, signature, signing_input)


def key_of(header: bytes, algorithms: frozenset[str]) -> ProofKey:
    """Return the key that a proof's header names (RFC 9449, section 4.2; section 4.3, checks 3 to 7).

    Other members that could name a key (`kid`, `jku`, `x5u`, `x5c`) are ignored, as unknown ones are.

    Args:
        header: the proof's first part.
        algorithms: which are accepted; asymmetric ones.

    Raises:
        InvalidDPoPProof: `proof_malformed`, `proof_type`, `proof_algorithm` or `proof_key`.
    """
    members = _object(header, "header")
    typ = members.get("typ")
    if not isinstance(typ, str) or media_type(typ) != "dpop+jwt":
        raise InvalidDPoPProof("proof_type", "The DPoP proof's typ is not 'dpop+jwt'.")
    alg = members.get("alg")
    if alg.__class__ is not str or alg not in algorithms:
        raise InvalidDPoPProof("proof_algorithm", "The DPoP proof's alg is not one that is accepted here.")
    if "crit" in members or "b64" in members:  # RFC 7515, section 4.1.11; RFC 7797, section 3
        raise InvalidDPoPProof("proof_algorithm", "The DPoP proof has a critical extension.")
    jwk = members.get("jwk")
    if not isinstance(jwk, dict):
        raise InvalidDPoPProof("proof_key", "The DPoP proof has no jwk, or it is not an object.")
    modulus = jwk.get("n")
    if isinstance(modulus, str) and len(modulus) > MAX_PROOF_RSA_CHARACTERS:  # a check of it would be slow
        raise InvalidDPoPProof("proof_key", "The DPoP proof's RSA key is too long.")
    try:
        key = import_exact_jwk(jwk, alg)
    except UnusableKey:
        raise InvalidDPoPProof("proof_key", "The DPoP proof's jwk is not a valid public key.") from None
    verify = key.verifiers.get(alg)
    if verify is None:
        raise InvalidDPoPProof("proof_key", "The DPoP proof's jwk is not for its alg.")
    return ProofKey(key.thumbprint, verify)


def claims_of(payload: bytes, expected: Expected) -> dict[str, Any]:
    """Return the claims of a proof that says what it should; the nonce and the signature are not checked.

    RFC 9449, section 4.2; section 4.3, checks 8 to 12; section 11.1.

    Args:
        payload: the proof's second part.
        expected: what it has to say.

    Raises:
        InvalidDPoPProof: `proof_malformed`, `proof_claims`, `proof_method`, `proof_url`, `proof_expired`,
            `proof_in_future` or `proof_token_hash`.
    """
    claims = _object(payload, "payload")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_CHARACTERS:
        raise InvalidDPoPProof(
            "proof_claims", f"The DPoP proof's jti is not text of 1 to {MAX_JTI_CHARACTERS} characters."
        )
    if not _is_date(claims.get("iat")):
        raise InvalidDPoPProof("proof_claims", "The DPoP proof's iat is not a date.")
    if expected.method is None or claims.get("htm") != expected.method:  # in the case in which it was sent
        raise InvalidDPoPProof("proof_method", "The DPoP proof is for another method: see its htm.")
    htu = claims.get("htu")
    if expected.address is None or not isinstance(htu, str) or not is_for(htu, expected.address):
        raise InvalidDPoPProof("proof_url", "The DPoP proof is for another address: see its htu.")
    _check_times(claims, expected)
    if claims.get("ath") != expected.token_hash:
        raise InvalidDPoPProof("proof_token_hash", "The DPoP proof is for another token: see its ath.")
    return claims


def check_signature(proof: Proof, key: ProofKey) -> None:
    """The signature is the key's (RFC 9449, section 4.3, check 7).

    Raises:
        InvalidDPoPProof: `proof_malformed` or `proof_signature`.
    """
    try:
        signature = base64url.decode(proof.signature)
    except ValueError:
        raise InvalidDPoPProof("proof_malformed", "The DPoP proof's signature is not base64url.") from None
    if not key.verify(signature, proof.signing_input):
        raise InvalidDPoPProof("proof_signature", "The DPoP proof's signature is not that of its key.")


def _check_times(claims: dict[str, Any], expected: Expected) -> None:
    """`iat` (RFC 9449, section 4.3, check 11); `exp` and `nbf` where they are there (RFC 7519, section 4.1).

    With a nonce the age is the nonce's, and `iat` may be of a clock that is wrong.
    """
    now, max_age = expected.now, expected.max_age
    issued_at, latest = claims["iat"], now + PROOF_LEEWAY
    if max_age is not None:
        if not now <= issued_at + max_age:
            raise InvalidDPoPProof("proof_expired", "The DPoP proof is too old: see its iat.")
        if not issued_at <= latest:
            raise InvalidDPoPProof("proof_in_future", "The DPoP proof is from the future: see its iat.")
    if "exp" in claims and not (_is_date(claims["exp"]) and now < claims["exp"]):
        raise InvalidDPoPProof("proof_expired", "The DPoP proof has expired: see its exp.")
    if "nbf" in claims:
        if not _is_date(claims["nbf"]):
            raise InvalidDPoPProof("proof_expired", "The DPoP proof's nbf is not a date.")
        if not claims["nbf"] <= latest:
            raise InvalidDPoPProof("proof_in_future", "The DPoP proof is not valid yet: see its nbf.")


def _object(segment: bytes, part: str) -> dict[str, Any]:
    try:
        text = base64url.decode(segment)
        members = decode_object(text)
    except ValueError:
        raise InvalidDPoPProof(
            "proof_malformed", f"The DPoP proof's {part} is not a base64url JSON object."
        ) from None
    if names_a_member_twice(text, members):
        raise InvalidDPoPProof("proof_malformed", f"The DPoP proof's {part} names a member twice.")
    return members


def _is_date(value: Any) -> bool:
    return (value.__class__ is int or value.__class__ is float) and (
        -MAX_NUMERIC_DATE <= value <= MAX_NUMERIC_DATE
    )
