"""Work is repeated while the database is away for a moment."""

import pytest

from docserver.database.waiting import until_answered
from docserver.errors import DatabaseUnavailable


class Work:
    """Fails this many times before it succeeds."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def __call__(self) -> str:
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable("away")
        return "done"


async def test_work_is_done_again_while_the_database_is_away() -> None:
    assert await until_answered(Work(failures=2), pauses_s=(0, 0)) == "done"


async def test_work_fails_if_the_database_stays_away() -> None:
    with pytest.raises(DatabaseUnavailable):
        await until_answered(Work(failures=3), pauses_s=(0, 0))
