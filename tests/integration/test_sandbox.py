"""What code could do that took over an OCR process: each test runs such code in the process of a real slot."""

import asyncio
import contextlib
import errno
import multiprocessing
import os
import platform
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest

from docserver.errors import DocumentErrorCode, Failure
from docserver.model import Options
from docserver.ocr.sandbox import landlock, syscalls
from docserver.ocr.server.files import expose
from docserver.ocr.server.process import _any_member_runs
from docserver.ocr.server.slot import Slot
from docserver.settings import SandboxMode
from tests.support import samples
from tests.support.slots import alive, assert_reads, child_of, inside, install, pids_in, read
from tests.support.waiting import until

ABI = landlock.abi()


FILES = {
    "read the host's accounts": "open('/etc/passwd').read()",
    "read another document": "open('{other}').read()",
    "list other documents": "os.listdir('{originals}')",
    "read the server's environment": "open(f'/proc/{{server}}/environ').read()",
    "read the server's memory": "open(f'/proc/{{server}}/mem', 'rb')",
    "read its own process's environment": "open('/proc/self/environ').read()",
    "write beside its scratch directory": "open('../planted', 'w')",
    "write among the documents": "open('{originals}/planted', 'w')",
    "write into its own code": "open('{code}', 'a')",
    "append to its own document": "open('{shown}', 'a')",
    "delete its own document": "os.unlink('{shown}')",
    "delete another document": "os.unlink('{other}')",
    "move another document to itself": "os.rename('{other}', 'mine')",
    "link its document to where it may write": "os.link('{shown}', 'mine')",
    "leave a link for others to follow": "os.symlink('/etc/passwd', 'link')",
    "leave a pipe for others to open": "os.mkfifo('pipe')",
    "run what it wrote": "Path('tool').write_text('#!/bin/sh'); os.execv('tool', ['tool'])",
}
"""Refused by Landlock of every version."""

CALLS = {
    "open a socket to the network": "socket.socket()",
    "open a socket on this machine": "socket.socket(socket.AF_UNIX)",
    "open a socket to the kernel": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "open a pair of sockets": "socket.socketpair()",
    "trace the server": "call('ptrace', 16, server, 0, 0)",
    "read the server's memory by a call": "call('process_vm_readv', server, 0, 0, 0, 0, 0)",
    "get a handle of the server": "call('pidfd_open', server, 0)",
    "bound the server's files": "__import__('resource').prlimit(server, 7)",
    "signal the server": "os.kill(server, 0)",
    "signal the server's group": "os.killpg(os.getpgid(server), 0)",
    "signal everyone": "os.kill(-1, 0)",
    "leave its session": "os.setsid()",
    "leave its group": "os.setpgid(0, 0)",
    "slow the server down": "os.setpriority(os.PRIO_PROCESS, server, 19)",
    "forget to die with the server": "call('prctl', 1, 0, 0, 0, 0)",
    "let go of its orphans": "call('prctl', 36, 0, 0, 0, 0)",
    "hide from the server": "call('prctl', 4, 0, 0, 0, 0)",
    "make itself root of a namespace": "call('unshare', 0x10000000)",
    "start a process in a namespace": "call('clone', 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)",
    "start a process beside itself": "call('clone', 0x8000 | signal.SIGCHLD, 0, 0, 0, 0)",
    "mount a file system": "call('mount', b'none', b'/mnt', b'tmpfs', 0, 0)",
    "change who may read another document": "os.chmod('{other}', 0)",
    "give another document away": "os.chown('{other}', 1, 1)",
    "cut off another document": "os.truncate('{other}', 0)",
    "change another document's time": "os.utime('{other}')",
    "keep memory without a file": "os.memfd_create('hidden')",
    "type into a terminal": "__import__('fcntl').ioctl(0, 0x5412, b'x')",
}
"""Refused by seccomp."""

ATTACKS = (FILES if ABI else {}) | CALLS


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    directory = tmp_path / "originals"
    directory.mkdir()
    (directory / "other").write_text("of someone else")
    return directory


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_ocr_process_may_not(
    attack: str, make_slot: Callable[..., Slot], source: Path, originals: Path
) -> None:
    slot = make_slot()
    await slot.start()
    shown = expose(source, slot._source)
    before = source.read_bytes(), source.stat().st_mtime_ns

    with pytest.raises(OSError) as refusal:
        await inside(
            slot,
            ATTACKS[attack].format(other=originals / "other", originals=originals, shown=shown, code=landlock.__file__),
        )

    assert refusal.value.errno in (errno.EPERM, errno.EACCES, errno.EXDEV)
    shown.unlink()
    assert (source.read_bytes(), source.stat().st_mtime_ns) == before
    assert [(file.name, file.read_text()) for file in originals.iterdir()] == [("other", "of someone else")]
    await assert_reads(slot, source)


async def test_an_ocr_process_cannot_signal_its_neighbour(make_slot: Callable[..., Slot]) -> None:
    mine, neighbour = make_slot(), make_slot()
    await neighbour.start()

    allowed = await inside(
        mine,
        f"""
        try:
            found = os.kill({child_of(neighbour)}, 0) is None
        except PermissionError:
            found = False
        """,
    )

    # Landlock has known signals since Linux 6.12; before, only the server is safe.
    assert allowed == (landlock.SCOPED[0] > ABI)


async def test_every_call_of_the_list_is_refused_whatever_its_arguments(make_slot: Callable[..., Slot]) -> None:
    refused = await inside(
        make_slot(),
        f"""
        found = {{}}
        for name in {sorted(syscalls.REFUSED[platform.machine()])}:
            try:
                found[name] = call(name, -1, -1, -1, -1, -1, -1)
            except OSError as error:
                found[name] = error.errno
        """,
    )

    assert {name: number for name, number in refused.items() if number != errno.EPERM} == {}


@pytest.mark.parametrize("number", [syscalls.LAST + 1, 0x40000000 + 39])
async def test_unknown_calls_and_calls_of_another_abi_look_unimplemented(
    number: int, make_slot: Callable[..., Slot]
) -> None:
    with pytest.raises(OSError, match="not implemented"):
        await inside(make_slot(), f"call({number}, 0)")


async def test_every_thread_of_an_ocr_process_is_confined(make_slot: Callable[..., Slot]) -> None:
    child = await inside(make_slot(), "found = os.getpid()")

    states = [status.read_text() for status in Path(f"/proc/{child}/task").glob("*/status")]

    assert len(states) > 1
    assert all("Seccomp:\t2" in state and "NoNewPrivs:\t1" in state for state in states)


async def test_an_ocr_process_has_only_its_own_pipes_open(make_slot: Callable[..., Slot]) -> None:
    slot = make_slot()
    await slot.start()
    held = [descriptor.readlink() for descriptor in Path(f"/proc/{child_of(slot)}/fd").iterdir()]
    helper = Path(f"/proc/self/fd/{resource_tracker.getfd()}").readlink()

    assert {str(path).partition(":")[0] for path in held} == {os.devnull, "pipe"}
    assert helper not in held


async def test_an_ocr_process_closes_each_document_after_its_request(
    make_slot: Callable[..., Slot], tmp_path: Path
) -> None:
    slot = make_slot()
    document = tmp_path / "document"
    await slot.start()
    child = child_of(slot)

    for sample in (*samples.KINDS.values(), *samples.BROKEN.values()):
        document.write_bytes(sample.data())
        await slot.open(document, sample.content_type)
        held = [descriptor.readlink() for descriptor in Path(f"/proc/{child}/fd").iterdir()]
        assert [path for path in held if slot._source in path.parents] == [], sample.filename

    assert child_of(slot) == child


async def test_an_ocr_process_has_no_privileges_left(make_slot: Callable[..., Slot]) -> None:
    child = await inside(make_slot(), "found = os.getpid()")

    status = Path(f"/proc/{child}/status").read_text().splitlines()
    held = {line.split()[0]: int(line.split()[1], 16) for line in status if line.startswith(("CapPrm", "CapEff"))}
    assert set(held.values()) <= {0, 1 << 2}


async def test_a_program_that_daemonises_ends_with_its_slot(make_slot: Callable[..., Slot]) -> None:
    slot = make_slot()
    escaped = await inside(
        slot,
        """
        reading, writing = os.pipe()
        if os.fork() == 0:
            if os.fork() == 0:
                for leave in (os.setsid, lambda: os.setpgid(0, 0)):
                    try:
                        leave()
                    except PermissionError:
                        pass
                os.write(writing, str(os.getpid()).encode())
                time.sleep(600)
            os._exit(0)
        found = int(os.read(reading, 20))
        """,
    )
    assert alive(escaped)

    await slot.close()

    assert not alive(escaped)


async def test_a_program_that_stops_its_ocr_process_ends_with_the_server(
    source: Path, programs: Path, tmp_path: Path
) -> None:
    server = tmp_path / "server.py"
    server.write_text(
        textwrap.dedent(f"""
            import asyncio
            from pathlib import Path
            from docserver.ocr.engine import PROGRAM, Engine
            from docserver.ocr.server.slot import Slot
            from docserver.settings import Settings
            from tests.support.slots import inside

            ATTACK = '''
            child = os.getpid()
            if os.fork() == 0:
                Path("new").write_text(f"{{child}} {{os.getpid()}}")
                os.rename("new", "pids")
                while True:
                    os.kill(child, signal.SIGSTOP)
            '''

            async def main():
                engine = Engine("tesseract", "5", {{}}, PROGRAM, "")
                slot = Slot(number=0, settings=Settings(), engine=engine, scratch=Path({str(tmp_path)!r}))
                await inside(slot, ATTACK)
                await asyncio.sleep(600)

            if __name__ == "__main__":
                asyncio.run(main())
            """)
    )
    environment = {**os.environ, "PYTHONPATH": ":".join([str(Path.cwd()), *sys.path])}
    process = await asyncio.create_subprocess_exec(sys.executable, str(server), env=environment)
    pids = await pids_in(tmp_path)
    assert all(alive(pid) for pid in pids)

    process.kill()
    await process.wait()

    try:
        await until(lambda: not any(alive(pid) for pid in pids))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pids[0], signal.SIGKILL)


async def test_an_ocr_process_whose_server_is_killed_while_it_starts_ends_too(tmp_path: Path, programs: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text(
        textwrap.dedent(f"""
            import os, signal
            from pathlib import Path
            from docserver.ocr.engine import PROGRAM, Engine
            from docserver.ocr.server.slot import Slot
            from docserver.ocr.server.process import Child
            from docserver.settings import Settings

            if __name__ == "__main__":
                engine = Engine("tesseract", "5", {{}}, PROGRAM, "")
                slot = Slot(number=0, settings=Settings(), engine=engine, scratch=Path({str(tmp_path)!r}))
                slot._empty_directories()
                pid = Child.spawn(slot._limits(60), slot=0).process.pid
                os.kill(pid, signal.SIGSTOP)
                Path({str(tmp_path / "pids")!r}).write_text(str(pid))
                os.kill(os.getpid(), signal.SIGKILL)
            """)
    )
    environment = {**os.environ, "PYTHONPATH": ":".join([str(Path.cwd()), *sys.path])}
    process = await asyncio.create_subprocess_exec(sys.executable, str(server), env=environment)
    await process.wait()
    (orphan,) = await pids_in(tmp_path)
    assert alive(orphan)

    os.kill(orphan, signal.SIGCONT)

    try:
        await until(lambda: not alive(orphan))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(orphan, signal.SIGKILL)


GREED = {
    "processes": 'i=0; while [ $i -lt 100 ]; do sleep 600 & i=$((i+1)); done; touch "$TMPDIR/done"; wait',
    "disk": 'i=0; while [ $i -lt 6 ]; do head -c 50000000 /dev/zero >"$TMPDIR/$i"; i=$((i+1)); done; sleep 600',
    "disk, by files without a name": """
        for i in 3 4 5 6 7 8; do eval "exec $i>$TMPDIR/$i"; rm "$TMPDIR/$i"; done
        for i in 3 4 5 6 7 8; do eval "head -c 50000000 /dev/zero >&$i"; done
        sleep 600
        """,
    "disk, by names alone": 'mkdir "$TMPDIR/a"; cd "$TMPDIR/a"; for i in $(seq 1100); do : >$i; done; sleep 600',
    "memory": f"""
        for i in $(seq 8); do {sys.executable} -c 'import time; kept = b"x" * 150_000_000; time.sleep(600)' & done
        wait
        """,
}


@pytest.mark.parametrize("greed", GREED)
async def test_a_program_that_takes_too_much_is_killed_with_all_that_it_started(
    greed: str, make_slot: Callable[..., Slot], source: Path, programs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install(programs, "tesseract", GREED[greed])
    slot = make_slot(max_page_mp=1.0, child_memory_mb=400)
    await slot.start()
    group = child_of(slot)

    found = await read(slot, source)

    assert isinstance(found, Failure)
    assert (found.code, found.retryable) == (DocumentErrorCode.ENGINE_CRASHED, True)
    assert greed.partition(",")[0] in found.message
    assert not _any_member_runs(group)
    (programs / "tesseract").unlink()
    await assert_reads(slot, source)


@pytest.fixture
def older_kernel(tmp_path: Path) -> Iterator[None]:
    """Starts OCR processes as on a kernel with neither Landlock nor seccomp."""
    python, tests = tmp_path / "python", Path(__file__).parent.parent
    install(
        tmp_path,
        "python",
        f"export PYTHONPATH={tests.parent}\n"
        f'exec {sys.executable} {tests / "support" / "older_kernel.py"} landlock,seccomp {sys.executable} "$@"',
    )
    multiprocessing.set_executable(str(python))
    yield
    multiprocessing.set_executable(sys.executable)


async def test_on_a_kernel_without_a_sandbox_documents_are_read(
    older_kernel: None, make_slot: Callable[..., Slot], source: Path
) -> None:
    await assert_reads(make_slot(), source)


async def test_on_a_kernel_without_a_sandbox_nothing_is_read_if_it_is_required(
    older_kernel: None, make_slot: Callable[..., Slot], source: Path
) -> None:
    found = await read(make_slot(sandbox=SandboxMode.REQUIRE), source)

    assert isinstance(found, Failure)
    assert found.code is DocumentErrorCode.ENGINE_CRASHED


async def test_a_file_larger_than_a_page_cannot_be_written(make_slot: Callable[..., Slot]) -> None:
    with pytest.raises(OSError, match="too large"):
        await inside(
            make_slot(max_page_mp=1.0),
            """
            with open('large', 'wb', buffering=0) as file:
                while file.tell() < 100_000_000:
                    file.write(bytes(1_000_000))
            """,
        )


async def test_a_greedy_process_that_was_killed_does_not_harm_the_next_document(
    make_slot: Callable[..., Slot], source: Path
) -> None:
    slot = make_slot()
    await slot.start()
    greedy = child_of(slot)
    # On a busy machine it is killed before it has started all of them.
    with contextlib.suppress(BrokenProcessPool):
        await inside(slot, "for _ in range(64):\n    os.fork() or time.sleep(600)")
    await until(lambda: not alive(greedy))

    await assert_reads(slot, source)


async def test_a_document_on_another_file_system_is_copied_to_its_process_and_gone_afterwards(
    make_slot: Callable[..., Slot], source: Path
) -> None:
    slot = make_slot()
    await assert_reads(slot, source)
    elsewhere = Path("/dev/shm") / f"docserver-test-{os.getpid()}"
    elsewhere.write_bytes(source.read_bytes())
    try:
        assert elsewhere.stat().st_dev != slot._source.stat().st_dev
        await assert_reads(slot, elsewhere)
    finally:
        elsewhere.unlink()

    assert list(slot._source.iterdir()) == []


async def test_a_document_is_accessible_only_while_it_is_read(
    make_slot: Callable[..., Slot], source: Path, programs: Path
) -> None:
    install(programs, "tesseract", 'ls "$TMPDIR/../source" >"$TMPDIR/pids"; sleep 600')
    slot = make_slot(page_timeout_s=1.0)

    await read(slot, source)

    assert list(slot._source.iterdir()) == []
    assert source.stat().st_nlink == 1


@pytest.mark.parametrize("call", ["open_document", "own_texts", "read_page"])
async def test_a_document_that_vanishes_while_it_is_read_is_not_called_corrupt(
    call: str, make_slot: Callable[..., Slot], source: Path
) -> None:
    slot = make_slot()
    await inside(
        slot,
        f"""
        from docserver.errors import DocumentErrorCode
        from docserver.ocr.child import tasks
        from docserver.ocr.errors import Unreadable

        def call(*_, **__):
            for _ in range(1000):
                time.sleep(0.01)
                if not Path({str(slot._source / source.name)!r}).exists():
                    raise Unreadable(DocumentErrorCode.CORRUPT, "It is broken.")

        tasks.{call} = call
        """,
    )
    calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "open_document": lambda: slot.open(source, "image/png"),
        "own_texts": lambda: slot.own_texts(source, "image/png", pages=[1], options=Options("eng")),
        "read_page": lambda: read(slot, source),
    }
    reading = asyncio.create_task(calls[call]())
    await until(lambda: any(slot._source.iterdir()))
    shutil.rmtree(slot._source)

    found = await reading

    assert isinstance(found, Failure)
    assert (found.code, found.retryable) == (DocumentErrorCode.ENGINE_CRASHED, True)
    await assert_reads(slot, source)


async def test_a_missing_document_is_distinguished_from_a_missing_directory(
    make_slot: Callable[..., Slot], source: Path, tmp_path: Path
) -> None:
    slot = make_slot()
    await assert_reads(slot, source)
    missing = await read(slot, tmp_path / "missing")
    shutil.rmtree(slot._source)
    gone = await read(slot, source)

    assert isinstance(missing, Failure)
    assert isinstance(gone, Failure)
    assert (missing.code, gone.code) == (DocumentErrorCode.STORAGE_MISSING, DocumentErrorCode.ENGINE_CRASHED)
    await assert_reads(slot, source)
