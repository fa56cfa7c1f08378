"""Barcodes: which are found on pictures and PDF pages, what they say and where they are; and what is none."""

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from PIL import Image, ImageOps
from reportlab.graphics import renderPDF
from reportlab.graphics.barcode import code128, eanbc, qrencoder
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.pdfgen.canvas import Canvas

from docserver.elements import BARCODE_KINDS, Barcode
from docserver.layout import Box, area
from docserver.ocr.child import tasks
from docserver.ocr.image import barcodes as image_barcodes
from docserver.ocr.image.barcodes import without_barcodes
from docserver.ocr.image.connected import connected, first_connected
from docserver.ocr.image.dense_places import dense_places
from docserver.ocr.image.overview import overview
from docserver.ocr.requests import ReadOwnTexts
from docserver.reading_options import Options
from tests.support.limits import LIMITS
from tests.support.recognition import sheet
from tests.support.samples.pdf_layers import PROSE, lines, pdf

TEXTS = {
    "Aztec": "ticket 0815",
    "Codabar": "A123456A",
    "Code128": "INV-2024-00123",
    "Code39": "PART-7731",
    "Code93": "ABC1234",
    "DataBar": "0112345678901231",
    "DataMatrix": "ABC-123456789",
    "EAN13": "4006381333931",
    "EAN8": "96385074",
    "ITF": "12345678901231",
    "MicroPDF417": "hello",
    "MicroQRCode": "12345",
    "PDF417": "The quick brown fox",
    "QRCode": "https://example.org/4711",
    "RMQRCode": "12345abc",
    "UPCA": "036000291452",
    "UPCE": "01234565",
}


def code(kind: str, content: str | bytes, *, scale: int = 5) -> Image.Image:
    made = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, kind))
    return ImageOps.expand(Image.fromarray(np.array(made.to_image(scale=scale))), 20, fill=255)


def barcodes(picture: Image.Image) -> tuple[Barcode, ...]:
    return image_barcodes.barcodes(overview(picture))


def page(picture: Image.Image, *, at: tuple[int, int] = (200, 150)) -> Image.Image:
    """A page of text with a picture above it."""
    made = Image.new("L", (1240, 1754), 255)
    made.paste(sheet().point([min(255, level + 10) for level in range(256)]), (0, 754))
    made.paste(picture, at)
    return made


@pytest.mark.parametrize("kind", BARCODE_KINDS)
def test_a_barcode_on_a_page_says_its_kind_and_its_text(kind: str) -> None:
    (found,) = barcodes(page(code(kind, TEXTS[kind])))

    assert (found.kind, found.text, found.data) == (kind, TEXTS[kind], None)


def test_the_box_of_a_barcode_is_around_its_modules() -> None:
    picture = code("QRCode", "box")
    left, top, right, bottom = ImageOps.invert(picture).getbbox() or (0, 0, 0, 0)

    (found,) = barcodes(page(picture, at=(400, 300)))

    expected = (400 + left, 300 + top, 400 + right, 300 + bottom)
    assert max(abs(side - other) for side, other in zip(found.box, expected, strict=True)) <= 2


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("kind", ["QRCode", "Code128"])
def test_the_rotation_is_that_by_which_the_barcode_becomes_upright(kind: str, degrees: int) -> None:
    lying = code(kind, TEXTS[kind]).rotate(degrees, expand=True)

    (found,) = barcodes(page(lying))

    assert (found.text, found.rotation) == (TEXTS[kind], degrees)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_barcodes_are_found_in_pictures_of_each_mode(mode: str) -> None:
    assert [found.text for found in barcodes(page(code("QRCode", "mode")).convert(mode))] == ["mode"]


def test_all_barcodes_of_a_page_are_found_from_the_top_down() -> None:
    several = page(code("Code128", "FIRST-1"), at=(500, 40))
    several.paste(code("QRCode", "second"), (100, 320))
    several.paste(code("DataMatrix", "third"), (900, 560))

    assert [found.text for found in barcodes(several)] == ["FIRST-1", "second", "third"]


def test_a_barcode_that_is_light_on_dark_is_found() -> None:
    assert [found.text for found in barcodes(page(ImageOps.invert(code("QRCode", "inverted"))))] == ["inverted"]


def test_a_low_barcode_on_a_small_picture_is_found() -> None:
    strip = code("Code128", "LOW-4711", scale=2)

    assert [found.text for found in barcodes(strip.crop((0, 50, strip.width, 80)))] == ["LOW-4711"]


@pytest.mark.parametrize(
    ("content", "text"),
    [(bytes(range(256)), None), (b"\x00\x01\xff", None), ("Größe €".encode(), "Größe €"), (b"a\tb\r\nc", "a\tb\r\nc")],
)
def test_bytes_that_are_no_text_are_given_in_base64(content: bytes, text: str | None) -> None:
    (found,) = barcodes(page(code("QRCode", content)))

    assert found.text == text
    assert found.data == (None if text else base64.b64encode(content).decode())


def test_bytes_in_no_encoding_are_given_in_base64_if_the_barcode_names_none() -> None:
    content = b"\xff\xfe\x80\x81abc\xc3("
    made = qrencoder.QRCode(None, qrencoder.QRErrorCorrectLevel.M)
    made.addData(qrencoder.QR8bitByte(content))
    made.make()
    modules = range(made.getModuleCount())
    light = np.array([[not made.isDark(y, x) for x in modules] for y in modules])
    picture = ImageOps.expand(Image.fromarray(light.repeat(5, axis=0).repeat(5, axis=1)).convert("L"), 20, fill=255)

    (found,) = barcodes(page(picture))

    assert (found.text, found.data) == (None, base64.b64encode(content).decode())


def test_more_barcodes_are_found_than_the_decoder_gives_at_once() -> None:
    side, pitch = 17, 60
    sheet_of_codes = Image.new("L", (side * pitch, side * pitch), 255)
    for number in range(side * side):
        made = zxingcpp.create_barcode(f"label {number:03}", zxingcpp.BarcodeFormat.QRCode)
        picture = Image.fromarray(np.array(made.to_image(scale=2, add_quiet_zones=False)))
        sheet_of_codes.paste(picture, (number % side * pitch + 5, number // side * pitch + 5))

    found = [barcode.text for barcode in barcodes(sheet_of_codes)]

    assert sorted(found, key=str) == [f"label {number:03}" for number in range(side * side)]


def test_the_dark_edges_around_a_page_are_no_dense_places() -> None:
    edged = page(code("QRCode", "inside"))
    edged.paste(30, (0, 0, edged.width, 30))
    edged.paste(30, (edged.width - 30, 0, edged.width, edged.height))
    edged.paste(30, (0, edged.height - 30, edged.width, edged.height))
    edged.paste(30, (0, 0, 30, edged.height))

    places = dense_places(overview(edged))

    assert len(places) == 1
    assert area(places[0]) < 0.1 * edged.width * edged.height
    assert [barcode.text for barcode in barcodes(edged)] == ["inside"]


@pytest.mark.parametrize("kind", ["QRCode", "Code128"])
def test_a_label_with_a_barcode_on_a_dark_table_is_found(kind: str) -> None:
    label = code(kind, TEXTS[kind])
    table = Image.new("L", (1240, 1754), 60)
    table.paste(label, (table.width - label.width, 300))

    assert [barcode.text for barcode in barcodes(table)] == [TEXTS[kind]]


def test_short_barcodes_without_a_check_digit_are_none() -> None:
    assert barcodes(page(code("ITF", "1234"))) == ()


def test_a_page_of_text_has_no_barcodes() -> None:
    assert barcodes(page(Image.new("L", (10, 10), 255))) == ()
    assert barcodes(Image.new("L", (1240, 1754), 128)) == ()


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_paper_takes_the_place_of_barcodes_that_ocr_would_read(mode: str) -> None:
    whole = page(code("Code128", "HIDDEN-1")).convert(mode)
    (found,) = barcodes(whole)

    cleaned = without_barcodes(whole, [found])

    assert cleaned.mode == mode
    assert cleaned.crop(found.box).convert("L").getextrema() == (255, 255)
    assert without_barcodes(whole, []) is whole


def test_groups_of_pixels_are_connected_also_at_corners() -> None:
    rows = ["##....#", "..#...#", "......#", ".#.##..", "##.##.#"]
    ink = np.array([[cell == "#" for cell in row] for row in rows])

    groups = sorted(map(tuple, connected(ink).tolist()))

    assert groups == [(0, 0, 3, 2), (0, 3, 2, 5), (3, 3, 5, 5), (6, 0, 7, 3), (6, 4, 7, 5)]
    assert connected(np.zeros((3, 3), dtype=np.bool_)).size == 0


def test_the_first_group_is_connected_at_the_sides_of_pixels() -> None:
    rows = ["..#.#", "..###", ".#...", "#...#"]
    ink = np.array([[cell == "#" for cell in row] for row in rows])

    first = first_connected(ink)

    assert np.argwhere(first).tolist() == [[0, 2], [0, 4], [1, 2], [1, 3], [1, 4]]


def drawn(draw: Callable[[Canvas], None]) -> bytes:
    def with_text(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        draw(canvas)

    return pdf(with_text)


def as_bars(canvas: Canvas) -> None:
    code128.Code128("BARS-4711", barHeight=40, barWidth=1.2).drawOn(canvas, 300, 60)


def as_squares(canvas: Canvas) -> None:
    widget = Drawing(90, 90)
    widget.add(QrCodeWidget("squares", barWidth=90, barHeight=90))
    renderPDF.draw(widget, canvas, 300, 60)


def as_retail_code(canvas: Canvas) -> None:
    widget = Drawing(200, 100)
    widget.add(eanbc.Ean13BarcodeWidget("4006381333931"))
    renderPDF.draw(widget, canvas, 300, 60)


def own_barcodes(data: bytes, path: Path, *, wanted: bool = True) -> tuple[Barcode, ...] | None:
    path.write_bytes(data)
    options = Options("eng", barcodes=wanted)
    request = ReadOwnTexts(content_type="application/pdf", pages=[1], options=options)
    limits = replace(LIMITS, pdf_dpi=300, max_page_pixels=50_000_000)
    (reading,) = tasks.own_texts(request, str(path), limits)
    return reading.elements.barcodes


@pytest.mark.parametrize(
    ("draw", "text"), [(as_bars, "BARS-4711"), (as_squares, "squares"), (as_retail_code, "4006381333931")]
)
def test_barcodes_of_a_page_with_its_own_text_are_found(
    draw: Callable[[Canvas], None], text: str, tmp_path: Path
) -> None:
    found = own_barcodes(drawn(draw), tmp_path / "page.pdf")

    assert [barcode.text for barcode in found or ()] == [text]


def test_the_box_of_a_barcode_is_in_pixels_of_the_pages_image(tmp_path: Path) -> None:
    (found,) = own_barcodes(drawn(as_squares), tmp_path / "page.pdf") or ()

    left, top, right, bottom = in_points(found.box)
    assert 300 < left < right < 390
    assert 842 - 150 < top < bottom < 842 - 60


def in_points(box: Box) -> tuple[float, ...]:
    return tuple(side * 72 / 300 for side in box)


def test_a_page_of_nothing_but_text_is_not_drawn_to_find_barcodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("docserver.ocr.pdf.drawn_barcodes.dense_places", None)

    assert own_barcodes(pdf(lines(PROSE)), tmp_path / "page.pdf") == ()


def test_barcodes_are_not_looked_for_if_nobody_wants_them(tmp_path: Path) -> None:
    assert own_barcodes(drawn(as_squares), tmp_path / "page.pdf", wanted=False) is None
