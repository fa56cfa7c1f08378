"""`languages=auto` over HTTP: accepted, told page by page, and known again."""

from dataclasses import replace
from typing import Any

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.jobs.worker import Worker
from docserver.resources import Resources
from docserver.web.app import make_app
from tests.support.client import Client, MakeClient, completed, get, post, upload
from tests.support.raw_http import UPLOAD
from tests.support.samples import page_text, pdf_texts, png
from tests.support.samples.languages import TEXTS, sheet
from tests.support.samples.pictures import saved
from tests.support.service import form


def tiff(*languages: str) -> bytes:
    """A TIFF with a page in each of these languages."""
    first, *others = (sheet(TEXTS[language]) for language in languages)
    return saved(first, "TIFF", compression="tiff_lzw", dpi=(150, 150), save_all=True, append_images=others)


async def languages(client: Client, job: dict[str, Any]) -> list[str | None]:
    result = await get(client, f"/v1/jobs/{job['job_id']}/result", format="json")
    return [page["languages"] for page in result["pages"]]


async def test_each_page_tells_what_it_was_read_in_and_the_job_all_that_it_could_be(
    client: Client, resources: Resources, worker: Worker
) -> None:
    job = await completed(client, (await upload(client, tiff("deu", "rus", "eng"), languages="auto"))["job_id"])

    assert job["options"]["languages"] == "auto"
    assert await languages(client, job) == ["deu", "rus", "eng"]
    offered = await get(client, "/v1/languages")
    assert job["engine"]["models"] == {name: resources.engine.models[name] for name in offered["auto"]}


async def test_languages_that_were_named_are_told_and_none_of_a_pages_own_text(client: Client, worker: Worker) -> None:
    named = await completed(client, (await upload(client, languages="eng+deu"))["job_id"])
    own = await completed(client, (await upload(client, pdf_texts([page_text(1)]), languages="auto"))["job_id"])

    assert await languages(client, named) == ["eng+deu"]
    assert await languages(client, own) == [None]


async def test_the_server_may_choose_by_default(make_client: MakeClient, worker: Worker) -> None:
    client = await make_client(rate_limit=False, languages="auto")

    job = await completed(client, (await upload(client, tiff("rus")))["job_id"])

    assert (await get(client, "/v1/languages"))["default"] == "auto"
    assert await languages(client, job) == ["rus"]


async def test_a_job_can_be_read_again_in_its_own_languages(client: Client, worker: Worker) -> None:
    first = await completed(client, (await upload(client, tiff("rus")))["job_id"])
    assert await languages(client, first) == ["eng"]

    status, again = await post(client, f"/v1/jobs/{first['job_id']}/retry", json={"languages": "auto"})

    assert (status, again["options"]["languages"]) == (202, "auto")
    assert await languages(client, await completed(client, first["job_id"])) == ["rus"]


@pytest.mark.parametrize("given", ["auto+eng", "eng+auto", "auto+auto"])
async def test_auto_stands_alone(client: Client, given: str) -> None:
    status, problem = await post(client, UPLOAD, data=form(png(), languages=given))

    assert (status, problem["errors"][0]["pointer"]) == (422, "/languages")
    assert problem["detail"].startswith("auto cannot be combined with others: it chooses among those installed, ")


async def test_the_same_document_is_known_again_until_another_model_is_installed(
    make_client: MakeClient, resources: Resources, worker: Worker, aiohttp_client: AiohttpClient
) -> None:
    client = await make_client(rate_limit=False, deduplicate=True)
    first = await upload(client, tiff("deu"), languages="auto")
    await completed(client, first["job_id"])
    more = replace(resources.engine, models={**resources.engine.models, "yor": "sha256:0"})
    settings = replace(resources.settings, rate_limit=False, deduplicate=True)
    grown = await aiohttp_client(make_app(replace(resources, engine=more, settings=settings)))

    again = await upload(client, tiff("deu"), languages="auto")
    anew = await upload(grown, tiff("deu"), languages="auto")

    assert (again["job_id"], again["deduplicated"]) == (first["job_id"], True)
    assert anew["job_id"] != first["job_id"]


async def test_the_installed_languages_are_listed_with_the_default_and_those_that_auto_chooses_from(
    client: Client,
) -> None:
    offered = await get(client, "/v1/languages")

    assert offered["default"] == "eng"
    assert offered["installed"] == sorted(offered["installed"])
    assert {"deu", "eng", "rus"} <= set(offered["auto"]) <= set(offered["installed"])
    assert offered["auto"] == sorted(offered["auto"])
