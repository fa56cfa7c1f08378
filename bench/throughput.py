"""The whole path: docserver over HTTP against as many plain `tesseract` processes side by side, on the same pages.

Speed bought with wrong text would be no gain: every round also compares what both have read with the truth.
"""

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from bench.pages import DPI, FORMATS, Page, accuracy, encoded, page, scanned_pdf
from bench.server import BenchError, Server, cpu_of_tree_s, docserver

CLIENTS = 4
"""Enough to keep any number of slots busy, since uploads take a small part of the time."""

WAIT_S = 30

ACCURACY_LOSS = 0.005
"""One word in 200 may be read otherwise than by the plain program: engines of other versions differ that much."""

PLAIN_ENVIRONMENT = {**os.environ, "OMP_THREAD_LIMIT": "1"}
"""With OpenMP's own choice of threads the plain program takes four times as long: no fair peer."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One document to send, and its pages' texts."""

    filename: str
    data: bytes
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one side took for one workload, and how right its text is (0 to 1)."""

    wall_s: float
    cpu_s: float
    accuracy: float

    def __str__(self) -> str:
        return f"{self.wall_s:6.2f} s, {self.cpu_s:6.2f} s CPU, words right {self.accuracy:.4f}"


def pictures(scanned: Sequence[Page]) -> list[Upload]:
    """Make one picture of each page; the formats take turns."""
    kinds = [FORMATS[number % len(FORMATS)] for number in range(len(scanned))]
    return [
        Upload(f"{number:03}.{kind}", encoded(one.image, kind), (one.text,))
        for number, (one, kind) in enumerate(zip(scanned, kinds, strict=True))
    ]


def document(scanned: Sequence[Page]) -> list[Upload]:
    """Make one PDF of all pages."""
    return [Upload("scan.pdf", scanned_pdf([one.image for one in scanned]), tuple(one.text for one in scanned))]


async def over_http(server: Server, uploads: Sequence[Upload]) -> Figures:
    """Send all, wait until each is completed, then read the texts; the clock stops at the last completion."""
    before_cpu_s = cpu_of_tree_s(server.pid)
    async with aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(total=600)) as session:
        started = time.perf_counter()
        shares = await asyncio.gather(*(_client(session, uploads[first::CLIENTS]) for first in range(CLIENTS)))
        wall_s = time.perf_counter() - started
        used_s = cpu_of_tree_s(server.pid) - before_cpu_s
        rights = []
        for upload, job in (pair for share in shares for pair in share):
            async with session.get(f"{job}/result", params={"format": "txt"}) as response:
                read = (await response.text()).split("\f")
                rights += [accuracy(truth, text) for truth, text in zip(upload.texts, read, strict=True)]
    return Figures(wall_s, used_s, sum(rights) / len(rights))


async def _client(session: aiohttp.ClientSession, uploads: Sequence[Upload]) -> list[tuple[Upload, str]]:
    """Upload all first, as a batch job would, then wait for each."""
    sent = [(upload, await _send(session, upload)) for upload in uploads]
    for _, job in sent:
        await _completed(session, job)
    return sent


async def _send(session: aiohttp.ClientSession, upload: Upload) -> str:
    form = aiohttp.FormData()
    form.add_field("file", upload.data, filename=upload.filename)
    async with session.post("/v1/documents/upload-document", data=form) as response:
        answer = await response.json()
        if response.status != 202 or answer.get("deduplicated"):
            raise BenchError(f"{upload.filename}: {response.status} {answer}")
        return f"/v1/jobs/{answer['job_id']}"


async def _completed(session: aiohttp.ClientSession, job: str) -> None:
    while True:
        async with session.get(job, params={"wait": str(WAIT_S)}) as response:
            answer: dict[str, Any] = await response.json()
        if answer["status"] == "completed" and not answer["pages"]["failed"]:
            return
        if answer["status"] not in ("pending", "processing"):
            raise BenchError(f"{job} did not complete: {answer}")


def plain_pictures(uploads: Sequence[Upload], *, workers: int, directory: Path) -> list[str]:
    """Run one `tesseract` per picture, so many at a time; the texts."""
    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(lambda upload: _tesseract(directory / upload.filename), uploads))


def plain_document(uploads: Sequence[Upload], *, workers: int, directory: Path) -> list[str]:
    """Give each of so many workers a range of the PDF's pages: one `pdftoppm`, then one `tesseract` for all."""
    (upload,) = uploads
    count = len(upload.texts)
    bounds = [count * worker // workers for worker in range(workers + 1)]

    def read(worker: int) -> list[str]:
        first, last = bounds[worker] + 1, bounds[worker + 1]
        if first > last:
            return []
        command = ["pdftoppm", "-gray", "-r", str(DPI), "-f", str(first), "-l", str(last)]
        subprocess.run([*command, directory / upload.filename, directory / f"part{worker}"], check=True)
        listed = directory / f"part{worker}.list"
        listed.write_text("".join(f"{path}\n" for path in sorted(directory.glob(f"part{worker}-*.pgm"))))
        # Tesseract ends every page with a form feed.
        return _tesseract(listed).split("\f")[: last + 1 - first]

    with ThreadPoolExecutor(workers) as threads:
        return [text for share in threads.map(read, range(workers)) for text in share]


def _tesseract(path: Path) -> str:
    out = path.with_suffix(".out")
    subprocess.run(["tesseract", path, out], check=True, env=PLAIN_ENVIRONMENT, stderr=subprocess.DEVNULL)
    return out.with_suffix(".out.txt").read_text()


def side_by_side(uploads: Sequence[Upload], *, workers: int, plain: Callable[..., list[str]]) -> Figures:
    """Let the plain programs read the same files, which are written before the clock starts."""
    with tempfile.TemporaryDirectory(prefix="plain-") as name:
        directory = Path(name)
        for upload in uploads:
            (directory / upload.filename).write_bytes(upload.data)
        before_s, started = _children_cpu_s(), time.perf_counter()
        texts = plain(uploads, workers=workers, directory=directory)
        wall_s, used_s = time.perf_counter() - started, _children_cpu_s() - before_s
    truths = [truth for upload in uploads for truth in upload.texts]
    rights = [accuracy(truth, text) for truth, text in zip(truths, texts, strict=True)]
    return Figures(wall_s, used_s, sum(rights) / len(rights))


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(server: Server, *, workload: str, given: argparse.Namespace) -> list[str]:
    """Alternate docserver and the plain programs; what was wrong with docserver's text."""
    make, plain = {"pictures": (pictures, plain_pictures), "pdf": (document, plain_document)}[workload]
    print(f"\n{given.pages} pages as {workload}, {given.workers} at a time")
    ratios, cpu_ratios, wrong = [], [], []
    for number in range(1, given.rounds + 1):
        # Every round has pages of its own, so that nothing can be answered from an earlier one.
        seeds = range(number * 10_000, number * 10_000 + given.pages)
        uploads = make([page(seed, colour=seed % 2 == 1) for seed in seeds])
        ours = asyncio.run(over_http(server, uploads))
        theirs = side_by_side(uploads, workers=given.workers, plain=plain)
        ratios.append(theirs.wall_s / ours.wall_s)
        cpu_ratios.append(ours.cpu_s / theirs.cpu_s)
        print(f"round {number}: docserver {ours} | plain {theirs} | speed {ratios[-1]:.2f}, CPU {cpu_ratios[-1]:.2f}")
        if ours.accuracy < theirs.accuracy - ACCURACY_LOSS:
            wrong.append(f"{workload}, round {number}: {ours.accuracy:.4f} against {theirs.accuracy:.4f}")
    print(f"median speed {median(ratios):.2f} of plain (above 1: docserver is faster), CPU {median(cpu_ratios):.2f}")
    return wrong


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pages", type=int, default=12)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument(
        "--workers", type=int, default=2, help="slots of docserver, and plain processes side by side"
    )
    arguments.add_argument("--workload", choices=("pictures", "pdf"), action="append", help="default: both")
    given = arguments.parse_args()
    with docserver(RATE_LIMIT="off", DEDUPLICATE="off", SLOTS=given.workers) as server:
        workloads = given.workload or ("pictures", "pdf")
        wrong = [line for workload in workloads for line in measure(server, workload=workload, given=given)]
    if wrong:
        sys.exit("docserver reads worse than the plain program:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
