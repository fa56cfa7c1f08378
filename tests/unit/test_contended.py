"""Transactions that the database rolls back in favour of another one."""

import pytest

from docserver.database.connection import Contended
from docserver.jobs.transitions import CONTENDED_TRIES, uncontended


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
