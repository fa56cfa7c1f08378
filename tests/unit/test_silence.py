"""No word of a born-digital page is lost, invented or misplaced in silence, whatever trick draws it."""

from bench.silence.measure import ReadPage, misses
from bench.silence.samples import samples
from docserver.formats.json import page_object
from docserver.model import Page, PageStatus
from docserver.ocr.errors import TextLayerRejected
from tests.support.text_layers import whole_layer

STILL_WRONG = {"outlined_short", "picture_in_line"}


def own_text(data: bytes) -> ReadPage | None:
    """The text of a page that needs no OCR."""
    try:
        layer = whole_layer(data)
    except TextLayerRejected:
        return None
    if layer.patches:
        return None
    return ReadPage.of(page_object(Page(1, PageStatus.DONE, layer.reading(), None)))


def test_pages_of_every_trick_have_the_words_that_one_sees() -> None:
    wrong = {}
    for page in samples(seeds=[1]):
        read = own_text(page.data)
        if page.trick not in STILL_WRONG and read and read.is_sure and (missed := misses(page, read)):
            wrong[page.trick] = str(missed)
    assert wrong == {}
