"""Child side: compresses photos and scans again, with a lower quality. Each image that would grow stays."""

import io
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream
from PIL import Image

from docserver.ocr.searchable.embedding import compress

MODES = {1: "L", 3: "RGB"}
"""Number of components → the mode of the image."""

COMPONENTS = {"/DeviceGray": 1, "/CalGray": 1, "/DeviceRGB": 3, "/CalRGB": 3}
BITS = 8

MIN_BYTES = 4_000
"""Images that take less than this are logos and signs, which suffer more than they save."""


def recompress(pdf: Pdf, *, quality: int, max_pixels: int) -> None:
    """Replace the images of a PDF by JPEGs of this quality where these are smaller. Black and white stays as it is."""
    images = [each for each in pdf.objects if isinstance(each, Stream) and each.get(Name.Subtype) == Name.Image]
    masks = {image.SMask.objgen for image in images if isinstance(image.get(Name.SMask), Stream)}
    for image in images:
        if image.objgen not in masks:
            _recompress(image, quality=quality, max_pixels=max_pixels)


def recompressed(jpeg: bytes, *, quality: int) -> bytes:
    """The JPEG in this quality; unchanged if that is not smaller, or if it cannot be decoded."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
            if image.mode not in MODES.values():
                return jpeg
            again = compress(image, quality=quality)
    except (OSError, SyntaxError, ValueError):
        return jpeg
    return min(jpeg, again, key=len)


def _recompress(image: Stream, *, quality: int, max_pixels: int) -> None:
    try:
        original = image.read_raw_bytes()
        decoded = _decoded(image, original, max_pixels=max_pixels) if len(original) >= MIN_BYTES else None
        if decoded is None:
            return
        compressed = compress(decoded, quality=quality)
    except (pikepdf.PdfError, ArithmeticError, LookupError, OSError, SyntaxError, TypeError, ValueError):
        # What cannot be decoded here stays as it is, for viewers to try.
        return
    if len(compressed) < len(original):
        image.write(compressed, filter=Name.DCTDecode)


def _decoded(image: Stream, original: bytes, *, max_pixels: int) -> Image.Image | None:
    """The image in grey or RGB; None if it must stay as it is."""
    size, components = (int(image.Width), int(image.Height)), _components(image.get(Name.ColorSpace))
    if components is None or not 0 < size[0] * size[1] <= max_pixels or not _is_plain(image):
        return None
    filters = image.get(Name.Filter)
    if filters == Name.DCTDecode or (isinstance(filters, Array) and list(filters) == [Name.DCTDecode]):
        with Image.open(io.BytesIO(original), formats=["JPEG"]) as jpeg:
            return jpeg.copy() if jpeg.mode == MODES[components] and jpeg.size == size else None
    data = image.read_bytes() if filters is None or filters == Name.FlateDecode else b""
    is_whole = len(data) == size[0] * size[1] * components
    return Image.frombytes(MODES[components], size, data) if is_whole else None


def _is_plain(image: Object) -> bool:
    """True if other pixels mean other colours, and nothing else."""
    mask, parameters = image.get(Name.SMask), image.get(Name.DecodeParms)
    return not (
        image.get(Name.BitsPerComponent) != BITS
        or {"/Mask", "/Decode", "/ImageMask", "/SMaskInData"} & set(image.keys())
        or (isinstance(mask, Stream) and Name.Matte in mask)
        or (isinstance(parameters, Dictionary) and Name.ColorTransform in parameters)
    )


def _components(space: Any) -> int | None:
    """The number of components of a grey or RGB colour space."""
    if isinstance(space, Array) and len(space) > 1 and str(space[0]) == "/ICCBased":
        components: Any = space[1].get(Name.N)
        return components if components in MODES else None
    name = str(space[0]) if isinstance(space, Array) and len(space) else str(space)
    return COMPONENTS.get(name)
