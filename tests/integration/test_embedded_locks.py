"""Which processes the private servers' lock ends: servers of the same data directory, and no others."""

import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from docserver.embedded import EmbeddedError, locks, programs, servers
from tests.support.waiting import FOREVER_S

TWO_FILE_SYSTEMS = """
import asyncio, pathlib, sys
from docserver.embedded import locks, servers

def pids(lock):
    with locks.opened(lock) as descriptor:
        return locks.holders(descriptor)

async def main():
    first, second = map(pathlib.Path, sys.argv[1:3])
    async with servers(first):
        before = pids(first / "servers.lock")
        async with servers(second):
            inodes = {(directory / "servers.lock").stat().st_ino for directory in (first, second)}
            assert len(inodes) == (1 if sys.argv[3] == "equal" else 2)
            assert len(pids(second / "servers.lock")) == 2
        assert len(before) == 2
        assert pids(first / "servers.lock") == before

asyncio.run(main())
"""
REDIS = ["redis-server", "--port", "0", "--unixsocket", "redis.sock"]


@contextmanager
def holder(command: list[str], *, lock: Path, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has inherited the lock of a docserver that has ended."""
    with locks.opened(lock) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # A program of another name than its command: redis-server may be a name of redis-check-rdb.
        program = programs.find().redis if command == REDIS else None
        process = subprocess.Popen(command, executable=program, cwd=cwd, pass_fds=(descriptor,))
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    for name in ("mysql", "redis"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "LEFTOVER_S", 0.2)


def ended(lock: Path, data_dir: Path) -> list[int]:
    with locks.opened(lock) as descriptor:
        return locks.end_servers(descriptor, data_dir, programs.find(), signal.SIGTERM)


def test_servers_whose_lock_has_the_same_inode_number_on_another_file_system_keep_running(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()
    mounts = " && ".join(f"mount -t tmpfs none {directory}" for directory in (first, second))
    private = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    script = [sys.executable, "-c", TWO_FILE_SYSTEMS, str(first), str(second)]
    mounted = subprocess.run([*private, mounts], check=False).returncode == 0
    # Where nothing can be mounted, both are on one file system: then only the numbers of their inodes differ.
    command = [*private, f'{mounts} && exec "$@"', "sh", *script, "equal"] if mounted else [*script, "different"]
    subprocess.run(command, check=True, timeout=FOREVER_S)


@pytest.mark.usefixtures("short")
async def test_another_program_that_has_inherited_the_lock_is_named_and_not_ended(data_dir: Path) -> None:
    with holder(["sleep", "60"], lock=data_dir / "servers.lock", cwd=data_dir / "redis") as process:
        with pytest.raises(EmbeddedError, match=rf"locked by the processes \[{process.pid}\]"):
            async with servers(data_dir):
                pass
        assert process.poll() is None


def test_a_server_of_another_directory_that_has_inherited_the_lock_is_not_ended(data_dir: Path) -> None:
    (other := data_dir / "other").mkdir()
    with holder(REDIS, lock=data_dir / "servers.lock", cwd=other) as process:
        assert ended(data_dir / "servers.lock", data_dir) == []
        assert process.poll() is None


def test_a_leftover_is_ended(data_dir: Path) -> None:
    with holder(REDIS, lock=data_dir / "servers.lock", cwd=data_dir / "redis") as process:
        assert ended(data_dir / "servers.lock", data_dir) == [process.pid]
        process.wait(FOREVER_S)


def test_a_process_that_only_has_the_file_open_is_not_ended(data_dir: Path) -> None:
    with (
        (data_dir / "servers.lock").open("w") as file,
        subprocess.Popen(["sleep", "60"], cwd=data_dir / "redis", pass_fds=(file.fileno(),)) as process,
    ):
        assert ended(data_dir / "servers.lock", data_dir) == []
        assert process.poll() is None
        process.kill()
