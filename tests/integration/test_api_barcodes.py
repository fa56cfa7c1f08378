"""Barcodes on the whole way: from an upload to the JSON of results, and the option that turns them off."""

from typing import Any

import numpy as np
import zxingcpp
from PIL import Image, ImageDraw, ImageFont, ImageOps

from docserver.jobs.worker import Worker
from tests.support.client import Client, completed, get, upload
from tests.support.samples.pdf_layers import PROSE, lines, pdf
from tests.support.samples.pictures import saved

LINK = "https://example.org/4711"


def code(kind: str, text: str, *, scale: int = 4) -> Image.Image:
    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    return ImageOps.expand(Image.fromarray(np.array(made.to_image(scale=scale))), 20, fill=255)


def label() -> bytes:
    """A page with two barcodes, and a line of text beneath each."""
    page = Image.new("L", (1000, 900), 255)
    font = ImageFont.load_default(size=36)
    for number, (kind, text) in enumerate((("Code128", "PARCEL-123456"), ("QRCode", LINK))):
        page.paste(code(kind, text), (60, 60 + 400 * number))
        ImageDraw.Draw(page).text((90, 320 + 400 * number), f"Number {number + 1} of two", fill=0, font=font)
    return saved(page, "PNG")


async def only_page(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    job_id = job["job_id"]
    await completed(client, job_id)
    page: dict[str, Any]
    (page,) = (await get(client, f"/v1/jobs/{job_id}/result", format="json"))["pages"]
    assert page == await get(client, f"/v1/jobs/{job_id}/pages/1", format="json")
    return page


async def test_the_barcodes_of_a_picture_are_in_its_json_and_not_in_its_text(client: Client, worker: Worker) -> None:
    page = await only_page(client, await upload(client, label()))

    assert [(found["kind"], found["text"], found["data"], found["rotation"]) for found in page["barcodes"]] == [
        ("Code128", "PARCEL-123456", None, 0),
        ("QRCode", LINK, None, 0),
    ]
    assert page["text"].split() == ["Number", "1", "of", "two", "Number", "2", "of", "two"]


async def test_the_barcodes_of_a_pdf_are_found_beside_its_own_text(client: Client, worker: Worker) -> None:
    def draw(canvas: Any) -> None:
        lines(PROSE)(canvas)
        canvas.drawInlineImage(code("QRCode", LINK), 300, 60, 90, 90)

    page = await only_page(client, await upload(client, pdf(draw), "a.pdf"))

    assert [found["text"] for found in page["barcodes"]] == [LINK]
    assert page["text"].split("\n") == list(PROSE)


async def test_barcodes_are_not_looked_for_where_that_is_switched_off(client: Client, worker: Worker) -> None:
    job = await upload(client, label(), barcodes="false")
    assert job["options"]["barcodes"] is False
    assert (await only_page(client, job))["barcodes"] is None

    async with client.post(f"/v1/jobs/{job['job_id']}/retry", json={"barcodes": True}) as response:
        assert response.status == 202
    assert len((await only_page(client, job))["barcodes"]) == 2

    async with client.put("/v1/documents", data=label(), params={"barcodes": "false"}) as response:
        other = await response.json()
    assert other["job_id"] != job["job_id"]
    assert (await only_page(client, other))["barcodes"] is None
