"""A small API of orders in Flask, where a rule on each view says who may do what.

Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    RESOURCE  the URL of this API as its clients know it; with it, the API publishes its metadata

README.md says how to run it.
"""

from __future__ import annotations

import os

from flask import Flask, Response, abort, jsonify, request
from flask.views import MethodView

from bearerguard import Provider, ResourceServer, fresh, role, scope
from bearerguard.flask import Guard

server = ResourceServer(Provider(os.environ["ISSUER"], audience=os.environ["AUDIENCE"]))
guard = Guard(server, resource=os.environ.get("RESOURCE"), realm="orders")

app = Flask(__name__)
guard.install(app)

orders = {1: {"article": "a lamp", "by": "ada"}, 2: {"article": "a chair", "by": "ben"}}


@app.get("/health")
def health() -> Response:
    """Say that it runs, to anybody."""
    return jsonify("ok")


@app.get("/greeting")
@guard.optional()
def greeting() -> Response:
    """Greet whoever it is, with a name where there is one."""
    token = guard.token_or_none()
    return jsonify("Hello." if token is None else f"Hello, {token.subject}.")


class Orders(MethodView):
    """All orders; each method has a rule of its own. A rule on the class would hold for all of them."""

    @guard.requires(scope("orders:read"))
    def get(self) -> Response:
        """List the orders: all of them for an admin, one's own for everybody else."""
        token = guard.token()
        everything = "admin" in token.roles
        return jsonify(
            {number: order for number, order in orders.items() if everything or order["by"] == token.subject}
        )

    @guard.requires(scope("orders:write"))
    def post(self) -> tuple[Response, int]:
        """Order something; it is oneself who does."""
        content = request.get_json()
        article = content.get("article") if isinstance(content, dict) else None
        if not isinstance(article, str):
            abort(422, "Say which article.")
        number = max(orders, default=0) + 1
        orders[number] = {"article": article, "by": str(guard.token().subject)}
        return jsonify(number), 201


app.add_url_rule("/orders", view_func=Orders.as_view("orders"))


@app.delete("/orders/<int:number>")
@guard.requires(scope("orders:write") & role("admin") & fresh(max_age=300))
def cancel_order(number: int) -> tuple[str, int]:
    """Cancel an order: for admins, who logged in at most five minutes ago."""
    if orders.pop(number, None) is None:
        abort(404, "There is no such order.")
    return "", 204
