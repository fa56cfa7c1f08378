"""A page of known text, what pages are read as in this process, and what Tesseract is shown of them meanwhile."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.model import Reading
from docserver.ocr.child import tasks
from docserver.ocr.limits import Limits
from docserver.ocr.recognition.tesseract import Layout, Recognised
from docserver.ocr.recognition.tesseract_library import TesseractLibrary
from docserver.ocr.recognition.tesseract_program import TesseractProgram
from docserver.ocr.requests import ReadPage
from docserver.reading_options import EngineChoice, Options, Rotate
from tests.support.samples.pictures import saved

VOCABULARY = "harbour market garden winter bridge journey captain evening village letter morning number station"
WORDS = VOCABULARY.split()
LINES = [" ".join(random.Random(line).choices(WORDS, k=6)) for line in range(14)]
TEXT = "\n".join(LINES)


def sheet(lines: int = len(LINES)) -> Image.Image:
    """The first lines of the text."""
    image = Image.new("L", (1240, 216 + 56 * lines), 245)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(LINES[:lines]):
        draw.text((120, 100 + 56 * number), line, fill=25, font=ImageFont.load_default(size=30))
    return image


def read(
    page: Image.Image | bytes,
    limits: Limits,
    *,
    content_type: str = "image/png",
    languages: str = "eng",
    rotate: Rotate = Rotate.AUTO,
    barcodes: bool = True,
    engine: EngineChoice = EngineChoice.AUTO,
) -> Reading:
    """What a picture, or the first page of a file, says."""
    source = Path(limits.scratch) / "page"
    source.write_bytes(page if isinstance(page, bytes) else saved(page, "PNG"))
    options = Options(languages, rotate=rotate, barcodes=barcodes, engine=engine)
    request = ReadPage(content_type=content_type, page=1, options=options)
    return tasks.read_page(request, str(source), limits)


def size_of(picture: Image.Image, **_: Any) -> tuple[int, int]:
    return picture.size


def watch(
    monkeypatch: pytest.MonkeyPatch, *, blind_to: Layout | None = None, of: Callable[..., Any] = size_of
) -> list[Any]:
    """What `of` tells of the pictures that Tesseract is shown from now on, of which it sees nothing in one layout."""
    shown: list[Any] = []
    for tesseract in (TesseractLibrary, TesseractProgram):
        recognise = tesseract.recognise

        def watched(self: Any, picture: Image.Image, *, recognise: Any = recognise, **given: Any) -> Recognised:
            shown.append(of(picture, **given))
            if given["layout"] is blind_to:
                return Recognised("", (), 0.0)
            found: Recognised = recognise(self, picture, **given)
            return found

        monkeypatch.setattr(tesseract, "recognise", watched)
    return shown


def word_box(reading: Reading, text: str) -> tuple[int, int, int, int]:
    """The box of the only word with this text."""
    (found,) = (
        word.box
        for block in reading.blocks
        for paragraph in block.paragraphs
        for line in paragraph.lines
        for word in line.words
        if word.text == text
    )
    return found
