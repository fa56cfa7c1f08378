"""Child side: finds runs of pixels that are ink, in one row or in each row of a picture."""

import numpy as np
from numpy.typing import NDArray

from docserver.ocr.image.shades import Mask

Places = NDArray[np.int64]
Runs = tuple[Places, Places, Places]


def runs_in_rows(ink: Mask) -> Runs:
    """The runs of ink along the rows, from left to right: their rows, their first columns, and the columns after."""
    edges = np.diff(np.pad(ink, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    return rows, starts, np.nonzero(edges == -1)[1]


def runs_of(row: Mask) -> tuple[Places, Places]:
    """The first place of each run in one row, and the place after it."""
    _, starts, ends = runs_in_rows(row[np.newaxis])
    return starts, ends
