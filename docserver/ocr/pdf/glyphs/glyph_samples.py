"""Child side: has words of a page read in the page's fonts, to decide of doubtful glyphs what they are.

The words are drawn anew, black on white, whatever they look like on the page.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from typing import Any

import pypdfium2.raw as pdfium
from PIL import Image

from docserver.layout import Rect, Word, is_in
from docserver.ocr.pdf.glyphs.glyph_pictures import EM, GlyphDrawing
from docserver.ocr.pdf.glyphs.glyph_shapes import COMPARED, Likeness, alike
from docserver.ocr.pdf.page_objects import bounds

SIZE = 44.0
"""Size at which words are drawn, in pixels. Tesseract reads capitals of 30 pixels best."""

LINE_HEIGHT, GAP, MARGIN = 80, 32, 40
"""Distance of two lines, gap between two words, and margin around the text, in pixels."""

WIDTH = 1600
"""Width of the picture in pixels. What is left of a longer word is not read."""

MAX_SAMPLES, SAMPLES_EACH = 60, 3
"""Most words of a page that are read, and most for one glyph."""

SHORT, LONG = 3, 14
"""A word of fewer letters is read with the words beside it, and one of more letters is not read."""

MIN_CONFIDENCE = 30.0
"""Smallest confidence of a word that was read. What OCR makes of other scripts has less."""

MIN_ODDS = 3
"""How many times as often a wrong glyph was read as another character than as what it is said to be. OCR reads some
words as they should be: `Rcntal` as Rental."""

MIXED_UP = ("5S", "8B", "2Z", "6b", "9gq", "uvy")
"""Characters that OCR mistakes for each other."""

ReadWords = Callable[[Image.Image], Iterable[Word]]
"""Reads a picture of a few lines of words."""


@dataclass(slots=True, eq=False)
class Font:
    """A font of an open PDF."""

    handle: Any
    size: float = EM
    """The size at which its letters have about the usual height, in pixels."""
    codes: dict[str, list[int]] = field(default_factory=dict)
    """The codes of each character, as far as they were looked up."""
    blank: list[int] = field(default_factory=list)
    """The codes that it maps to spaces or to nothing, until their glyphs were looked at."""
    draws_blanks: bool = False
    """True if it draws something for such a code."""
    leaves_out: bool | None = None
    """True if its letters are so small that PDFium may leave some out; None if that is not known yet."""
    looked_up: int = 0
    """How many codes were looked up."""
    checked: set[str] = field(default_factory=set)
    """The characters whose glyphs were compared, and those that have none."""
    wrong: dict[str, dict[int, str]] = field(default_factory=dict)
    """The characters to which the font maps a glyph that shows another one; and for the code of each such glyph, what
    may be read of it, as a regular expression."""

    def note(self, char: str, code: int, shown: str) -> None:
        """Note as what the glyph of a code for this character may be read; nothing if it shows the character."""
        if shown:
            self.wrong.setdefault(char, {})[code] = shown


@dataclass(frozen=True, slots=True)
class Part:
    """The letters of a word that are in one font."""

    word: int
    """The index of the word on the page."""
    start: int
    """The index of the first letter in the word."""
    font: Font
    text: str
    first: int | None
    """The index of the first letter in the page's text; None if it has others than the word."""


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """A glyph that is more like another character than like the one that it is said to be."""

    font: Font
    char: str
    code: int
    look: int
    """The hash of the glyph's picture."""
    likeness: Likeness
    index: int
    """Of the glyph in `likeness`."""

    def may_be(self, char: str) -> bool:
        return self.likeness.is_more_like(self.index, char, than=self.char)


@dataclass(frozen=True, slots=True)
class _Sample:
    """A word, or a short one between those beside it."""

    letters: Sequence[tuple[Font, str, int]]
    """Each with its font, the character that it is said to be, and its code."""
    words: Sequence[slice]
    """The letters of each word."""

    @classmethod
    def of(cls, parts: Iterable[Part], doubt: Doubt) -> "_Sample":
        """Words with the doubtful glyph."""
        letters: list[tuple[Font, str, int]] = []
        words = []
        for part in parts:
            words.append(slice(len(letters), len(letters) + len(part.text)))
            for char in part.text:
                is_doubtful = part.font is doubt.font and char == doubt.char
                letters.append((part.font, char, doubt.code if is_doubtful else part.font.codes[char][0]))
        return cls(letters, words)


def judge(
    doubts: Sequence[Doubt], parts: Sequence[Part], *, drawing: GlyphDrawing, read: ReadWords
) -> dict[Doubt, bool]:
    """For each glyph, True if it shows another character, as a reading of the page's words says too. Glyphs that are in
    no word that can be read are left out.
    """
    samples = list(islice(_samples(doubts, parts), MAX_SAMPLES))
    if not samples:
        return {}
    picture, places = _drawn(samples, drawing)
    words = [word for word in read(picture) if word.confidence >= MIN_CONFIDENCE]
    of_glyph = {(doubt.font, doubt.char, doubt.code): doubt for doubt in doubts}
    seen: dict[Doubt, list[str]] = {}
    for sample, place in zip(samples, places, strict=True):
        for letter in sample.letters:
            if letter in of_glyph:
                seen.setdefault(of_glyph[letter], [])
        for doubt, char in _read_as(sample, _read_in(place, words), of_glyph):
            seen[doubt].append(char)
    return {doubt: _is_another(doubt, chars) for doubt, chars in seen.items()}


def _samples(doubts: Iterable[Doubt], parts: Sequence[Part]) -> Iterator[_Sample]:
    """Samples with each glyph, digits and signs first, and second ones only after a first one for all."""
    in_order = sorted(doubts, key=lambda doubt: doubt.char.isalpha())
    for turn in zip_longest(*(_samples_of(doubt, parts) for doubt in in_order)):
        yield from filter(None, turn)


def _samples_of(doubt: Doubt, parts: Sequence[Part]) -> list[_Sample]:
    """Some words with this glyph, long ones first, and short ones with those beside them."""
    places = {
        part.text: place
        for place, part in enumerate(parts)
        if part.font is doubt.font and doubt.char in part.text and _is_drawable(part)
    }
    longest = sorted(places, key=lambda text: min(len(text), 2 * SHORT), reverse=True)[:SAMPLES_EACH]
    beside = [
        parts[max(0, places[text] - 1) : places[text] + 2] if len(text) < SHORT else [parts[places[text]]]
        for text in longest
    ]
    return [_Sample.of(filter(_is_drawable, near), doubt) for near in beside]


def _is_drawable(part: Part) -> bool:
    return len(part.text) <= LONG and all(part.font.codes.get(char) for char in part.text)


def _drawn(samples: Iterable[_Sample], drawing: GlyphDrawing) -> tuple[Image.Image, list[Rect]]:
    """A picture of the samples in lines, and the place of each."""
    texts: list[tuple[Any, float, int]] = []
    places: list[Rect] = []
    x, line = float(MARGIN), 0
    for sample in samples:
        words = [_text(sample.letters[word], drawing) for word in sample.words]
        lengths = [right - left for left, _, right, _ in map(bounds, words)]
        if x > MARGIN and x + sum(lengths) + GAP * len(words) > WIDTH - MARGIN:
            x, line = float(MARGIN), line + 1
        start, top = x, MARGIN + line * LINE_HEIGHT
        for word, length in zip(words, lengths, strict=True):
            texts.append((word, x - bounds(word)[0], line))
            x += length + GAP
        places.append((start, float(top), x, float(top + LINE_HEIGHT)))
        x += GAP
    height = 2 * MARGIN + (line + 1) * LINE_HEIGHT
    for text, along, number in texts:
        baseline = height - MARGIN - (number + 2 / 3) * LINE_HEIGHT
        pdfium.FPDFPageObj_Transform(text, 1, 0, 0, 1, along, baseline)
    picture = drawing.drawn([text for text, _, _ in texts], width=WIDTH, height=height)
    return Image.fromarray(255 - picture), places


def _text(letters: Sequence[tuple[Font, str, int]], drawing: GlyphDrawing) -> Any:
    font = letters[0][0]
    return drawing.text(font.handle, [code for _, _, code in letters], size=font.size * SIZE / EM)


def _read_in(place: Rect, words: Iterable[Word]) -> str:
    """What was read in this place."""
    return "".join(word.text for word in sorted(words, key=lambda word: word.box) if is_in(place, word.box))


def _read_as(sample: _Sample, read: str, of_glyph: Mapping[tuple[Font, str, int], Doubt]) -> list[tuple[Doubt, str]]:
    """What the doubtful glyphs of a sample were read as; none if anything else was not read as it is said to be."""
    if len(read) != len(sample.letters):
        return []
    glyphs = []
    for letter, seen in zip(sample.letters, read, strict=True):
        _, said, _ = letter
        doubt = of_glyph.get(letter)
        if said in COMPARED and not _are_alike(said, seen) and not (doubt and doubt.may_be(seen)):
            return []
        if doubt:
            glyphs.append((doubt, seen))
    return glyphs


def _is_another(doubt: Doubt, chars: Sequence[str]) -> bool:
    """True if a glyph was read as the same other character each time, but for a few words that one expects."""
    others = [char for char in chars if not _are_alike(doubt.char, char)]
    as_said = len(chars) - len(others)
    return bool(others) and all(_are_alike(others[0], char) for char in others) and len(others) >= MIN_ODDS * as_said


def _are_alike(said: str, seen: str) -> bool:
    seen = unicodedata.normalize("NFD", seen)[0]
    return seen in alike(said) or any(seen in chars and said in chars for chars in MIXED_UP)
