"""Child side: reads letters and short words that stand alone on a page, which Tesseract takes for dirt."""

from collections.abc import Callable, Iterable, Sequence

from docserver.layout import Block, Box, Line, Paragraph, Word, around, overlap, words_of
from docserver.ocr.image.transform import PageImage
from docserver.ocr.recognition.close_ups import CloseUps, joined
from docserver.ocr.recognition.evidence import FEW_WORDS, SURE_FROM
from docserver.ocr.recognition.tesseract import Recognised

MAX_READ = 12
"""Most spots that are read, each in up to 0.05 s. A page with more that nothing explains is dirty, or a drawing."""

MARGIN = 0.8
"""Room around a spot that is read with it, as a share of its longer side."""


class LoneWords:
    """The spots of ink on an upright page that is empty but for a few, and what they were read as."""

    def __init__(self, page: PageImage, spots: Sequence[Box], *, recognise: Callable[[PageImage], Recognised]) -> None:
        self._page = page
        self._words = joined(spots)
        self._close_ups = CloseUps(page, recognise)

    def added_to(self, recognised: Recognised) -> tuple[Recognised, bool]:
        """The page's text with the letters and words among the spots, and True if no other spot may be one. A text of
        more than a few words stays as it is. Words that Tesseract is not sure of are replaced.
        """
        before = list(words_of(recognised.blocks))
        if len(before) > FEW_WORDS:
            return recognised, True
        sure = [word.box for word in before if word.confidence >= SURE_FROM]
        unread = [spots for spots in self._words if not all(self._is_in(spot, sure) for spot in spots)]
        if len(unread) > MAX_READ:
            return recognised, False
        found: list[list[Word]] = []
        is_all = True
        for spots in unread:
            words = self._words_of(around(spots))
            apart = [] if words or len(spots) == 1 else [spot for spot in spots if not self._is_in(spot, sure)]
            found += filter(None, [words, *map(self._words_of, apart)])
            is_read = words or (apart and all(map(self._words_of, apart)))
            if not is_read and not any(self._is_in(spot, [word.box for word in before]) for spot in spots):
                is_all &= not self._close_ups.may_be_word(around(spots))
        return (_with(recognised, found) if found else recognised), is_all

    def _is_in(self, spot: Box, boxes: Iterable[Box]) -> bool:
        place = self._page.to_original.on_rect(*spot)
        return any(overlap(box, place) for box in boxes)

    def _words_of(self, spot: Box) -> list[Word]:
        left, top, right, bottom = spot
        return self._close_ups.words(spot, margin_px=int(MARGIN * max(right - left, bottom - top)))


def _with(recognised: Recognised, found: Iterable[Sequence[Word]]) -> Recognised:
    """The text with these words, each in a block of its own, in place of what was read where they are."""
    added = [_block(words) for words in found]
    kept = (_without(block, [other.box for other in added]) for block in recognised.blocks)
    blocks = tuple(sorted((*filter(None, kept), *added), key=lambda block: block.box[1]))
    return Recognised.of(blocks)


def _without(block: Block, boxes: Sequence[Box]) -> Block | None:
    """The block without its words in these places; None if it has no others."""
    paragraphs = []
    for paragraph in block.paragraphs:
        lines = []
        for line in paragraph.lines:
            words = tuple(word for word in line.words if not any(overlap(word.box, box) for box in boxes))
            if words:
                lines.append(Line(line.box if words == line.words else around(word.box for word in words), words))
        if lines:
            paragraphs.append(Paragraph(around(line.box for line in lines), tuple(lines)))
    return Block(around(part.box for part in paragraphs), tuple(paragraphs)) if paragraphs else None


def _block(words: Sequence[Word]) -> Block:
    box = around(word.box for word in words)
    return Block(box, (Paragraph(box, (Line(box, tuple(words)),)),))
