"""Child side: the words in a PDF page's text layer, in the order in which they are drawn, with places in points."""

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from ctypes import byref, c_double, c_float, c_uint, c_ushort
from dataclasses import replace
from typing import Any

import pypdfium2.raw as pdfium

from docserver.layout import Rect, around
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf.page_objects import address_of, is_embedded
from docserver.ocr.pdf.words.accents import compose
from docserver.ocr.pdf.words.character_codes import FIRST_PRINTED, letter_of, text_of_codes
from docserver.ocr.pdf.words.drawn_blanks import SOFT_HYPHEN, drawn_blanks
from docserver.ocr.pdf.words.mac_letters import mended_letters
from docserver.ocr.pdf.words.pdf_words import UNMAPPED, PdfWord, TextOrientation, upright
from docserver.ocr.pdf.words.right_to_left import SEPARATOR, in_logical_order, may_have_right_to_left
from docserver.ocr.pdf.words.text_runs import MAX_SIZE_RATIO, MIN_LINE_DISTANCE, Run, are_two_numbers, lines_of

MAX_CHARACTERS = 50_000
"""Most characters of a page. A full newspaper page has 30 000."""

MAX_SLANT = 0.05
"""Largest slant of lines that run along or across the page, in quarter turns; 0.05 is 4.5 degrees. Lines with more
slant overlap vertically."""

LETTER_HEIGHT = 1.15
"""Height of letters from descender to ascender, as a multiple of the font's size."""

DOWNWARDS = 3
"""Quarter turns of text that runs down in lines from right to left. Vertical lines do so, though their letters stand
upright."""

MIN_INK = 0.005
"""Smallest height and width of a drawn letter, as a share of the room that its font has for letters. The thinnest lines
have 0.02. PDFium gives letters without ink 0.001."""

MIN_HEIGHT = 0.1
"""Smallest height and width of a character that is drawn, in points. PDFium gives spaces a fiftieth of a point."""

MAX_HEIGHT, MIN_WIDTH = 2.0, 0.3
"""Largest height of a word, and smallest average width of its letters, as a share of the height of the first letter, if
all have the same size."""

NO_CHARACTER = 0xFFFE
"""The code that PDFium uses, in the text of a whole page, for a hyphen at the end of a line and for an unmapped
character."""

_SPACES = r"\t-\r \xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000"
_WORD = re.compile(rf"[^{_SPACES}\x02]+\x02?|\x02")
"""A word. It ends at a space, or after a hyphen at the end of a line."""

_PLAIN_WORD = re.compile(r"[A-Za-z]+")
"""A word of ASCII letters. Only the mapping of its first letter is checked, because unmapped letters have other
codes."""

_PRINTED_ASCII = re.compile(r"[!-~]+")

_DIGIT = re.compile(r"\d")


class TextPage:
    """PDFium's text of one page (FPDF_TEXTPAGE). It must be closed."""

    def __init__(self, page: Any) -> None:
        """Load the text of a page. Raises TextLayerRejected if PDFium cannot parse it."""
        self.handle = pdfium.FPDFText_LoadPage(page)
        if not self.handle:
            raise TextLayerRejected("the text cannot be parsed")
        # PDFium's index of each character, in the order in which the characters are read.
        self._order: Sequence[int] = range(MAX_CHARACTERS + 1)
        self._orientations: dict[int, TextOrientation] = {}
        self._looks: dict[int, tuple[int, ...]] = {}
        # PDFium writes its results into these variables. They are read before the next call, so all calls share them.
        self._sides = (c_double(), c_double(), c_double(), c_double())
        self._colour = (c_uint(), c_uint(), c_uint(), c_uint())
        # References that are made once save a third of the time of a call.
        self._to_sides = tuple(byref(side) for side in self._sides)
        self._to_point = self._to_sides[:2]

    def close(self) -> None:
        pdfium.FPDFText_ClosePage(self.handle)

    def words(self) -> Iterator[PdfWord]:
        """All words. Letters without a Unicode mapping are UNMAPPED in them."""
        codes = self._codes()
        for index in drawn_blanks(codes, self):
            codes[index] = ord(UNMAPPED)
        compose(codes, self)
        text = text_of_codes(codes)
        for index, code in mended_letters(text, self):
            codes[index] = code
            text = ""
        text = text or text_of_codes(codes)
        if may_have_right_to_left(text):
            places = in_logical_order(codes, self)
            self._order = [*(index for index, _ in places), SEPARATOR]
            codes = [code for _, code in places]
            text = text_of_codes(codes)
        for match in _WORD.finditer(text):
            first, end = match.span()
            letters = match[0]
            if not (_PLAIN_WORD.fullmatch(letters) and self._is_mapped(first)) and not (
                _PRINTED_ASCII.fullmatch(letters) and all(map(self._is_mapped, range(first, end)))
            ):
                letters = "".join(self._letter(index, codes[index]) for index in range(first, end))
            if letters and self._order[first - 1] == SEPARATOR:
                yield self._word(letters, first=first, end=end, on_baseline=first)
            elif letters:
                yield from self._parts(letters, first=first, end=end)

    def is_drawn(self, index: int) -> bool:
        """True if something is drawn of the character. Never true of slanted text, whose boxes do not tell."""
        left, bottom, right, top = self._tight_box(index)
        is_flat = min(right - left, top - bottom) < MIN_HEIGHT
        return not (is_flat or self._orientation_at(index, self.address(index)).crooked)

    def ink(self, index: int) -> Rect:
        """The rectangle around what is drawn of the character, turned so that the character is upright."""
        return self._upright(index, self._tight_box(index))

    def room(self, index: int) -> Rect:
        """The room that the font has for the character, turned so that the character is upright."""
        return self._upright(index, self._loose_box(index))

    def code(self, index: int) -> int:
        """The character's code in the text."""
        return int(pdfium.FPDFText_GetUnicode(self.handle, self._order[index]))

    def upright_place(self, index: int) -> tuple[int, float, float, float] | None:
        """The turns, origin, height on the page and size of a character; None if it is crooked."""
        orientation = self._orientation_at(index, self.address(index))
        if orientation.crooked:
            return None
        size = self._run(index, place=0, end=1).size
        return orientation.turns, *self.begin_upright(index), size

    def is_generated(self, index: int) -> bool:
        """True if PDFium added the character, such as a space or the end of a line."""
        place = self._order[index]
        return place == SEPARATOR or bool(pdfium.FPDFText_IsGenerated(self.handle, place) == 1)

    def text_object(self, index: int) -> Any:
        """The text object that draws the character; a null pointer if PDFium added it."""
        return pdfium.FPDFText_GetTextObject(self.handle, self._order[index])

    def address(self, index: int) -> int:
        """The address of the text object that draws the character; 0 if PDFium added it."""
        return address_of(self.text_object(index))

    def are_of_one_object(self, first: int, second: int) -> bool:
        """True if one text object draws both characters."""
        return self.address(first) == self.address(second)

    def advance(self, index: int) -> float:
        """The font's width of the character in points; negative in some for vertical lines, infinite if not known."""
        width, matrix, text, place = c_float(), pdfium.FS_MATRIX(), self.handle, self._order[index]
        font, size = pdfium.FPDFTextObj_GetFont(self.text_object(index)), pdfium.FPDFText_GetFontSize(text, place)
        if not pdfium.FPDFFont_GetGlyphWidth(font, self.code(index), size, width) or not width.value:
            return math.inf
        pdfium.FPDFText_GetMatrix(text, place, matrix)
        return float(width.value) * math.hypot(matrix.a, matrix.b)

    def origin(self, word: PdfWord) -> tuple[float, float]:
        """The point on the line's baseline where the word begins, or the number before a raised number."""
        if word.is_vertical:
            left, bottom, right, top = word.rect
            return ((left, bottom), (right, bottom), (right, top), (left, top))[self.orientation(word).turns]
        return self.begin(word.on_baseline)

    def last_origin(self, word: PdfWord) -> tuple[float, float]:
        """The point on the baseline where the last character of the word begins."""
        return self.begin(word.end - 1)

    def begin(self, index: int) -> tuple[float, float]:
        """The point on the baseline where the character begins."""
        x, y, *_ = self._sides
        pdfium.FPDFText_GetCharOrigin(self.handle, self._order[index], *self._to_point)
        return x.value, y.value

    def begin_upright(self, index: int) -> tuple[float, float]:
        """The same, turned so that the character is upright."""
        x, y = self.begin(index)
        return self._upright(index, (x, y, x, y))[:2]

    def look(self, index: int) -> tuple[int, ...]:
        """How the character is drawn: the colour, opacity, mode and number of marks, such as of layers."""
        handle = pdfium.FPDFText_GetTextObject(self.handle, self._order[index])
        if (address := address_of(handle)) not in self._looks:
            pdfium.FPDFPageObj_GetFillColor(handle, *self._colour)
            mode, marks = pdfium.FPDFTextObj_GetTextRenderMode(handle), pdfium.FPDFPageObj_CountMarks(handle)
            self._looks[address] = (*(part.value for part in self._colour), mode, marks)
        return self._looks[address]

    def part(self, word: PdfWord, start: int, end: int) -> PdfWord:
        """These characters of the word."""
        first = word.first + start
        return self._word(word.text[start:end], first=first, end=word.first + end, on_baseline=word.on_baseline)

    def as_one(self, word: PdfWord, other: PdfWord) -> PdfWord:
        """The word that two successive ones are together."""
        text = word.text + other.text
        return self._word(text, first=word.first, end=other.end, on_baseline=word.on_baseline)

    def orientation(self, word: PdfWord) -> TextOrientation:
        """The orientation of the word's text object, which is the same for all its words that are not vertical."""
        orientation = self._orientation_at(word.first, word.address)
        return replace(orientation, turns=(orientation.turns + DOWNWARDS) % 4) if word.is_vertical else orientation

    def extent(self, word: PdfWord) -> tuple[float, float]:
        """Where the word begins and ends along its direction, with the room beside its letters, in points."""
        turns = self.orientation(word).turns
        ends: list[float] = []
        for index in (word.first, word.end - 1):
            left, bottom, right, top = self._loose_box(index)
            ends += ((left, right), (bottom, top), (-right, -left), (-top, -bottom))[turns]
        return ends[0], ends[-1]

    def run(self, word: PdfWord, *, place: int) -> Run:
        """What is drawn as this word. `place` is that in a longer word."""
        return self._run(word.first, place=place, end=place + len(word.text))

    def _orientation_at(self, index: int, address: int) -> TextOrientation:
        if address not in self._orientations:
            self._orientations[address] = self._orientation(index)
        return self._orientations[address]

    def _orientation(self, index: int) -> TextOrientation:
        loose_box, matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
        pdfium.FPDFText_GetLooseCharBox(self.handle, self._order[index], loose_box)
        pdfium.FPDFText_GetMatrix(self.handle, self._order[index], matrix)
        quarters = math.atan2(matrix.b, matrix.a) / (math.pi / 2)
        turns = round(quarters)
        mirrored = matrix.a * matrix.d < matrix.b * matrix.c
        if abs(quarters - turns) > MAX_SLANT:
            # The box of a slanted letter tells little of its height.
            height = LETTER_HEIGHT * self._run(index, place=0, end=1).size
            return TextOrientation(height, turns % 4, 90 * (quarters - turns), mirrored)
        height = abs(loose_box.right - loose_box.left if turns % 2 else loose_box.top - loose_box.bottom)
        return TextOrientation(height, turns % 4, 0.0, mirrored)

    def _upright(self, index: int, rect: Rect) -> Rect:
        return upright(rect, self._orientation_at(index, self.address(index)).turns)

    def _codes(self) -> list[int]:
        """The code of each character of the page; that of UNMAPPED for control characters that are drawn."""
        text, count = self.handle, pdfium.FPDFText_CountChars(self.handle)
        if count > MAX_CHARACTERS:
            raise TextLayerRejected("too many characters")
        # Get all codes with one call, which takes a tenth of the time. This only works if each character is one unit.
        units = (c_ushort * (count + 1))()
        if pdfium.FPDFText_GetText(text, 0, count, units) == count + 1:
            codes = [
                pdfium.FPDFText_GetUnicode(text, index) if unit == NO_CHARACTER else unit
                for index, unit in enumerate(units[:count])
            ]
        else:
            codes = [pdfium.FPDFText_GetUnicode(text, index) for index in range(count)]
        # PDFium adds line ends and hyphens. For a letter without a mapping, it gives the letter's number in its font.
        return [
            code if code >= FIRST_PRINTED or self._is_mapped(index) else ord(UNMAPPED)
            for index, code in enumerate(codes)
        ]

    def _parts(self, letters: str, *, first: int, end: int) -> Iterator[PdfWord]:
        """The word; or its parts, if these are in several lines, or are numbers of which one is raised or small.

        In a word that is not upright, what each text object draws is a part, since PDFium may mix up the objects.
        """
        whole = self._word(letters, first=first, end=end, on_baseline=first)
        # Within one text object, all letters are on one baseline. These checks save looking at every letter.
        if (whole.objects < 2 and not self._may_mix_sizes(whole)) or len(letters) != end - first:
            yield whole
        elif self.orientation(whole).is_turned and not whole.right_to_left:
            for run in self._runs(first, end):
                start = first + run.place
                yield self._word(letters[run.place : run.end], first=start, end=first + run.end, on_baseline=start)
        elif _DIGIT.search(letters) or self._leaves_line(whole):
            for line in lines_of(self._runs(first, end)):
                on_baseline = first + max(line, key=lambda run: run.size).place
                starts = [
                    line[0].place,
                    *(
                        after.place
                        for before, after in itertools.pairwise(line)
                        if are_two_numbers(letters, before, after)
                        or after.steps_back(before, last=self.begin(first + before.end - 1))
                    ),
                ]
                for start, stop in itertools.pairwise([*starts, line[-1].end]):
                    part = letters[start:stop]
                    yield self._word(part, first=first + start, end=first + stop, on_baseline=on_baseline)
        else:
            yield whole

    def _may_mix_sizes(self, word: PdfWord) -> bool:
        """True if the word is far larger or smaller than its first letter. PDFium counts no objects that are tiny."""
        left, bottom, right, top = word.rect
        low, high = sorted((right - left, top - bottom))
        height = self.orientation(word).height
        return low > MAX_HEIGHT * height or high < MIN_WIDTH * height * len(word.text)

    def _leaves_line(self, word: PdfWord) -> bool:
        """True if the last character of the word may be in another line than the first, or of quite another size."""
        orientation = self.orientation(word)
        (x0, y0), (x1, y1) = self.begin(word.first), self.last_origin(word)
        if abs(x1 - x0 if orientation.turns % 2 else y1 - y0) > MIN_LINE_DISTANCE / 2 * orientation.height:
            return True
        first, last = (self._run(index, place=0, end=1) for index in (word.first, word.end - 1))
        return last.is_far_smaller_or_larger(first)

    def _runs(self, first: int, end: int) -> Iterator[Run]:
        """What each text object draws of these characters."""
        for _, characters in itertools.groupby(range(first, end), key=self.address):
            index, *others = characters
            yield self._run(index, place=index - first, end=index - first + 1 + len(others))

    def _run(self, index: int, *, place: int, end: int) -> Run:
        matrix = pdfium.FS_MATRIX()
        pdfium.FPDFText_GetMatrix(self.handle, self._order[index], matrix)
        along, across = math.hypot(matrix.a, matrix.b) or 1.0, math.hypot(matrix.c, matrix.d)
        # Letters may be narrowed or widened. Those that are squeezed until nobody can read them are small.
        scale = along if along * MAX_SIZE_RATIO < across else across
        size = pdfium.FPDFText_GetFontSize(self.handle, self._order[index]) * scale
        return Run(place, end, *self.begin(index), matrix.a / along, matrix.b / along, size)

    def _word(self, letters: str, *, first: int, end: int, on_baseline: int) -> PdfWord:
        rect, count = self._bounds(first, end)
        word = PdfWord(letters, rect, first, end, self.address(first), on_baseline, count)
        if not letters.isascii() and self._lacks_glyphs(first, end):
            return replace(word, rect=around(map(self._loose_box, range(first, end))), has_glyphs=False)
        return word

    def _bounds(self, first: int, end: int) -> tuple[Rect, int]:
        """The rectangle around these characters, and the number of text objects that draw them."""
        if isinstance(self._order, list):
            rect = around(map(self._tight_box, range(first, end)))
            return rect, len(set(map(self.address, range(first, end))))
        text = self.handle
        left, top, right, bottom = self._sides
        count = pdfium.FPDFText_CountRects(text, first, end - first)
        rect = (0.0, 0.0, 0.0, 0.0)
        for number in range(count):
            pdfium.FPDFText_GetRect(text, number, *self._to_sides)
            part = (left.value, bottom.value, right.value, top.value)
            rect = around((rect, part)) if number else part
        return rect, count

    def _lacks_glyphs(self, first: int, end: int) -> bool:
        """True if PDFium has no glyph for any of these characters, the PDF lacks their font, and some are letters."""
        if any(map(self._has_ink, range(first, end))):
            return False
        if all(
            pdfium.FPDFText_GetUnicode(self.handle, self._order[index]) < FIRST_PRINTED for index in range(first, end)
        ):
            return False
        return not is_embedded(pdfium.FPDFText_GetTextObject(self.handle, self._order[first]))

    def _loose_box(self, index: int) -> Rect:
        """The room that the font has for the character, whether or not there is ink."""
        box = pdfium.FS_RECTF()
        pdfium.FPDFText_GetLooseCharBox(self.handle, self._order[index], box)
        return box.left, box.bottom, box.right, box.top

    def _tight_box(self, index: int) -> Rect:
        """The rectangle around the ink of the character."""
        left, right, bottom, top = self._sides
        pdfium.FPDFText_GetCharBox(self.handle, self._order[index], left, right, bottom, top)
        return left.value, bottom.value, right.value, top.value

    def _has_ink(self, index: int) -> bool:
        left, bottom, right, top = self._tight_box(index)
        x0, y0, x1, y1 = self._loose_box(index)
        return min(right - left, top - bottom) >= MIN_INK * max(x1 - x0, y1 - y0)

    def _is_mapped(self, index: int) -> bool:
        return bool(pdfium.FPDFText_HasUnicodeMapError(self.handle, self._order[index]) != 1)

    def _letter(self, index: int, code: int) -> str:
        if code == SOFT_HYPHEN:
            return "-" if self._has_ink(index) else ""
        letter = letter_of(code)
        return letter if letter != chr(code) or self._is_mapped(index) else UNMAPPED
