"""Child side: joins the exact words of a PDF page's text layer with words that OCR read where the layer lacks them."""

from collections.abc import Iterable

from PIL import Image, ImageDraw

from docserver.layout import Box, Rect, Word, confidence_of, lines_of, pack_blocks, words_of
from docserver.model import Reading, Source
from docserver.ocr.pdf.placement import text_of
from docserver.ocr.pdf.text_layer import TextLayer
from docserver.ocr.pdf.text_patches import TextPatches, is_in
from docserver.ocr.recognition.reader import Attempt

MIN_LINE_CONFIDENCE, MIN_LINE_CONFIDENCE_IN_DRAWINGS = 70.0, 85.0
"""Smallest confidence of a line that is taken. What OCR makes of a logo has less, print has 90. The second value is for
a page with a drawing, such as a map, whose lines look like text."""

MAX_UNREAD_SHARE = 0.0006
"""If OCR reads nothing in patches of at most this share of the page's area, they are no text. A short word has more."""

DRAWING_FROM = 0.008
"""If OCR leaves patches of more than this share of the page's area unread, the page has a drawing. One and a half lines
of text have this share."""

MAX_UNREAD_CONFIDENCE = 99.0
"""Most confidence of a page that may have text which was not read."""

MAX_MIXED_CONFIDENCE = 99.99
"""Most confidence of a page with recognised words, so that no rounding makes it exact."""

WHITE = 255


def join(layer: TextLayer, patches: TextPatches, attempt: Attempt, *, review_below: float) -> Reading:
    """The reading of a page: the layer's words, and those that OCR read in these patches of the page."""
    size = layer.to_pixels.width, layer.to_pixels.height
    added, is_complete = _words_in(patches, attempt, size=size)
    # The text layer has all letters of a word of which a part is hidden, so it confirms what was read of the rest.
    is_complete &= all(_text_in(word.rect, added) in word.pdf_word.text for word in layer.partly_seen)
    placement = layer.placement()
    for words in added:
        placement.add_recognised(words, turns=attempt.rotation // 90)
    blocks = tuple(placement.blocks())
    confidence = confidence_of(words_of(blocks))
    if added:
        confidence = min(confidence, MAX_MIXED_CONFIDENCE)
    if not is_complete:
        confidence = min(confidence, MAX_UNREAD_CONFIDENCE)
    return Reading(
        width=size[0],
        height=size[1],
        dpi=layer.dpi,
        rotation=attempt.rotation if added else 0,
        source=Source.MIXED if added else Source.TEXT_LAYER,
        confidence=confidence,
        text=text_of(blocks),
        layout=pack_blocks(blocks),
        languages=attempt.languages if added else None,
        needs_review=confidence < review_below or not is_complete,
    )


def _words_in(patches: TextPatches, attempt: Attempt, *, size: tuple[int, int]) -> tuple[list[list[Word]], bool]:
    """The words of each line in these patches, and True if nothing is left there that may be text."""
    own = Image.new("L", size)
    for rect in patches.words:
        ImageDraw.Draw(own).rectangle(rect, fill=WHITE)
    lines = []
    for line in lines_of(attempt.recognised.blocks):
        words = [word for word in line.words if not (_is_covered(own, word.box) or _is_unclear_sign(word))]
        # A part of a line may look less like text than the rest, so a line is taken as a whole.
        letters = sum(len(word.text) for word in words if patches.have(word.box))
        if letters and 2 * letters >= len(_text(words)):
            lines.append(words)
    clear = [words for words in lines if confidence_of(words) >= MIN_LINE_CONFIDENCE]
    rest = patches.without(word.box for words in clear for word in words)
    if rest.share > DRAWING_FROM:
        return [words for words in clear if confidence_of(words) >= MIN_LINE_CONFIDENCE_IN_DRAWINGS], False
    unclear = any(words not in clear and any(map(str.isalnum, _text(words))) for words in lines)
    return clear, not (unclear or rest.unread or rest.share > MAX_UNREAD_SHARE)


def _text_in(place: Rect, lines: Iterable[Iterable[Word]]) -> str:
    """What was read in this place."""
    return _text(word for words in lines for word in words if is_in(place, word.box))


def _text(words: Iterable[Word]) -> str:
    return "".join(word.text for word in words)


def _is_unclear_sign(word: Word) -> bool:
    """True for what OCR makes of nothing, often beside a word: a dash or the like, of which it is not sure."""
    return word.confidence < MIN_LINE_CONFIDENCE and not any(map(str.isalnum, word.text))


def _is_covered(mask: Image.Image, box: Box) -> bool:
    """True if the middle of the box is white in the mask."""
    left, top, right, bottom = box
    middle = min((left + right) // 2, mask.width - 1), min((top + bottom) // 2, mask.height - 1)
    return mask.getpixel(middle) == WHITE
