"""A scratch directory in memory is limited by the kernel and seen by its own processes alone."""

import errno
import os
from pathlib import Path

import pytest

from docserver.ocr.sandbox.mounts import mount_scratch
from tests.support.users import in_another_process, ordinary_user_in


def mount_and_fill() -> bool:
    """True if the scratch directory is limited, or if this system allows no mounts."""
    scratch = Path("scratch")
    scratch.mkdir()
    if not mount_scratch(scratch, size=1 << 20, entries=20):
        return True
    os.chdir(scratch)
    assert Path().stat().st_uid == os.getuid()
    with pytest.raises(OSError) as too_large, Path("large").open("wb") as file:
        file.write(bytes(2 << 20))
    with pytest.raises(OSError) as too_many:
        for number in range(30):
            Path(str(number)).touch()
    return (too_large.value.errno, too_many.value.errno) == (errno.ENOSPC, errno.ENOSPC)


def test_a_mounted_scratch_directory_has_limits_and_ends_with_its_process(tmp_path: Path) -> None:
    assert in_another_process(tmp_path, mount_and_fill)

    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_ordinary_user_can_mount_a_scratch_directory_too(tmp_path: Path) -> None:
    assert ordinary_user_in(tmp_path, mount_and_fill)

    assert list((tmp_path / "scratch").iterdir()) == []
