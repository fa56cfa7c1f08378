"""Child side: the words in a PDF page's text layer, in the order in which they are drawn, with places in points."""

import itertools
import re
from collections.abc import Iterator, Sequence
from ctypes import c_ushort
from dataclasses import replace
from string import ascii_letters

import numpy as np
import pypdfium2.raw as pdfium

from docserver.layout import Rect, around
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf import calls
from docserver.ocr.pdf.page_objects import is_embedded
from docserver.ocr.pdf.words.accents import compose
from docserver.ocr.pdf.words.character_codes import CONTROLS, FIRST_PRINTED, letter_of, places_in, text_of_codes
from docserver.ocr.pdf.words.drawn_blanks import SOFT_HYPHEN, drawn_blanks
from docserver.ocr.pdf.words.mac_letters import mended_letters
from docserver.ocr.pdf.words.pdf_words import UNMAPPED, PdfWord
from docserver.ocr.pdf.words.right_to_left import SEPARATOR, in_logical_order, may_have_right_to_left
from docserver.ocr.pdf.words.text_characters import MAX_CHARACTERS, TextCharacters
from docserver.ocr.pdf.words.text_runs import MAX_SIZE_RATIO, MIN_LINE_DISTANCE, Run, are_two_numbers, lines_of

MIN_INK = 0.005
"""Smallest height and width of a drawn letter, as a share of the room that its font has for letters. The thinnest lines
have 0.02. PDFium gives letters without ink 0.001."""

MIN_RISE = 0.25
"""Smallest height of a letter with ink, in the same way."""

MAX_HEIGHT, MIN_WIDTH = 2.0, 0.3
"""Largest height of a word, and smallest average width of its letters, as a share of the height of the first letter, if
all have the same size."""

NO_CHARACTER = 0xFFFE
"""The code that PDFium uses, in the text of a whole page, for a hyphen at the end of a line and for an unmapped
character."""

_SPACES = r"\t-\r \xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000"
_WORD = re.compile(rf"[^{_SPACES}\x02]+\x02?|\x02")
"""A word. It ends at a space, or after a hyphen at the end of a line."""

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
        wholes = self._placed(self._letters(text, codes))
        leave_line = self._leave_line([whole for whole in wholes if whole.objects > 1])
        has_separators = isinstance(self.order, list)
        for whole in wholes:
            if (has_separators and self.order[whole.first - 1] == SEPARATOR) or self._is_one(whole):
                yield whole
            else:
                yield from self._parts(whole, leaves_line=whole.first in leave_line)

    def part(self, word: PdfWord, start: int, end: int) -> PdfWord:
        """These characters of the word."""
        return self._placed([(word.text[start:end], word.first + start, word.first + end, word.on_baseline)])[0]

    def as_one(self, word: PdfWord, other: PdfWord) -> PdfWord:
        """The word that two successive ones are together."""
        return self._placed([(word.text + other.text, word.first, other.end, word.on_baseline)])[0]

    def _codes(self) -> list[int]:
        """The code of each character of the page; that of UNMAPPED for control characters that are drawn."""
        text, count = self.handle, self.count
        if count > MAX_CHARACTERS:
            raise TextLayerRejected("too many characters")
        # Get all codes with one call, which takes a tenth of the time. This only works if each character is one unit.
        units = (c_ushort * (count + 1))()
        if pdfium.FPDFText_GetText(text, 0, count, units) == count + 1:
            codes = units[:count]
            for index in places_in(codes, {NO_CHARACTER}):
                codes[index] = pdfium.FPDFText_GetUnicode(text, index)
        else:
            codes = [pdfium.FPDFText_GetUnicode(text, index) for index in range(count)]
        # PDFium adds line ends and hyphens. For a letter without a mapping, it gives the letter's number in its font.
        for index in calls.without_mapping(self.text_address, places_in(codes, CONTROLS)):
            codes[index] = ord(UNMAPPED)
        return codes

    def _letters(self, text: str, codes: Sequence[int]) -> list[tuple[str, int, int, int]]:
        """The letters of each word, the indexes of its first character and behind its last one, and that of a character
        on its baseline: the first one.
        """
        spans = [match.span() for match in _WORD.finditer(text)]
        checked: list[int] = []
        some_lack_mapping = self._some_lack_mapping(text)
        for first, end in spans:
            # Most unmapped letters have other codes than a word of ASCII letters, so that its first one tells.
            if text[first:end].isalpha() and not some_lack_mapping:
                checked.append(first)
            else:
                checked += range(first, end)
        unmapped = calls.without_mapping(self.text_address, self.places_of(checked))
        words = []
        for first, end in spans:
            letters = text[first:end]
            is_plain = letters.isascii() and letters.isprintable()
            if not is_plain or (unmapped and not unmapped.isdisjoint(self.order[first:end])):
                letters = "".join(self._letter(index, codes[index]) for index in range(first, end))
            if letters:
                words.append((letters, first, end, first))
        return words

    def _some_lack_mapping(self, text: str) -> bool:
        """True if some ASCII letters have no mapping. Three of each are asked for: all of a page would take 2 ms."""
        middle = len(text) // 2
        places = {
            place
            for letter in ascii_letters
            for place in (text.find(letter), text.find(letter, middle), text.rfind(letter))
            if place >= 0
        }
        return bool(calls.without_mapping(self.text_address, self.places_of(sorted(places))))

    def _is_one(self, whole: PdfWord) -> bool:
        """True if the word is drawn as one. Within one text object, all letters are on one baseline. These checks save
        looking at every letter.
        """
        return (whole.objects < 2 and not self._may_mix_sizes(whole)) or len(whole.text) != whole.end - whole.first

    def _parts(self, whole: PdfWord, *, leaves_line: bool) -> Iterator[PdfWord]:
        """The word; or its parts, if these are in several lines, or are numbers of which one is raised or small.

        In a word that is not upright, what each text object draws is a part, since PDFium may mix up the objects.
        """
        letters, first, end = whole.text, whole.first, whole.end
        if whole.orientation.is_turned and not whole.right_to_left:
            yield from self._placed(
                [
                    (letters[run.place : run.end], first + run.place, first + run.end, first + run.place)
                    for run in self._runs(first, end)
                ]
            )
        elif leaves_line or _DIGIT.search(letters):
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
                yield from self._placed(
                    [
                        (letters[start:stop], first + start, first + stop, on_baseline)
                        for start, stop in itertools.pairwise([*starts, line[-1].end])
                    ]
                )
        else:
            yield whole

    def _may_mix_sizes(self, word: PdfWord) -> bool:
        """True if the word is far larger or smaller than its first letter. PDFium counts no objects that are tiny."""
        left, bottom, right, top = word.rect
        width, rise, height = right - left, top - bottom, word.orientation.height
        return min(width, rise) > MAX_HEIGHT * height or max(width, rise) < MIN_WIDTH * height * len(word.text)

    def _leave_line(self, words: Sequence[PdfWord]) -> set[int]:
        """The indexes of those of these words of which the last character may be in another line than the first, or of
        quite another size.
        """
        if not words:
            return set()
        (x0, y0, size), (x1, y1, last_size) = (
            self.places_and_sizes(indexes)
            for indexes in ([word.first for word in words], [word.end - 1 for word in words])
        )
        is_upright = np.array([word.orientation.turns % 2 == 0 for word in words])
        height = np.array([word.orientation.height for word in words])
        is_apart = np.abs(np.where(is_upright, y1 - y0, x1 - x0)) > MIN_LINE_DISTANCE / 2 * height
        are_unequal = np.maximum(size, last_size) > MAX_SIZE_RATIO * np.minimum(size, last_size)
        return {word.first for word in itertools.compress(words, is_apart | are_unequal)}

    def _runs(self, first: int, end: int) -> Iterator[Run]:
        """What each text object draws of these characters."""
        for _, characters in itertools.groupby(range(first, end), key=self.address):
            index, *others = characters
            yield self.run_at(index, place=index - first, end=index - first + 1 + len(others))

    def _placed(self, words: Sequence[tuple[str, int, int, int]]) -> list[PdfWord]:
        """The words that have these letters from the first index to the second one. The third one is of a character on
        the baseline.
        """
        bounds = self._bounds([(first, end) for _, first, end, _ in words])
        firsts = [first for _, first, _, _ in words]
        addresses = calls.objects_of_characters(self.text_address, self.places_of(firsts))
        placed = []
        for (letters, first, end, on_baseline), (rect, objects), address, orientation in zip(
            words, bounds, addresses, self.orientations(addresses, firsts), strict=True
        ):
            word = PdfWord(letters, rect, first, end, address, on_baseline, objects, orientation)
            left, bottom, right, top = rect
            least = MIN_RISE * orientation.height
            is_low = right - left < least or top - bottom < least
            placed.append(self._with_glyphs(word, is_low=is_low) if is_low or not letters.isascii() else word)
        return placed

    def _with_glyphs(self, word: PdfWord, *, is_low: bool) -> PdfWord:
        """The word, marked if PDFium has no glyphs for it. It is low if it is lower, or narrower, than any letter."""
        if is_low and any(map(str.isalnum, word.text)) and not any(map(self._has_ink, range(word.first, word.end))):
            # PDFium rounds the ink of a font of 0.01 points to nothing, however large a matrix draws it.
            word = replace(word, rect=around(map(self.loose_box, range(word.first, word.end))))
        if word.text.isascii() or not self._lacks_glyphs(word.first, word.end):
            return word
        return replace(word, rect=around(map(self.loose_box, range(word.first, word.end))), has_glyphs=False)

    def _bounds(self, spans: Sequence[tuple[int, int]]) -> list[tuple[Rect, int]]:
        """The rectangles around these characters, and the numbers of text objects that draw them."""
        if not isinstance(self.order, list):
            return calls.bounds_of_characters(self.text_address, spans)
        return [
            (around(map(self.tight_box, range(*span))), len(set(map(self.address, range(*span))))) for span in spans
        ]

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
