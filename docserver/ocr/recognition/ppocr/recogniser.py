"""Child side: reads pictures of single lines with PP-OCR's recogniser: which characters they have, and where."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

HEIGHT_PX, MIN_WIDTH_PX, MAX_WIDTH_PX = 48, 96, 3200
"""The recogniser gets pictures of this height, and of at least and at most this width."""

STEP_PX = 8
"""The recogniser gives the probabilities of all characters for each step of so many pixels."""

BLANK = 0
"""The recogniser's class for no character, which also divides equal characters (CTC)."""


FIRST_IDEOGRAPH = "\u2e80"
"""Characters from this one on are in no language that is read so. Smudges look like some of them."""


@dataclass(frozen=True, slots=True)
class Character:
    """A character that was read."""

    text: str
    x: float
    """Where it is, from the left end of the line, as a share of the line's width."""
    score: float
    """0 to 1."""


class Recogniser:
    """Reads lines."""

    def __init__(self, session: Any) -> None:
        """`session` is ONNX Runtime's, of the recogniser's model."""
        self._session = session
        characters = session.get_modelmeta().custom_metadata_map["character"].split("\n")
        # The first class is for no character, and the last one for a space.
        all_characters = ("", *characters, " ")
        self._classes = [place for place, text in enumerate(all_characters) if text < FIRST_IDEOGRAPH]
        self._characters = [all_characters[place] for place in self._classes]

    def read(self, line: Image.Image) -> list[Character]:
        """The characters of a line in a picture of mode RGB, with spaces, from left to right."""
        width = min(MAX_WIDTH_PX, max(1, round(line.width * HEIGHT_PX / line.height)))
        pixels = np.asarray(line.resize((width, HEIGHT_PX), Image.Resampling.BILINEAR, reducing_gap=2.0), np.float32)
        given = np.zeros((1, 3, HEIGHT_PX, max(MIN_WIDTH_PX, width)), np.float32)
        given[0, :, :, :width] = (pixels / 127.5 - 1.0).transpose(2, 0, 1)
        (probabilities,) = self._session.run(None, {"x": given})
        likely = probabilities[0][:, self._classes]
        best, scores = likely.argmax(axis=1), likely.max(axis=1)
        read = []
        for first in np.flatnonzero((best != BLANK) & (np.diff(best, prepend=BLANK) != 0)).tolist():
            last = first
            while last + 1 < len(best) and best[last + 1] == best[first]:
                last += 1
            x = (first + last + 1) / 2 * STEP_PX / width
            read.append(Character(self._characters[best[first]], min(1.0, x), float(scores[first : last + 1].max())))
        return read
