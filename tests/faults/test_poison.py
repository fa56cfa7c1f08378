"""Documents that hang, crash or eat memory at every try: others are read meanwhile as if they were not there."""

import asyncio
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.faults.place import Place
from tests.support.samples.pictures import picture, saved
from tests.support.service import Service

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEALTHY = 12

KEPT = 0.8
"""Of the throughput of two slots, while four are there and three documents try to hold one each."""

HANGS, CRASHES, EATS, IS_READ = 301, 302, 303, 304
"""By its resolution a picture tells what happens to who reads it."""

TESSERACT = f"""#!/bin/sh
case "$*" in
*"--dpi {HANGS}"*) exec sleep 600 ;;
*"--dpi {CRASHES}"*) kill -SEGV $$ ;;
*"--dpi {EATS}"*)
    {sys.executable} -c 'kept = [bytearray(10_000_000) for _ in range(1000)]' 2>/dev/null || echo std::bad_alloc >&2
    kill -ABRT $$ ;;
*"--dpi {IS_READ}"*) sleep 0.4 ;;
esac
exec {shutil.which("tesseract")} "$@"
"""
"""What is read takes a while that no other process can make longer, so that machines with few cores tell the same."""


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


async def seconds_for_the_healthy(service: Service) -> float:
    began = time.monotonic()
    jobs = [await service.upload(with_dpi(IS_READ, f"healthy {number}")) for number in range(HEALTHY)]
    finals = await asyncio.gather(*(service.finished(job["job_id"]) for job in jobs))
    assert {final["status"] for final in finals} == {"completed"}
    return time.monotonic() - began


async def test_documents_that_are_tried_in_vain_leave_the_other_slots_to_those_that_can_be_read(place: Place) -> None:
    settings: dict[str, Any] = {"engine": "pytesseract", "child_memory_mb": "300", "page_timeout_s": "3"}
    alone = await place.start(slots="2", **settings)
    alone_s = await seconds_for_the_healthy(alone)
    await alone.stop()

    service = await place.start(slots="4", **settings)
    poison = {dpi: await service.upload(with_dpi(dpi, "poison")) for dpi in (HANGS, CRASHES, EATS)}
    beside_s = await seconds_for_the_healthy(service)
    still = await service.job(poison[HANGS]["job_id"])
    ends = {dpi: await service.finished(job["job_id"]) for dpi, job in poison.items()}

    assert alone_s / beside_s >= KEPT
    assert still["status"] == "processing"
    assert {end["status"] for end in ends.values()} == {"failed"}
    tries = {dpi: [each["code"] for each in end["history"] if each["step"] == "page"] for dpi, end in ends.items()}
    assert tries == {HANGS: ["page_timeout"] * 3, CRASHES: ["engine_crashed"] * 3, EATS: ["out_of_memory"] * 3}
