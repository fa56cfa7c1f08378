"""When an original is read again to compare it with its upload."""

import os
import time
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from docserver.storage import Received, comparing

DATA = b"content"


async def test_an_original_is_compared_again_only_when_it_has_changed_or_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    real, clock = comparing.examine, SimpleNamespace(now=time.monotonic())
    path, comparison = tmp_path / "original", comparing.Comparison()
    path.write_bytes(DATA)

    async def examine(path: Path) -> Received:
        read.append(path)
        return await real(path)

    monkeypatch.setattr(comparing, "examine", examine)
    monkeypatch.setattr(comparing, "time", SimpleNamespace(monotonic=lambda: clock.now))

    async def is_equal() -> bool:
        return await comparison.equal(path, size=len(DATA), sha256=sha256(DATA).digest())

    assert [await is_equal(), await is_equal(), len(read)] == [True, True, 1]
    clock.now += comparing.TRUSTED_S
    assert [await is_equal(), len(read)] == [True, 2]
    path.write_bytes(b"kontent")
    # The clock of a file system may be too coarse to tell the two writes apart.
    os.utime(path, ns=(0, 0))
    assert [await is_equal(), len(read)] == [False, 3]
