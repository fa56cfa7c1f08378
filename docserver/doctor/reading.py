"""Checks what reads documents: the programs, the models of the default languages, and the sandbox."""

import os
import platform
import re
from collections.abc import AsyncIterator
from pathlib import Path

from docserver.doctor.findings import Finding, ok, problem, warning
from docserver.ocr.engine import EngineMissing, poppler_version
from docserver.ocr.sandbox.policy import Confinement
from docserver.ocr.server.cgroup import delegated, own_cgroup
from docserver.ocr.server.sandbox_probe import confinement_of_a_process
from docserver.resources import checked_engine
from docserver.setting_types import SandboxMode
from docserver.settings import Settings, SettingsError

LANDLOCK_SINCE = (5, 13)
"""The first Linux with Landlock."""

ACTIVE_MODULES = Path("/sys/kernel/security/lsm")
"""The security modules that this kernel runs with; it is often hidden in containers."""

FILTERED_MACHINES = ("x86_64", "aarch64")
"""The machines for which there is a seccomp filter."""


async def check_engine(settings: Settings) -> AsyncIterator[Finding]:
    """Tesseract, its models, and Poppler."""
    try:
        engine = await checked_engine(settings)
        poppler = await poppler_version()
    except EngineMissing as error:
        detail, _, remedy = str(error).partition("; ")
        yield problem("engine", detail, remedy or "reinstall it")
        return
    except SettingsError as error:
        yield problem("engine", str(error), "correct the setting")
        return
    yield ok("engine", f"Tesseract {engine.version} by {engine.binding}, pdftoppm {poppler}")
    yield ok("second engine", engine.second.version if engine.second else _why_no_second(settings))
    yield ok("languages", f"{settings.languages} of {len(engine.models)} installed")


def _why_no_second(settings: Settings) -> str:
    if settings.second_engine == "off":
        return "switched off by DOCSERVER_SECOND_ENGINE"
    return "not installed: Tesseract reads alone"


async def check_sandbox(settings: Settings) -> AsyncIterator[Finding]:
    """Landlock, seccomp, and a cgroup for each OCR process."""
    if settings.sandbox is SandboxMode.OFF:
        remedy = "unset DOCSERVER_SANDBOX, unless OCR processes run nothing but your own documents"
        yield warning("sandbox", "switched off", remedy)
    else:
        yield _sandbox(await confinement_of_a_process(), settings.sandbox)
    own = own_cgroup()
    if own and delegated(own):
        yield ok("cgroup", "one is delegated, as seen from this command: the kernel limits OCR processes")
    else:
        yield ok("cgroup", "none is delegated, as seen from this command: a check once a second limits OCR processes")


def _sandbox(confinement: Confinement, mode: SandboxMode) -> Finding:
    if confinement.complete:
        return ok("sandbox", str(confinement))
    reasons = [] if confinement.landlock else [_why_no_landlock()]
    if not confinement.seccomp:
        reasons.append(_why_no_seccomp())
    detail = f"{confinement}: {', and '.join(reasons)}"
    if mode is SandboxMode.REQUIRE:
        return problem("sandbox", detail, "DOCSERVER_SANDBOX=require refuses to start so")
    return warning("sandbox", detail, "OCR processes are less safely confined until both are there")


def _why_no_landlock() -> str:
    release = re.match(r"(\d+)\.(\d+)", platform.release())
    if release and (int(release[1]), int(release[2])) < LANDLOCK_SINCE:
        return f"Linux {platform.release()} is older than 5.13, the first with Landlock"
    try:
        modules = ACTIVE_MODULES.read_text().strip()
    except OSError:
        modules = "landlock"
    if "landlock" not in modules.split(","):
        return f"the kernel runs without Landlock (add it to the boot option: lsm={modules},landlock)"
    return "the kernel has no Landlock, or the container's seccomp profile forbids it"


def _why_no_seccomp() -> str:
    machine = os.uname().machine
    if machine not in FILTERED_MACHINES:
        return f"there is no seccomp filter for {machine}"
    return "the kernel or the container refuses seccomp filters"
