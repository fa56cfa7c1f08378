"""One soak: documents flow, faults strike, and then everything must be as if they had not."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.soak.clients import COMPLETED, Book, Client
from tests.soak.faults import ON_PROCESSES, ON_SERVERS, strike
from tests.soak.invariants import Invariants, Report, reachable
from tests.soak.scene import API, WORKERS, Scene, free_port, usage
from tests.support.fragile_servers import own_servers
from tests.support.samples import PAGES, jpeg, pdf_scanned, pdf_text, png, tiff_pages, webp

CLIENTS = 4
BASELINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    report: Report
    struck: Mapping[str, int]
    answers: Mapping[str, int]


def samples() -> dict[str, tuple[str, bytes]]:
    """Small documents of several kinds, each with a text of its own."""
    return {
        "receipt": ("receipt.png", png("Two loaves of bread\nfour candles")),
        "letter": ("letter.jpg", jpeg("Dear sailor\nthe garden is in flower")),
        "note": ("note.webp", webp("Meet the baker at nine")),
        "fax": ("fax.tif", tiff_pages(PAGES)),
        "scan": ("scan.pdf", pdf_scanned(tuple(f"Page number {number} of a scan" for number in range(1, 6)))),
        "report": ("report.pdf", pdf_text()),
    }


async def soak(*, seconds: float, seed: int, directory: Path) -> Outcome:
    """Let faults strike for so long, then heal everything and look."""
    book = Book(samples())
    async with own_servers(directory / "servers") as servers:
        scene = Scene(servers, directory / "data", free_port())
        try:
            await scene.start_all()
            async with scene.client() as session:
                observer = Client(session, book, random.Random(seed))
                await _read_without_faults(observer, book)
                baseline = {name: usage(scene.running[name]) for name in (API, *WORKERS)}
                struck = await _strike(scene, book, seconds=seconds, seed=seed)
                await servers.heal()
                await reachable(scene)
                report = await Invariants(scene, book, observer, baseline).check()
        finally:
            await scene.kill_all()
    return Outcome(report, struck, book.answers)


async def _read_without_faults(client: Client, book: Book) -> None:
    """Each sample once, to know what it says; and once more for each slot, so that all have done all kinds of work."""
    for sample in sorted(book.samples):
        promises = [await client.upload(sample) for _ in range(3)]
        for promise in promises:
            assert promise, "an upload was refused before any fault"
            job = await client.final(promise.job_id, within_s=BASELINE_S)
            assert job and job["status"] == COMPLETED, job
            _, text = await client.text(promise.job_id)
            assert book.texts.setdefault(sample, text) == text


async def _strike(scene: Scene, book: Book, *, seconds: float, seed: int) -> Counter[str]:
    stop, struck = asyncio.Event(), Counter[str]()
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(_client(scene, book, random.Random(f"{seed} client {number}"), stop))
        for strikes in (ON_PROCESSES, ON_SERVERS):
            rng = random.Random(f"{seed} {len(strikes)}")
            group.create_task(strike(scene, strikes, rng, stop, struck))
        await asyncio.sleep(seconds)
        stop.set()
    return struck


async def _client(scene: Scene, book: Book, rng: random.Random, stop: asyncio.Event) -> None:
    async with scene.client() as session:
        await Client(session, book, rng).run(stop)
