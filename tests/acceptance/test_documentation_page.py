"""The page at /docs in a browser: a person uploads a document there, follows its job and sees its text."""

from pathlib import Path
from typing import Any

import orjson

from docserver.web import examples
from tests.support import browser
from tests.support.browser import Tab
from tests.support.service import Service


async def test_a_person_uploads_a_document_on_the_page_and_sees_its_text(service: Service, tmp_path: Path) -> None:
    invoice = tmp_path / "invoice.pdf"
    invoice.write_text(examples.INVOICE)
    port = (await service.logged("listening"))["port"]
    origin = f"http://127.0.0.1:{port}"

    async with browser.tab(tmp_path / "profile") as tab:
        await tab.open(f"{origin}/docs")

        upload = await try_out(tab, "documents", "upload_document")
        await tab.choose_file(f"{upload} input[type=file]", invoice)
        job = orjson.loads(await answer(tab, upload, status=202))

        follow = await try_out(tab, "jobs", "get_job")
        await tab.type(f"{follow} [data-param-name=job_id] input", job["job_id"])
        await tab.type(f"{follow} [data-param-name=wait] input", "30")
        followed = orjson.loads(await answer(tab, follow, status=200))

        result = await try_out(tab, "results", "get_result")
        await tab.type(f"{result} [data-param-name=job_id] input", job["job_id"])
        text = await answer(tab, result, status=200)

    assert followed["status"] == "completed"
    assert text == "Invoice 4711\nTotal: 12.50 EUR"
    assert tab.complaints == []
    assert {address for address in tab.requests if not address.startswith((f"{origin}/", "data:"))} == set()


async def try_out(tab: Tab, tag: str, operation: str) -> str:
    """Open the form of an operation; returns its selector."""
    form = f"#operations-{tag}-{operation}"
    await tab.click(f"{form} .opblock-summary-control")
    await tab.click(f"{form} .try-out__btn")
    return form


async def answer(tab: Tab, form: str, *, status: int) -> Any:
    """Send a form. Returns the body of the answer, which has to have this status."""
    await tab.click(f"{form} .execute")
    row = f"{form} .live-responses-table .response"
    shown = await tab.until(f"document.querySelector('{row} .response-col_status')?.innerText")
    assert int(shown.split()[0]) == status, await tab.run(f"document.querySelector('{row}').innerText")
    return await tab.until(f"document.querySelector('{row} .highlight-code code')?.innerText")
