"""Every example, started by the command that its README has for it, as the fixture `api`."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from bearerguard.testing import Issuer
from tests.examples.running import COMMANDS, EXAMPLES, listening, serving

AUDIENCE = "https://orders.example"


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    with Issuer(audience=AUDIENCE, algorithm="ES256").serve() as issuer:
        yield issuer


@pytest.fixture(scope="session", params=COMMANDS)
def api(
    request: pytest.FixtureRequest, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx2.Client]:
    with listening() as at:
        server, *arguments, app = COMMANDS[request.param]
        arguments = [str(EXAMPLES) if one == "examples" else one for one in arguments]
        fd = at.fileno()
        where = {"uvicorn": ["--fd", str(fd)], "gunicorn": ["--bind", f"fd://{fd}", "--no-control-socket"]}
        with (
            serving(
                [server, *arguments, *where[server], app],
                at,
                tmp_path_factory.mktemp("example") / "log",
                ISSUER=issuer.url,
                AUDIENCE=AUDIENCE,
                RESOURCE="https://api.example/v1",
                DOCS_CLIENT_ID="docs",
            ) as url,
            httpx2.Client(base_url=url, trust_env=False, timeout=60) as client,
        ):
            yield client
