"""Tokens that a load balancer signs, which are written otherwise than JWTs are.

The header of AWS's names its signer (`signer`), and has `exp`, `iss` and `client` in place of the payload;
its parts are base64url with padding, which RFC 7515 (section 2) leaves out. Only where a provider has a
`signer` is a token read so, and only one whose header names it: all others go the way of `Pipeline`. No
verdict is remembered here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bearerguard._core.claims import ClaimsSet
from bearerguard._core.shared_bound import SharedBound
from bearerguard._flows.binding import Binding, Presented
from bearerguard._flows.effects import AnswerSource, KeySource
from bearerguard._flows.jwt import Deciding, SameIssuer, Verdict
from bearerguard._flows.pipeline import Pipeline, Stages, tell
from bearerguard._flows.trust import OneVerifier, one_of, verifier_of
from bearerguard._jose import base64url
from bearerguard._jose.hashing import sha256_of
from bearerguard._jose.jose_error import JoseError
from bearerguard._jose.json_object import decode_small_object
from bearerguard._jose.jws import Header, parse_header
from bearerguard.errors import AuthError, InvalidToken
from bearerguard.provider import Provider
from bearerguard.request import Incoming
from bearerguard.token import REMEMBERED, AccessToken, kept_of

if TYPE_CHECKING:
    from bearerguard._flows.revocation import Revoked

_IN_THE_HEADER = ("exp", "iss", "client")


class SignerPipeline(Pipeline):
    """Admits the tokens of load balancers, and all others as `Pipeline` does. Arguments as for it."""

    def __init__(  # noqa: PLR0917 - in the order of the stages; most are left out
        self,
        trusted: Iterable[tuple[Provider, KeySource]],
        clock: Callable[[], float],
        binding: Binding | None = None,
        asked: Mapping[str, AnswerSource] | None = None,
        memory: SharedBound = REMEMBERED,
        revoked: Revoked | None = None,
    ) -> None:
        trusted = tuple(trusted)
        plain = [one for one in trusted if one[0].signer is None]
        super().__init__(plain, clock, binding, asked, memory, revoked)
        self._trusted = trusted
        self.providers = tuple(provider for provider, _ in trusted)
        signers: dict[str, list[OneVerifier]] = {}
        for provider, source in trusted:
            if provider.signer is not None:
                signers.setdefault(provider.signer, []).append(verifier_of(provider, source, clock))
        self._signers = {signer: one_of(same) for signer, same in signers.items()}

    def _admit_new(
        self, raw: bytes, request: Incoming | None, scheme: str, resource: str | None, now: float
    ) -> AccessToken | Stages:
        members = _header_of(raw)
        signer = None if members is None else members.get("signer")
        verifier = self._signers.get(signer) if isinstance(signer, str) else None
        if members is None or verifier is None:
            return super()._admit_new(raw, request, scheme, resource, now)
        return self._decide(Presented(raw, request, scheme, resource), members, verifier, now)

    def _decide(
        self, presented: Presented, members: dict[str, Any], verifier: OneVerifier | SameIssuer, now: float
    ) -> AccessToken | Stages:
        raw = presented.token
        signing_input, _, tail = raw.rpartition(b".")
        head, _, body = signing_input.partition(b".")
        try:
            header = parse_header(_unpadded(head))
            claims = decode_small_object(base64url.decode(_unpadded(body)))
            signature = base64url.decode(_unpadded(tail))
        except JoseError as error:
            raise InvalidToken(error.reason, error.said_of("The token")) from None
        except ValueError:
            raise InvalidToken("malformed", "The token's payload or signature is not base64url.") from None
        if claims is None:
            raise InvalidToken("malformed", "The token's payload has too many arrays and objects.")
        claims |= {name: members[name] for name in _IN_THE_HEADER if name in members}
        parts = (header, claims, b"", signing_input, signature, sha256_of(signing_input), now)
        try:
            outcome = verifier.decide(*parts)
            if not isinstance(outcome, Verdict):
                return self._after(outcome, presented, header, claims, verifier)
            outcome.kept = kept_of(claims)
            return self._admit_by(outcome, presented, now, kid=header.kid)
        except AuthError as error:
            tell(error, header, verifier)
            raise

    def _after(
        self,
        deciding: Deciding,
        presented: Presented,
        header: Header,
        claims: ClaimsSet,
        verifier: OneVerifier | SameIssuer,
    ) -> Stages:
        try:
            verdict = yield from deciding
            verdict.kept = kept_of(claims)
            token = AccessToken(presented.token, verdict, verdict.since)
            return (yield from self._granted(token, verdict, presented))
        except AuthError as error:
            tell(error, header, verifier)
            raise


def _header_of(raw: bytes) -> dict[str, Any] | None:
    """The members of a header, with padding or without; None where it is not one."""
    try:
        return decode_small_object(base64url.decode(_unpadded(raw.partition(b".")[0])))
    except ValueError:
        return None


def _unpadded(text: bytes) -> bytes:
    """Base64url without its padding (RFC 4648, section 3.2), of which there must be as much as belongs there.

    Raises:
        ValueError: there is another number of `=`.
    """
    bare = text.rstrip(b"=")
    if len(bare) < len(text) and (len(text) % 4 or len(text) - len(bare) > 2):
        raise ValueError("not base64url")
    return bare


def pipeline_of(
    trusted: Iterable[tuple[Provider, KeySource]],
    clock: Callable[[], float],
    binding: Binding | None = None,
    asked: Mapping[str, AnswerSource] | None = None,
    revoked: Revoked | None = None,
) -> Pipeline:
    """Return what admits the tokens of some providers, of whatever kind they are."""
    trusted = tuple(trusted)
    has_signers = any(provider.signer is not None for provider, _ in trusted)
    kind = SignerPipeline if has_signers else Pipeline
    return kind(trusted, clock, binding, asked, REMEMBERED, revoked)
