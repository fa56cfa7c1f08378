"""Child side: reads a shape or a small picture alone, without what is around it, when it was not read as a letter."""

from collections.abc import Callable
from dataclasses import replace

from PIL import ImageOps, ImageStat

from docserver.layout import Block, Box, Rect, Word, confidence_of, with_boxes, words_of
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.enclosed import enclosed
from docserver.ocr.recognition.attempt import Attempt

MAX_READ_ALONE = 8
"""Most shapes of a page that are read alone. Each takes up to 0.2 s. A page with more is full of symbols."""

MIN_CONFIDENCE = 91.0
"""Smallest confidence of a letter that was read alone. Of symbols and logos, two in a hundred have as much."""

LIKE_SYMBOLS = frozenset("vVxXoO0lI")
"""Single letters that check marks, crosses, rings and bars are read as."""

BORDER_PX, MARGIN_PX = 3, 120
"""What is cut out around a shape, so that its edge shows the paper, and what is added, in pixels."""

HEIGHT_PX = 48
"""Height to which higher shapes are reduced. Tesseract takes larger ones for pictures."""


def letter_in_frame(picture: Picture, frame: Box, *, recognise: Callable[[Picture], Attempt]) -> Word | None:
    """The letter or digit that a frame on a page's picture encloses; None if that is none for certain, as a tick."""
    attempt = read_alone(picture, frame, origin=(0, 0, 0, 0), recognise=recognise, is_framed=True)
    return next(words_of(attempt.recognised.blocks)) if attempt else None


def read_alone(
    picture: Picture,
    place: Rect,
    *,
    origin: Box,
    recognise: Callable[[Picture], Attempt],
    is_framed: bool = False,
) -> Attempt | None:
    """What a shape in this place of a page's picture says, or what its frame encloses; None if that is no letter for
    certain. Places of words are from the upper left corner of `origin`. A shape that `is_framed` says nothing itself.
    """
    left, top = max(0, int(place[0]) - BORDER_PX), max(0, int(place[1]) - BORDER_PX)
    box = left, top, int(place[2]) + BORDER_PX + 1, int(place[3]) + BORDER_PX + 1
    shape = picture.image.crop(box).convert("L")
    letter = enclosed(shape)
    ink = ImageOps.invert(letter).getbbox() if letter else None
    for shown, height in ((None if is_framed else shape, shape.height), (letter, ink[3] - ink[1] if ink else 0)):
        if shown is None:
            continue
        scale = min(1.0, HEIGHT_PX / height)
        # Measure it before the picture is reduced, because that blurs the border away.
        paper = int(ImageStat.Stat(shown.crop((0, 0, shown.width, 1))).median[0])
        reduced = shown.resize((max(1, round(shown.width * scale)), max(1, round(shown.height * scale))))
        attempt = recognise(replace(picture, image=ImageOps.expand(reduced, MARGIN_PX, fill=paper)))
        if is_letter(attempt):
            return _moved(attempt, scale=scale, x=left - origin[0], y=top - origin[1])
    return None


def _moved(attempt: Attempt, *, scale: float, x: int, y: int) -> Attempt:
    """The attempt with the places of its words as they were before the shape was reduced and got a margin."""

    def before(read: Box) -> Box:
        x0, y0, x1, y1 = (round((side - MARGIN_PX) / scale) for side in read)
        return x0 + x, y0 + y, x1 + x, y1 + y

    blocks = tuple(
        Block(before(block.box), tuple(with_boxes(paragraph, before) for paragraph in block.paragraphs))
        for block in attempt.recognised.blocks
    )
    return replace(attempt, recognised=replace(attempt.recognised, blocks=blocks))


def is_letter(attempt: Attempt) -> bool:
    """True if a letter or digit was read for certain."""
    words = list(words_of(attempt.recognised.blocks))
    text = "".join(word.text for word in words)
    return confidence_of(words) >= MIN_CONFIDENCE and text.isalnum() and text not in LIKE_SYMBOLS
