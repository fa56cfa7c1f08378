"""Child side: reads the text layer of a PDF page, step by step, unless the page needs OCR alone.

A text layer may be hidden, wrong, or only a part of the text that the page shows. What it lacks has to be read from the
page's picture. If it may be wrong, or lacks most, the layer is rejected, and the whole page has to be read.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from ctypes import pointer
from dataclasses import replace
from typing import Any

from PIL import Image

from docserver.elements import SelectionMark
from docserver.layout import Rect
from docserver.model import Reading
from docserver.ocr.errors import TextLayerRejected, Unreadable
from docserver.ocr.pdf import annotations, pdfium
from docserver.ocr.pdf.coordinates import PointsToPixels, scaled
from docserver.ocr.pdf.drawing import PageDrawing
from docserver.ocr.pdf.drawn_barcodes import drawn_barcodes
from docserver.ocr.pdf.form_marks import field_marks, with_drawn_marks
from docserver.ocr.pdf.glyphs.letter_pictures import letter_pictures
from docserver.ocr.pdf.glyphs.letter_shadows import letter_shadows, without_text_of
from docserver.ocr.pdf.glyphs.letter_shapes import letter_shapes
from docserver.ocr.pdf.page_objects import PageObjects, bounds_on_page, collect, widen_empty
from docserver.ocr.pdf.pdfium import NotForPdfium
from docserver.ocr.pdf.resolution import POINTS_PER_INCH, affordable_dpi
from docserver.ocr.pdf.verification.drawn_spaces import drawn_spaces
from docserver.ocr.pdf.verification.equal_grey import seen_in_colours_only
from docserver.ocr.pdf.verification.exact_words import exact_and_unread, unread_turned
from docserver.ocr.pdf.verification.hidden_texts import hidden_texts
from docserver.ocr.pdf.verification.illegible_words import legible, without_illegible
from docserver.ocr.pdf.verification.lost_letters import texts_with_lost_letters
from docserver.ocr.pdf.verification.marked_words import marked_words
from docserver.ocr.pdf.verification.seen_ink import Candidate, Seen
from docserver.ocr.pdf.verification.typed_over import in_one_line, patched_words
from docserver.ocr.pdf.verification.visible_words import visible
from docserver.ocr.pdf.verification.wrong_mappings import DocumentFonts, MappingCheck
from docserver.ocr.pdf.words.actual_texts import read_drawn_letters
from docserver.ocr.pdf.words.boxed_letters import joined_in_boxes
from docserver.ocr.pdf.words.comb_fields import CombField, comb_fields, joined
from docserver.ocr.pdf.words.covered_spaces import joined_over_spaces
from docserver.ocr.pdf.words.doubled_letters import restore_doubled
from docserver.ocr.pdf.words.drawn_rules import drawn_rules
from docserver.ocr.pdf.words.initials import initials
from docserver.ocr.pdf.words.letter_spacing import without_letter_spacing
from docserver.ocr.pdf.words.moved_digits import with_digits_in_order
from docserver.ocr.pdf.words.own_words import OwnWord, TextLayer
from docserver.ocr.pdf.words.pdf_words import UNMAPPED, PdfWord
from docserver.ocr.pdf.words.raised_digits import parted_from_raised_digits
from docserver.ocr.pdf.words.spread_letters import joined_spread_letters
from docserver.ocr.pdf.words.text_cells import as_array
from docserver.ocr.pdf.words.text_patches import has_contrast, is_blank
from docserver.ocr.pdf.words.text_words import TextPage
from docserver.ocr.pdf.words.touching_words import joined_where_touching
from docserver.ocr.pdf.words.turned_words import with_turned_words
from docserver.ocr.pdf.words.vertical_lines import in_vertical_lines, with_vertical_lines
from docserver.ocr.pdf.words.word_gaps import parted_at_gaps
from docserver.ocr.pdf.words.word_pieces import joined_pieces, pieces_of


def readings(
    source: str, *, pages: Sequence[int], dpi: int, max_pixels: int, check: MappingCheck, with_barcodes: bool
) -> Iterator[Reading]:
    """The text layers of these pages (from 1) of a PDF, up to the first page that needs OCR."""
    for layer in _layers(source, pages=pages, dpi=dpi, max_pixels=max_pixels, check=check, with_barcodes=with_barcodes):
        if not layer.is_exact:
            return
        yield layer.reading()


def layer_of(
    source: str, *, page: int, dpi: int, max_pixels: int, check: MappingCheck, with_barcodes: bool
) -> TextLayer | None:
    """The text layer of a page (from 1) of a PDF; None if the page has to be read by OCR alone. It has barcodes only if
    no OCR is needed: else they are looked for in the picture.
    """
    layers = _layers(source, pages=[page], dpi=dpi, max_pixels=max_pixels, check=check, with_barcodes=with_barcodes)
    return next(layers, None)


def _layers(
    source: str, *, pages: Sequence[int], dpi: int, max_pixels: int, check: MappingCheck, with_barcodes: bool
) -> Iterator[TextLayer]:
    try:
        with pdfium.opened(source) as document, check.of_document(document) as fonts:
            document.init_forms()
            for page in pages:
                yield read(
                    document,
                    source=source,
                    page=page,
                    dpi=dpi,
                    max_pixels=max_pixels,
                    fonts=fonts,
                    with_barcodes=with_barcodes,
                )
    except (TextLayerRejected, Unreadable, NotForPdfium):
        # Ignore the error here. If the page is broken, drawing it for OCR will report that.
        return


def read(
    document: Any,
    *,
    source: str,
    page: int,
    dpi: int,
    max_pixels: int,
    fonts: DocumentFonts,
    with_barcodes: bool = False,
) -> TextLayer:
    """The text layer of page `page` (from 1), with places on its image at `dpi` or less for a large page.

    `document` is the PdfDocument of the file `source`, with its forms initialised. Raises Unreadable, and
    TextLayerRejected if the page needs OCR alone.
    """
    if page > len(document):
        raise TextLayerRejected("no such page")
    pdf_page = pdfium.load(document, page)
    if annotations.count(pdf_page):
        # Flattening them may draw the page.
        pdfium.check_images(pdf_page, max_pixels=max_pixels)
    size = pdf_page.get_size()
    used_dpi = affordable_dpi(*size, page=page, dpi=dpi, max_pixels=max_pixels)
    # Round in the same way as pypdfium2 rounds the image's size, so that boxes are in the same pixels as with OCR.
    width, height = (math.ceil(side * used_dpi / POINTS_PER_INCH) for side in size)
    undrawn = annotations.prepare(pdf_page, source=source, number=page)
    is_drawn = not (undrawn or annotations.are_left_to_viewers(pdf_page, source=source, number=page))
    combs = comb_fields(document, pdf_page)
    fields = field_marks(pdf_page, PointsToPixels.of_page(pdf_page, width=width, height=height))
    if annotations.flatten(pdf_page):
        pdf_page = document[page - 1]
    to_pixels = PointsToPixels.of_page(pdf_page, width=width, height=height)
    try:
        return _layer(
            document,
            pdf_page,
            combs=combs,
            undrawn=undrawn,
            to_pixels=to_pixels,
            dpi=used_dpi,
            max_pixels=max_pixels,
            fonts=fonts,
            is_drawn=is_drawn,
            with_barcodes=with_barcodes,
            fields=fields,
        )
    except TextLayerRejected:
        if is_drawn:
            raise
        # OCR reads the whole page, but sees no more than PDFium draws.
        return TextLayer((), to_pixels, used_dpi, None, is_sure=False, lacks_most=True, selection_marks=fields)


def _layer(
    document: Any,
    pdf_page: Any,
    *,
    combs: Sequence[CombField],
    undrawn: Sequence[Rect],
    to_pixels: PointsToPixels,
    dpi: int,
    max_pixels: int,
    fonts: DocumentFonts,
    is_drawn: bool,
    with_barcodes: bool,
    fields: Sequence[SelectionMark],
) -> TextLayer:
    objects = collect(pdf_page)
    pdfium.check_sizes(pdf_page, (pointer(image.handle) for image in objects.images), max_pixels=max_pixels)
    if not objects.count and not annotations.count(pdf_page):
        return TextLayer((), to_pixels, dpi, None, barcodes=() if with_barcodes else None, selection_marks=())
    read_drawn_letters(document, pdf_page, objects.texts)
    drawing = PageDrawing(pdf_page)
    unseen, layers = hidden_texts(objects, drawing=drawing, to_pixels=to_pixels)
    with _without(unseen, objects):
        lost = texts_with_lost_letters(pdf_page, objects.texts, layers)
        words = _own_words(pdf_page, combs=combs, objects=objects, to_pixels=to_pixels, fonts=fonts)
    if not words and objects.images:
        raise TextLayerRejected("a picture without text")
    whole = drawing.whole()
    if is_blank(whole) and any(word.pdf_word.has_glyphs for word in words):
        raise TextLayerRejected("nothing of the text is drawn")
    candidates = _candidates(words, to_pixels=to_pixels, scale=whole.width / to_pixels.width)
    drawn = visible(candidates, whole=whole, drawing=drawing, objects=objects)
    shown, partly = _shown_and_partly_seen(words, drawn.seen)
    readable = legible(shown, to_pixels)
    typed_over = in_one_line(drawn.typed_over, words, to_pixels)
    is_sure = is_drawn and len(readable) == len(shown) and all(pair.is_patch for pair in typed_over)
    # A few mirrored words may be a logo, or what shows through glass; nobody reads them as they are said to be.
    is_sure &= not any(word.orientation.mirrored for word in readable)
    spaces = drawn_spaces(
        fonts.with_drawn_blanks(objects.texts.values()),
        words=[word.rect for word in words],
        drawing=drawing,
        width=to_pixels.width,
    )
    whole_words = list(joined_pieces(readable))
    turned = unread_turned(whole_words, whole=whole, to_pixels=to_pixels)
    exact, patches, lacks_most = exact_and_unread(
        whole_words,
        unseen=[
            *(word.rect for word in partly),
            *map(to_pixels.rect, undrawn),
            *seen_in_colours_only(objects, whole=whole, drawing=drawing, to_pixels=to_pixels),
        ],
        unexplained=[
            *(scaled(place, to_pixels.width / whole.width) for place in drawn.unexplained),
            *spaces,
            *to_pixels.rects(bounds_on_page(objects, lost)),
        ],
        whole=whole,
        objects=objects,
        to_pixels=to_pixels,
        turned=turned,
        beside=drawn.beside,
    )
    if lacks_most:
        return TextLayer(exact, to_pixels, dpi, patches, is_sure=is_sure, lacks_most=True, selection_marks=fields)
    single, repeated = _shapes(objects, whole=whole, words=words, exact=exact, to_pixels=to_pixels)
    marked = (
        *marked_words(exact, whole=whole, graphics=drawn.graphics, objects=objects, to_pixels=to_pixels),
        *patched_words((pair for pair in typed_over if pair.is_patch), words, to_pixels),
    )
    wrong = tuple(word for word in readable if word.seen_as and word not in turned)
    layer = TextLayer(
        exact,
        to_pixels,
        dpi,
        patches,
        partly_seen=tuple(partly),
        wrongly_mapped=wrong,
        drawn_spaces=tuple(spaces),
        shapes=single,
        markers=repeated,
        marked=marked,
        turned=tuple(turned),
        rules=tuple(drawn_rules(objects.paths, to_pixels)),
        is_sure=is_sure,
        selection_marks=fields,
    )
    if layer.is_exact:
        texts = (word.pdf_word.text for word in exact)
        marks = with_drawn_marks(fields, pdf_page, objects=objects, texts=texts, to_pixels=to_pixels)
        layer = replace(layer, selection_marks=marks)
    if with_barcodes and layer.is_exact:
        found = drawn_barcodes(pdf_page, whole=whole, objects=objects, to_pixels=to_pixels)
        layer = replace(layer, barcodes=found)
    return layer


def _shapes(
    objects: PageObjects,
    *,
    whole: Image.Image,
    words: Iterable[OwnWord],
    exact: Iterable[OwnWord],
    to_pixels: PointsToPixels,
) -> tuple[tuple[Rect, ...], tuple[Rect, ...]]:
    """The places of shapes and small pictures that look like letters, and of those that are repeated as markers are."""
    shapes = letter_shapes(objects.paths, words=[word.rect for word in words], to_pixels=to_pixels)
    seen = [[rect for rect in rects if has_contrast(whole, rect, to_pixels.width)] for rects in shapes]
    pictures = letter_pictures(objects.images, drawn=whole, words=[word.rect for word in exact], to_pixels=to_pixels)
    single, repeated = (tuple(itertools.chain(*places)) for places in zip(seen, pictures, strict=True))
    return single, repeated


def _own_words(
    page: Any, *, combs: Sequence[CombField], objects: PageObjects, to_pixels: PointsToPixels, fonts: DocumentFonts
) -> list[OwnWord]:
    """The words of the page, put together as one reads them, in pieces that may be visible or not."""
    with _text_of(page, objects) as (text_page, parts):
        at_gaps = parted_at_gaps(with_digits_in_order(parts, text_page), text_page)
        parted = list(parted_from_raised_digits(at_gaps, text_page))
        touching = joined_where_touching(parted, text_page, apart=in_vertical_lines(parted, text_page))
        spread = joined_spread_letters(touching, text_page)
        turned = with_turned_words(list(joined_over_spaces(spread, text_page)), text_page, painted=objects.texts)
        lines = with_vertical_lines(joined(turned, combs), text_page)
        words = without_letter_spacing(joined_in_boxes(lines, objects.paths), text_page)
        readable = without_illegible(words, text_page=text_page, objects=objects, to_pixels=to_pixels)
        painted = _painted_words(readable, text_page=text_page, objects=objects, to_pixels=to_pixels)
        for first, rest in initials(painted, text_page):
            first.whole = rest.whole
        return fonts.unmapped_where_wrong(painted, text_page, texts=objects.texts)


@contextmanager
def _text_of(page: Any, objects: PageObjects, *, turns: int | None = None) -> Iterator[tuple[TextPage, list[PdfWord]]]:
    """The page's text and its words, also those that PDFium leaves out at first because it has no glyphs for them, or
    takes them for others that are drawn twice. Letters that are shadows of others are in none of them.

    The page is read with this number of quarter turns. If that is None, it is read as it is shown, or if most words are
    not upright then, with the turns with which they are.
    """
    with closing(TextPage(page, turns=turns)) as text_page:
        words = list(text_page.words())
        if turns is None and (upright := _turns_of(words, page)) is not None:
            # PDFium puts what a line draws in order from left to right, as the page is shown.
            with _text_of(page, objects, turns=upright) as of_upright:
                yield of_upright
                return
        in_words = {word.address for word in words}
        if shadows := letter_shadows(objects.texts, word_starts=in_words):
            objects.shadows += map(objects.texts.__getitem__, shadows)
            with _without(shadows, objects), _text_of(page, objects, turns=turns) as of_letters:
                yield of_letters
                return
        restored = restore_doubled(objects.texts, read=in_words, text=text_page.handle)
        others = {address: handle for address, handle in objects.texts.items() if address not in in_words}
        if widen_empty(others) or restored:
            with closing(TextPage(page, turns=turns)) as wider:
                more = list(wider.words())
                if restored or not all(word.has_glyphs for word in more):
                    yield wider, more
                    return
        yield text_page, words


def _turns_of(words: Iterable[PdfWord], page: Any) -> int | None:
    """The quarter turns with which most words are upright; None if they are upright on the page as it is shown."""
    turns = [word.orientation.turns for word in words]
    shown = page.get_rotation() // 90
    if 2 * turns.count(shown) >= len(turns):
        return None
    most = max(range(4), key=turns.count)
    return most if most != shown else None


@contextmanager
def _without(texts: Iterable[int], objects: PageObjects) -> Iterator[None]:
    """PDFium reads none of the text objects with these addresses until the block ends. They stay among the others."""
    handles = [objects.texts.pop(address) for address in texts]
    objects.others += handles
    with without_text_of(handles):
        yield


def _painted_words(
    words: Iterable[PdfWord], *, text_page: TextPage, objects: PageObjects, to_pixels: PointsToPixels
) -> list[OwnWord]:
    """The pieces of the words on the page that are not drawn in an invisible mode."""
    painted = [
        (piece, word) for piece, word in pieces_of(words, text_page) if piece.address not in objects.invisible_texts
    ]
    rects = to_pixels.rects([piece.rect for piece, _ in painted])
    baselines = to_pixels.points(text_page.origins([piece for piece, _ in painted]))
    return [
        OwnWord(piece, rect, piece.orientation, baseline, word)
        for (piece, word), rect, baseline in zip(painted, rects, baselines, strict=True)
        if to_pixels.is_on_image(rect)
    ]


def _candidates(words: Sequence[OwnWord], *, to_pixels: PointsToPixels, scale: float) -> list[Candidate]:
    """The words with their places on a drawing of this scale."""
    per_point = to_pixels.pixels_per_point
    # This takes less time than to scale each rectangle.
    rects = zip(*(as_array([word.rect for word in words]) * scale).T.tolist(), strict=True)
    return [
        Candidate(
            word.pdf_word.text,
            rect,
            word.orientation.height * per_point * scale,
            word.pdf_word.address,
            word.pdf_word.has_glyphs,
        )
        for word, rect in zip(words, rects, strict=True)
    ]


def _shown_and_partly_seen(words: Iterable[OwnWord], seen: Sequence[Seen]) -> tuple[list[OwnWord], list[OwnWord]]:
    """The words that one sees, also those with unmapped letters, and the others of which one sees only a part."""
    if seen.count(Seen.ALL) == len(seen):
        return list(words), []
    shown, partly = [], []
    for word, part in zip(words, seen, strict=True):
        if part is Seen.PART and UNMAPPED not in word.pdf_word.text:
            partly.append(word)
        elif part is not Seen.NOTHING:
            shown.append(word)
    return shown, partly
