"""Issuers that are like real providers, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bearerguard import AuthError, Provider, ProviderUnavailable, RemoteKeys, ResourceServer
from bearerguard.presets import aws_alb, keycloak
from bearerguard.testing import Issuer
from bearerguard.testing.likeness import ARN, LIKENESSES


@contextmanager
def serving(answers: dict[str, Any]) -> Iterator[str]:
    """The address of a server on loopback that answers GET of these paths, with JSON or PEM."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path)
            body = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("name", [name for name in sorted(LIKENESSES) if name != "aws_alb"])
def test_a_faithful_token_is_accepted_by_keys_that_come_over_http(name: str) -> None:
    with Issuer.like(name).serve() as issuer:
        server = issuer.resource_server()
        assert server.verify(issuer.token("ada")).subject is not None
        with pytest.raises(AuthError):
            server.verify(issuer.forged("ada"))


def test_keycloak_is_asked_inside_and_believed_by_its_public_name() -> None:
    issuer = Issuer.like("keycloak")
    answers: dict[str, Any] = {"/realms/shop/protocol/openid-connect/certs": issuer.jwks()}
    with serving(answers) as inside:
        answers["/realms/shop/.well-known/openid-configuration"] = {
            "issuer": issuer.url,
            "jwks_uri": f"{inside}/realms/shop/protocol/openid-connect/certs",
        }
        provider = keycloak("https://login.shop.example", "shop", "orders-api", internal_url=inside)
        server = ResourceServer(provider, clock=issuer.clock)
        assert server.verify(issuer.token("ada")).issuer == "https://login.shop.example/realms/shop"


def test_keycloak_that_calls_itself_by_its_inner_name_is_not_believed() -> None:
    issuer = Issuer.like("keycloak")
    answers: dict[str, Any] = {}
    with serving(answers) as inside:
        answers["/realms/shop/.well-known/openid-configuration"] = {
            "issuer": f"{inside}/realms/shop",
            "jwks_uri": f"{inside}/certs",
        }
        provider = keycloak("https://login.shop.example", "shop", "orders-api", internal_url=inside)
        server = ResourceServer(provider, clock=issuer.clock)
        with pytest.raises(ProviderUnavailable):
            server.verify(issuer.token("ada"))
        failure = server.health()["providers"][issuer.url]["last_failure"]
        assert failure["reason"] == "issuer_mismatch"


def test_each_key_of_a_load_balancer_comes_from_its_own_address() -> None:
    issuer = Issuer.like("aws_alb")
    address = f"https://public-keys.auth.elb.eu-west-1.amazonaws.com/{issuer.kid}"
    with serving({f"/{issuer.kid}": issuer.answer_at(address)}) as bucket:
        preset = aws_alb("eu-west-1", ARN).remote_keys
        assert preset is not None
        keys = RemoteKeys(f"{bucket}/{{kid}}", kid_pattern=preset.kid_pattern)
        provider: Provider = aws_alb("eu-west-1", ARN, keys=keys)
        server = ResourceServer(provider, clock=issuer.clock)
        assert server.verify(issuer.token("ada")).subject == "ada"
        with pytest.raises(AuthError) as refused:
            server.verify(issuer.token("ada", header={"kid": "00000000-0000-4000-8000-000000000000"}))
        assert refused.value.reason == "unknown_key"
