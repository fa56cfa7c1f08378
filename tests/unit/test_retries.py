"""Work is repeated while the database is away for a moment, and if it was certainly not carried out."""

import pytest
from pymysql.constants import CR
from pymysql.err import OperationalError

from docserver.database import retries
from docserver.database.faults import (
    CommitUnknown,
    ConnectionCut,
    Contended,
    StatementTooLong,
    TakesNoWrites,
    unavailable,
    uncommitted,
    unconnected,
)
from docserver.database.retries import REPEAT_PAUSES_S, transactional, until_answered
from docserver.errors import DatabaseUnavailable


class Work:
    """Fails this many times before it succeeds."""

    def __init__(self, failures: int, error: type[DatabaseUnavailable] = DatabaseUnavailable) -> None:
        self.failures = failures
        self.error = error
        self.tries = 0

    async def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.failures:
            raise self.error("away")
        return "done"


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "REPEAT_PAUSES_S", tuple(0 for _ in REPEAT_PAUSES_S))


async def test_work_is_done_again_while_the_database_is_away() -> None:
    assert await until_answered(Work(failures=2), pauses_s=(0, 0)) == "done"


async def test_work_fails_if_the_database_stays_away() -> None:
    with pytest.raises(DatabaseUnavailable):
        await until_answered(Work(failures=3), pauses_s=(0, 0))


@pytest.mark.parametrize("error", [Contended, TakesNoWrites, ConnectionCut])
async def test_a_transaction_that_was_rolled_back_is_repeated_a_few_times(error: type[DatabaseUnavailable]) -> None:
    repeated, hopeless = Work(len(REPEAT_PAUSES_S), error), Work(len(REPEAT_PAUSES_S) + 1, error)

    assert await transactional(repeated)() == "done"
    with pytest.raises(error):
        await transactional(hopeless)()

    assert repeated.tries == hopeless.tries == len(REPEAT_PAUSES_S) + 1


@pytest.mark.parametrize("error", [DatabaseUnavailable, CommitUnknown, StatementTooLong])
async def test_a_transaction_whose_end_is_unknown_or_whose_server_is_away_is_not_repeated(
    error: type[DatabaseUnavailable],
) -> None:
    work = Work(1, error)

    with pytest.raises(error):
        await transactional(work)()

    assert work.tries == 1


@pytest.mark.parametrize(
    ("error", "in_statement", "at_commit", "on_connecting"),
    [
        (OperationalError(1205, "lock wait"), Contended, Contended, DatabaseUnavailable),
        (OperationalError(1213, "deadlock"), Contended, Contended, DatabaseUnavailable),
        (OperationalError(1180, "Got error 149 during COMMIT"), Contended, Contended, DatabaseUnavailable),
        (OperationalError(3101, "rolled back by a plugin"), Contended, Contended, DatabaseUnavailable),
        (OperationalError(1290, "--read-only"), TakesNoWrites, TakesNoWrites, TakesNoWrites),
        (OperationalError(1836, "read-only mode"), TakesNoWrites, TakesNoWrites, TakesNoWrites),
        (OperationalError(1047, "WSREP"), TakesNoWrites, TakesNoWrites, TakesNoWrites),
        (OperationalError(CR.CR_SERVER_LOST, "lost"), ConnectionCut, CommitUnknown, DatabaseUnavailable),
        (OperationalError(1927, "killed"), ConnectionCut, CommitUnknown, DatabaseUnavailable),
        (ConnectionResetError(), ConnectionCut, CommitUnknown, DatabaseUnavailable),
        (TimeoutError(), DatabaseUnavailable, CommitUnknown, DatabaseUnavailable),
        (OperationalError(3024, "too long"), StatementTooLong, CommitUnknown, DatabaseUnavailable),
        (OperationalError(3100, "hook"), DatabaseUnavailable, CommitUnknown, DatabaseUnavailable),
    ],
)
def test_an_error_says_whether_something_was_carried_out(
    error: Exception,
    in_statement: type[DatabaseUnavailable],
    at_commit: type[DatabaseUnavailable],
    on_connecting: type[DatabaseUnavailable],
) -> None:
    assert type(unavailable(error)) is in_statement
    assert type(uncommitted(error)) is at_commit
    assert type(unconnected(error)) is on_connecting
