"""bearerguard with opaque tokens, beside the bare request that asks about one, and with JWTs."""

from __future__ import annotations

import atexit
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count
from urllib.parse import urlencode

import httpx2

from bearerguard import Introspection, ResourceServer
from bench.cases import Case, Cases, loop, repeating
from bench.material import EXAMPLE, Material
from bench.verifiers.ours import resource_server

CLIENT = ("orders-api", "a secret of the API's")
_numbers = count()


def endpoint() -> str:
    """Start an endpoint that ends with this process; returns where it is."""
    program = [sys.executable, "-m", "bench.introspection_endpoint"]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    atexit.register(process.communicate)
    return f"http://127.0.0.1:{port}"


def asking(url: str, material: Material) -> ResourceServer:
    """A server that asks at `url`, and believes an answer for as long as anything here takes."""
    introspection = Introspection(
        *CLIENT, url=url, revocation_budget=3600.0, http_options={"trust_env": False}
    )
    return resource_server(material, "RS256", EXAMPLE, introspection=introspection)


def new_tokens(length: int) -> list[str]:
    """Tokens that nobody has seen, as long as those of the endpoint's kind are."""
    return [f"opaque-token-of-43-characters-{next(_numbers):013d}" for _ in range(length)]


def cases(material: Material, url: str) -> Cases:
    """One of each kind remembered; one that is new, and the bare request."""
    del url  # of key sets: this one needs none
    where = endpoint()
    verify_jwt = loop(resource_server(material, "RS256").verify)
    verify_opaque = loop(asking(f"{where}/introspect", material).verify)
    client = httpx2.Client(trust_env=False, auth=httpx2.BasicAuth(*CLIENT))
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}

    def ask(batch: Sequence[str]) -> None:
        for token in batch:
            form = urlencode({"token": token, "token_type_hint": "access_token"})
            answer = client.post(f"{where}/introspect", content=form, headers=headers)
            if answer.json()["active"] is not True:
                raise RuntimeError("the endpoint did not answer as it should")

    return {
        "JWT repeated": Case(verify_jwt, repeating(material.tokens("RS256.example"), verify_jwt)),
        "opaque repeated": Case(verify_opaque, repeating(new_tokens(1000), verify_opaque)),
        "opaque new": Case(verify_opaque, new_tokens, time.perf_counter_ns),
        "bare request": Case(ask, new_tokens, time.perf_counter_ns),
    }
