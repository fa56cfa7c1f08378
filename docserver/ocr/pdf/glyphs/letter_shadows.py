"""Child side: finds letters that are drawn one by one as the shadow of letters in another colour.

PDFium makes one word of both. The shadow of a string that is drawn at once is a word, which `visible_words` finds.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium

from docserver.ocr.pdf.calls import bounds_of, fill_colours_of
from docserver.ocr.pdf.drawing import hidden

MAX_OFFSET = 0.7
"""Largest distance of a letter from its shadow along either axis, as a share of the longer side of its box."""

TOLERANCE = 0.2
"""Largest difference of the distances of two letters of a word from their shadows, in points."""

MAX_ALIKE = 30
"""How many equal letters behind a shadow are looked at: three a word, in ten shadows over each other."""

MIN_KINDS = 3
"""Fewest different letters of a word with a shadow. In a word whose letters have different colours, few letters are
equal and so close to each other."""

PER_POINT = 9.87
"""Widths and heights are compared in about tenths of a point. With 10, many would lie right between two tenths."""

ASIDE = 5000.0
"""How far shadows are moved, in points, so that PDFium does not take letters for repeats of them."""

Colour = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A letter and an equal one in another colour that is drawn near it later."""

    address: int
    """Of the first letter."""
    kind: tuple[int, int]
    """Its width and height."""
    stride: int
    """How many letters later the second one is drawn."""
    x: float
    y: float
    """The way from the first letter to the second one, in points."""

    def is_like(self, other: "_Pair") -> bool:
        return self.stride == other.stride and math.dist((self.x, self.y), (other.x, other.y)) <= TOLERANCE


def letter_shadows(texts: Mapping[int, Any], *, word_starts: Collection[int]) -> list[int]:
    """The addresses of text objects that are a shadow. `texts` are all objects by their addresses, and `word_starts`
    the addresses of those that begin a word.
    """
    letters = [address for address in texts if address not in word_starts]
    if len(letters) < MIN_KINDS:
        return []
    colours = fill_colours_of(letters)
    if np.all(colours == colours[0]):
        return []
    return [
        pair.address for run in _runs(_pairs(texts)) if len({pair.kind for pair in run}) >= MIN_KINDS for pair in run
    ]


@contextmanager
def without_text_of(shadows: Sequence[Any]) -> Iterator[None]:
    """PDFium has none of these text objects in a text until the block ends."""
    try:
        _move(shadows, by=ASIDE)
        with hidden(shadows):
            yield
    finally:
        _move(shadows, by=-ASIDE)


def _move(handles: Iterable[Any], *, by: float) -> None:
    for handle in handles:
        pdfium.FPDFPageObj_Transform(handle, 1, 0, 0, 1, by, 0)


def _runs(pairs: Iterable[_Pair]) -> list[list[_Pair]]:
    """The pairs of successive letters that have the same distances."""
    runs: list[list[_Pair]] = []
    for pair in pairs:
        if runs and runs[-1][-1].is_like(pair):
            runs[-1].append(pair)
        else:
            runs.append([pair])
    return runs


def _pairs(texts: Mapping[int, Any]) -> Iterator[_Pair]:
    """For each letter, the pair with the nearest one of which it may be the shadow, if there is one."""
    later: dict[tuple[int, int], list[tuple[int, Colour, float, float]]] = defaultdict(list)
    pairs: list[_Pair] = []
    places = zip(texts, bounds_of(texts).tolist(), map(tuple, fill_colours_of(texts).tolist()), strict=True)
    # The last letter first, so that those after a letter are known.
    for index, (address, (left, bottom, right, top), colour) in reversed(list(enumerate(places))):
        width, height = right - left, top - bottom
        kind = round(PER_POINT * width), round(PER_POINT * height)
        reach = MAX_OFFSET * max(width, height)
        alike = later[kind]
        near = [
            _Pair(address, kind, other - index, x - left, y - bottom)
            for other, its_colour, x, y in islice(reversed(alike), MAX_ALIKE)
            if its_colour != colour and abs(x - left) <= reach and abs(y - bottom) <= reach
        ]
        if near:
            # Of two equal letters beside each other, the other one may be nearer.
            like = [pair for pair in near if pairs and pair.is_like(pairs[-1])]
            pairs.append(min(like or near, key=lambda pair: math.hypot(pair.x, pair.y)))
        alike.append((index, colour, left, bottom))
    return reversed(pairs)
