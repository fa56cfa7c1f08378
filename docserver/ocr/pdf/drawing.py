"""Child side: draws a PDF page at a low resolution, whole or only some of its objects. Does not judge what it draws."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ctypes import addressof
from typing import Any

from PIL import Image, ImageChops
from pypdfium2.raw import FPDFPage_GetAnnotCount

from docserver.ocr.pdf.calls import set_active

MAX_SIDE = 1600
"""Longest side of the drawn page, in pixels. With one pixel per point, an A4 page has 842."""

FINENESS = 3.0
"""Scale of a detailed drawing, as a multiple of the usual one. In it, an 8-point full stop is three pixels wide."""

WHITE, BLACK = (255, 255, 255, 255), (0, 0, 0, 255)


class PageDrawing:
    """Draws a page with about one pixel per point. All pictures of a page have the same size."""

    def __init__(self, page: Any, *, grey: bool = True, fineness: float = 1.0) -> None:
        self._page, self._grey = page, grey
        self._scale: float = fineness * min(1.0, MAX_SIDE / max(*page.get_size(), 1.0))

    @property
    def in_colours(self) -> "PageDrawing":
        """The same with pictures in RGB."""
        return PageDrawing(self._page, grey=False)

    @property
    def in_detail(self) -> "PageDrawing":
        """The same at a higher resolution, in which one sees points and dashes."""
        return PageDrawing(self._page, grey=self._grey, fineness=FINENESS)

    @property
    def width(self) -> int:
        """Width of each picture in pixels."""
        # pypdfium2 rounds it in the same way.
        width: float = self._scale * self._page.get_size()[0]
        return math.ceil(width)

    @property
    def has_annotations(self) -> bool:
        return bool(FPDFPage_GetAnnotCount(self._page) > 0)

    def whole(self) -> Image.Image:
        """The page as viewers show it."""
        return self._drawn(annotations=True)

    def without(self, objects: Iterable[Any]) -> Image.Image:
        """The page as viewers would show it without these page objects."""
        with hidden(objects):
            return self._drawn(annotations=True)

    def ink_without(self, objects: Iterable[Any], *, on_black: bool) -> Image.Image:
        """How much everything but these page objects and the annotations differs from white or black paper."""
        with hidden(objects):
            if on_black:
                return self._drawn(annotations=False, paper=BLACK)
            return ImageChops.invert(self._drawn(annotations=False))

    def opaque_without(self, objects: Iterable[Any]) -> Image.Image:
        """White where everything but these page objects and the annotations hides the paper; else black."""
        with hidden(objects):
            on_white, on_black = self._drawn(annotations=False), self._drawn(annotations=False, paper=BLACK)
        return ImageChops.difference(on_white, on_black).point([255] + [0] * 255)

    def _drawn(self, *, annotations: bool, paper: tuple[int, int, int, int] = WHITE) -> Image.Image:
        bitmap = self._page.render(
            scale=self._scale,
            grayscale=self._grey,
            fill_color=paper,
            draw_annots=annotations,
            may_draw_forms=annotations,
        )
        picture: Image.Image = bitmap.to_pil()
        return picture if self._grey else picture.convert("RGB")


def hide(handle: Any) -> None:
    """Let PDFium draw nothing for this page object in any drawing."""
    set_active([addressof(handle)], active=False)


@contextmanager
def hidden(objects: Iterable[Any]) -> Iterator[None]:
    """PDFium draws nothing for these page objects, and reads none of them, until the block ends."""
    addresses = list(map(addressof, objects))
    try:
        set_active(addresses, active=False)
        yield
    finally:
        set_active(addresses, active=True)
