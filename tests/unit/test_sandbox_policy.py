"""What an OCR process is confined to, and which programs may run inside."""

from docserver.ocr.engine import PACKAGES
from docserver.ocr.sandbox.policy import PROGRAMS, Confinement


def test_only_both_together_are_complete() -> None:
    assert Confinement(landlock=1, seccomp=True).complete
    assert not Confinement(landlock=0, seccomp=True).complete
    assert not Confinement(landlock=7, seccomp=False).complete


def test_the_sandbox_knows_all_programs() -> None:
    assert set(PROGRAMS) == set(PACKAGES)
