"""Child side: finds and decodes the barcodes of a page with zxing-cpp, which is asked only where the page is dense.

A page of text has few such places: to look at all of it would take a tenth of the time that reading it takes.
"""

import base64
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docserver.elements import MAX_BARCODE_TEXT, MAX_BARCODES, Barcode
from docserver.layout import Box, area, around, overlap
from docserver.ocr.image.dense_places import dense_places
from docserver.ocr.image.overview import Overview, grey
from docserver.ocr.image.shades import Shades

MAX_PIXELS = 6_000_000
"""Most pixels of all places of a page. Larger ones are reduced: barcodes that fill half a page have thick bars."""

MAX_IN_ONE_CALL = 255
"""Most barcodes that zxing-cpp gives of one picture."""

SMALL_PIXELS = 300_000
"""Most pixels of a picture that is looked at as a whole. Low and narrow barcodes fill it without being dense places."""

MAX_TEXTS = 100_000
"""Most characters of all barcodes of a page together. A page that is full of large codes has some thousand."""

MIN_DIGITS = 6
"""Fewest characters of a barcode that has no check digit. Shorter ones are found among letters and in drawings."""

UNCHECKED = ("Codabar", "Code39", "ITF")
"""The kinds without a check digit that is always there."""

LIGHT_PERCENT = 90
"""Percentage of the pixels of a barcode or box that are no lighter than its paper."""

SECOND_CONTROLS = frozenset(map(chr, range(128, 160)))
"""Control characters that no text has. zxing-cpp gives them for bytes in no encoding that it knows."""

CONTROLS = frozenset(map(chr, (*range(9), 11, 12, *range(14, 32), 127))) | SECOND_CONTROLS
"""Control characters, but for those that texts have."""


def barcodes(page: Overview) -> tuple[Barcode, ...]:
    """The barcodes of a page's picture, from top to bottom."""
    picture = page.grey
    is_small = picture.width * picture.height <= SMALL_PIXELS
    return barcodes_in([(0, 0, *picture.size)] if is_small else dense_places(page), picture.crop, size=picture.size)


def barcodes_in(
    places: Iterable[Box], draw: Callable[[Box], Image.Image], *, size: tuple[int, int]
) -> tuple[Barcode, ...]:
    """The barcodes in these places of a page of this size, from top to bottom. `draw` gives the grey picture of a
    place.
    """
    found: list[Barcode] = []
    length = 0
    boxes = list(places)
    step = math.ceil(math.sqrt(sum(map(area, boxes)) / MAX_PIXELS))
    for box in boxes:
        for barcode in _decoded(draw(box), box, step=step, size=size):
            length += len(barcode.text or barcode.data or "")
            if length <= MAX_TEXTS:
                found.append(barcode)
    return _apart(found)[:MAX_BARCODES]


def without_barcodes(image: Image.Image, barcodes: Sequence[Barcode]) -> Image.Image:
    """The picture with paper in the place of its barcodes, whose bars would be read as letters."""
    return painted_over(image, [barcode.box for barcode in barcodes])


def painted_over(image: Image.Image, places: Sequence[Box]) -> Image.Image:
    """The picture with paper in these places, of which a tenth shows it."""
    if not places:
        return image
    cleaned = image.copy()
    for box in places:
        cleaned.paste(_paper_of(image.crop(box)), box)
    return cleaned


def _paper_of(part: Image.Image) -> int | tuple[int, ...]:
    """The colour of the lightest part, without the noise."""
    bands = np.reshape((grey(part) if part.mode == "1" else part).histogram(), (-1, 256))
    levels = tuple(map(_light_level, bands.cumsum(axis=1)))
    return levels[0] if len(levels) == 1 else levels


def _light_level(counts: NDArray[np.int64]) -> int:
    """The percentile of grey levels. `counts` says how many pixels have each level or a lower one."""
    place = LIGHT_PERCENT / 100 * (counts[-1] - 1)
    before, after = np.searchsorted(counts, (np.floor(place), np.ceil(place)), side="right")
    return int(before + (after - before) * (place % 1))


def _decoded(part: Image.Image, box: Box, *, step: int, size: tuple[int, int]) -> Iterator[Barcode]:
    """The barcodes in a part of a page of this size, of which `box` is the place."""
    left, top, _, _ = box
    pixels = np.ascontiguousarray(np.asarray(part.reduce(step) if step > 1 else part))
    for symbol, (x, y) in _symbols(pixels):
        corners = [
            (left + step * (x + point.x), top + step * (y + point.y))
            for position in [symbol.position]
            for point in (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
        ]
        barcode = _barcode(symbol, _within(corners, size))
        if barcode is not None:
            yield barcode


def _symbols(pixels: Shades) -> Iterator[tuple[Any, tuple[int, int]]]:
    """What zxing-cpp finds on a picture, and the corner of the part of the picture in which it is."""
    symbols = _read(pixels)
    if len(symbols) < MAX_IN_ONE_CALL:
        yield from ((symbol, (0, 0)) for symbol in symbols)
        return
    # There may be more: look at each quarter, with as much of the next ones as a barcode takes.
    points = [(symbol.position.top_left, symbol.position.bottom_right) for symbol in symbols]
    reach = max(max(abs(one.x - other.x), abs(one.y - other.y)) for one, other in points) + 1
    height, width = pixels.shape
    for y0, y1 in ((0, height // 2 + reach), (height // 2, height)):
        for x0, x1 in ((0, width // 2 + reach), (width // 2, width)):
            quarter = np.ascontiguousarray(pixels[y0:y1, x0:x1])
            yield from ((symbol, (x0, y0)) for symbol in _read(quarter))


def _read(pixels: Shades) -> Any:
    zxing = _library()
    return zxing.read_barcodes(pixels, formats=_formats(), text_mode=zxing.TextMode.Plain)


def _barcode(symbol: Any, box: Box) -> Barcode | None:
    """The barcode that zxing-cpp found; None if it may be none."""
    kind, text = _kind(symbol), symbol.text
    if kind == "UPCA":
        # It is a EAN-13 with a zero before it.
        text = text[1:]
    elif kind == "UPCE":
        text = symbol.extra["UPCE"]
    if kind in UNCHECKED and len(text) < MIN_DIGITS:
        return None
    data = None if _is_text(symbol) else symbol.bytes
    if data is not None and (decoded := _as_utf8(data)) is not None:
        text, data = decoded, None
    encoded = None if data is None else base64.b64encode(data).decode("ascii")
    if not (symbol.bytes and len(encoded or text) <= MAX_BARCODE_TEXT):
        return None
    return Barcode(kind, text if encoded is None else None, encoded, box, -symbol.orientation % 360)


def _kind(symbol: Any) -> str:
    name: str = symbol.format.name
    if name == "EAN13":
        return "UPCA" if symbol.text.startswith("0") else name
    if name in ("EAN8", "UPCE", "MicroQRCode", "RMQRCode", "MicroPDF417"):
        return name
    family: str = symbol.symbology.name
    return family


def _is_text(symbol: Any) -> bool:
    return symbol.content_type.name in ("Text", "GS1", "ISO15434") and not SECOND_CONTROLS.intersection(symbol.text)


def _as_utf8(data: bytes) -> str | None:
    """The text of bytes that a barcode does not call a text; None if they are none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if CONTROLS.intersection(text) else text


def _within(corners: Iterable[tuple[int, int]], size: tuple[int, int]) -> Box:
    """The box around corners, on a picture of this size."""
    x0, y0, x1, y1 = around((x, y, x + 1, y + 1) for x, y in corners)
    x0, y0 = min(max(x0, 0), size[0] - 1), min(max(y0, 0), size[1] - 1)
    return x0, y0, max(x0 + 1, min(x1, size[0])), max(y0 + 1, min(y1, size[1]))


def _apart(found: Iterable[Barcode]) -> tuple[Barcode, ...]:
    """The barcodes, from top to bottom. Of those in one place, only the largest: a few rows of bars may be misread."""
    apart: list[Barcode] = []
    for barcode in sorted(found, key=lambda barcode: -area(barcode.box)):
        if not any(overlap(barcode.box, other.box) for other in apart):
            apart.append(barcode)
    return tuple(sorted(apart, key=lambda barcode: (barcode.box[1], barcode.box[0])))


@cache
def _library() -> Any:
    # Import it here, because few pages have a dense place.
    import zxingcpp

    return zxingcpp


@cache
def _formats() -> Any:
    """The formats that are looked for. The others are for films and factories, or are found on pictures of
    nothing else alone.
    """
    names = ("Aztec", "Codabar", "Code128", "Code39", "Code93", "DataBar", "DataMatrix", "EANUPC", "ITF")
    more = ("MicroPDF417", "MicroQRCode", "PDF417", "QRCode", "RMQRCode")
    formats = _library().BarcodeFormat
    return tuple(getattr(formats, name) for name in (*names, *more))
