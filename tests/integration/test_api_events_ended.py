"""Following a job by server-sent events: retries, and when a stream ends."""

from typing import Any
from uuid import UUID

import pytest

from docserver.caller import DEFAULT_TENANT, Scope
from docserver.database.tables import settled_pages
from docserver.database.tables.tenants import Quotas
from docserver.documents import cancel_retry, deletion
from docserver.documents import events as module
from docserver.errors import DatabaseUnavailable
from docserver.jobs import notify, restarts
from docserver.jobs.worker import Worker
from docserver.resources import Resources
from docserver.setting_types import Auth
from docserver.tenants import administration, authentication
from docserver.web import event_stream
from tests.support.client import Client, MakeClient, post, upload
from tests.support.followed import all_of, kind, pages_of, refused, settle, stream
from tests.support.redis_state import listening
from tests.support.rows import make_job


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.05)


@pytest.fixture
def without_polls(monkeypatch: pytest.MonkeyPatch, soon: None) -> None:
    monkeypatch.setattr(module, "POLL_S", 3600.0)


@pytest.mark.usefixtures("without_polls")
async def test_a_retry_that_a_client_missed_begins_with_the_new_attempt(client: Client, resources: Resources) -> None:
    # A poll between the end of the first attempt and the retry would tell the client of that end.
    await listening(resources)
    _, job_id = await make_job(resources.db, total=3)
    await settle(resources, job_id, pages=2)
    async with stream(client, job_id) as received:
        assert (await kind(received, "status")).data["attempt"] == 1
        pages = [await kind(received, "page"), await kind(received, "page")]

        await settle(resources, job_id, told=False)
        again = await restarts.retry(
            resources.db,
            job_id,
            tenant=DEFAULT_TENANT,
            selection=[range(2, 3)],
            changes={},
            request_id="r",
            quotas=Quotas(),
        )
        await notify.publish(resources, again)
        status = await kind(received, "status")
        third = await kind(received, "page")
        await settle(resources, job_id)
        rest = [event async for event in received]

    assert [page.number for page in pages] == [1, 2]
    assert (status.data["attempt"], status.data["status"]) == (2, "pending")
    # Page 3 was read in the first attempt, and is kept.
    assert third.number == 3
    assert pages_of(rest) == [2]
    assert rest[-1].data["pages"] == {"total": 3, "done": 3, "failed": 0}


async def test_a_client_that_has_got_the_end_follows_the_next_attempt(client: Client, resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=2)
    await settle(resources, job_id, pages=2)
    end = (await all_of(client, job_id))[-1]
    await restarts.retry(
        resources.db,
        job_id,
        tenant=DEFAULT_TENANT,
        selection=None,
        changes={"languages": "osd"},
        request_id="r",
        quotas=Quotas(),
    )

    async with stream(client, job_id, end.id or "") as received:
        status = await kind(received, "status")
        await settle(resources, job_id, pages=2)
        rest = [event async for event in received]

    assert (status.data["attempt"], status.data["status"]) == (2, "pending")
    assert pages_of(rest) == [1, 2]
    assert rest[-1].kind == "done"


async def test_a_cancelled_job_is_told_as_done(client: Client, resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=2)
    async with stream(client, job_id) as received:
        await kind(received, "status")
        assert (await post(client, f"/v1/jobs/{job_id}/cancel"))[0] == 200

        assert (await kind(received, "done")).data["status"] == "cancelled"


async def test_the_deletion_of_the_document_ends_the_stream(client: Client, resources: Resources) -> None:
    document_id, job_id = await make_job(resources.db, total=2)
    async with stream(client, job_id) as received:
        await kind(received, "status")
        await deletion.delete(resources, document_id, tenant=DEFAULT_TENANT, actor="a test")

        assert [event.kind async for event in received] == []
    assert await refused(client, job_id) == (404, "not_found")


async def test_a_silent_stream_gets_comments_also_while_the_database_is_away(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "COMMENT_S", 0.01)
    _, job_id = await make_job(resources.db, total=1)

    async def away(*_: Any, **__: Any) -> None:
        raise DatabaseUnavailable("It is away.")

    async with stream(client, job_id) as received:
        await kind(received, "comment")
        with monkeypatch.context() as outage:
            outage.setattr(settled_pages, "after", away)
            await settle(resources, job_id)
            for _ in range(3):
                await kind(received, "comment")

        assert (await kind(received, "page")).number == 1
        await kind(received, "done")


async def test_a_stream_that_has_lasted_long_ends_and_the_client_goes_on(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job_id = await make_job(resources.db, total=2)
    await settle(resources, job_id)
    with monkeypatch.context() as short:
        short.setattr(event_stream, "STREAM_S", 0.0)
        first = await all_of(client, job_id)
    await settle(resources, job_id)

    rest = await all_of(client, job_id, first[-1].id or "")

    assert [event.kind for event in first] == ["status", "page"]
    assert pages_of(rest) == [2]


async def test_a_revoked_key_gets_no_further_event_and_its_stream_ends(
    make_client: MakeClient, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "FRESH_S", 0.0)
    monkeypatch.setattr(event_stream, "COMMENT_S", 0.05)
    client = await make_client(auth=Auth.KEYS)
    key, other = [
        await administration.create_key(
            resources.db,
            tenant=tenant,
            name="a test",
            scopes=frozenset({Scope.READ}),
            expires_in_s=None,
            actor="a test",
        )
        for tenant in (DEFAULT_TENANT, "other")
    ]
    _, job_id = await make_job(resources.db, total=1)
    client.session.headers["Authorization"] = f"Bearer {key.text}"
    async with stream(client, job_id) as received:
        await kind(received, "status")
        await administration.revoke_key(resources.db, key.key.id, actor="a test")
        await settle(resources, job_id)

        assert {event.kind async for event in received} <= {"comment"}
    client.session.headers["Authorization"] = f"Bearer {other.text}"
    assert await refused(client, job_id) == (404, "not_found")


async def test_retries_of_a_real_job_are_followed(client: Client, worker: Worker, resources: Resources) -> None:
    job = await upload(client)
    first = await all_of(client, job["job_id"])
    job_id = UUID(job["job_id"])
    await cancel_retry.retry(resources, job_id, tenant=DEFAULT_TENANT, selection=None, changes={}, request_id="r")

    second = await all_of(client, job_id, first[-1].id or "")

    assert (pages_of(first), pages_of(second)) == ([1], [1])
    assert second[-1].data["attempt"] == 2
