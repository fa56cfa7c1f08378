"""Child side: the variants of a page that may be read: turned by quarters, with level lines, enlarged; and samples.

Each is made once.
"""

from collections.abc import Callable
from dataclasses import replace

from PIL.Image import Image

from docserver.ocr.image.analysis import PageAnalysis
from docserver.ocr.image.preparation import count_changes, enlargement
from docserver.ocr.image.sampling import sample_rows
from docserver.ocr.image.shape import is_snippet
from docserver.ocr.image.transform import PageImage, cropped, scaled, turned
from docserver.ocr.image.way_up import way_up
from docserver.ocr.recognition.attempts import FEW_LINES_BELOW_PX
from docserver.ocr.recognition.orientation import with_level_lines
from docserver.ocr.recognition.tries import Tries


class PageVariants:
    """The variants of one page. Degrees are clockwise, and multiples of 90."""

    def __init__(self, page: PageImage, analysis: PageAnalysis | None, tries: Tries) -> None:
        """`page` is the page as it was prepared for Tesseract. `tries` are told what it costs to change it."""
        self._page = page
        self._analysis = analysis
        self._tries = tries
        self._enlargement, changes = 1.0, 0
        if analysis is not None:
            self._enlargement = enlargement(page, analysis)
            changes = count_changes(page, analysis)
            tries.add_changes(changes)
        self.is_changed = changes > 0 or self._enlargement != 1
        """True if the picture that is read may take longer than the original one."""
        self._level: dict[int, PageImage] = {}
        """0 or 90 degrees → the page turned by them, with level lines. Straightening may take as long as OCR."""
        self._ways_up: dict[int, int] = {}
        """0 or 90 degrees → whether the page turned by them is upright, as `way_up` has it."""
        self._samples: dict[int, PageImage] = {}
        """Degrees → a few lines of that page."""
        self._mirrored: dict[tuple[int, Callable[[Image], Image]], PageImage] = {}
        """Degrees and kind of mirror image → a few lines of it."""

    def level(self, degrees: int) -> PageImage:
        """The page turned by these degrees, with level lines."""
        if self._analysis is None:
            return turned(self._page, degrees)
        quarter = degrees % 180
        if quarter not in self._level:
            lying = turned(self._page, quarter)
            self._level[quarter] = with_level_lines(lying, self._analysis)
            if self._level[quarter] is not lying:
                self._tries.add_changes(1)
                self.is_changed = True
        return turned(self._level[quarter], degrees - quarter)

    def has_warped(self, degrees: int) -> bool:
        """True if curved lines of the page turned by these degrees have been made straight."""
        level = self._level.get(degrees % 180)
        return level is not None and level.warp is not None

    def enlarged(self, page: PageImage) -> PageImage:
        """A variant of the page at the size at which it is read best."""
        return page if self._enlargement == 1 else scaled(page, self._enlargement)

    def way_up(self, degrees: int) -> int:
        """1 if the page turned by these degrees is surely upright, -1 if it is surely upside down, otherwise 0."""
        if is_snippet(self._page.original_size):
            return 0
        quarter = degrees % 180
        if quarter not in self._ways_up:
            self._ways_up[quarter] = way_up(self.level(quarter).image)
        return self._ways_up[quarter] if degrees == quarter else -self._ways_up[quarter]

    def sample(self, degrees: int) -> PageImage:
        """A few lines of the page turned by these degrees."""
        if degrees not in self._samples:
            self._samples[degrees] = self._few_lines(self.level(degrees))
        return self._samples[degrees]

    def made_sample(self, degrees: int) -> PageImage | None:
        """The same if it has been made."""
        return self._samples.get(degrees % 360)

    def mirrored_sample(self, degrees: int, mirror: Callable[[Image], Image]) -> PageImage:
        """A few lines of the mirror image of the page turned by these degrees."""
        key = degrees, mirror
        if key not in self._mirrored:
            page = self.level(degrees)
            self._mirrored[key] = self._few_lines(replace(page, image=mirror(page.image)))
        return self._mirrored[key]

    def _few_lines(self, page: PageImage) -> PageImage:
        """A few lines of a page. In patterns without lines, a quarter of it, which is not enlarged."""
        if is_snippet(page.original_size):
            return self.enlarged(page)
        most = min(page.image.height, max(page.image.height // 4, FEW_LINES_BELOW_PX))
        top, bottom = sample_rows(page.image, most=most)
        lines = cropped(page, (0, top, page.image.width, bottom))
        return self.enlarged(lines) if bottom - top < most else lines
