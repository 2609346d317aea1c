"""The example of a gRPC server, started as README.md says and called over a channel."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from bearerguard.testing import Issuer
from tests.examples.running import EXAMPLES, README

AUDIENCE = "https://orders.example"
ENOUGH = 60.0


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer(audience=AUDIENCE, algorithm="ES256").serve() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def channel(issuer: Issuer) -> Iterator[Any]:
    settings = {"ISSUER": issuer.url, "AUDIENCE": AUDIENCE, "PORT": "0", "no_proxy": "127.0.0.1"}
    program = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "grpc_server.py")],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout is not None
        said = program.stdout.readline()
        found = re.fullmatch(r"serves at (127\.0\.0\.1:\d+)\n", said)
        assert found, said
        with grpc.insecure_channel(found[1]) as channel:
            yield channel
    finally:
        program.send_signal(signal.SIGINT)
        try:
            program.wait(ENOUGH)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
        assert program.stdout is not None
        program.stdout.close()


def call(channel: Any, method: str, request: Any = None, token: str | None = None) -> Any:
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    ask = channel.unary_stream if method.endswith("Browse") else channel.unary_unary
    answer = ask(method)(json.dumps(request).encode(), metadata=metadata, timeout=ENOUGH)
    return list(map(json.loads, answer)) if method.endswith("Browse") else json.loads(answer)


def status(*arguments: Any) -> Any:
    with pytest.raises(grpc.RpcError) as refused:
        call(*arguments)
    return refused.value.code()


def test_the_example_is_in_the_readme_with_the_command_that_runs_it() -> None:
    assert "| [grpc_server.py](grpc_server.py) |" in README
    assert "\npython examples/grpc_server.py\n" in README


def test_orders_are_placed_listed_and_cancelled_by_those_who_may(channel: Any, issuer: Issuer) -> None:
    now = int(issuer.clock())
    ada = issuer.token("ada", "orders:read orders:write", roles=["admin"], auth_time=now)
    ben = issuer.token("ben", "orders:read orders:write")
    assert call(channel, "/shop.Health/Check") is True
    number = call(channel, "/shop.Orders/Place", {"article": "a table"}, ben)
    assert {"article": "a table", "by": "ben"} in call(channel, "/shop.Orders/Browse", None, ben)
    assert {order["by"] for order in call(channel, "/shop.Orders/Browse", None, ben)} == {"ben"}
    assert status(channel, "/shop.Orders/Cancel", number, ben) == grpc.StatusCode.PERMISSION_DENIED
    assert call(channel, "/shop.Orders/Cancel", number, ada) is None
    assert status(channel, "/shop.Orders/Cancel", number, ada) == grpc.StatusCode.NOT_FOUND
    assert status(channel, "/shop.Orders/Browse", None, None) == grpc.StatusCode.UNAUTHENTICATED
