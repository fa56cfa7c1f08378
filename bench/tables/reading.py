"""Has docserver read the pages over HTTP, and counts the cells that it finds."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from bench.camera import scanned
from bench.peers.service import WAIT_S, completed, send
from bench.server import Server
from bench.tables import drawing, others
from bench.tables.made import KINDS, Cell, Made
from bench.tables.score import Score, score

SCAN_DPI = 300

CLIENTS = 4

FORMS = ("PDF", "scan")


def measure(server: Server, *, seeds: Sequence[int]) -> dict[tuple[str, str], Score]:
    """Kind of page, and form in which it was sent, to the score of its pages."""
    return asyncio.run(_measure(server, seeds))


async def _measure(server: Server, seeds: Sequence[int]) -> dict[tuple[str, str], Score]:
    clients = asyncio.Semaphore(CLIENTS)
    scores: dict[tuple[str, str], Score] = {}
    with tempfile.TemporaryDirectory(prefix="docserver-bench-") as directory:
        async with aiohttp.ClientSession(server.url) as session:

            async def one(kind: str, form: str, seed: int) -> None:
                async with clients:
                    made = (drawing if kind in KINDS else others).page(kind, seed)
                    path = Path(directory) / f"{kind}-{seed}-{form}"
                    _save(made, path, form=form, seed=seed)
                    job = await send(session, path, wait_s=WAIT_S)
                    await completed(session, job)
                    async with session.get(f"/v1/jobs/{job['job_id']}/pages/1", raise_for_status=True) as response:
                        tables = [_cells(table) for table in (await response.json())["tables"]]
                    found = score(made.cells, tables, exact=form == "PDF")
                    scores.setdefault((kind, form), Score()).add(found)

            await asyncio.gather(
                *(one(kind, form, seed) for kind in (*KINDS, *others.OTHERS) for form in FORMS for seed in seeds)
            )
    return scores


def _save(made: Made, path: Path, *, form: str, seed: int) -> None:
    if form == "PDF":
        path.write_bytes(made.sheet.pdf())
    else:
        picture = scanned(made.sheet.picture(SCAN_DPI), seed, dpi=SCAN_DPI)
        picture.save(path, "PNG", dpi=(SCAN_DPI, SCAN_DPI))


def _cells(table: dict[str, Any]) -> list[Cell]:
    return [
        Cell(cell["row"], cell["column"], cell["row_span"], cell["column_span"], cell["text"])
        for cell in table["cells"]
        if cell["text"]
    ]
