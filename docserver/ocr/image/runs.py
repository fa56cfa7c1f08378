"""Child side: finds runs of pixels that are ink, in one row or in each row of a picture."""

import numpy as np
from numpy.typing import NDArray

from docserver.ocr.image.shades import Mask

Places = NDArray[np.int64]
Runs = tuple[Places, Places, Places]


def runs_in_rows(ink: Mask) -> Runs:
    """The runs of ink along the rows, from left to right: their rows, their first columns, and the columns after."""
    height, width = ink.shape
    # Paper on both sides of each row: np.pad would take longer than all else for small parts of a picture.
    framed = np.zeros((height, width + 2), dtype=np.bool_)
    framed[:, 1:-1] = ink
    places = framed.ravel()
    # In turn, a run begins and ends at these places.
    edges = np.flatnonzero(places[1:] != places[:-1])
    starts, ends = edges[::2], edges[1::2]
    rows, columns = np.divmod(starts, width + 2)
    return rows, columns, columns + ends - starts


def runs_of(row: Mask) -> tuple[Places, Places]:
    """The first place of each run in one row, and the place after it."""
    _, starts, ends = runs_in_rows(row[np.newaxis])
    return starts, ends
