"""The SQL that reads the pages a search finds: whether they still exist, their documents, and their words."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from docserver.database.connection import Cursor, each
from docserver.database.tables import document_lists
from docserver.database.tables.document_lists import Filter, Listed


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page that a search has found."""

    number: int
    """Its number in the index of its tenant."""
    document: Listed
    job_id: UUID
    """The job that has read it, which is not always the document's latest."""
    page: int


_NOT_READ_AGAIN = """
    NOT EXISTS (
        SELECT 1 FROM jobs later JOIN pages again ON again.job_id = later.id AND again.number = p.number
        WHERE later.document_id = d.id AND later.id > r.id AND again.status = 'done'
    )
"""
"""Ids are in the order of their creation."""


async def passing(cur: Cursor, narrowed: Filter, numbers: Sequence[int]) -> dict[int, FoundPage]:
    """Of these pages of the index, those that did not change since and whose documents pass the filter. If several
    jobs have read a page, only the latest reading passes.
    """
    conditions, arguments = document_lists.conditions(narrowed)
    listed = ", ".join(map(str, numbers))
    await cur.execute(
        f"""
        SELECT s.number, s.page, r.id AS read_by, d.*, j.status, j.pages_total
        FROM search_pages s
        JOIN pages p FORCE INDEX (by_settling)
            ON p.job_id = s.job_id AND p.settled_version = s.version AND p.number = s.page
        JOIN jobs r ON r.id = s.job_id
        JOIN documents d ON d.id = r.document_id
        JOIN jobs j ON j.id = d.job_id
        WHERE s.tenant = %(tenant)s AND s.number IN ({listed}) AND {conditions} AND {_NOT_READ_AGAIN}
        """,  # noqa: S608 - constants and numbers
        arguments,
    )
    return {
        row["number"]: FoundPage(row["number"], document_lists.listed(row), UUID(bytes=row["read_by"]), row["page"])
        for row in cur.rows()
    }


async def texts(cur: Cursor, tenant: str, numbers: Sequence[int]) -> dict[int, str]:
    """The texts of those of these pages of the index that did not change since."""
    listed = ", ".join(map(str, numbers))
    await cur.execute(
        f"""
        SELECT s.number, p.text
        FROM search_pages s
        JOIN pages p FORCE INDEX (PRIMARY)
            ON p.job_id = s.job_id AND p.settled_version = s.version AND p.number = s.page
        WHERE s.tenant = %s AND s.number IN ({listed}) AND p.status = 'done'
        """,  # noqa: S608 - numbers
        (tenant,),
    )
    return {row["number"]: row["text"] for row in cur.rows()}


async def layouts(cur: Cursor, some: Sequence[FoundPage]) -> dict[int, bytes]:
    """The packed words of these pages, by their numbers; a page that is read again now has none."""
    if not some:
        return {}
    wanted = {(page.job_id.bytes, page.page): page.number for page in some}
    chosen = " OR ".join(["(job_id = %s AND number = %s)"] * len(wanted))
    await cur.execute(
        f"SELECT job_id, number, layout FROM pages WHERE ({chosen}) AND status = 'done'",  # noqa: S608 - constants
        [value for place in wanted for value in place],
    )
    return {wanted[row["job_id"], row["number"]]: row["layout"] for row in cur.rows()}


async def numbers_of(cur: Cursor, narrowed: Filter, *, most: int) -> list[int] | None:
    """The pages of the index whose documents pass a filter; None if there are more documents than this."""
    found = await document_lists.part(cur, narrowed, newest_first=True, after=None, limit=most + 1, offset=0)
    if len(found) > most:
        return None
    ids = [listed.document.id.bytes for listed in found]
    if not ids:
        return []
    await cur.execute(
        f"""
        SELECT s.number FROM jobs j JOIN search_pages s FORCE INDEX (by_job) ON s.job_id = j.id
        WHERE j.document_id IN ({each(ids)}) AND s.tenant = %s
        """,  # noqa: S608 - placeholders alone
        (*ids, narrowed.tenant),
    )
    return [row["number"] for row in cur.rows()]
