"""Child side: finds the check boxes and radio buttons of a PDF page: those of its form, and those that are drawn."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium

from docserver.elements import SELECTED, UNSELECTED, SelectionMark
from docserver.layout import EXACT, Box, overlap
from docserver.ocr.image.mark_close_ups import SEARCHED_SIDE_PX
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.selection_marks import selection_marks
from docserver.ocr.pdf import annotations
from docserver.ocr.pdf.coordinates import PointsToPixels, whole_pixels
from docserver.ocr.pdf.page_objects import PageObjects

MIN_SIDE_PT, MAX_SIDE_PT, MAX_SLENDERNESS = 5.0, 28.0, 1.3
"""Shortest and longest side of a path that may be a box, in points, and how much longer than wide it may be."""

MAX_PATHS = 5000
"""Most paths of a page with drawn boxes. Maps and charts have more."""

BOX_SIGNS = frozenset("☐☑☒❏❐❑❒□■▢○●◯◉◎⚪⚫\uf06f\uf0a8\uf0fe\uf0fd\uf072\uf071\uf078")
"""Characters that are boxes or buttons, also those of Wingdings, whose characters are in the private use area."""


def field_marks(page: Any, to_pixels: PointsToPixels) -> tuple[SelectionMark, ...]:
    """The check boxes and radio buttons of the form, before its fields become a part of the page."""
    form = page.formenv
    if not form:
        return ()
    marks = []
    for annotation in annotations.each_annotation(page):
        if annotations.is_tickable(form, annotation):
            rect = pdfium.FS_RECTF()
            pdfium.FPDFAnnot_GetRect(annotation, rect)
            box = to_pixels.rect((rect.left, rect.bottom, rect.right, rect.top))
            if to_pixels.is_on_image(box):
                state = SELECTED if pdfium.FPDFAnnot_IsChecked(form, annotation) else UNSELECTED
                marks.append(SelectionMark(state, whole_pixels(box, to_pixels.width, to_pixels.height), EXACT))
    return _from_top(marks)


def with_drawn_marks(
    fields: Sequence[SelectionMark], page: Any, *, objects: PageObjects, texts: Iterable[str], to_pixels: PointsToPixels
) -> tuple[SelectionMark, ...]:
    """The boxes of the form, and those that are drawn on the page. `texts` are its words."""
    if not (_has_squares(objects) or any(BOX_SIGNS.intersection(text) for text in texts)):
        return tuple(fields)
    scale = SEARCHED_SIDE_PX / max(*page.get_size(), 1.0)
    picture = page.render(scale=scale, grayscale=True, may_draw_forms=True).to_pil()
    x_scale, y_scale = to_pixels.width / picture.width, to_pixels.height / picture.height
    drawn = [
        SelectionMark(mark.state, _scaled(mark.box, x_scale, y_scale, to_pixels), mark.confidence)
        for mark in selection_marks(Overview(picture))
    ]
    return merged(fields, drawn)


def merged(fields: Sequence[SelectionMark], drawn: Iterable[SelectionMark]) -> tuple[SelectionMark, ...]:
    """The boxes of the form, and the others that are drawn."""
    return _from_top([*fields, *(mark for mark in drawn if not any(overlap(mark.box, own.box) for own in fields))])


def _from_top(marks: Iterable[SelectionMark]) -> tuple[SelectionMark, ...]:
    return tuple(sorted(marks, key=lambda mark: (mark.box[1], mark.box[0])))


def _has_squares(objects: PageObjects) -> bool:
    if not 0 < len(objects.paths) <= MAX_PATHS:
        return False
    left, bottom, right, top = np.array([path.bounds for path in objects.paths]).T
    widths, heights = right - left, top - bottom
    shorter, longer = np.minimum(widths, heights), np.maximum(widths, heights)
    are_squares = (shorter >= MIN_SIDE_PT) & (longer <= MAX_SIDE_PT) & (longer <= MAX_SLENDERNESS * shorter)
    return bool(are_squares.any())


def _scaled(box: Box, x_scale: float, y_scale: float, to_pixels: PointsToPixels) -> Box:
    x0, y0, x1, y1 = box
    return whole_pixels((x0 * x_scale, y0 * y_scale, x1 * x_scale, y1 * y_scale), to_pixels.width, to_pixels.height)
