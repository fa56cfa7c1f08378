"""Child side: how a page's picture becomes its text: prepared as it needs, read, and read again where that helps."""

from collections.abc import Iterator
from dataclasses import replace

from docserver.layout import lines_of
from docserver.ocr.image.analysis import SMALL_PX, Look, look, sample
from docserver.ocr.image.decode import MAX_SIDE, Picture
from docserver.ocr.image.transform import (
    Prepared,
    cut,
    despeckled,
    evenly_lit,
    framed,
    in_grey,
    inverted,
    on_page,
    scaled,
    straightened,
    stretched,
    turned,
    ungrained,
    unruled,
)
from docserver.ocr.recognition.language_detection import Choice
from docserver.ocr.recognition.tesseract import Layout, Recognised, Tesseract

LEAST_SKEW, LEAST_SKEW_ON_PHOTOS = 1.5, 0.5
"""Degrees. Tesseract follows lines that lie less askew by itself; on photos some fall by more than others."""

CLEAR, CLEAR_ON_PHOTOS = 1.7, 1.45
"""A direction less clear than this is that of a picture or of noise; lines on photos are not quite parallel."""

CLEAR_IF_SMALL = 5.0
"""The slope of a few letters is that of their tops: only a long line is clearer than this."""

ON_ITS_SIDE, NOT_ON_ITS_SIDE = 0.4, 2.5
"""Lines that lie so much better along than across: below the one the page lies on its side, above the other it does
not, and between them the rules and columns of a form may stand out more than its lines."""

MUCH = 1000.0
"""Weight of a dozen letters: on a page that lies on its side Tesseract may still read a stamp or a number."""

MARGIN_PX = 40
"""Tesseract misses letters that touch the edge of a picture, and reads them with some paper around."""

STROKE_PX = 2.7
"""Strokes of 10-point letters at 200 dpi; thicker ones are read as well, and a fifth faster, if they are no larger."""

ENOUGH_PX = 2100
"""A4 at 180 dpi; of a page that is no smaller also those letters can be read whose strokes are thinner than most."""

LEAST_SCALE = 0.25
"""Of a small picture: what is too thick even then is no letter, and there may be some beside it."""

LESS = 0.8
"""Scaling costs about what a page of so much the size saves."""

THIN_PX, THIN_IF_SMALL_PX = 2.0, 1.0
"""Strokes of 10-point letters at 150 dpi and below, and at 75; single words are read worse if they are enlarged."""

LITTLE_PX, LITTLE_FORM_PX = 1300, 2000
"""A4 at 110 dpi, and at 170: of smaller pages thin letters are read better at twice the size, at the cost of others."""

BLURRED_PX = 3.0
"""Blur makes strokes so much thicker than THIN_PX that the letters on little pages look larger than they are."""

BARELY, WELL = 40.0, 92.0
"""Confidence of a text that may be read better, and of one that cannot be read much better."""

TINY_PX = 900
"""A4 at 75 dpi is smaller: read better yet at three times the size."""

SPECKLED = 12.0
"""In ten thousand pixels; around small or faintly printed letters there are up to 6, which are parts of them."""

RULED = 8.0
"""A page of more rules is a form or a table: Tesseract takes cells for pictures, and their columns for columns."""

NARROW = 1.75
"""A page so much higher than wide is a receipt or a column: one block of lines, whatever gaps there are in them."""

NARROW_IF_SLIM, SLIM_PX = 1.5, 600
"""The same of a picture of so few pixels across that it could hardly be legible if it were a page of a letter."""

LOW_PX = 150
"""A picture lower than this holds a line or a few, and one narrower a line on end: there are no columns to look for."""

UNEVEN = 0.7
"""Light so uneven hides letters from a threshold that is the same for the whole page."""

HIDDEN = 0.035
"""Light less uneven than that hides them where so much of the paper is on the dark side of such a threshold."""

COLOURED = 64
"""Colours that differ more may tell letters from paper of the same shade; else grey is read as well, a third faster."""

SURE, SURE_IF_UNCLEAR = 60.0, 70.0
"""Confidence of an upright text, however badly printed; one that is upside down is read with 20 to 40, a line of it
with up to 55, and some words with more. The other where the looks do not tell how the page lies."""

NEARLY = 0.9
"""Of a page turned upright as much is read as of the same on its side, which may come by a few letters more."""

TALL = 0.5
"""Share of the longer lines that stand on end where Tesseract has found by itself that they run downwards."""

LONG_LINE = 4
"""Letters of a line that is surely wider than it is high."""

DOWNWARDS = 270
"""The turn that sets lines which run downwards upright, in degrees clockwise."""


def read(picture: Picture, tesseract: Tesseract, *, languages: str, turning: bool) -> tuple[Recognised, int]:
    """What stands on the page, and the degrees clockwise by which it must be turned to be upright. Raises Unreadable.

    Without `turning` the page is taken for upright, and only straightened. Else, of the four ways that a page may lie,
    those that its looks allow are tried, while none is read surely.
    """
    page, seen = _prepared(picture)
    return _found(page, seen, tesseract, languages=languages, turning=turning)


def read_in_any(
    picture: Picture, tesseract: Tesseract, *, choice: Choice, turning: bool
) -> tuple[Recognised, int, str]:
    """What `read` gives, with the model that was chosen for it. Raises Unreadable.

    The model is chosen by a few lines; where all that was read tells another one, the better of both readings is taken.
    """
    page, seen = _prepared(picture)
    model = choice.by_samples(_samples(page, seen, turning=turning), tesseract) if seen else choice.preferred
    found, rotation = _found(page, seen, tesseract, languages=model, turning=turning)
    other = choice.by_text(found.text, model)
    if other != model:
        again = _found(page, seen, tesseract, languages=other, turning=turning)
        if again[0].weight > found.weight:
            return *again, other
    return found, rotation, model


def _prepared(picture: Picture) -> tuple[Prepared, Look | None]:
    """The page as it is read, and as it looked; None if it is blank."""
    page = stretched(Prepared(picture.image, picture.dpi, picture.image.size), picture.pixel_height)
    seen = look(page.image)
    return (_sized(_cleared(_lit(page, seen), seen), seen) if seen else page), seen


def _found(
    page: Prepared, seen: Look | None, tesseract: Tesseract, *, languages: str, turning: bool
) -> tuple[Recognised, int]:
    if seen is None:
        found, rotation = _read(page, tesseract, languages=languages, layout=Layout.PAGE)
    else:
        found, rotation = _best(page, seen, tesseract, languages=languages, turning=turning)
    return found, rotation if turning else 0


def _samples(page: Prepared, seen: Look, *, turning: bool) -> Iterator[Prepared]:
    """Some lines of the page, in each of the directions that it may have, the likeliest first."""
    for degrees in _directions(page, seen, turning=turning):
        straight = _straight(turned(page, degrees), seen)
        top, bottom = sample(straight.image)
        yield cut(straight, top=top, bottom=bottom)


def _best(page: Prepared, seen: Look, tesseract: Tesseract, *, languages: str, turning: bool) -> tuple[Recognised, int]:
    candidates = _candidates(page, seen, turning=turning)
    clear = not ON_ITS_SIDE <= seen.upright < NOT_ON_ITS_SIDE
    sure = SURE if clear else SURE_IF_UNCLEAR
    much = 0.0 if _small(page) or seen.upright >= NOT_ON_ITS_SIDE else MUCH
    best = _tried(next(candidates), seen, tesseract, languages=languages, turning=turning)
    while (best[0].confidence < sure or best[0].weight < much) and (candidate := next(candidates, None)):
        again = _tried(candidate, seen, tesseract, languages=languages, turning=turning)
        best = max(best, again, key=lambda reading: reading[0].weight)
    return best


def _candidates(page: Prepared, seen: Look, *, turning: bool) -> Iterator[Prepared]:
    """What the page may be, the likeliest first."""
    directions = _directions(page, seen, turning=turning)
    yield turned(page, directions[0])
    grey = page
    if page.image.mode == "RGB":
        # Its colours may be what hid the letters.
        grey = in_grey(page)
        yield turned(grey, directions[0])
    for degrees in directions[1:]:
        yield turned(grey, degrees)


def _directions(page: Prepared, seen: Look, *, turning: bool) -> tuple[int, ...]:
    """By how many degrees clockwise the page may have to be turned, the likeliest first."""
    if not turning:
        return (0,)
    if _small(page) or _narrow(page.image.size):
        # The columns of a receipt may stand out more than its lines.
        return (0, 180, 90, 270)
    if seen.upright < ON_ITS_SIDE:
        return (90, 270, 0)
    return (0, 180, 90, 270) if seen.upright < NOT_ON_ITS_SIDE else (0, 180)


def _small(page: Prepared) -> bool:
    return min(page.size) < SMALL_PX


def _narrow(size: tuple[int, int]) -> bool:
    width, height = size
    return height > (NARROW_IF_SLIM if width < SLIM_PX else NARROW) * width


def _may_be_narrow(page: Prepared, seen: Look) -> bool:
    """Whether the page is narrow as it lies, or may be so when it is turned."""
    if _narrow(page.image.size):
        return True
    return not _small(page) and seen.upright < NOT_ON_ITS_SIDE and _narrow(page.image.size[::-1])


def _ruled(seen: Look) -> bool:
    return seen.rules > RULED


def _lit(page: Prepared, seen: Look) -> Prepared:
    if seen.dark:
        page = inverted(page)
    if seen.light < UNEVEN or seen.hidden > HIDDEN:
        return evenly_lit(page)
    return page if seen.colour > COLOURED else in_grey(page)


def _cleared(page: Prepared, seen: Look) -> Prepared:
    """The page with nothing that letters could touch: neither specks, nor rules, nor the edge of the picture."""
    if seen.specks > SPECKLED:
        page = despeckled(page)
    page = ungrained(page)
    if _small(page) and max(page.image.size) + 2 * MARGIN_PX <= MAX_SIDE:
        return framed(page, MARGIN_PX)
    return unruled(page) if _ruled(seen) else page


def _sized(page: Prepared, seen: Look) -> Prepared:
    longer = max(page.image.size)
    least = LEAST_SCALE if _small(page) else ENOUGH_PX / longer
    enough = max(STROKE_PX / max(seen.stroke_px, 1.0), least)
    if enough <= LESS:
        return scaled(page, enough)
    little = longer < (LITTLE_FORM_PX if _ruled(seen) else LITTLE_PX)
    thin = seen.stroke_px <= (THIN_IF_SMALL_PX if _small(page) else THIN_PX)
    if thin and little and not _may_be_narrow(page, seen):
        return scaled(page, 3.0 if longer < TINY_PX and not _small(page) else 2.0)
    return page


def _straight(page: Prepared, seen: Look | None) -> Prepared:
    if page.rotation in (90, 270):
        # Seen were the lines that lay along the page as it came.
        seen = look(page.image)
    if seen is None:
        return page
    least, clear = (LEAST_SKEW_ON_PHOTOS, CLEAR_ON_PHOTOS) if seen.light < UNEVEN else (LEAST_SKEW, CLEAR)
    if _small(page):
        clear = CLEAR_IF_SMALL
    return straightened(page, seen.skew) if abs(seen.skew) >= least and seen.clarity >= clear else page


def _layout(page: Prepared, seen: Look) -> Layout:
    width, height = page.image.size
    if height < LOW_PX or (_narrow(page.image.size) and width >= LOW_PX):
        return Layout.BLOCK
    return Layout.COLUMN if _ruled(seen) else Layout.PAGE


def _may_be_blurred(page: Prepared, seen: Look) -> bool:
    little = max(page.image.size) < LITTLE_PX and not (_small(page) or _may_be_narrow(page, seen))
    return little and THIN_PX < seen.stroke_px <= BLURRED_PX


def _tried(
    page: Prepared, seen: Look, tesseract: Tesseract, *, languages: str, turning: bool
) -> tuple[Recognised, int]:
    straight = _straight(page, seen)
    layout = _layout(straight, seen)
    reading = _read(straight, tesseract, languages=languages, layout=layout)
    if not reading[0].text and layout is Layout.PAGE:
        # It took all of it for one picture, perhaps for the sake of a dark edge around.
        reading = _read(straight, tesseract, languages=languages, layout=Layout.COLUMN)
    if _may_be_blurred(straight, seen) and BARELY <= reading[0].confidence < WELL:
        again = _read(scaled(straight, 2.0), tesseract, languages=languages, layout=layout)
        reading = max(reading, again, key=lambda one: one[0].weight)
    if turning and reading[1] != straight.rotation:
        upright = turned(straight, DOWNWARDS)
        again = _read(upright, tesseract, languages=languages, layout=_layout(upright, seen))
        # Of lines that run downwards it reads, for one, a receipt's names and prices apart. Those of Chinese may do so
        # on a page that is upright.
        return again if again[0].weight >= NEARLY * reading[0].weight else (reading[0], straight.rotation)
    return reading


def _read(page: Prepared, tesseract: Tesseract, *, languages: str, layout: Layout) -> tuple[Recognised, int]:
    found = tesseract.recognise(page.image, dpi=page.dpi, languages=languages, layout=layout)
    rotation = page.rotation + (DOWNWARDS if _runs_downwards(found) else 0)
    return replace(found, blocks=on_page(found.blocks, page)), rotation % 360


def _runs_downwards(found: Recognised) -> bool:
    boxes = [line.box for line in lines_of(found.blocks) if sum(len(word.text) for word in line.words) >= LONG_LINE]
    tall = sum(box[3] - box[1] > box[2] - box[0] for box in boxes)
    return tall > TALL * len(boxes)
