"""The protected API of a chaos run under gunicorn with threads: Flask, keys by URL."""

from __future__ import annotations

import os

import flask

from bearerguard.flask import requires_authentication
from chaos.accelerated_clock import AcceleratedClock

app = flask.Flask(__name__)


@app.get("/")
@requires_authentication(
    f"{os.environ['CHAOS_ISSUER']}/jwks",
    issuer=os.environ["CHAOS_ISSUER"],
    audience="https://api.test",
    clock=AcceleratedClock(),
    timeout=float(os.environ["CHAOS_TIMEOUT"]),
)
def subject() -> dict[str, str]:
    """Whose token this is."""
    return {"sub": flask.g.token_body["sub"]}


@app.get("/measured")
def measured() -> dict[str, float]:
    """Nothing: there is no event loop here."""
    return {}
