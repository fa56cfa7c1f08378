"""What an OCR process is confined to, and which programs may run inside."""

import ctypes
import errno
import os
from pathlib import Path

import pytest

from docserver.ocr.engine import PACKAGES
from docserver.ocr.sandbox import landlock, policy, seccomp
from docserver.ocr.sandbox.policy import PROGRAMS, Confinement
from tests.support.users import in_another_process


def test_a_confinement_is_complete_with_landlock_and_seccomp_together() -> None:
    assert Confinement(landlock=1, seccomp=True).complete
    assert not Confinement(landlock=0, seccomp=True).complete
    assert not Confinement(landlock=7, seccomp=False).complete


def test_the_sandbox_allows_every_program_that_is_needed() -> None:
    assert set(PROGRAMS) == set(PACKAGES)


def test_a_kernel_that_refuses_landlock_or_filters_confines_less(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(landlock, "abi", lambda: 1)
    monkeypatch.setattr(landlock, "restrict", refuse)
    monkeypatch.setattr(seccomp, "supported", lambda: False)
    nothing = Path(os.devnull)

    assert policy._restrict_files(models=nothing, scratch=nothing, source=nothing) == 0
    assert not policy._filter_calls()


def test_a_system_call_that_fails_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError) as caught:
        landlock._call(-1)

    assert caught.value.errno == errno.ENOSYS


def test_fonts_are_looked_for_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere/cache")

    places = policy.readable(Path("/models"))

    assert Path("/somewhere/cache/fontconfig") in places
    assert not any(place.is_relative_to("/root") for place in places - policy._installed())


class WithoutCapget:
    """The C library of a system that does not tell which capabilities a process has."""

    def __init__(self, libc: ctypes.CDLL) -> None:
        self.prctl, self.capset = libc.prctl, libc.capset

    def capget(self, *_: object) -> int:
        return -1


def give_up_without_capget() -> bool:
    library = WithoutCapget(ctypes.CDLL(None))
    ctypes.CDLL = lambda *_, **__: library  # type: ignore[assignment,misc]
    policy._give_up_privileges()
    status = Path("/proc/self/status").read_text().splitlines()
    sets = {line.partition(":")[0]: int(line.split()[1], 16) for line in status if line.startswith(("CapE", "CapP"))}
    return sets == {"CapEff": 0, "CapPrm": 0}


def test_where_capabilities_cannot_be_read_none_is_left(tmp_path: Path) -> None:
    assert in_another_process(tmp_path, give_up_without_capget)
