"""Child side: scales parts of pictures. Decodes files at a half or less where they can be, and need to be."""

from PIL import Image
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile

from docserver.layout import Rect
from docserver.ocr.image import exif_orientation, jpeg2000
from docserver.ocr.image.modes import readable


def resized(image: Image.Image, part: Rect, size: tuple[int, int]) -> Image.Image:
    """A part of an image in this size."""
    # Reducing needs shades of grey.
    image = image.convert("L") if image.mode == "1" else image
    # The gap of 1 first halves a large scan, as often as it may. That takes a third of the time, and is as legible.
    return image.resize(size, Image.Resampling.BICUBIC, box=part, reducing_gap=1.0)


def part_of(image: Image.Image, part: Rect, size: tuple[int, int]) -> Image.Image:
    """A part of a picture, which may only have been opened, in this size and as viewers show it: in mode L or RGB."""
    whole = image.size
    shrinking = int(min((part[2] - part[0]) / size[0], (part[3] - part[1]) / size[1]))
    times, shift = _load(image, shrinking)
    orientation = exif_orientation.orientation_of(image)
    stored = exif_orientation.stored_part(part, orientation, size=whole)
    limits = image.size * 2
    x0, y0, x1, y1 = (min(side / times + shift, limit) for side, limit in zip(stored, limits, strict=True))
    shown = resized(readable(image), (x0, y0, x1, y1), exif_orientation.turned(size, orientation))
    return exif_orientation.upright(shown, orientation)


def _load(image: Image.Image, shrinking: int) -> tuple[int, float]:
    """Decode a picture, smaller if it is to be shrunk so many times and its format can.

    Returns how many pixels of the file are one now, and by how much the decoder has moved the picture, in pixels.
    """
    times, shift = 1, 0.0
    if shrinking > 1 and isinstance(image, JpegImageFile):
        whole = image.width
        drafted = image.draft(None, (max(1, image.width // shrinking), max(1, image.height // shrinking)))
        assert drafted is not None
        times = round(whole / drafted[1][2])
    elif shrinking > 1 and isinstance(image, Jpeg2KImageFile) and image.mode in ("L", "RGB"):
        assert image.fp is not None
        halvings = jpeg2000.halvings(image.fp, image.size, most=shrinking.bit_length() - 1)
        image.reduce = halvings
        times = 1 << halvings
        # Wavelets keep every other pixel, where others take the mean of two.
        shift = (1 - 1 / times) / 2
    image.load()
    return times, shift
