"""The commands of the pages on the use of the API, run as they stand there, one page after the other."""

import asyncio
import io
import os
import re
import sys
import zipfile
from pathlib import Path

import orjson
import pytest
from PIL import Image

from docserver.web import examples
from tests.support.pictures import DARK, darkest
from tests.support.samples import png
from tests.support.samples.pdf import pdf_texts
from tests.support.samples.pdf_passwords import locked
from tests.support.service import Service
from tests.support.waiting import in_time

ROOT = Path(__file__).parents[2]

STRICT = """set -euo pipefail
curl() { command curl -sS --fail-with-body "$@" || [ "${may_fail:-}" ]; }
# Not every machine has this program.
zip() { python3 -m zipfile -c "$2" "$3"; }
"""


def commands(page: str) -> str:
    """The commands of a page, in their order."""
    return "\n".join(re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a user works, with the files that the pages name."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "scan.png").write_bytes((ROOT / "docs" / "scan.png").read_bytes())
    (tmp_path / "invoice.pdf").write_text(examples.INVOICE)
    (tmp_path / "scan.png").write_bytes(png("A letter"))
    for name in ("a.pdf", "report.pdf"):
        (tmp_path / name).write_bytes(pdf_texts(["The net total of the invoice", f"The second page of {name}"]))
    (tmp_path / "b.png").write_bytes(png("B"))
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "c.pdf").write_bytes(pdf_texts(["Another page"]))
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    return tmp_path


async def run(script: str, service: Service, directory: Path, **variables: str) -> str:
    """The standard output of a script, in which each command has to succeed."""
    address = str(service.http._base_url).rstrip("/")
    script = script.replace("http://localhost:8000", address).replace("localhost:8000", address)
    environment = {**os.environ, **service._environment, "PYTHONPATH": str(ROOT), **variables}
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", STRICT + script, cwd=directory, env=environment, stdout=-1, stderr=-1
    )
    async with in_time():
        out, err = await process.communicate()
    assert process.returncode == 0, (out.decode(), err.decode())
    return out.decode()


async def test_the_readme_leads_from_an_upload_to_its_text(service: Service) -> None:
    example = re.findall(r"```\n(\$ curl .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    upload, job, result = re.findall(r"^\$ (.*)$", example, re.MULTILINE)
    shown_id = re.findall(r"/v1/jobs/([0-9a-f-]{36})", job)[0]

    job_id = orjson.loads(await run(upload, service, ROOT))["job_id"]
    status = orjson.loads(await run(job.replace(shown_id, job_id), service, ROOT))["status"]
    text = await run(result.replace(shown_id, job_id), service, ROOT)

    assert status == "completed"
    assert text.strip() == example.split("/result\n")[1].strip()


async def test_the_page_on_using_the_api_leads_from_an_upload_to_its_deletion(
    service: Service, directory: Path
) -> None:
    shown = await run(commands("using.md"), service, directory, may_fail="errors are shown too")

    for expected in (
        "completed\n",
        "event: page\n",
        "Harbour Bakery\nInvoice 2041, 12 March 2026",
        '"filename":"scan.png"',
        "<mark>Invoice</mark> 2041",
        "204\ndeleted\n",
        "Not installed: xyz. Installed languages: ",
    ):
        assert expected in shown
    assert (directory / "searchable.pdf").read_bytes().startswith(b"%PDF")
    assert (directory / "original.png").read_bytes() == (ROOT / "docs" / "scan.png").read_bytes()
    for picture in ("page.webp", "line.png"):
        with Image.open(directory / picture) as opened:
            assert opened.width > 100


async def test_the_commands_on_batches_searches_lists_and_inspection_do_what_the_pages_say(
    service: Service, directory: Path
) -> None:
    batches = await run(commands("batches.md").replace("languages=deu", "languages=eng"), service, directory)
    searches = await run(commands("search.md"), service, directory)
    lists = await run(commands("lists.md"), service, directory)
    inspections = await run(commands("inspection.md"), service, directory)

    assert batches.count('"refused":0') == 2
    assert '"filename":"c.pdf"' in batches
    assert '"items":[' in searches
    assert '"total_relation":"exact"' in lists
    assert inspections.count('"own_text":true') == 4
    assert zipfile.ZipFile(io.BytesIO((directory / "scans.zip").read_bytes())).namelist()


async def test_the_commands_on_http_jobs_and_pictures_do_what_the_pages_say(service: Service, directory: Path) -> None:
    uploading = "curl -T invoice.pdf -H 'Prefer: wait=30' localhost:8000/v1/documents"
    job = orjson.loads(await run(uploading, service, directory))
    given = {
        "server": str(service.http._base_url).rstrip("/"),
        "job_id": job["job_id"],
        "document_id": job["document_id"],
    }
    jobs = commands("jobs.md").replace('"deu"', '"eng"')

    conditions = await run(commands("http.md"), service, directory, **given)
    # The page shows a word of another document.
    await run(commands("formats.md").replace("36,92,96,116", "106,112,335,168"), service, directory, **given)
    once, again = [await run(jobs, service, directory, **given) for _ in range(2)]

    assert conditions == "304\n"
    with Image.open(directory / "word.webp") as word:
        assert word.width == 300
        assert darkest(word.convert("L")) < DARK
    (anew, uploaded), (_, replayed) = (map(orjson.loads, re.split(r"(?<=})\s*(?={)", shown)) for shown in (once, again))
    assert (anew["document_id"], anew["options"]["mode"]) == (job["document_id"], "force")
    assert anew["job_id"] != job["job_id"]
    # Without the key, it would be a document of its own.
    assert replayed == uploaded
    assert uploaded["document_id"] != job["document_id"]


async def test_the_commands_on_passwords_let_an_encrypted_document_be_read(service: Service, directory: Path) -> None:
    (directory / "contract.pdf").write_bytes(locked(pdf_texts(["Between the parties"]), password="between us"))
    uploading = "curl -T contract.pdf -H 'Prefer: wait=30' 'localhost:8000/v1/documents?filename=contract.pdf'"
    job = orjson.loads(await run(uploading, service, directory))
    waiting = f"\ncurl 'localhost:8000/v1/jobs/{job['job_id']}?wait=30'"
    given = {"job_id": job["job_id"], "PASSWORD": "between us"}

    shown = await run(commands("security.md") + waiting, service, directory, **given)

    assert job["error"]["code"] == "encrypted"
    *_, retried, read = map(orjson.loads, re.split(r"(?<=})\s*(?={)", shown))
    assert (retried["job_id"], retried["attempt"]) == (job["job_id"], 2)
    assert read["status"] == "completed"
