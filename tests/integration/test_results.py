"""Results: rendered once, cached by format and pages, refused where there is none."""

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.documents import stored_pages
from docserver.errors import (
    DocumentErrorCode,
    Failure,
    JobFailed,
    ResultNotReady,
    Unprocessable,
)
from docserver.formats import FORMATS
from docserver.model import Status
from docserver.redis.cache import result_key
from docserver.resources import Resources
from tests.support.results import make_completed, publish, result, text_of
from tests.support.rows import finish_job, make_job

TXT = FORMATS["txt"]


async def test_a_result_is_rendered_once_and_then_served_without_the_database(
    resources: Resources, without_database: Resources
) -> None:
    job_id = await make_completed(resources, "one", "two")

    first = await result(resources, job_id, form=TXT, selection=None)

    assert first.body == b"one\ftwo"
    assert await result(without_database, job_id, form=TXT, selection=None) == first


async def test_a_result_that_is_rendered_again_has_the_same_tag_and_another_one_another(resources: Resources) -> None:
    job_id = await make_completed(resources, "one", "two")
    first = await result(resources, job_id, form=TXT, selection=None)
    await resources.redis.command("DEL", result_key(job_id, DEFAULT_TENANT))

    again = await result(resources, job_id, form=TXT, selection=None)
    other = await result(resources, job_id, form=TXT, selection=(range(1, 2),))
    as_json = await result(resources, job_id, form=FORMATS["json"], selection=None)

    assert again == first
    assert len({first.etag, other.etag, as_json.etag}) == 3
    assert first.etag.startswith('"')
    assert first.etag.endswith('"')


async def test_each_format_is_cached_by_itself(resources: Resources, without_database: Resources) -> None:
    job_id = await make_completed(resources, "one", "two", "three")
    forms = [TXT, FORMATS["json"], FORMATS["tsv"]]
    rendered = [await result(resources, job_id, form=form, selection=None) for form in forms]

    cached = [await result(without_database, job_id, form=form, selection=None) for form in forms]

    assert cached == rendered
    assert len({result.body for result in rendered}) == len(rendered)


async def test_selections_of_pages_take_no_memory_in_redis(resources: Resources) -> None:
    job_id = await make_completed(resources, *(f"page {number}" for number in range(1, 9)))
    await text_of(resources, job_id)
    cached = await resources.redis.command("HGETALL", result_key(job_id, DEFAULT_TENANT))

    for first in range(1, 9):
        for last in range(first, 9):
            for form in ("txt", "json", "alto"):
                await result(resources, job_id, form=FORMATS[form], selection=(range(first, last + 1),))

    assert await resources.redis.command("HGETALL", result_key(job_id, DEFAULT_TENANT)) == cached
    assert list(cached) == [b"txt"]


async def test_the_pages_of_a_result_can_be_chosen(resources: Resources) -> None:
    job_id = await make_completed(resources, "one", "two", "three")

    assert await text_of(resources, job_id, range(3, 4), range(1, 2)) == "one\fthree"
    assert await text_of(resources, job_id, range(2, 100)) == "two\fthree"


async def test_pages_that_the_job_does_not_have_are_refused_and_the_last_is_told(resources: Resources) -> None:
    job_id = await make_completed(resources, "one", "two")

    with pytest.raises(Unprocessable) as refused:
        await text_of(resources, job_id, range(3, 9))

    assert refused.value.errors == [{"detail": "The last page is 2.", "parameter": "pages"}]


async def test_a_result_of_more_pages_than_are_read_at_once_is_whole(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_pages, "PAGES_AT_ONCE", 3)
    texts = [f"page {number}" for number in range(1, 8)]

    assert await text_of(resources, await make_completed(resources, *texts)) == "\f".join(texts)


async def test_a_result_that_is_not_ready_is_refused_with_when_to_come_again(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=1)

    with pytest.raises(ResultNotReady) as refused:
        await text_of(resources, job_id)

    assert int(refused.value.headers["Retry-After"]) > 0


@pytest.mark.parametrize("cached", [True, False])
async def test_a_failed_job_has_no_result_but_its_error(resources: Resources, *, cached: bool) -> None:
    _, job_id = await make_job(resources.db, total=1)
    await finish_job(resources.db, job_id, Status.FAILED, Failure(DocumentErrorCode.CORRUPT, "It is broken.", 1))
    if cached:
        await publish(resources, job_id)

    with pytest.raises(JobFailed) as refused:
        await text_of(resources, job_id)

    assert refused.value.extra["job_error"]["code"] == "corrupt"
    assert refused.value.detail == "The job is failed with corrupt; job_error has the details."
