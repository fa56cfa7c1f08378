"""Child side: finds the barcodes on a PDF page that is not drawn in full to be read, and costs little if it has none.

Programs draw barcodes as pictures, or as a path or rectangle for each bar.
"""

from typing import Any

import pypdfium2.raw as pdfium
from PIL import Image

from docserver.elements import Barcode
from docserver.layout import Box
from docserver.ocr.image.barcodes import barcodes_in
from docserver.ocr.image.dense_places import dense_places
from docserver.ocr.image.overview import Overview
from docserver.ocr.pdf.coordinates import PointsToPixels
from docserver.ocr.pdf.page_objects import PageObjects

MIN_PATHS, MIN_SEGMENTS = 15, 60
"""Fewest paths of a barcode with a path for each bar, and fewest segments of a path with all bars. An EAN-8 has 22
bars."""


def drawn_barcodes(
    page: Any, *, whole: Image.Image, objects: PageObjects, to_pixels: PointsToPixels
) -> tuple[Barcode, ...]:
    """The barcodes of a page, on its image. `whole` is its drawing at a low resolution."""
    if not _may_have_any(objects):
        return ()
    width, height = to_pixels.width, to_pixels.height
    x_scale, y_scale = width / whole.width, height / whole.height
    places = [
        (
            int(x0 * x_scale),
            int(y0 * y_scale),
            min(width, round(x1 * x_scale)),
            min(height, round(y1 * y_scale)),
        )
        for x0, y0, x1, y1 in dense_places(Overview(whole))
    ]
    return barcodes_in(places, lambda box: _drawn(page, box, to_pixels), size=(width, height))


def _may_have_any(objects: PageObjects) -> bool:
    return (
        bool(objects.images)
        or len(objects.paths) >= MIN_PATHS
        or any(pdfium.FPDFPath_CountSegments(path.handle) >= MIN_SEGMENTS for path in objects.paths)
    )


def _drawn(page: Any, box: Box, to_pixels: PointsToPixels) -> Image.Image:
    """The part of the page's image in this box, in grey."""
    page_width, page_height = page.get_size()
    x_scale, y_scale = to_pixels.width / page_width, to_pixels.height / page_height
    left, top, right, bottom = box
    crop = (
        left / x_scale,
        (to_pixels.height - bottom) / y_scale,
        (to_pixels.width - right) / x_scale,
        top / y_scale,
    )
    picture: Image.Image = page.render(scale=x_scale, crop=crop, grayscale=True, may_draw_forms=True).to_pil()
    return picture
