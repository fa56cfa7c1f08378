"""Child side: divides the characters of a line into words, and gives them boxes that are as tight as their ink."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from PIL import Image

from docserver.layout import Box
from docserver.ocr.image.runs import runs_of
from docserver.ocr.image.shades import Mask, threshold
from docserver.ocr.recognition.ppocr.recogniser import Character

MIN_GAP = 0.8
"""Smallest gap between two characters that divides words even if no space was read, as a multiple of the height of the
line's ink."""

CLOSE_ROWS = 0.12
"""Largest gap between a letter and its dot or accent, as a share of the line's height."""

CORE = 0.3, 0.7
"""The part of a line's height in which all letters have ink."""


@dataclass(frozen=True, slots=True)
class ReadWord:
    """A word that was read."""

    text: str
    box: Box
    """In the line's picture."""
    scores: tuple[float, ...]
    """One for each character, 0 to 1."""


def words_in(line: Image.Image, characters: Sequence[Character]) -> list[ReadWord]:
    """The words of a line in its picture, from left to right."""
    ink = _ink(line)
    columns: Mask = np.any(ink, axis=0)
    rows = _rows(ink)
    height = rows[1] - rows[0]
    words = []
    left = 0
    group: list[Character] = []
    for character, following in zip_longest(characters, characters[1:]):
        if not character.text.isspace():
            group.append(character)
        if not group:
            continue
        end = _end(group[-1], character, following, columns, MIN_GAP * height)
        if end is not None:
            words.append(_word(group, ink, (left, end), rows))
            left, group = end, []
    return words


def _end(
    last: Character, character: Character, following: Character | None, columns: Mask, min_gap: float
) -> int | None:
    """Where the word ends that has this last character; None if it goes on."""
    width = len(columns)
    if following is None:
        return width
    if following.text.isspace():
        return None
    start, stop = int(last.x * width), int(following.x * width)
    gap = _widest_gap(columns, start, stop)
    if character.text.isspace() or _ends_clause(last, following):
        return sum(gap) // 2
    return sum(gap) // 2 if gap[1] - gap[0] >= min_gap else None


def _ends_clause(last: Character, following: Character) -> bool:
    """True if a space was left out after a comma."""
    return last.text in ",;" and following.text.isalpha()


def _widest_gap(columns: Mask, start: int, stop: int) -> tuple[int, int]:
    """The widest gap in the ink between two places. Without one, the middle between them."""
    starts, ends = runs_of(~columns[start:stop])
    if not len(starts):
        return (start + stop) // 2, (start + stop) // 2
    widest = int((ends - starts).argmax())
    return start + int(starts[widest]), start + int(ends[widest])


def _word(group: Sequence[Character], ink: Mask, columns: tuple[int, int], rows: tuple[int, int]) -> ReadWord:
    left, right = columns
    top, bottom = rows
    there = ink[top:bottom, left:right]
    text, scores = "".join(character.text for character in group), tuple(character.score for character in group)
    across, down = np.flatnonzero(there.any(axis=0)), np.flatnonzero(there.any(axis=1))
    if not len(across):
        return ReadWord(text, (left, top, max(right, left + 1), bottom), scores)
    box = left + int(across[0]), top + int(down[0]), left + int(across[-1]) + 1, top + int(down[-1]) + 1
    return ReadWord(text, box, scores)


def _ink(line: Image.Image) -> Mask:
    """Where the line has ink: what is darker than its paper, or lighter if its letters are."""
    grey = line.convert("L")
    dark: Mask = np.asarray(grey) <= threshold(grey)
    edge = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])
    return ~dark if edge.mean() > 0.5 else dark


def _rows(ink: Mask) -> tuple[int, int]:
    """The rows of the line's letters, without what reaches into the picture of the lines above and below."""
    height = len(ink)
    starts, ends = runs_of(np.any(ink, axis=1))
    low, high = CORE[0] * height, CORE[1] * height
    inside = [(int(start), int(end)) for start, end in zip(starts, ends, strict=True) if start < high and end > low]
    if not inside:
        return 0, height
    top, bottom = inside[0][0], inside[-1][1]
    close = CLOSE_ROWS * height
    for start, end in zip(reversed(starts.tolist()), reversed(ends.tolist()), strict=True):
        if 0 < top - end <= close and start > 0:
            top = start
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if 0 < start - bottom <= close and end < height:
            bottom = end
    return top, bottom
