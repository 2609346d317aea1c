"""Tokens that only their provider can read, at providers that nobody here wrote, over real HTTP and TLS."""

from __future__ import annotations

import ssl
import time
import uuid
from collections.abc import Callable
from typing import Any

import anyio
import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from bearerguard import (
    AccessToken,
    Introspection,
    InvalidToken,
    Provider,
    ProviderUnavailable,
    ResourceServer,
)
from bearerguard.testing import Clock
from tests.integration.glewlwyd import Glewlwyd
from tests.integration.programs import IdentityProvider

pytestmark = pytest.mark.integration

OPAQUE = "https://api.test/opaque"
PATIENT: dict[str, Any] = {"trust_env": False}


@pytest.fixture(scope="module")
def provider(start_provider: Callable[[], IdentityProvider]) -> IdentityProvider:
    """A provider that runs as long as the tests of this module; those that stop one start their own."""
    return start_provider()


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())  # it stands still: the time that a busy machine takes is not the budget's


def tls(provider: IdentityProvider, name: str) -> ssl.SSLContext:
    """Trusts the provider's authority, and shows the certificate of this name."""
    context = ssl.create_default_context(cafile=str(provider.folder / "authority.pem"))
    context.load_cert_chain(provider.folder / f"{name}.pem", provider.folder / f"{name}.key")
    return context


def by_basic(provider: IdentityProvider, **options: Any) -> Introspection:
    name = "api by basic"
    return Introspection(name, provider.secrets[name], **{"http_options": PATIENT, **options})


def by_post(provider: IdentityProvider, **options: Any) -> Introspection:
    name = "api-by-post"
    secret = provider.secrets[name]
    return Introspection(name, secret, method="client_secret_post", http_options=PATIENT, **options)


def by_key(provider: IdentityProvider, **options: Any) -> Introspection:
    key = (provider.folder / "client.key").read_text()
    return Introspection("api-by-key", method="private_key_jwt", key=key, http_options=PATIENT, **options)


def by_certificate(provider: IdentityProvider, certificate: str = "client", **options: Any) -> Introspection:
    return Introspection(
        "api-by-certificate",
        method="tls_client_auth",
        http_options={**PATIENT, "verify": tls(provider, certificate)},
        **options,
    )


METHODS = {
    "client_secret_basic": by_basic,
    "client_secret_post": by_post,
    "private_key_jwt": by_key,
    "tls_client_auth": by_certificate,
}


def server_of(
    provider: IdentityProvider, introspection: Introspection, clock: Clock, audience: str = OPAQUE
) -> ResourceServer:
    trusted = Provider(provider.issuer, audience=audience, name="certified", introspection=introspection)
    return ResourceServer(trusted, clock=clock)


def verify(server: ResourceServer, token: str, colour: str = "sync") -> AccessToken:
    if colour == "sync":
        return server.verify(token)
    return anyio.run(server.averify, token, backend=colour)


def reason(server: ResourceServer, token: str) -> str:
    with pytest.raises(InvalidToken) as refused:
        server.verify(token)
    return refused.value.reason


def state(server: ResourceServer) -> str:
    report: str = server.health()["providers"]["certified"]["introspection"]["state"]
    return report


@pytest.mark.parametrize("colour", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize("signed", [False, True], ids=["plain", "signed"])
@pytest.mark.parametrize("method", METHODS)
def test_an_opaque_token_is_accepted_however_the_api_authenticates_itself(
    provider: IdentityProvider, clock: Clock, method: str, signed: bool, colour: str
) -> None:
    server = server_of(provider, METHODS[method](provider, signed=signed), clock)

    token = verify(server, provider.token(OPAQUE), colour)

    assert token.is_opaque
    assert (token.issuer, token.claims["aud"]) == (provider.issuer, OPAQUE)
    assert token.subject is None, "a client is not a subject here"
    assert (token.client_id, sorted(token.scopes)) == ("reporting", ["reports:read"])
    assert token.expires_at is not None
    assert "active" not in token.claims
    assert state(server) != "misconfigured"


@pytest.mark.parametrize("method", METHODS)
def test_wrong_credentials_of_our_own_are_trouble_and_no_fault_of_the_token(
    provider: IdentityProvider, clock: Clock, method: str
) -> None:
    wrong = {
        "client_secret_basic": Introspection("api by basic", "wrong", http_options=PATIENT),
        "client_secret_post": Introspection(
            "api-by-post", "wrong", method="client_secret_post", http_options=PATIENT
        ),
        "private_key_jwt": Introspection(
            "api-by-key",
            method="private_key_jwt",
            key=(provider.folder / "stranger.key").read_text(),
            http_options=PATIENT,
        ),
        "tls_client_auth": by_certificate(provider, "stranger"),
    }[method]
    server = server_of(provider, wrong, clock)

    with pytest.raises(ProviderUnavailable):
        server.verify(provider.token(OPAQUE))

    assert state(server) == "misconfigured"


def test_a_secret_is_encoded_as_a_form_which_this_provider_insists_on(
    provider: IdentityProvider, clock: Clock
) -> None:
    server = server_of(provider, by_basic(provider, form_encoded=False), clock)
    with pytest.raises(ProviderUnavailable):
        server.verify(provider.token(OPAQUE))


@pytest.mark.parametrize("colour", ["sync", "asyncio", "trio"])
def test_a_token_revoked_at_the_provider_is_refused_within_the_budget_and_not_before(
    provider: IdentityProvider, clock: Clock, colour: str
) -> None:
    server = server_of(provider, by_basic(provider, revocation_budget=20), clock)
    token = provider.token(OPAQUE)
    verify(server, token, colour)

    provider.revoke(token)

    clock.advance(15)
    assert verify(server, token, colour).client_id == "reporting"
    clock.advance(5)
    with pytest.raises(InvalidToken) as refused:
        verify(server, token, colour)
    assert refused.value.reason == "inactive"


def test_without_a_budget_a_revoked_token_is_refused_at_once(
    provider: IdentityProvider, clock: Clock
) -> None:
    server = server_of(provider, by_basic(provider, revocation_budget=0), clock)
    token = provider.token(OPAQUE)
    server.verify(token)
    provider.revoke(token)
    assert reason(server, token) == "inactive"


def test_a_token_that_the_provider_does_not_know_is_refused(provider: IdentityProvider, clock: Clock) -> None:
    assert reason(server_of(provider, by_basic(provider), clock), "never-issued") == "inactive"


def test_an_opaque_token_for_one_api_is_refused_by_another(provider: IdentityProvider, clock: Clock) -> None:
    server = server_of(provider, by_basic(provider), clock, audience="https://another-api.test")
    assert reason(server, provider.token(OPAQUE)) == "audience"


@pytest.mark.parametrize(("is_checked_by_issuer", "why"), [(False, "missing_claim"), (True, "type")])
def test_a_refresh_token_which_the_provider_calls_active_is_refused(
    provider: IdentityProvider, clock: Clock, is_checked_by_issuer: bool, why: str
) -> None:
    introspection = by_post(provider, audience_checked_by_issuer=is_checked_by_issuer)
    with httpx2.Client(**PATIENT, timeout=60) as http:
        asked = http.post(
            f"{provider.issuer}/token/introspection",
            data={
                "token": provider.refresh_token,
                "client_id": introspection.client_id,
                "client_secret": introspection.client_secret,
            },
        )
    assert asked.json()["active"] is True

    assert reason(server_of(provider, introspection, clock), provider.refresh_token) == why


def test_jwts_of_the_same_provider_are_verified_here_which_answers_no_question_about_them(
    provider: IdentityProvider, clock: Clock
) -> None:
    audience = "https://api.test/ES256"
    token = provider.token(audience)

    local = server_of(provider, by_basic(provider), clock, audience)
    assert not local.verify(token).is_opaque

    asking = server_of(provider, by_basic(provider, jwts="ask"), clock, audience)
    assert reason(asking, token) == "inactive"  # HTTP 400, unsupported_token_type
    assert state(asking) != "misconfigured"


def test_an_opaque_token_that_is_bound_to_a_key_is_refused_as_a_bearer_token(
    provider: IdentityProvider, clock: Clock
) -> None:
    key = ECKey.generate_key("P-256")
    proof = jwt.encode(
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)},
        {"htm": "POST", "htu": f"{provider.issuer}/token", "iat": int(time.time()), "jti": str(uuid.uuid4())},
        key,
    )
    token = provider.token(OPAQUE, DPoP=proof)
    assert reason(server_of(provider, by_basic(provider), clock), token) == "sender_constrained"


def test_while_the_provider_is_down_known_tokens_pass_within_their_budget_and_new_ones_have_to_come_back(
    start_provider: Callable[[], IdentityProvider], clock: Clock
) -> None:
    provider = start_provider()
    server = server_of(provider, by_post(provider), clock)  # its secret outlives the provider
    known, new = provider.token(OPAQUE), provider.token(OPAQUE)
    server.verify(known)

    provider.stop()

    assert server.verify(known).client_id == "reporting"
    with pytest.raises(ProviderUnavailable) as unavailable:
        server.verify(new)
    assert unavailable.value.retry_after is not None
    clock.advance(30)
    with pytest.raises(ProviderUnavailable):
        server.verify(known)

    provider.start()  # it has forgotten its tokens

    assert reason(server, known) == "inactive"


# -- glewlwyd, which answers about JWTs


@pytest.fixture(scope="module")
def glewlwyd(start_glewlwyd: Callable[[], Glewlwyd]) -> Glewlwyd:
    return start_glewlwyd()


def asking_glewlwyd(glewlwyd: Glewlwyd, clock: Clock, **options: Any) -> ResourceServer:
    introspection = Introspection(
        *glewlwyd.api, **{"http_options": PATIENT, "form_encoded": False, **options}
    )
    trusted = Provider(
        glewlwyd.issuer, audience=glewlwyd.audience, name="certified", introspection=introspection
    )
    return ResourceServer(trusted, clock=clock)


@pytest.mark.parametrize("jwts", ["ask", "verify_then_ask"])
def test_a_jwt_that_is_asked_about_is_refused_once_it_is_revoked(
    glewlwyd: Glewlwyd, clock: Clock, jwts: str
) -> None:
    server = asking_glewlwyd(glewlwyd, clock, jwts=jwts)
    token = glewlwyd.token()

    accepted = server.verify(token)

    assert (accepted.client_id, sorted(accepted.scopes)) == ("reporting", ["reports:read"])
    assert accepted.is_opaque is (jwts == "ask")
    # Its answer leaves out the subject, and only where the JWT is read as well is it known.
    assert accepted.subject == (None if jwts == "ask" else "reporting")

    glewlwyd.revoke(token)
    assert server.verify(token).client_id == "reporting"
    clock.advance(30)
    assert reason(server, token) == "inactive"


def test_a_secret_is_sent_as_it_is_to_a_provider_that_does_not_decode_it(
    glewlwyd: Glewlwyd, clock: Clock
) -> None:
    server = asking_glewlwyd(glewlwyd, clock, jwts="ask", form_encoded=True)
    with pytest.raises(ProviderUnavailable):
        server.verify(glewlwyd.token())
    assert state(server) == "misconfigured"


def test_a_jwt_that_is_only_verified_lives_until_it_expires(glewlwyd: Glewlwyd, clock: Clock) -> None:
    server = asking_glewlwyd(glewlwyd, clock)
    token = glewlwyd.token()
    glewlwyd.revoke(token)
    assert server.verify(token).subject == "reporting"


@pytest.mark.parametrize("jwts", ["ask", "verify_then_ask", "local"])
def test_a_jwt_whose_audience_is_its_scope_is_refused(glewlwyd: Glewlwyd, clock: Clock, jwts: str) -> None:
    """Without a resource in the client's request this provider puts the scope into `aud`."""
    token = glewlwyd.token(resource=None)
    assert reason(asking_glewlwyd(glewlwyd, clock, jwts=jwts), token) == "audience"


def test_a_jwt_with_another_signature_is_refused_before_anybody_is_asked(
    glewlwyd: Glewlwyd, clock: Clock
) -> None:
    token = glewlwyd.token()
    forged = token[:-12] + ("A" * 12 if token[-12:] != "A" * 12 else "B" * 12)
    assert reason(asking_glewlwyd(glewlwyd, clock, jwts="verify_then_ask"), forged) == "signature"
    assert reason(asking_glewlwyd(glewlwyd, clock, jwts="ask"), forged) == "inactive"


def test_a_signed_answer_that_is_not_meant_for_us_is_not_believed(glewlwyd: Glewlwyd, clock: Clock) -> None:
    """This provider signs for the audience of the token, not for those who ask (RFC 9701, section 5)."""
    server = asking_glewlwyd(glewlwyd, clock, jwts="ask", signed=True)
    with pytest.raises(ProviderUnavailable):
        server.verify(glewlwyd.token())
