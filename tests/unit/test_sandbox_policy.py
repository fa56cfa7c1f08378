"""What an OCR process is confined to, and which programs may run inside."""

import errno
import os
from pathlib import Path

import pytest

from docserver.ocr.engine import PACKAGES
from docserver.ocr.sandbox import landlock, policy, seccomp
from docserver.ocr.sandbox.policy import PROGRAMS, Confinement


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
