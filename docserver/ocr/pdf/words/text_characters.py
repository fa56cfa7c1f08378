"""Child side: the characters of PDFium's text of a page, in the order in which they are read: where they stand, and how
they are drawn. Which words they make is not decided here.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ctypes import addressof, c_double, c_float
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as pdfium

from docserver.layout import Rect
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf import calls
from docserver.ocr.pdf.coordinates import Point
from docserver.ocr.pdf.words.pdf_words import PdfWord, TextOrientation, quarters_of, turns_of, upright
from docserver.ocr.pdf.words.right_to_left import SEPARATOR
from docserver.ocr.pdf.words.text_runs import MAX_SIZE_RATIO, Run

MAX_CHARACTERS = 50_000
"""Most characters of a page. A full newspaper page has 30 000."""

MAX_SLANT = 0.05
"""Largest slant of lines that run along or across the page, in quarter turns; 0.05 is 4.5 degrees. Lines with more
slant overlap vertically."""

LETTER_HEIGHT = 1.15
"""Height of letters from descender to ascender, as a multiple of the font's size."""

MIN_HEIGHT = 0.1
"""Smallest height and width of a character that is drawn, in points. PDFium gives spaces a fiftieth of a point."""


Numbers = npt.NDArray[np.float64]

Look = tuple[tuple[int, ...], int, int]
"""The colour and opacity, the mode, and the number of marks, such as of layers."""


class TextCharacters:
    """PDFium's text of one page (FPDF_TEXTPAGE). It must be closed."""

    def __init__(self, page: Any, *, turns: int | None = None) -> None:
        """Load the text of a page as it is shown, or with so many quarter turns. Raises TextLayerRejected if PDFium
        cannot parse it.
        """
        self.handle = pdfium.FPDFText_LoadPage(page) if turns is None else _loaded_turned(page, turns)
        if not self.handle:
            raise TextLayerRejected("the text cannot be parsed")
        self.text_address = calls.address_of(self.handle)
        # PDFium's index of each character, in the order in which the characters are read.
        self.order: Sequence[int] = range(MAX_CHARACTERS + 1)
        self._orientations: dict[int, TextOrientation] = {}
        self._turns: dict[int, int] = {}
        # In some fonts, each letter has a height of its own. So that of an object is that of its first letter.
        self._firsts: dict[int, int] = {}
        # By the index of a character.
        self._looks: dict[int, Look] = {}
        # PDFium writes its results into these variables. They are read before the next call, so all calls share them.
        # To read a slice of them takes a tenth of the time that unpacking takes.
        self.sides = (c_double * 4)()
        self.to_sides = tuple(calls.places(self.sides, c_double))
        self._to_point = self.to_sides[:2]

    def close(self) -> None:
        pdfium.FPDFText_ClosePage(self.handle)

    @cached_property
    def count(self) -> int:
        """The number of characters that PDFium has."""
        return int(pdfium.FPDFText_CountChars(self.handle))

    def is_drawn(self, index: int) -> bool:
        """True if something is drawn of the character. Never true of slanted text, whose boxes do not tell."""
        left, bottom, right, top = self.tight_box(index)
        is_flat = min(right - left, top - bottom) < MIN_HEIGHT
        return not (is_flat or self._orientation_at(index, self.address(index)).crooked)

    def ink(self, index: int) -> Rect:
        """The rectangle around what is drawn of the character, turned so that the character is upright."""
        return self._upright(index, self.tight_box(index))

    def room(self, index: int) -> Rect:
        """The room that the font has for the character, turned so that the character is upright."""
        return self._upright(index, self.loose_box(index))

    def rooms(self, words: Sequence[PdfWord]) -> Iterator[list[Rect]]:
        """The same for each character of these words."""
        indexes = _indexes(words)
        objects = calls.objects_of_characters(self.text_address, self.places_of(indexes))
        turned = self._turned(dict(zip(reversed(objects), reversed(indexes), strict=True)))
        rooms = calls.rooms_of_characters(self.text_address, self.places_of(indexes))
        start = 0
        for word in words:
            end = start + word.end - word.first
            if turned.isdisjoint(objects[start:end]):
                yield rooms[start:end]
            else:
                yield list(map(self.room, range(word.first, word.end)))
            start = end

    def code(self, index: int) -> int:
        """The character's code in the text."""
        return int(pdfium.FPDFText_GetUnicode(self.handle, self.order[index]))

    def upright_place(self, index: int) -> tuple[int, float, float, float] | None:
        """The turns, origin, height on the page and size of a character; None if it is crooked."""
        orientation = self._orientation_at(index, self.address(index))
        if orientation.crooked:
            return None
        return orientation.turns, *self.begin_upright(index), self.size_at(index)

    def is_generated(self, index: int) -> bool:
        """True if PDFium added the character, such as a space or the end of a line."""
        place = self.order[index]
        return place == SEPARATOR or bool(calls.is_generated(self.text_address, place) == 1)

    def text_object(self, index: int) -> Any:
        """The text object that draws the character; a null pointer if PDFium added it."""
        return pdfium.FPDFText_GetTextObject(self.handle, self.order[index])

    def address(self, index: int) -> int:
        """The address of the text object that draws the character; 0 if PDFium added it."""
        return calls.object_of_character(self.text_address, self.order[index]) or 0

    def objects(self) -> list[int]:
        """The same for each character that PDFium has."""
        return calls.objects_of_characters(self.text_address, range(self.count))

    def addresses(self, words: Iterable[PdfWord]) -> list[int]:
        """The same for each character of these words."""
        return calls.objects_of_characters(self.text_address, self.places_of(_indexes(words)))

    def are_of_one_object(self, first: int, second: int) -> bool:
        """True if one text object draws both characters."""
        return self.address(first) == self.address(second)

    def advance(self, index: int) -> float:
        """The font's width of the character in points; negative in some for vertical lines, infinite if not known."""
        width, text, place = c_float(), self.handle, self.order[index]
        font, size = pdfium.FPDFTextObj_GetFont(self.text_object(index)), abs(pdfium.FPDFText_GetFontSize(text, place))
        if not pdfium.FPDFFont_GetGlyphWidth(font, self.code(index), size, width) or not width.value:
            return math.inf
        return float(width.value) * math.hypot(*self._matrix(index)[:2])

    def origins(self, words: Sequence[PdfWord]) -> Numbers:
        """Rows of x and y of the points on the lines' baselines where the words begin, or the numbers before raised
        numbers.
        """
        origins = calls.origins_of_characters(self.text_address, self.places_of([word.on_baseline for word in words]))
        for number, word in enumerate(words):
            if word.is_vertical:
                origins[number] = self.origin(word)
        return origins

    def origin(self, word: PdfWord) -> Point:
        """The same for one word."""
        if word.is_vertical:
            left, bottom, right, top = word.rect
            return ((left, bottom), (right, bottom), (right, top), (left, top))[word.orientation.turns]
        return self.begin(word.on_baseline)

    def last_origin(self, word: PdfWord) -> Point:
        """The point on the baseline where the last character of the word begins."""
        return self.begin(word.end - 1)

    def begin(self, index: int) -> Point:
        """The point on the baseline where the character begins."""
        calls.origin(self.text_address, self.order[index], *self._to_point)
        x, y = self.sides[:2]
        return x, y

    def begin_upright(self, index: int) -> Point:
        """The same, turned so that the character is upright."""
        x, y = self.begin(index)
        return self._upright(index, (x, y, x, y))[:2]

    def look(self, index: int) -> Look:
        """How the character is drawn."""
        if index not in self._looks:
            self.look_at([index])
        return self._looks[index]

    def look_at(self, indexes: Sequence[int]) -> None:
        """Ask how these characters are drawn. To ask for many together takes a third of the time."""
        objects = calls.objects_of_characters(self.text_address, self.places_of(indexes))
        colours = zip(*calls.fill_colours_of(objects).T.tolist(), strict=True)
        looks = zip(colours, map(calls.render_mode, objects), map(calls.count_marks, objects), strict=True)
        self._looks.update(zip(indexes, looks, strict=True))

    def orientations(self, addresses: Sequence[int], firsts: Sequence[int]) -> list[TextOrientation]:
        """Those of text objects, of which these characters are in words."""
        new = {
            address: self._firsts.get(address, first)
            for address, first in zip(reversed(addresses), reversed(firsts), strict=True)
            if address not in self._orientations
        }
        places = self.places_of(list(new.values()))
        matrices = calls.matrices_of_characters(self.text_address, places).tolist()
        rooms = calls.rooms_of_characters(self.text_address, places)
        for (address, index), matrix, room in zip(new.items(), matrices, rooms, strict=True):
            self._orientations[address] = self._orientation(index, matrix, room)
        return list(map(self._orientations.__getitem__, addresses))

    def extent(self, word: PdfWord) -> tuple[float, float]:
        """Where the word begins and ends along its direction, with the room beside its letters, in points."""
        turns = word.orientation.turns
        ends: list[float] = []
        for index in (word.first, word.end - 1):
            left, bottom, right, top = self.loose_box(index)
            ends += ((left, right), (bottom, top), (-right, -left), (-top, -bottom))[turns]
        return ends[0], ends[-1]

    def run(self, word: PdfWord, *, place: int) -> Run:
        """What is drawn as this word. `place` is that in a longer word."""
        return self.run_at(word.first, place=place, end=place + len(word.text))

    def _matrix(self, index: int) -> tuple[float, ...]:
        """a, b, c and d of the matrix of a character. A font size below 0 turns it around."""
        matrix = pdfium.FS_MATRIX()
        place = self.order[index]
        calls.matrix(self.text_address, place, addressof(matrix))
        sign = -1.0 if calls.font_size(self.text_address, place) < 0 else 1.0
        return sign * matrix.a, sign * matrix.b, sign * matrix.c, sign * matrix.d

    def _turns_at(self, index: int) -> int:
        """The quarter turns counterclockwise by which a character is turned."""
        address = self.address(index)
        if address not in self._turns:
            known = self._orientations.get(address)
            self._turns[address] = known.turns if known else turns_of(self._matrix(index))
            self._firsts[address] = index
        return self._turns[address]

    def _turned(self, firsts: Mapping[int, int]) -> set[int]:
        """The addresses of those text objects that are not upright. Each is given with a character of it."""
        new = {address: index for address, index in firsts.items() if address not in self._turns}
        matrices = calls.matrices_of_characters(self.text_address, self.places_of(list(new.values())))
        self._turns.update(dict.fromkeys(new, 0))
        # Almost all are upright.
        may_be_turned = (matrices[:, 1] != 0) | (matrices[:, 0] <= 0)
        for address, matrix in zip(
            itertools.compress(new, may_be_turned), matrices[may_be_turned].tolist(), strict=True
        ):
            self._turns[address] = turns_of(matrix)
        self._firsts |= new
        return {address for address in firsts if self._turns[address]}

    def places_of(self, indexes: Sequence[int]) -> Sequence[int]:
        """PDFium's indexes of these characters."""
        return [self.order[index] for index in indexes] if isinstance(self.order, list) else indexes

    def _orientation_at(self, index: int, address: int) -> TextOrientation:
        if address not in self._orientations:
            first = self._firsts.get(address, index)
            self._orientations[address] = self._orientation(first, self._matrix(first), self.loose_box(first))
        return self._orientations[address]

    def _orientation(self, index: int, matrix: Sequence[float], room: Rect) -> TextOrientation:
        a, b, c, d = matrix
        quarters = quarters_of(matrix)
        turns = round(quarters)
        mirrored = a * d < b * c
        if abs(quarters - turns) > MAX_SLANT:
            # The box of a slanted letter tells little of its height.
            return TextOrientation(LETTER_HEIGHT * self.size_at(index), turns % 4, 90 * (quarters - turns), mirrored)
        left, bottom, right, top = room
        return TextOrientation(abs(right - left if turns % 2 else top - bottom), turns % 4, 0.0, mirrored)

    def _upright(self, index: int, rect: Rect) -> Rect:
        turns = self._turns_at(index)
        return upright(rect, turns) if turns else rect

    def places_and_sizes(self, indexes: Sequence[int]) -> tuple[Numbers, Numbers, Numbers]:
        """The x and y where these characters begin on their baselines, and the sizes of their letters, in points."""
        places = self.places_of(indexes)
        x, y = calls.origins_of_characters(self.text_address, places).T
        a, b, c, d = calls.unsigned_matrices(self.text_address, places).T
        along, across = np.hypot(a, b), np.hypot(c, d)
        along[along == 0.0] = 1.0
        scale = np.where(along * MAX_SIZE_RATIO < across, along, across)
        return x, y, calls.font_sizes(self.text_address, places) * scale

    def run_at(self, index: int, *, place: int, end: int) -> Run:
        a, b, *_ = self._matrix(index)
        along = math.hypot(a, b) or 1.0
        return Run(place, end, *self.begin(index), a / along, b / along, self.size_at(index))

    def size_at(self, index: int) -> float:
        """The size of the character's letters in points."""
        a, b, c, d = self._matrix(index)
        along, across = math.hypot(a, b) or 1.0, math.hypot(c, d)
        # Letters may be narrowed or widened. Those that are squeezed until nobody can read them are small.
        scale = along if along * MAX_SIZE_RATIO < across else across
        return abs(float(calls.font_size(self.text_address, self.order[index]) * scale))

    def loose_box(self, index: int) -> Rect:
        """The room that the font has for the character, whether or not there is ink."""
        box = pdfium.FS_RECTF()
        calls.room(self.text_address, self.order[index], addressof(box))
        return box.left, box.bottom, box.right, box.top

    def tight_box(self, index: int) -> Rect:
        """The rectangle around the ink of the character."""
        calls.ink(self.text_address, self.order[index], *self.to_sides)
        left, right, bottom, top = self.sides[:]
        return left, bottom, right, top

    def is_mapped(self, index: int) -> bool:
        return bool(calls.has_no_mapping(self.text_address, self.order[index]) != 1)


def _loaded_turned(page: Any, turns: int) -> Any:
    shown = pdfium.FPDFPage_GetRotation(page)
    pdfium.FPDFPage_SetRotation(page, turns)
    try:
        return pdfium.FPDFText_LoadPage(page)
    finally:
        pdfium.FPDFPage_SetRotation(page, shown)


def _indexes(words: Iterable[PdfWord]) -> list[int]:
    """Those of the characters of these words."""
    return list(itertools.chain.from_iterable(range(word.first, word.end) for word in words))
