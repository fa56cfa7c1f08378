"""Runs a command as on a system that lacks some of its features: `older_kernel.py landlock,seccomp,mounts COMMAND…`."""

import ctypes
import errno
import os
import platform
import struct
import sys

from docserver.ocr.sandbox import landlock, seccomp, syscalls

NUMBER = (seccomp.LOAD, 0, 0, seccomp.NUMBER_OFFSET)
ARGUMENT = (seccomp.LOAD, 0, 0, seccomp.ARGUMENTS_OFFSET)


def lacking(features: list[str]) -> list[tuple[int, int, int, int]]:
    """A filter that answers what asks for these features as a kernel does that has none of them."""
    filters = [NUMBER]
    if "landlock" in features:
        filters += [
            (seccomp.EQUAL, 0, 1, landlock.SYS_CREATE_RULESET),
            (seccomp.RETURN, 0, 0, seccomp.ERRNO | errno.ENOSYS),
        ]
    if "seccomp" in features:
        filters += [
            (seccomp.EQUAL, 0, 4, syscalls.JUDGED[platform.machine()]["prctl"]),
            ARGUMENT,
            (seccomp.EQUAL, 0, 1, seccomp.PR_SET_SECCOMP),
            (seccomp.RETURN, 0, 0, seccomp.ERRNO | errno.EINVAL),
            NUMBER,
        ]
    if "mounts" in features:
        filters += [
            (seccomp.EQUAL, 0, 1, syscalls.REFUSED[platform.machine()]["unshare"]),
            (seccomp.RETURN, 0, 0, seccomp.REFUSE),
        ]
    return [*filters, (seccomp.RETURN, 0, 0, seccomp.ALLOW)]


def main() -> None:
    _, features, *command = sys.argv
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in lacking(features.split(",")))
    program = seccomp._Program(len(code) // 8, code)
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(seccomp.PR_SET_SECCOMP, seccomp.MODE_FILTER, ctypes.byref(program), 0, 0) == 0
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
