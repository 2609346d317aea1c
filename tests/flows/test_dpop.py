"""DPoP (RFC 9449) from request to decision: which token needs a proof, of whom, for what, and how often."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bearerguard import (
    AccessToken,
    AuthError,
    ConfigurationError,
    DPoP,
    InvalidDPoPProof,
    InvalidRequest,
    InvalidToken,
    MissingCredentials,
    Provider,
    Request,
    ResourceServer,
    UseDPoPNonce,
)
from bearerguard._core.dpop_nonce import Nonces
from bearerguard._flows.binding import Binding, Presented
from bearerguard._flows.jwt import Verdict
from bearerguard._flows.pipeline import Pipeline
from bearerguard._flows.proof_checks import PROVEN, ProofChecks
from bearerguard._limits import MAX_KEPT_PROOF_HEADER_BYTES
from bearerguard.asgi import ASGIRequest
from bearerguard.stores import MemoryReplayStore
from bearerguard.testing import signing_key
from tests import proofs
from tests.flows.pipeline import ISSUER as PIPELINE_ISSUER
from tests.flows.pipeline import JWKS, TOKEN, StubSource
from tests.hostile import minting
from tests.hostile.minting import NOW
from tests.proofs import KEY, PLAIN, THIEF, URL, bound, proof, request, server, thumbprint

SECRET = "a secret of thirty-two characters"
NONCES = Nonces(SECRET.encode())


def reason(asked: Any, at: ResourceServer | None = None) -> str:
    return refusal(asked, at).reason


def refusal(asked: Any, at: ResourceServer | None = None) -> AuthError:
    with pytest.raises(AuthError) as refused:
        (server() if at is None else at).authenticate(asked)
    return refused.value


# -- which token by which scheme ---------------------------------------------------------------------------


def test_a_bound_token_with_its_proof_gets_in() -> None:
    token = server().authenticate(request(proof()))
    assert (token.subject, token.confirmation) == (minting.CANARY, "dpop")


def test_a_token_that_is_not_bound_gets_in_as_bearer_as_ever() -> None:
    token = server().authenticate(request(token=PLAIN, scheme="Bearer"))
    assert token.confirmation is None


@pytest.mark.parametrize("sent", [(), (proof(),), (proof(), proof())], ids=["none", "one", "two"])
def test_a_bound_token_is_never_taken_as_bearer(sent: tuple[str, ...]) -> None:
    """RFC 9449, section 7.2."""
    refused = refusal(request(*sent, scheme="Bearer"))
    assert (type(refused), refused.reason, refused.scheme) == (InvalidToken, "sender_constrained", "Bearer")


def test_a_token_that_is_not_bound_is_not_taken_as_dpop() -> None:
    refused = refusal(request(proof(PLAIN), token=PLAIN))
    assert (type(refused), refused.reason, refused.scheme) == (InvalidToken, "not_bound", "DPoP")


@pytest.mark.parametrize("cnf", [{}, {"kid": "1"}, {"jwk": {}}, None, [], "jkt", 7], ids=str)
@pytest.mark.parametrize("scheme", ["DPoP", "Bearer"])
def test_a_token_that_is_bound_to_something_unknown_is_refused(scheme: str, cnf: Any) -> None:
    token = minting.token(cnf=cnf)
    assert reason(request(proof(token), token=token, scheme=scheme)) == "sender_constrained"


def test_other_members_of_a_cnf_beside_a_known_one_do_not_matter() -> None:
    token = minting.token(cnf={"jkt": thumbprint(KEY), "kid": "1", "x5t": "x"})
    assert server().authenticate(request(proof(token), token=token)).confirmation == "dpop"


def test_a_token_bound_to_a_certificate_is_not_taken_as_dpop() -> None:
    token = minting.token(cnf={"x5t#S256": thumbprint(KEY)})
    assert reason(request(proof(token), token=token)) == "not_bound"


DER = b"a certificate"
X5T = proofs.ath(DER.decode())  # the same hash in the same text


def test_a_token_bound_to_a_certificate_only_needs_no_proof() -> None:
    token = minting.token(cnf={"x5t#S256": X5T})
    asked = Request("GET", URL, {"Authorization": f"Bearer {token}"}, certificate=DER)
    assert server().authenticate(asked).confirmation == "mtls"


def test_a_token_bound_to_both_has_to_prove_both() -> None:
    der, x5t = DER, X5T
    token = minting.token(cnf={"jkt": thumbprint(KEY), "x5t#S256": x5t})

    def asked(*sent: str, certificate: bytes | None, scheme: str = "DPoP") -> Request:
        fields = [("Authorization", f"{scheme} {token}"), *(("DPoP", one) for one in sent)]
        return Request("GET", URL, fields, certificate=certificate)

    at = server()
    assert at.authenticate(asked(proof(token), certificate=der)).confirmation == "dpop+mtls"
    assert reason(asked(certificate=der), at) == "proof_missing"
    assert reason(asked(proof(token), certificate=b"another"), at) == "certificate"
    assert reason(asked(proof(token), certificate=None), at) == "sender_constrained"
    assert reason(asked(proof(token), certificate=der, scheme="Bearer"), at) == "sender_constrained"


def test_where_only_dpop_will_do_a_bearer_token_is_told_that_a_proof_is_required() -> None:
    at = server(DPoP(required=True))
    for token in (PLAIN, proofs.TOKEN):
        refused = refusal(request(proof(token), token=token, scheme="Bearer"), at)
        assert (type(refused), refused.reason, refused.code) == (MissingCredentials, "proof_required", None)
    assert at.authenticate(request(proof())).confirmation == "dpop"


def test_without_dpop_a_server_knows_no_such_scheme() -> None:
    assert reason(request(proof()), minting.server()) == "other_scheme"
    assert reason(request(proof(), scheme="Bearer"), minting.server()) == "sender_constrained"


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP", "dpOP"])
def test_the_scheme_is_taken_in_any_case(scheme: str) -> None:
    assert server().authenticate(request(proof(), scheme=scheme)).confirmation == "dpop"


def test_two_tokens_or_none_after_the_scheme_are_a_bad_request() -> None:
    for token in ("", " ", "a b", "a,b", "a\tb"):
        refused = refusal(request(proof(), token=token))
        assert (type(refused), refused.reason, refused.scheme) == (InvalidRequest, "malformed_header", "DPoP")
    twice = Request("GET", URL, [("Authorization", f"DPoP {proofs.TOKEN}")] * 2)
    assert reason(twice) == "repeated_header"


# -- what a program asks -----------------------------------------------------------------------------------


def test_without_a_request_nothing_can_be_proven() -> None:
    with pytest.raises(InvalidToken) as refused:
        server().verify(proofs.TOKEN)
    assert refused.value.reason == "sender_constrained"
    assert server().verify(PLAIN).confirmation is None


@pytest.mark.parametrize("scheme", ["DPoP", "Bearer"])
def test_with_bare_header_fields_nothing_can_be_proven(scheme: str) -> None:
    fields = [(b"authorization", f"{scheme} {proofs.TOKEN}".encode()), (b"dpop", proof().encode())]
    assert reason(fields) == "sender_constrained"


def test_the_url_of_a_programs_request_is_its_public_address() -> None:
    at = server(DPoP(base_url="https://other.example"), resource="https://elsewhere.example")
    assert at.authenticate(request(proof())).confirmation == "dpop"
    assert at.authenticate(request(proof(htu="https://api.test/orders?a=b"), url=f"{URL}?c=d")).subject
    assert reason(request(proof(), url="https://api.test/orders/1"), at) == "proof_url"


@pytest.mark.parametrize(
    "url", ["/orders", "", "api.test/orders", "ftp://api.test/", "https://user@api.test/"]
)
def test_a_program_is_told_where_its_url_is_not_an_address(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not an address"):
        server().authenticate(request(proof(), url=url))


# -- the address of a view ---------------------------------------------------------------------------------


def view(sent: str, path: str = "/orders", **scope: Any) -> ASGIRequest:
    headers = [(b"authorization", f"DPoP {proofs.TOKEN}".encode()), (b"dpop", sent.encode())]
    headers.append((b"host", b"evil.example"))
    headers.append((b"x-forwarded-host", b"evil.example"))
    return ASGIRequest(
        {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "headers": headers,
            **scope,
        }
    )


def test_the_address_of_a_view_is_the_origin_of_the_resource_and_the_path_as_sent() -> None:
    at = server(resource="https://api.test/v1")
    assert at.authenticate(view(proof())).confirmation == "dpop"
    assert at.authenticate(view(proof(htu="https://api.test/v1/a%2Fb"), "/v1/a%2fb")).confirmation == "dpop"
    assert reason(view(proof(htu="https://api.test/v1/orders")), at) == "proof_url"
    assert reason(view(proof(htu="https://evil.example/orders")), at) == "proof_url"


def test_the_resource_of_a_guard_goes_before_the_servers() -> None:
    at = server(resource="https://api.test")
    other = "https://other.test/v2"
    assert isinstance(at.admit(view(proof(htu="https://other.test/orders")), other), AccessToken)
    with pytest.raises(InvalidDPoPProof):
        at.admit(view(proof()), other)


def test_with_a_base_url_the_mount_of_the_server_is_cut_and_never_put_in_front() -> None:
    at = server(DPoP(base_url="https://api.test/v1"), resource="https://elsewhere.example")
    good = "https://api.test/v1/orders"
    assert at.authenticate(view(proof(htu=good))).subject
    assert at.authenticate(view(proof(htu=good), root_path="/api")).subject
    assert at.authenticate(view(proof(htu=good), "/api/orders", root_path="/api")).subject
    for sent in (
        view(proof(htu="https://api.test/v1/api/orders"), root_path="/api"),
        view(proof(htu="https://api.test/v1/api/orders"), "/api/orders", root_path="/api"),
        view(proof(htu="https://api.test/orders")),
        view(proof(htu="https://elsewhere.example/orders")),
    ):
        assert reason(sent, at) == "proof_url"


def test_what_a_router_has_mounted_is_part_of_the_path() -> None:
    at = server(DPoP(base_url="https://api.test"))
    mounted = {"root_path": "/srv/shop", "app_root_path": "/srv"}
    sent = view(proof(htu="https://api.test/shop/orders"), "/srv/shop/orders", **mounted)
    assert at.authenticate(sent).subject


def test_of_a_target_in_absolute_form_only_the_path_counts() -> None:
    at = server(resource="https://api.test")
    assert at.authenticate(view(proof(), "http://evil.example/orders")).subject
    assert (
        reason(view(proof(htu="http://evil.example/orders"), "http://evil.example/orders"), at) == "proof_url"
    )


def test_a_target_that_is_not_a_path_matches_no_proof() -> None:
    at = server(resource="https://api.test")
    assert reason(view(proof(htu="https://api.test/a%"), "/a%"), at) == "proof_url"


def test_a_view_whose_address_nobody_knows_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ConfigurationError, match=r"base_url=.*resource="):
        server().authenticate(view(proof()))


def test_the_opening_of_a_websocket_is_a_get_to_https() -> None:
    at = server(resource="https://api.test")
    for htu in ("wss://api.test/ws", "https://api.test/ws"):
        opening = view(proof(htu=htu), "/ws", type="websocket")
        del opening.scope["method"]
        assert at.authenticate(opening).subject
    assert reason(view(proof(htu="ws://api.test/ws"), "/ws", type="websocket"), at) == "proof_url"


# -- whose proof -------------------------------------------------------------------------------------------


def test_the_proof_of_another_key_is_not_a_bad_proof_but_a_bad_token() -> None:
    """RFC 9449, section 7.1: the token is bound to another key."""
    refused = refusal(request(proof(key=THIEF)))
    assert (type(refused), refused.reason, refused.code) == (InvalidToken, "key_binding", "invalid_token")


def test_thumbprints_are_compared_before_claims_and_the_signature_last() -> None:
    at = server()
    tampered = proof(key=THIEF, htm="PUT", ath="x") + "A"
    assert reason(request(tampered), at) == "key_binding"
    of_the_thief = proof(key=THIEF, head={"jwk": proofs.jwk(KEY)}, htm="PUT")
    assert reason(request(of_the_thief), at) == "proof_method"
    assert reason(request(proof(key=THIEF, head={"jwk": proofs.jwk(KEY)})), at) == "proof_signature"


def test_what_is_wrong_with_the_token_is_said_before_what_is_wrong_with_the_proof() -> None:
    expired = bound(exp=NOW - 60)
    for sent in ((), ("x",), (proof(expired),)):
        refused = refusal(request(*sent, token=expired))
        assert (type(refused), refused.reason, refused.scheme) == (InvalidToken, "expired", "DPoP")
    assert reason(request(proof(), token="x.y.z")) == "malformed"
    assert reason(request(proof(), token="opaque")) == "malformed"


def test_a_refusal_names_the_provider_and_the_key_of_the_token() -> None:
    at = server()
    for _ in range(2):  # the first time the token is new, the second it is remembered
        refused = refusal(request(), at)
        assert (refused.reason, refused.provider) == ("proof_missing", minting.ISSUER)


def test_a_key_that_was_seen_is_remembered_and_still_has_to_sign() -> None:
    at = server()
    checks = at._pipeline._binding.proofs
    assert checks is not None
    at.authenticate(request(proof()))
    assert len(checks._keys) == 1
    at.authenticate(request(proof()))
    assert len(checks._keys) == 1
    forged = proof(key=THIEF, head={"jwk": proofs.jwk(KEY)})
    assert reason(request(forged), at) == "proof_signature"


def test_the_key_of_a_stranger_is_not_remembered() -> None:
    at = server()
    checks = at._pipeline._binding.proofs
    assert checks is not None
    assert reason(request(proof(key=THIEF)), at) == "key_binding"
    assert len(checks._keys) == 0


def test_a_key_in_a_long_header_is_read_each_time() -> None:
    at = server()
    checks = at._pipeline._binding.proofs
    assert checks is not None
    for _ in range(2):
        at.authenticate(request(proof(head={"x": "x" * MAX_KEPT_PROOF_HEADER_BYTES})))
    assert len(checks._keys) == 0


def test_the_verdict_about_a_token_is_remembered_and_no_proof_is() -> None:
    at = server()
    at.authenticate(request(proof()))
    assert reason(request(), at) == "proof_missing"
    assert reason(request(proof(iat=NOW - 100)), at) == "proof_expired"


# -- once --------------------------------------------------------------------------------------------------


def test_a_proof_is_good_once() -> None:
    at, sent = server(), proof()
    at.authenticate(request(sent))
    refused = refusal(request(sent), at)
    assert (type(refused), refused.reason) == (InvalidDPoPProof, "proof_replayed")
    at.authenticate(request(proof()))


def test_one_jti_is_good_once_whatever_else_the_proof_says() -> None:
    at = server()
    at.authenticate(request(proof(jti="same")))
    assert reason(request(proof(jti="same", iat=NOW - 1)), at) == "proof_replayed"
    other = "https://api.test/other"
    assert reason(request(proof(jti="same", htu=other), url=other), at) == "proof_replayed"


def test_two_clients_may_use_one_jti() -> None:
    """So nobody uses up the proofs of somebody else."""
    at, key = server(), signing_key("P-256")
    token = bound(key)
    at.authenticate(request(proof(jti="1")))
    assert at.authenticate(request(proof(token, key=key, jti="1"), token=token)).subject


def test_a_proof_that_is_refused_is_not_used_up() -> None:
    at = server()
    for wrong in ({"htm": "PUT"}, {"ath": "x"}, {"iat": NOW - 100}):
        with pytest.raises(InvalidDPoPProof):
            at.authenticate(request(proof(jti="same", **wrong)))
    with pytest.raises(InvalidDPoPProof):
        at.authenticate(request(proof(key=THIEF, head={"jwk": proofs.jwk(KEY)}, jti="same")))
    at.authenticate(request(proof(jti="same")))


class Moving:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("ahead", [15, 0, -59.5])
def test_a_proof_is_known_for_as_long_as_it_could_be_accepted(ahead: float) -> None:
    clock, iat = Moving(), NOW + ahead
    at, sent = server(clock=clock), proof(iat=iat)
    at.authenticate(request(sent))
    for share in (0.0, 0.5, 0.999, 1.0):
        clock.now = NOW + share * (60 + ahead)
        assert reason(request(sent), at) == "proof_replayed"
    clock.now = iat + 60.001
    assert reason(request(sent), at) == "proof_expired"


def test_in_nonce_mode_a_proof_is_known_until_its_nonce_ends_however_old_it_says_it_is() -> None:
    clock = Moving()
    at = server(DPoP(nonce=SECRET), clock=clock)
    nonce = NONCES.newest(NOW)
    sent = proof(nonce=nonce, iat=NOW - 3600)
    at.authenticate(request(sent))
    ends = NONCES.good_until(nonce, NOW)
    assert ends is not None
    for later in (60.0, ends - NOW - 0.001):
        clock.now = NOW + later
        assert reason(request(sent), at) == "proof_replayed"
    clock.now = ends
    assert reason(request(sent), at) == "nonce"


# -- nonces ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, "nonce_missing"),
        ({"nonce": None}, "nonce_missing"),
        ({"nonce": ""}, "nonce"),
        ({"nonce": "of another server"}, "nonce"),
        ({"nonce": 7}, "nonce"),
        ({"nonce": [NONCES.newest(NOW)]}, "nonce"),
        ({"nonce": NONCES.newest(NOW - 360)}, "nonce"),
        ({"nonce": NONCES.newest(NOW + 120)}, "nonce"),
        ({"iat": NOW - 3600}, "nonce_missing"),
    ],
    ids=str,
)
def test_a_proof_without_a_good_nonce_is_told_one(claims: dict[str, Any], expected: str) -> None:
    at = server(DPoP(nonce=SECRET))
    refused = refusal(request(proof(**claims)), at)
    assert isinstance(refused, UseDPoPNonce)
    assert (refused.reason, refused.status, refused.code) == (expected, 401, "use_dpop_nonce")
    assert at.authenticate(request(proof(nonce=refused.nonce))).subject


@pytest.mark.parametrize("wrong", [{"htm": "PUT"}, {"ath": "x"}, {"jti": ""}, {"exp": NOW}], ids=str)
def test_a_bad_proof_is_not_told_a_nonce(wrong: dict[str, Any]) -> None:
    at = server(DPoP(nonce=SECRET))
    assert isinstance(refusal(request(proof(**wrong)), at), InvalidDPoPProof)
    assert isinstance(refusal(request(), at), InvalidDPoPProof)


def test_with_a_nonce_the_clock_of_the_client_does_not_matter() -> None:
    at = server(DPoP(nonce=SECRET))
    for iat in (0, NOW - 3600, NOW + 3600):
        assert at.authenticate(request(proof(iat=iat, nonce=NONCES.newest(NOW)))).subject


def test_without_nonces_that_of_another_server_is_ignored() -> None:
    assert server().authenticate(request(proof(nonce="of another server"))).subject


def test_a_secret_of_its_own_is_made_for_the_process() -> None:
    first, second = server(DPoP(nonce=True)), server(DPoP(nonce=True))
    told = [refusal(request(proof()), at) for at in (first, second)]
    nonces = [refused.nonce for refused in told if isinstance(refused, UseDPoPNonce)]
    assert len(set(nonces)) == 2
    assert first.authenticate(request(proof(nonce=nonces[0]))).subject
    assert reason(request(proof(nonce=nonces[0])), second) == "nonce"


# -- two guards of one request -----------------------------------------------------------------------------


def test_two_guards_in_the_way_of_one_request_are_one_use() -> None:
    at = server(resource="https://api.test")
    sent = view(proof())
    for _ in range(3):
        assert at.authenticate(ASGIRequest(sent.scope)).subject
    assert at.authenticate(ASGIRequest({**sent.scope})).subject


@pytest.mark.parametrize(
    "changes",
    [{"method": "POST"}, {"raw_path": b"/other"}, {"headers": []}],
    ids=str,
)
def test_what_was_proven_counts_for_the_same_request_only(changes: dict[str, Any]) -> None:
    at = server(resource="https://api.test")
    sent = view(proof())
    at.authenticate(sent)
    with pytest.raises(AuthError):
        at.authenticate(ASGIRequest({**sent.scope, **changes}))


def test_another_proof_and_another_server_look_for_themselves() -> None:
    at, other = server(resource="https://api.test"), server(resource="https://api.test")
    sent = view(proof())
    at.authenticate(sent)
    again = {**sent.scope, "headers": view(proof(htm="PUT")).scope["headers"]}
    assert reason(ASGIRequest(again), at) == "proof_method"
    assert other.authenticate(sent).subject
    assert sent.scope[PROVEN][0] is other._pipeline._binding.proofs
    assert reason(sent, at) == "proof_replayed"


# -- a proof that nobody asked for -------------------------------------------------------------------------


def test_a_proof_beside_a_token_that_is_not_bound_is_ignored_and_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[str] = []
    checks = ProofChecks(DPoP(), None, MemoryReplayStore(lambda: NOW), lambda: told.append("told"))
    pipeline = Pipeline([(_provider(), StubSource(JWKS))], lambda: NOW, Binding(checks))

    def admit(token: str, asked: Request | None) -> None:
        assert isinstance(pipeline.admit(token.encode(), asked), AccessToken)

    admit(PIPELINE_ISSUER.token(), None)
    admit(PIPELINE_ISSUER.token(), request(scheme="Bearer"))
    assert told == []
    for _ in range(3):
        admit(PIPELINE_ISSUER.token(), request("x", scheme="Bearer"))
    assert told == ["told"]


def test_a_server_warns_of_such_a_proof(caplog: pytest.LogCaptureFixture) -> None:
    from bearerguard.observe import warn_once

    warn_once.cache_clear()
    with caplog.at_level(logging.WARNING, "bearerguard"):
        for at in (server(), server()):
            token = minting.token()
            assert at.authenticate(request("not even a proof", token=token, scheme="Bearer")).subject
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "a client sends DPoP proofs with a token that is not bound to a key"
    ]


# -- keys that have to be waited for -----------------------------------------------------------------------


def _provider() -> Provider:
    return Provider(PIPELINE_ISSUER.url, audience=PIPELINE_ISSUER.audience, keys="https://issuer.test/jwks")


def waiting() -> tuple[Pipeline, StubSource, list[str]]:
    source, told = StubSource(), list[str]()
    checks = ProofChecks(DPoP(), None, MemoryReplayStore(lambda: NOW), lambda: told.append("told"))
    return Pipeline([(_provider(), source)], lambda: NOW, Binding(checks)), source, told


def finish(stages: Any, source: StubSource) -> AccessToken:
    next(stages)
    source.publish(JWKS)
    with pytest.raises(StopIteration) as stop:
        stages.send(None)
    assert isinstance(stop.value.value, AccessToken)
    return stop.value.value


def test_a_proof_is_checked_after_keys_were_waited_for_too() -> None:
    token = PIPELINE_ISSUER.token(cnf={"jkt": thumbprint(KEY)})
    pipeline, source, _ = waiting()
    stages = pipeline.admit(token.encode(), request(proof(token), token=token), "DPoP")
    assert finish(stages, source).confirmation == "dpop"

    pipeline, source, _ = waiting()
    stages = pipeline.admit(token.encode(), request(token=token), "DPoP")
    assert not isinstance(stages, AccessToken)
    next(stages)
    source.publish(JWKS)
    with pytest.raises(InvalidDPoPProof) as refused:
        stages.send(None)
    assert refused.value.provider == PIPELINE_ISSUER.url


def test_a_proof_that_nobody_asked_for_is_told_of_after_a_wait_too() -> None:
    pipeline, source, told = waiting()
    assert finish(pipeline.admit(TOKEN.encode(), request("x", scheme="Bearer")), source).subject
    assert told == ["told"]


def test_a_server_that_waits_says_by_which_scheme_it_was_asked() -> None:
    own = minting.issuer.provider(keys=minting.issuer.jwks)
    at = ResourceServer(own, dpop=DPoP(), clock=minting.issuer.clock)
    assert refusal(request(), at).scheme == "DPoP"


# -- a binding by itself -----------------------------------------------------------------------------------


def test_a_binding_without_anything_refuses_every_bound_token() -> None:
    """A token presented as DPoP does not get here where DPoP is not taken; if it did, it would not get in."""
    at = server()
    at.authenticate(request(proof()))
    (verdict,) = at._pipeline._verdicts.young.values()
    assert isinstance(verdict, Verdict)
    assert verdict.confirmation is not None
    assert verdict.confirmation.jkt == thumbprint(KEY)
    presented = Presented(proofs.TOKEN.encode(), request(proof()), "DPoP")
    with pytest.raises(InvalidToken) as refused:
        Binding().prove(verdict, presented, NOW)
    assert refused.value.reason == "sender_constrained"


# -- settings ----------------------------------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], str]] = [
    ({"base_url": "http://api.example"}, "not https"),
    ({"base_url": "api.example"}, "base_url is"),
    ({"base_url": 7}, "not a URL"),
    ({"base_url": "https://api.example?a=b"}, "query or a fragment"),
    ({"base_url": "https://api.example#a"}, "query or a fragment"),
    ({"base_url": "https://\u00e4pi.example"}, "xn--"),
    ({"base_url": "https://api.example/a%"}, "characters"),
    ({"required": "yes"}, "required is 'yes'"),
    ({"nonce": "short"}, "5 bytes"),
    ({"nonce": b"x" * 31}, "31 bytes"),
    ({"nonce": 7}, "nonce is a int"),
    ({"nonce": ""}, "0 bytes"),
    ({"max_age": 0}, "max_age is 0"),
    ({"max_age": -1}, "max_age is -1"),
    ({"max_age": 301}, "300 at most"),
    ({"max_age": float("nan")}, "max_age is nan"),
    ({"max_age": True}, "max_age is True"),
    ({"max_age": "60"}, "max_age is '60'"),
    ({"algorithms": ["HS256"]}, "algorithms is"),
    ({"algorithms": ["none"]}, "algorithms is"),
    ({"algorithms": []}, "algorithms is"),
    ({"algorithms": 7}, "algorithms is 7"),
]


@pytest.mark.parametrize(("options", "said"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_settings_that_cannot_be_are_refused_with_what_to_write(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match="DPoP") as refused:
        DPoP(**options)
    assert said in str(refused.value)
    assert str(options.get("nonce") or "\0") not in str(refused.value)


def test_settings_print_themselves_without_their_secret() -> None:
    assert repr(DPoP()) == "DPoP()"
    assert repr(DPoP(nonce=SECRET, required=True)) == "DPoP(required=True, nonce=...)"
    assert repr(DPoP(nonce=True, base_url="https://api.example", max_age=30)) == (
        "DPoP(base_url='https://api.example', nonce=True, max_age=30)"
    )
    assert SECRET not in repr(DPoP(nonce=SECRET))
    assert repr(DPoP(algorithms="ES256")) == "DPoP(algorithms=['ES256'])"


def test_settings_are_values() -> None:
    assert DPoP(algorithms=["ES256", "EdDSA"]) == DPoP(algorithms={"EdDSA", "ES256"})
    assert DPoP(nonce=SECRET) == DPoP(nonce=SECRET.encode())
    assert DPoP(nonce=False) == DPoP()
    assert hash(DPoP()) == hash(DPoP())


def test_only_the_algorithms_that_were_chosen_are_taken() -> None:
    at = server(DPoP(algorithms=["EdDSA", "Ed25519"]))
    assert reason(request(proof()), at) == "proof_algorithm"
    key = signing_key("Ed25519")
    token = bound(key)
    assert at.authenticate(request(proof(token, key=key), token=token)).subject


def test_a_server_wants_its_settings_as_a_value() -> None:
    wrong: list[Any] = [True, "DPoP", {}, DPoP]
    for given in wrong:
        with pytest.raises(ConfigurationError, match=r"give DPoP\(\)"):
            minting_server(dpop=given)


def minting_server(**options: Any) -> ResourceServer:
    return ResourceServer(minting.issuer.provider(keys=minting.issuer.jwks()), **options)


def test_only_dpop_and_another_place_for_tokens_exclude_each_other() -> None:
    from bearerguard import Header

    provider = minting.issuer.provider(keys=minting.issuer.jwks(), source=Header("x-token"))
    with pytest.raises(ConfigurationError, match="leave one of the two out"):
        ResourceServer(provider, dpop=DPoP(required=True))


def test_a_bound_token_in_another_place_is_presented_as_bearer() -> None:
    from bearerguard import Header

    providers = (
        minting.issuer.provider(keys=minting.issuer.jwks(), source=Header("x-token"), name="elsewhere"),
        minting.issuer.provider(keys=minting.issuer.jwks()),
    )
    at = ResourceServer(*providers, dpop=DPoP(), clock=minting.issuer.clock)
    asked = Request("GET", URL, {"X-Token": proofs.TOKEN, "DPoP": proof()})
    assert reason(asked, at) == "sender_constrained"
    assert at.authenticate(request(proof())).confirmation == "dpop"


def proofs_without_end() -> Iterator[str]:
    return (proof() for _ in itertools.count())


def test_more_proofs_than_a_key_may_have_are_429_and_leave_others_alone() -> None:
    from bearerguard import TooManyProofs

    clock = Moving()
    checks = ProofChecks(DPoP(), None, MemoryReplayStore(clock, max_proofs_of_a_key=3), lambda: None)
    at = server(clock=clock)
    at._pipeline._binding.proofs = checks
    for sent in itertools.islice(proofs_without_end(), 3):
        at.authenticate(request(sent))
    refused = refusal(request(proof()), at)
    assert isinstance(refused, TooManyProofs)
    assert (refused.status, refused.code, refused.reason) == (429, None, "too_many_proofs")
    assert 0 < refused.retry_after <= 62
    key = signing_key("P-256")
    token = bound(key)
    assert at.authenticate(request(proof(token, key=key), token=token)).subject
    clock.now += 62
    assert at.authenticate(request(proof(iat=clock.now))).subject
