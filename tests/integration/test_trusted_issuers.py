"""Two providers that nobody here wrote, as issuers that a function knows, and as the environment says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bearerguard import AuthError, RemoteKeys, ResourceServer
from tests.integration.glewlwyd import Glewlwyd
from tests.integration.programs import IdentityProvider

pytestmark = pytest.mark.integration
PATIENT = {"timeout": 60.0, "trust_env": False}


def test_both_are_told_apart_by_a_function_and_trusted_no_further(
    start_provider: Callable[[], IdentityProvider], start_glewlwyd: Callable[[], Glewlwyd]
) -> None:
    certified, glewlwyd = start_provider(), start_glewlwyd()
    known = {certified.issuer, glewlwyd.issuer}
    asked: list[str] = []

    def is_known(issuer: str) -> bool:
        asked.append(issuer)
        return issuer in known

    server = ResourceServer.trusting(
        is_known,
        audience=[certified.resources[0], glewlwyd.audience],
        keys=RemoteKeys(http_options=PATIENT),
    )
    for _ in range(2):
        assert server.verify(certified.token(certified.resources[0])).issuer == certified.issuer
        assert server.verify(glewlwyd.token()).issuer == glewlwyd.issuer
    assert asked == [certified.issuer, glewlwyd.issuer]

    with pytest.raises(AuthError) as refused:
        server.verify(certified.token(certified.resources[1]))
    assert refused.value.reason == "audience"

    stranger = ResourceServer.trusting(
        lambda issuer: issuer == glewlwyd.issuer,
        audience=[certified.resources[0], glewlwyd.audience],
        keys=RemoteKeys(http_options=PATIENT),
    )
    with pytest.raises(AuthError) as refused:
        stranger.verify(certified.token(certified.resources[0]))
    assert refused.value.reason == "issuer"
    assert stranger.verify(glewlwyd.token()).issuer == glewlwyd.issuer


def test_both_may_stand_in_the_environment(
    start_provider: Callable[[], IdentityProvider], start_glewlwyd: Callable[[], Glewlwyd]
) -> None:
    certified, glewlwyd = start_provider(), start_glewlwyd()
    environ = {
        "BEARERGUARD_1_ISSUER": certified.issuer,
        "BEARERGUARD_1_AUDIENCE": ",".join(certified.resources),
        "BEARERGUARD_2_ISSUER": glewlwyd.issuer,
        "BEARERGUARD_2_AUDIENCE": glewlwyd.audience,
    }
    server = ResourceServer.from_env(environ=environ)
    assert server.verify(certified.token(certified.resources[0])).provider.name == certified.issuer
    assert server.verify(glewlwyd.token()).provider.name == glewlwyd.issuer
