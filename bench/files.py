"""Pages as files: the formats that scanners, phones and word processors write."""

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


def encoded(image: Image.Image, kind: str, *, dpi: int) -> bytes:
    """One of KINDS: the TIFF in LZW, or in fax group 4 where it has one bit a pixel; the JPEG in quality 85."""
    options: dict[str, dict[str, int | str]] = {
        "png": {"compress_level": 3},
        "jpeg": {"quality": 85},
        "tiff": {"compression": "group4" if image.mode == "1" else "tiff_lzw"},
    }
    file = io.BytesIO()
    image.save(file, kind.upper(), dpi=(dpi, dpi), **options[kind])
    return file.getvalue()


def scanned_pdf(images: Sequence[Image.Image], *, dpi: int) -> bytes:
    """One JPEG for each page and no text; a picture that comes again is stored once."""
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
    """One page for each text, as a word processor exports it: the letters themselves, and no picture."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=1)
    name = STANDARD_FONTS[seed % len(STANDARD_FONTS)]
    for text in pages:
        canvas.setFont(name, 9)
        written = canvas.beginText(60, A4[1] - 60)
        written.setLeading(13)
        for line in text.splitlines():
            written.textLine(line)
        canvas.drawText(written)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def ranges(count: int, parts: int) -> list[range]:
    """Pages 1 to `count` in so many even parts; none of them is empty."""
    bounds = [1 + count * part // parts for part in range(parts + 1)]
    return [range(first, behind) for first, behind in pairwise(bounds) if first < behind]
