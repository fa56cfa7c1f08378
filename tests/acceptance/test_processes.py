"""The processes: start, stop, kill, several beside each other, and the logs they write."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp

from docserver.jobs.paces import MAX_PAGES
from tests.support.processes import children, ocr_processes, until_gone
from tests.support.samples import pdf_scanned, png, words
from tests.support.servers import Servers
from tests.support.service import Start, free_port

MANY_PAGES = tuple(f"Page number {number} of a long report" for number in range(1, 13))


def scratch_of(directory: Path) -> list[Path]:
    return [path for path in (directory / "data" / "scratch").rglob("*") if path.is_file() and path.name != "lock"]


async def test_sigterm_lets_the_page_being_read_end_gives_the_rest_back_and_exits_with_0(
    start: Start, tmp_path: Path
) -> None:
    first = await start(slots="1")
    job = await first.upload(pdf_scanned(MANY_PAGES), filename="long.pdf")
    await first.logged("page read", job_id=job["job_id"])
    family = children(first.pid)

    assert await first.stop(signal.SIGTERM) == 0

    await until_gone(family)
    assert not list((tmp_path / "data" / "scratch").iterdir())
    second = await start()
    final = await second.finished(job["job_id"])
    assert final["status"] == "completed"
    text = await second.text(job["job_id"])
    assert [words(page) for page in text.split("\f")] == [words(page) for page in MANY_PAGES]


async def test_a_second_signal_ends_it_at_once_with_all_it_started(start: Start) -> None:
    service = await start(slots="2", grace_s="30")
    job = await service.upload(pdf_scanned(MANY_PAGES), filename="long.pdf")
    await service.logged("job started", job_id=job["job_id"])
    family = children(service.pid)

    os.kill(service.pid, signal.SIGTERM)
    await service.logged("stopping")
    status = await service.stop(signal.SIGTERM)

    assert status in (0, 128 + signal.SIGTERM)
    await until_gone(family)


async def test_after_kill_9_all_accepted_documents_complete_and_none_is_listed_twice(
    start: Start, tmp_path: Path
) -> None:
    first = await start(slots="2", lease_s="2")
    jobs = [await first.upload(pdf_scanned(MANY_PAGES[:4]), filename=f"{number}.pdf") for number in range(4)]
    jobs += [await first.upload(png(), filename=f"{number}.png") for number in range(6)]
    await first.logged("page read")
    family = children(first.pid)
    await first.stop(signal.SIGKILL)
    await until_gone(family)

    second = await start(lease_s="2")
    finals = [await second.finished(job["job_id"]) for job in jobs]

    assert {final["status"] for final in finals} == {"completed"}
    async with second.http.get("/v1/documents/list-document", params={"limit": 100}) as response:
        listed = [item["document_id"] for item in (await response.json())["items"]]
    assert sorted(listed) == sorted(job["document_id"] for job in jobs)
    for job in jobs[:4]:
        assert [words(page) for page in (await second.text(job["job_id"])).split("\f")] == [
            words(p) for p in MANY_PAGES[:4]
        ]
    await second.stop()
    assert scratch_of(tmp_path) == []


async def test_a_killed_ocr_process_costs_no_document(start: Start) -> None:
    service = await start(slots="1", maintenance_s="0.3")
    job = await service.upload(pdf_scanned(MANY_PAGES[:4]), filename="long.pdf")
    await service.logged("page read", job_id=job["job_id"])

    for pid in ocr_processes(service.pid):
        os.kill(pid, signal.SIGKILL)

    final = await service.finished(job["job_id"])
    assert final["status"] == "completed"
    assert final["pages"] == {"total": 4, "done": 4, "failed": 0}
    assert [words(page) for page in (await service.text(job["job_id"])).split("\f")] == [
        words(p) for p in MANY_PAGES[:4]
    ]


async def test_an_api_without_slots_and_workers_beside_it_share_a_long_document(start: Start) -> None:
    api = await start(slots="0")
    job = await api.upload(pdf_scanned(MANY_PAGES), filename="long.pdf")
    assert (await api.job(job["job_id"], wait=0.3))["status"] == "pending"

    workers = [await start("--worker-only", slots="1") for _ in range(2)]
    assert (await api.finished(job["job_id"]))["status"] == "completed"
    # The first of them may have read it all before the second had an OCR process.
    second = MANY_PAGES[::-1] * 3
    job = await api.upload(pdf_scanned(second), filename="second.pdf")
    assert (await api.finished(job["job_id"]))["status"] == "completed"

    text = await api.text(job["job_id"])
    assert [words(page) for page in text.split("\f")] == [words(page) for page in second]
    read = [
        {line["page"] for line in worker.lines if line["message"] == "page read" and line["job_id"] == job["job_id"]}
        for worker in workers
    ]
    assert all(read), "each worker has read some pages"
    assert read[0].isdisjoint(read[1])
    assert all(worker.find("listening") is None for worker in workers)


async def test_workers_can_be_scaled_to_zero_and_back_by_the_number_of_unfinished_pages(start: Start) -> None:
    port = free_port()
    api = await start(slots="0", metrics_port=str(port))

    async def unfinished_pages() -> int:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/backlog") as response:
            return int((await response.json())["unfinished_pages"])

    for _ in range(2):
        assert await unfinished_pages() == 0
        job = await api.upload(png())
        assert await unfinished_pages() == 1
        worker = await start("--worker-only", slots="1")
        assert (await api.finished(job["job_id"]))["status"] == "completed"
        assert await unfinished_pages() == 0
        assert await worker.stop(signal.SIGTERM) == 0


async def test_a_small_document_does_not_wait_behind_a_long_one(start: Start) -> None:
    service = await start(slots="1")
    long = await service.upload(pdf_scanned(MANY_PAGES * 8), filename="long.pdf")
    await service.logged("page read", job_id=long["job_id"])

    small = await service.upload(png(), filename="receipt.png")
    await service.logged("page read", job_id=small["job_id"])

    read = [line["job_id"] for line in service.lines if line["message"] == "page read"]
    before = read[: read.index(small["job_id"])]
    assert len(before) <= 1 + 2 * MAX_PAGES, "at most the chunk under way and one more"
    assert (await service.job(long["job_id"]))["status"] == "processing"


async def test_redis_emptied_in_the_middle_leaves_no_job_stuck(start: Start, empty_servers: Servers) -> None:
    from docserver.redis.client import Redis

    service = await start(slots="1", maintenance_s="0.5")
    jobs = [await service.upload(png(), filename=f"{number}.png") for number in range(6)]
    redis = Redis(empty_servers.redis_url, timeout_s=5)
    for _ in range(3):
        await redis.command("FLUSHALL")
        await service.logged("page read")
    await redis.close()

    finals = [await service.finished(job["job_id"]) for job in jobs]

    assert {final["status"] for final in finals} == {"completed"}


async def test_many_documents_of_many_clients_at_once_all_get_the_text_of_their_own(start: Start) -> None:
    service = await start(slots="2")
    things = ("apples", "bread", "candles", "doors", "engines", "flowers", "gardens", "houses", "islands", "jackets")
    texts = [f"the {thing} of the {owner}" for thing in things for owner in ("king", "queen", "prince", "baker")]

    async def one(text: str) -> tuple[str, str]:
        job = await service.upload(png(text), filename=f"{text}.png")
        final = await service.finished(job["job_id"])
        assert final["status"] == "completed", final
        return text, await service.text(job["job_id"])

    for text, got in await asyncio.gather(*map(one, texts)):
        assert words(got) == words(text)
