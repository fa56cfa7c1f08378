"""What `docserver doctor` says of this machine, and that no check can hang or hide the others."""

import asyncio
import errno
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from docserver.doctor import examination, machine, outgoing, reading, redis
from docserver.doctor.findings import Finding, Status, ok
from docserver.ocr.sandbox.policy import Confinement
from docserver.room import Room
from docserver.setting_types import Auth, SandboxMode
from docserver.settings import Settings
from docserver.storage.identity import IdentityFiles, public_mark
from docserver.storage.local import LocalStorage
from docserver.web.handlers.system import DEPLOYMENT_HEADER
from tests.support.collector import collecting
from tests.support.waiting import FOREVER_S


async def all_of(found: AsyncIterator[Finding]) -> list[Finding]:
    return [finding async for finding in found]


@pytest.mark.parametrize(
    ("mode", "status"), [(SandboxMode.PREFER, Status.WARNING), (SandboxMode.REQUIRE, Status.PROBLEM)]
)
def test_what_the_sandbox_lacks_is_named_with_a_reason(mode: SandboxMode, status: Status) -> None:
    finding = reading._sandbox(Confinement(landlock=0, seccomp=False), mode)

    assert finding.status is status
    assert "no Landlock, no seccomp: " in finding.detail
    assert "seccomp filter" in finding.detail
    assert "Landlock" in finding.detail.partition(": ")[2]


def test_a_kernel_before_landlock_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "release", lambda: "5.10.0-33-amd64")

    assert reading._why_no_landlock() == "Linux 5.10.0-33-amd64 is older than 5.13, the first with Landlock"


def test_a_kernel_that_was_started_without_landlock_is_told_how_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "lsm").write_text("lockdown,capability,apparmor")
    monkeypatch.setattr(platform, "release", lambda: "6.12.1")
    monkeypatch.setattr(reading, "ACTIVE_MODULES", tmp_path / "lsm")

    assert "lsm=lockdown,capability,apparmor,landlock" in reading._why_no_landlock()


async def test_a_data_directory_in_use_is_written_to_and_nothing_stays(tmp_path: Path) -> None:
    await LocalStorage(tmp_path).prepare()

    findings = await all_of(machine.check_disk(Settings(data_dir=tmp_path)))

    assert [(finding.subject, finding.status) for finding in findings] == [
        ("disk", Status.OK),
        ("file system", Status.OK),
    ]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("way", ["file", "link"])
async def test_what_is_in_the_place_of_the_scratch_directory_is_a_problem(tmp_path: Path, way: str) -> None:
    await LocalStorage(tmp_path).prepare()
    scratch = tmp_path / "scratch"
    if way == "file":
        scratch.touch()
    else:
        scratch.symlink_to(tmp_path / "nowhere")

    *_, finding = await all_of(machine.check_disk(Settings(data_dir=tmp_path)))

    assert (finding.status, finding.subject) == (Status.PROBLEM, "scratch")
    assert f"{scratch} cannot be written" in finding.detail


async def test_a_data_directory_that_only_a_service_with_a_bucket_has_used_is_told_from_a_bad_disk(
    tmp_path: Path,
) -> None:
    (tmp_path / "incoming").mkdir()

    *_, finding = await all_of(machine.check_disk(Settings(data_dir=tmp_path)))

    assert (finding.status, finding.subject) == (Status.WARNING, "file system")
    assert "no originals and no quarantine" in finding.detail
    assert "DOCSERVER_STORAGE_URL" in finding.remedy


async def test_a_data_directory_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    fine, below_a_file = [
        (await all_of(machine.check_disk(Settings(data_dir=tmp_path / name))))[0] for name in ("new", "file/new")
    ]

    assert (fine.status, below_a_file.status) == (Status.OK, Status.PROBLEM)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


async def test_parts_of_the_data_directory_on_several_file_systems_are_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await LocalStorage(tmp_path).prepare()

    def other_device(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", other_device)

    _, finding = await all_of(machine.check_disk(Settings(data_dir=tmp_path)))

    assert (finding.status, finding.subject) == (Status.PROBLEM, "file system")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_a_data_directory_that_may_not_be_looked_into_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refused)

    (finding,) = await all_of(machine.check_disk(Settings(data_dir=tmp_path)))

    assert (finding.status, finding.subject) == (Status.PROBLEM, "disk")
    assert "run this as the service's user" in finding.remedy


@asynccontextmanager
async def docserver_with(mark: str | None) -> AsyncIterator[int]:
    """The port of a service that is well, and of a deployment with this mark."""

    async def answer(request: web.Request) -> web.Response:
        headers = {DEPLOYMENT_HEADER: mark} if mark else {}
        return web.json_response({"status": "ok", "checks": {}}, headers=headers)

    app = web.Application()
    app.router.add_get("/readyz", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        assert server.port
        yield server.port


@pytest.mark.parametrize(("mark", "status"), [("ours", Status.OK), ("other", Status.PROBLEM), (None, Status.PROBLEM)])
async def test_a_port_is_used_by_this_docserver_or_by_another(tmp_path: Path, mark: str | None, status: Status) -> None:
    ours = uuid4()
    IdentityFiles(tmp_path).claim_database(ours)

    async with docserver_with(public_mark(ours) if mark == "ours" else mark) as port:
        (finding,) = await all_of(machine.check_port(Settings(data_dir=tmp_path, host="127.0.0.1", port=port)))

    assert finding.status is status
    assert str(ours) not in str(finding)
    assert (status is Status.OK) != ("another docserver" in finding.detail)


async def test_a_collector_of_traces_is_asked_whether_it_accepts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async def finding(**variables: str) -> Finding:
        monkeypatch.setattr(outgoing, "open_telemetry", lambda: variables)
        (found,) = await all_of(outgoing.check_traces(Settings()))
        return found

    async with collecting() as collector:
        assert (await finding(**collector.variables)).detail == "the collector accepts them"
        assert collector.headers[0]["api-key"] == "collectors-secret"
        assert (await finding(**collector.variables, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")).status is Status.PROBLEM
        collector.status = 401
        refused = await finding(**collector.variables)
    assert refused.status is Status.WARNING
    assert "collectors-secret" not in str(refused)
    assert (await finding()).status is Status.OK


async def test_too_little_room_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await LocalStorage(tmp_path).prepare()
    monkeypatch.setattr(Room, "_spare", lambda *_: -1.0)

    finding, _ = await all_of(machine.check_disk(Settings(data_dir=tmp_path)))

    assert (finding.status, finding.subject) == (Status.PROBLEM, "disk")
    assert "uploads are refused" in finding.detail


@pytest.mark.parametrize(
    ("auth", "host", "status"),
    [
        (Auth.OFF, "", Status.OK),
        (Auth.OFF, "::1", Status.OK),
        (Auth.OFF, "10.1.2.3", Status.WARNING),
        (Auth.KEYS, "", Status.OK),
    ],
)
async def test_a_service_that_is_open_to_all_is_warned_of(auth: Auth, host: str, status: Status) -> None:
    findings = await all_of(machine.check_access(Settings(auth=auth, host=host)))

    assert [(finding.subject, finding.status) for finding in findings] == [("access", status)]


async def test_a_check_that_hangs_ends_with_what_it_has_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "CHECK_S", 0.05)

    async def hangs() -> AsyncIterator[Finding]:
        yield ok("first", "found")
        await asyncio.sleep(FOREVER_S)

    findings = await examination._bounded("example", hangs())

    assert [(finding.subject, finding.status) for finding in findings] == [
        ("first", Status.OK),
        ("example", Status.PROBLEM),
    ]


async def test_a_check_that_fails_is_a_problem_and_shows_no_message() -> None:
    async def fails() -> AsyncIterator[Finding]:
        yield ok("first", "found")
        raise RuntimeError("mysql://user:password@host")

    _, finding = await examination._bounded("example", fails())

    assert (finding.status, finding.detail) == (Status.PROBLEM, "the check failed (RuntimeError)")


async def test_a_redis_that_does_not_answer_is_a_warning_that_names_the_fault(tmp_path: Path) -> None:
    (finding,) = await all_of(redis.check_redis(Settings(redis_url=f"unix://{tmp_path}/no-redis.sock")))

    assert (finding.status, finding.detail) == (Status.WARNING, "does not answer (ConnectionError)")


def test_valkey_is_known_by_its_own_version() -> None:
    # It also names the release of Redis that it resembles.
    finding = next(iter(redis._server({"redis_version": "5.0.0", "valkey_version": "9.1.0"})))

    assert (finding.status, finding.detail) == (Status.OK, "Valkey 9.1.0")
