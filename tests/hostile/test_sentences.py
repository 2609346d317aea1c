"""What a client is told, word for word: each sentence of the documentation, by a request that gets it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bearerguard import RFC9068, AuthError, ClientCertificate, Request, ResourceServer, Revocation
from tests.certificates import certificate_der, x5t_s256
from tests.challenge import challenge_of
from tests.hostile import minting
from tests.hostile.minting import ABSENT, NOW
from tests.hostile.test_answer_sentences import SENTENCES as ANSWER_SENTENCES
from tests.hostile.test_proof_sentences import SENTENCES as PROOF_SENTENCES
from tests.proxies_writing import byte_sequence

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
CERTIFICATE = certificate_der()
TOKEN = minting.token()
HEAD, BODY, TAIL = TOKEN.split(".")

Attempt = Callable[[], object]


def verifying(token: Any, **overrides: Any) -> Attempt:
    """Verify a token at a server whose provider is valid but for the overrides."""
    return lambda: minting.server(**overrides).verify(token)


def carrying(*values: bytes) -> Attempt:
    """Authenticate a request with these Authorization fields."""
    return lambda: minting.server().authenticate([(b"authorization", value) for value in values])


def with_claims(**claims: Any) -> Attempt:
    return verifying(minting.token(**claims))


def with_header(**members: Any) -> Attempt:
    return verifying(minting.token(header=members))


def showing(field: bytes | None, *more: bytes) -> Attempt:
    """Present a token that is bound to a certificate, with what a proxy says was shown."""
    token = minting.token(cnf={"x5t#S256": x5t_s256(CERTIFICATE)})
    fields = [(b"client-cert", value) for value in (field, *more) if value is not None]
    request = Request(
        "GET",
        "https://api.test/",
        [(b"Authorization", b"Bearer " + token.encode()), *fields],
        peer="10.0.0.5",
    )
    source = ClientCertificate.from_proxy("rfc9440", peers="10.0.0.5")
    provider = minting.issuer.provider(keys=minting.issuer.jwks())
    server = ResourceServer(provider, clock=minting.issuer.clock, certificate=source)
    return lambda: server.authenticate(request)


def revoking(token: str) -> Attempt:
    """Verify a token where its subject is revoked."""
    provider = minting.issuer.provider(keys=minting.issuer.jwks())
    server = ResourceServer(provider, clock=minting.issuer.clock, revocation=Revocation())
    server.revoke(subject=minting.CLAIMS["sub"])
    return lambda: server.verify(token)


def unheard() -> object:
    """Verify a token where so much was revoked that one may be missing."""
    provider = minting.issuer.provider(keys=minting.issuer.jwks())
    server = ResourceServer(provider, clock=minting.issuer.clock, revocation=Revocation())
    kept = server._revocations
    assert kept is not None
    kept.list._limit = 0  # as a million that are there
    return server.verify(TOKEN)


def out_of_reach() -> object:
    def fail() -> None:
        raise OSError

    return ResourceServer(minting.issuer.provider(keys=fail), clock=minting.issuer.clock).verify(TOKEN)


SENTENCES: Mapping[str, tuple[str, list[Attempt]]] = {
    "The Authorization header is missing.": ("no_credentials", [carrying()]),
    "The Authorization header must start with 'Bearer '.": ("other_scheme", [carrying(b"Basic dTpw")]),
    "There is more than one Authorization header.": ("repeated_header", [carrying(b"", b"")]),
    "There is no token after 'Bearer '.": ("malformed_header", [carrying(b"Bearer"), carrying(b"Bearer   ")]),
    "There is more than one token after 'Bearer '.": (
        "malformed_header",
        [carrying(b"Bearer a b"), carrying(b"Bearer a,b"), carrying(b"Bearer a\tb")],
    ),
    "The token is too long.": (
        "too_large",
        [verifying("a" * 16_385), verifying("\xe9" * 16_385), carrying(b"Bearer " + b"a" * 16_385)],
    ),
    "The token contains non-ASCII characters.": (
        "malformed",
        [
            verifying("\xe9"),
            *(
                verifying(TOKEN.replace(".", "\u2028.", dots).replace("\u2028", "", dots - 1))
                for dots in (1, 2)
            ),
            verifying(f"{TOKEN}\u2028"),
            carrying(b"Bearer \xe9"),
        ],
    ),
    "The token is not text.": ("malformed", [verifying(None), verifying(b"a"), verifying(1)]),
    "The token is not a JWT: it has no dots (an opaque token, perhaps).": (
        "malformed",
        [verifying("opaque")],
    ),
    "The token is not a JWT: it does not have three parts.": (
        "malformed",
        [verifying("a.b"), verifying("a.b.c.d"), verifying("a.b.c.d.e.f")],
    ),
    "The token is encrypted (JWE), which is not supported.": ("encrypted", [verifying("a.b.c.d.e")]),
    "The token's header is not a base64url JSON object.": (
        "malformed",
        [verifying(f"@.{BODY}.{TAIL}"), verifying(f"W10.{BODY}.{TAIL}")],
    ),
    "The token's header has no alg, or its alg is not a string.": (
        "malformed",
        [with_header(alg=ABSENT), with_header(alg=1)],
    ),
    "The token's header has a critical extension that is not supported.": (
        "critical",
        [with_header(crit=["exp"])],
    ),
    "The token's header has 'b64', which is not supported.": ("critical", [with_header(b64=True)]),
    "The token's header has 'enc', which is not supported.": ("critical", [with_header(enc="A128GCM")]),
    "The token's kid is not a string, or too long.": (
        "malformed",
        [with_header(kid=1), with_header(kid="k" * 513)],
    ),
    "The token's typ is not a string.": ("malformed", [with_header(typ=1)]),
    "The token contains another token, which is not supported.": (
        "type",
        [with_header(cty="JWT"), with_header(cty=1)],
    ),
    "The token's payload is not a base64url JSON object.": (
        "malformed",
        [verifying(f"{HEAD}.@.{TAIL}"), verifying(f"{HEAD}.W10.{TAIL}")],
    ),
    "The token's signature is not base64url.": ("malformed", [verifying(f"{HEAD}.{BODY}.@")]),
    "The token has no 'iss' claim.": ("missing_claim", [with_claims(iss=ABSENT)]),
    "The token's 'iss' claim is malformed.": ("invalid_claim", [with_claims(iss=1)]),
    "The signing keys of the token's issuer are unavailable right now.": (
        "provider_unavailable",
        [out_of_reach],
    ),
    "The token has no 'exp' claim.": ("missing_claim", [with_claims(exp=ABSENT)]),
    "The token has expired.": ("expired", [with_claims(exp=NOW - 301)]),
    "The token expired 12 s ago.": ("expired", [with_claims(exp=NOW - 12)]),
    "The token is not valid yet: it will be in 42 s.": ("not_yet_valid", [with_claims(nbf=NOW + 42)]),
    "The token was issued 60 min in the future.": ("not_yet_valid", [with_claims(iat=NOW + 3600)]),
    "The token was issued 42 s in the future.": ("not_yet_valid", [with_claims(iat=NOW + 42)]),
    "The token's 'exp' claim is not a date.": ("invalid_claim", [with_claims(exp="1")]),
    "The token's 'nbf' claim is not a date.": ("invalid_claim", [with_claims(nbf="1")]),
    "The token's 'iat' claim is not a date.": ("invalid_claim", [with_claims(iat="1")]),
    "The token has no 'aud' claim.": ("missing_claim", [with_claims(aud=ABSENT)]),
    "The token's 'aud' claim is malformed.": ("invalid_claim", [with_claims(aud=1), with_claims(aud=[1])]),
    "The token is meant for another audience.": ("audience", [with_claims(aud="x"), with_claims(aud=["x"])]),
    "The token's 'sub' claim is malformed.": ("invalid_claim", [with_claims(sub=1)]),
    "The token's 'jti' claim is malformed.": ("invalid_claim", [with_claims(jti=1)]),
    "The token's 'client_id' claim is malformed.": (
        "invalid_claim",
        [verifying(minting.token(client_id=1), profile=RFC9068)],
    ),
    "The token has no 'tenant' claim.": (
        "missing_claim",
        [verifying(TOKEN, required_claims={"tenant": "a"})],
    ),
    "The token's 'tenant' claim has a value that is not accepted.": (
        "invalid_claim",
        [verifying(minting.token(tenant="b"), required_claims={"tenant": "a"})],
    ),
    "The token is not an access token: it is an ID token.": (
        "type",
        [verifying(minting.token(header={"typ": "JWT"}, at_hash="x"))],
    ),
    "The token is bound to a key, and cannot be used as Bearer.": (
        "sender_constrained",
        [with_claims(cnf={})],
    ),
    "The token was revoked.": ("revoked", [revoking(TOKEN)]),
    "The token was issued more than 48 h ago.": (
        "too_old",
        [revoking(minting.token(iat=NOW - 48 * 3600, nbf=ABSENT))],
    ),
    "The token does not say when it was issued ('iat').": ("too_old", [revoking(minting.token(iat=ABSENT))]),
    "Whether the token was revoked cannot be told right now.": ("revocation_store", [unheard]),
    "The token is bound to a client certificate, and none was shown.": (
        "certificate_missing",
        [showing(None)],
    ),
    "The token is bound to another client certificate.": (
        "certificate",
        [showing(byte_sequence(certificate_der("other.test")))],
    ),
    "The client certificate cannot be read.": (
        "certificate",
        [showing(b""), showing(b"::"), showing(*[byte_sequence(CERTIFICATE)] * 2)],
    ),
}


NOT_TRUSTED = "The token was not issued by a provider that this API trusts."
"""One sentence for all of these, so that unsigned junk does not tell which issuers are trusted."""
REASONS_NOT_TO_TRUST: Mapping[str, Attempt] = {
    "issuer": with_claims(iss="x"),
    "algorithm": with_header(alg="HS256"),
    "type": with_header(typ="dpop+jwt"),
    "unknown_key": with_header(kid="x"),
    "signature": verifying(f"{HEAD}.{BODY}.AAAA"),
}


@pytest.mark.parametrize("reason", REASONS_NOT_TO_TRUST)
def test_a_client_is_not_told_which_issuers_are_trusted(reason: str) -> None:
    with pytest.raises(AuthError) as refusal:
        REASONS_NOT_TO_TRUST[reason]()
    assert (refusal.value.reason, refusal.value.code, refusal.value.description) == (
        reason,
        "invalid_token",
        NOT_TRUSTED,
    )
    assert challenge_of(refusal.value) == f'Bearer error="invalid_token", error_description="{NOT_TRUSTED}"'


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_refusal_says_what_the_documentation_says_it_says(sentence: str) -> None:
    reason, attempts = SENTENCES[sentence]
    for attempt in attempts:
        with pytest.raises(AuthError) as refusal:
            attempt()
        assert (refusal.value.reason, refusal.value.description) == (reason, sentence)


def test_the_documentation_has_every_sentence_about_a_token_under_its_reason() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("\n## Sentences\n")[2].partition("\n## ")[0]
    documented = dict(re.findall(r"^\| (.+?) \| `(\w+)` \|$", section, re.MULTILINE))
    tested = {**SENTENCES, **PROOF_SENTENCES, **ANSWER_SENTENCES}
    assert documented == {sentence: reason for sentence, (reason, _) in tested.items()}
    [row] = [line for line in section.splitlines() if line.startswith(f"| {NOT_TRUSTED} |")]
    assert set(re.findall(r"`(\w+)`", row)) == REASONS_NOT_TO_TRUST.keys()


def test_a_name_that_configuration_gives_a_claim_breaks_no_challenge() -> None:
    """Names come from configuration; in a challenge they are quoted as everything is."""
    server = minting.server(audience_claim='a "quoted" name')
    with pytest.raises(AuthError) as refusal:
        server.verify(TOKEN)
    assert json.dumps(challenge_of(refusal.value)).isascii()
    assert '\\"' not in challenge_of(refusal.value)
