"""The time limits of requests: which tasks they end, and that one timer serves them all."""

import asyncio
import math
from contextlib import suppress
from typing import Any

import pytest

from docserver.web.deadlines import Deadlines
from tests.support.waiting import in_time

SOON_S, LATER_S = 0.01, 600.0


async def limited(deadlines: Deadlines, seconds: float, *, more_s: float = 0.0) -> None:
    """Wait without end within a limit."""
    with deadlines.limit(seconds) as deadline:
        deadline.extend(more_s)
        await asyncio.Event().wait()


@pytest.mark.parametrize("limits", [(SOON_S, LATER_S), (LATER_S, SOON_S)])
async def test_a_request_ends_at_its_own_limit_whatever_that_of_an_earlier_one_is(limits: tuple[float, float]) -> None:
    deadlines = Deadlines()
    tasks = [asyncio.create_task(limited(deadlines, seconds)) for seconds in limits]

    async with in_time():
        with pytest.raises(TimeoutError):
            await tasks[limits.index(SOON_S)]

    late = tasks[limits.index(LATER_S)]
    assert not late.done()
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late


@pytest.mark.parametrize("more_s", [LATER_S, math.inf])
async def test_a_limit_that_was_extended_ends_nothing_at_its_first_time(more_s: float) -> None:
    deadlines = Deadlines()
    extended = asyncio.create_task(limited(deadlines, SOON_S, more_s=more_s))
    await asyncio.sleep(0)

    async with in_time():
        with pytest.raises(TimeoutError):
            await limited(deadlines, 2 * SOON_S)

    assert not extended.done()
    extended.cancel()
    await asyncio.wait([extended])


async def test_limits_are_kept_one_after_another() -> None:
    deadlines = Deadlines()

    for _ in range(3):
        async with in_time():
            with pytest.raises(TimeoutError):
                await limited(deadlines, SOON_S)


async def test_a_task_that_somebody_else_cancels_as_well_stays_cancelled() -> None:
    deadlines, over = Deadlines(), []

    async def request() -> None:
        with deadlines.limit(SOON_S) as deadline:
            over.append(deadline)
            await asyncio.Event().wait()

    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    over[0].cancel()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_request_that_ends_as_its_time_is_over_leaves_no_cancellation_behind() -> None:
    deadlines = Deadlines()
    task = asyncio.current_task()
    assert task is not None

    # Before Python 3.13, a cancellation that was taken back arrives nevertheless.
    with suppress(asyncio.CancelledError):
        with deadlines.limit(LATER_S) as deadline:
            deadline.cancel()
        await asyncio.sleep(0)

    assert task.cancelling() == 0


async def test_one_timer_serves_all_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, timers = asyncio.get_running_loop(), []
    call_at = loop.call_at

    def counted(at: float, *arguments: Any, **named: Any) -> asyncio.TimerHandle:
        timers.append(at)
        # Some loops round to milliseconds.
        return call_at(at + 0.001, *arguments, **named)

    monkeypatch.setattr(loop, "call_at", counted)
    deadlines = Deadlines()

    for _ in range(100):
        with deadlines.limit(LATER_S):
            pass

    assert len(timers) == 1
