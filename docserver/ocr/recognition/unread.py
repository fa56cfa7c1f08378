"""Child side: measures how much of a page's text an attempt has left unread."""

from dataclasses import replace

from docserver.layout import words_of
from docserver.ocr.image.shape import is_snippet
from docserver.ocr.image.transform import PageImage, from_original
from docserver.ocr.image.unread_letters import unread_letters
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.tesseract import Layout

MIN_LETTERS, MIN_SHARE = 6, 0.03
"""Fewest letters that were left unread, also as a share of all letters of the page. Dirt, stamps and the edges of other
pages look like fewer."""

MAX_SHARE_IF_UPRIGHT = 0.3
"""Largest share of unread letters on a page that was read upright. Of a table on its side, only some cells are read."""

OTHER_LAYOUTS = {Layout.COLUMN: (Layout.BLOCK, Layout.PAGE), Layout.BLOCK: (Layout.PAGE,), Layout.PAGE: ()}
"""Layout → those in which a page is read again if some of its text was left unread in it. Single letters in the cells
of a table are lines only as parts of a block, and headings on their side only as parts of a page."""


def with_unread(attempt: Attempt, page: PageImage) -> Attempt:
    """The attempt with the share of letters that were left unread. `page` is the page as it was prepared."""
    if is_snippet(page.original_size):
        return attempt
    words = list(words_of(from_original(attempt.recognised.blocks, page)))
    unread = unread_letters(page.overview, [word.box for word in words])
    share = unread / max(1, unread + sum(len(word.text) for word in words))
    return replace(attempt, unread_share=share if unread >= MIN_LETTERS and share >= MIN_SHARE else 0.0)
