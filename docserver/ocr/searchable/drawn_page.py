"""Child side: replaces what a PDF page draws by a picture of it. The page's size and its links stay."""

from zlib import compress

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import Image

from docserver.layout import Rect
from docserver.ocr.archival.annotations import keep_links
from docserver.ocr.archival.page_boxes import MAX_SIDE_PT, MIN_SIDE_PT
from docserver.ocr.searchable import embedding
from docserver.ocr.searchable.geometry import format_numbers, page_area, page_rotation, paper, upright_to_page

KEPT = frozenset({"/Type", "/Parent", "/Rotate", "/Annots", "/UserUnit"})


def replace_content(pdf: Pdf, page: pikepdf.Page, picture: Image.Image, *, quality: int | None) -> None:
    """Let a page show this picture, which is the page as viewers show it."""
    area, rotation = page_area(page.obj), page_rotation(page.obj)
    for key in set(page.obj.keys()) - KEPT:
        del page.obj[key]
    if min(_sides(area)) < MIN_SIDE_PT or max(_sides(area)) > MAX_SIDE_PT:
        # On a page of another size, links would be in the wrong places.
        page.obj.Annots = Array()
        area, rotation = paper(picture.size, None), 0
    else:
        keep_links(page.obj)
    page.obj.MediaBox, page.obj.Rotate = Array([*area]), rotation
    picture = embedding.in_grey_if_possible(picture)
    embedded = embedding.fine(pdf, picture) if quality is None else embedding.smaller(pdf, picture, quality=quality)
    matrix = upright_to_page((1, 1), rotation=0, page_rotation=rotation, area=area)
    operators = f"q {format_numbers(matrix.shorthand, digits=4)} cm /Page Do Q\n".encode()
    page.obj.Resources = Dictionary(XObject=Dictionary(Page=embedded))
    page.obj.Contents = pdf.make_stream(compress(operators), Filter=Name.FlateDecode)


def _sides(area: Rect) -> tuple[float, float]:
    return area[2] - area[0], area[3] - area[1]
