"""Child side: the visible words of a PDF page's text layer and what else has to be read on the page, as values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from docserver.elements import Barcode, Elements, SelectionMark, pack_elements
from docserver.layout import EXACT, Box, Rect, pack_blocks, text_of
from docserver.model import Reading, Source
from docserver.ocr.pdf.coordinates import Point, PointsToPixels, all_whole_pixels, squares_along_slanted
from docserver.ocr.pdf.layout.line_segments import PlacedWord
from docserver.ocr.pdf.words.pdf_words import PdfWord, TextOrientation, is_right_to_left
from docserver.ocr.pdf.words.placement import PagePlacement
from docserver.ocr.pdf.words.text_patches import TextPatches
from docserver.ocr.tables.frame import Frame
from docserver.ocr.tables.page import PageTables, tables_of
from docserver.ocr.tables.rules import rules_of

MAX_UNSURE_CONFIDENCE = 99.0
"""Most confidence of a page that may have text which was not read."""


@dataclass(slots=True)
class OwnWord:
    """A word of the text layer, with its place on the page's image in pixels. Not frozen, to save time."""

    pdf_word: PdfWord
    rect: Rect
    orientation: TextOrientation
    baseline: Point
    """The point on the baseline where the word begins."""
    whole: PdfWord
    """The word that this is, or of which this is a piece."""
    seen_as: tuple[str, ...] = ()
    """What each letter may be read as, as regular expressions, if the font draws some as other letters."""

    def direction(self, to_pixels: PointsToPixels) -> float:
        """Degrees counterclockwise from upright, on the page's image."""
        return (90.0 * (self.orientation.turns - to_pixels.turns) + self.orientation.slant) % 360.0

    def places(self, to_pixels: PointsToPixels) -> Iterable[Rect]:
        """Rectangles that cover the word, and little beside it."""
        if not self.orientation.slant:
            return [self.rect]
        size = self.orientation.height * to_pixels.pixels_per_point
        return squares_along_slanted(self.rect, size=size, direction=self.direction(to_pixels))


def _upright(words: Iterable[OwnWord], boxes: Iterable[Box], *, per_point: float) -> list[PlacedWord]:
    """Upright words as they stand on the page's image, in a fifth of the time that `PagePlacement.add` takes."""
    return [
        PlacedWord(
            (text := word.pdf_word.text),
            word.rect[0],
            word.rect[2],
            word.baseline[1],
            max(word.orientation.height * per_point, 1.0),
            not text.isascii() and is_right_to_left(text),
            box,
        )
        for word, box in zip(words, boxes, strict=True)
    ]


def are_upright(words: Sequence[OwnWord], to_pixels: PointsToPixels) -> bool:
    """True if most of the words stand upright on the page's image."""
    return 2 * sum(word.orientation.turns == to_pixels.turns for word in words) >= len(words)


@dataclass(frozen=True, slots=True)
class MarkedPart:
    """An own word, or a mark beside own words that may be a part of them."""

    rect: Rect
    """In pixels of the page's image."""
    seen_as: str
    """What it may be read as, as a regular expression."""
    word: OwnWord | None
    """None for a mark."""
    gap: float
    """The gap before it, as a share of the letters' size."""
    sign: str = ""
    """What it says, however it is read."""
    heights: tuple[float, float] | None = None
    """How far above the baseline a mark that may be a letter begins and ends, as shares of the letters' size."""
    upright: Rect | None = None
    """Where a mark beside slanted words is if the page's image is turned around its upper left corner so that they are
    upright."""


@dataclass(frozen=True, slots=True)
class MarkedWords:
    """Own words and the marks beside them, from left to right."""

    parts: tuple[MarkedPart, ...]
    turns: int
    """The nearest quarter turns counterclockwise from upright, on the page's image."""
    direction: float = 0.0
    """Degrees counterclockwise from upright, of slanted words."""
    upright: Rect | None = None
    """The rectangle around slanted words and their marks, on the image turned in the same way."""
    is_longer: bool = True
    """True if one sees more characters than the own words have."""


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The visible words of a page's text layer, and what else looks like text on the page."""

    words: tuple[OwnWord, ...]
    to_pixels: PointsToPixels
    dpi: int
    patches: TextPatches | None
    """The parts of the page's image that have to be read by OCR; None if there are none."""
    partly_seen: tuple[OwnWord, ...] = ()
    """Words of which something is hidden. What is left of them has to be read too."""
    wrongly_mapped: tuple[OwnWord, ...] = ()
    """Words with letters that the font draws as others. It is known what they may be read as."""
    drawn_spaces: tuple[Rect, ...] = ()
    """The places of what the font calls a space though it draws something. Each has to be in a word that is read."""
    shapes: tuple[Rect, ...] = ()
    """The places of shapes and small pictures that look like letters. They have to be read one by one."""
    markers: tuple[Rect, ...] = ()
    """The places of shapes and small pictures that are repeated as markers are. They may be letters."""
    marked: tuple[MarkedWords, ...] = ()
    turned: tuple[OwnWord, ...] = ()
    """Words with unmapped letters that stand in another direction than the page. Each has to be read alone."""
    rules: tuple[Rect, ...] = ()
    """The places of ruled lines, in pixels of the page's image."""
    is_sure: bool = True
    """False if words were left out that some may read, or viewers draw more than PDFium, whatever OCR reads."""
    lacks_most: bool = False
    """True if the page has more text than the layer, as a scan with a stamp has. OCR has to read the whole page."""

    barcodes: tuple[Barcode, ...] | None = None
    """None if they were not looked for."""
    selection_marks: Sequence[SelectionMark] = ()
    """The boxes of the page's form, and those that are drawn, if the page needs no OCR."""

    @property
    def is_exact(self) -> bool:
        """True if nothing has to be read by OCR."""
        return self.patches is None and not (
            self.shapes or self.markers or self.marked or self.turned or self.lacks_most
        )

    def placement(self, turned: Iterable[tuple[OwnWord, float]] = ()) -> PagePlacement:
        """The words, with those that were recognised in the places of turned ones, and how sure these are."""
        to_pixels = self.to_pixels
        size = to_pixels.width, to_pixels.height
        placement = PagePlacement(width=size[0], height=size[1])
        words = [*((word, EXACT) for word in self.words), *turned]
        boxes = all_whole_pixels([word.rect for word, _ in words], *size)
        per_point = to_pixels.pixels_per_point
        if len(words) == len(self.words) and self._is_all_upright():
            placement.add_upright(_upright(self.words, boxes, per_point=per_point))
            return placement
        for (word, confidence), box in zip(words, boxes, strict=True):
            placement.add(
                word.pdf_word.text,
                word.rect,
                box=box,
                baseline=word.baseline,
                size=word.orientation.height * per_point,
                right_to_left=word.pdf_word.right_to_left,
                direction=word.direction(to_pixels),
                confidence=confidence,
            )
        return placement

    def _is_all_upright(self) -> bool:
        """True if there are words, and all stand upright. Those of a text object share their orientation."""
        orientations = {id(word.orientation): word.orientation for word in self.words}.values()
        turns = self.to_pixels.turns
        return bool(orientations) and all(one.turns == turns and not one.slant for one in orientations)

    @property
    def is_upright(self) -> bool:
        """True if most words stand upright on the page's image."""
        return are_upright(self.words, self.to_pixels)

    def with_tables(self, placement: PagePlacement) -> PageTables:
        """The blocks of placed words, and the tables among them in the direction in which most words stand."""
        blocks, upside_down = placement.blocks()
        frame = Frame(self.to_pixels.width, self.to_pixels.height, placement.rotation)
        found = tables_of(blocks, frame, rules=lambda frame: rules_of(self.rules, frame))
        return PageTables((*found.blocks, *upside_down), found.tables)

    def reading(self) -> Reading:
        """The reading of a page that needs no OCR."""
        blocks, tables = self.with_tables(self.placement())
        return Reading(
            width=self.to_pixels.width,
            height=self.to_pixels.height,
            dpi=self.dpi,
            rotation=0,
            source=Source.TEXT_LAYER,
            confidence=EXACT if self.is_sure else MAX_UNSURE_CONFIDENCE if blocks else 0.0,
            text=text_of(blocks),
            layout=pack_blocks(blocks),
            needs_review=not self.is_sure,
            packed_elements=pack_elements(
                Elements(barcodes=self.barcodes, tables=tables, selection_marks=tuple(self.selection_marks))
            ),
        )
