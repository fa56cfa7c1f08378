"""Databases that fail on command: away, silent about the outcome of a commit, or slow to carry it out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from docserver.database.connection import Cursor, Database
from docserver.database.faults import CommitUnknown, ConnectionCut
from docserver.errors import DatabaseUnavailable


class Switch:
    """A database that can be away."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.away = False

    def session(self) -> Any:
        self._check()
        return self._db.session()

    def transaction(self) -> Any:
        self._check()
        return self._db.transaction()

    def _check(self) -> None:
        if self.away:
            raise DatabaseUnavailable("forced")


CLAIMS_OPENING = "SET claim = %s"
"""In the statement that claims a job's opening, and in no other of a session: it is a transaction of its own."""


class Unanswered:
    """A database whose commits take place, or do not, but the first of them get no answer. To claim a job's opening is
    one of them.
    """

    def __init__(self, db: Database, *, answers_lost: int, carried_out: bool = True) -> None:
        self._db = db
        self._left = answers_lost
        self._carried_out = carried_out

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Cursor]:
        async with self._db.session() as cur:
            execute = cur.execute

            async def answered(sql: str, arguments: Any = None) -> int:
                if CLAIMS_OPENING not in sql:
                    return await execute(sql, arguments)
                self._left -= 1
                count = await execute(sql, arguments) if self._left < 0 or self._carried_out else 0
                if self._left >= 0:
                    raise ConnectionCut("forced")
                return count

            cur.execute = answered  # type: ignore[method-assign]
            yield cur

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Cursor]:
        async with self._db.transaction() as cur:
            yield cur
            self._left -= 1
            if self._left >= 0 and not self._carried_out:
                raise CommitUnknown("forced")
        if self._left >= 0:
            raise CommitUnknown("forced")


class SlowCommit:
    """A database whose first commit gets no answer, and is carried out when the test says so."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._commits = AsyncExitStack()
        self.has_begun = False

    def session(self) -> Any:
        return self._db.session()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Cursor]:
        async with AsyncExitStack() as stack:
            yield await stack.enter_async_context(self._db.transaction())
            if not self.has_begun:
                self._commits = stack.pop_all()
                self.has_begun = True
                raise CommitUnknown("forced")

    async def carry_out(self) -> None:
        await self._commits.aclose()

    async def is_waited_for(self) -> bool:
        """True if somebody waits for a lock that the transaction holds."""
        async with self._db.session() as cur:
            return await cur.execute("SELECT 1 FROM information_schema.processlist WHERE info LIKE '% FOR UPDATE'") > 0
