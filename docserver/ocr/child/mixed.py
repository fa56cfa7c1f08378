"""Child side: joins the exact words of a PDF page's text layer with words that OCR read where the layer lacks them."""

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from PIL import Image, ImageDraw

from docserver.elements import Elements, pack_elements
from docserver.layout import Box, Rect, Word, confidence_of, is_in, lines_of, pack_blocks, text_of, words_of
from docserver.model import Reading, Source
from docserver.ocr.child.lone_letters import LIKE_SYMBOLS
from docserver.ocr.child.marked_words import words_with_marks
from docserver.ocr.child.turned_words import as_read
from docserver.ocr.image.decode import Picture
from docserver.ocr.pdf.glyphs.letter_shapes import MAX_PLACES, is_single
from docserver.ocr.pdf.words.own_words import MAX_UNSURE_CONFIDENCE, MarkedWords, OwnWord, TextLayer
from docserver.ocr.pdf.words.text_patches import TextPatches
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.evidence import may_be_drawings
from docserver.ocr.recognition.orientation import turns_of_line

MIN_LINE_CONFIDENCE, MIN_LINE_CONFIDENCE_IN_DRAWINGS = 70.0, 85.0
"""Smallest confidence of a line that is taken. What OCR makes of a logo has less, print has 90. The second value is for
a page with a drawing, such as a map, whose lines look like text."""

MIN_WORD_CONFIDENCE = 60.0
"""A page with a recognised word of less confidence is not sure. The word is often a part of one, or none."""

MIN_SHAPE_CONFIDENCE = 85.0
"""Smallest confidence of letters that are drawn as shapes. Symbols have less, or are read as signs."""

SHAPE_MARGIN = 0.8
"""Room around a shape that is read with it, as a share of its shorter side."""

DRAWING_FROM = 0.008
"""If OCR leaves patches of more than this share of the page's area unread, the page has a drawing. One and a half lines
of text have this share."""

MAX_MIXED_CONFIDENCE = 99.99
"""Most confidence of a page with recognised words, so that no rounding makes it exact."""

SIGNS = frozenset("%‰&§#@€$£¥©®™")
"""Signs that stand for a word. Symbols are read as such too, but they are not read as letters."""

WHITE = 255


def part(picture: Picture, place: Rect) -> Picture:
    """The part of a page's picture with a shape in this place, and some room around it."""
    return replace(picture, image=picture.image.crop(box_around(place)))


def alike(places: Iterable[Rect]) -> Iterable[list[Rect]]:
    """The places of markers, those of one size together."""
    sizes: dict[tuple[int, int], list[Rect]] = defaultdict(list)
    for left, top, right, bottom in places:
        sizes[round(right - left), round(bottom - top)].append((left, top, right, bottom))
    return sizes.values()


def is_read(place: Rect, attempt: Attempt) -> bool:
    """True if the shape in this place was read for certain, or is a sign."""
    return bool(_letters_in(place, attempt)) or _is_sign(place, attempt)


def may_be_letter(place: Rect, attempt: Attempt) -> bool:
    """True if the marker in this place was read as a letter or a digit."""
    words = _words_at(place, attempt)
    return confidence_of(words) >= MIN_WORD_CONFIDENCE and any(map(str.isalnum, _text(words)))


def confirms(layer: TextLayer, attempt: Attempt) -> bool:
    """True if OCR of the whole page has read the layer's words in their places, and more than these."""
    read = list(words_of(attempt.recognised.blocks))
    own = sum(len(_letters(word.pdf_word.text)) for word in layer.words)
    return len(_letters(_text(read))) > own and all(
        _letters(word.pdf_word.text)
        in _letters(_text(other for other in read if is_in(word.rect, other.box) or is_in(other.box, word.rect)))
        for word in layer.words
    )


def join(
    layer: TextLayer,
    attempt: Attempt | None,
    shapes: Mapping[Rect, Attempt],
    marked: Sequence[tuple[MarkedWords, Attempt]] = (),
    turned: Sequence[tuple[OwnWord, Attempt]] = (),
    *,
    review_below: float,
) -> Reading:
    """The reading of a page: the layer's words, those that OCR read in its patches, those that it read in `shapes`, the
    places of shapes, and those that it read of marked and of turned words. Markers are among the shapes if they may be
    letters.
    """
    size = layer.to_pixels.width, layer.to_pixels.height
    with_marks = [(words, words_with_marks(words, read, size=size)) for words, read in marked]
    is_complete = layer.is_sure and len(marked) == len(layer.marked) and all(words for _, words in with_marks)
    in_turned = [as_read(word, read, layer.to_pixels) for word, read in turned]
    is_complete &= len(turned) == len(layer.turned) and all(in_turned)
    layer = _without_marked(layer, with_marks)
    read_with_marks = [word.box for _, words in with_marks for word in words or ()]
    shapes = {place: read for place, read in shapes.items() if not any(is_in(box, place) for box in read_with_marks)}
    in_shapes = {place: _letters_in(place, read) for place, read in shapes.items()}
    in_patches: list[list[Word]] = []
    is_complete &= len(shapes) < MAX_PLACES and all(
        words for place, words in in_shapes.items() if place in layer.markers
    )
    if layer.patches and attempt:
        read = [word.box for words in in_shapes.values() for word in words]
        in_patches, is_all = _words_in(layer.patches, attempt, read=read, size=size)
        is_complete &= is_all
    beside, is_all = _not_read_yet(in_shapes, read=[word.box for words in in_patches for word in words])
    added = [*in_patches, *beside]
    is_complete &= is_all and not any(_is_sign(place, read) for place, read in shapes.items())
    is_complete &= not any(_is_unclear(place, read) and not _text_in(place, added) for place, read in shapes.items())
    # The text layer has all letters of a word of which a part is hidden, so it confirms what was read of the rest.
    is_complete &= all(_text_in(word.rect, added) in word.pdf_word.text for word in layer.partly_seen)
    boxes = [word.box for words in added for word in words]
    is_complete &= all(any(is_in(box, place) for box in boxes) for place in layer.drawn_spaces)
    is_complete &= all(_is_as_drawn(word, added) for word in layer.wrongly_mapped)
    is_complete &= all(word.confidence >= MIN_WORD_CONFIDENCE for words in added for word in words)
    # Of parts from which nothing is taken, the rest of their ink shows if something is missing.
    taken = [*([attempt] if in_patches else ()), *(read for place, read in shapes.items() if in_shapes[place])]
    is_complete &= not any(read and read.left_out for read in taken)
    turns = attempt.rotation // 90 if attempt else 0
    drawings = _drawings(in_patches, beside, is_sideways=turns % 2 == 1)
    is_complete &= all(layer.patches is not None and layer.patches.is_text(word.box) for word in drawings)
    placement = layer.placement(itertools.chain(*in_turned))
    for words in in_patches:
        placement.add_recognised(words, turns=turns or turns_of_line(words))
    for words in beside:
        placement.add_recognised(words, turns=0)
    for place, words_of_place in with_marks:
        if words_of_place:
            placement.add_recognised(words_of_place, turns=place.turns)
    attempts = (attempt, *shapes.values(), *(read for _, read in (*marked, *turned)))
    rotation = attempt.rotation if attempt and added else 0
    blocks, tables = layer.with_tables(placement)
    confidence = confidence_of(words_of(blocks))
    is_mixed = bool(added) or any(words for _, words in with_marks) or any(in_turned)
    if is_mixed:
        confidence = min(confidence, MAX_MIXED_CONFIDENCE)
    if not is_complete:
        confidence = min(confidence, MAX_UNSURE_CONFIDENCE)
    return Reading(
        width=size[0],
        height=size[1],
        dpi=layer.dpi,
        rotation=rotation,
        source=Source.MIXED if is_mixed else Source.TEXT_LAYER,
        confidence=confidence,
        text=text_of(blocks),
        layout=pack_blocks(blocks),
        languages=next(read.languages for read in attempts if read) if is_mixed else None,
        needs_review=confidence < review_below or not is_complete,
        packed_elements=pack_elements(Elements(tables=tables)),
    )


def _without_marked(layer: TextLayer, marked: Iterable[tuple[MarkedWords, Sequence[Word] | None]]) -> TextLayer:
    """The layer without the own words that were read with their marks."""
    read = [word.box for _, words in marked for word in words or ()]
    own = [part.word for place, words in marked if words for part in place.parts if part.word]
    gone = {id(word) for word in own if any(is_in(box, word.rect) for box in read)}
    return replace(layer, words=tuple(word for word in layer.words if id(word) not in gone))


def _letters_in(place: Rect, attempt: Attempt) -> list[Word]:
    """The words that were read for certain of a shape in this place."""
    words = _words_at(place, attempt)
    is_certain = confidence_of(words) >= MIN_SHAPE_CONFIDENCE and any(map(str.isalnum, _text(words)))
    return words if is_certain else []


def _drawings(
    in_patches: Sequence[Sequence[Word]], beside: Iterable[Sequence[Word]], *, is_sideways: bool
) -> Iterator[Word]:
    """Those words of lines in patches, and of shapes beside these, that may be drawings and no text."""
    for words in in_patches:
        yield from may_be_drawings(words, is_sideways=is_sideways)
    for words in beside:
        line = [
            word for word in itertools.chain(*in_patches) if any(_is_beside(shape.box, word.box) for shape in words)
        ]
        yield from may_be_drawings([*words, *line], is_sideways=False)


def _is_unclear(place: Rect, attempt: Attempt) -> bool:
    """True if a shape in this place was read as a letter, though not for certain, and no symbol looks like it."""
    is_letter = may_be_letter(place, attempt) and not _letters_in(place, attempt)
    return is_letter and _text(_words_at(place, attempt)) not in LIKE_SYMBOLS


def _is_sign(place: Rect, attempt: Attempt) -> bool:
    """True if a shape in this place was read as a sign that stands for a word."""
    words = _words_at(place, attempt)
    return confidence_of(words) >= MIN_WORD_CONFIDENCE and _text(words) in SIGNS


def _words_at(place: Rect, attempt: Attempt) -> list[Word]:
    """What was read of a shape in this place."""
    left, top, _, _ = box_around(place)
    return [
        Word(word.text, box, word.confidence)
        for word in words_of(attempt.recognised.blocks)
        for x0, y0, x1, y1 in [word.box]
        if is_in(place, box := (x0 + left, y0 + top, x1 + left, y1 + top))
    ]


def _not_read_yet(in_shapes: Mapping[Rect, list[Word]], *, read: Sequence[Box]) -> tuple[list[list[Word]], bool]:
    """The words of each shape that is in none of the boxes `read`, and True if no other shape may be a letter."""
    boxes, lines, is_all = list(read), [], True
    for place, words in in_shapes.items():
        if any(is_in(place, box) or is_in(box, place) for box in boxes):
            continue
        if words:
            # The words beside a letter are read with it, and they may have been read before.
            new = [word for word in words if not any(is_in(word.box, box) or is_in(box, word.box) for box in boxes)]
            lines += [new] if new else []
            boxes += [word.box for word in new]
        elif not is_single(place) or any(_is_beside(place, box) for box in boxes):
            # Any other shape that is not read as a letter is a symbol.
            is_all = False
    return lines, is_all


def box_around(place: Rect) -> Box:
    left, top, right, bottom = place
    margin = SHAPE_MARGIN * min(right - left, bottom - top)
    return max(0, int(left - margin)), max(0, int(top - margin)), int(right + margin) + 1, int(bottom + margin) + 1


def _is_beside(place: Rect, box: Box) -> bool:
    """True if a letter in this place may be in the same line as a word with this box."""
    reach = max(place[2] - place[0], place[3] - place[1])
    return all(box[low] <= place[low + 2] + reach and place[low] <= box[low + 2] + reach for low in (0, 1))


def _words_in(
    patches: TextPatches, attempt: Attempt, *, read: Sequence[Box], size: tuple[int, int]
) -> tuple[list[list[Word]], bool]:
    """The words of each line in these patches, and True if nothing is left there that may be text. What was read before
    is in the boxes of `read`.
    """
    own = Image.new("L", size)
    for rect in patches.words:
        ImageDraw.Draw(own).rectangle(rect, fill=WHITE)
    lines = []
    for line in lines_of(attempt.recognised.blocks):
        words = [word for word in line.words if not (_is_covered(own, word.box) or _is_unclear_sign(word))]
        # A part of a line may look less like text than the rest, so a line is taken as a whole.
        letters = sum(len(word.text) for word in words if patches.have(word.box))
        is_drawing = not any(map(str.isalnum, _text(words))) and not any(patches.is_text(word.box) for word in words)
        if letters and 2 * letters >= len(_text(words)) and not is_drawing:
            lines.append(words)
    clear = [words for words in lines if confidence_of(words) >= MIN_LINE_CONFIDENCE]
    rest = patches.without([*read, *(word.box for words in clear for word in words)])
    if rest.share > DRAWING_FROM:
        return [words for words in clear if confidence_of(words) >= MIN_LINE_CONFIDENCE_IN_DRAWINGS], False
    unclear = any(words not in clear and any(map(str.isalnum, _text(words))) for words in lines)
    return clear, not (unclear or rest.unread or rest.share)


def _text_in(place: Rect, lines: Iterable[Iterable[Word]]) -> str:
    """What was read in this place."""
    return _text(word for words in lines for word in words if is_in(place, word.box))


def _is_as_drawn(word: OwnWord, lines: Iterable[Iterable[Word]]) -> bool:
    """True if a word whose font maps letters wrongly was read as its other letters, and what is drawn, allow it."""
    near = (read for words in lines for read in words if is_in(word.rect, read.box) or is_in(read.box, word.rect))
    return bool(re.search("".join(word.seen_as), _text(near)))


def _text(words: Iterable[Word]) -> str:
    return "".join(word.text for word in words)


def _letters(text: str) -> str:
    """The letters and digits of a text, without ligatures."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text)))


def _is_unclear_sign(word: Word) -> bool:
    """True for what OCR makes of nothing, often beside a word: a dash or the like, of which it is not sure."""
    return word.confidence < MIN_LINE_CONFIDENCE and not any(map(str.isalnum, word.text))


def _is_covered(mask: Image.Image, box: Box) -> bool:
    """True if the middle of the box is white in the mask."""
    left, top, right, bottom = box
    middle = min((left + right) // 2, mask.width - 1), min((top + bottom) // 2, mask.height - 1)
    return mask.getpixel(middle) == WHITE
