"""Has docserver read the samples over HTTP."""

import asyncio
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import aiohttp

from bench.peers.service import WAIT_S, completed, send
from bench.server import Server
from bench.silence.figures import Silence
from bench.silence.measure import ReadPage, misses
from bench.silence.samples import samples
from bench.silence.sheet import Sample

SEEDS, QUICK_SEEDS = range(10), range(1)
"""Each trick has as many samples."""

CLIENTS = 6


def measure(server: Server, *, seeds: Sequence[int]) -> tuple[dict[str, Silence], list[str]]:
    """Group of tricks → its figures; and a line for each sample that is wrong in silence."""
    groups: dict[str, Silence] = {}
    lines = []
    for sample, page in asyncio.run(_read_all(server, samples(seeds))):
        missed = misses(sample, page)
        groups.setdefault(sample.group, Silence()).add(sample, page, missed)
        if page.is_sure and missed:
            lines.append(f"{sample.group}, {sample.trick}, seed {sample.seed}: {missed}")
    return groups, lines


async def _read_all(server: Server, wanted: Iterable[Sample]) -> list[tuple[Sample, ReadPage]]:
    clients = asyncio.Semaphore(CLIENTS)
    with tempfile.TemporaryDirectory(prefix="docserver-bench-") as directory:
        async with aiohttp.ClientSession(server.url) as session:

            async def one(sample: Sample) -> tuple[Sample, ReadPage]:
                async with clients:
                    path = Path(directory) / f"{sample.trick}-{sample.seed}.pdf"
                    path.write_bytes(sample.data)
                    job = await send(session, path, wait_s=WAIT_S)
                    await completed(session, job)
                    async with session.get(f"/v1/jobs/{job['job_id']}/pages/1", raise_for_status=True) as response:
                        return sample, ReadPage.of(await response.json())

            return list(await asyncio.gather(*map(one, wanted)))
