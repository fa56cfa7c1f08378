"""What the database and Redis have done so far, from their own counters and from /proc."""

from dataclasses import dataclass, fields
from typing import Self

from bench.usage import cpu_s
from docserver.database.connection import Database
from docserver.redis.client import Redis


@dataclass(frozen=True, slots=True)
class Counters:
    """Sums since the servers were started; or what was added between two moments, or that for each page."""

    database_cpu_ms: float
    deadlocks: float
    """Transactions that the database ended in favour of others; they are tried again."""
    rows_read: float
    statements: float
    transactions: float
    """Commits of more than one statement: a claim of pages is one, and a save."""
    flushes: float
    """Of the database's log to the disk: each waits for the disk, and those of several commits may be one."""
    log_kb: float
    """What the database has written into its log."""
    redis_cpu_ms: float
    redis_commands: float
    """Those of scripts too."""

    def since(self, earlier: Self) -> "Counters":
        return Counters(*(getattr(self, each.name) - getattr(earlier, each.name) for each in fields(self)))

    def per(self, count: float) -> "Counters":
        return Counters(*(getattr(self, each.name) / count for each in fields(self)))


async def count(db: Database, redis: Redis, *, database_pid: int, redis_pid: int) -> Counters:
    """The counters now."""
    async with db.session() as cur:
        await cur.execute("SHOW GLOBAL STATUS")
        status = {row["Variable_name"]: row["Value"] for row in cur.rows()}
    commands = (await redis.command("INFO", "commandstats")).decode()
    return Counters(
        database_cpu_ms=cpu_s(database_pid) * 1000,
        deadlocks=int(status["Innodb_deadlocks"]),
        rows_read=sum(int(value) for name, value in status.items() if name.startswith("Handler_read")),
        statements=int(status["Questions"]),
        transactions=int(status["Com_commit"]),
        flushes=int(status["Innodb_data_fsyncs"]),
        log_kb=int(status["Innodb_os_log_written"]) / 1000,
        redis_cpu_ms=cpu_s(redis_pid) * 1000,
        redis_commands=sum(
            int(line.partition("calls=")[2].partition(",")[0]) for line in commands.splitlines() if "calls=" in line
        ),
    )
