"""What an explanation says of tokens that were taken back, and of revocations that nobody has heard."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from bearerguard import AuthError, ResourceServer, Revocation
from bearerguard.explain import Check, Explanation
from bearerguard.testing import Clock, Issuer

CLOCK = Clock(1_700_000_000)
ISSUER = Issuer("https://login.example", algorithm="ES256", clock=CLOCK)


def jwts() -> ResourceServer:
    return ISSUER.resource_server(keys=ISSUER.jwks(), revocation=Revocation(horizon=7200))


def opaque() -> ResourceServer:
    return ISSUER.resource_server(introspection=ISSUER.introspection(), revocation=Revocation(horizon=7200))


def explained(server: ResourceServer, token: str) -> Explanation:
    """The explanation of a thread and of a task, which say what the server decides."""
    said = server.explain(token)
    assert anyio.run(server.aexplain, token) == said
    if said.accepted:
        assert server.verify(token).subject == "ada"
    else:
        with pytest.raises(AuthError) as refused:
            server.verify(token)
        assert refused.value.reason == said.reason
    return said


def the(name: str, said: Explanation) -> Check:
    return next(check for check in said.checks if check.name == name)


KINDS: dict[str, Any] = {"JWT": (jwts, ISSUER.token), "opaque": (opaque, ISSUER.opaque_token)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_is_shown_to_be_revoked_and_to_be_accepted_before(kind: str) -> None:
    make, mint = KINDS[kind]
    server, token = make(), mint("ada")
    before = explained(server, token)
    assert the("revocation", before).outcome == "yes"
    server.revoke(subject="ada")
    said = explained(server, token)
    assert said.reason == "revoked"
    issued = "" if kind == "opaque" else "issued 1700000000 (2023-11-14 22:13:20 UTC), 0 s ago; "
    expected = "not revoked, and issued within 2 h"
    assert said.checks[-1] == Check("revocation", "no", f"{issued}revoked", expected)
    assert said.advice is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_older_than_the_horizon_is_shown_with_its_age(kind: str) -> None:
    make, mint = KINDS[kind]
    said = explained(make(), mint("ada", iat=int(CLOCK()) - 7200, expires_in=10_000))
    assert said.reason == "too_old"
    shown = None if kind == "opaque" else "issued 1699992800 (2023-11-14 20:13:20 UTC), 2 h ago"
    assert the("revocation", said).found == shown
    assert "revocations are remembered for 2 h" in str(said.cause)


def test_a_token_that_cannot_be_judged_for_its_revocation_is_shown_so() -> None:
    server = jwts()
    kept = server._revocations
    assert kept is not None
    kept.list._limit = 0  # as a list that is full
    said = explained(server, ISSUER.token("ada"))
    assert said.reason == "revocation_store"
    assert the("revocation", said).found == "what was revoked cannot be told right now"


def test_a_server_without_revocation_has_no_such_check() -> None:
    said = ISSUER.resource_server(keys=ISSUER.jwks()).explain(ISSUER.token())
    assert "revocation" not in {check.name for check in said.checks}
