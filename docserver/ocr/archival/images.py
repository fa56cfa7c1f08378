"""Child side: checks images (ISO 19005-2, 6.2.8)."""

from typing import Any

from pikepdf import Array, ContentStreamInlineImage, Name, Object, PdfError, Stream

from docserver.ocr.archival.colours import ColourChecks
from docserver.ocr.archival.jpeg2000 import check_jpeg2000
from docserver.ocr.archival.objects import FILTERS, filters_of
from docserver.ocr.archival.unfit import Unfit

BITS = frozenset({1, 2, 4, 8, 16})

INTENTS = frozenset({"/RelativeColorimetric", "/AbsoluteColorimetric", "/Perceptual", "/Saturation"})

INLINE_FILTERS = frozenset({f"/{name}" for name in (*FILTERS, "DCTDecode", "AHx", "A85", "Fl", "RL", "CCF", "DCT")})


def check_image(image: Stream, resources: Object | None, colours: ColourChecks) -> None:
    """Check an image with its masks. Smoothing where it is enlarged, which is not allowed, is switched off. Raises
    Unfit.
    """
    _check_one(image, resources, colours)
    for key in (Name.Mask, Name.SMask):
        mask = image.get(key)
        if isinstance(mask, Stream):
            _check_one(mask, resources, colours)
            if key == Name.Mask and mask.get(Name.BitsPerComponent, 1) != 1:
                raise Unfit("a mask has shades")


def _check_one(image: Stream, resources: Object | None, colours: ColourChecks) -> None:
    if image.get(Name.Interpolate):
        image.Interpolate = False
    check_intent(image.get(Name.Intent))
    is_mask = bool(image.get(Name.ImageMask))
    if "JPXDecode" in filters_of(image):
        try:
            check_jpeg2000(image.read_raw_bytes(), has_colour_space=Name.ColorSpace in image)
        except PdfError as error:
            raise Unfit("an image cannot be read") from error
    elif not is_mask:
        if image.get(Name.BitsPerComponent) not in BITS:
            raise Unfit("an image has an odd number of bits")
    elif image.get(Name.BitsPerComponent, 1) != 1:
        raise Unfit("a mask has shades")
    if Name.ColorSpace in image:
        colours.check(image.ColorSpace, resources)
    elif not is_mask and "JPXDecode" not in filters_of(image):
        raise Unfit("an image has no colour space")


def check_inline_image(instruction: ContentStreamInlineImage, resources: Object | None, colours: ColourChecks) -> None:
    """Check an image that is a part of a page's content. Raises Unfit."""
    entries = _entries(instruction)
    if entries.get("/I", entries.get("/Interpolate")):
        raise Unfit("an image is smoothed")
    filters = entries.get("/F", entries.get("/Filter", Array()))
    if not {str(each) for each in (filters if isinstance(filters, Array) else [filters])} <= INLINE_FILTERS:
        raise Unfit("a filter is not allowed")
    check_intent(entries.get("/Intent"))
    space = entries.get("/CS", entries.get("/ColorSpace"))
    if space is not None:
        colours.check(space, resources)
    elif not entries.get("/IM", entries.get("/ImageMask")):
        raise Unfit("an image has no colour space")


def _entries(instruction: ContentStreamInlineImage) -> dict[str, Any]:
    """The entries of an inline image, under the names that it uses."""
    head = instruction.iimage.unparse().partition(b"ID")[0].removeprefix(b"BI")
    try:
        parsed: Any = Object.parse(b"<<" + head + b">>")
    except PdfError as error:
        raise Unfit("an image cannot be parsed") from error
    return dict(parsed.items())


def check_intent(intent: Any) -> None:
    """Raise Unfit if this is no rendering intent."""
    if intent is not None and str(intent) not in INTENTS:
        raise Unfit("a rendering intent is not known")
