"""Child side: draws a page, or a part of it, as viewers show it, in the size that a client wants, and marks words."""

from pathlib import Path

from PIL import Image, ImageDraw

from docserver.layout import Box, unpack_blocks, words_of
from docserver.ocr.image import decode
from docserver.ocr.limits import Limits
from docserver.ocr.pdf import render
from docserver.ocr.requests import DrawPage, View

PDF = "application/pdf"

MARKER = (255, 236, 110)
"""What a marked word is multiplied by: as a yellow marker, it leaves dark letters as they are."""

MARKED_LEVELS = [level * share // 255 for share in MARKER for level in range(256)]
"""What becomes of each level of red, green and blue in a marked word."""

OUTLINE = (230, 120, 0)
"""Drawn around marked words, which shows them also on dark paper."""

OPTIONS = {
    # Method 2 makes files smaller by a ninth, and takes a third longer. 80 shows no artefacts around letters.
    "WEBP": {"quality": 80, "method": 0},
    "PNG": {"compress_level": 1},
}
"""How pictures are written, by their kind."""


def write(request: DrawPage, source: str, limits: Limits) -> None:
    """Write the picture to the request's result file. Raises Unreadable."""
    view = request.view
    if request.content_type == PDF:
        picture = render.draw_view(
            source,
            page=request.page,
            view=view,
            dpi=request.dpi or limits.pdf_dpi,
            max_pixels=limits.max_page_pixels,
            scratch=Path(limits.scratch),
        )
    else:
        picture = decode.decode_part(
            source,
            request.content_type,
            page=request.page,
            part=view.part,
            size=view.size,
            max_pixels=limits.max_page_pixels,
        )
    if request.marked is not None:
        picture = _marked(picture, view, request.marked)
    # What a file says beside its pixels, such as where a photo was taken, is not a part of what is seen.
    picture.info.clear()
    picture.save(Path(limits.scratch) / request.result_file, request.form, **OPTIONS[request.form])


def _marked(picture: Image.Image, view: View, layout: bytes) -> Image.Image:
    """The picture with the words of a layout marked, which may be the same picture."""
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    boxes = [_on_picture(word.box, view) for word in words_of(unpack_blocks(layout))]
    shown = [box for box in boxes if box[2] >= 0 and box[3] >= 0 and box[0] < picture.width and box[1] < picture.height]
    mask = Image.new("1", picture.size)
    draw = ImageDraw.Draw(mask)
    for box in shown:
        draw.rectangle(box, fill=1)
    picture.paste(picture.point(MARKED_LEVELS), mask=mask)
    draw = ImageDraw.Draw(picture)
    for x0, y0, x1, y1 in shown:
        # Around the box, which is as narrow as the word.
        draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=OUTLINE)
    return picture


def _on_picture(box: Box, view: View) -> Box:
    """The pixels of the picture, the last ones included, that show a box of the page."""
    (across, down), (left, top, _, _) = view.scale, view.part
    x0, y0 = round((box[0] - left) * across), round((box[1] - top) * down)
    x1, y1 = round((box[2] - left) * across), round((box[3] - top) * down)
    return x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)
