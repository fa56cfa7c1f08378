"""What code could do that took over an OCR process: each test runs such code in the process of a real slot."""

import errno
import os
import platform
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from pathlib import Path

import pytest

from docserver.errors import DocumentErrorCode, Failure
from docserver.ocr.sandbox import landlock, syscalls
from docserver.ocr.server.files import expose
from docserver.ocr.server.slot import Slot
from docserver.setting_types import SandboxMode
from tests.support import samples
from tests.support.slots import assert_reads, child_of, inside, older_kernels, read

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
    "signal a thread of the server as if it were a process": "os.kill({thread}, 0)",
    "signal a thread of the server": "call('tgkill', server, {thread}, 0)",
    "signal a process that it can only guess": "os.kill(1, 0)",
    "let a file signal the server": "fcntl.fcntl(os.pipe()[0], 8, server)",
    "let a file signal the server's group": "fcntl.fcntl(os.pipe()[0], 8, -os.getpgid(server))",
    "let a file signal a thread of the server": "fcntl.fcntl(os.pipe()[0], 15, struct.pack('ii', 0, {thread}))",
    "choose the signal that a file sends": "fcntl.fcntl(os.pipe()[0], 10, signal.SIGKILL)",
    "be told of other files by signals": "fcntl.fcntl(os.open('.', 0), 1026, 2)",
    "let a file signal the server by a request": "fcntl.ioctl(os.pipe()[0], 0x8901, struct.pack('i', server))",
    "let a socket signal the server": "fcntl.ioctl(os.pipe()[0], 0x8902, struct.pack('i', server))",
    "let a file send signals": "fcntl.ioctl(os.pipe()[0], 0x5452, struct.pack('i', 1))",
    "share a core with the server": "call('prctl', 62, 2, server, 0, 0)",
    "change its document's flags": "fcntl.ioctl(os.open('{shown}', 0), 0x40086602, struct.pack('l', 0x10))",
    "change its document's flags by another request": "fcntl.ioctl(os.open('{shown}', 0), 0x401C5820, bytes(28))",
    "change its document's version": "fcntl.ioctl(os.open('{shown}', 0), 0x40087602, bytes(8))",
    "share its document's blocks": "fcntl.ioctl(os.open('clone', os.O_CREAT | 2), 0x40049409, os.open('{shown}', 0))",
    "cut off its document while it opens it": "os.open('{shown}', os.O_TRUNC)",
    "cut off its document in a mode that has no name": "os.open('{shown}', os.O_TRUNC | 3)",
    "lock its document": "fcntl.flock(os.open('{shown}', 0), fcntl.LOCK_SH)",
    "lock a part of its document": "fcntl.lockf(os.open('{shown}', 0), fcntl.LOCK_SH)",
    "lease its document": "fcntl.fcntl(os.open('{shown}', 0), fcntl.F_SETLEASE, fcntl.F_RDLCK)",
    "use up the asynchronous requests of all databases": "call('io_setup', 1, ctypes.byref(ctypes.c_long()))",
    "use up the user's watches": "__import__('select').epoll()",
    "leave its session": "os.setsid()",
    "leave its group": "os.setpgid(0, 0)",
    "slow the server down": "os.setpriority(os.PRIO_PROCESS, server, 19)",
    "forget to die with the server": "call('prctl', 1, 0, 0, 0, 0)",
    "let go of its orphans": "call('prctl', 36, 0, 0, 0, 0)",
    "hide from the server": "call('prctl', 4, 0, 0, 0, 0)",
    "make itself root of a namespace": "call('unshare', 0x10000000)",
    "start a process in a namespace": "call('clone', 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)",
    "start a thread that has files of its own": "call('clone', 0x10000, 0, 0, 0, 0)",
    "give a thread files of its own": "call('close_range', 1000, 1000, 2)",
    "fill the disk in no time": "os.posix_fallocate(os.open('new', os.O_CREAT | 2), 0, 1)",
    "start a process beside itself": "call('clone', 0x8000 | signal.SIGCHLD, 0, 0, 0, 0)",
    "mount a file system": "call('mount', b'none', b'/mnt', b'tmpfs', 0, 0)",
    "change who may read another document": "os.chmod('{other}', 0)",
    "give another document away": "os.chown('{other}', 1, 1)",
    "cut off another document": "os.truncate('{other}', 0)",
    "change another document's time": "os.utime('{other}')",
    "keep memory that nobody sees": "__import__('mmap').mmap(-1, 4096)",
    "keep memory without a file": "os.memfd_create('hidden')",
    "type into a terminal": "fcntl.ioctl(0, 0x5412, b'x')",
}
"""Refused by seccomp."""

if "open" in syscalls.JUDGED[platform.machine()]:
    CALLS["cut off its document by an old call"] = "call('open', ctypes.c_char_p(b'{shown}'), os.O_TRUNC, 0)"


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    directory = tmp_path / "originals"
    directory.mkdir()
    (directory / "other").write_text("of someone else")
    return directory


async def is_refused(slot: Slot, attack: str, *, source: Path, originals: Path) -> bool:
    await slot.start()
    shown = expose(source, slot._source)
    before = source.read_bytes(), source.stat().st_mtime_ns
    thread = max(int(task.name) for task in Path("/proc/self/task").iterdir())
    places = {"other": originals / "other", "originals": originals, "shown": shown, "code": landlock.__file__}
    try:
        await inside(slot, attack.format(thread=thread, **places))
    except OSError as refusal:
        refused = refusal.errno in (errno.EPERM, errno.EACCES, errno.EXDEV)
    else:
        refused = False
    assert (source.read_bytes(), source.stat().st_mtime_ns) == before
    assert [(file.name, file.read_text()) for file in originals.iterdir()] == [("other", "of someone else")]
    return refused


async def test_an_ocr_process_may_not_touch_other_files(
    make_slot: Callable[..., Slot], source: Path, originals: Path
) -> None:
    slot = make_slot()

    # A kernel without Landlock refuses none of these.
    for attack, code in (FILES if ABI else {}).items():
        assert await is_refused(slot, code, source=source, originals=originals), attack

    await assert_reads(slot, source)


@pytest.mark.parametrize("lacking", ["mounts", "landlock"])
async def test_an_ocr_process_may_not_make_calls_that_reach_others(
    lacking: str, make_slot: Callable[..., Slot], source: Path, originals: Path, tmp_path: Path
) -> None:
    slot = make_slot()
    with older_kernels(tmp_path, lacking=lacking):
        await slot.start()

        for attack, code in CALLS.items():
            assert await is_refused(slot, code, source=source, originals=originals), attack

        assert await is_refused(slot, FILES["read the host's accounts"], source=source, originals=originals) == (
            ABI > 0 and lacking != "landlock"
        )
        await assert_reads(slot, source)


async def test_an_ocr_process_cannot_signal_its_neighbour(make_slot: Callable[..., Slot]) -> None:
    mine, neighbour = make_slot(), make_slot()
    await neighbour.start()

    with pytest.raises(PermissionError):
        await inside(mine, f"os.kill({child_of(neighbour)}, 0)")


async def test_what_an_ocr_process_runs_by_way_of_the_loader_is_confined_too(
    make_slot: Callable[..., Slot], tmp_path: Path
) -> None:
    slot = make_slot()
    with older_kernels(tmp_path, lacking="mounts"):
        # A file system in memory that runs nothing would refuse even that.
        await slot.start()
    ran = await inside(
        slot,
        """
        Path("tool").write_bytes(Path("/bin/cat").read_bytes())
        elf = Path("tool").read_bytes()
        loader = elf[elf.index(b"/lib"):].split(bytes(1))[0].decode()
        read = [subprocess.run([loader, "./tool", file], capture_output=True) for file in (__file__, "/etc/passwd")]
        found = [(process.returncode, process.stderr.decode()) for process in read]
        """.replace("__file__", repr(landlock.__file__)),
    )

    assert ran[0] == [0, ""]
    # Without Landlock, every file can be read.
    assert ran[1][0] == (1 if ABI else 0)
    assert ("Permission denied" in ran[1][1]) == bool(ABI)


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


async def test_an_ocr_process_cannot_use_up_the_queued_signals_of_its_user(make_slot: Callable[..., Slot]) -> None:
    with pytest.raises(BlockingIOError):
        await inside(
            make_slot(),
            """
            import threading
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
            for _ in range(200):
                signal.pthread_kill(threading.get_ident(), signal.SIGRTMIN)
            """,
        )


@pytest.mark.parametrize("number", [syscalls.LAST + 1, 0x40000000 + 39])
async def test_unknown_calls_and_calls_of_another_abi_look_unimplemented(
    number: int, make_slot: Callable[..., Slot]
) -> None:
    with pytest.raises(OSError, match="not implemented"):
        await inside(make_slot(), f"call({number}, 0)")


async def test_every_thread_of_an_ocr_process_is_confined(
    spawned_ocr_processes: None, make_slot: Callable[..., Slot]
) -> None:
    child = await inside(make_slot(), "found = os.getpid()")

    states = [status.read_text() for status in Path(f"/proc/{child}/task").glob("*/status")]

    assert len(states) > 1
    assert all("Seccomp:\t2" in state and "NoNewPrivs:\t1" in state for state in states)


async def test_an_ocr_process_has_only_its_own_pipes_open(
    spawned_ocr_processes: None, make_slot: Callable[..., Slot]
) -> None:
    slot = make_slot()
    await slot.start()
    open_files = [descriptor.readlink() for descriptor in Path(f"/proc/{child_of(slot)}/fd").iterdir()]
    helper = Path(f"/proc/self/fd/{resource_tracker.getfd()}").readlink()

    assert {str(path).partition(":")[0] for path in open_files} == {os.devnull, "pipe"}
    assert helper not in open_files


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
        open_files = [descriptor.readlink() for descriptor in Path(f"/proc/{child}/fd").iterdir()]
        assert [path for path in open_files if slot._source in path.parents] == [], sample.filename

    assert child_of(slot) == child


async def test_an_ocr_process_has_no_privileges_left(make_slot: Callable[..., Slot]) -> None:
    child = await inside(make_slot(), "found = os.getpid()")

    status = Path(f"/proc/{child}/status").read_text().splitlines()
    capabilities = {
        line.split()[0]: int(line.split()[1], 16) for line in status if line.startswith(("CapPrm", "CapEff"))
    }
    assert set(capabilities.values()) <= {0, 1 << 2}


@pytest.fixture
def older_kernel(tmp_path: Path) -> Iterator[None]:
    """Starts OCR processes as on a kernel with neither Landlock nor seccomp."""
    with older_kernels(tmp_path, lacking="landlock,seccomp"):
        yield


async def test_on_a_kernel_without_a_sandbox_documents_are_read(
    older_kernel: None, make_slot: Callable[..., Slot], source: Path
) -> None:
    await assert_reads(make_slot(), source)


async def test_on_a_kernel_without_a_sandbox_nothing_is_read_if_it_is_required(
    older_kernel: None, make_slot: Callable[..., Slot], source: Path
) -> None:
    result = await read(make_slot(sandbox=SandboxMode.REQUIRE), source)

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.ENGINE_CRASHED
