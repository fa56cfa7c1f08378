"""Child side: reads a page again with the second engine: the lines of which Tesseract was not sure, or all."""

from dataclasses import replace

from docserver.ocr.image.transform import PageImage, from_original, known_places, on_original
from docserver.ocr.languages import reads_all
from docserver.ocr.recognition.agreement import SURE_FROM
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.combination import combined
from docserver.ocr.recognition.ppocr.detector import line_around
from docserver.ocr.recognition.ppocr.engine import Ppocr
from docserver.ocr.recognition.tesseract import Recognised


def is_unsure(attempt: Attempt) -> bool:
    """True if the second engine may read the page better."""
    is_unsure_text = attempt.recognised.confidence < SURE_FROM and not attempt.is_blank
    is_unsure_text |= attempt.unread_share > 0
    # What shows through, or is nonsense to Tesseract, is left out with reason.
    return is_unsure_text and not attempt.left_out and reads_all(attempt.languages)


def read_again(attempt: Attempt, page: PageImage, engine: Ppocr, *, all_lines: bool = False) -> Attempt:
    """The attempt with the lines that the second engine reads better, or that it alone reads. `page` is the level page.

    With `all_lines`, the second engine reads all lines, and no word of Tesseract's is kept.
    """
    picture = page.image.convert("RGB")
    lines = engine.find(picture)
    first = attempt.recognised.blocks
    seen = from_original(first, page)
    both = combined(
        seen,
        [line.box for line in lines],
        read=lambda index: engine.read(picture, lines[index]),
        read_at=lambda box: engine.read(picture, line_around(box, picture.size)),
        all_lines=all_lines,
    )
    after = on_original(both.blocks, page, known=known_places(seen, first))
    return replace(attempt, recognised=Recognised.of(after), left_out=attempt.left_out or both.left_out)
