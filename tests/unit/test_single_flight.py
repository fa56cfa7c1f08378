"""Work that is done once for all who ask for it at the same time."""

import asyncio
import gc
from typing import Any

import pytest

from docserver.exclusive import SingleFlight
from tests.support.waiting import until


class Work:
    """Work that ends when it is told to, and counts how often it was begun."""

    def __init__(self, *, fault: Exception | None = None) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.has_ended = False
        self._fault = fault

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        self.has_ended = True
        if self._fault:
            raise self._fault
        return number


async def test_those_who_ask_at_the_same_time_share_what_is_done_for_the_first() -> None:
    flights, work = SingleFlight[str, int](), Work()
    callers = [asyncio.create_task(flights.do("key", work)) for _ in range(3)]
    await asyncio.sleep(0)
    work.may_end.set()

    assert await asyncio.gather(*callers) == [1, 1, 1]


async def test_work_with_different_keys_is_done_for_each() -> None:
    flights, work = SingleFlight[str, int](), Work()
    work.may_end.set()

    assert sorted(await asyncio.gather(flights.do("one", work), flights.do("other", work))) == [1, 2]


async def test_work_that_has_ended_is_not_given_to_a_caller_that_comes_later() -> None:
    # The other caller's task runs after the work has ended, and before its callbacks do. If it got that outcome, it
    # would not wait at all, and a caller that asks again as long as there is more would block the event loop.
    flights, begun, others = SingleFlight[str, int](), 0, list[asyncio.Task[int]]()

    async def work_as_another_caller_comes() -> int:
        nonlocal begun
        begun += 1
        if begun == 1:
            others.append(asyncio.create_task(flights.do("key", work_as_another_caller_comes)))
        return begun

    assert await flights.do("key", work_as_another_caller_comes) == 1
    assert await asyncio.gather(*others) == [2]


async def test_a_caller_that_goes_away_does_not_stop_the_work_of_the_others() -> None:
    flights, work = SingleFlight[str, int](), Work()
    first, other = (asyncio.create_task(flights.do("key", work)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    work.may_end.set()

    assert first.cancelled()
    assert await other == 1


async def test_all_callers_get_the_fault_and_the_next_one_a_new_try() -> None:
    flights, work = SingleFlight[str, int](), Work(fault=ValueError("broken"))
    work.may_end.set()
    faults = await asyncio.gather(flights.do("key", work), flights.do("key", work), return_exceptions=True)

    assert [type(fault) for fault in faults] == [ValueError, ValueError]
    assert work.begun == 1
    with pytest.raises(ValueError, match="broken"):
        await flights.do("key", work)
    assert work.begun == 2


async def test_a_fault_that_nobody_waits_for_any_more_is_not_logged() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    flights, work = SingleFlight[str, int](), Work(fault=ValueError("broken"))
    caller = asyncio.create_task(flights.do("key", work))
    await until(lambda: work.begun == 1)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    work.may_end.set()
    await until(lambda: work.has_ended)
    # asyncio logs the fault when nothing refers to the work any more.
    del caller
    gc.collect()

    assert reported == []
