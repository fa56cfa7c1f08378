"""What the server learns of the sandbox before it starts, on this system and on lesser ones."""

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from docserver.ocr.sandbox.policy import NotConfined
from docserver.ocr.server import sandbox_probe
from docserver.ocr.server.sandbox_probe import Sandbox, probe_sandbox
from docserver.setting_types import SandboxMode


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A Python that runs as on a kernel that lacks what its name says; returns that name."""
    older = Path(__file__).parent.parent / "support" / "older_kernel.py"
    python = tmp_path / "python"
    root = Path(__file__).parent.parent.parent
    python.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {sys.executable} {older} "$LACKING" {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    return str(python)


@pytest.mark.parametrize(
    ("lacking", "detail"),
    [
        ("landlock,mounts", "no Landlock, seccomp"),
        ("landlock,seccomp,mounts", "no Landlock, no seccomp"),
    ],
)
async def test_a_kernel_without_landlock_causes_one_warning(
    lacking: str,
    detail: str,
    without: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("LACKING", lacking)

    sandbox = await probe_sandbox(SandboxMode.PREFER, slots=2)

    assert sandbox == Sandbox("unavailable", detail)
    assert [record.levelno for record in caplog.records if record.name == "docserver.sandbox"] == [logging.WARNING]


async def test_a_kernel_without_landlock_is_refused_if_the_sandbox_is_required(
    without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LACKING", "landlock")

    with pytest.raises(NotConfined, match=r"DOCSERVER_SANDBOX=require, but .* no Landlock, seccomp"):
        await probe_sandbox(SandboxMode.REQUIRE, slots=2)


async def test_a_server_that_reads_nothing_needs_no_sandbox(without: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACKING", "landlock,seccomp")

    assert (await probe_sandbox(SandboxMode.REQUIRE, slots=0)).status == "unused"


async def test_a_probe_that_dies_means_no_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -KILL $$\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    assert (await probe_sandbox(SandboxMode.PREFER, slots=1)).detail == "no Landlock, no seccomp"


async def test_a_probe_that_does_not_answer_is_killed_and_means_no_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -STOP $$\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(sandbox_probe, "TIMEOUT_S", 0)
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def remember(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        started.append(await start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", remember)

    assert (await probe_sandbox(SandboxMode.PREFER, slots=1)).detail == "no Landlock, no seccomp"
    assert [process.returncode for process in started] == [-signal.SIGKILL]


async def test_a_sandbox_that_is_switched_off_is_reported_as_off() -> None:
    assert (await probe_sandbox(SandboxMode.OFF, slots=1)).status == "off"
