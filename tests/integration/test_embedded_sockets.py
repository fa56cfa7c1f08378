"""The private servers' sockets and temporary files: where they are, and what happens when somebody removes them."""

import logging
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pymysql
import pytest
import redis

from docserver.embedded import EmbeddedError, Endpoints, servers, sockets
from tests.support.private_servers import WRITTEN, database, read, write
from tests.support.waiting import until

LONG = Path("a long näme, with 'quotes', a : and spaces " * 4) / ("x" * 100)


def answers(data_dir: Path, endpoints: Endpoints) -> Callable[[], bool]:
    def check() -> bool:
        # Before the clients connect: they leave a socket open when they cannot.
        try:
            for name in ("mysql.sock", "redis.sock"):
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(socket_directory(data_dir) / name))
            return read(endpoints) == WRITTEN
        except (OSError, pymysql.Error, redis.RedisError):
            return False

    return check


def sort_on_disk(endpoints: Endpoints) -> None:
    """Let MariaDB write a temporary file."""
    connection = database(endpoints)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET sort_buffer_size = 1024")
        cursor.execute("USE mysql")
        cursor.execute("SELECT MD5(seq) AS hash, REPEAT('x', 500) FROM seq_1_to_20000 ORDER BY hash")
        assert len(cursor.fetchall()) == 20_000


def socket_directory(data_dir: Path) -> Path:
    return (data_dir / "run").resolve()


@pytest.mark.parametrize("below", [Path(), LONG], ids=["in the data directory", "elsewhere"])
async def test_servers_whose_sockets_were_removed_answer_again_at_the_same_path(
    tmp_path: Path, below: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "docserver.embedded")
    data_dir = tmp_path / below
    async with servers(data_dir) as endpoints:
        write(endpoints)
        for round_number in (1, 2):
            shutil.rmtree(socket_directory(data_dir))
            assert not answers(data_dir, endpoints)()
            # A socket that is removed before the start has seen it takes the start's whole time limit.
            await until(lambda: caplog.messages.count("server restarted") == 2 * round_number)  # noqa: B023 - called here
            assert answers(data_dir, endpoints)()
        assert socket_directory(data_dir).stat().st_mode & 0o777 == 0o700
    async with servers(data_dir) as endpoints:
        assert read(endpoints) == WRITTEN


async def test_a_server_whose_socket_was_removed_answers_again(tmp_path: Path) -> None:
    async with servers(tmp_path) as endpoints:
        write(endpoints)
        for name in ("mysql.sock", "redis.sock"):
            (tmp_path / "run" / name).unlink()
            await until(answers(tmp_path, endpoints), pause_s=0.2)


async def test_temporary_files_are_in_the_data_directory_which_is_made_again(tmp_path: Path) -> None:
    temporary = tmp_path / LONG / "mysql.tmp"
    async with servers(tmp_path / LONG) as endpoints:
        sort_on_disk(endpoints)
        shutil.rmtree(temporary)
        with pytest.raises(pymysql.Error, match=r"create/write to file.*mysql\.tmp"):
            sort_on_disk(endpoints)
        await until(temporary.exists)
        sort_on_disk(endpoints)
    assert not temporary.exists()


async def test_what_a_killed_docserver_has_left_is_removed(tmp_path: Path) -> None:
    for name in ("run", "mysql.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "leftover").touch()
    with socket.socket(socket.AF_UNIX) as leftover:
        leftover.bind(str(tmp_path / "run" / "mysql.sock"))
    async with servers(tmp_path) as endpoints:
        write(endpoints)
        assert read(endpoints) == WRITTEN
        assert not list(tmp_path.glob("*/leftover"))


def test_the_directory_elsewhere_that_a_killed_docserver_has_left_is_removed(tmp_path: Path) -> None:
    with sockets.directory(tmp_path):
        pass
    (old := tmp_path / "docserver-old").mkdir()
    (tmp_path / "run").symlink_to(old)
    with sockets.directory(tmp_path) as path:
        assert path == tmp_path / "run"
        assert not path.is_symlink()
        assert not old.exists()


@pytest.mark.parametrize("lacks", ["sockets", "permissions"])
def test_a_file_system_without_sockets_or_permissions_holds_only_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    if lacks == "sockets":
        monkeypatch.setattr(socket.socket, "bind", refuse)
    else:
        monkeypatch.setattr(sockets, "_is_own", lambda _: False)
    with sockets.directory(tmp_path) as path:
        assert path.parent in {Path("/run"), Path("/tmp")}
        assert (tmp_path / "run").readlink() == path
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_others_have_put_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path)
    with pytest.raises(EmbeddedError, match="is a link or belongs to another user"):
        sockets.ensure(tmp_path / "run")


def test_a_directory_that_was_opened_to_others_is_closed_again(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    sockets.ensure(tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


async def test_no_empty_database_takes_the_place_of_one_that_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with servers(tmp_path) as endpoints:
        write(endpoints)
        (tmp_path / "mysql").rename(tmp_path / "away")
        (tmp_path / "run" / "mysql.sock").unlink()
        await until(lambda: "server did not start again" in caplog.messages)
        assert not (tmp_path / "mysql").exists()
        (tmp_path / "away").rename(tmp_path / "mysql")
        await until(answers(tmp_path, endpoints), pause_s=0.2)
