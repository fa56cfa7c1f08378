"""Child side: finds what stands in a frame, or light on a disc, on a small part of a page. Recognises no text."""

import numpy as np
from PIL import Image

from docserver.layout import Box
from docserver.ocr.image.connected import first_connected
from docserver.ocr.image.shades import Mask

MAX_OFFSET_PX = 2
"""Largest distance of a frame from the edges of all the ink, in pixels: what is blurred."""

MIN_DISC_INK = 0.4
"""Smallest share of its box that the ink of a disc with light letters fills. That of a frame fills less."""

MIN_INNER_HEIGHT = 0.25
"""Smallest height of a letter, as a share of that of its frame. The pale edges of strokes are lower."""


def enclosed(grey: Image.Image) -> Image.Image | None:
    """What a frame or a disc encloses on this picture with a margin, black on white; None if there is no such thing."""
    levels = np.asarray(grey).astype(int)
    paper = np.median(np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]]))
    contrast = abs(levels - paper)
    ink = 2 * contrast > contrast.max()
    if not ink.any():
        return None
    border = first_connected(ink)
    left, top, right, bottom = _box(border)
    offsets = (abs(side - other) for side, other in zip((left, top, right, bottom), _box(ink), strict=True))
    if max(offsets) > MAX_OFFSET_PX:
        return None
    is_disc = np.count_nonzero(border) >= MIN_DISC_INK * (right - left) * (bottom - top)
    inner = ~(first_connected(~np.pad(ink, 1))[1:-1, 1:-1] | ink) if is_disc else ink & ~border
    if np.count_nonzero(inner.any(axis=1)) < MIN_INNER_HEIGHT * (bottom - top):
        return None
    return Image.fromarray(np.where(inner, 0, 255).astype(np.uint8))


def _box(mask: Mask) -> Box:
    rows, columns = np.nonzero(mask)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
