"""The SQL of `jobs.name_number`: which documents in the index of names have a status, by their latest jobs.

A job has the number of its document, or none: until maintenance fills it in, after the document has got its number, and
if a process of an earlier release has made the job. Lists look for jobs without a number as well.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from docserver.database.connection import Cursor, each
from docserver.database.tables.jobs import NOT_LISTED
from docserver.database.tables.name_index import Extent
from docserver.model import Status

HAS_STATUS = f"""
    EXISTS (
        SELECT 1 FROM jobs j FORCE INDEX (by_name_number)
        WHERE j.tenant = d.tenant AND j.status = %(status)s AND j.name_number = d.name_number
          AND j.content_type > '{NOT_LISTED}'
    )
"""  # noqa: S608 - a constant
"""The condition that a document `d` with a number has a latest job with the status and the same number."""

_WITHOUT_NUMBER = f"""
    FROM jobs j FORCE INDEX (by_name_number) JOIN documents d ON d.id = j.document_id
    WHERE j.tenant = %(tenant)s AND j.name_number IS NULL AND j.listed_at <= %(numbered_until)s
      AND j.content_type > '{NOT_LISTED}' AND d.name_number < %(first_beyond)s
"""

_ALL = ", ".join(f"'{status}'" for status in Status)
"""All statuses. The index begins with tenant and status, so the server searches it once for each of these."""

NOT_SEARCHED = f"""
    SELECT j.listed_at, j.document_id
    FROM jobs j FORCE INDEX (by_name_number) JOIN documents d ON d.id = j.document_id
    WHERE j.tenant = %(tenant)s AND j.status = %(status)s AND j.content_type > '{NOT_LISTED}'
      AND (j.name_number IS NULL OR j.name_number >= %(first_beyond)s)
"""  # noqa: S608 - a constant
"""Selects the latest jobs with a status that have no number of the index: either their documents have none, or
maintenance has not filled it in yet.
"""


READ_WHOLE = 0.6
"""Share of all numbers from which on the numbers of all are read."""


async def of_statuses(
    cur: Cursor, tenant: str, statuses: Sequence[Status], *, among: range, indexed: range
) -> list[int]:
    """The numbers, of those in `among`, of documents whose latest job has one of the statuses and a number. `indexed`
    are all numbers of the tenant.
    """
    # To compare each row with the ends of a range takes the server as long as to read it.
    is_part = len(among) < READ_WHOLE * len(indexed)
    of_status = f"""
        SELECT GROUP_CONCAT(name_number) FROM jobs FORCE INDEX (by_name_number)
        WHERE tenant = %(tenant)s AND status = '{{}}' AND content_type > '{NOT_LISTED}'
          {"AND name_number BETWEEN %(first)s AND %(last)s" if is_part else ""}
    """  # noqa: S608 - constants
    arguments = {"tenant": tenant, "first": among[0], "last": among[-1]}
    numbers = await _numbers(cur, of_status, statuses, arguments)
    if is_part:
        return numbers
    numbers.sort()
    return numbers[bisect_left(numbers, among.start) : bisect_left(numbers, among.stop)]


async def of_jobs_without_number(cur: Cursor, tenant: str, indexed: Extent) -> list[int]:
    """The numbers of the documents in the index whose latest job has no number."""
    of_status = f"SELECT GROUP_CONCAT(d.name_number) {_WITHOUT_NUMBER} AND j.status = '{{}}'"
    return await _numbers(cur, of_status, [*Status], _arguments(tenant, indexed))


async def _numbers(cur: Cursor, of_status: str, statuses: Sequence[Status], arguments: dict[str, Any]) -> list[int]:
    """The numbers that a statement gives for each of these statuses."""
    # As one text, numbers arrive in a tenth of the time of as many rows. For several statuses in one selection, the
    # server may read all jobs of the tenant.
    texts = ", ".join(f"({of_status.format(status)})" for status in statuses)
    await cur.execute(f"SELECT CONCAT('[', CONCAT_WS(',', {texts}), ']') AS numbers", arguments)
    numbers: list[int] = orjson.loads(cur.only_row()["numbers"])
    return numbers


async def without_number(cur: Cursor, tenant: str, indexed: Extent, *, limit: int) -> list[UUID]:
    """Jobs of a tenant that have no number yet although their documents are in the index."""
    await cur.execute(
        f"SELECT j.id {_WITHOUT_NUMBER} AND j.status IN ({_ALL}) LIMIT %(limit)s",
        {**_arguments(tenant, indexed), "limit": limit},
    )
    return [UUID(bytes=row["id"]) for row in cur.rows()]


def _arguments(tenant: str, indexed: Extent) -> dict[str, Any]:
    return {"tenant": tenant, "numbered_until": indexed.numbered_until, "first_beyond": indexed.first_beyond}


async def fill(cur: Cursor, job_ids: Sequence[UUID]) -> None:
    """Give these jobs the numbers of their documents."""
    await cur.execute(
        f"""
        UPDATE jobs j JOIN documents d ON d.id = j.document_id SET j.name_number = d.name_number
        WHERE j.id IN ({each(job_ids)}) AND j.name_number IS NULL
        """,  # noqa: S608 - placeholders alone
        [job_id.bytes for job_id in job_ids],
    )
