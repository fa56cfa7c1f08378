"""Child side: puts the letters of lines with right-to-left script in logical order, from where they are drawn.

PDFium turns such lines around as if they were drawn from left to right. Some programs draw them from right to left, or
each letter by itself. How the words of a line follow each other is not decided here.
"""

import re
import unicodedata
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from typing import Protocol

from docserver.layout import Rect
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf.words.character_codes import LINE_END_HYPHEN
from docserver.ocr.pdf.words.text_runs import MAX_SIZE_RATIO

MAX_GAP = 0.15
"""Widest space between two letters of a word, as a share of their size. Most fonts' spaces are wider."""

MIN_SPACE = 0.08
"""Narrowest space between two words where PDFium has a space, too, as a share of the letters' size."""

MAX_WORD_GAP = 2.0
"""Widest space between two words of a phrase, as a share of the letters' size. Columns are farther apart."""

MAX_BASELINE_OFFSET = 0.25
"""Largest difference of baselines in a line, as a share of the letters' size."""

MAX_RISE = 0.05
"""Largest difference of baselines in a word, as a share of the letters' size."""

SEPARATOR = -1
"""Stands for the index of a space between words, which PDFium does not have."""

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LIGATURES = {unicodedata.normalize("NFKC", chr(code)) for code in (*range(0xFBEA, 0xFDFC), *range(0xFEF5, 0xFEFD))}
"""What Arabic presentation forms of several letters stand for."""

_BRACKETS = "()[]{}<>«»"
_MIRRORED = {ord(bracket): ord(mirrored) for bracket, mirrored in zip(_BRACKETS, ")(][}{><»«", strict=True)}
_LEFTWARDS = ("R", "AL")
_CLOSED = dict(zip("()[]{}", ")(][}{", strict=True))
_SPACE, _HYPHEN = ord(" "), ord("-")


class Characters(Protocol):
    """What has to be known of the characters of a page."""

    def address(self, index: int) -> int:
        """The address of the text object that draws the character; 0 if PDFium added it."""

    def room(self, index: int) -> Rect:
        """The room that the font has for the character, turned so that the character is upright."""

    def upright_place(self, index: int) -> tuple[int, float, float, float] | None:
        """The turns, origin, height on the page and size of a character; None if it is crooked."""


@dataclass(slots=True)
class _Letter:
    """A letter with the marks on it, or what one glyph stands for."""

    indexes: list[int]
    kind: str
    """The bidirectional class."""
    origin: float
    right: float
    height: float
    """Of its baseline on the page."""
    size: float
    has_marks: bool = False

    @property
    def goes_left(self) -> bool:
        return self.kind in _LEFTWARDS

    @property
    def goes_right(self) -> bool:
        return self.kind in ("L", "EN", "AN")


def may_have_right_to_left(text: str) -> bool:
    """False if there is no Hebrew or Arabic letter. Takes no time on a long text."""
    return not text.isascii() and _RIGHT_TO_LEFT.search(text) is not None


def in_logical_order(codes: Sequence[int], characters: Characters) -> list[tuple[int, int]]:
    """The index and code of each character of a page, with the letters of each word in logical order where the line has
    right-to-left script. Such words have separators around them, and come in the order in which PDFium has them.

    Raises TextLayerRejected if letters of a word stand on several baselines, as those of Nastaliq do.
    """
    # PDFium takes signs of words that it tears for hyphens at the end of a line.
    codes = [_HYPHEN if code == LINE_END_HYPHEN else code for code in codes]
    lines = [_letters_of(line, codes, characters) for line in _lines(codes, characters)]
    in_lines = {index for line in lines for letter in line for index in letter.indexes}
    words = {min(word)[0]: word for word in _words(lines, codes)}
    result: list[tuple[int, int]] = []
    for index, code in enumerate(codes):
        if word := words.get(index):
            result += ((SEPARATOR, _SPACE), *word, (SEPARATOR, _SPACE))
        elif index not in in_lines:
            result.append((index, code))
    return result


def _lines(codes: Sequence[int], characters: Characters) -> Iterator[list[int]]:
    """The indexes of what is drawn in each line that has right-to-left script, in PDFium's order."""
    by_turns: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    for index, code in enumerate(codes):
        is_drawn = code > _SPACE and not chr(code).isspace() and characters.address(index)
        if is_drawn and (place := characters.upright_place(index)):
            turns, _, height, size = place
            by_turns[turns].append((height, size, index))
    for placed in by_turns.values():
        placed.sort()
        starts = [
            number
            for number, (before, after) in enumerate(pairwise(placed), 1)
            if after[0] - before[0] > MAX_BASELINE_OFFSET * after[1]
        ]
        for start, end in pairwise([0, *starts, len(placed)]):
            line = sorted(index for *_, index in placed[start:end])
            if any(_kind(codes[index]) in _LEFTWARDS for index in line):
                yield line


def _kind(code: int) -> str:
    return unicodedata.bidirectional(chr(code))


def _letters_of(line: Iterable[int], codes: Sequence[int], characters: Characters) -> list[_Letter]:
    """The letters of a line from left to right, each with its marks."""
    letters: dict[float, _Letter] = {}
    marks: list[int] = []
    for index in line:
        kind, place = _kind(codes[index]), characters.upright_place(index)
        if kind in ("NSM", "BN"):
            marks.append(index)
        elif place:
            _, origin, height, size = place
            letter = letters.setdefault(origin, _Letter([], kind, origin, origin, height, size))
            letter.indexes.append(index)
            letter.right = max(letter.right, characters.room(index)[2])
    for letter in letters.values():
        # PDFium turns around what one glyph of such script stands for, but not what a presentation form stands for.
        text = "".join(chr(codes[index]) for index in letter.indexes)
        is_in_order = text in _LIGATURES and text[::-1] not in _LIGATURES
        if letter.goes_left and not is_in_order:
            letter.indexes.reverse()
    middles = sorted(((letter.origin + letter.right) / 2, letter.origin) for letter in letters.values())
    for index in marks:
        place = characters.upright_place(index)
        if place and place[1] in letters:
            base = letters[place[1]]
        else:
            left, _, right, _ = characters.room(index)
            middle = (left + right) / 2
            after = bisect(middles, (middle, 0.0))
            beside = middles[max(0, after - 1) : after + 1]
            base = letters[min(beside, key=lambda other: abs(other[0] - middle))[1]]
        base.indexes.append(index)
        base.has_marks = True
    return sorted(letters.values(), key=lambda letter: letter.origin)


def _words(lines: Sequence[Sequence[_Letter]], codes: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    """The index and code of each character of each word in logical order."""
    kinds = [letter.kind for line in lines for letter in line]
    page_goes_left = kinds.count("R") + kinds.count("AL") >= kinds.count("L")
    for line in lines:
        for phrase in _parted(line, MAX_WORD_GAP):
            directions = [letter.goes_left for letter in phrase if letter.goes_left or letter.kind == "L"]
            is_sure = bool(directions) and directions[0] == directions[-1]
            goes_left = directions[0] if is_sure else page_goes_left
            for word in _parted(phrase, MAX_GAP, codes):
                drawn = dict(_drawn(word, codes))
                yield [
                    (index, _MIRRORED.get(code, code) if is_left else code)
                    for index, is_left in _logical(word, goes_left=goes_left)
                    for code in [drawn.get(index, codes[index])]
                ]


def _parted(line: Sequence[_Letter], gap: float, codes: Sequence[int] = ()) -> Iterator[Sequence[_Letter]]:
    """The parts of a line: between them are gaps wider than this share of the size, or spaces of these characters, or
    letters of far other sizes.
    """
    rights = list(accumulate((letter.right for letter in line), max))
    starts = [
        place
        for place, (before, letter) in enumerate(pairwise(line), 1)
        if letter.origin - rights[place - 1]
        > (MIN_SPACE if _has_space_between(before, letter, codes) else gap) * max(letter.size, before.size)
        or max(letter.size, before.size) > MAX_SIZE_RATIO * min(letter.size, before.size)
    ]
    return (line[start:end] for start, end in pairwise([0, *starts, len(line)]))


def _has_space_between(left: _Letter, right: _Letter, codes: Sequence[int]) -> bool:
    first, last = sorted((left.indexes[0], right.indexes[0]))
    return _SPACE in codes[first + 1 : last]


def _logical(word: Sequence[_Letter], *, goes_left: bool) -> Iterator[tuple[int, bool]]:
    """The index of each character of a word in logical order. True if it is of a part that goes left."""
    lefts = [place for place, letter in enumerate(word) if letter.goes_left]
    if goes_left:
        first, end = 0, len(word)
    else:
        first, end = (lefts[0], lefts[-1] + 1) if lefts else (0, 0)
    heights = [word[place].height for place in lefts if not word[place].has_marks]
    if heights and max(heights) - min(heights) > MAX_RISE * word[0].size:
        raise TextLayerRejected("letters of a word on several baselines")
    part = word[first:end]
    rights = _going_right(part) if lefts else _without_outer_signs(part)
    yield from ((index, False) for letter in word[:first] for index in letter.indexes)
    for goes_right, run in groupby(reversed(range(len(part))), key=rights.__contains__):
        for place in reversed(list(run)) if goes_right else run:
            yield from ((index, not goes_right) for index in part[place].indexes)
    yield from ((index, False) for letter in word[end:] for index in letter.indexes)


def _going_right(word: Sequence[_Letter]) -> set[int]:
    """The places of the letters and digits that are read from left to right, and of the signs between them."""
    strong = [place for place, letter in enumerate(word) if letter.goes_left or letter.goes_right]
    result = {place for place in strong if word[place].goes_right}
    for left, right in pairwise(strong):
        if word[left].goes_right and word[right].goes_right:
            result.update(range(left, right))
    if not any(letter.kind == "AL" for letter in word):
        # Signs such as that for percent belong to European digits.
        for (left, before), (right, after) in pairwise(enumerate(word)):
            if (before.kind, after.kind) == ("EN", "ET"):
                result.add(right)
            if (before.kind, after.kind) == ("ET", "EN"):
                result.add(left)
    return result


def _without_outer_signs(word: Sequence[_Letter]) -> set[int]:
    """The places of a word without letters that go left, except the points before it, which are read behind it, and a
    lone bracket or quote beside a number.
    """
    first, end = 0, len(word)
    while first < end and word[first].kind == "CS":
        first += 1
    part = word[first:]
    if part and not any(letter.kind == "L" for letter in part):
        begins, ends = part[0].kind == "ON", part[-1].kind == "ON"
        if begins != ends:
            first, end = first + begins, end - ends
    return set(range(first, end))


def _drawn(word: Sequence[_Letter], codes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The index and code of each bracket of a word, as it is drawn: opened towards the letters and digits beside it.

    PDFium mirrors brackets that it takes for a part of right-to-left text, but does not take the same ones as viewers.
    """
    lettered = [place for place, letter in enumerate(word) if letter.goes_left or letter.goes_right]
    for place, letter in enumerate(word):
        index = letter.indexes[0]
        bracket = chr(codes[index])
        if lettered and bracket in _CLOSED and not lettered[0] < place < lettered[-1]:
            yield index, ord(bracket if (bracket in "([{") == (place < lettered[0]) else _CLOSED[bracket])
