"""Data directory and database that belong together, and those that do not."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import pytest
from pymysql.err import ProgrammingError

from docserver import identity as module
from docserver.database.address import Address
from docserver.database.connection import Database
from docserver.database.driver import connect
from docserver.database.migrate import migrate
from docserver.database.tables import claims, deployment, leader
from docserver.errors import DatabaseUnavailable
from docserver.identity import adopt, identify, require_embedded_database, still_agree
from docserver.maintenance import TASK, Maintenance
from docserver.resources import Resources
from docserver.settings import Settings
from docserver.storage.identity import IdentityError, IdentityFiles
from tests.support.connections import MakeDatabase
from tests.support.rows import make_job


def put_original(data_dir: Path, document_id: UUID) -> Path:
    path = data_dir / "originals" / str(document_id)[-2:] / str(document_id)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"content")
    return path


def database_of(settings: Settings) -> Database:
    """A pool as a running service has it: it accepts no other database."""
    identity = IdentityFiles(settings.data_dir).database()
    assert identity
    return Database(
        settings.mysql_url,
        size=2,
        timeout_s=10,
        check=partial(deployment.require, database=identity, setting="DOCSERVER_MYSQL_URL"),
    )


@pytest.fixture
def db(make_db: MakeDatabase) -> Database:
    """The database of `settings`, before its first start."""
    return make_db()


@pytest.fixture
async def other(settings: Settings, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings of another deployment on the same server."""
    name = f"docserver_other_{uuid4().hex[:8]}"
    url = urlunsplit(urlsplit(settings.mysql_url)._replace(path=f"/{name}"))
    changed = replace(settings, mysql_url=url, data_dir=tmp_path / "other")
    await migrate(changed)
    yield changed
    connection = await connect(Address.parse(url), timeout_s=10, database=None)
    async with connection.cursor() as cursor:
        await cursor.execute(f"DROP DATABASE {name}")
    connection.close()


async def test_a_second_start_and_a_start_after_adoption_are_accepted(settings: Settings, other: Settings) -> None:
    for each in (settings, other):
        await identify(each)
        await identify(each)
    crossed = replace(settings, data_dir=other.data_dir)
    with pytest.raises(IdentityError, match="do not belong together"):
        await identify(crossed)

    await adopt(crossed)

    await identify(crossed)
    for each in (settings, other):
        with pytest.raises(IdentityError, match="do not belong together"):
            await identify(each)


@pytest.mark.parametrize("by", ["maintenance", "a claim"])
async def test_nothing_is_adopted_while_the_service_is_at_work(
    settings: Settings, other: Settings, db: Database, by: str
) -> None:
    await identify(settings)
    crossed = replace(settings, data_dir=other.data_dir)
    holder = uuid4()
    async with db.session() as cur:
        if by == "maintenance":
            await leader.acquire(cur, TASK, holder=holder, lease_s=30)
        else:
            document_id, job_id = await make_job(db)
            put_original(crossed.data_dir, document_id)
            await claims.take_opening(cur, job_id=job_id, version=1, claim_id=holder, lease_s=30, engine={})

    with pytest.raises(IdentityError, match="docserver is at work with this database: stop all"):
        await adopt(crossed)

    await identify(settings)
    async with db.session() as cur:
        await leader.resign(cur, TASK, holder=holder)
        await claims.release(cur, [holder])
    await adopt(crossed)
    await identify(crossed)


async def test_a_storage_without_the_documents_of_the_database_is_adopted_only_if_that_is_wanted(
    settings: Settings, db: Database, tmp_path: Path
) -> None:
    await identify(settings)
    await make_job(db)
    empty = replace(settings, data_dir=tmp_path / "empty")

    with pytest.raises(IdentityError, match=r"of none: .* see `docserver adopt --without-originals`"):
        await adopt(empty)

    await identify(settings)
    await adopt(empty, without_originals=True)
    await identify(empty)


async def test_two_that_belong_together_stay_as_they_are_when_they_are_adopted(settings: Settings) -> None:
    await identify(settings)
    identity = IdentityFiles(settings.data_dir).database()

    await adopt(settings)

    assert IdentityFiles(settings.data_dir).database() == identity


async def test_a_refusal_first_says_which_settings_are_probably_wrong(settings: Settings, tmp_path: Path) -> None:
    await identify(settings)
    mistakes = {
        "DOCSERVER_DATA_DIR, DOCSERVER_STORAGE_URL (not set here)": replace(settings, data_dir=tmp_path / "x"),
        "DOCSERVER_STORAGE_URL": replace(settings, storage_url=(tmp_path / "y").as_uri()),
    }
    for named, wrong in mistakes.items():
        with pytest.raises(IdentityError) as refused:
            await identify(wrong)

        said = str(refused.value).partition(": ")[2]
        assert said.startswith(f"{named} or DOCSERVER_MYSQL_URL is probably not the service's; correct it, ")
        assert said.endswith("see `docserver adopt` in docs/backup.md")


async def test_of_two_that_start_for_the_first_time_at_once_both_agree(settings: Settings) -> None:
    await asyncio.gather(*(identify(settings) for _ in range(6)))

    await identify(settings)


async def test_a_first_start_during_which_another_one_comes_to_its_end_agrees_with_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored(files: IdentityFiles) -> tuple[UUID | None, UUID | None]:
        before = files.directory(), files.database()
        monkeypatch.undo()
        asyncio.run(identify(settings))
        return before

    monkeypatch.setattr(module, "_stored", stored)

    await identify(settings)


@pytest.mark.parametrize("shared", ["data_dir", "mysql_url"])
async def test_of_two_deployments_that_share_one_side_by_mistake_one_is_refused(
    settings: Settings, other: Settings, shared: str
) -> None:
    both = (settings, replace(other, **{shared: getattr(settings, shared)}))

    answers = await asyncio.gather(*(identify(each) for each in both), return_exceptions=True)

    assert [type(answer) for answer in answers if answer] == [IdentityError]
    again = await asyncio.gather(*(identify(each) for each in both), return_exceptions=True)
    assert list(map(bool, again)) == list(map(bool, answers))


@pytest.mark.parametrize("steps", [1, 2])
async def test_a_first_start_that_was_killed_is_completed_by_the_next(
    settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    class Killed(Exception):
        pass

    async def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as broken, pytest.raises(Killed):
        if steps == 1:
            broken.setattr(deployment, "insert_if_missing", die)
        else:
            broken.setattr(module, "_is_theirs", die)
        await identify(settings)
    assert not await still_agree(db, IdentityFiles(settings.data_dir))

    await identify(settings)

    assert await still_agree(db, IdentityFiles(settings.data_dir))


@pytest.mark.parametrize("with_identity", [True, False])
async def test_a_database_from_before_there_were_identities_is_joined_if_its_originals_are_there(
    settings: Settings, db: Database, with_identity: bool
) -> None:
    document_id, _ = await make_job(db)
    await make_job(db)
    put_original(settings.data_dir, document_id)
    if with_identity:
        files = IdentityFiles(settings.data_dir)
        files.claim_directory()
        files.claim_database(uuid4())

    await identify(settings)
    await identify(settings)


@pytest.mark.parametrize(
    ("documents", "originals", "said"),
    [
        (0, 1, "restore the database from a backup"),
        (1, 0, "mount what is missing, or restore it"),
        (1, 1, "mount what is missing, or restore it"),
    ],
)
async def test_what_does_not_match_is_refused_with_one_sentence_and_left_as_it_is(
    settings: Settings, db: Database, documents: int, originals: int, said: str
) -> None:
    for _ in range(documents):
        await make_job(db)
    paths = [put_original(settings.data_dir, uuid4()) for _ in range(originals)]

    for _ in range(2):
        with pytest.raises(IdentityError, match=said) as refused:
            await identify(settings)

    assert "docserver adopt" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert all(path.exists() for path in paths)
    assert not (settings.data_dir / "identity").exists()


async def test_an_empty_directory_in_the_place_of_one_that_is_not_mounted_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    await identify(settings)

    with pytest.raises(IdentityError, match="mount what is missing"):
        await identify(replace(settings, data_dir=tmp_path / "not mounted"))


async def test_a_new_database_in_the_place_of_one_that_is_lost_is_refused(settings: Settings, other: Settings) -> None:
    await identify(settings)

    with pytest.raises(IdentityError, match="the database is empty"):
        await identify(replace(settings, mysql_url=other.mysql_url))


async def test_a_damaged_identity_is_refused_until_it_is_restored_or_deleted_and_adopted(settings: Settings) -> None:
    await identify(settings)
    path = settings.data_dir / "identity" / "directory"
    path.write_bytes(b"\xff\x00")

    for act in (identify, adopt):
        with pytest.raises(IdentityError, match="is damaged"):
            await act(settings)
    path.unlink()
    await adopt(settings)

    await identify(settings)


@pytest.mark.parametrize("kind", ["directory", "pipe", "endless", "loop"])
async def test_something_else_in_the_place_of_an_identity_is_refused_at_once(settings: Settings, kind: str) -> None:
    await identify(settings)
    path = settings.data_dir / "identity" / "directory"
    path.unlink()
    match kind:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "endless":
            path.symlink_to("/dev/zero")
        case _:
            path.symlink_to(path)

    async with asyncio.timeout(5):
        with pytest.raises(IdentityError, match=f"^the file {path} (cannot be read|is damaged)"):
            await identify(settings)


async def test_maintenance_says_once_that_a_file_of_the_identity_is_damaged(
    settings: Settings, resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    maintenance = Maintenance(resources)
    await maintenance.round()
    (settings.data_dir / "identity" / "database").write_text("damaged")

    for _ in range(3):
        await maintenance.round()

    said = [record.__dict__["fault"] for record in caplog.records if "maintenance does nothing" in record.message]
    assert len(said) == 1
    assert said[0].startswith(f"the file {settings.data_dir}/identity/database is damaged: restore it from a backup")


async def test_where_a_file_system_has_no_hard_links_identities_are_made_all_the_same(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refuse)

    await identify(settings)
    await identify(settings)

    assert sorted(path.name for path in (settings.data_dir / "identity").iterdir()) == ["database", "directory"]


async def test_a_private_database_that_is_gone_is_never_made_anew(settings: Settings) -> None:
    embedded = replace(settings, embedded=True)
    await require_embedded_database(embedded)
    path = put_original(settings.data_dir, uuid4())
    with pytest.raises(IdentityError, match="docserver adopt --embedded"):
        await require_embedded_database(embedded)
    path.unlink()
    await require_embedded_database(embedded)
    await identify(settings)
    with pytest.raises(IdentityError, match="restore it from a backup"):
        await require_embedded_database(embedded)


@pytest.mark.parametrize("change", ["DELETE FROM deployment", "UPDATE deployment SET database_identity = 'x'"])
async def test_a_database_that_is_exchanged_while_the_service_runs_gets_no_more_connections(
    settings: Settings, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    await identify(settings)
    db = database_of(settings)
    async with db.session() as cur:
        await cur.execute(change)
        with pytest.raises(DatabaseUnavailable):
            await db.ping()
    await db.close()

    assert "restore that one, or restart docserver" in caplog.text


async def test_a_database_without_tables_is_not_the_one_that_was_there(
    settings: Settings, other: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    await identify(other)
    db = database_of(other)
    async with db.session() as cur:
        await cur.execute("DROP TABLE deployment")
        with pytest.raises(DatabaseUnavailable):
            await db.ping()
    await db.close()
    assert deployment.EXCHANGED in caplog.messages


async def test_maintenance_does_nothing_while_database_and_directory_do_not_belong_together(
    settings: Settings, resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    maintenance = Maintenance(resources)
    await maintenance.round()
    (settings.data_dir / "identity").rename(settings.data_dir / "elsewhere")
    path = put_original(settings.data_dir, uuid4())

    await maintenance.round()
    await maintenance.check_files()

    assert "maintenance does nothing" in caplog.text
    assert path.exists()
    (settings.data_dir / "elsewhere").rename(settings.data_dir / "identity")
    caplog.clear()
    await maintenance.round()
    assert "maintenance does nothing" not in caplog.text


async def test_while_a_backup_of_the_database_is_being_restored_it_counts_as_away(
    settings: Settings, db: Database
) -> None:
    async with db.session() as cur:
        with pytest.raises(DatabaseUnavailable):
            await cur.execute("SELECT * FROM a_table_that_is_not_restored_yet")
        with pytest.raises(ProgrammingError):
            await cur.execute("SELECT nonsense FROM documents WHERE")
