"""Child side: finds what is drawn where a font's mapping says that there is a space, such as the minus of a number.

A point or a dash is so small that one sees it in a detailed drawing only, which is made for such fonts alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import ImageChops

from docserver.layout import Rect
from docserver.ocr.pdf.coordinates import scaled
from docserver.ocr.pdf.drawing import PageDrawing
from docserver.ocr.pdf.verification.unexplained_ink import places_of_unexplained
from docserver.ocr.pdf.words.text_cells import BesideWords, as_array


def drawn_spaces(texts: Sequence[Any], *, words: Iterable[Rect], drawing: PageDrawing, width: int) -> list[Rect]:
    """Where these text objects draw something that is in none of these words, in pixels of the page's image, which has
    this width.
    """
    if not texts:
        return []
    detailed = drawing.in_detail
    whole = detailed.whole()
    contrast = np.asarray(ImageChops.difference(whole, detailed.without(texts)))
    scale = whole.width / width
    places = places_of_unexplained(BesideWords.of(as_array(words) * scale, contrast.shape), contrast)
    return [scaled(place, 1 / scale) for place in places]
