"""Quotas: what each counts, who gives it back, and that counts are exact however many come at once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from docserver.caller import DEFAULT_TENANT, Scope
from docserver.documents import deletion
from docserver.errors import QuotaExceeded, Unprocessable
from docserver.maintenance import Maintenance
from docserver.resources import Resources
from docserver.setting_types import MAX_QUOTA, Auth
from docserver.tenants import quotas
from tests.support.at_work import at_work
from tests.support.client import Client, MakeClient, completed, get, kept_files, post, upload
from tests.support.rows import change, finish_job, value
from tests.support.samples import PAGES, pdf_scanned, png
from tests.support.service import form
from tests.support.tenants import key_of, limit

UPLOAD = "/v1/documents/upload-document"


async def refusal(client: Client, data: bytes | None = None, **more: Any) -> tuple[int, str, str | None]:
    """The status, the code and Retry-After of an upload that is refused."""
    async with client.post(UPLOAD, data=form(data or png("refused"), "a.png"), **more) as response:
        body = await response.json()
        return response.status, body.get("code", ""), response.headers.get("Retry-After")


async def used(client: Client, quota: str) -> Any:
    return (await get(client, "/v1/usage"))[quota]["used"]


async def final(client: Client, job_id: str) -> Any:
    return await get(client, f"/v1/jobs/{job_id}", wait=30)


async def test_of_a_hundred_uploads_at_once_exactly_as_many_are_accepted_as_the_quota_allows(
    make_client: MakeClient, resources: Resources
) -> None:
    clients = [await make_client(rate_limit=False, quota_max_unfinished_jobs=10) for _ in range(2)]

    async def status(number: int) -> int:
        return (await refusal(clients[number % 2], png(str(number))))[0]

    statuses = Counter(await asyncio.gather(*map(status, range(100))))

    assert statuses == {202: 10, 429: 90}
    assert len(kept_files(resources)) == 10
    assert await used(clients[0], "unfinished_jobs") == 10


async def test_an_unfinished_job_leaves_room_for_another_when_it_ends(
    make_client: MakeClient, resources: Resources
) -> None:
    client = await make_client(rate_limit=False, quota_max_unfinished_jobs=1)
    first = await upload(client, png("first"))
    refused = await refusal(client)

    await finish_job(resources.db, UUID(first["job_id"]))
    second = await upload(client, png("second"))
    again = await post(client, f"/v1/jobs/{first['job_id']}/retry")
    await post(client, f"/v1/jobs/{second['job_id']}/cancel")

    assert refused == (429, "quota_exceeded", "10")
    assert (again[0], again[1]["code"]) == (429, "quota_exceeded")
    assert (await post(client, f"/v1/jobs/{first['job_id']}/retry"))[0] == 202


async def test_bytes_are_kept_until_their_document_is_deleted_or_expires(
    make_client: MakeClient, resources: Resources, maintenance: Maintenance
) -> None:
    first, second = png("first"), png("second")
    client = await make_client(rate_limit=False, quota_max_bytes=len(first) + len(second))
    deleted, expired = await upload(client, first), await upload(client, second)
    refused = await refusal(client)
    await limit(resources.db, max_bytes=len(first) + len(second) + 1)

    async with client.delete(f"/v1/documents/{deleted['document_id']}") as response:
        assert response.status == 204
    assert await used(client, "bytes") == len(second)
    expired_id = UUID(expired["document_id"])
    await change(resources.db, "UPDATE documents SET expires_at = UTC_TIMESTAMP(6) WHERE id = %s", expired_id.bytes)
    await deletion.expire(resources, expired_id)

    assert refused == (429, "quota_exceeded", None)
    assert await used(client, "bytes") == 0
    await upload(client, first)


async def test_an_upload_that_is_known_already_costs_nothing(make_client: MakeClient) -> None:
    client = await make_client(
        rate_limit=False, deduplicate=True, quota_max_bytes=len(png()), quota_max_unfinished_jobs=1
    )
    first = await upload(client)

    again = await upload(client)

    assert again["job_id"] == first["job_id"]
    assert again["deduplicated"]
    assert await used(client, "bytes") == len(png())


async def test_a_tenant_that_is_deleted_while_an_upload_arrives_keeps_nothing_of_it(
    make_client: MakeClient, resources: Resources
) -> None:
    client = await make_client(rate_limit=False, auth=Auth.KEYS)
    key = await key_of(resources, "gone")
    async with client.get("/v1/usage", headers=key) as response:
        assert response.status == 200
    await change(resources.db, "UPDATE tenants SET deleted_at = UTC_TIMESTAMP(6) WHERE name = 'gone'")

    # The key is remembered for a moment, as when the body of an upload is still arriving.
    assert (await refusal(client, headers=key))[:2] == (401, "unauthorized")

    assert kept_files(resources) == []
    assert await value(resources.db, "SELECT COUNT(*) FROM documents") == 0


async def test_pages_count_when_they_are_known_and_a_document_with_more_than_are_left_is_not_read(
    make_client: MakeClient, resources: Resources, tmp_path: Path
) -> None:
    client = await make_client(rate_limit=False, quota_pages_per_day=4)
    async with at_work(resources, tmp_path, quota_pages_per_day=4):
        read = await upload(client, pdf_scanned(PAGES), "three.pdf")
        await completed(client, read["job_id"])
        too_long = await final(client, (await upload(client, pdf_scanned(PAGES[::-1]), "more.pdf"))["job_id"])
        last = await upload(client, png("last"))
        await completed(client, last["job_id"])
    refused = await refusal(client)
    again = await post(client, f"/v1/jobs/{last['job_id']}/retry", json={"pages": "1"})
    usage = await get(client, "/v1/usage")

    assert (too_long["status"], too_long["pages"]) == ("failed", {"total": None, "done": 0, "failed": 0})
    assert (too_long["error"]["code"], too_long["error"]["retryable"]) == ("quota_exceeded", True)
    assert "Pages to be read: 3. Left of today's quota (UTC): 1 of 4." in too_long["error"]["message"]
    assert refused[:2] == (429, "quota_exceeded")
    assert refused[2] is not None
    assert 0 < int(refused[2]) <= 86_400
    assert (again[0], again[1]["code"]) == (429, "quota_exceeded")
    assert (usage["pages_per_day"]["used"], usage["pages_per_day"]["limit"]) == (4, 4)
    midnight = datetime.fromisoformat(usage["pages_per_day"]["resets_at"])
    assert timedelta(0) < midnight - datetime.now(UTC) <= timedelta(days=1)


async def test_without_a_quota_pages_count_too_and_a_retry_counts_those_that_it_reads_again(
    client: Client, resources: Resources, tmp_path: Path
) -> None:
    async with at_work(resources, tmp_path):
        job = await upload(client, pdf_scanned(PAGES), "three.pdf")
        await completed(client, job["job_id"])
        assert await used(client, "pages_per_day") == 3

        assert (await post(client, f"/v1/jobs/{job['job_id']}/retry", json={"pages": "2"}))[0] == 202
        await completed(client, job["job_id"])

    assert await used(client, "pages_per_day") == 4


async def test_pages_of_many_at_once_are_counted_up_to_the_quota_and_yesterdays_are_not(resources: Resources) -> None:
    await change(resources.db, "INSERT INTO pages_used VALUES ('default', UTC_DATE() - INTERVAL 1 DAY, 1, 1000)")

    async def count() -> bool:
        try:
            async with resources.db.transaction() as cur:
                await quotas.count_pages(cur, DEFAULT_TENANT, pages=7, allowed=70)
        except QuotaExceeded:
            return False
        return True

    counted = await asyncio.gather(*(count() for _ in range(20)))

    assert sum(counted) == 10
    assert await value(resources.db, "SELECT SUM(pages) FROM pages_used WHERE day = UTC_DATE()") == 70


async def test_a_tenants_own_quota_takes_the_place_of_the_default_at_once(
    make_client: MakeClient, resources: Resources
) -> None:
    client = await make_client(rate_limit=False, auth=Auth.KEYS, quota_max_unfinished_jobs=0)
    more, none = await key_of(resources, "more"), await key_of(resources, "none")
    await limit(resources.db, "more", max_unfinished_jobs=1)

    assert (await refusal(client, headers=more))[0] == 202
    assert await refusal(client, headers=none) == (429, "quota_exceeded", None)
    await limit(resources.db, "none", max_unfinished_jobs=MAX_QUOTA, max_bytes=MAX_QUOTA)
    assert (await refusal(client, headers=none))[0] == 202


@pytest.mark.parametrize("wrong", [{"weight": 0}, {"weight": 101}, {"max_bytes": -1}, {"pages_per_day": 10**15 + 1}])
async def test_a_limit_out_of_bounds_is_refused(resources: Resources, wrong: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable, match=rf"^{next(iter(wrong))} must be"):
        await limit(resources.db, **wrong)


async def test_an_administrator_sets_limits_over_http_and_what_is_not_named_stays(
    make_client: MakeClient, resources: Resources
) -> None:
    client = await make_client(rate_limit=False, auth=Auth.KEYS)
    client.session.headers.update(await key_of(resources, "operators", [Scope.ADMIN]))
    path, limits = "/v1/tenants/acme", {"weight": 2, "pages_per_day": 7, "max_bytes": 0}

    async with client.put(path, json=limits) as response:
        assert response.status == 201
    async with client.put(path, json={"max_bytes": None}) as response:
        assert response.status == 200
    for wrong in ({"weight": None}, {"weight": 0}, {"max_connections": -1}, {"max_bytes": 1e300}, {"pages": 1}):
        async with client.put(path, json=wrong) as response:
            assert response.status == 422, wrong

    tenant = await get(client, path)
    assert (tenant["weight"], tenant["pages_per_day"], tenant["max_bytes"]) == (2, 7, None)
    actions = [entry["action"] for entry in (await get(client, "/v1/audit", tenant="acme"))["items"]]
    assert actions == ["tenant.limited", "tenant.limited", "tenant.created"]
