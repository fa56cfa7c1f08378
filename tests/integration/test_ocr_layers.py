"""A page's own text against what is recognised of its picture, in a real OCR process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from docserver.layout import Word, words_of
from docserver.model import Mode, Options, Reading
from docserver.ocr.engine import describe
from docserver.ocr.server.slot import Slot
from docserver.settings import Settings
from tests.support.samples.pdf_layers import PROSE, both, hidden, lines, pdf, rewritten, scan

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


async def test_a_blank_page_has_no_text(slot: Slot, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(lines(())))

    result = await read(slot, path)

    assert (result.text, result.blocks, result.confidence) == ("", (), 0.0)
