"""No word of a born-digital page is lost, invented or misplaced in silence, whatever trick draws it."""

from dataclasses import replace

from bench.silence import arranged
from bench.silence.measure import ReadPage, ReadWord, misses
from bench.silence.samples import sample, samples
from docserver.formats.json import page_object
from docserver.model import Page, PageStatus
from docserver.ocr.errors import TextLayerRejected
from tests.support.text_layers import whole_layer


def own_text(data: bytes) -> ReadPage | None:
    """The text of a page that needs no OCR."""
    try:
        layer = whole_layer(data)
    except TextLayerRejected:
        return None
    if not layer.is_exact:
        return None
    return ReadPage.of(page_object(Page(1, PageStatus.DONE, layer.reading(), None)))


def test_pages_of_every_trick_have_the_words_that_one_sees() -> None:
    wrong = {}
    for page in samples(seeds=[1]):
        read = own_text(page.data)
        if read and read.is_sure and (missed := misses(page, read)):
            wrong[page.trick] = str(missed)
    assert wrong == {}


def test_the_measure_sees_words_that_are_lost_invented_or_misplaced() -> None:
    page = sample("places", arranged.columns, 1)
    read = own_text(page.data)
    assert read
    first, second, *others = read.words
    far_away = replace(first, rect=(0.0, 0.0, 5.0, 5.0))
    invented = ReadWord("invented", (0.0, 0.0, 5.0, 5.0), 100.0)

    assert misses(page, replace(read, words=(second, *others))).lost == [first.text]
    assert misses(page, replace(read, words=(*read.words, invented))).invented == ["invented"]
    assert misses(page, replace(read, words=(far_away, second, *others))).misplaced == [first.text]
    assert misses(page, replace(read, words=(second, first, *others))).misplaced != []
