"""Processes that die, freeze and come back: the service, a worker, an OCR process, a program that it runs."""

import os
import signal
from contextlib import suppress

import pytest

from tests.faults.place import Place
from tests.support.fault_launcher import Fault
from tests.support.held_ocr import ocr_processes, send
from tests.support.processes import children, until_gone
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_kill_9_of_api_and_worker_loses_no_accepted_document_and_leaves_no_process(place: Place) -> None:
    first = await place.start(slots="2")
    for pages in (1, 3, 1, 2):
        await place.must_upload(first, pages=pages)
    await first.logged("page read")
    family = children(first.pid)

    await place.kill(first)

    await until_gone(family)
    second = await place.start()
    await place.assert_kept(second)
    await place.assert_clean()


async def test_kill_9_of_a_worker_leaves_its_pages_to_another(place: Place) -> None:
    api = await place.start(slots="0")
    doomed = await place.start("--worker-only")
    send(await ocr_processes(doomed), signal.SIGSTOP)
    await place.must_upload(api, pages=2)
    await place.claimed()

    await place.kill(doomed)

    await place.start("--worker-only")
    await place.assert_kept(api)
    await place.assert_clean()


async def test_kill_9_of_an_ocr_process_costs_a_try_and_no_document(place: Place) -> None:
    service = await place.start()
    stopped = await ocr_processes(service)
    send(stopped, signal.SIGSTOP)
    await place.must_upload(service, pages=2)
    await place.handed_over()

    send(stopped, signal.SIGKILL)

    await place.assert_kept(service)
    assert service.find("OCR process died", exit_code=-signal.SIGKILL)


async def test_kill_9_of_a_program_that_an_ocr_process_runs_costs_a_try_and_no_document(place: Place) -> None:
    service = await place.start(engine="pytesseract")
    ocr = await ocr_processes(service)
    for _ in range(3):
        # A document of one page is read while it is opened, and read again by itself if that fails.
        await place.must_upload(service, pages=2)

    await until(lambda: _killed_a_program(ocr), pause_s=0.002)

    await place.assert_kept(service)
    assert any("will be tried again" in line["message"] for line in service.lines)


async def _killed_a_program(ocr: set[int]) -> bool:
    programs = set[int]().union(*map(children, ocr))
    with suppress(ProcessLookupError):
        send(programs, signal.SIGKILL)
        return bool(programs)
    return False


async def test_kill_9_of_an_idle_ocr_process_is_not_even_noticed_by_the_next_document(place: Place) -> None:
    service = await place.start()
    send(await ocr_processes(service), signal.SIGKILL)

    await place.must_upload(service)

    await place.assert_kept(service)


async def test_a_frozen_ocr_process_is_killed_when_its_time_is_over_and_the_page_read_again(place: Place) -> None:
    service = await place.start(page_timeout_s="5")
    send(await ocr_processes(service), signal.SIGSTOP)

    await place.must_upload(service)

    await service.logged("OCR process killed: out of time")
    await place.assert_kept(service)


async def test_a_frozen_worker_that_wakes_after_its_lease_overwrites_nothing(place: Place) -> None:
    api = await place.start(slots="0")
    zombie = await place.start("--worker-only")
    frozen = await ocr_processes(zombie)
    send(frozen, signal.SIGSTOP)
    await place.must_upload(api)
    await place.handed_over()
    os.kill(zombie.pid, signal.SIGSTOP)
    other = await place.start("--worker-only")
    await place.assert_kept(api, scratch=1)
    await other.stop()
    pages = await place.sql("SELECT * FROM {}.pages")
    jobs = await place.sql("SELECT * FROM {}.jobs")

    send(frozen, signal.SIGCONT)
    os.kill(zombie.pid, signal.SIGCONT)
    # There is nobody else, so once this one is read the zombie has given up what it had.
    await place.must_upload(api)

    await place.assert_kept(api)
    assert await place.sql("SELECT * FROM {}.pages WHERE job_id = %s", pages[0]["job_id"]) == pages
    assert await place.sql("SELECT * FROM {}.jobs WHERE id = %s", jobs[0]["id"]) == jobs


async def test_a_frozen_api_goes_on_where_it_was_when_it_wakes(place: Place) -> None:
    # Should it freeze in the middle of a transaction, its locks go with the connection that falls silent.
    api = await place.start(faults=[Fault("docserver.database.driver:IDLE_END_S", sets=2)])
    await place.must_upload(api, pages=3)
    await place.claimed()

    os.kill(api.pid, signal.SIGSTOP)
    await place.start("--worker-only")
    await until(lambda: _all_final(place))
    os.kill(api.pid, signal.SIGCONT)

    await place.assert_kept(api)


async def _all_final(place: Place) -> bool:
    return not await place.one("SELECT COUNT(*) FROM {}.jobs WHERE finished_at IS NULL")


async def test_sigterm_twice_in_the_middle_of_a_page_ends_at_once_and_another_reads_it(place: Place) -> None:
    first = await place.start(grace_s="30")
    send(await ocr_processes(first), signal.SIGSTOP)
    await place.must_upload(first, pages=2)
    await place.claimed()
    family = children(first.pid)

    os.kill(first.pid, signal.SIGTERM)
    await first.logged("stopping")
    status = await first.stop(signal.SIGTERM)

    assert status == 128 + signal.SIGTERM
    await until_gone(family)
    second = await place.start()
    await place.assert_kept(second)
    await place.assert_clean()


async def test_sigterm_with_a_page_that_hangs_gives_the_page_back_after_the_grace_time(place: Place) -> None:
    first = await place.start(grace_s="0.5")
    send(await ocr_processes(first), signal.SIGSTOP)
    await place.must_upload(first)
    await place.claimed()

    assert await first.stop(signal.SIGTERM) == 0

    assert not await place._has_claim()
    assert await place.one("SELECT MAX(lost_leases) FROM {}.pages") in (0, None)
    second = await place.start()
    await place.assert_kept(second)
