"""The private servers: that they keep their data, come back, and leave nothing behind. Each test starts its own."""

import asyncio
import errno
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from unittest.mock import DEFAULT, Mock

import pytest
import redis

from docserver.embedded import EmbeddedError, Endpoints, mariadb, programs, servers
from docserver.embedded.locks import holders, opened
from tests.support.private_servers import WRITTEN, database, read, store, write
from tests.support.small_disk import small_disk
from tests.support.waiting import FOREVER_S, in_time, until

LISTENING = "0A"
SERVERS = {"mariadbd", "redis-server"}
PARENT = """
import asyncio, pathlib, sys
from docserver.embedded import servers

async def main():
    async with servers(pathlib.Path(sys.argv[1])) as endpoints:
        print(endpoints.mysql_url, endpoints.redis_url, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def running(data_dir: Path) -> dict[str, int]:
    """The servers that run on this directory, by name."""
    if not (data_dir / "servers.lock").exists():
        return {}
    with opened(data_dir / "servers.lock") as lock:
        names = {_name(pid): pid for pid in holders(lock)}
    return {name: pid for name, pid in names.items() if name in SERVERS}


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def listening(pids: Iterable[int]) -> list[str]:
    """The addresses of the network on which these processes listen, proc_pid_net(5)."""
    sockets = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                sockets.add(str(link.readlink()))
    rows = [line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in sockets]


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs the servers on `tmp_path / "data"`."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def told(parent: subprocess.Popen[str]) -> Endpoints:
    """Where the other process says that its servers are."""
    assert parent.stdout is not None
    return Endpoints(*parent.stdout.readline().split())


async def test_data_survive_a_restart(tmp_path: Path) -> None:
    async with servers(tmp_path) as endpoints:
        write(endpoints)
    async with servers(tmp_path) as endpoints:
        assert read(endpoints) == WRITTEN


@pytest.mark.parametrize("name", ["mariadbd", "redis-server"])
async def test_a_server_that_is_killed_comes_back_with_its_data(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.INFO)
    async with servers(tmp_path) as endpoints:
        write(endpoints)
        os.kill(running(tmp_path)[name], signal.SIGKILL)
        await until(lambda: "server restarted" in caplog.messages)
        assert read(endpoints) == WRITTEN
    facts = [vars(record) for record in caplog.records if record.message == "server ended by itself"]
    assert [(fact["levelno"], fact["server"], fact["exit_code"]) for fact in facts] == [(logging.WARNING, name, -9)]


async def test_a_second_start_on_the_same_directory_is_refused_at_once(tmp_path: Path) -> None:
    async with servers(tmp_path) as endpoints:
        write(endpoints)
        async with in_time():
            with pytest.raises(EmbeddedError, match=f"the data directory {tmp_path} is in use by another docserver"):
                async with servers(tmp_path):
                    pass
        assert read(endpoints) == WRITTEN


async def test_no_server_listens_on_a_network(tmp_path: Path) -> None:
    async with servers(tmp_path):
        pids = running(tmp_path)
        assert set(pids) == SERVERS
        assert listening(pids.values()) == []


async def test_only_we_may_enter_the_directory_of_the_sockets(tmp_path: Path) -> None:
    async with servers(tmp_path):
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
        assert {"mysql.sock", "redis.sock"} <= names_in(tmp_path / "run")


async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        async with servers(tmp_path):
            pids = running(tmp_path).values()
            raise LookupError
    assert len(pids) == 2
    assert [_name(pid) for pid in pids] == ["", ""]
    assert names_in(tmp_path) == {"docserver.lock", "mysql", "redis", "servers.lock"}


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2])
async def test_nothing_is_left_behind_when_the_start_is_cancelled(tmp_path: Path, after_s: float) -> None:
    async def start() -> None:
        async with servers(tmp_path):
            await asyncio.sleep(FOREVER_S)

    task = asyncio.create_task(start())
    await asyncio.sleep(after_s)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert running(tmp_path) == {}
    assert not {"run", "mysql.tmp"} & names_in(tmp_path)


async def test_after_the_parent_was_killed_the_servers_end_and_a_new_start_finds_the_data(
    tmp_path: Path, parent: subprocess.Popen[str]
) -> None:
    data_dir = tmp_path / "data"
    write(told(parent))
    old = set(running(data_dir).values())
    parent.kill()
    async with in_time(), servers(data_dir) as endpoints:
        assert read(endpoints) == WRITTEN
        assert len(old) == 2
        assert not old & set(running(data_dir).values())


async def test_servers_end_with_a_parent_that_was_killed(tmp_path: Path, parent: subprocess.Popen[str]) -> None:
    told(parent)
    assert set(running(tmp_path / "data")) == SERVERS
    parent.kill()
    await until(lambda: not running(tmp_path / "data"))


async def test_a_data_directory_that_was_half_made_is_made_anew(tmp_path: Path, parent: subprocess.Popen[str]) -> None:
    half_made = tmp_path / "data" / "mysql.new"
    await until(lambda: (half_made / "mysql").exists() or (tmp_path / "data" / "mysql").exists())
    for pid in (parent.pid, *running(tmp_path / "data").values()):
        # MariaDB runs several times while its directory is made, and may just have ended.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert half_made.exists()
    async with servers(tmp_path / "data") as endpoints:
        write(endpoints)
        assert read(endpoints) == WRITTEN
        assert not half_made.exists()


async def test_a_data_directory_may_have_a_long_path_with_odd_names(tmp_path: Path) -> None:
    data_dir = tmp_path / ("a long näme, with 'quotes' and spaces " * 4) / ("x" * 100)
    async with servers(data_dir) as endpoints:
        write(endpoints)
        assert read(endpoints) == WRITTEN


async def test_redis_begins_anew_when_its_files_are_damaged(tmp_path: Path) -> None:
    async with servers(tmp_path) as endpoints:
        write(endpoints)
    (manifest,) = (tmp_path / "redis").glob("*/*.manifest")
    manifest.write_text("damaged")
    async with servers(tmp_path) as endpoints:
        assert read(endpoints) == (WRITTEN[0], [])


async def test_a_database_that_cannot_start_is_kept_its_log_quoted_and_the_remedy_told(tmp_path: Path) -> None:
    async with servers(tmp_path):
        pass
    (tmp_path / "mysql" / "ibdata1").write_bytes(b"damaged")
    remedy = f"; if its files are damaged, restore {tmp_path / 'mysql'} from a backup"
    with pytest.raises(EmbeddedError, match=rf"^mariadbd did not start: .*ERROR.*{re.escape(remedy)}$"):
        async with servers(tmp_path):
            pass
    assert (tmp_path / "mysql" / "ibdata1").read_bytes() == b"damaged"
    assert running(tmp_path) == {}


async def test_both_servers_go_on_after_their_disk_was_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size=100_000_000) as disk:
        async with servers(disk.directory / "data") as endpoints:
            write(endpoints)
            with closing(store(endpoints)) as client:
                disk.fill()
                if disk.mounted:
                    await until(lambda: not _takes(client))
                disk.free()
                await until(lambda: _takes(client))
            with closing(database(endpoints)) as connection, connection.cursor() as cursor:
                cursor.execute("INSERT INTO kept.words VALUES ('more')")
            assert read(endpoints) == WRITTEN


async def test_a_first_start_that_meets_a_full_disk_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The filler leaves too little for the data directory, and is removed when the first try has failed.
    monkeypatch.setattr("docserver.embedded.mariadb.CREATE_BYTES", 0)
    with small_disk(tmp_path / "disk", size=100_000_000) as disk:
        if disk.mounted:
            (disk.directory / "filler").write_bytes(bytes(80_000_000))
        else:
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            script = Mock(wraps=mariadb._script, side_effect=[full, DEFAULT])
            monkeypatch.setattr("docserver.embedded.mariadb._script", script)

        async def make_room() -> None:
            await until(lambda: "server did not start on a full disk" in caplog.messages)
            disk.free()

        freeing = asyncio.create_task(make_room())
        async with servers(disk.directory / "data") as endpoints:
            await freeing
            write(endpoints)
            assert read(endpoints) == WRITTEN


def _takes(client: redis.Redis) -> bool:
    """True if Redis accepts a write; it refuses all writes while it cannot append to its file."""
    try:
        client.set("filler", bytes(100_000))
    except redis.exceptions.ResponseError as error:
        assert "MISCONF" in str(error)
        return False
    return True


async def test_a_servers_log_is_emptied_when_it_is_too_long_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("docserver.embedded.server.LOG_BYTES", 100)
    monkeypatch.setattr("docserver.embedded.server.CHECK_S", 0.05)
    async with servers(tmp_path) as endpoints:
        log, old = tmp_path / "redis" / "err.log", tmp_path / "redis" / "err.log.1"
        await until(lambda: old.exists() and log.stat().st_size == 0)
        assert "ready to accept connections" in old.read_text()
        with closing(store(endpoints)) as client:
            client.bgrewriteaof()
        await until(lambda: "rewriting" in (old.read_text() + log.read_text()))


@pytest.mark.parametrize(
    ("missing", "package"),
    [("mariadbd", "mariadb-server-core"), ("redis-server", "redis-tools"), ("setpriv", "util-linux")],
)
async def test_a_missing_program_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, package: str
) -> None:
    alike = ("redis-server", "redis-check-rdb") if missing == "redis-server" else (missing,)
    which = programs.shutil.which  # type: ignore[attr-defined]
    monkeypatch.setattr(
        "docserver.embedded.programs.shutil.which", lambda name, path: None if name in alike else which(name, path=path)
    )
    with pytest.raises(EmbeddedError, match=f"^{missing} is missing: install the package {package}$"):
        async with servers(tmp_path):
            pass


async def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="file/data cannot be made: Not a directory"):
        async with servers(tmp_path / "file" / "data"):
            pass
