"""Where a test hangs is shown: each task and each thread."""

import asyncio
from pathlib import Path

from tests.support.hanging import show


async def test_the_tasks_and_the_threads_are_shown(tmp_path: Path) -> None:
    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(waits_for_ever())
    await asyncio.sleep(0)

    with (tmp_path / "shown").open("w") as output:
        show("tests/a.py::test_b", output)

    shown = (tmp_path / "shown").read_text()
    assert "tests/a.py::test_b takes too long" in shown
    assert "in waits_for_ever\n    await asyncio.Event().wait()" in shown
    assert "(most recent call first)" in shown
    task.cancel()
