"""Child side: leaves out rows of one repeated sign, such as `*****` on receipts, which Tesseract reads as words."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from PIL import Image

from docserver.layout import Block, Line, around
from docserver.ocr.image.shades import Mask, threshold
from docserver.ocr.recognition.tesseract import Recognised

UNSURE_BELOW = 60.0
"""Confidence of a line below which it may be a row of signs. These have 0 to 56."""

MIN_WIDTH = 8
"""Smallest width of a row of signs, as a multiple of its height."""

MIN_REPEATS = 6
"""Fewest signs in a row. Of fewer, letters of a short word may look alike."""

MIN_ALIKE = 0.7
"""Smallest share of its ink that a row has in common with itself, moved by one sign. Rows of signs have 0.76 and more,
also on photos, and text has 0.62 at most."""

MAX_ALIKE_BETWEEN = 0.75
"""Largest such share between two signs, as a part of that at the distance of the signs. A rule without
gaps is alike at each distance."""


def without_rows_of_signs(recognised: Recognised, picture: Image.Image) -> Recognised:
    """The text without the lines that are such rows. Its boxes are in the picture, which has dark letters."""
    blocks = tuple(_without_rows(recognised.blocks, picture))
    if blocks == recognised.blocks:
        return recognised
    return Recognised.of(blocks)


def _without_rows(blocks: tuple[Block, ...], picture: Image.Image) -> Iterator[Block]:
    for block in blocks:
        paragraphs = []
        for paragraph in block.paragraphs:
            lines = tuple(line for line in paragraph.lines if not _is_row_of_signs(line, picture))
            if lines:
                paragraphs.append(replace(paragraph, lines=lines))
        if paragraphs:
            yield replace(block, paragraphs=tuple(paragraphs))


def _is_row_of_signs(line: Line, picture: Image.Image) -> bool:
    left, top, right, bottom = box = around(word.box for word in line.words)
    if line.confidence >= UNSURE_BELOW or right - left < MIN_WIDTH * (bottom - top):
        return False
    grey = picture.crop(box).convert("L")
    return _repeats(np.asarray(grey) <= threshold(grey))


def _repeats(ink: Mask) -> bool:
    """True if the ink is about the same after it was moved to the side by some distance, and not by less than that."""
    width = ink.shape[1]
    # The correlation of the ink with itself at all distances at once. The zeros keep its ends apart.
    spectrum = np.fft.rfft(ink, n=2 * width, axis=1)
    common = np.fft.irfft((np.abs(spectrum) ** 2).sum(axis=0))[: width // MIN_REPEATS]
    columns = ink.sum(axis=0)
    before = columns.cumsum()[::-1][: len(common)]
    behind = columns[::-1].cumsum()[::-1][: len(common)]
    alike = 2 * common / np.maximum(before + behind, 1)
    least = np.minimum.accumulate(alike)
    return bool(np.any((alike >= MIN_ALIKE) & (least <= MAX_ALIKE_BETWEEN * alike)))
