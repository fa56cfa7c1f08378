"""Server side: finds out whether this kernel can confine an OCR process. Reads no document."""

import asyncio
import logging
import sys
from dataclasses import dataclass

import orjson

from docserver.ocr.sandbox.policy import Confinement, NotConfined
from docserver.ocr.server.cgroup import Cgroups
from docserver.setting_types import SandboxMode

log = logging.getLogger("docserver.sandbox")

TIMEOUT_S = 30.0
"""Longest time for the probe. It takes 50 ms; only a machine that is swapping needs more."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How the OCR processes of this server are confined."""

    status: str
    """`ok`, `unavailable`, `off`, or `unused` if this server has no OCR processes."""
    detail: str


async def probe_sandbox(mode: SandboxMode, *, slots: int, cgroups: Cgroups | None = None) -> Sandbox:
    """Find out how OCR processes are confined. Raises NotConfined if the mode requires more than the kernel has."""
    if not slots:
        return Sandbox("unused", "no page is read here")
    also = f", {cgroups}" if cgroups else ""
    if mode is SandboxMode.OFF:
        return Sandbox("off", f"switched off by DOCSERVER_SANDBOX{also}")
    confinement = await confinement_of_a_process()
    detail = f"{confinement}{also}"
    if confinement.complete:
        log.info("OCR processes are confined", extra={"by": detail})
        return Sandbox("ok", detail)
    if mode is SandboxMode.REQUIRE:
        raise NotConfined(
            f"DOCSERVER_SANDBOX=require, but this system has {confinement}; "
            "this needs Linux 5.13 or later with Landlock, and a container that allows both"
        )
    log.warning("OCR processes are not fully confined", extra={"by": detail})
    return Sandbox("unavailable", detail)


async def confinement_of_a_process() -> Confinement:
    """Start a process that confines itself, and return what the kernel enforces on it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "docserver.ocr.sandbox.policy",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await process.communicate()
        return Confinement(**orjson.loads(output))
    except (TimeoutError, orjson.JSONDecodeError):
        # The process was killed, for example by a seccomp filter of the container.
        return Confinement(landlock=0, seccomp=False)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
