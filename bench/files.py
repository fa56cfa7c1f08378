"""Pages as files, in the formats that scanners, phones and word processors write."""

import io
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

POINTS_PER_INCH = 72

KINDS = ("png", "jpeg", "tiff")

STANDARD_FONTS = ("Times-Roman", "Helvetica", "Courier")

FONT_SIZE, LEADING, MARGIN = 9, 13, 60
"""Of a digital page, in points. The letters are smaller where a line would not fit."""


def encoded(image: Image.Image, kind: str, *, dpi: int) -> bytes:
    """The image as one of KINDS: a TIFF in LZW, or in fax group 4 if it has one bit per pixel; a JPEG in quality 85."""
    options: dict[str, dict[str, int | str]] = {
        "png": {"compress_level": 3},
        "jpeg": {"quality": 85},
        "tiff": {"compression": "group4" if image.mode == "1" else "tiff_lzw"},
    }
    file = io.BytesIO()
    image.save(file, kind.upper(), dpi=(dpi, dpi), **options[kind])
    return file.getvalue()


def scanned_pdf(images: Sequence[Image.Image], *, dpi: int) -> bytes:
    """One JPEG for each page and no text; an image that occurs several times is stored once."""
    file = io.BytesIO()
    canvas = Canvas(file, invariant=1)
    readers = {id(image): ImageReader(io.BytesIO(encoded(image, "jpeg", dpi=dpi))) for image in images}
    for image in images:
        size = (image.width * POINTS_PER_INCH / dpi, image.height * POINTS_PER_INCH / dpi)
        canvas.setPageSize(size)
        canvas.drawImage(readers[id(image)], 0, 0, *size)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def digital_pdf(pages: Sequence[str], *, seed: int) -> bytes:
    """One page for each text, as a word processor exports it: characters and no image."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=1)
    name = STANDARD_FONTS[seed % len(STANDARD_FONTS)]
    for text in pages:
        lines = text.splitlines()
        longest = max(canvas.stringWidth(line, name, FONT_SIZE) for line in lines)
        canvas.setFont(name, FONT_SIZE * min(1.0, (A4[0] - 2 * MARGIN) / longest))
        flow = canvas.beginText(MARGIN, A4[1] - MARGIN)
        flow.setLeading(LEADING)
        for line in lines:
            flow.textLine(line)
        canvas.drawText(flow)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def ranges(count: int, parts: int) -> list[range]:
    """Pages 1 to `count` in that many parts of about the same size, without empty ones."""
    bounds = [1 + count * part // parts for part in range(parts + 1)]
    return [range(first, stop) for first, stop in pairwise(bounds) if first < stop]
