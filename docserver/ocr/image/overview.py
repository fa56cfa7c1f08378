"""Child side: a page's picture in grey and reduced, made once for all that measures it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from docserver.ocr.image.shades import Contrasts, Mask, Shades, contrast, ink_of

ANALYSED_SIDE_PX = 1000
"""Longer side of the reduced picture in which most is measured. Lines of text can still be distinguished at this size,
and the analysis takes a hundredth of a second."""

PAPER_CELL_PX = 16
"""Side of the cells of the picture of the paper, in the reduced picture."""

DARKEST_SHARE = 0.01
"""Share of the pixels that are at least as dark as the darkest ink. Fewer pixels may be noise."""


@dataclass(frozen=True)
class Overview:
    """A page's picture, and what is derived from it."""

    grey: Image.Image
    """In mode L and in full."""

    @cached_property
    def step(self) -> int:
        """How many times larger the full picture is than the reduced one."""
        return reduction(self.grey)

    @cached_property
    def small(self) -> Image.Image:
        """About 1000 pixels a side."""
        return self.grey.reduce(self.step) if self.step > 1 else self.grey

    @cached_property
    def contrasts(self) -> Contrasts:
        """How much darker than its surroundings each pixel of the reduced picture is."""
        return contrast(self.small)

    @cached_property
    def ink(self) -> Mask:
        """The ink of the reduced picture without its noise."""
        return ink_of(self.small, self.contrasts)

    @cached_property
    def pixels(self) -> Shades:
        """Those of the reduced picture."""
        return np.asarray(self.small)

    @cached_property
    def cells(self) -> Shades:
        """The mean grey levels of cells of PAPER_CELL_PX."""
        return np.asarray(self.small.reduce(PAPER_CELL_PX))

    @cached_property
    def darkest(self) -> int:
        """The grey level of the darkest ink, of which a sample of the full picture is enough."""
        sample = self.grey.resize(self.small.size, Image.Resampling.NEAREST)
        return int(np.searchsorted(np.cumsum(sample.histogram()), DARKEST_SHARE * sample.width * sample.height))


def overview(image: Image.Image) -> Overview:
    """The overview of a page's picture in any mode."""
    return Overview(grey(image))


def grey(image: Image.Image) -> Image.Image:
    """A picture of any mode in grey. `convert` would copy one that is grey already."""
    return image if image.mode == "L" else image.convert("L")


def reduction(image: Image.Image) -> int:
    """The factor by which a picture is reduced before it is measured."""
    return max(1, round(max(image.size) / ANALYSED_SIDE_PX))
