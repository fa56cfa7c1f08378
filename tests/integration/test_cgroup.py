"""Cgroups of OCR processes: what the kernel limits and kills by them, where a cgroup may be made and where not.

Each test asserts what is in force on this system: cgroups with controllers, cgroups alone, or none.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from docserver.errors import Failure
from docserver.ocr.server import process
from docserver.ocr.server.cgroup import PREFIX, Cgroups
from docserver.ocr.server.slot import Slot
from docserver.ocr.server.watchdog import MAX_THREADS
from docserver.setting_types import SandboxMode
from tests.support.cgroups import cgroup_of, delegated_cgroup, enable_controllers
from tests.support.slots import alive, assert_reads, child_of, inside, install, read
from tests.support.waiting import in_time, until

ESCAPE = """
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    os.write(writing, str(os.getpid()).encode())
    time.sleep(600)
found = int(os.read(reading, 20))
"""
"""Starts a process that leaves the process group; returns its id. The sandbox refuses this."""

SERVER = f"""
import asyncio, dataclasses, sys
from pathlib import Path
from docserver.ocr.engine import Engine
from docserver.ocr.limits import PROGRAM
from docserver.ocr.server.cgroup import service_cgroups
from docserver.ocr.server.slot import Slot
from docserver.setting_types import SandboxMode
from docserver.settings import Settings
from tests.support.slots import inside

async def main():
    with service_cgroups() as cgroups:
        settings = dataclasses.replace(Settings(), sandbox=SandboxMode.OFF)
        engine = Engine("tesseract", "5", {{}}, PROGRAM, "")
        slot = Slot(number=0, settings=settings, engine=engine, scratch=Path(sys.argv[1]), cgroups=cgroups)
        print(cgroups, await inside(slot, '''{ESCAPE}'''), sep=":", flush=True)
        sys.stdin.read()
        await slot.close()

if __name__ == "__main__":
    asyncio.run(main())
"""

Serve = Callable[[Path], Awaitable[tuple[asyncio.subprocess.Process, str, int]]]


@pytest.fixture
def place() -> Iterator[Path | None]:
    with delegated_cgroup() as directory:
        yield directory


@pytest.fixture
def cgroups(place: Path | None) -> Cgroups | None:
    if place is None:
        return None
    enable_controllers(place)
    return Cgroups(place)


@pytest.fixture
def make_slot(cgroups: Cgroups | None, make_slot: Callable[..., Slot]) -> Callable[..., Slot]:
    """Slots whose processes get cgroups, which are removed after the slots are closed."""
    return partial(make_slot, cgroups=cgroups)


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Start a server with a slot in a cgroup; returns it, which cgroups it has, and a process that left its group."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    started: list[tuple[asyncio.subprocess.Process, int]] = []

    async def start(cgroup: Path) -> tuple[asyncio.subprocess.Process, str, int]:
        server = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            'echo $$ >"$0/cgroup.procs" && exec "$@"',
            *(str(cgroup), sys.executable, str(script), str(tmp_path / f"scratch-{len(started)}")),
            env={**os.environ, "PYTHONPATH": ":".join([str(Path.cwd()), *sys.path])},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert server.stdout is not None
        async with in_time():
            in_force, _, escaped = (await server.stdout.readline()).decode().partition(":")
        started.append((server, int(escaped)))
        return server, in_force, int(escaped)

    yield start
    for server, escaped in started:
        if server.returncode is None:
            server.kill()
        with suppress(ProcessLookupError):
            os.kill(escaped, signal.SIGKILL)
        # Also closes the pipes, which the process that left its group has too.
        await server.communicate()
        await until(lambda gone=escaped: not alive(gone))  # type: ignore[misc]


async def test_a_process_that_left_its_group_ends_with_its_slot(
    make_slot: Callable[..., Slot], place: Path | None
) -> None:
    slot = make_slot(sandbox=SandboxMode.OFF)
    escaped = await inside(slot, ESCAPE)
    assert alive(escaped)

    await slot.close()

    if place:
        assert not alive(escaped)
        assert not [*place.glob("slot-*")]
    else:
        assert alive(escaped)
        os.kill(escaped, signal.SIGKILL)


async def test_the_kernel_refuses_processes_beyond_the_limit(
    make_slot: Callable[..., Slot], cgroups: Cgroups | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "CHECK_INTERVAL_S", 600)
    slot = make_slot()
    forks = f"""
        found = 0
        while found < {MAX_THREADS + 8}:
            try:
                os.fork() or time.sleep(600)
            except BlockingIOError:
                break
            found += 1
    """

    forked = await inside(slot, forks)

    if cgroups and "processes" in cgroups.limited:
        assert MAX_THREADS // 2 < forked < MAX_THREADS
    else:
        # Only the number of all processes of the user is limited, and for root not even that.
        assert forked <= MAX_THREADS + 8


async def test_a_process_that_takes_too_much_memory_is_killed_by_the_kernel_where_it_can(
    spawned_ocr_processes: None,
    make_slot: Callable[..., Slot],
    cgroups: Cgroups | None,
    source: Path,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_limited = cgroups and "memory" in cgroups.limited
    if is_limited:
        # The check from outside must not be the one that kills.
        monkeypatch.setattr(process, "CHECK_INTERVAL_S", 600)
    greed = f"{sys.executable} -c 'import time; kept = b\"x\" * 150_000_000; time.sleep(600)'"
    install(programs, "tesseract", f"for i in $(seq 10); do {greed} & done; wait")
    slot = make_slot(max_page_mp=1.0, child_memory_mb=300)
    await slot.start()
    child = child_of(slot)
    if cgroups:
        assert cgroup_of(child).endswith("/slot-1")

    result = await read(slot, source)

    assert isinstance(result, Failure)
    assert result.message == "Reading took more memory than is allowed."
    (programs / "tesseract").unlink()
    await assert_reads(slot, source)


async def test_an_ocr_process_cannot_write_to_cgroups(make_slot: Callable[..., Slot], place: Path | None) -> None:
    slot = make_slot()
    await slot.start()
    # Where there is no cgroup, another file of the kernel stands for it.
    files = [place / "cgroup.procs", *place.glob("slot-*/*")] if place else [Path("/proc/sys/kernel/domainname")]
    assert len(files) > 10 or not place

    opened = await inside(
        slot,
        f"""
        found = []
        for file in {[str(file) for file in files]}:
            try:
                os.close(os.open(file, os.O_WRONLY))
            except PermissionError:
                continue
            found.append(file)
        """,
    )

    assert opened == []
    if place:
        with pytest.raises(PermissionError):
            await inside(slot, f"os.mkdir({str(place / 'slot-1' / 'own')!r})")


async def test_a_cgroup_that_is_not_delegated_is_not_used(place: Path | None, serve: Serve) -> None:
    if place is None:
        return
    os.removexattr(place, "user.delegate")

    server, in_force, _ = await serve(place)

    assert in_force == "None"
    assert cgroup_of(server.pid).endswith(place.name)
    assert not [below for below in place.iterdir() if below.is_dir()]


async def test_a_subgroup_of_a_delegated_cgroup_leaves_room_beside_it(place: Path | None, serve: Serve) -> None:
    if place is None:
        return
    (place / "subgroup").mkdir()

    server, in_force, _ = await serve(place / "subgroup")

    assert in_force.startswith("cgroup")
    assert cgroup_of(server.pid).startswith(cgroup_of(os.getpid()).rstrip("/") + f"/{place.name}/{PREFIX}")


async def test_a_service_that_is_killed_leaves_no_process_and_the_next_removes_its_cgroups(
    place: Path | None, serve: Serve
) -> None:
    if place is None:
        return
    first, in_force, escaped = await serve(place)
    available = {"memory", "pids"} & set((place / "cgroup.controllers").read_text().split())
    assert in_force == ("cgroup of memory and processes" if len(available) == 2 else "cgroup")
    (left,) = place.glob(f"{PREFIX}*")

    first.kill()
    await first.wait()

    await until(lambda: not alive(escaped))
    assert left.is_dir()
    late = await asyncio.create_subprocess_exec("sleep", "600")
    (left / "slot-1" / "cgroup.procs").write_text(str(late.pid))
    try:
        # The cgroup itself takes no process any more if it has controllers, so the next service begins beside.
        (place / "next").mkdir()
        await serve(place / "next")
        assert not left.exists()
        assert await late.wait() == -signal.SIGKILL
    finally:
        with suppress(ProcessLookupError):
            late.kill()


async def test_services_in_one_cgroup_leave_each_other_alone(place: Path | None, serve: Serve) -> None:
    if place is None:
        return
    for name in ("one", "two"):
        (place / name).mkdir()
    first, _, of_first = await serve(place / "one")
    second, _, of_second = await serve(place / "two")
    assert alive(of_first)

    for server, escaped in ((first, of_first), (second, of_second)):
        assert server.stdin is not None
        server.stdin.close()
        assert await server.wait() == 0
        assert not alive(escaped)

    assert not [*place.glob(f"{PREFIX}*")]


async def test_a_cgroup_with_other_processes_gets_no_controllers(place: Path | None, serve: Serve) -> None:
    if place is None:
        return
    other = await asyncio.create_subprocess_exec("sleep", "600")
    (place / "cgroup.procs").write_text(str(other.pid))

    _, in_force, escaped = await serve(place)

    assert in_force == "cgroup"
    assert cgroup_of(escaped).endswith("/slot-1")
    assert cgroup_of(other.pid).endswith(place.name)
    other.kill()
    await other.wait()
