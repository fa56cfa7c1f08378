"""Child side: decides which visible words of a text layer are exact, and what has to be read from the picture."""

from collections.abc import Sequence
from functools import partial

from PIL import Image

from docserver.layout import Rect, area
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf.coordinates import PointsToPixels
from docserver.ocr.pdf.glyphs.symbols import symbols
from docserver.ocr.pdf.page_objects import PageObjects
from docserver.ocr.pdf.verification.unexplained_ink import joined_places, touch
from docserver.ocr.pdf.words.own_words import OwnWord, are_upright
from docserver.ocr.pdf.words.pdf_words import UNMAPPED
from docserver.ocr.pdf.words.plausibility import is_language
from docserver.ocr.pdf.words.text_cells import BesideWords
from docserver.ocr.pdf.words.text_patches import TextPatches, is_blank, is_mark
from docserver.ocr.pdf.words.vertical_lines import LAST_ALPHABETIC

MAX_MIRRORED_SHARE = 0.1
"""Largest share of words that are mirrored."""

MIN_BACKWARDS = 3
"""Fewest letters of a word that is known to run backwards. The first of two letters may reach far to its left."""

MAX_FIRST_LETTER = 0.5
"""Largest part of such a word that is its first letter, which is at its end."""

MAX_LONE_SHARE = 0.3
"""Largest share of words that are a single ideograph. With more, the text is vertical."""

MAX_UNMAPPED_SHARE = 0.5
"""Largest share of words with letters that have no Unicode mapping. They are read from the page's picture."""

MAX_LETTER_GAP = 4.0
"""Widest space between letters that may be of one word, in points, where it is not known which letters they are."""

FEW_LETTERS, MIN_SCAN_SHARE = 40, 0.4
"""A page is read from its picture if what else looks like text takes up more room than its own text, and it has fewer
letters than this, or that text is in scans: in pictures of at least this share of the page. What is in smaller pictures
may be a drawing or a map, and is read beside own text with more letters."""


def exact_and_unread(
    words: Sequence[OwnWord],
    *,
    unseen: Sequence[Rect],
    unexplained: Sequence[Rect],
    whole: Image.Image,
    objects: PageObjects,
    to_pixels: PointsToPixels,
    turned: Sequence[OwnWord] = (),
    beside: BesideWords | None = None,
) -> tuple[tuple[OwnWord, ...], TextPatches | None, bool]:
    """Those of the words that are exact, what has to be read, also in the places of text that is not drawn here, and
    True if that is more than the layer has, so that OCR has to read the whole page. Words that are `turned` are read
    elsewhere. `beside` may be what is known to be beside the words.

    Raises TextLayerRejected if the words may be wrong.
    """
    if not words and not is_blank(whole):
        raise TextLayerRejected("no text")
    gap = MAX_LETTER_GAP * to_pixels.pixels_per_point
    incomplete = [word for place in unexplained for word in words if touch(word.rect, place, within=gap)]
    mapped = [word for word in words if UNMAPPED not in word.pdf_word.text]
    exact = tuple([word for word in mapped if word not in incomplete] if incomplete else mapped)
    elsewhere = set(map(id, turned))
    unmapped = [word for word in words if UNMAPPED in word.pdf_word.text and id(word) not in elsewhere]
    # Words that PDFium does not draw cannot be read from a picture.
    drawn = [word for word in words if word.pdf_word.has_glyphs]
    _require_usable(drawn, to_pixels)
    image_rects = [to_pixels.rect(image.bounds) for image in objects.images]
    patches_beside = partial(
        TextPatches.of,
        whole,
        width=to_pixels.width,
        images=image_rects,
        beside=beside,
        unread=[
            *(word.rect for word in unmapped if not is_mark(whole, word.rect, to_pixels.width)),
            *unseen,
            *joined_places([*unexplained, *(word.rect for word in incomplete)], within=gap),
        ],
    )
    places = [place for word in (*exact, *turned) for place in word.places(to_pixels)]
    patches = patches_beside(words=places)
    if patches.area and (signs := symbols(objects.paths)):
        patches = patches_beside(words=[*places, *map(to_pixels.rect, signs)])
    if not patches.area:
        return exact, None, False
    scans = [rect for rect in image_rects if area(rect) >= MIN_SCAN_SHARE * to_pixels.width * to_pixels.height]
    text_area = sum(area(word.rect) for word in exact)
    letters = sum(len(word.pdf_word.text) for word in exact)
    lacks_most = (
        len(drawn) == len(words)
        and patches.area > text_area
        and (letters < FEW_LETTERS or patches.within(scans).area > text_area)
    )
    return exact, patches, lacks_most


def unread_turned(words: Sequence[OwnWord], *, whole: Image.Image, to_pixels: PointsToPixels) -> list[OwnWord]:
    """Those of the words with unmapped letters that OCR does not read with the page, as it lies in another direction
    than they do.
    """
    unmapped = [word for word in words if UNMAPPED in word.pdf_word.text]
    if not unmapped:
        return []
    with_page = to_pixels.turns if are_upright(words, to_pixels) else None
    return [
        word
        for word in unmapped
        if (word.orientation.slant or with_page not in (None, word.orientation.turns))
        and not (word.orientation.mirrored or word.pdf_word.is_vertical)
        and not is_mark(whole, word.rect, to_pixels.width)
    ]


def _require_usable(words: Sequence[OwnWord], to_pixels: PointsToPixels) -> None:
    """Raise TextLayerRejected if the words may be wrong or out of order."""
    exact = [word for word in words if UNMAPPED not in word.pdf_word.text]
    if len(words) - len(exact) > MAX_UNMAPPED_SHARE * len(words):
        raise TextLayerRejected("letters without a meaning")
    if sum([word.orientation.mirrored for word in words]) > MAX_MIRRORED_SHARE * len(words):
        raise TextLayerRejected("mirrored text")
    at_end = [
        word
        for word in words
        # Looking only at where a word begins saves time.
        if word.baseline[0] > word.rect[2] - MAX_FIRST_LETTER * (word.rect[2] - word.rect[0])
    ]
    if any(_runs_backwards(word, to_pixels) for word in at_end) and not any(
        word.pdf_word.right_to_left for word in words
    ):
        raise TextLayerRejected("letters in the wrong order")
    lone_ideographs = sum([len(word.pdf_word.text) == 1 and word.pdf_word.text > LAST_ALPHABETIC for word in exact])
    if lone_ideographs > MAX_LONE_SHARE * len(words):
        raise TextLayerRejected("vertical text")
    if not is_language(word.pdf_word.text for word in exact):
        raise TextLayerRejected("no language")


def _runs_backwards(word: OwnWord, to_pixels: PointsToPixels) -> bool:
    """True if each letter of the word, which begins at its end, stands before the one that is drawn before it."""
    own = word.pdf_word
    return (
        len(own.text) >= MIN_BACKWARDS
        and own.text.isalpha()
        # The rest of a word with a large first letter may have another baseline.
        and len(own.text) == own.end - own.first
        and own.on_baseline == own.first
        and not (own.is_vertical or word.orientation.crooked)
        and word.orientation.turns == to_pixels.turns
    )
