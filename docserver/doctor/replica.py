"""Checks the replica that makes lists of documents, if there is one: reachable, the right one, not far behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime

from docserver.database.address import Address
from docserver.database.connection import Cursor
from docserver.database.driver import Connection
from docserver.database.faults import TableMissing
from docserver.database.migrate import ANSWERS, reason
from docserver.database.tables import deployment, leader, server
from docserver.doctor.database import encryption, reached
from docserver.doctor.findings import Finding, ok, problem, warning
from docserver.errors import DatabaseUnavailable
from docserver.maintenance import ROUNDS_PER_LEASE
from docserver.settings import Settings, SettingsError, variable

SUBJECT = "replica"

SETTING = "mysql_replica_url"

INSTEAD = "until then, lists and searches come from the primary"


async def check_replica(settings: Settings) -> AsyncIterator[Finding]:
    """Everything about the replica. Nothing if there is none, or if the primary does not answer, as `database` says."""
    if not settings.mysql_replica_url:
        return
    try:
        address = Address.parse(settings.mysql_replica_url, setting=SETTING)
        await asyncio.to_thread(address.check_files, setting=SETTING)
        primary = await reached(settings, "mysql_url")
    except SettingsError as error:
        yield problem(SUBJECT, str(error), "correct it")
        return
    if isinstance(primary, Finding):
        return
    with closing(primary):
        replica = await reached(settings, SETTING, subject=SUBJECT)
        if isinstance(replica, Finding):
            yield warning(SUBJECT, replica.detail, f"{replica.remedy}; {INSTEAD}")
            return
        with closing(replica):
            try:
                for finding in [*encryption(replica, address, SUBJECT), await _compared(primary, replica, settings)]:
                    yield finding
            except (*ANSWERS, DatabaseUnavailable) as error:
                yield warning(SUBJECT, f"it stopped answering: {reason(error)}", f"look into its log; {INSTEAD}")


async def _compared(primary: Connection, replica: Connection, settings: Settings) -> Finding:
    """How far the replica has followed the primary."""
    of_primary, of_replica = (Cursor(each, settings.mysql_timeout_s) for each in (primary, replica))
    # The primary first: what it says, the replica may have by then.
    identity, renewed = await deployment.find(of_primary), await leader.latest_lease(of_primary)
    remedy = f"correct {variable(SETTING)}; {INSTEAD}"
    try:
        of_its_own = await deployment.find(of_replica)
    except TableMissing:
        return warning(SUBJECT, "it has no tables: nothing has been replicated, or it is no replica", remedy)
    if of_its_own != identity:
        return warning(SUBJECT, "it has another database than the primary", remedy)
    if await server.name(of_replica) == await server.name(of_primary):
        return warning(SUBJECT, f"it is the primary itself, to which {variable('mysql_url')} leads", remedy)
    kind = "read-only" if (await server.describe(of_replica)).is_read_only else "it takes writes"
    behind_s = _behind_s(renewed, await leader.latest_lease(of_replica))
    if behind_s > ROUNDS_PER_LEASE * settings.maintenance_s:
        return warning(SUBJECT, f"it is {behind_s:.0f} s behind the primary", f"find out why; {INSTEAD}")
    return ok(SUBJECT, f"{kind}, at most {ROUNDS_PER_LEASE * settings.maintenance_s:g} s behind the primary")


def _behind_s(renewed: datetime | None, known: datetime | None) -> float:
    """By the time at which maintenance has last renewed its lease. 0 if no process has run yet."""
    if renewed is None:
        return 0.0
    return float("inf") if known is None else max(0.0, (renewed - known).total_seconds())
