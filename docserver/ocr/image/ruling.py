"""Child side: finds and removes the ruled lines of forms, tables and writing paper. Recognises no text."""

import numpy as np
from PIL import Image, ImageChops

from docserver.ocr.image.shades import INK_CONTRAST, Contrasts, Mask, contrast, paper_in_full, threshold

MIN_LENGTH, MIN_LENGTH_PX = 1 / 25, 25
"""Shortest ruled line, as a share of the picture's longer side and in pixels. Of letters, only those of headings have
longer strokes, and these are thicker than ruled lines."""

MAX_THICKNESS, MAX_THICKNESS_PX = 1 / 250, 3
"""Thickest ruled line, as a share of the picture's longer side and in pixels; 1/250 is 1.2 mm on A4."""

MIN_PAPER_SHADE = 0.6
"""Smallest grey level around a ruled line, as a share of the paper's grey level. Even in a dense form, the surroundings
of lines are lighter. Around the gaps between light letters in a dark box, they are darker."""

SEARCH_SIDE_PX = 2000
"""Longer side of the reduced picture in which lines are searched. Hairlines are still visible at this size, and the
search takes a tenth of a second."""

PALE_BELOW = 0.5
"""Lines are pale if less than this share of their area is as dark as the page's threshold."""

MIDDLE_GREY = 128


def ruled_lines(grey: Image.Image) -> Mask:
    """The pixels of thin dark lines on light paper. The dark gaps between light letters in a dark box do not count."""
    return ruled_lines_in(grey, contrast(grey))


def ruled_lines_in(grey: Image.Image, contrasts: Contrasts) -> Mask:
    """The same as `ruled_lines`, for a picture whose contrasts have been computed already."""
    lines = thin_lines(contrasts > INK_CONTRAST)
    return lines & on_light_paper(grey, contrasts) if lines.any() else lines


def on_light_paper(grey: Image.Image, contrasts: Contrasts) -> Mask:
    """The pixels whose surroundings are as light as those of ruled lines."""
    shades = np.asarray(paper_in_full(grey).point([int(MIN_PAPER_SHADE * level) for level in range(256)]))
    light: Mask = contrasts + np.asarray(grey) > shades
    return light


def without_ruled_lines(grey: Image.Image) -> Image.Image:
    """A picture of dark letters on light paper, with its ruled lines painted over in the shade of the paper."""
    step, darkest = max(1, round(max(grey.size) / SEARCH_SIDE_PX)), threshold(grey)
    lines = ruled_lines(grey.reduce(step))
    if not lines.any():
        return grey
    # Widen the lines by one pixel on each side, because their edges are soft.
    mask = Image.fromarray(widened(lines, by=1)).convert("L").resize(grey.size)
    light = grey.point([255 * (level > darkest) for level in range(256)])
    dark = widened(np.asarray(light.reduce(step)) < MIDDLE_GREY, by=1)
    if dark[lines].mean() < PALE_BELOW:
        # Keep pixels that are darker than pale lines: they are letters written across the lines. Dark lines cannot be
        # distinguished from letters.
        mask = ImageChops.darker(mask, light)
    cleaned = grey.copy()
    cleaned.paste(paper_in_full(grey), mask=mask)
    return cleaned


def widened(mask: Mask, *, by: int) -> Mask:
    """The mask and all pixels within this distance of it. Pillow's MaxFilter takes forty times as long."""
    for _ in range(by):
        down = mask.copy()
        down[1:] |= mask[:-1]
        down[:-1] |= mask[1:]
        mask = down.copy()
        mask[:, 1:] |= down[:, :-1]
        mask[:, :-1] |= down[:, 1:]
    return mask


def thin_lines(ink: Mask) -> Mask:
    """The pixels of ink in thin horizontal or vertical lines, without the strokes that cross them."""
    horizontal, vertical = horizontal_and_vertical(ink)
    lines: Mask = horizontal | vertical
    return lines


def horizontal_and_vertical(ink: Mask) -> tuple[Mask, Mask]:
    """The pixels of ink in thin horizontal lines, and those in vertical ones. Both have the points where they cross."""
    longer_side = max(ink.shape)
    length = max(MIN_LENGTH_PX, round(MIN_LENGTH * longer_side))
    thickness = max(MAX_THICKNESS_PX, round(MAX_THICKNESS * longer_side))
    horizontal, vertical = (runs_along(ink, axis=axis, length=length) for axis in (1, 0))
    if not (horizontal.any() or vertical.any()):
        return horizontal, vertical
    thick_horizontal, thick_vertical = (runs_along(ink, axis=axis, length=thickness + 1) for axis in (1, 0))
    crossings = horizontal & vertical
    return (horizontal & ~thick_vertical) | crossings, (vertical & ~thick_horizontal) | crossings


def runs_along(ink: Mask, *, axis: int, length: int) -> Mask:
    """The pixels in runs of at least this length along an axis."""
    if ink.shape[axis] < length:
        return np.zeros_like(ink)
    starts = _windows(ink, np.logical_and, axis=axis, length=length)
    if not starts.any():
        return np.zeros_like(ink)
    margins = [(length - 1, length - 1) if side == axis else (0, 0) for side in (0, 1)]
    return _windows(np.pad(starts, margins), np.logical_or, axis=axis, length=length)


def _windows(mask: Mask, combined: np.ufunc, *, axis: int, length: int) -> Mask:
    """For each window of this length along an axis, its values combined. Each step doubles the length."""
    span = 1
    while span < length:
        step = min(span, length - span)
        count = mask.shape[axis] - step
        before, after = (mask[:count], mask[step:]) if axis == 0 else (mask[:, :count], mask[:, step:])
        mask = combined(before, after)
        span += step
    return mask
