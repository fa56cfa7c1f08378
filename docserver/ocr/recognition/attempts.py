"""Child side: attempts to read the page: one with a layout of Tesseract, and what makes one better.

`reader` chooses the variants of the page that are read.
"""

from collections.abc import Callable
from dataclasses import replace

from docserver.ocr.image.analysis import PageAnalysis
from docserver.ocr.image.leaders import without_leaders
from docserver.ocr.image.overview import grey
from docserver.ocr.image.shape import is_narrow
from docserver.ocr.image.transform import PageImage, on_original
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.boxed_words import with_boxed_words
from docserver.ocr.recognition.doubled_letters import without_doubled_letters
from docserver.ocr.recognition.large_words import with_large_words
from docserver.ocr.recognition.missed_lines import with_missed_lines
from docserver.ocr.recognition.missed_words import with_missed_words
from docserver.ocr.recognition.orientation import UPRIGHT_TURN, runs_downwards
from docserver.ocr.recognition.rows_of_signs import without_rows_of_signs
from docserver.ocr.recognition.tables import by_rows, cuts_numbers
from docserver.ocr.recognition.tesseract import Layout, Recognised
from docserver.ocr.recognition.tries import Tries
from docserver.ocr.recognition.turned_rest import with_turned_rest
from docserver.ocr.recognition.unread import OTHER_LAYOUTS, with_unread

FEW_LINES_BELOW_PX = 150
"""A picture lower than this has only a few lines, which are one block. A picture narrower than this may be a single
vertical line, which is not a block, unless the picture was so small in both directions."""

SECOND_LAYOUT_BETWEEN = 50.0, 80.0
"""A receipt that is read with a confidence between these is read again with the layout of other pages. Below the first,
it may lie in another direction; from the second on, the second text is seldom better."""

MIN_GAIN_IN_SECOND_LAYOUT, MIN_WEIGHT_IN_SECOND_LAYOUT = 4.0, 0.97
"""The second text of a receipt is taken if it has this much more confidence, and this share of the first one's weight.
Its weight is mostly lower, because it has no words where there are no letters."""


class Attempts:
    """Makes attempts to read one page. All methods raise Unreadable."""

    def __init__(self, tries: Tries, page: PageImage) -> None:
        """`page` is the page as it was prepared for Tesseract."""
        self._tries = tries
        self._page = page

    def recognise(self, page: PageImage, *, languages: str, layout: Layout) -> Attempt:
        """Read a variant of the page, or a part of one. If its lines run downwards, the attempt says that it is to be
        turned.
        """
        recognised = self._read(languages, layout)(page)
        downwards = runs_downwards(recognised)
        if not downwards:
            recognised = self._with_lines_as_seen(recognised, page, languages=languages, layout=layout)
        rotation = page.rotation + (UPRIGHT_TURN if downwards else 0)
        on_page = replace(recognised, blocks=on_original(recognised.blocks, page))
        return Attempt(on_page, rotation % 360, languages)

    def in_second_layout(self, first: Attempt, page: PageImage) -> Attempt:
        """The better text of a receipt: the first one, which was read as one block, or one in the layout of a page."""
        low, high = SECOND_LAYOUT_BETWEEN
        if not low <= first.recognised.confidence < high:
            return first
        second = self.recognise(page, languages=first.languages, layout=Layout.PAGE)
        is_surer = second.recognised.confidence >= first.recognised.confidence + MIN_GAIN_IN_SECOND_LAYOUT
        is_whole = second.weight >= MIN_WEIGHT_IN_SECOND_LAYOUT * first.weight
        return second if is_surer and is_whole and second.rotation == first.rotation else first

    def as_one_block(self, first: Attempt, page: PageImage) -> Attempt:
        """The better text of a table: the first one, whose numbers are cut, or one that is not divided into columns."""
        second = self.recognise(page, languages=first.languages, layout=Layout.BLOCK)
        return first if second.weight < first.weight or cuts_numbers(second.recognised) else second

    def in_other_layouts(self, best: Attempt, page: PageImage, *, layout: Layout) -> Attempt:
        """The attempt, which was made in this layout, or one in another layout that leaves less of the page unread."""
        for other in OTHER_LAYOUTS[layout]:
            if not best.unread_share or not self._tries.may_go_on():
                break
            another = with_unread(self.recognise(page, languages=best.languages, layout=other), self._page)
            is_more = another.unread_share < best.unread_share and another.weight > best.weight
            best = another if is_more and another.rotation == best.rotation else best
        return best

    def with_turned_rest(self, best: Attempt, page: PageImage) -> Attempt:
        """The attempt with what runs upwards or downwards on the page, or is upside down."""
        whole = with_turned_rest(best, page, recognise=self._read(best.languages, Layout.PAGE))
        return best if whole is best else with_unread(whole, self._page)

    def with_missed_words(self, best: Attempt, page: PageImage, *, numbers: bool) -> Attempt:
        """The attempt with words that Tesseract missed or misread. `page` is the level page that was read. Without
        `numbers`, unsure numbers are left to the second engine.
        """
        read_line = self._read(best.languages, Layout.LINE)

        def recognise(part: PageImage) -> Recognised:
            read = read_line(part)
            return replace(read, blocks=on_original(read.blocks, part))

        boxed = with_boxed_words(best, page, recognise=self._read(best.languages, Layout.BLOCK))
        large = with_large_words(boxed, page, recognise=recognise)
        whole = with_missed_words(large, page, recognise=recognise, numbers=numbers)
        whole = without_doubled_letters(whole, page)
        return best if whole is best else with_unread(whole, self._page)

    def _with_lines_as_seen(
        self, recognised: Recognised, page: PageImage, *, languages: str, layout: Layout
    ) -> Recognised:
        """The text without rows of signs; of a page, also with missed lines, and with tables row by row."""
        if layout is not Layout.PAGE:
            return without_rows_of_signs(recognised, page.image)
        whole = with_missed_lines(recognised, page, recognise=self._read(languages, Layout.BLOCK))
        return by_rows(without_rows_of_signs(whole, page.image))

    def _read(self, languages: str, layout: Layout) -> Callable[[PageImage], Recognised]:
        """What reads a picture as it is; boxes are in its pixels."""
        return lambda part: self._tries.recognise(part.image, dpi=part.dpi, languages=languages, layout=layout)


def layout_of(page: PageImage, analysis: PageAnalysis) -> Layout:
    """The layout in which a page is read first."""
    width, height = page.image.size
    if max(page.original_size) < FEW_LINES_BELOW_PX:
        return Layout.BLOCK
    if height < FEW_LINES_BELOW_PX or (is_narrow(page.image.size) and width >= FEW_LINES_BELOW_PX):
        # A receipt is one block of lines, even if its lines have large gaps.
        return Layout.BLOCK
    # With Layout.PAGE, Tesseract would treat the cells of a form as pictures, and their columns as columns of text.
    return Layout.COLUMN if analysis.is_form else Layout.PAGE


def cleaned_of_leaders(page: PageImage, analysis: PageAnalysis) -> PageImage | None:
    """The page without its leaders, which Tesseract reads as letters or takes for a gap; None if it has none."""
    scale = max(page.image.size) / max(page.original_size)
    cleaned = without_leaders(grey(page.image), stroke_px=scale * analysis.stroke_px)
    return None if cleaned is None else replace(page, image=cleaned)
