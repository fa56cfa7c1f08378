"""The SQL of `jobs.name_number`: which documents in the index of names have a status, by their latest jobs.

A job has the number of its document, or none: until maintenance fills it in, after the document has got its number, and
if a process of an earlier release has made the job. Lists look for jobs without a number as well.
"""

from collections.abc import Sequence
from uuid import UUID

import orjson

from docserver.database.connection import Cursor, each
from docserver.database.tables.jobs import NOT_LISTED
from docserver.model import Status

HAS_STATUS = f"""
    EXISTS (
        SELECT 1 FROM jobs j FORCE INDEX (by_name_number)
        WHERE j.tenant = d.tenant AND j.status = %(status)s AND j.name_number = d.name_number
          AND j.content_type > '{NOT_LISTED}'
    )
"""  # noqa: S608 - a constant
"""The condition that a document `d` with a number has a latest job with the status and the same number."""

_LAST_NUMBERED = """
    SELECT created_at FROM documents FORCE INDEX (by_name_number)
    WHERE tenant = %(tenant)s AND name_number < %(first_beyond)s ORDER BY name_number DESC LIMIT 1
"""
"""When the last document with a number below `first_beyond` was created. Of the jobs without a number, those of later
documents need not be looked at: numbers are in the order of creation.
"""

_WITHOUT_NUMBER = f"""
    FROM jobs j FORCE INDEX (by_name_number) JOIN documents d ON d.id = j.document_id
    WHERE j.tenant = %(tenant)s AND j.name_number IS NULL AND j.listed_at <= ({_LAST_NUMBERED})
      AND j.content_type > '{NOT_LISTED}' AND d.name_number < %(first_beyond)s
"""

WITHOUT_NUMBER = f"SELECT j.listed_at, j.document_id {_WITHOUT_NUMBER} AND j.status = %(status)s"
"""Selects the latest jobs with a status that have no number yet although their documents have one."""


async def of_status(cur: Cursor, tenant: str, status: str, *, between: tuple[int, int]) -> set[int]:
    """The numbers, from one to another, of the documents whose latest job has this status."""
    # As one text, numbers arrive in a tenth of the time of as many rows.
    await cur.execute(
        """
        SELECT CONCAT('[', GROUP_CONCAT(name_number), ']') AS numbers FROM jobs FORCE INDEX (by_name_number)
        WHERE tenant = %s AND status = %s AND name_number BETWEEN %s AND %s AND content_type > %s
        """,
        (tenant, status, *between, NOT_LISTED),
    )
    return set(orjson.loads(cur.only_row()["numbers"] or "[]"))


async def without_number(cur: Cursor, tenant: str, *, first_beyond: int, limit: int) -> list[UUID]:
    """Jobs of a tenant that have no number yet although their documents have one below `first_beyond`."""
    statuses = ", ".join(f"'{status}'" for status in Status)
    await cur.execute(
        f"SELECT j.id {_WITHOUT_NUMBER} AND j.status IN ({statuses}) LIMIT %(limit)s",
        {"tenant": tenant, "first_beyond": first_beyond, "limit": limit},
    )
    return [UUID(bytes=row["id"]) for row in cur.rows()]


async def fill(cur: Cursor, job_ids: Sequence[UUID]) -> None:
    """Give these jobs the numbers of their documents."""
    await cur.execute(
        f"""
        UPDATE jobs j JOIN documents d ON d.id = j.document_id SET j.name_number = d.name_number
        WHERE j.id IN ({each(job_ids)}) AND j.name_number IS NULL
        """,  # noqa: S608 - placeholders alone
        [job_id.bytes for job_id in job_ids],
    )
