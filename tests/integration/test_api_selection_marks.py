"""Boxes to tick on the whole way: from an upload to the JSON and the text of results."""

import io
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas

from docserver.jobs.worker import Worker
from tests.support.client import Client, completed, get, upload
from tests.support.samples.pdf_layers import PROSE, lines
from tests.support.samples.pictures import saved

ANSWERS = (("Coffee with milk", True), ("Black tea", False), ("Orange juice", True))
TEXT = ["☒ Coffee with milk", "☐ Black tea", "☒ Orange juice"]


def questionnaire() -> bytes:
    """A page with a box before each answer, some of them ticked."""
    page = Image.new("L", (1240, 900), 255)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=32)
    draw.text((120, 120), "Which of these would you like for your breakfast tomorrow?", fill=0, font=font)
    for number, (answer, is_ticked) in enumerate(ANSWERS):
        x, y = 120, 240 + 100 * number
        draw.rectangle((x, y, x + 36, y + 36), outline=0, width=3)
        if is_ticked:
            draw.line([(x + 8, y + 18), (x + 15, y + 28), (x + 29, y + 7)], fill=0, width=5, joint="curve")
        draw.text((x + 70, y), answer, fill=0, font=font)
    return saved(page, "PNG")


def form() -> bytes:
    """A PDF page with its own text and the fields of a form."""
    file = io.BytesIO()
    canvas = Canvas(file, invariant=True)
    lines(PROSE)(canvas)
    for number, (answer, is_ticked) in enumerate(ANSWERS):
        canvas.acroForm.checkbox(x=100, y=500 - 40 * number, size=14, checked=is_ticked, name=answer)
        canvas.drawString(124, 503 - 40 * number, answer)
    canvas.save()
    return file.getvalue()


async def marked_page(client: Client, document: bytes, name: str) -> dict[str, Any]:
    job_id = (await upload(client, document, name))["job_id"]
    await completed(client, job_id)
    page: dict[str, Any]
    (page,) = (await get(client, f"/v1/jobs/{job_id}/result", format="json"))["pages"]
    return page


async def test_the_boxes_of_a_picture_are_in_its_json_and_its_text(client: Client, worker: Worker) -> None:
    page = await marked_page(client, questionnaire(), "a.png")

    assert [mark["state"] for mark in page["selection_marks"]] == ["selected", "unselected", "selected"]
    assert [line for line in page["text"].split("\n") if line][1:] == TEXT


async def test_the_fields_of_a_pdfs_form_are_in_its_json_and_its_text(client: Client, worker: Worker) -> None:
    page = await marked_page(client, form(), "a.pdf")

    assert [(mark["state"], mark["confidence"]) for mark in page["selection_marks"]] == [
        ("selected", 100.0),
        ("unselected", 100.0),
        ("selected", 100.0),
    ]
    assert [line for line in page["text"].split("\n") if line][-3:] == TEXT


async def test_a_page_without_boxes_has_none(client: Client, worker: Worker) -> None:
    page = Image.new("L", (1240, 400), 255)
    ImageDraw.Draw(page).text((120, 120), "Nothing here is to be ticked.", fill=0, font=ImageFont.load_default(size=32))

    assert (await marked_page(client, saved(page, "PNG"), "b.png"))["selection_marks"] == []
