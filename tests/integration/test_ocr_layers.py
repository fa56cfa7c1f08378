"""A page's own text against what is recognised of its picture, in a real OCR process."""

import math
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from reportlab.pdfgen.canvas import Canvas

from docserver.layout import Word, words_of
from docserver.model import Reading
from docserver.ocr.engine import describe
from docserver.ocr.server.slot import Slot
from docserver.reading_options import Mode, Options
from docserver.settings import Settings
from tests.support.samples.pdf_layers import (
    LEFT,
    PROSE,
    Draw,
    both,
    hidden,
    in_unmapped_font,
    lines,
    outlines,
    pdf,
    rewritten,
    scan,
    without_mapping,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Slot]:
    settings = Settings()
    slot = Slot(
        number=0, settings=settings, engine=await describe(settings.engine), scratch=tmp_path_factory.mktemp("scratch")
    )
    yield slot
    await slot.close()


async def read(slot: Slot, path: Path, *, page: int = 1, mode: Mode = Mode.AUTO) -> Reading:
    reading = await slot.read(path, "application/pdf", page=page, options=Options("eng", mode=mode))
    assert isinstance(reading, Reading), reading
    return reading


def words(reading: Reading) -> list[Word]:
    return list(words_of(reading.blocks))


@pytest.mark.parametrize("turn", [0, 90])
async def test_the_layer_and_the_picture_say_the_same_in_the_same_places(turn: int, slot: Slot, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(rewritten(pdf(lines(PROSE)), lambda writer: writer.pages[0].rotate(turn)))

    own = await read(slot, path)
    recognised = await read(slot, path, mode=Mode.FORCE)

    assert (own.source, recognised.source) == ("text_layer", "ocr")
    assert own.text == "\n".join(PROSE)
    assert (own.width, own.height, own.dpi) == (recognised.width, recognised.height, recognised.dpi)
    boxes = {word.text: word.box for word in words(own)}
    same = [word for word in words(recognised) if word.text in boxes and own.text.split().count(word.text) == 1]
    assert len(same) > 30
    for word in same:
        assert all(abs(mine - theirs) <= 5 for mine, theirs in zip(boxes[word.text], word.box, strict=True)), word


async def test_scans_with_hidden_text_are_recognised_again(slot: Slot, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(both(scan(PROSE), hidden(["Tne harb0ur vvas quiet"]))))

    result = await read(slot, path)

    assert result.source == "ocr"
    assert result.text.split() == " ".join(PROSE).split()


async def test_each_page_of_a_mixed_document_is_read_in_its_own_way(slot: Slot, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(lines(PROSE), scan(PROSE), lines(())))

    sources = [(await read(slot, path, page=page)).source for page in (1, 2, 3)]

    assert sources == ["text_layer", "ocr", "text_layer"]


def table(texts: Sequence[str]) -> Draw:
    """Three lines whose last words are in a font without a mapping."""
    names = lines(["Oak table", "Chairs", "Delivery"], top=600)
    return both(lines(PROSE), names, in_unmapped_font(texts, x=300, top=600))


def landscape(draw: Draw) -> Draw:
    def draw_turned(canvas: Canvas) -> None:
        canvas.rotate(90)
        canvas.translate(0, -595)
        canvas.scale(0.75, 0.75)
        draw(canvas)

    return draw_turned


@pytest.mark.parametrize(
    ("page", "after_prose"),
    [
        (table(["1,320.00", "196.50", "7"]), "Oak table 1,320.00\nChairs 196.50\nDelivery 7"),
        (landscape(table(["1,320.00", "196.50", "45.00"])), "Oak table 1,320.00\nChairs 196.50\nDelivery 45.00"),
        (
            both(lines(PROSE), scan(PROSE[:2], x=72, y=500, width=400), lines(LEFT, top=460)),
            "\n".join(PROSE[:2]) + "\n\n" + "\n".join(LEFT),
        ),
        (both(lines(PROSE), outlines(["Received 14 March"], x=300, y=500, width=140)), "Received 14 March"),
    ],
    ids=["letters without a mapping", "the same sideways", "a scanned paragraph", "outlines"],
)
async def test_what_the_layer_lacks_is_recognised_in_its_place(
    page: Draw, after_prose: str, slot: Slot, tmp_path: Path
) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(without_mapping(pdf(page)))

    result = await read(slot, path)

    assert result.source == "mixed"
    assert result.text == "\n".join(PROSE) + "\n\n" + after_prose
    exact = {word.text for word in words(result) if word.confidence == 100}
    assert set(" ".join(PROSE).split()) <= exact
    assert 90 < result.confidence < 100
    assert not result.needs_review


@pytest.mark.parametrize("angle", [90, 270, 180, 30])
async def test_a_label_at_an_angle_is_recognised_where_its_letters_have_no_mapping(
    angle: float, slot: Slot, tmp_path: Path
) -> None:
    def label(canvas: Canvas) -> None:
        canvas.translate(300, 450)
        canvas.rotate(angle)
        lines(["Figures of"], x=0, top=0)(canvas)
        in_unmapped_font(["2,024 cases"], x=54, top=0)(canvas)
        lines(["by region"], x=136, top=0)(canvas)

    path = tmp_path / "a.pdf"
    path.write_bytes(without_mapping(pdf(both(lines(PROSE), label))))

    result = await read(slot, path)

    assert result.text == "\n".join(PROSE) + "\n\nFigures of 2,024 cases by region"
    assert (result.source, result.needs_review) == ("mixed", False)


async def test_an_outlined_digit_is_recognised_in_its_place_but_not_sure(slot: Slot, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    digit = outlines(["7"], x=300, y=586, width=35)
    path.write_bytes(pdf(both(lines(PROSE), lines(["Chairs"], top=600), digit)))

    result = await read(slot, path)

    assert result.text == "\n".join(PROSE) + "\n\nChairs 7"
    assert (result.source, result.confidence, result.needs_review) == ("mixed", 99.0, True)


async def test_labels_of_a_map_stay_exact_among_its_lines(slot: Slot, tmp_path: Path) -> None:
    def contours(canvas: Canvas) -> None:
        canvas.setLineWidth(0.5)
        for number in range(60):
            path = canvas.beginPath()
            path.moveTo(60, 300 + 4 * number)
            for x in range(60, 400, 6):
                path.lineTo(x, 300 + 4 * number + 12 * math.sin(x / 17 + number / 5) + 4 * math.sin(x / 5 + number))
            canvas.drawPath(path)

    labels = both(lines(["Mill Pond"], x=120, top=480), lines(["Upper Wood"], x=250, top=400))
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(both(lines(["Land that is liable to flooding in spring"]), contours, labels)))

    result = await read(slot, path)

    assert sorted(result.text.split("\n\n")) == ["Land that is liable to flooding in spring", "Mill Pond", "Upper Wood"]
    assert result.confidence < 100
    assert result.needs_review


async def test_a_blank_page_has_no_text(slot: Slot, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(lines(())))

    result = await read(slot, path)

    assert (result.text, result.blocks, result.confidence, result.needs_review) == ("", (), 100.0, False)
