"""Causes of refused proofs and certificates: what a token is bound to, and what the request shows of it."""

from __future__ import annotations

from bearerguard.explain.issuers import path_of
from bearerguard.explain.situation import Cause, Situation, date_in, duration, shown

__all__: list[str] = []


def proof_for_another_address(situation: Situation) -> Cause | None:
    """A proxy takes a prefix away, or the public address is another than the client's."""
    htu = situation.proof.get("htu")
    if not situation.is_refused_for("proof_url") or not isinstance(htu, str):
        return None
    request = situation.request
    target = None if request is None else (request.url or (request.target or b"").decode("latin-1"))
    here, there = path_of(target or ""), path_of(htu)
    prefix = there.removesuffix(here) if here and there.endswith(here) else ""
    if prefix:
        return Cause(
            f"The proof is for {shown(htu)}, and the request arrived as {shown(here)}: a proxy takes the "
            f"prefix {shown(prefix)} away.",
            "Write DPoP(base_url=...) with the public address and this prefix.",
        )
    return Cause(
        f"The proof is for {shown(htu)}, and the request is for {shown(target or '')}.",
        "Write DPoP(base_url=...) with the public address by which clients reach this API.",
    )


def bound_token_as_bearer(situation: Situation) -> Cause | None:
    """Its key has to be proven."""
    if not situation.is_refused_for("sender_constrained"):
        return None
    if situation.request is None:
        return Cause(
            "The token is bound to a key, and a token by itself proves nothing about that.",
            "Give the whole request, as Request(method, url, headers), with the proof or the certificate.",
        )
    return Cause(
        "The token is bound to a key, and the request does not prove that it has it.",
        "Have the client send 'Authorization: DPoP <token>' with a proof; and give the server dpop=DPoP(), "
        "or certificate=... for tokens that are bound to a certificate.",
    )


def token_that_is_not_bound(situation: Situation) -> Cause | None:
    """Sent as DPoP, or asked for by `bound()`, and there is no key in it."""
    if not situation.is_refused_for("not_bound"):
        return None
    return Cause(
        "The token is not bound to a key of the client: its cnf has none that was proven.",
        "Have the client send a DPoP proof, or show its certificate, when it asks the provider for the "
        "token; "
        "some providers have to be told that it may.",
    )


def proof_that_did_not_come(situation: Situation) -> Cause | None:
    """The scheme is DPoP, without a proof."""
    if not situation.is_refused_for("proof_missing"):
        return None
    return Cause(
        "The request has no DPoP header with a proof.",
        "Have the client send a new proof with each request; if it does, look for a proxy, or CORS settings, "
        "that "
        "keep the DPoP header out.",
    )


def proof_of_another_key(situation: Situation) -> Cause | None:
    """The client has a new key, or somebody else has the token."""
    if not situation.is_refused_for("key_binding"):
        return None
    return Cause(
        "The proof is of another key than the token is bound to: the client has made a new one since, or "
        "somebody "
        "else has its token.",
        "Have the client keep its key as long as its token, and get a new token for a new key.",
    )


def proof_for_another_method(situation: Situation) -> Cause | None:
    """`htm` is the method, in capitals."""
    method = None if situation.request is None else situation.request.method
    if not situation.is_refused_for("proof_method"):
        return None
    return Cause(
        f"The proof is for the method {shown(situation.proof.get('htm'))}, and that of the "
        f"request is {shown(method)}.",
        "Have the client make a proof for each request, with its method in capitals.",
    )


def proof_of_another_time(situation: Situation) -> Cause | None:
    """Made too long ago, or by a clock that is ahead."""
    made_at = date_in(situation.proof, "iat")
    if not situation.is_refused_for("proof_expired", "proof_in_future") or made_at is None:
        return None
    where = "ago" if made_at <= situation.now else "from now"
    return Cause(
        f"The proof was made {duration(made_at - situation.now)} {where}, by the clock of this API.",
        "Have the client make a proof for each request. If it does, a clock is wrong: set it by NTP, or "
        "write "
        "DPoP(nonce=...), which does without the client's clock.",
    )


def proof_for_another_token(situation: Situation) -> Cause | None:
    """`ath` is the hash of the token beside it."""
    if not situation.is_refused_for("proof_token_hash"):
        return None
    return Cause(
        "The proof goes with another token: the client has a new one, and has kept the proof of the old.",
        "Have the client make a proof for each request, with the ath of the token that it sends.",
    )


def proof_that_was_used(situation: Situation) -> Cause | None:
    """The same request again."""
    if not situation.is_refused_for("proof_replayed"):
        return None
    return Cause(
        "The proof was used before: the request is a repetition of another.",
        "Have the client make a new proof where it tries again, and see that no proxy repeats requests.",
    )


def nonce_that_is_asked_for(situation: Situation) -> Cause | None:
    """The first request of a client, or one with a nonce that is too old."""
    if not situation.is_refused_for("nonce_missing", "nonce"):
        return None
    what = "has none" if situation.is_refused_for("nonce_missing") else "has one that is not of now"
    return Cause(
        f"The API asks for a nonce, and the proof {what}.",
        "Clients repeat the request with the DPoP-Nonce of the answer, and this is then over. If it is not, "
        "the "
        "processes of the API have different secrets: give DPoP(nonce=...) the same.",
    )


def certificate_that_did_not_come(situation: Situation) -> Cause | None:
    """The proxy passes none on, or is not believed."""
    if not situation.is_refused_for("certificate_missing"):
        return None
    return Cause(
        "The token is bound to a client certificate, and none came with the request that may be believed.",
        "Have the proxy ask clients for a certificate and pass it on in its field, and name the proxy in "
        "ClientCertificate.from_proxy(..., peers=...).",
    )


def certificate_of_somebody_else(situation: Situation) -> Cause | None:
    """Renewed since, or the proxy's own."""
    if not situation.is_refused_for("certificate"):
        return None
    return Cause(
        "The request shows another certificate than the token is bound to: the client's was renewed since, "
        "or it "
        "is that of a proxy.",
        "Have the client get a new token with its new certificate; see that the proxy passes on the "
        "client's, not "
        "its own.",
    )


BINDING_CAUSES = (
    proof_for_another_address,
    bound_token_as_bearer,
    token_that_is_not_bound,
    proof_that_did_not_come,
    proof_of_another_key,
    proof_for_another_method,
    proof_of_another_time,
    proof_for_another_token,
    proof_that_was_used,
    nonce_that_is_asked_for,
    certificate_that_did_not_come,
    certificate_of_somebody_else,
)
