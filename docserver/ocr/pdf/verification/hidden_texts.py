"""Child side: finds text objects of a PDF page that nobody sees, in the places of others. Does not look at their words.

PDFium takes a character for a repeat if an equal one is in its place, though that one may be covered, white, or in a
layer that is off. It also makes one word of hidden and visible letters.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from docserver.layout import Rect
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf.coordinates import PointsToPixels
from docserver.ocr.pdf.drawing import PageDrawing, hidden
from docserver.ocr.pdf.page_objects import PageObjects, bounds_on_page
from docserver.ocr.pdf.verification.overlaps import layers_of, overlapping, squares_of
from docserver.ocr.pdf.verification.seen_ink import Candidate, Seen, SeenInk
from docserver.ocr.pdf.words.text_cells import as_array

MIN_COMMON_HEIGHT = 0.5
"""Smallest share of the height of the higher one of two texts in one line that both have in common."""

MIN_COMMON_LENGTH, MIN_COMMON_SHARE = 0.3, 0.5
"""How much of their line two texts have in common if a letter of one may be in the place of a letter of the other, as a
share of the higher one's height; and of the shorter one's length, if that is less. Kerned letters have less."""

MIN_SIDE = 0.2
"""Smallest length and height of a text with ink that one may see, in pixels of the drawing."""

ANY_LETTER = "x"
"""Stands for the text of an object, which is not known here."""

Numbers = npt.NDArray[np.float64]
Pair = tuple[Numbers, Numbers]


def hidden_texts(
    objects: PageObjects, *, drawing: PageDrawing, to_pixels: PointsToPixels
) -> tuple[list[int], dict[int, int]]:
    """Of the text objects that overlap others, the addresses of those that nobody sees even if the others are not
    drawn; and of the rest, address → number of its layer. Objects in one layer do not overlap.
    """
    if len(objects.texts) < 2:
        return [], {}
    rects = as_array(to_pixels.rects(bounds_on_page(objects, objects.texts))) * (drawing.width / to_pixels.width)
    pairs = _in_one_place(rects)
    if not pairs:
        return [], {}
    addresses = list(objects.texts)
    layers = layers_of((addresses[one], addresses[other]) for one, other in pairs)
    candidates = [
        Candidate(
            text=ANY_LETTER,
            rect=_rect(row),
            height=min(row[2] - row[0], row[3] - row[1]),
            address=address,
            has_glyphs=True,
        )
        for address, row in zip(addresses, rects.tolist(), strict=True)
        if address in layers
    ]
    # In grey, a letter may be as dark as what is behind it.
    for view in (drawing, drawing.in_colours):
        candidates = list(_unseen(candidates, layers, objects=objects, drawing=view))
    unseen = [candidate.address for candidate in candidates]
    return unseen, {address: layer for address, layer in layers.items() if address not in unseen}


def _rect(sides: Sequence[float]) -> Rect:
    left, top, right, bottom = sides
    return left, top, right, bottom


def _unseen(
    candidates: Sequence[Candidate], layers: Mapping[int, int], *, objects: PageObjects, drawing: PageDrawing
) -> Iterator[Candidate]:
    """Those of these text objects that cannot be seen while the objects of the other layers are not drawn."""
    alone = [handle for address, handle in objects.texts.items() if address not in layers]
    for layer in sorted({layers[candidate.address] for candidate in candidates}):
        texts = {address: objects.texts[address] for address, number in layers.items() if number == layer}
        with hidden(objects.texts[address] for address, number in layers.items() if number != layer):
            ink = SeenInk(drawing.whole(), drawing=drawing, texts=texts, others=[*objects.others, *alone])
        for candidate in candidates:
            if layers[candidate.address] == layer and ink.of(candidate) is Seen.NOTHING:
                yield candidate


def _in_one_place(rects: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """The numbers of each two rectangles in which letters of two texts may lie over each other."""
    try:
        one, other = overlapping(rects, squares_of(rects))
    except TextLayerRejected:
        # Whether the page is crammed with words, and not only with pieces of them, is seen later.
        return []
    (left, top, right, bottom), (x0, y0, x1, y1) = rects[one].T, rects[other].T
    length, height = np.minimum(right, x1) - np.maximum(left, x0), np.minimum(bottom, y1) - np.maximum(top, y0)
    lengths, heights = (right - left, x1 - x0), (bottom - top, y1 - y0)
    # Lines may run to the right, or upwards and downwards.
    may_be = _may_share_letter(length, lengths, height, heights) | _may_share_letter(height, heights, length, lengths)
    return list(dict.fromkeys(zip(one[may_be].tolist(), other[may_be].tolist(), strict=True)))


def _may_share_letter(along: Numbers, lengths: Pair, across: Numbers, heights: Pair) -> npt.NDArray[np.bool_]:
    """True where a letter of one text may be in the place of a letter of the other. `along` and `across` say what both
    have in common along their line and across it.
    """
    shorter, higher = np.minimum(*lengths), np.maximum(*heights)
    least = np.minimum(MIN_COMMON_LENGTH * higher, MIN_COMMON_SHARE * shorter)
    shared: npt.NDArray[np.bool_] = (across >= MIN_COMMON_HEIGHT * higher) & (along >= least)
    return shared & (shorter >= MIN_SIDE) & (higher >= MIN_SIDE)
