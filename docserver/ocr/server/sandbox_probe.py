"""Server side: whether this kernel can confine an OCR process, found by a process that tries; nothing is read in it."""

import asyncio
import logging
import sys
from dataclasses import dataclass

import orjson

from docserver.ocr.sandbox.policy import Confinement, NotConfined
from docserver.settings import SandboxMode

log = logging.getLogger("docserver.sandbox")

TIMEOUT_S = 30.0
"""A trial takes 50 ms; this bounds a machine that is swapping."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What confines the OCR processes of this server."""

    status: str
    """`ok`, `unavailable`, `off`, or `unused` where no process reads."""
    detail: str


async def sandbox(mode: SandboxMode, *, slots: int) -> Sandbox:
    """Find out what holds. Raises NotConfined, with what is missing, if all of it is required."""
    if mode is SandboxMode.OFF or not slots:
        return Sandbox(*(("off", "switched off by DOCSERVER_SANDBOX") if slots else ("unused", "no page is read here")))
    found = await _tried()
    if found.complete:
        log.info("OCR processes are confined", extra={"by": str(found)})
        return Sandbox("ok", str(found))
    if mode is SandboxMode.REQUIRE:
        raise NotConfined(
            f"DOCSERVER_SANDBOX=require, but this system has {found}; "
            "it takes Linux 5.13 with Landlock, and a container that allows both"
        )
    log.warning("OCR processes are not fully confined", extra={"by": str(found)})
    return Sandbox("unavailable", str(found))


async def _tried() -> Confinement:
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
        # Killed in the attempt, as by a filter that is there already.
        return Confinement(landlock=0, seccomp=False)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
