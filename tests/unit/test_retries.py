"""Work is repeated while the database is away for a moment, or if it rolls the work back in favour of other work."""

import pytest

from docserver.database.connection import Contended
from docserver.database.retries import CONTENDED_TRIES, uncontended, until_answered
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


@pytest.mark.parametrize("collisions", [1, CONTENDED_TRIES - 1, CONTENDED_TRIES])
async def test_a_transaction_that_collides_is_repeated_a_few_times(collisions: int) -> None:
    tries = 0

    async def transaction() -> str:
        nonlocal tries
        tries += 1
        if tries <= collisions:
            raise Contended("another one comes first")
        return "done"

    if collisions < CONTENDED_TRIES:
        assert await uncontended(transaction) == "done"
        assert tries == collisions + 1
    else:
        with pytest.raises(Contended):
            await uncontended(transaction)
        assert tries == CONTENDED_TRIES
