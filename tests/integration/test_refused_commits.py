"""A server that rolls transactions back at COMMIT, as Galera, Group Replication and one that turns read-only do."""

import itertools
from typing import Any
from uuid import uuid4

import pytest
from pymysql.err import OperationalError

from docserver.caller import Scope
from docserver.database.connection import Cursor, Database
from docserver.database.driver import Connection
from docserver.database.tables import leader
from docserver.jobs.worker import Worker
from docserver.maintenance import Maintenance
from docserver.resources import Resources
from docserver.tenants import administration
from tests.support.client import Client, MakeClient, completed, post, upload
from tests.support.receiver import Receiver
from tests.support.rows import value
from tests.support.webhooks import LOCAL, StartSender, create, settled

REFUSALS = (
    (1213, "Deadlock found when trying to get lock; try restarting transaction"),
    (1180, "Got error 149 - 'Lock deadlock; Retry transaction' during COMMIT"),
    (3101, "Plugin instructed the server to rollback the current transaction."),
    (1290, "The MariaDB server is running with the --read-only option so it cannot execute this statement"),
    (1047, "WSREP has not yet prepared node for application use"),
)
"""What Galera, Group Replication as tried and as documented, a read-only MariaDB and a lone node of Galera answer."""


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every other COMMIT is refused; the numbers of the errors so far."""
    numbers: list[int] = []
    refusals = itertools.cycle(REFUSALS)
    commits = itertools.count()
    commit = Connection.commit

    async def refuse(connection: Any) -> None:
        if next(commits) % 2:
            await commit(connection)
            return
        await connection.rollback()
        numbers.append((refusal := next(refusals))[0])
        raise OperationalError(*refusal)

    monkeypatch.setattr(Connection, "commit", refuse)
    return numbers


@pytest.fixture
async def client(make_client: MakeClient, receiver: Receiver) -> Client:
    return await make_client(rate_limit=False, webhook_networks=LOCAL, webhook_ports=(receiver.port,))


async def test_what_was_refused_at_commit_is_done_again_and_once(
    refused: list[int],
    client: Client,
    worker: Worker,
    resources: Resources,
    maintenance: Maintenance,
    receiver: Receiver,
    start_sender: StartSender,
) -> None:
    await start_sender()
    hook = await create(client, receiver.url(), events=["job.completed"])
    job = await upload(client)
    assert (await completed(client, job["job_id"]))["pages"] == {"total": 1, "done": 1, "failed": 0}
    await settled(client, job["job_id"], "delivered")
    assert (await post(client, f"/v1/jobs/{job['job_id']}/retry"))[0] == 202
    assert (await completed(client, job["job_id"]))["attempt"] == 2
    assert (await post(client, f"/v1/webhooks/{hook['webhook_id']}/rotate"))[0] == 200
    key = await administration.create_key(
        resources.db, tenant="one", name="a test", scopes=[Scope.READ], expires_in_s=None, actor="a test"
    )
    await administration.rotate_key(resources.db, key.key.id, actor="a test")
    await administration.revoke_key(resources.db, key.key.id, actor="a test")
    await administration.set_tenant(resources.db, "two", actor="a test", weight=2)
    await receiver.arrived(2)
    async with client.delete(f"/v1/documents/{job['document_id']}") as response:
        assert response.status == 204
    await maintenance.round()

    assert set(refused) == {number for number, _ in REFUSALS}
    assert [len({each.id for each in receiver.received}), len(receiver.received)] == [2, 2]
    for table, rows in {"documents": 0, "jobs": 0, "api_keys": 2, "webhook_endpoints": 1, "tenants": 3}.items():
        assert await value(resources.db, f"SELECT COUNT(*) FROM {table}") == rows, table


async def test_a_single_statement_that_is_rolled_back_is_repeated(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, failures = Cursor._execute, [1290, 1213]
    await db.ping()

    async def refuse(cursor: Cursor, sql: str, arguments: Any) -> int:
        if failures:
            raise OperationalError(failures.pop(), "refused")
        return await execute(cursor, sql, arguments)

    monkeypatch.setattr(Cursor, "_execute", refuse)

    async with db.session() as cur:
        assert await leader.acquire(cur, "a test", holder=uuid4(), lease_s=10)

    assert failures == []
