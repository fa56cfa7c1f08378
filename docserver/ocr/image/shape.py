"""Child side: what the width and height of a picture tell of it: a snippet of a page, or a receipt or a column."""

SNIPPET_BELOW_PX = 300
"""A picture with a side below this is a snippet of a page: it holds too few lines to tell how they lie."""

NARROW_ABOVE = 1.75
"""Height divided by width: a page above this is a receipt or a column."""

SLIM_BELOW_PX, NARROW_ABOVE_IF_SLIM = 600, 1.5
"""A picture with fewer pixels across could hardly be legible if it were a page of a letter, so it is taken for a
receipt or a column sooner."""


def is_snippet(size: tuple[int, int]) -> bool:
    return min(size) < SNIPPET_BELOW_PX


def is_narrow(size: tuple[int, int]) -> bool:
    width, height = size
    return height > (NARROW_ABOVE_IF_SLIM if width < SLIM_BELOW_PX else NARROW_ABOVE) * width
