"""What the errors of the server and of its connections mean, and which a further try may overcome. Repeats nothing."""

import asyncio
import logging

from pymysql.constants import CR
from pymysql.err import InterfaceError, InternalError, OperationalError

from docserver import metrics
from docserver.errors import DatabaseUnavailable

log = logging.getLogger("docserver.db")

FAULTS = (OperationalError, InterfaceError, InternalError, OSError, TimeoutError, asyncio.IncompleteReadError)
"""Errors of a server that is unreachable, restarting, frozen, full or ending a deadlock, and of the socket itself."""

CONTENTION = (1180, 1205, 1213, 3101)
"""Error numbers of the server: commit failed, lock wait timeout, deadlock, commit refused by a plugin. Galera and Group
Replication find out at COMMIT that another server has changed the same row: Galera says 1213, the other one 1180 or
3101. A node of Galera that loses the others during COMMIT says 1180 too. The transaction was rolled back each time."""

NO_WRITES = (1047, 1290, 1792, 1836, 9001)
"""Error numbers of a server that takes no writes, or nothing at all: a node of Galera that has lost the others,
`read_only`, a read-only transaction, InnoDB in read-only mode, ProxySQL without a primary. Nothing was carried out."""

CUT = (CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, 1053, 1927)
"""Error numbers of a connection that was cut: by the network or a proxy, by a shutdown, by KILL."""

TOO_LONG = (1969, 3024)
"""Error numbers of MariaDB and MySQL: the statement ran longer than the session allows."""

DAMAGED = (1034, 1194, 1712, 1877, 1932)
"""Error numbers of the server: the files of a table or index are damaged or missing."""

NO_SUCH_TABLE = 1146
"""Error number of the server. All tables exist after the start, unless a backup of the database is being restored."""

NO_ANSWER = "The database does not answer; try again soon."


class CommitUnknown(DatabaseUnavailable):
    """The connection broke during COMMIT. Only reading again shows whether the commit took place."""


class Contended(DatabaseUnavailable):
    """The server rolled the transaction back in favour of another one; it can be tried again at once."""


class TakesNoWrites(DatabaseUnavailable):
    """The server takes no writes, and has carried out nothing: perhaps another one has become the primary."""


class ReadOnlyServer(TakesNoWrites):
    """The server says that it is read-only. It still answers reads."""


class ConnectionCut(DatabaseUnavailable):
    """The connection was cut during a statement that is no COMMIT. An open transaction was rolled back; whether a
    statement in autocommit mode was carried out is not known.
    """


class TableMissing(DatabaseUnavailable):
    """There is no such table: the database is being restored, or is another one."""


class StatementTooLong(DatabaseUnavailable):
    """The server ended the statement because it ran too long. The server itself is well."""


_KINDS: dict[type[DatabaseUnavailable], tuple[int, ...]] = {
    Contended: CONTENTION,
    TakesNoWrites: NO_WRITES,
    ConnectionCut: CUT,
    StatementTooLong: TOO_LONG,
    TableMissing: (NO_SUCH_TABLE,),
}

_METRIC_KINDS = {Contended: "contended", TakesNoWrites: "no_writes", StatementTooLong: "too_long"}
"""The kinds of faults, as the metrics name them; all others are `unavailable`."""


def unavailable(error: BaseException) -> DatabaseUnavailable:
    """Log and count a fault of a statement or of COMMIT; returns what it means."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    kind = _kind(error, number)
    _note(kind, fault=type(error).__name__, number=number)
    if number in DAMAGED:
        return DatabaseUnavailable("A table of the database is damaged: restore the database from a backup.")
    return kind(NO_ANSWER)


def unconnected(error: BaseException) -> DatabaseUnavailable:
    """The same for a fault while a connection is opened. Another try would meet the same a moment later."""
    fault = unavailable(error)
    return fault if isinstance(fault, TakesNoWrites) else DatabaseUnavailable(fault.detail)


def read_only() -> ReadOnlyServer:
    """Log and count that a connection leads to a server that is read-only."""
    _note(TakesNoWrites, fault="ReadOnly", number=None)
    return ReadOnlyServer(NO_ANSWER)


def uncommitted(error: BaseException) -> DatabaseUnavailable:
    """What a fault of COMMIT means."""
    fault = unavailable(error)
    if isinstance(fault, Contended | TakesNoWrites):
        # The server has answered that it did not commit.
        return fault
    return CommitUnknown(fault.detail)


def _kind(error: BaseException, number: int | None) -> type[DatabaseUnavailable]:
    for kind, numbers in _KINDS.items():
        if number in numbers:
            return kind
    is_cut = isinstance(error, InterfaceError | ConnectionError | asyncio.IncompleteReadError)
    return ConnectionCut if is_cut else DatabaseUnavailable


def _note(kind: type[DatabaseUnavailable], *, fault: str, number: int | None) -> None:
    log.warning("database fault", extra={"fault": fault, "number": number})
    metrics.DATABASE_FAULTS.labels(_METRIC_KINDS.get(kind, "unavailable")).inc()
