"""The page at /docs in a browser: a person uploads a document there and sees its text, its PDF and its words."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from docserver.web import examples
from tests.support import browser
from tests.support.browser import Tab
from tests.support.service import Service
from tests.support.waiting import until

FOUND = """(async () => {
    while (true) {
        const {items} = await (await fetch('/v1/documents/search?q=total')).json();
        if (items.length) return items;
    }
})()"""
"""What the search finds, once the document is read and in the index."""

SHOWN = """(async () => {
    const image = document.querySelector('%s .live-responses-table img');
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext('2d');
    canvas.drawImage(image, 0, 0);
    const {data} = canvas.getImageData(0, 0, image.naturalWidth, image.naturalHeight);
    let marked = 0;
    for (let at = 0; at < data.length; at += 4) marked += data[at] > 200 && data[at + 2] < 130;
    return [image.naturalWidth, marked];
})()"""
"""The width of the picture in an answer, and how many of its pixels are as yellow as a marker."""


# Where many tests run at once, the browser takes minutes.
@pytest.mark.timeout(900)
async def test_a_person_uploads_a_document_on_the_page_and_sees_its_text_its_pdf_and_its_words(
    service: Service, tmp_path: Path
) -> None:
    invoice = tmp_path / "invoice.pdf"
    invoice.write_text(examples.INVOICE)
    port = (await service.logged("listening"))["port"]
    origin = f"http://127.0.0.1:{port}"

    async with browser.tab(tmp_path / "profile") as tab:
        await tab.open(f"{origin}/docs")
        # At each key, the page draws all operations anew that it shows.
        await tab.until("document.querySelector('.opblock')")
        await tab.run("document.querySelectorAll('.opblock-tag[data-is-open=true]').forEach(tag => tag.click())")

        upload = await try_out(tab, "documents", "upload_document")
        await tab.choose_file(f"{upload} input[type=file]", invoice)
        job = orjson.loads(await answer(tab, upload, status=202))

        await close(tab, "documents")
        (found,) = await tab.run(FOUND)

        result = await try_out(tab, "results", "get_result")
        await tab.type(f"{result} [data-param-name=job_id] input", job["job_id"])
        text = await answer(tab, result, status=200)
        await tab.choose(f"{result} [data-param-name=format] select", "pdf")
        await answer(tab, result, status=200, body="a[download]")
        await tab.download_to(tmp_path)
        await tab.click(f"{result} a[download]")
        saved = tmp_path / f"{job['job_id']}.pdf"
        await until(saved.exists)

        await close(tab, "results")
        image = await try_out(tab, "results", "get_page_image")
        await tab.type(f"{image} [data-param-name=job_id] input", found["job_id"])
        await tab.type(f"{image} [data-param-name=number] input", str(found["page"]))
        x0, y0, x1, y1 = found["hits"][0]["line_box"]
        await tab.type(f"{image} [data-param-name=crop] input", f"{x0},{y0},{x1},{y1}")
        await tab.choose(f"{image} [data-param-name=highlight] select", "words")
        await answer(tab, image, status=200, body="img")
        width, marked = await tab.run(SHOWN % image)

    assert found["document"]["expires_at"] is None
    assert job["options"]["pages"] is None
    assert text == "Invoice 4711\nTotal: 12.50 EUR"
    assert saved.read_bytes().startswith(b"%PDF-")
    assert found["document"]["document_id"] == job["document_id"]
    assert "<mark>Total</mark>" in found["snippet"]
    assert width == x1 - x0
    assert marked > 1000
    assert tab.complaints == []
    assert {address for address in tab.requests if not address.startswith((f"{origin}/", "data:", "blob:"))} == set()


async def try_out(tab: Tab, tag: str, operation: str) -> str:
    """Open the form of an operation; returns its selector."""
    form = f"#operations-{tag}-{operation}"
    await tab.click(f"#operations-tag-{tag}")
    await tab.click(f"{form} .opblock-summary-control")
    await tab.click(f"{form} .try-out__btn")
    return form


async def close(tab: Tab, tag: str) -> None:
    """Close the operations of a tag with their forms."""
    await tab.click(f"#operations-tag-{tag}")


async def answer(tab: Tab, form: str, *, status: int, body: str = ".highlight-code code") -> Any:
    """Send a form. Returns the body of the answer, which has to have this status, as the text of what shows it."""
    await tab.click(f"{form} .execute")
    row = f"{form} .live-responses-table .response"
    shown = await tab.until(f"document.querySelector('{row} .response-col_status')?.innerText")
    assert int(shown.split()[0]) == status, await tab.run(f"document.querySelector('{row}').innerText")
    await tab.until(f"document.querySelector('{row} {body}')")
    return await tab.run(f"document.querySelector('{row} {body}').innerText")
