"""Child side: the words in a PDF page's text layer, in the order in which they are drawn, with places in points."""

import itertools
import re
from collections.abc import Iterator
from ctypes import c_ushort
from dataclasses import replace

import pypdfium2.raw as pdfium

from docserver.layout import Rect, around
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf import calls
from docserver.ocr.pdf.page_objects import is_embedded
from docserver.ocr.pdf.words.accents import compose
from docserver.ocr.pdf.words.character_codes import FIRST_PRINTED, letter_of, text_of_codes
from docserver.ocr.pdf.words.drawn_blanks import SOFT_HYPHEN, drawn_blanks
from docserver.ocr.pdf.words.mac_letters import mended_letters
from docserver.ocr.pdf.words.pdf_words import UNMAPPED, PdfWord
from docserver.ocr.pdf.words.right_to_left import SEPARATOR, in_logical_order, may_have_right_to_left
from docserver.ocr.pdf.words.text_characters import MAX_CHARACTERS, TextCharacters
from docserver.ocr.pdf.words.text_runs import MAX_SIZE_RATIO, MIN_LINE_DISTANCE, Run, are_two_numbers, lines_of

MIN_INK = 0.005
"""Smallest height and width of a drawn letter, as a share of the room that its font has for letters. The thinnest lines
have 0.02. PDFium gives letters without ink 0.001."""

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


class TextPage(TextCharacters):
    """PDFium's text of one page, as words."""

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
            self.order = [*(index for index, _ in places), SEPARATOR]
            codes = [code for _, code in places]
            text = text_of_codes(codes)
        for match in _WORD.finditer(text):
            first, end = match.span()
            letters = match[0]
            if not (_PLAIN_WORD.fullmatch(letters) and self.is_mapped(first)) and not (
                _PRINTED_ASCII.fullmatch(letters) and all(map(self.is_mapped, range(first, end)))
            ):
                letters = "".join(self._letter(index, codes[index]) for index in range(first, end))
            if not letters:
                continue
            whole = self._word(letters, first=first, end=end, on_baseline=first)
            if self.order[first - 1] == SEPARATOR or self._is_one(whole):
                yield whole
            else:
                yield from self._parts(whole)

    def part(self, word: PdfWord, start: int, end: int) -> PdfWord:
        """These characters of the word."""
        first = word.first + start
        return self._word(word.text[start:end], first=first, end=word.first + end, on_baseline=word.on_baseline)

    def as_one(self, word: PdfWord, other: PdfWord) -> PdfWord:
        """The word that two successive ones are together."""
        text = word.text + other.text
        return self._word(text, first=word.first, end=other.end, on_baseline=word.on_baseline)

    def _codes(self) -> list[int]:
        """The code of each character of the page; that of UNMAPPED for control characters that are drawn."""
        text, count = self.handle, self.count
        if count > MAX_CHARACTERS:
            raise TextLayerRejected("too many characters")
        # Get all codes with one call, which takes a tenth of the time. This only works if each character is one unit.
        units = (c_ushort * (count + 1))()
        if pdfium.FPDFText_GetText(text, 0, count, units) == count + 1:
            codes = units[:count]
            for index in [index for index, unit in enumerate(codes) if unit == NO_CHARACTER]:
                codes[index] = pdfium.FPDFText_GetUnicode(text, index)
        else:
            codes = [pdfium.FPDFText_GetUnicode(text, index) for index in range(count)]
        # PDFium adds line ends and hyphens. For a letter without a mapping, it gives the letter's number in its font.
        for index in [index for index, code in enumerate(codes) if code < FIRST_PRINTED]:
            if not self.is_mapped(index):
                codes[index] = ord(UNMAPPED)
        return codes

    def _is_one(self, whole: PdfWord) -> bool:
        """True if the word is drawn as one. Within one text object, all letters are on one baseline. These checks save
        looking at every letter.
        """
        return (whole.objects < 2 and not self._may_mix_sizes(whole)) or len(whole.text) != whole.end - whole.first

    def _parts(self, whole: PdfWord) -> Iterator[PdfWord]:
        """The word; or its parts, if these are in several lines, or are numbers of which one is raised or small.

        In a word that is not upright, what each text object draws is a part, since PDFium may mix up the objects.
        """
        letters, first, end = whole.text, whole.first, whole.end
        if self.orientation(whole).is_turned and not whole.right_to_left:
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
        width, rise, height = right - left, top - bottom, self.orientation(word).height
        return min(width, rise) > MAX_HEIGHT * height or max(width, rise) < MIN_WIDTH * height * len(word.text)

    def _leaves_line(self, word: PdfWord) -> bool:
        """True if the last character of the word may be in another line than the first, or of quite another size."""
        orientation = self.orientation(word)
        (x0, y0), (x1, y1) = self.begin(word.first), self.last_origin(word)
        if abs(x1 - x0 if orientation.turns % 2 else y1 - y0) > MIN_LINE_DISTANCE / 2 * orientation.height:
            return True
        first, last = self.size_at(word.first), self.size_at(word.end - 1)
        return max(first, last) > MAX_SIZE_RATIO * min(first, last)

    def _runs(self, first: int, end: int) -> Iterator[Run]:
        """What each text object draws of these characters."""
        for _, characters in itertools.groupby(range(first, end), key=self.address):
            index, *others = characters
            yield self.run_at(index, place=index - first, end=index - first + 1 + len(others))

    def _word(self, letters: str, *, first: int, end: int, on_baseline: int) -> PdfWord:
        rect, count = self._bounds(first, end)
        word = PdfWord(letters, rect, first, end, self.address(first), on_baseline, count)
        if not letters.isascii() and self._lacks_glyphs(first, end):
            return replace(word, rect=around(map(self.loose_box, range(first, end))), has_glyphs=False)
        return word

    def _bounds(self, first: int, end: int) -> tuple[Rect, int]:
        """The rectangle around these characters, and the number of text objects that draw them."""
        if isinstance(self.order, list):
            rect = around(map(self.tight_box, range(first, end)))
            return rect, len(set(map(self.address, range(first, end))))
        parts = []
        for number in range(calls.count_rects(self.text_address, first, end - first)):
            calls.rect(self.text_address, number, *self.to_sides)
            left, top, right, bottom = self.sides[:]
            parts.append((left, bottom, right, top))
        return around(parts) if len(parts) > 1 else parts[0] if parts else (0.0, 0.0, 0.0, 0.0), len(parts)

    def _lacks_glyphs(self, first: int, end: int) -> bool:
        """True if PDFium has no glyph for any of these characters, the PDF lacks their font, and some are letters."""
        if any(map(self._has_ink, range(first, end))):
            return False
        if all(self.code(index) < FIRST_PRINTED for index in range(first, end)):
            return False
        return not is_embedded(self.text_object(first))

    def _has_ink(self, index: int) -> bool:
        left, bottom, right, top = self.tight_box(index)
        x0, y0, x1, y1 = self.loose_box(index)
        return min(right - left, top - bottom) >= MIN_INK * max(x1 - x0, y1 - y0)

    def _letter(self, index: int, code: int) -> str:
        if code == SOFT_HYPHEN:
            return "-" if self._has_ink(index) else ""
        letter = letter_of(code)
        return letter if letter != chr(code) or self.is_mapped(index) else UNMAPPED
