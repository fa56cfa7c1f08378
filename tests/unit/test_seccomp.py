"""Filters of system calls, for each architecture that has one."""

import platform
import struct

import pytest

from docserver.ocr.sandbox import seccomp, syscalls


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_a_filter_is_sound(machine: str) -> None:
    filters = seccomp.assemble(machine, process=4711)

    assert filters[-1][0] == seccomp.RETURN
    assert all(index + 1 + max(true, false) < len(filters) for index, (_, true, false, _) in enumerate(filters[:-1]))
    assert len(b"".join(struct.pack("=HBBI", *instruction) for instruction in filters)) < 8 * 4096


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_no_call_is_named_twice_and_none_is_beyond_the_last(machine: str) -> None:
    numbers = [*syscalls.REFUSED[machine].values(), *syscalls.JUDGED[machine].values()]

    assert len(numbers) == len(set(numbers))
    assert max(numbers) <= syscalls.LAST


def test_this_machine_has_a_filter() -> None:
    assert seccomp.supported() == (platform.machine() in {"x86_64", "aarch64"})
