"""Two tenants against a model: whatever they do in whatever order, neither sees, changes or counts the other's."""

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar, cast
from uuid import UUID

import uvloop
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from docserver.caller import Scope
from docserver.jobs import notify
from docserver.resources import Resources, checked_engine, opened
from docserver.setting_types import Auth
from docserver.settings import Settings
from docserver.tenants import administration
from docserver.web.app import make_app
from tests.support.client import Client
from tests.support.rows import finish_job, found
from tests.support.service import form

T = TypeVar("T")
TENANTS = ("acme", "other")
tenants = st.sampled_from(TENANTS)
which = st.integers(0, 11)


@dataclass
class Thing:
    """A document and its job, as they must be."""

    tenant: str
    document_id: str
    job_id: str
    data: bytes
    status: str = "pending"
    attempt: int = 1
    is_deleted: bool = False

    def shared_with_an_equal_upload(self, tenant: str, data: bytes) -> bool:
        return (self.tenant, self.data, self.attempt, self.is_deleted) == (
            tenant,
            data,
            1,
            False,
        ) and self.status != "cancelled"


class Lives(RuleBasedStateMachine):
    """What two tenants do over HTTP, each with ids of its own and of the other."""

    def __init__(self, runner: asyncio.Runner, resources: Resources, client: Client, keys: Mapping[str, str]) -> None:
        super().__init__()
        self.runner = runner
        self.resources = resources
        self.client = client
        self.keys = keys
        self.things: list[Thing] = []
        self.run(self._empty())

    def run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return self.runner.run(awaited())

    async def _empty(self) -> None:
        async with self.resources.db.session() as cur:
            for table in ("documents", "deleted_documents", "bytes_kept WHERE part > 0"):
                await cur.execute(f"DELETE FROM {table}")
        await self.resources.redis.command("FLUSHALL")

    def ask(self, tenant: str, method: str, path: str, **more: Any) -> tuple[int, Any]:
        async def asked() -> tuple[int, Any]:
            headers = {"Authorization": f"Bearer {self.keys[tenant]}"}
            async with self.client.request(method, path, headers=headers, **more) as response:
                return response.status, await response.json() if response.status != 204 else None

        return self.run(asked())

    def thing(self, n: int) -> Thing:
        return self.things[n % len(self.things)]

    @rule(tenant=tenants, number=st.integers(0, 1))
    def upload(self, tenant: str, number: int) -> None:
        data = b"%%PDF-1.4 %d" % number
        earlier = [thing for thing in self.things if thing.shared_with_an_equal_upload(tenant, data)]

        status, job = self.ask(tenant, "POST", "/v1/documents/upload-document", data=form(data, f"{tenant}.pdf"))

        assert (status, job["deduplicated"]) == (202, bool(earlier))
        if earlier:
            assert job["document_id"] in {thing.document_id for thing in earlier}
        else:
            self.things.append(Thing(tenant, job["document_id"], job["job_id"], data))

    @precondition(lambda self: self.things)
    @rule(tenant=tenants, n=which)
    def read(self, tenant: str, n: int) -> None:
        thing = self.thing(n)

        document, _ = self.ask(tenant, "GET", f"/v1/documents/{thing.document_id}")
        status, job = self.ask(tenant, "GET", f"/v1/jobs/{thing.job_id}")

        if thing.tenant != tenant:
            assert (document, status) == (404, 404)
        elif thing.is_deleted:
            assert (document, status) == (410, 404)
        else:
            assert (document, status, job["status"]) == (200, 200, thing.status)

    @precondition(lambda self: self.things)
    @rule(tenant=tenants, n=which)
    def cancel(self, tenant: str, n: int) -> None:
        thing = self.thing(n)

        status, _ = self.ask(tenant, "POST", f"/v1/jobs/{thing.job_id}/cancel")

        if thing.tenant != tenant or thing.is_deleted:
            assert status == 404
        elif thing.status == "pending":
            assert status == 200
            thing.status = "cancelled"
        else:
            assert status == 409

    @precondition(lambda self: self.things)
    @rule(tenant=tenants, n=which)
    def retry(self, tenant: str, n: int) -> None:
        thing = self.thing(n)

        status, _ = self.ask(tenant, "POST", f"/v1/jobs/{thing.job_id}/retry")

        if thing.tenant != tenant or thing.is_deleted:
            assert status == 404
        elif thing.status == "pending":
            assert status == 409
        else:
            assert status == 202
            thing.status = "pending"
            thing.attempt += 1

    @precondition(lambda self: self.things)
    @rule(tenant=tenants, n=which)
    def delete(self, tenant: str, n: int) -> None:
        thing = self.thing(n)

        status, _ = self.ask(tenant, "DELETE", f"/v1/documents/{thing.document_id}")

        if thing.tenant != tenant:
            assert status == 404
        else:
            assert status == (410 if thing.is_deleted else 204)
            thing.is_deleted = True

    @precondition(lambda self: any(thing.status == "pending" and not thing.is_deleted for thing in self.things))
    @rule(n=which)
    def a_job_ends(self, n: int) -> None:
        pending = [thing for thing in self.things if thing.status == "pending" and not thing.is_deleted]
        thing = pending[n % len(pending)]

        async def end() -> None:
            await finish_job(self.resources.db, UUID(thing.job_id))
            await notify.publish(self.resources, await found(self.resources.db, UUID(thing.job_id)))

        self.run(end())
        thing.status = "completed"

    @invariant()
    def each_list_has_what_its_tenant_has(self) -> None:
        for tenant in TENANTS:
            own = {
                (thing.document_id, thing.job_id, thing.status, f"{tenant}.pdf")
                for thing in self.things
                if thing.tenant == tenant and not thing.is_deleted
            }
            _, listed = self.ask(tenant, "GET", "/v1/documents/list-document?limit=100")
            assert {
                (item["document_id"], item["job_id"], item["status"], item["filename"]) for item in listed["items"]
            } == own
            assert listed["total"] == len(own)

    @invariant()
    def each_tenant_has_used_what_is_its_own(self) -> None:
        for tenant in TENANTS:
            own = [thing for thing in self.things if thing.tenant == tenant and not thing.is_deleted]
            _, used = self.ask(tenant, "GET", "/v1/usage")
            assert used["tenant"] == tenant
            assert used["bytes"]["used"] == sum(len(thing.data) for thing in own)
            assert used["unfinished_jobs"]["used"] == sum(thing.status == "pending" for thing in own)


def test_whatever_two_tenants_do_neither_sees_changes_or_counts_the_others(settings: Settings) -> None:
    changed = replace(settings, auth=Auth.KEYS, rate_limit=False, deduplicate=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()

        async def prepare() -> tuple[Resources, Client, dict[str, str]]:
            resources = await stack.enter_async_context(opened(changed, await checked_engine(changed)))
            client = await stack.enter_async_context(TestClient(TestServer(make_app(resources))))
            keys = {
                tenant: await administration.create_key(
                    resources.db, tenant=tenant, name="", scopes=list(Scope), expires_in_s=None, actor="a test"
                )
                for tenant in TENANTS
            }
            return resources, client, {tenant: key.text for tenant, key in keys.items()}

        resources, client, keys = runner.run(prepare())
        try:
            run_state_machine_as_test(
                # Anything that makes a machine will do.
                cast("type[Lives]", partial(Lives, runner, resources, client, keys)),
                settings=hypothesis_settings(
                    max_examples=5, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
                ),
            )
        finally:
            with suppress(asyncio.CancelledError):
                runner.run(stack.aclose())
