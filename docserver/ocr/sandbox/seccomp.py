"""Child side: assembles and installs the seccomp filter. `syscalls` lists the system calls that it refuses.

The binding on PyPI (pyseccomp) needs a C library that pip does not install.
Source: seccomp(2), linux/filter.h, linux/audit.h.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from docserver.ocr.sandbox import syscalls

ARCHITECTURES: Mapping[str, int] = MappingProxyType({"x86_64": 0xC000003E, "aarch64": 0xC00000B7})
"""Machine → the kernel's AUDIT_ARCH_* number. Both are 64-bit and little-endian."""

PR_SET_SECCOMP = 22
MODE_FILTER = 2

KILL_PROCESS = 0x80000000
ALLOW = 0x7FFF0000
ERRNO = 0x00050000
REFUSE = ERRNO | errno.EPERM
"""A refused call fails with an error and does not kill the process, because some libraries try such calls and then do
without them."""
UNKNOWN = ERRNO | errno.ENOSYS

NUMBER_OFFSET = 0
ARCHITECTURE_OFFSET = 4
ARGUMENTS_OFFSET = 16

LOAD = 0x20
EQUAL = 0x15
AT_LEAST = 0x35
ANY_BIT = 0x45
RETURN = 0x06
AND = 0x54

NEW_NAMESPACES = 0x7E020000
CLONE_PARENT = 0x00008000
CLONE_FILES = 0x00000400
CLONE_THREAD = 0x00010000
CLOSE_RANGE_UNSHARE = 2
O_ACCMODE = 0o3
O_TRUNC = 0o1000
SHARED_ANONYMOUS = 0x21
"""MAP_SHARED or MAP_SHARED_VALIDATE with MAP_ANONYMOUS. Such memory stays when a process drops its mapping, and then no
limit counts it and nobody sees it."""
ALLOWED_FCNTL = (
    0,  # F_DUPFD
    1,  # F_GETFD
    2,  # F_SETFD
    3,  # F_GETFL
    4,  # F_SETFL
    1030,  # F_DUPFD_CLOEXEC
    1032,  # F_GETPIPE_SZ
)
"""Among the refused commands are those that send another process a signal (F_SETOWN, F_SETOWN_EX, F_SETSIG, F_NOTIFY)
and those that lock the stored original, which may have the document as another name (locks, F_SETLEASE)."""
ALLOWED_IOCTL = (
    0x5401,  # TCGETS: isatty()
    0x802C542A,  # TCGETS2: isatty() of later C libraries
    0x5413,  # TIOCGWINSZ
    0x541B,  # FIONREAD
    0x5421,  # FIONBIO
    0x5450,  # FIONCLEX
    0x5451,  # FIOCLEX
)
"""Among the refused requests are those that change a file's flags or share its blocks, which Landlock does not cover,
those that name a receiver of signals (FIOSETOWN, SIOCSPGRP), and those that type into a terminal (TIOCSTI)."""
REFUSED_PRCTL = (
    1,  # PR_SET_PDEATHSIG: outlive the server
    4,  # PR_SET_DUMPABLE: hide its resource use from the server
    35,  # PR_SET_MM: show another program or command line in /proc
    36,  # PR_SET_CHILD_SUBREAPER: let orphans go
    62,  # PR_SCHED_CORE: share or take away a core with another process
    0x59616D61,  # PR_SET_PTRACER: let another process trace it
)

_Instruction = tuple[int, int, int, int]
"""Operation code, instructions to skip if true, instructions to skip if false, operand."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def supported() -> bool:
    """True if there is a filter for this machine's architecture."""
    return platform.machine() in ARCHITECTURES


def install() -> None:
    """Filter the system calls of this process and its descendants.

    Needs no-new-privileges, a single thread, and a process group of its own. Raises OSError if the kernel refuses.
    """
    instructions = assemble(platform.machine(), process=os.getpid())
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    program = _Program(len(code) // 8, code)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def assemble(machine: str, *, process: int) -> list[_Instruction]:
    """The filter as instructions of classic BPF. `process` is the id of the filtered process, which leads its group."""
    judged = syscalls.JUDGED[machine]
    filters = [
        (LOAD, 0, 0, ARCHITECTURE_OFFSET),
        # Calls of another architecture have other numbers, and none of the programs makes such calls.
        (EQUAL, 1, 0, ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER_OFFSET),
        (AT_LEAST, 0, 1, syscalls.LAST + 1),
        (RETURN, 0, 0, UNKNOWN),
        # The flags of these two are in memory, which a filter cannot read. The C library has others in their place.
        (EQUAL, 1, 0, judged["clone3"]),
        (EQUAL, 0, 1, judged["openat2"]),
        (RETURN, 0, 0, UNKNOWN),
    ]
    for number in syscalls.REFUSED[machine].values():
        filters += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE)]
    filters += _refused_if(judged["clone"], 0, (ANY_BIT, 0, 1, NEW_NAMESPACES | CLONE_PARENT))
    # Each process has one table of open files, where the watchdog finds those that were deleted.
    filters += [
        (EQUAL, 0, 5, judged["clone"]),
        (LOAD, 0, 0, ARGUMENTS_OFFSET),
        (AND, 0, 0, CLONE_THREAD | CLONE_FILES),
        (EQUAL, 0, 1, CLONE_THREAD),
        (RETURN, 0, 0, REFUSE),
        (LOAD, 0, 0, NUMBER_OFFSET),
    ]
    filters += _refused_if(judged["close_range"], 2, (ANY_BIT, 0, 1, CLOSE_RANGE_UNSHARE))
    for call, flags in (("open", 1), ("openat", 2)):
        if call in judged:
            filters += _no_truncation_without_writing(judged[call], flags)
    filters += _refused_if(judged["prlimit64"], 0, (EQUAL, 1, 0, 0))
    filters += [
        (EQUAL, 0, 5, judged["mmap"]),
        (LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * 3),
        (AND, 0, 0, SHARED_ANONYMOUS),
        (EQUAL, 0, 1, SHARED_ANONYMOUS),
        (RETURN, 0, 0, REFUSE),
        (LOAD, 0, 0, NUMBER_OFFSET),
    ]
    for option in REFUSED_PRCTL:
        filters += _refused_if(judged["prctl"], 0, (EQUAL, 0, 1, option))
    filters += _allowed_only(judged["ioctl"], 1, ALLOWED_IOCTL)
    filters += _allowed_only(judged["fcntl"], 1, ALLOWED_FCNTL)
    # List the allowed targets and not the refused ones: every process has as many names as it has threads, and a group.
    filters += _allowed_only(judged["kill"], 0, (process, -process & 0xFFFFFFFF, 0))
    filters += _allowed_only(judged["tgkill"], 0, (process,))
    return [*filters, (RETURN, 0, 0, ALLOW)]


def _refused_if(number: int, argument: int, test: _Instruction) -> list[_Instruction]:
    """Refuse a call if its argument passes the test. `test` is an instruction that skips the next one if it fails."""
    return [
        (EQUAL, 0, 4, number),
        # Load only the low half of the argument, because all these arguments are ints.
        (LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * argument),
        test,
        (RETURN, 0, 0, REFUSE),
        (LOAD, 0, 0, NUMBER_OFFSET),
    ]


def _no_truncation_without_writing(number: int, argument: int) -> list[_Instruction]:
    """Refuse to open a file with O_TRUNC unless it is opened for writing.

    Before Linux 6.2, Landlock allows this for every file that may be read. Besides reading, the access mode 3 does not
    count as writing either.
    """
    return [
        (EQUAL, 0, 6, number),
        (LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * argument),
        (AND, 0, 0, O_TRUNC | O_ACCMODE),
        (EQUAL, 1, 0, O_TRUNC),
        (EQUAL, 0, 1, O_TRUNC | O_ACCMODE),
        (RETURN, 0, 0, REFUSE),
        (LOAD, 0, 0, NUMBER_OFFSET),
    ]


def _allowed_only(number: int, argument: int, values: Sequence[int]) -> list[_Instruction]:
    """Refuse a call unless its argument is one of these values."""
    return [
        (EQUAL, 0, len(values) + 3, number),
        (LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * argument),
        *((EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)),
        (RETURN, 0, 0, REFUSE),
        (LOAD, 0, 0, NUMBER_OFFSET),
    ]
