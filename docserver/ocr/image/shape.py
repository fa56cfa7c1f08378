"""Child side: finds out from a picture's width and height if it is a snippet of a page, or a receipt or column."""

SNIPPET_BELOW_PX = 300
"""A picture with a side below this is a snippet of a page. It has too few lines to measure their direction."""

NARROW_ABOVE = 1.75
"""Height divided by width. A page above this is a receipt or a column."""

SLIM_BELOW_PX, NARROW_ABOVE_IF_SLIM = 600, 1.5
"""If a picture has fewer pixels across than the first value, the second one replaces NARROW_ABOVE. A whole page with so
few pixels would hardly be legible, so the picture is probably a receipt or a column."""


def is_snippet(size: tuple[int, int]) -> bool:
    return min(size) < SNIPPET_BELOW_PX


def is_narrow(size: tuple[int, int]) -> bool:
    width, height = size
    return height > (NARROW_ABOVE_IF_SLIM if width < SLIM_BELOW_PX else NARROW_ABOVE) * width
