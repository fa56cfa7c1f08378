"""The installed Tesseract and the sandbox of this machine: each is found once, since nothing changes them meanwhile."""

import pytest

from docserver.ocr.engine import Engine, describe
from docserver.ocr.limits import LIBRARY, PROGRAM
from docserver.ocr.server.cgroup import Cgroups
from docserver.ocr.server.sandbox_probe import Sandbox, probe_sandbox
from docserver.setting_types import SandboxMode

BINDINGS = (LIBRARY, PROGRAM)
"""The two ways in which Tesseract can be called."""

both_bindings = pytest.mark.parametrize("binding", BINDINGS)
"""For tests of what is sent to Tesseract and comes back; pictures are prepared alike for both."""

_engines: dict[str, Engine] = {}
_sandboxes: dict[SandboxMode, Sandbox] = {}


async def engine_of(binding: str = "auto") -> Engine:
    """The engine, called in this way."""
    if binding not in _engines:
        _engines[binding] = await describe(binding)
    return _engines[binding]


async def sandbox_of(mode: SandboxMode, *, slots: int, cgroups: Cgroups | None) -> Sandbox:
    """The sandbox of this machine, as `probe_sandbox` finds it."""
    if cgroups or not slots:
        return await probe_sandbox(mode, slots=slots, cgroups=cgroups)
    if mode not in _sandboxes:
        _sandboxes[mode] = await probe_sandbox(mode, slots=slots, cgroups=None)
    return _sandboxes[mode]
