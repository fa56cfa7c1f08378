"""Programs that crash, flood, lie or take all memory below an OCR process."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from docserver.errors import DocumentErrorCode, Failure
from docserver.model import Reading
from docserver.ocr.server.slot import Slot
from docserver.reading_options import Options
from tests.support.slots import (
    CRASH,
    assert_reads,
    count_pages,
    files_below,
    install,
    read,
)
from tests.support.waiting import until


async def test_a_tesseract_that_crashes_costs_the_page_alone(
    make_slot: Callable[..., Slot], source: Path, programs: Path
) -> None:
    install(programs, "tesseract", CRASH)
    slot = make_slot()

    result = await read(slot, source)

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.ENGINE_CRASHED
    (programs / "tesseract").unlink()
    await assert_reads(slot, source)


async def test_a_tesseract_out_of_memory_is_distinguished_from_a_crash(
    make_slot: Callable[..., Slot], source: Path, programs: Path
) -> None:
    install(programs, "tesseract", f'echo "terminate called: what():  std::bad_alloc" >&2; {CRASH}')

    result = await read(make_slot(), source)

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.OUT_OF_MEMORY


async def test_a_program_that_floods_its_errors_runs_into_the_memory_limit(
    spawned_ocr_processes: None, make_slot: Callable[..., Slot], source: Path, programs: Path
) -> None:
    install(programs, "tesseract", "exec yes rubbish >&2")
    slot = make_slot(child_memory_mb=400)

    result = await read(slot, source)

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.OUT_OF_MEMORY
    (programs / "tesseract").unlink()
    await assert_reads(slot, source)


def only_poppler_reads(pdf: Path) -> None:
    """Put more in front of a PDF than PDFium skips."""
    pdf.write_bytes(b"\n" * 2000 + pdf.read_bytes())


async def test_what_pdfium_refuses_poppler_draws(make_slot: Callable[..., Slot], source: Path) -> None:
    pdf = source.with_suffix(".pdf")
    with Image.open(source) as image:
        image.save(pdf)
    only_poppler_reads(pdf)
    slot = make_slot()

    assert await count_pages(slot, pdf, "application/pdf") == 1
    result = await slot.read(pdf, "application/pdf", page=1, options=Options("eng"))

    assert isinstance(result, Reading)
    assert result.text == "Still here"


@pytest.mark.parametrize("left_behind", ["", "touch $out", "printf 'P5\\n400 400\\n255\\nhalf' > $out"])
async def test_a_pdftoppm_that_succeeds_without_a_page_is_a_crash(
    left_behind: str, make_slot: Callable[..., Slot], source: Path, programs: Path
) -> None:
    pdf = source.with_suffix(".pdf")
    with Image.open(source) as image:
        image.save(pdf)
    only_poppler_reads(pdf)
    out = 'for last; do case "$last" in */page*) out="$last-1.pgm";; esac; done'
    install(programs, "pdftoppm", f'[ "$1" = -v ] && exit 0\n{out}\n{left_behind}')

    result = await make_slot().read(pdf, "application/pdf", page=1, options=Options("eng"))

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.ENGINE_CRASHED


@pytest.mark.parametrize("ends", [CRASH, "exit 0"])
async def test_a_pdfinfo_that_is_killed_is_distinguished_from_one_that_refuses_the_file(
    ends: str, make_slot: Callable[..., Slot], source: Path, programs: Path
) -> None:
    broken = source.with_suffix(".pdf")
    broken.write_bytes(b"%PDF-1.4 and no more")

    refused = await make_slot().open(broken, "application/pdf")
    install(programs, "pdfinfo", ends)
    died = await make_slot().open(broken, "application/pdf")

    assert isinstance(refused, Failure)
    assert isinstance(died, Failure)
    assert (refused.code, died.code) == (DocumentErrorCode.CORRUPT, DocumentErrorCode.ENGINE_CRASHED)


@pytest.mark.parametrize("left", ["", "printf 'level' >$2.tsv; printf text >$2.txt", "printf '' >$2.txt; $more"])
async def test_a_tesseract_that_succeeds_with_half_a_result_is_a_crash(
    left: str, make_slot: Callable[..., Slot], source: Path, programs: Path
) -> None:
    rows = (
        "2 1 1 0 0 0 7 7 9 9 -1 ",
        "3 1 1 1 0 0 7 7 9 9 -1 ",
        "4 1 1 1 1 0 7 7 9 9 -1 ",
        "5 1 1 1 1 1 7 7 9 9 95.5 word",
    )
    table = "level\\n" + "".join(row.replace(" ", "\\t") + "\\n" for row in rows)
    install(programs, "tesseract", left.replace("$more", f"printf '{table}' >$2.tsv"))

    result = await read(make_slot(), source)

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.ENGINE_CRASHED


async def test_programs_do_not_see_the_servers_secrets(
    make_slot: Callable[..., Slot],
    source: Path,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCSERVER_MYSQL_URL", "mysql://root:hidden@localhost/db")
    install(programs, "tesseract", "env > $TMPDIR/new; mv $TMPDIR/new $TMPDIR/seen; sleep 1000")
    reading = asyncio.create_task(read(make_slot(), source))
    await until(lambda: any(files_below(programs.parent, "seen")))

    seen = next(files_below(programs.parent, "seen")).read_text()
    reading.cancel()

    assert "hidden" not in seen
    assert "OMP_THREAD_LIMIT=1" in seen
