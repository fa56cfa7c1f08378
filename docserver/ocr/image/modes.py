"""Child side: brings pictures of all modes to those that Tesseract accepts. Reads no files."""

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageCms

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable

MIN_CONTRAST = 24
"""Smallest contrast, in grey levels, after a transparent picture was painted on a background. Text with less contrast
cannot be read, so another background is tried."""


def readable(image: Image.Image) -> Image.Image:
    """The picture in mode 1, L or RGB, without transparency."""
    if image.has_transparency_data:
        return _on_background(image.convert("RGBA"))
    if image.mode in ("1", "L", "RGB"):
        return image
    if image.mode == "P":
        return _from_palette(image)
    if image.mode == "F" or image.mode.startswith("I"):
        return _grey(image)
    if image.mode == "LAB":
        return _from_lab(image)
    # CMYK, YCbCr, HSV and RGBX
    return image.convert("RGB")


def _on_background(image: Image.Image) -> Image.Image:
    """Paint on white, as every viewer does. If nothing is visible then, for example white text, paint on black. If the
    picture is transparent all over, its mask was never filled, so its colours are taken if they show something.
    """
    opaque = [image.convert("RGB")] if image.getextrema()[-1] == (0, 0) else []
    for painted in itertools.chain(opaque, (_painted(image, colour) for colour in ("white", "black"))):
        levels: Any = painted.convert("L").getextrema()
        if levels[1] - levels[0] >= MIN_CONTRAST:
            return _grey_if_grey(painted)
    return _grey_if_grey(Image.new("RGB", image.size, "white"))


def _painted(image: Image.Image, colour: str) -> Image.Image:
    background = Image.new("RGBA", image.size, colour)
    background.alpha_composite(image)
    return background.convert("RGB")


def _grey_if_grey(image: Image.Image) -> Image.Image:
    """The picture in one channel if all three are the same, so that Tesseract has to read only a third of the bytes."""
    red, green, blue = image.split()
    if ImageChops.difference(red, green).getbbox() or ImageChops.difference(green, blue).getbbox():
        return image
    return red


def _from_palette(image: Image.Image) -> Image.Image:
    palette = image.getpalette("RGB") or []
    colours: Any = image.getcolors(256) or []
    used = [palette[3 * index : 3 * index + 3] for _, index in colours]
    return image.convert("L" if all(len(set(colour)) == 1 for colour in used) else "RGB")


def _grey(image: Image.Image) -> Image.Image:
    return Image.fromarray(to_eight_bits(np.asarray(image), bits=16))


def to_eight_bits(samples: npt.NDArray[Any], *, bits: int) -> npt.NDArray[np.uint8]:
    """Samples of any kind as numbers from 0 to 255.

    With up to 8 bits, white is the highest number that they can express. With more, files often use only
    some of the bits, so white is the highest number of as many bits, 8 at least, as the samples need. Where no sample
    is above 1, white is 1.
    """
    if samples.dtype == np.uint8 and bits == 8:
        return samples
    low, high = float(samples.min()), float(samples.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise Unreadable(DocumentErrorCode.UNSUPPORTED, "The picture contains values that are not numbers.")
    if low < 0:
        black, white = low, high
    elif high <= 1 and bits > 8:
        black, white = 0.0, 1.0
    else:
        least = min(8, bits - 1 if samples.dtype.kind == "i" else bits)
        black, white = 0.0, float(2 ** max(least, math.ceil(math.log2(high + 1))) - 1)
    scale = 255 / ((white - black) or 1)
    eight = np.empty(samples.shape, np.uint8)
    # A row at a time, because numbers with a fraction take several times the memory of those in the file.
    for row, target in zip(samples, eight, strict=True):
        target[...] = (row.astype(np.float64) - black) * scale + 0.5
    return eight


def _from_lab(image: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), inMode="LAB", outMode="RGB"
    )
    converted: Image.Image | None = ImageCms.applyTransform(image, transform)
    # None is only for a transform in place.
    assert converted is not None
    return converted
