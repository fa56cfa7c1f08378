"""Child side: the only caller of Tesseract, through pytesseract; one run gives a page's words and its text."""

import itertools
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytesseract
from pytesseract.pytesseract import run_tesseract

from docserver.errors import DocumentErrorCode
from docserver.model import Block, Box, Line, Paragraph, Word
from docserver.ocr.faults import Unreadable

LANGUAGES = re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)?(\+[A-Za-z0-9_]+(/[A-Za-z0-9_]+)?)*")
"""Names of models such as `deu`, `chi_sim` or `script/Latin`; nothing that could be an option or leave tessdata."""

OUT_OF_MEMORY_SIGNS = ("bad_alloc", "out of memory", "cannot allocate memory", "malloc fail", "calloc fail")
"""What Tesseract and Leptonica print, in lower case, when an allocation was refused."""

MISSING_MODEL_SIGNS = ("couldn't load any languages", "could not initialize tesseract", "error opening data file")

WORD_LEVEL = 5
TSV_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class Recognised:
    """What Tesseract read."""

    text: str
    blocks: tuple[Block, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of Tesseract's TSV: level, the numbers of block, paragraph and line, box, confidence, text."""

    level: int
    place: tuple[int, int, int]
    box: Box
    confidence: float
    text: str


def recognise(picture: str, *, dpi: int | None, languages: str, scratch: Path) -> Recognised:
    """Read a picture written by ourselves, never one from outside. Raises Unreadable."""
    if not LANGUAGES.fullmatch(languages):
        raise Unreadable(DocumentErrorCode.UNSUPPORTED, "The languages are not named as in eng+deu.")
    base = scratch / "recognised"
    # Not image_to_data and image_to_string, which would be two runs: here one run leaves both files.
    config = "-c tessedit_create_txt=1" + (f" --dpi {dpi}" if dpi else "")
    try:
        run_tesseract(
            input_filename=picture,
            output_filename_base=str(base),
            extension="tsv",
            lang=languages,
            config=f"{config} -c tessedit_create_tsv=1",
        )
        text = base.with_suffix(".txt").read_text("utf-8", errors="replace")
        table = base.with_suffix(".tsv").read_text("utf-8", errors="replace")
    except pytesseract.TesseractError as error:
        raise _fault(error.status, error.message, languages) from error
    except FileNotFoundError as error:
        raise Unreadable(
            DocumentErrorCode.ENGINE_CRASHED, "Recognition ended without a result.", detail=repr(error)
        ) from error
    finally:
        for suffix in (".txt", ".tsv"):
            with suppress(FileNotFoundError):
                base.with_suffix(suffix).unlink()
    blocks = tuple(parse(table))
    return Recognised(text.rstrip(), blocks, mean_confidence(blocks))


def parse(table: str) -> Iterator[Block]:
    """The blocks of Tesseract's TSV in its order; words, lines, paragraphs and blocks without text are left out."""
    rows = [row for line in table.split("\n")[1:] if (row := _row(line))]
    boxes = {(row.level, row.place): row.box for row in rows if row.level < WORD_LEVEL}
    words = [row for row in rows if row.level == WORD_LEVEL and row.text.strip()]
    for block, in_block in itertools.groupby(words, key=lambda row: row.place[0]):
        paragraphs = []
        for paragraph, in_paragraph in itertools.groupby(in_block, key=lambda row: row.place[1]):
            lines = tuple(
                Line(boxes[4, place], tuple(Word(row.text.strip(), row.box, row.confidence) for row in in_line))
                for place, in_line in itertools.groupby(in_paragraph, key=lambda row: row.place)
            )
            paragraphs.append(Paragraph(boxes[3, (block, paragraph, 0)], lines))
        yield Block(boxes[2, (block, 0, 0)], tuple(paragraphs))


def _row(line: str) -> _Row | None:
    # A word may hold odd white space, so neither splitlines nor a bare split would do.
    cells = line.split("\t", TSV_COLUMNS - 1)
    if len(cells) < TSV_COLUMNS - 1:
        return None
    left, top, width, height = (int(cell) for cell in cells[6:10])
    return _Row(
        level=int(cells[0]),
        place=(int(cells[2]), int(cells[3]), int(cells[4])),
        box=(left, top, left + width, top + height),
        confidence=round(min(100.0, max(0.0, float(cells[10]))), 2),
        text=cells[11] if len(cells) == TSV_COLUMNS else "",
    )


def mean_confidence(blocks: Iterable[Block]) -> float:
    """The mean of the words' confidences weighted by their length, 0 where there are none."""
    words = [
        word for block in blocks for paragraph in block.paragraphs for line in paragraph.lines for word in line.words
    ]
    length = sum(len(word.text) for word in words)
    return round(sum(word.confidence * len(word.text) for word in words) / length, 2) if length else 0.0


def _fault(status: int, message: str, languages: str) -> Unreadable:
    detail = f"tesseract ended with {status}: {message[-2000:]}"
    said = message.lower()
    if any(sign in said for sign in OUT_OF_MEMORY_SIGNS):
        return Unreadable(
            DocumentErrorCode.OUT_OF_MEMORY, "Reading the page took more memory than is allowed.", detail=detail
        )
    if any(sign in said for sign in MISSING_MODEL_SIGNS):
        return Unreadable(
            DocumentErrorCode.UNSUPPORTED,
            f"Not all of the languages {languages} are installed on this server.",
            detail=detail,
        )
    return Unreadable(DocumentErrorCode.ENGINE_CRASHED, "Recognition of the page crashed.", detail=detail)
