"""Child side: the ruled lines of forms and tables, found and taken off the picture. Reads no text."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

LENGTH, LEAST_LENGTH_PX = 1 / 25, 25
"""Of the longer side: longer than the strokes of any letter but those of headings, which are thicker than rules."""

THICKNESS, LEAST_THICKNESS_PX = 1 / 250, 3
"""Of the longer side: 1.2 mm on A4."""


def rules(ink: Mask) -> Mask:
    """Where ink belongs to thin lines along the rows or columns of a picture; strokes that cross them do not."""
    longer = max(ink.shape)
    length = max(LEAST_LENGTH_PX, round(LENGTH * longer))
    thickness = max(LEAST_THICKNESS_PX, round(THICKNESS * longer))
    down = np.ascontiguousarray(ink.T)
    along, thick_along = _runs(ink, length, thickness)
    across, thick_across = (mask.T for mask in _runs(down, length, thickness))
    found: Mask = (along & ~thick_across) | (across & ~thick_along) | (along & across)
    return found


def _runs(ink: Mask, length: int, thickness: int) -> tuple[Mask, Mask]:
    """The pixels in runs along the rows of at least `length`, and in those longer than `thickness`."""
    rows, columns = ink.shape
    # A column without ink parts each row from the next.
    padded = np.zeros((rows, columns + 1), dtype=np.int8)
    padded[:, :columns] = ink
    edges = np.diff(padded.ravel(), prepend=np.int8(0))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)

    def at_least(least: int) -> Mask:
        kept = ends - starts >= least
        steps = np.zeros(padded.size, dtype=np.int8)
        steps[starts[kept]], steps[ends[kept]] = 1, -1
        within: Mask = np.cumsum(steps, dtype=np.int8).reshape(padded.shape)[:, :columns].astype(bool)
        return within

    return at_least(length), at_least(thickness + 1)
