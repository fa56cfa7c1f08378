"""What stops the embedded servers before they start: each is told in one sentence that says where."""

import asyncio
import os
import signal
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest

from docserver.embedded import locks, mariadb, programs, redis, server, sockets
from docserver.embedded.locks import opened
from docserver.embedded.programs import Programs
from docserver.embedded.server import EmbeddedError, Server, failure, log_file
from tests.support.waiting import until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


def test_a_data_directory_that_is_no_directory_is_named(file: Path) -> None:
    with pytest.raises(EmbeddedError, match=f"the data directory {file} cannot be written: Not a directory"):
        opened(file / "servers.lock").__enter__()


async def test_a_lock_that_the_file_system_refuses_is_an_error_of_the_data_directory(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    os.close(descriptor)

    with pytest.raises(EmbeddedError, match="the data directory cannot be locked: Bad file descriptor"):
        await locks._locked(descriptor, within_s=1)


def test_a_program_that_is_missing_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "ADMIN_PATH", str(tmp_path))

    with pytest.raises(EmbeddedError, match="mariadbd is missing: install the package mariadb-server-core"):
        programs.find()


def test_files_of_mariadb_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "SHARE", (tmp_path,))
    monkeypatch.setattr(programs, "_find", lambda *names, package: f"{names[0]} of {package}")

    with pytest.raises(EmbeddedError, match="SQL files of mariadbd are missing"):
        programs.find()


def test_a_directory_for_sockets_that_cannot_be_made_is_refused(file: Path) -> None:
    with pytest.raises(EmbeddedError, match="cannot be made: Not a directory"):
        sockets.ensure(file / "run")


def test_a_directory_for_sockets_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path)

    with pytest.raises(EmbeddedError, match="is a link or belongs to another user"):
        sockets.ensure(tmp_path / "run")


def test_where_no_directory_for_sockets_can_be_made_the_places_are_named(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.setattr(sockets, "ELSEWHERE", (str(file),))

    with pytest.raises(EmbeddedError, match=f"no directory for sockets can be made in {file}"):
        sockets._elsewhere()


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "err.log").mkdir()

    with pytest.raises(EmbeddedError, match=r"err\.log cannot be written: Is a directory"):
        log_file(tmp_path)


def test_a_server_that_left_no_log_is_still_complained_of(tmp_path: Path) -> None:
    assert str(failure("it did not start", tmp_path / "nothing", 0)) == "it did not start: its log is empty"


def test_a_link_to_redis_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "redis-server").touch()
    installed = Programs(mariadbd="mariadbd", redis="redis-server", setpriv="setpriv", share=tmp_path)

    with pytest.raises(EmbeddedError, match="redis-server cannot be made: File exists"):
        redis.server(installed, tmp_path, tmp_path, lock=0)._prepare()


def stubborn(tmp_path: Path) -> Server:
    """A server that never answers and ignores SIGTERM."""

    async def answers(*_: object) -> bool:
        return False

    return Server(
        name="stubborn",
        directory=tmp_path,
        socket=tmp_path / "socket",
        lock=0,
        command=["sh", "-c", "trap '' TERM; touch ready; while :; do sleep 1; done"],
        is_answering=answers,
        prepare=lambda: None,
    )


async def test_a_server_that_never_answers_is_an_error_and_one_that_does_not_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "START_S", 0.05)
    monkeypatch.setattr(server, "STOP_S", 0.05)
    process = stubborn(tmp_path)

    with pytest.raises(EmbeddedError, match=r"stubborn did not answer within 0\.05 s"):
        await process._run()
    await until((tmp_path / "ready").exists)
    await process.stop()

    assert process._process
    assert process._process.returncode == -signal.SIGKILL
    assert "server killed: it did not stop in time" in caplog.messages


def failing(tmp_path: Path, *command: str) -> Server:
    """A server that has no socket and whose directories cannot be made."""

    def refuse() -> None:
        raise EmbeddedError("the directory is gone")

    async def answers(*_: object) -> bool:
        return False

    return Server(
        name="failing",
        directory=tmp_path,
        socket=tmp_path / "socket",
        lock=0,
        command=command,
        is_answering=answers,
        prepare=refuse,
    )


async def test_a_running_server_whose_directories_cannot_be_made_again_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "CHECK_S", 0)
    running = failing(tmp_path)
    process = running._process = await asyncio.create_subprocess_exec("sleep", "600", start_new_session=True)

    await running._end(process)

    assert "server may fail" in caplog.messages
    assert "server stopped: its socket was removed" in caplog.messages
    assert process.returncode


async def test_a_server_that_ran_for_long_is_restarted_after_the_shortest_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "STABLE_S", -1)
    monkeypatch.setattr(server, "MIN_PAUSE_S", 0)
    running = failing(tmp_path)
    ends = iter([0, 0, 0])

    async def end(_: object) -> int:
        if (code := next(ends, None)) is None:
            running._process = None
            return 0
        return code

    running._process = Mock()
    monkeypatch.setattr(running, "_end", end)
    monkeypatch.setattr(running, "start", AsyncMock())

    await running.supervise()

    pauses = [vars(record)["pause_s"] for record in caplog.records if record.message == "server ended by itself"]
    assert pauses == [0] * 4


async def test_a_database_that_does_not_make_its_directory_in_time_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mariadb, "START_S", 0)
    monkeypatch.setattr(mariadb, "_command", lambda *_: ["sleep", "600"])
    monkeypatch.setattr(mariadb, "kill", kill := AsyncMock(side_effect=server.kill))
    installed = Programs(mariadbd="mariadbd", redis="redis-server", setpriv="setpriv", share=tmp_path)

    with pytest.raises(EmbeddedError, match="did not make its data directory within 0 s"):
        await mariadb._make(installed, tmp_path / "mysql", tmp_path, lock=0)

    assert kill.await_args is not None
    assert kill.await_args.args[0].returncode == -signal.SIGKILL
    assert not (tmp_path / "mysql").exists()
