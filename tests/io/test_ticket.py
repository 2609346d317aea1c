from __future__ import annotations

import asyncio
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from bearerguard._io.ticket import Ticket
from bearerguard._limits import WAITERS_WOKEN_AT_ONCE

LONG, PAST = 30.0, -1.0
each_loop = pytest.mark.parametrize("loop", ["asyncio", "trio"])


def test_a_ticket_is_overdue_from_its_deadline_until_it_is_finished() -> None:
    assert not Ticket(LONG).is_overdue
    late = Ticket(PAST)
    assert late.is_overdue
    late.finish()
    assert not late.is_overdue


def test_a_thread_waits_until_the_ticket_is_finished() -> None:
    ticket = Ticket(LONG)
    finisher = threading.Thread(target=ticket.finish)
    finisher.start()
    assert ticket.wait()
    finisher.join()


def test_a_thread_does_not_wait_past_the_deadline() -> None:
    assert not Ticket(PAST).wait()
    assert not Ticket(0.01).wait()


@each_loop
def test_a_task_waits_until_the_ticket_is_finished_by_another_thread(loop: str) -> None:
    ticket = Ticket(LONG)

    async def main() -> list[bool]:
        answers: list[bool] = []

        async def wait() -> None:
            answers.append(await ticket.wait_async())

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await anyio.to_thread.run_sync(ticket.finish)
        return answers

    assert anyio.run(main, backend=loop) == [True, True, True]


@each_loop
def test_a_task_does_not_wait_past_the_deadline(loop: str) -> None:
    assert anyio.run(Ticket(PAST).wait_async, backend=loop) is False
    assert anyio.run(Ticket(0.01).wait_async, backend=loop) is False


@each_loop
def test_a_ticket_that_is_finished_keeps_nobody_waiting(loop: str) -> None:
    ticket = Ticket(PAST)
    ticket.finish()
    ticket.finish()
    assert ticket.wait()
    assert anyio.run(ticket.wait_async, backend=loop) is True


@each_loop
def test_a_cancelled_waiter_takes_only_itself_away(loop: str) -> None:
    ticket = Ticket(LONG)

    async def main() -> bool:
        with anyio.move_on_after(0):
            await ticket.wait_async()
        await anyio.to_thread.run_sync(ticket.finish)
        return await ticket.wait_async()

    assert anyio.run(main, backend=loop) is True
    assert not any(ticket._groups.values())


@each_loop
def test_a_waiter_whose_loop_is_gone_harms_nobody(loop: str) -> None:
    ticket = Ticket(LONG)
    groups: dict[Any, list[Any]] = {}

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ticket.wait_async)
            await anyio.wait_all_tasks_blocked()
            groups.update({loop: list(waiting) for loop, waiting in ticket._groups.items()})
            tasks.cancel_scope.cancel()

    anyio.run(main, backend=loop)
    ticket._groups.update(groups)  # as if the loop had ended without a word
    ticket.finish()
    assert ticket.wait()


def test_a_loop_that_was_stopped_and_not_closed_harms_nobody() -> None:
    ticket = Ticket(LONG)
    loop = asyncio.new_event_loop()
    waiter = loop.create_task(ticket.wait_async())
    loop.call_soon(loop.stop)
    loop.run_forever()
    ticket.finish()
    assert ticket.wait()
    assert loop.run_until_complete(waiter) is True
    loop.close()


@pytest.mark.parametrize("colour", ["sync", "asyncio", "trio"])
def test_whoever_is_less_patient_than_the_deadline_leaves_before_it(colour: str) -> None:
    ticket = Ticket(3_600)
    if colour == "sync":
        assert not ticket.wait(0.01)
    else:
        assert not anyio.run(ticket.wait_async, 0.01, backend=colour)
    assert not ticket.is_overdue


@each_loop
def test_many_waiters_are_woken_in_several_turns_and_all_of_them(loop: str) -> None:
    ticket, together = Ticket(LONG), WAITERS_WOKEN_AT_ONCE

    async def main() -> list[int]:
        turn, woken = 0, []

        async def wait() -> None:
            await ticket.wait_async()
            woken.append(turn)

        async with anyio.create_task_group() as tasks:
            for _ in range(5 * together + 1):
                tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            ticket.finish()
            while len(woken) < 5 * together + 1:
                turn += 1
                await anyio.lowlevel.checkpoint()
        return [woken.count(turn) for turn in set(woken)]

    assert max(anyio.run(main, backend=loop)) <= 2 * together


@each_loop
def test_those_who_came_after_a_cancelled_waiter_wait_on(loop: str) -> None:
    """The first of a group keeps its timer: where it leaves, another takes over."""
    ticket = Ticket(LONG)

    async def main() -> list[bool]:
        answers: list[bool] = []

        async def wait() -> None:
            answers.append(await ticket.wait_async())

        async with anyio.create_task_group() as tasks:
            async with anyio.create_task_group() as first:
                first.start_soon(wait)
                await anyio.wait_all_tasks_blocked()
                for _ in range(3):
                    tasks.start_soon(wait)
                await anyio.wait_all_tasks_blocked()
                first.cancel_scope.cancel()
            await anyio.wait_all_tasks_blocked()
            assert answers == []
            await anyio.to_thread.run_sync(ticket.finish)
        return answers

    assert anyio.run(main, backend=loop) == [True, True, True]


@each_loop
def test_all_who_wait_together_leave_at_the_deadline(loop: str) -> None:
    ticket = Ticket(0.05)

    async def main() -> list[bool]:
        answers: list[bool] = []

        async def wait() -> None:
            answers.append(await ticket.wait_async())

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(wait)
        return answers

    assert anyio.run(main, backend=loop) == [False, False, False]
