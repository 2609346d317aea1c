"""Which token stands behind the request that is being served: until its end, and for nobody else's."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Callable
from typing import Any

import pytest

from bearerguard import AccessToken, ResourceServer
from bearerguard.context import SERVING, Serving, begin_asked, current, end_noted, note, verified_token
from bearerguard.testing import Issuer

ISSUER = Issuer(algorithm="ES256")
SERVER: ResourceServer = ISSUER.resource_server(keys=ISSUER.jwks())
ADA, BOB, EVE = (SERVER.verify(ISSUER.token(name)) for name in ("ada", "bob", "eve"))


def who() -> str | None:
    token = verified_token()
    return None if token is None else token.subject


@pytest.fixture(autouse=True)
def nobody_is_served_before() -> None:
    current.set(None)  # what tests of doors left in this thread


def in_a_context_of_its_own(work: Callable[[], Any]) -> Any:
    return contextvars.copy_context().run(work)


class Environ(dict[str, Any]):
    """A scope or an environ."""


# -- doors that know the end of a request ----------------------------------------------------------------


def test_outside_of_a_request_there_is_nobody() -> None:
    assert who() is None


def test_a_request_names_its_token_from_its_verification_to_its_end() -> None:
    with Serving() as request:
        assert who() is None
        request.token = ADA
        assert who() == "ada"
    assert who() is None


def test_a_request_within_another_hides_it_only_meanwhile() -> None:
    with Serving(ADA):
        with Serving() as inner:
            assert who() is None, "nobody is behind it yet, and not who is behind the outer one"
            inner.token = BOB
            assert who() == "bob"
        assert who() == "ada"


def test_a_request_ends_with_an_error_too() -> None:
    with pytest.raises(RuntimeError, match="mine"), Serving(ADA):
        raise RuntimeError("mine")
    assert who() is None


def test_a_context_that_outlives_its_request_leads_to_nobody() -> None:
    with Serving(ADA):
        leaked = contextvars.copy_context()
        assert leaked.run(who) == "ada"
    assert leaked.run(who) is None


def test_a_context_that_outlives_an_inner_request_leads_to_the_outer_one() -> None:
    with Serving(ADA):
        with Serving(BOB):
            leaked = contextvars.copy_context()
        assert leaked.run(who) == "ada"
    assert leaked.run(who) is None


def test_a_task_that_outlives_its_request_finds_nobody() -> None:
    async def play() -> list[str | None]:
        is_over = asyncio.Event()
        found: list[str | None] = []

        async def outlive() -> None:
            found.append(who())
            await is_over.wait()
            found.append(who())

        with Serving(ADA):
            task = asyncio.create_task(outlive())
            await asyncio.sleep(0)
        with Serving(BOB):  # the next request of the connection
            is_over.set()
            await task
        return found

    assert asyncio.run(play()) == ["ada", None]


def test_tasks_that_serve_at_once_do_not_see_each_other() -> None:
    async def play() -> list[str | None]:
        barrier = asyncio.Barrier(3)

        async def serve(token: AccessToken) -> str | None:
            with Serving(token):
                await barrier.wait()
                return who()

        return await asyncio.gather(*(serve(token) for token in (ADA, BOB, EVE)))

    assert asyncio.run(play()) == ["ada", "bob", "eve"]


# -- doors that learn of a request when it has begun -----------------------------------------------------


def test_what_is_noted_within_a_request_that_is_followed_ends_with_it() -> None:
    environ = Environ()
    with Serving() as request:
        environ[SERVING] = request
        note(environ, ADA)
        assert who() == "ada"
    assert who() is None


def test_what_is_noted_again_replaces_what_was_noted_before() -> None:
    def play() -> None:
        environ = Environ()
        note(environ, ADA)
        note(environ, BOB)
        assert who() == "bob"
        note(environ, None)
        assert who() is None

    in_a_context_of_its_own(play)


def test_of_whose_end_nobody_tells_it_is_over_when_its_environ_is_gone() -> None:
    def play() -> None:
        environ = Environ()
        note(environ, ADA)
        assert who() == "ada"
        del environ
        gc.collect()
        assert who() is None

    in_a_context_of_its_own(play)


def test_what_is_noted_within_another_request_hides_it_only_while_its_environ_is_there() -> None:
    def play() -> None:
        with Serving(ADA):
            environ = Environ()
            note(environ, BOB)
            assert who() == "bob"
            environ.clear()
            gc.collect()
            assert who() == "ada"

    in_a_context_of_its_own(play)


def test_what_is_noted_after_the_end_is_of_a_request_of_its_own() -> None:
    def play() -> None:
        environ = Environ()
        note(environ, ADA)
        environ[SERVING].end()
        assert who() is None
        note(environ, BOB)
        assert who() == "bob"

    in_a_context_of_its_own(play)


@pytest.mark.parametrize("end", [lambda environ: environ[SERVING].end(), dict.clear], ids=["told", "gone"])
def test_a_connection_of_many_requests_remembers_none_that_is_over(end: Callable[[Any], None]) -> None:
    """Servers may run the requests of a connection in one context."""

    def play() -> None:
        for _ in range(100):
            environ = Environ()
            note(environ, ADA)
            end(environ)
            gc.collect(0)
        length, place = 0, current.get()
        while place is not None:
            length, place = length + 1, place.outer
        assert length <= 2
        assert who() is None

    in_a_context_of_its_own(play)


# -- doors of frameworks that know themselves which request they are serving -----------------------------


class Framework:
    """Knows which request it is serving, as Flask does."""

    def __init__(self) -> None:
        self.environ: Environ | None = None

    def served(self) -> Serving | None:
        return None if self.environ is None else self.environ.get(SERVING)


def test_of_a_framework_that_is_asked_the_request_that_it_serves_counts() -> None:
    def play() -> None:
        framework = Framework()
        found = framework.served
        one, other = Environ(), Environ()
        framework.environ = one
        begin_asked(one, found).token = ADA
        assert who() == "ada"
        framework.environ = other
        assert who() is None, "nobody was checked for this one yet"
        begin_asked(other, found).token = BOB
        assert who() == "bob"
        framework.environ = one
        assert who() == "ada"
        framework.environ = None
        assert who() is None

    in_a_context_of_its_own(play)


def test_of_a_framework_that_is_asked_a_request_that_is_over_is_nobody_s() -> None:
    def play() -> None:
        framework = Framework()
        framework.environ = Environ()
        request = begin_asked(framework.environ, framework.served)
        request.token = ADA
        request.end()
        assert who() is None

    in_a_context_of_its_own(play)


def test_it_is_said_once_for_all_requests_of_a_thread() -> None:
    def play() -> None:
        framework = Framework()
        found = framework.served
        framework.environ = Environ()
        begin_asked(framework.environ, found)
        place = current.get()
        for _ in range(100):
            framework.environ = Environ()
            begin_asked(framework.environ, found).token = ADA
            assert current.get() is place
            assert who() == "ada"

    in_a_context_of_its_own(play)


def test_a_request_of_such_a_framework_within_another_hides_it_only_meanwhile() -> None:
    def play() -> None:
        framework = Framework()
        with Serving(ADA):
            framework.environ = Environ()
            inner = begin_asked(framework.environ, framework.served)
            assert who() is None
            inner.token = BOB
            assert who() == "bob"
            with Serving(EVE):
                assert who() == "eve"
            assert who() == "bob"
            inner.end()
            assert who() == "ada"
        assert who() is None

    in_a_context_of_its_own(play)


def test_another_door_that_ends_its_request_leaves_that_of_such_a_framework_alone() -> None:
    def play() -> None:
        framework = Framework()
        framework.environ = Environ()
        begin_asked(framework.environ, framework.served).token = ADA
        end_noted()
        assert who() == "ada"

    in_a_context_of_its_own(play)


def test_a_request_of_such_a_framework_that_is_further_out_hides_none_that_is_nearer() -> None:
    """The framework calls a door, which calls the framework, and comes back."""

    def play() -> None:
        framework = Framework()
        found = framework.served
        framework.environ = outermost = Environ()
        begin_asked(outermost, found).token = ADA
        with Serving(BOB):
            framework.environ = Environ()
            begin_asked(framework.environ, found).token = EVE
            assert who() == "eve"
            framework.environ = outermost
            assert who() == "bob"
        assert who() == "ada"

    in_a_context_of_its_own(play)


def test_a_door_that_is_told_of_an_end_ends_its_own_request_beneath_that_of_such_a_framework() -> None:
    def play() -> None:
        framework = Framework()
        environ = Environ()
        note(environ, ADA)
        framework.environ = Environ()
        begin_asked(framework.environ, framework.served).token = BOB
        framework.environ = None
        assert who() == "ada"
        end_noted()
        assert who() is None
        assert current.get() is None

    in_a_context_of_its_own(play)
