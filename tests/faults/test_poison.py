"""Documents that hang, crash or eat memory at every try: others are read meanwhile as if they were not there."""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.faults.place import Place
from tests.support.processes import children, names
from tests.support.samples.pictures import picture, saved
from tests.support.slots import CRASH
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEALTHY = 5

HANGS, CRASHES, EATS, IS_READ = 301, 302, 303, 304
"""By its resolution a picture tells what happens to who reads it."""

TESSERACT = f"""#!/bin/sh
case "$*" in
*"--dpi {HANGS}"*) exec sleep 600 ;;
*"--dpi {CRASHES}"*) {CRASH} ;;
*"--dpi {EATS}"*)
    ulimit -v 400000
    {sys.executable} -c 'kept = [bytearray(10_000_000) for _ in range(1000)]' 2>/dev/null || echo std::bad_alloc >&2
    {CRASH} ;;
esac
exec {shutil.which("tesseract")} "$@"
"""

SETTINGS: dict[str, Any] = {"engine": "pytesseract"}


@pytest.fixture(autouse=True)
def _tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "tesseract").write_text(TESSERACT)
    (programs / "tesseract").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def with_dpi(dpi: int, text: str) -> bytes:
    """A picture whose letters are of a size that is read as it is: with another one the resolution would change."""
    large = picture(text)
    smaller = large.resize((large.width * 3 // 5, large.height * 3 // 5), Image.Resampling.BICUBIC)
    return saved(smaller, "PNG", dpi=(dpi, dpi))


async def test_healthy_documents_complete_while_one_holds_its_slot_and_others_are_tried_in_vain(
    place: Place,
) -> None:
    service = await place.start(slots="2", page_timeout_s="600", **SETTINGS)
    hung = await service.upload(with_dpi(HANGS, "poison"))
    await until(lambda: "sleep" in names(children(service.pid)))
    failing = {dpi: await service.upload(with_dpi(dpi, "poison")) for dpi in (CRASHES, EATS)}

    healthy = [await service.upload(with_dpi(IS_READ, f"healthy {number}")) for number in range(HEALTHY)]

    finals = await asyncio.gather(*(service.finished(job["job_id"]) for job in healthy))
    ends = {dpi: await service.finished(job["job_id"]) for dpi, job in failing.items()}
    assert {final["status"] for final in finals} == {"completed"}
    assert {dpi: tries(end) for dpi, end in ends.items()} == {
        CRASHES: ["engine_crashed"] * 3,
        EATS: ["out_of_memory"] * 3,
    }
    assert {end["status"] for end in ends.values()} == {"failed"}
    assert (await service.job(hung["job_id"]))["status"] == "processing"


async def test_a_document_that_hangs_at_every_try_fails_after_the_last(place: Place) -> None:
    service = await place.start(page_timeout_s="3", **SETTINGS)
    job = await service.upload(with_dpi(HANGS, "poison"))

    end = await service.finished(job["job_id"])

    assert (end["status"], tries(end)) == ("failed", ["page_timeout"] * 3)


def tries(job: dict[str, Any]) -> list[str]:
    """How each try to read the page ended."""
    return [entry["code"] for entry in job["history"] if entry["step"] == "page"]
