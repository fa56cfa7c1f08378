"""Turns for work that runs for few requests at a time: whose turn it is, and what waits no longer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from docserver.errors import Unavailable
from docserver.exclusive import Turns

GREEDY, OTHER = "greedy", "other"


class Work:
    """Requests that work during their turns until they are told to end."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._end: asyncio.Queue[None] = asyncio.Queue()
        self.begun: list[str] = []

    async def run(self, client: str) -> None:
        async with self._turns.turn(client, within_s=10, refusal="Too many."):
            self.begun.append(client)
            await self._end.get()

    @asynccontextmanager
    async def waiting(self, *clients: str) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Requests of these clients, in this order."""
        tasks = [asyncio.create_task(self.run(client)) for client in clients]
        await self.settle()
        yield tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def end_one(self) -> None:
        self._end.put_nowait(None)
        await self.settle()

    async def settle(self) -> None:
        """Let everything happen that can."""
        for _ in range(20):
            await asyncio.sleep(0)


async def test_clients_have_turns_one_after_another_however_much_one_has_waiting() -> None:
    work = Work(Turns(1, of_one=1))
    async with work.waiting(GREEDY, GREEDY, GREEDY, GREEDY, OTHER, "third", OTHER):
        for _ in range(6):
            await work.end_one()

    assert work.begun == [GREEDY, GREEDY, OTHER, "third", GREEDY, OTHER, GREEDY]


async def test_one_client_leaves_a_turn_for_others() -> None:
    work = Work(Turns(3, of_one=2))
    async with work.waiting(GREEDY, GREEDY, GREEDY, OTHER, OTHER):
        assert work.begun == [GREEDY, GREEDY, OTHER]


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_requests_that_wait_no_longer_take_no_turn() -> None:
    work = Work(Turns(1, of_one=1))
    async with work.waiting(GREEDY, GREEDY, OTHER) as tasks:
        tasks[1].cancel()
        await work.end_one()

        assert work.begun == [GREEDY, OTHER]


async def test_a_request_that_is_cancelled_as_its_turn_comes_gives_it_back() -> None:
    turns = Turns(1, of_one=1)
    work = Work(turns)
    async with turns.turn(GREEDY, within_s=1, refusal=""):
        late = asyncio.create_task(work.run(OTHER))
        await work.settle()
    await cancelled(late)

    async with turns.turn(OTHER, within_s=1, refusal=""):
        assert work.begun == []


async def test_a_turn_that_does_not_come_in_time_is_refused_and_leaves_nothing() -> None:
    turns = Turns(1, of_one=1)
    async with turns.turn(GREEDY, within_s=1, refusal=""):
        with pytest.raises(Unavailable, match="Too many"):
            async with turns.turn(OTHER, within_s=0.01, refusal="Too many."):
                pass

    async with turns.turn(OTHER, within_s=1, refusal=""):
        pass
    assert (turns._free, turns._taken, turns._waiting) == (1, {}, {})
