"""Machines whose clocks disagree by a day: leases are the database's, ages of files the disk's."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from tests.faults.place import LONG_AGO_S, OFTEN, SHORT_WAITS, Place
from tests.faults.uploads import half_an_upload
from tests.support.fault_launcher import Fault
from tests.support.held_ocr import held
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

DAY_S = 86400.0


def clock(shift_s: float) -> Fault:
    return Fault("time:time", shift_s=shift_s)


@pytest.mark.parametrize("shift_s", [DAY_S, -DAY_S], ids=["ahead", "behind"])
async def test_a_clock_that_is_wrong_by_a_day_collects_what_is_old_and_nothing_else(
    place: Place, shift_s: float
) -> None:
    service = await place.start(faults=[clock(shift_s), OFTEN])
    async with half_an_upload(place, service) as finish:
        abandoned = place.data_dir / "incoming" / "abandoned"
        abandoned.touch()
        long_ago = time.time() - LONG_AGO_S
        os.utime(abandoned, (long_ago, long_ago))

        await until(lambda: _is_gone(place, abandoned))

        assert await finish() == 202


async def _is_gone(place: Place, upload: Path) -> bool:
    return upload not in place.incoming()


async def test_workers_whose_clocks_disagree_read_each_page_once(place: Place) -> None:
    api = await place.start(slots="0")
    ahead = await place.start("--worker-only", faults=[clock(DAY_S)])
    behind = await place.start("--worker-only", faults=[clock(-DAY_S)])

    async with held(ahead), held(behind):
        made = await place.must_upload(api, pages=4)
        await place.handed_over()
        # Longer than a lease that nobody extends.
        await asyncio.sleep(2 * float(SHORT_WAITS["lease_s"]))

    await place.assert_kept(api)
    history = (await api.finished(made.job_id))["history"]
    assert [(entry["attempt"], entry["outcome"]) for entry in history] == [(1, "completed")]
    await place.assert_clean()
