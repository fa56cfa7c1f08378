"""The SQL of the list of documents: what passes a filter, in order, and how many there are.

Documents alone are in the order of an index of `documents`. Narrowed by status or content type, they are in the order
of the index `by_listing` of `jobs`, one part of it for each pair of status and content type. So no statement reads many
more rows than it shows or counts, unless the list is narrowed by file name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

from docserver.database.connection import Cursor, Row, each
from docserver.database.tables import name_index, name_parts, named_documents, numbered_jobs
from docserver.database.tables.documents import of_row
from docserver.database.tables.jobs import NOT_LISTED
from docserver.database.tables.name_index import Extent
from docserver.database.tables.named_documents import Known, Search
from docserver.model import Document, Status

COUNTED = 10_000
"""Counting stops beyond this number of documents: to count all of them would take longer than to list some."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of the list: a document and its latest job."""

    document: Document
    job_id: UUID
    status: Status
    pages_total: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """The documents that a list shows: those of a tenant. A field that is None does not restrict the list further."""

    tenant: str
    filename: str | None = None
    """A part of one of the file names, in any case and any Unicode form."""
    content_type: str | None = None
    status: Status | None = None
    created_from: datetime | None = None
    """Inclusive, UTC."""
    created_before: datetime | None = None
    """Exclusive, UTC."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the list: right after the document with this creation time and id."""

    created_at: datetime
    document_id: UUID


@dataclass(frozen=True, slots=True)
class _Order:
    """How a list is ordered, in SQL."""

    direction: Literal["ASC", "DESC"]
    beyond: Literal[">", "<"]
    """How the time of a document compares with that of the one before it."""


_NEWEST_FIRST, _OLDEST_FIRST = _Order("DESC", "<"), _Order("ASC", ">")

_DOCUMENTS = "SELECT d.created_at AS listed_at, d.id AS document_id FROM documents d"

_JOBS = "SELECT j.listed_at, j.document_id FROM jobs j FORCE INDEX (by_listing)"


async def part(
    cur: Cursor,
    narrowed: Filter,
    *,
    newest_first: bool,
    after: Position | None,
    limit: int,
    offset: int,
    known: Known | None = None,
) -> list[Listed]:
    """A part of the list, latest or earliest creation first. `known` is what `count` has read of the index of names."""
    order = _NEWEST_FIRST if newest_first else _OLDEST_FIRST
    end = offset + limit
    arguments = {**_arguments(narrowed, after), "limit": limit, "offset": offset, "end": end}
    ordered = f"ORDER BY listed_at {order.direction}, document_id {order.direction}"
    search = await _search(cur, narrowed, arguments, order=order, after=after, known=known or Known())
    numbers = await named_documents.numbers(cur, search, newest_first=newest_first, most=end) if search else []
    selections = [
        # Each is in the order of its index, and ends at the limit.
        f"({selection} {ordered} LIMIT %(end)s)"
        for selection in [*_numbered(numbers), *await _selections(cur, narrowed, arguments, order, search)]
    ]
    if not selections:
        return []
    await cur.execute(
        f"""
        SELECT d.*, j.status, j.pages_total
        FROM ({" UNION ALL ".join(selections)} {ordered} LIMIT %(limit)s OFFSET %(offset)s) l
        JOIN documents d ON d.id = l.document_id
        JOIN jobs j ON j.id = d.job_id
        ORDER BY l.listed_at {order.direction}, l.document_id {order.direction}
        """,  # noqa: S608 - constants
        arguments,
    )
    return [listed(row) for row in cur.rows()]


async def count(cur: Cursor, narrowed: Filter, *, known: Known | None = None) -> int:
    """How many documents pass the filter, but no more than COUNTED + 1. What is read of the index of names is added to
    `known`.
    """
    arguments = {**_arguments(narrowed, None), "most": COUNTED + 1}
    search = await _search(cur, narrowed, arguments, order=_NEWEST_FIRST, after=None, known=known or Known())
    total = await named_documents.count(cur, search, most=COUNTED + 1) if search else 0
    if total > COUNTED:
        return COUNTED + 1
    selections = await _selections(cur, narrowed, arguments, _NEWEST_FIRST, search)
    # With a search, each selection has few rows, so one statement counts all. Without, the first may have enough.
    for some in [selections] if search else [[selection] for selection in selections]:
        counts = [f"(SELECT COUNT(*) FROM ({selection} LIMIT %(most)s) counted)" for selection in some]  # noqa: S608
        await cur.execute(f"SELECT {' + '.join(counts)} AS total", arguments)
        total += int(cur.only_row()["total"])
        if total > COUNTED:
            return COUNTED + 1
    return total


async def unfilled(cur: Cursor, *, limit: int) -> list[UUID]:
    """Jobs of an earlier release, for which maintenance has to fill in what they are listed by."""
    await cur.execute(
        """
        SELECT j.id FROM tenants t
        JOIN jobs j FORCE INDEX (by_listing) ON j.tenant = t.name
            AND j.status IN ('pending', 'processing', 'completed', 'failed', 'cancelled') AND j.content_type IS NULL
        LIMIT %s
        """,
        (limit,),
    )
    return [UUID(bytes=row["id"]) for row in cur.rows()]


async def fill(cur: Cursor, job_ids: Sequence[UUID]) -> None:
    """Fill in what these jobs are listed by."""
    await cur.execute(
        f"""
        UPDATE jobs j JOIN documents d ON d.id = j.document_id
        SET j.content_type = d.content_type, j.listed_at = d.created_at
        WHERE j.id IN ({each(job_ids)}) AND j.content_type IS NULL
        """,  # noqa: S608 - placeholders alone
        [job_id.bytes for job_id in job_ids],
    )


async def _search(
    cur: Cursor,
    narrowed: Filter,
    arguments: dict[str, Any],
    *,
    order: _Order,
    after: Position | None,
    known: Known,
) -> Search | None:
    """What is looked for in the index of names; None if it has nothing of the tenant, or the list needs no names."""
    if narrowed.filename is None:
        return None
    known.looked_up = known.looked_up or await name_index.look_up(cur, narrowed.tenant, narrowed.filename)
    indexed, letters = known.looked_up
    if not indexed.blocks or not letters or (narrowed.status and not await _is_filled(cur, narrowed, known)):
        return None
    return Search(
        narrowed.tenant,
        letters,
        content_type=narrowed.content_type,
        status=narrowed.status,
        indexed=indexed,
        numbers=await _numbers(cur, narrowed, indexed, order=order, after=after),
        condition=" AND ".join([name_index.contains("d.filename"), *_of_kind({**arguments, "status": None})]),
        arguments=arguments,
        known=known.blocks,
    )


_UNFILLED = " OR ".join(
    f"""
    EXISTS (
        SELECT 1 FROM jobs FORCE INDEX (by_listing)
        WHERE tenant = %(tenant)s AND status = '{status}' AND content_type IS NULL
    )
    """  # noqa: S608 - constants
    for status in Status
)


async def _is_filled(cur: Cursor, narrowed: Filter, known: Known) -> bool:
    """True if the index has the statuses of all documents. False until maintenance has filled in what lists need of the
    jobs of an earlier release.
    """
    if known.is_filled is None:
        await cur.execute(f"SELECT NOT ({_UNFILLED}) AS filled", {"tenant": narrowed.tenant})
        known.is_filled = bool(cur.only_row()["filled"])
    return known.is_filled


async def _numbers(cur: Cursor, narrowed: Filter, indexed: Extent, *, order: _Order, after: Position | None) -> range:
    """The numbers in the index of documents with the time of creation and the place in the list that are asked for."""
    first = partial(name_index.first_number, cur, narrowed.tenant, indexed)
    last = partial(name_index.last_number, cur, narrowed.tenant, indexed)
    firsts, lasts = [indexed.blocks.start * name_parts.BLOCK], [indexed.first_beyond - 1]
    if narrowed.created_from:
        firsts.append(await first(since=narrowed.created_from))
    if narrowed.created_before:
        lasts.append(await last(until=narrowed.created_before))
    if after and order is _NEWEST_FIRST:
        lasts.append(await last(until=after.created_at, before=after.document_id))
    if after and order is _OLDEST_FIRST:
        firsts.append(await first(since=after.created_at, after=after.document_id))
    return range(max(firsts), min(lasts) + 1)


def _numbered(numbers: Sequence[int]) -> list[str]:
    listed = ", ".join(map(str, numbers))
    return [f"{_DOCUMENTS} WHERE d.tenant = %(tenant)s AND d.name_number IN ({listed})"] if numbers else []


async def _selections(
    cur: Cursor, narrowed: Filter, arguments: dict[str, Any], order: _Order, search: Search | None
) -> list[str]:
    """Statements that select what passes the filter, each by a part of an index: all or, if there is a search, what it
    does not find. Their `arguments` are completed.
    """
    if search:
        arguments |= {"first_beyond": search.indexed.first_beyond, "numbered_until": search.indexed.numbered_until}
        return _not_searched(arguments, order)
    of_documents = ["d.tenant = %(tenant)s", *_conditions(arguments, "d.created_at", "d.id", order)]
    if narrowed.status is None and narrowed.content_type is None:
        return [f"{_DOCUMENTS} FORCE INDEX (by_tenant) WHERE {' AND '.join(of_documents)}"]
    kinds = await _kinds(cur, narrowed)
    if any(content_type is None for _, content_type in kinds):
        # Maintenance has not filled in yet what all jobs of an earlier release are listed by.
        where = " AND ".join([*of_documents, *_of_kind(arguments)])
        return [f"{_DOCUMENTS} FORCE INDEX (by_tenant) {_JOINED} WHERE {where}"]
    joined = "JOIN documents d ON d.id = j.document_id" if narrowed.filename is not None else ""
    of_jobs = _conditions(arguments, "j.listed_at", "j.document_id", order)
    selections = []
    for number, (status, content_type) in enumerate(kinds):
        arguments |= {f"status_{number}": status, f"content_type_{number}": content_type}
        of_kind = [f"j.status = %(status_{number})s", f"j.content_type = %(content_type_{number})s"]
        where = " AND ".join(["j.tenant = %(tenant)s", *of_kind, *of_jobs])
        selections.append(f"{_JOBS} {joined} WHERE {where}")
    return selections


def _not_searched(arguments: dict[str, Any], order: _Order) -> list[str]:
    """Statements that select what passes a filter by name and is not found by the search: documents that had no number
    when it began or, with a status, whose jobs had none, and those that are found by their further names alone.
    """
    first, further = (name_index.contains(f"d.{column}") for column in ("filename", "other_filenames"))
    placed = _conditions({**arguments, "filename": None}, "d.created_at", "d.id", order)
    always = " AND ".join(["d.tenant = %(tenant)s", *placed, *_of_kind(arguments)])
    by_further_name = f"""
        {_DOCUMENTS} FORCE INDEX (by_other_filenames) {_JOINED if arguments["status"] else ""}
        WHERE {always} AND d.other_filenames IS NOT NULL AND {further} AND NOT {first}
    """
    if arguments["status"]:
        return [f"{numbered_jobs.NOT_SEARCHED} AND {always} AND {first}", by_further_name]
    # All that is compared is in the index.
    without_number = f"""
        {_DOCUMENTS} FORCE INDEX (by_name_number)
        WHERE {always} AND (d.name_number IS NULL OR d.name_number >= %(first_beyond)s) AND {first}
    """
    return [without_number, by_further_name]


_JOINED = "JOIN jobs j ON j.id = d.job_id"


def _of_kind(arguments: dict[str, Any]) -> list[str]:
    columns = {"status": "j.status", "content_type": "d.content_type"}
    return [f"{column} = %({key})s" for key, column in columns.items() if arguments[key] is not None]


async def _kinds(cur: Cursor, narrowed: Filter) -> list[tuple[str, str | None]]:
    """The pairs of status and content type that documents of the tenant have, and that pass the filter. The content
    type is None for jobs of an earlier release.
    """
    # Grouped by all three columns, the index is not read as a whole: the server goes from each pair to the next.
    await cur.execute(
        """
        SELECT status, content_type FROM jobs FORCE INDEX (by_listing)
        WHERE tenant = %s GROUP BY tenant, status, content_type
        """,
        (narrowed.tenant,),
    )
    return [
        (row["status"], row["content_type"])
        for row in cur.rows()
        if row["content_type"] != NOT_LISTED
        and narrowed.status in (None, row["status"])
        and (narrowed.content_type is None or row["content_type"] in (None, narrowed.content_type))
    ]


def _conditions(arguments: dict[str, Any], time: str, document_id: str, order: _Order) -> list[str]:
    """The conditions for name, time of creation and place in the list, for these columns."""
    conditions = {
        "created_from": f"{time} >= %(created_from)s",
        "created_before": f"{time} < %(created_before)s",
        # The first comparison is what an index can be searched by.
        "after": f"{time} {order.beyond}= %(after)s "
        f"AND ({time} {order.beyond} %(after)s OR {document_id} {order.beyond} %(after_id)s)",
        "filename": f"({name_index.contains('d.filename')} OR {name_index.contains('d.other_filenames')})",
    }
    return [condition for key, condition in conditions.items() if arguments[key] is not None]


def conditions(narrowed: Filter) -> tuple[str, dict[str, Any]]:
    """The filter as a condition for a document `d` of the tenant and its latest job `j`, with the arguments."""
    arguments = _arguments(narrowed, None)
    placed = _conditions(arguments, "d.created_at", "d.id", _NEWEST_FIRST)
    return " AND ".join(["d.tenant = %(tenant)s", *placed, *_of_kind(arguments)]), arguments


def _arguments(narrowed: Filter, after: Position | None) -> dict[str, Any]:
    return {
        "tenant": narrowed.tenant,
        "filename": narrowed.filename,
        "content_type": narrowed.content_type,
        "status": narrowed.status.value if narrowed.status else None,
        "created_from": narrowed.created_from,
        "created_before": narrowed.created_before,
        "after": after.created_at if after else None,
        "after_id": after.document_id.bytes if after else None,
    }


def listed(row: Row) -> Listed:
    """The document and the job of a row that has both."""
    return Listed(of_row(row), UUID(bytes=row["job_id"]), Status(row["status"]), row["pages_total"])
