"""Child side: own words of a PDF page by their direction, as they are where the drawing is turned so that they are
upright.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from docserver.layout import Rect
from docserver.ocr.pdf.coordinates import PointsToPixels, SlantedImage, TurnedImage, ends_of_slanted, scaled
from docserver.ocr.pdf.glyphs.mark_shapes import MAX_HEIGHT
from docserver.ocr.pdf.words.own_words import OwnWord
from docserver.ocr.pdf.words.text_characters import LETTER_HEIGHT

REACH, REACH_ACROSS = 3.0, 0.3
"""How far beside a word marks are looked for, along its line and across. This and all lengths below are shares of the
letters' size. A number may have several characters that are marks."""

TOP, BOTTOM = 0.95, 0.3
"""How far above and below the baseline a character reaches."""

MAX_OFF_LINE, MIN_DIGIT, MAX_DIGIT = 0.08, 0.55, 0.9
"""How far from the baseline a digit begins, and the heights of the lowest and the highest."""

MIN_INSET_PX = 3
"""Width of the narrowest mark of which the outer columns are not looked at, in pixels."""

LETTER_INK = 32
"""Contrast from which a pixel is ink of a letter, in grey levels."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class UprightWords:
    """Words of one direction. Lengths are in pixels of the drawing that is turned so that they are upright."""

    words: Sequence[OwnWord]
    direction: float
    """Degrees counterclockwise from upright, on the drawing as it is."""
    image: TurnedImage | SlantedImage
    left: Numbers
    right: Numbers
    baseline: Numbers
    size: Numbers

    @property
    def turns(self) -> int:
        """The nearest quarter turns."""
        return round(self.direction / 90) % 4

    def reach(self) -> list[Rect]:
        """The rectangles in which marks are looked for, in the drawing as it is."""
        along, across = REACH * self.size, REACH_ACROSS * self.size
        top, bottom = self.baseline - TOP * self.size - across, self.baseline + BOTTOM * self.size + across
        rects = np.stack([self.left - along, top, self.right + along, bottom], axis=1).tolist()
        return [self.image.turn_back(rect) for rect in rects] if self.direction else rects

    def around(self, number: int) -> Rect:
        """The rectangle around a word with the room for its letters."""
        baseline, size = float(self.baseline[number]), float(self.size[number])
        return float(self.left[number]), baseline - TOP * size, float(self.right[number]), baseline + BOTTOM * size

    def in_line(self, rect: Rect) -> npt.NDArray[np.bool_]:
        """For each word, True if this may be a character in its line."""
        _, top, _, bottom = rect
        middle = (top + bottom) / 2
        above, below = self.baseline - TOP * self.size, self.baseline + BOTTOM * self.size
        is_level: npt.NDArray[np.bool_] = (above < middle) & (middle < below)
        return is_level & (bottom - top <= MAX_HEIGHT * self.size)

    def has_digit(self, number: int, rect: Rect) -> bool:
        """True if this stands on the baseline of a word, and is as high as a digit."""
        size = float(self.size[number])
        _, top, _, bottom = rect
        is_low = abs(bottom - float(self.baseline[number])) <= MAX_OFF_LINE * size
        return is_low and MIN_DIGIT * size <= bottom - top <= MAX_DIGIT * size

    def nearest(self, rect: Rect) -> int | None:
        """The number of the nearest word in the line in which this may be a character."""
        near = np.flatnonzero(self.in_line(rect))
        if not near.size:
            return None
        return int(near[np.argmin(np.maximum(self.left[near] - rect[2], rect[0] - self.right[near]))])


@dataclass(frozen=True, slots=True)
class TurnedDrawing:
    """Drawings of a page that are turned so that words are upright."""

    graphics: npt.NDArray[np.uint8]
    """Without texts."""
    letters: npt.NDArray[np.int16]
    """How much lighter each pixel is with texts. Letters that are darker than what is behind them are negative."""

    @classmethod
    def of(cls, image: TurnedImage | SlantedImage, *, whole: Image.Image, graphics: Image.Image) -> "TurnedDrawing":
        background = image.turn_picture(graphics)
        return cls(background, image.turn_picture(whole).astype(np.int16) - background)

    def are_dark(self, words: UprightWords, number: int) -> bool:
        """True if the letters of a word are darker than what is behind them."""
        left, right = int(words.left[number]), int(words.right[number]) + 1
        baseline = words.baseline[number]
        top, bottom = max(0, int(baseline - TOP * words.size[number])), int(baseline) + 1
        return bool(self.letters[top:bottom, max(0, left) : right].sum() < 0)

    def stands_alone(self, box: Rect, baseline: float, size: float) -> bool:
        """True if no letters are above or below the mark, as they are at lines under words and over fractions."""
        left, right = int(box[0]), int(box[2])
        # A blurred edge may be in a column with a letter.
        inset = max((right - left) // 4, int(right - left >= MIN_INSET_PX))
        top, bottom = max(0, int(baseline - TOP * size)), int(baseline + BOTTOM * size) + 1
        around_mark = self.letters[top:bottom, left + inset : max(right - inset, left + inset + 1)]
        return not np.any(np.abs(around_mark) >= LETTER_INK)


def by_direction(
    words: Iterable[OwnWord], *, size: tuple[int, int], scale: float, to_pixels: PointsToPixels
) -> list[UprightWords]:
    """The words of each direction, as they stand upright in a drawing of this size that is `scale` times as large as
    the page's image.
    """
    directions: dict[float, list[OwnWord]] = defaultdict(list)
    for word in words:
        if not word.pdf_word.is_vertical:
            directions[round(word.direction(to_pixels), 1) % 360].append(word)
    return [
        (_slanted if direction % 90 else _level)(alike, direction, size=size, scale=scale, to_pixels=to_pixels)
        for direction, alike in directions.items()
    ]


def _level(
    words: Sequence[OwnWord], direction: float, *, size: tuple[int, int], scale: float, to_pixels: PointsToPixels
) -> UprightWords:
    image = TurnedImage(int(direction) // 90, width=size[0], height=size[1])
    rects = np.array([image.turn(scaled(word.rect, scale)) for word in words])
    baselines = [image.turn_point((word.baseline[0] * scale, word.baseline[1] * scale))[1] for word in words]
    sizes = [max(_size(word, to_pixels) * scale, 1.0) for word in words]
    return UprightWords(words, direction, image, rects[:, 0], rects[:, 2], np.array(baselines), np.array(sizes))


def _slanted(
    words: Sequence[OwnWord], direction: float, *, size: tuple[int, int], scale: float, to_pixels: PointsToPixels
) -> UprightWords:
    image = SlantedImage(direction, width=size[0], height=size[1])
    left, top = image.corner
    sizes = [max(_size(word, to_pixels) * scale, 1.0) for word in words]
    ends = [
        ends_of_slanted(
            scaled(word.rect, scale),
            (word.baseline[0] * scale, word.baseline[1] * scale),
            size=LETTER_HEIGHT * letters,
            direction=direction,
        )
        for word, letters in zip(words, sizes, strict=True)
    ]
    starts, stops, baselines = np.array(ends).T
    return UprightWords(words, direction, image, starts - left, stops - left, baselines - top, np.array(sizes))


def _size(word: OwnWord, to_pixels: PointsToPixels) -> float:
    """The size of the word's letters, in pixels of the page's image."""
    return word.orientation.height * to_pixels.pixels_per_point / LETTER_HEIGHT
