"""What Tesseract is not sure of is read again by the second engine, where that is installed and reads the language."""

import asyncio
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from docserver.formats.json import page_object
from docserver.layout import EngineName, lines_of, words_of
from docserver.model import Page, PageStatus, Reading
from docserver.ocr.engine import second_engine
from docserver.ocr.limits import Limits
from docserver.ocr.recognition.agreement import SURE_FROM
from docserver.ocr.recognition.ppocr.engine import Ppocr
from docserver.ocr.server.slot import Slot
from docserver.reading_options import EngineChoice, Options
from tests.support import recognition
from tests.support.recognition import read
from tests.support.samples.pictures import saved

LINES = (
    "CORNER SHOP AND BAKERY",
    "12 Harbour Road, Seatown",
    "Invoice 20418 Date 07/11/2025",
    "White bread 2 3.40",
    "Apple juice 1 litre 1 2.15",
    "Butter salted 250 g 3 8.97",
    "Rye rolls 6 4.20",
    "Total 18.72",
    "Thank you and come again",
)
PITCH = 29

SHORT = 5
"""Lines of a sheet that are enough for most tests. The engine's time grows with them."""
SHORT_WORDS = " ".join(recognition.LINES[:SHORT]).split()


def receipt(lines: tuple[str, ...] = LINES) -> Image.Image:
    """A blurred receipt with small letters, as a telephone takes it."""
    picture = Image.new("L", (480, 440), 235)
    font = ImageFont.truetype("DejaVuSansMono.ttf", 13)
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((40, 40 + PITCH * number), line, font=font, fill=70)
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.9)), np.float64)
    noise = np.random.default_rng(1).normal(0, 14, blurred.shape)
    return Image.fromarray(np.clip(blurred + noise, 0, 255).astype(np.uint8))


@pytest.fixture
def limits(limits: Limits) -> Limits:
    second = second_engine()
    assert second
    return replace(limits, ppocr=second.directory)


def share_of(reading: Reading, lines: tuple[str, ...] = LINES) -> float:
    """The share of the words that were read right."""
    words = " ".join(lines).split()
    return sum(word in reading.text.split() for word in words) / len(words)


def test_a_page_that_is_read_unsurely_is_read_again(limits: Limits) -> None:
    alone = read(receipt(), limits, engine=EngineChoice.TESSERACT)
    both = read(receipt(), limits)

    assert alone.second_engine is None
    assert both.second_engine
    assert share_of(both) > max(0.9, share_of(alone))
    assert both.confidence > alone.confidence
    assert not both.needs_review


def test_a_page_that_is_read_surely_is_not(limits: Limits) -> None:
    assert read(recognition.sheet(), limits) == read(recognition.sheet(), replace(limits, ppocr=None))


def test_the_second_engine_reads_all_if_it_is_asked_for_and_its_boxes_are_as_tight_as_the_ink(limits: Limits) -> None:
    sheet = recognition.sheet(SHORT)

    reading = read(sheet, limits, engine=EngineChoice.PPOCR)

    assert {word.engine for word in words_of(reading.blocks)} == {EngineName.PPOCR}
    assert reading.text.split() == SHORT_WORDS
    dark = np.asarray(sheet) < 135
    for word in words_of(reading.blocks):
        left, top, right, bottom = word.box
        rows, columns = np.nonzero(dark[top - 6 : bottom + 6, left - 6 : right + 6])
        assert max(abs(rows.min() - 6), abs(columns.min() - 6)) <= 2
        assert max(abs(rows.max() + 1 - 6 - (bottom - top)), abs(columns.max() + 1 - 6 - (right - left))) <= 2


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_pages_are_read_in_their_own_direction(degrees: int, limits: Limits) -> None:
    turned = read(recognition.sheet(SHORT).rotate(degrees, expand=True), limits, engine=EngineChoice.PPOCR)

    assert turned.rotation == degrees
    assert turned.text.split() == SHORT_WORDS


def test_the_second_engine_looks_for_no_lines_on_a_small_copy(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = Image.new("L", (1240, 2000), 245)
    sheet.paste(recognition.sheet())
    copied = sheet.reduce(2).filter(ImageFilter.GaussianBlur(1)).point(lambda level: 255 * (level > 200))
    monkeypatch.delattr(Ppocr, "find")

    assert read(copied, limits, engine=EngineChoice.TESSERACT).confidence < SURE_FROM
    assert read(copied, limits).text


def test_no_word_is_read_twice_and_lines_keep_their_order(limits: Limits) -> None:
    lines = [" ".join(word.text for word in line.words) for line in lines_of(read(receipt(), limits).blocks)]

    assert len(lines) == len(LINES)
    assert lines[-1] == LINES[-1]


def test_languages_that_it_does_not_read_are_left_to_tesseract(limits: Limits) -> None:
    for engine in (EngineChoice.AUTO, EngineChoice.PPOCR):
        assert read(receipt(), limits, languages="eng+rus", engine=engine).second_engine is None


def test_an_empty_page_stays_empty(limits: Limits) -> None:
    blank = Image.new("L", (800, 1000), 250)

    assert read(blank, limits, engine=EngineChoice.PPOCR).text == ""
    assert read(blank, limits) == read(blank, replace(limits, ppocr=None))


def test_the_result_says_who_read_what(limits: Limits) -> None:
    result = page_object(Page(1, PageStatus.DONE, read(receipt(), limits), None))

    engines = set()
    for block in result["blocks"]:
        words = [word for line in block["lines"] for word in line["words"]]
        engines |= {word.get("engine", block["engine"]) for word in words}
    assert EngineName.PPOCR in engines


async def test_it_reads_in_the_sandbox_and_within_the_memory(make_slot: Callable[..., Slot], tmp_path: Path) -> None:
    slot = make_slot()
    slot._engine = replace(slot._engine, second=await asyncio.to_thread(second_engine))
    source = tmp_path / "receipt.png"
    source.write_bytes(saved(receipt(), "PNG"))

    reading = await slot.read(source, "image/png", page=1, options=Options("eng", engine=EngineChoice.PPOCR))

    assert isinstance(reading, Reading)
    assert reading.second_engine


def test_where_it_is_not_installed_tesseract_reads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def hidden(name: str, package: str | None = None) -> Any:
        return None if name == "onnxruntime" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", hidden)

    assert second_engine() is None
