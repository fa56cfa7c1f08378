"""What an OCR process is confined to, and which programs may run inside."""

from docserver.ocr.engine import PACKAGES
from docserver.ocr.sandbox.policy import PROGRAMS, Confinement


def test_a_confinement_is_complete_with_landlock_and_seccomp_together() -> None:
    assert Confinement(landlock=1, seccomp=True).complete
    assert not Confinement(landlock=0, seccomp=True).complete
    assert not Confinement(landlock=7, seccomp=False).complete


def test_the_sandbox_allows_every_program_that_is_needed() -> None:
    assert set(PROGRAMS) == set(PACKAGES)
