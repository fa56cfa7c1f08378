"""The SQL of the list of documents: what passes a filter, in order, and how many there are.

Documents alone are in the order of an index of `documents`. Narrowed by status or content type, they are in the order
of the index `by_listing` of `jobs`, one part of it for each pair of status and content type. So no statement reads many
more rows than it shows or counts, unless the list is narrowed by file name.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from docserver.database.connection import Cursor, Row, each
from docserver.database.tables import name_index, named_documents, numbered_jobs
from docserver.database.tables.documents import of_row
from docserver.database.tables.jobs import NOT_LISTED
from docserver.database.tables.named_documents import Search
from docserver.model import Document, Status

COUNTED = 10_000
"""Counting stops beyond this number of documents: to count all of them would take longer than to list some."""


COMMON = 0.2
"""Share of documents with a part of a name, beyond which those of a status are counted without the index of names: many
of them pass, and to look up the status of each document with such a name would take longer."""


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
    cur: Cursor, narrowed: Filter, *, newest_first: bool, after: Position | None, limit: int, offset: int
) -> list[Listed]:
    """A part of the list, latest or earliest creation first."""
    order = _NEWEST_FIRST if newest_first else _OLDEST_FIRST
    end = offset + limit
    arguments = {**_arguments(narrowed, after), "limit": limit, "offset": offset, "end": end}
    ordered = f"ORDER BY listed_at {order.direction}, document_id {order.direction}"
    search = await _search(cur, narrowed, arguments, order)
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


async def count(cur: Cursor, narrowed: Filter) -> int:
    """How many documents pass the filter, but no more than COUNTED + 1."""
    arguments = {**_arguments(narrowed, None), "most": COUNTED + 1}
    search = await _search(cur, narrowed, arguments, _NEWEST_FIRST)
    if search and narrowed.status and await named_documents.share(cur, search) > COMMON:
        search = None
    total = await named_documents.count(cur, search, most=COUNTED + 1) if search else 0
    for selection in await _selections(cur, narrowed, arguments, _NEWEST_FIRST, search):
        await cur.execute(f"SELECT COUNT(*) AS total FROM ({selection} LIMIT %(most)s) counted", arguments)  # noqa: S608 - constants
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


async def _search(cur: Cursor, narrowed: Filter, arguments: dict[str, Any], order: _Order) -> Search | None:
    """What is looked for in the index of names; None if it has nothing of the tenant, or the list needs no names."""
    newest_block = await name_index.newest_block(cur, narrowed.tenant) if narrowed.filename is not None else None
    if narrowed.filename is None or newest_block is None:
        return None
    weights = await name_index.weights(cur, narrowed.filename)
    is_filled = narrowed.status is None or all(content_type for _, content_type in await _kinds(cur, narrowed))
    if not weights or not is_filled:
        return None
    parts = name_index.parts_to_find(weights)
    if narrowed.content_type:
        parts.append(name_index.part_of_type(narrowed.content_type))
    after, is_newest_first = arguments["after"], order is _NEWEST_FIRST
    since = [narrowed.created_from, None if is_newest_first else after]
    until = [narrowed.created_before, after if is_newest_first else None]
    placed = _conditions({**arguments, "filename": None}, "d.created_at", "d.id", order)
    return Search(
        narrowed.tenant,
        newest_block,
        parts,
        conditions=" AND ".join([_named("filename", arguments), *placed]),
        arguments=arguments,
        since=max(filter(None, since), default=None),
        until=min(filter(None, until), default=None),
        status=narrowed.status.value if narrowed.status else None,
    )


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
        arguments["first_beyond"] = search.first_beyond
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
    when it began, those that are found by their further names alone, and with a status those whose jobs have no number.
    """
    joined = _JOINED if arguments["status"] else ""
    first, further = (_named(column, arguments) for column in ("filename", "other_filenames"))
    placed = _conditions({**arguments, "filename": None}, "d.created_at", "d.id", order)
    always = " AND ".join(["d.tenant = %(tenant)s", *placed, *_of_kind(arguments)])
    selections = [
        # All but the status is in the index.
        f"""
        {_DOCUMENTS} FORCE INDEX (by_name_number) {joined}
        WHERE {always} AND (d.name_number IS NULL OR d.name_number >= %(first_beyond)s) AND {first}
        """,
        f"""
        {_DOCUMENTS} FORCE INDEX (by_other_filenames) {joined}
        WHERE {always} AND d.other_filenames IS NOT NULL AND {further} AND NOT {first}
        """,
    ]
    if arguments["status"]:
        selections.append(f"{numbered_jobs.WITHOUT_NUMBER} AND {' AND '.join([first, *placed, *_of_kind(arguments)])}")
    return selections


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


def _named(column: str, arguments: dict[str, Any]) -> str:
    """The condition that a column has the part of a name.

    Names are stored composed, but names stored by earlier versions may be decomposed. LIKE compares letter by letter,
    and finds no other form.
    """
    is_one_form = arguments["filename"] == arguments["decomposed"]
    return f"(d.{column} LIKE %(filename)s{'' if is_one_form else f' OR d.{column} LIKE %(decomposed)s'})"


def _conditions(arguments: dict[str, Any], time: str, document_id: str, order: _Order) -> list[str]:
    """The conditions for name, time of creation and place in the list, for these columns."""
    conditions = {
        "created_from": f"{time} >= %(created_from)s",
        "created_before": f"{time} < %(created_before)s",
        # The first comparison is what an index can be searched by.
        "after": f"{time} {order.beyond}= %(after)s "
        f"AND ({time} {order.beyond} %(after)s OR {document_id} {order.beyond} %(after_id)s)",
        "filename": f"({_named('filename', arguments)} OR {_named('other_filenames', arguments)})",
    }
    return [condition for key, condition in conditions.items() if arguments[key] is not None]


def conditions(narrowed: Filter) -> tuple[str, dict[str, Any]]:
    """The filter as a condition for a document `d` of the tenant and its latest job `j`, with the arguments."""
    arguments = _arguments(narrowed, None)
    placed = _conditions(arguments, "d.created_at", "d.id", _NEWEST_FIRST)
    return " AND ".join(["d.tenant = %(tenant)s", *placed, *_of_kind(arguments)]), arguments


def _arguments(narrowed: Filter, after: Position | None) -> dict[str, Any]:
    composed, decomposed = (_filename_like(narrowed.filename, form) for form in ("NFC", "NFD"))
    return {
        "tenant": narrowed.tenant,
        "filename": composed,
        "decomposed": decomposed,
        "content_type": narrowed.content_type,
        "status": narrowed.status.value if narrowed.status else None,
        "created_from": narrowed.created_from,
        "created_before": narrowed.created_before,
        "after": after.created_at if after else None,
        "after_id": after.document_id.bytes if after else None,
    }


def _filename_like(part_of_name: str | None, form: Literal["NFC", "NFD"]) -> str | None:
    return None if part_of_name is None else f"%{_escape(unicodedata.normalize(form, part_of_name))}%"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def listed(row: Row) -> Listed:
    """The document and the job of a row that has both."""
    return Listed(of_row(row), UUID(bytes=row["job_id"]), Status(row["status"]), row["pages_total"])
