"""What a door is to tests that go through all of them: one small API behind it, and how it is asked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import anyio.to_thread

from bearerguard import AccessToken, ResourceServer
from bearerguard.guard import BaseGuard
from bearerguard.rules import Rule
from bearerguard.testing import Issuer
from tests.doors_under_test.exchange import Answer, Ask, Fields, Request, open_websocket

METHODS = ["GET", "HEAD", "POST"]
log = logging.getLogger("api")


def tell(token: AccessToken | None) -> Any:
    """What the API answers, if a test does not say otherwise."""
    return {"subject": None if token is None else token.subject}


@dataclass
class Api:
    """What stands behind a door. `entered` are the paths at which it was entered, in their order.

    Attributes:
        rule: what `/` asks for, unless credentials are `optional` there.
        view: makes the content of an answer.
        meeting: where several requests wait for each other, within the application.
    """

    rule: Rule | None = None
    optional: bool = False
    view: Callable[[AccessToken | None], Any] = tell
    meeting: threading.Barrier | None = None
    entered: list[str] = field(default_factory=list)

    def enter(self, path: str) -> None:
        self.entered.append(path)
        if self.meeting is not None and path != "/health":
            self.meeting.wait(60)

    async def enter_async(self, path: str) -> None:
        self.entered.append(path)
        if self.meeting is not None and path != "/health":
            await anyio.to_thread.run_sync(self.meeting.wait, 60)

    def content(self, token: AccessToken | None) -> Any:
        log.info("served")
        return self.view(token)


class Door:
    """A way in.

    Attributes:
        name: what tests call it.
        guard: the class of its guard; None where it is not a guard's.
        mount: the path at which it stands.
        is_http: whether it is asked over HTTP: another one serves no metadata, has one method
            only, and its clients send no header that gRPC does not let through.
        has_optional: whether credentials may be optional at it.
        has_websockets: whether it can be asked to open one.
        is_whole: whether it protects an application and not only its views, so that also what nobody serves
            is refused.
        words_refusals: whether the body of a refusal is the guard's.
        conforms: whether `tests/conformance` is for it. It is not where it keeps somebody else's contract, or
            has no application behind it; hostile input is put through those too.
        without_credentials: the status where there are none.
        badly_put: the status where they are not put as RFC 6750 says.
        challenges_the_anonymous: whether the refusal of a request without credentials has a challenge.
        joins_fields: whether the server before it joins fields of one name by commas (RFC 3875, section
            4.1.18), so that nobody behind it can tell that there were two.
    """

    name: ClassVar[str]
    guard: ClassVar[type[BaseGuard] | None]
    ask: ClassVar[Ask]
    mount: ClassVar[str] = ""
    is_http: ClassVar[bool] = True
    has_optional: ClassVar[bool] = True
    has_websockets: ClassVar[bool] = False
    is_whole: ClassVar[bool] = False
    words_refusals: ClassVar[bool] = True
    conforms: ClassVar[bool] = True
    without_credentials: ClassVar[int] = 401
    badly_put: ClassVar[int] = 400
    challenges_the_anonymous: ClassVar[bool] = True
    joins_fields: ClassVar[bool] = False

    def app(self, guard: Any, api: Api) -> Any:
        """The application, with the metadata of the resource installed."""
        raise NotImplementedError

    def sent(self, method: str, path: str) -> tuple[str, str]:
        """The method and the path by which a request is really sent that a test describes."""
        return method, self.mount + path

    def open(self, server: ResourceServer, rule: Rule | None = None, **options: Any) -> Opened:
        """Build everything.

        Args:
            server: verifies tokens.
            rule: what the API asks for.
            **options: `optional`, `view` and `meeting` for the `Api`; `readiness`, a path, and `served`,
                endpoints, for what the guard serves by itself; the rest for the guard.
        """
        names = ("optional", "view", "meeting")
        api = Api(rule, **{name: options.pop(name) for name in names if name in options})
        readiness, served = options.pop("readiness", None), options.pop("served", ())
        guard = None if self.guard is None else self.guard(server, **options)
        if guard is not None and readiness is not None:
            guard.readiness(readiness)
        if guard is not None:
            guard.endpoints += served
        return Opened(self, self.app(server if guard is None else guard, api), api, guard)

    def open_for(self, issuer: Issuer) -> Opened:
        """Build everything, for nobody but an issuer whose keys are there."""
        return self.open(issuer.resource_server(keys=issuer.jwks()))


@dataclass(frozen=True)
class Opened:
    """A door with the API behind it, to be asked."""

    door: Door
    app: Any
    api: Api
    guard: BaseGuard | None

    def get(self, token: str | None = None, path: str = "/", **changes: Any) -> Answer:
        """The answer to one request, by GET unless `changes` of the `Request` say otherwise."""
        return self.get_all([token], path, **changes)[0]

    def get_all(self, tokens: Sequence[str | None], path: str = "/", **changes: Any) -> list[Answer]:
        """The answers to requests that are sent at the same time."""
        return type(self.door).ask(self.app, *(self.request(token, path, **changes) for token in tokens))

    def websocket(self, token: str | None = None, *, can_be_denied: bool = False, **changes: Any) -> Answer:
        """The answer to the opening of a WebSocket."""
        return open_websocket(self.app, self.request(token, "/ws", **changes), can_be_denied=can_be_denied)

    def request(self, token: str | None, path: str, *, fields: Fields = (), **changes: Any) -> Request:
        sent = fields if token is None else [*fields, *bearer(token)]
        own = () if self.guard is None else [endpoint.path for endpoint in self.guard.endpoints]
        mount = "" if path.startswith("/.well-known") or path in own else self.door.mount
        return Request(path=mount + path, fields=sent, **changes)


def bearer(token: str) -> Fields:
    return [(b"Authorization", b"Bearer " + token.encode())]
