"""An explanation has the verdict and the reason that `verify` and `authenticate` have, and spends nothing."""

from __future__ import annotations

import json
import logging
from typing import Any

import anyio
import pytest

from bearerguard import (
    AuthError,
    ClientCertificate,
    ConfigurationError,
    DPoP,
    Provider,
    Request,
    ResourceServer,
    scope,
)
from bearerguard.explain import Explanation
from bearerguard.provider import Header
from bearerguard.testing import Clock, Issuer
from bearerguard.token import REMEMBERED
from tests import proofs
from tests.certificates import certificate_der, x5t_s256
from tests.hostile import (
    minting,
    test_authorization_header,
    test_claims,
    test_compact_form,
    test_jose_header,
    test_payload,
    test_signature,
)
from tests.hostile.minting import ABSENT, NOW
from tests.hostile.oracle import Row

TABLES: dict[str, list[Row]] = {
    "authorization header": test_authorization_header.ROWS,
    "claims": test_claims.ROWS,
    "compact form": test_compact_form.ROWS,
    "JOSE header": test_jose_header.ROWS,
    "payload": test_payload.ROWS,
    "signature": test_signature.ROWS,
}


def reason_of(server: ResourceServer, asked: Any) -> str | None:
    try:
        if isinstance(asked, str):
            server.verify(asked)
        else:
            server.authenticate(asked)
    except AuthError as error:
        return error.reason
    return None


def check_shape(said: Explanation) -> None:
    """One check at most says no; all before it say yes, and nothing behind it was reached."""
    outcomes = [check.outcome for check in said.checks]
    passed = outcomes.index("no") if "no" in outcomes else len(outcomes)
    assert outcomes[:passed] == ["yes"] * passed
    assert outcomes[passed + 1 :] == ["not reached"] * len(outcomes[passed + 1 :])
    assert said.accepted == (said.reason is None) == ("no" not in outcomes)
    assert outcomes
    text = str(said)
    assert all(line.isprintable() for line in text.split("\n"))
    assert json.loads(json.dumps(said.to_dict()))["reason"] == said.reason
    assert (said.cause is None) == (said.advice is None)


def check_same(server: ResourceServer, asked: Any) -> Explanation:
    """Before and after the server has decided itself, of a thread and of a task."""
    before = server.explain(asked)
    reason = reason_of(server, asked)
    assert (before.accepted, before.reason) == (reason is None, reason)
    assert anyio.run(server.aexplain, asked).reason == before.reason or reason is None
    check_shape(before)
    return before


@pytest.mark.parametrize("table", TABLES)
def test_the_whole_corpus_has_the_same_verdict_and_reason(table: str) -> None:
    server = minting.server()
    for case in TABLES[table]:
        said = server.explain(case.fields)
        assert said.reason == reason_of(server, case.fields), case.name
        check_shape(said)
        check_no_token(said, case.token)
        if case.is_about_token:
            said = server.explain(case.token)
            assert said.reason == reason_of(server, case.token) == case.of_token, case.name
            check_shape(said)
            check_no_token(said, case.token)


def check_no_token(said: Explanation, token: str) -> None:
    if len(token) < 100:
        return
    text = json.dumps(said.to_dict()) + str(said)
    assert token not in text
    assert token[-40:] not in text, "a signature makes a token of what is known of it"


PROOFS: dict[str, Request] = {
    "good": proofs.request(proofs.proof()),
    "none": proofs.request(),
    "two": proofs.request(proofs.proof(), proofs.proof()),
    "as Bearer": proofs.request(proofs.proof(), scheme="Bearer"),
    "not bound, as DPoP": proofs.request(proofs.proof(proofs.PLAIN), token=proofs.PLAIN),
    "a stray one": proofs.request(proofs.proof(), token=proofs.PLAIN, scheme="Bearer"),
    "another key": proofs.request(proofs.proof(key=proofs.THIEF)),
    "not a JWT": proofs.request("x"),
    "another method": proofs.request(proofs.proof(htm="POST")),
    "another address": proofs.request(proofs.proof(htu="https://api.test/v1/orders")),
    "no address": proofs.request(proofs.proof(htu=7)),
    "old": proofs.request(proofs.proof(iat=NOW - 3600)),
    "of the future": proofs.request(proofs.proof(iat=NOW + 3600)),
    "another token": proofs.request(proofs.proof(ath="x")),
    "without jti": proofs.request(proofs.proof(jti=ABSENT)),
    "type": proofs.request(proofs.proof(head={"typ": "jwt"})),
    "algorithm": proofs.request(proofs.proof(head={"alg": "none"})),
    "signature": proofs.request(proofs.proof()[:-8] + "AAAAAAAA"),
    "expired token": proofs.request(proofs.proof(), token=proofs.bound(exp=NOW - 60)),
}


@pytest.mark.parametrize("name", PROOFS)
def test_dpop_has_the_same_verdict_and_reason(name: str) -> None:
    for dpop in (DPoP(), DPoP(required=True), DPoP(nonce="a secret of thirty-two characters")):
        check_same(proofs.server(dpop), PROOFS[name])
    check_same(minting.server(), PROOFS[name])


def test_a_proof_is_looked_up_and_not_noted() -> None:
    server, asked = proofs.server(), proofs.request(proofs.proof())
    assert server.explain(asked).accepted
    assert server.explain(asked).accepted
    server.authenticate(asked)
    said = server.explain(asked)
    assert said.reason == reason_of(server, asked) == "proof_replayed"


def test_a_request_that_was_admitted_already_is_explained_as_its_next_guard_would_decide() -> None:
    class Noted(Request):
        notes: Any = None

    asked = Noted("GET", proofs.URL, PROOFS["good"].headers)
    asked.notes = {}
    server = proofs.server()
    assert server.explain(asked).accepted
    assert asked.notes == {}, "what was only looked at is not noted"
    server.authenticate(asked)
    assert server.explain(asked).accepted
    server.authenticate(asked)


CERTIFICATE = certificate_der()
BOUND = minting.token(cnf={"x5t#S256": x5t_s256(CERTIFICATE)})


@pytest.mark.parametrize("shown", [CERTIFICATE, certificate_der("other.test"), None, b"x"], ids=range(4))
def test_client_certificates_have_the_same_verdict_and_reason(shown: bytes | None) -> None:
    asked = Request("GET", proofs.URL, {"Authorization": f"Bearer {BOUND}"}, certificate=shown)
    for source in (ClientCertificate.from_tls(), None):
        server = ResourceServer(
            minting.issuer.provider(keys=minting.issuer.jwks()),
            certificate=source,
            clock=minting.issuer.clock,
        )
        check_same(server, asked)
        check_same(server, BOUND)


@pytest.mark.parametrize("jwts", ["local", "ask", "verify_then_ask"])
def test_tokens_that_the_provider_is_asked_about_have_the_same_verdict_and_reason(jwts: Any) -> None:
    issuer = Issuer(algorithm="ES256", clock=Clock(NOW))
    with issuer.resource_server(introspection=issuer.introspection(jwts=jwts)) as server:
        active = issuer.opaque_token("ada", "a b")
        said = check_same(server, active)
        assert [check.name for check in said.checks][:2] == ["size", "introspection"]
        for token in ("never-issued-by-anybody", "two words", "x" * 20_000, minting.token(), issuer.token()):
            check_same(server, token)
        for text in (active, issuer.token("ada", "a b")):
            assert server.explain(text, rule=scope("a")).accepted
            assert server.explain(text, rule=scope("c")).reason == "scope"


def test_each_of_several_providers_and_their_places_are_explained() -> None:
    one = minting.issuer.provider(keys=minting.issuer.jwks())
    other = Provider(
        minting.attacker.url,
        audience="https://api.test",
        keys=minting.attacker.jwks(),
        source=Header("X-Token"),
    )
    server = ResourceServer(one, other, clock=minting.issuer.clock)
    mine, theirs = minting.token(), minting.attacker.token()
    for fields in (
        [(b"authorization", f"Bearer {mine}".encode())],
        [(b"authorization", f"Bearer {theirs}".encode())],
        [(b"x-token", theirs.encode())],
        [(b"x-token", mine.encode())],
        [(b"x-token", theirs.encode()), (b"authorization", f"Bearer {mine}".encode())],
        [],
    ):
        check_same(server, fields)
    for token in (mine, theirs):
        check_same(server, token)


def test_a_server_of_issuers_that_a_function_accepts_is_explained() -> None:
    issuer = Issuer(algorithm="ES256", clock=Clock(NOW))
    accepted = issuer.provider()
    server = ResourceServer.trusting(
        lambda iss: accepted if iss == issuer.url else False, audience=issuer.audience, clock=issuer.clock
    )
    with server:
        said = check_same(server, minting.token())
        assert said.checks[2].expected == "an issuer that the server's function accepts"
        assert check_same(server, issuer.token()).accepted


def test_a_provider_that_cannot_be_reached_is_waited_for_as_one_request_does() -> None:
    issuer = Issuer(algorithm="ES256", clock=Clock(NOW))
    with issuer.resource_server() as server:
        token = issuer.token()
        said = server.explain(token)
        assert said.accepted, "the keys were fetched for it"
    unreachable = ResourceServer(
        Provider("http://127.0.0.1:9", audience="x", keys="http://127.0.0.1:9/keys"),
        clock=minting.issuer.clock,
    )
    with unreachable:
        claims = {**minting.CLAIMS, "iss": "http://127.0.0.1:9"}
        key = minting.key_for("ES256")
        said = unreachable.explain(minting.sign({"alg": "ES256", "kid": key.kid}, claims, key, "ES256"))
    assert said.reason == "provider_unavailable"
    assert failed(said) == "key"


def failed(said: Explanation) -> str:
    return next(check.name for check in said.checks if check.outcome == "no")


def everything_remembered(server: Any) -> tuple[float, float, int]:
    return REMEMBERED._young, REMEMBERED._owed, len(server._pipeline._verdicts)


def test_nothing_is_remembered_logged_or_counted(caplog: pytest.LogCaptureFixture) -> None:
    issuer = Issuer(algorithm="ES256", clock=Clock(NOW))
    with issuer.resource_server(introspection=issuer.introspection()) as server:
        server.verify(issuer.token("grace"))
        active = issuer.opaque_token("ada", "a b")
        before = everything_remembered(server)
        caplog.set_level(logging.DEBUG, logger="bearerguard")
        caplog.clear()
        for asked in (
            issuer.token("ada", "a"),
            active,
            minting.token(),
            "x",
            [(b"authorization", b"Bearer x")],
        ):
            server.explain(asked, rule=scope("a"))
        assert everything_remembered(server) == before
        assert not [record for record in caplog.records if hasattr(record, "reason")]
        with pytest.raises(AuthError):
            server.verify("x")
        assert vars(caplog.records[-1])["reason"] == "inactive", "the server itself logs as ever"


def test_a_closed_server_says_so() -> None:
    server = minting.server()
    server.close()
    with pytest.raises(Exception, match="closed"):
        server.explain(minting.token())


def test_what_is_not_a_rule_or_a_request_is_shown_what_to_write() -> None:
    given: Any = "scope('a')"
    with pytest.raises(ConfigurationError, match="is not a rule: write scope"):
        minting.server().explain(minting.token(), rule=given)
    given = None
    with pytest.raises(ConfigurationError, match="give Request"):
        minting.server().explain(given)
