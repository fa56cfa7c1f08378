"""The examples of docs/clients.md, run as they stand there: clients are generated, and do the main job."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from docserver.web import examples
from tests.support.service import Service
from tests.support.waiting import in_time

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
TOOLS = Path(sys.executable).parents[1] / "clients" / "node_modules"
"""What `make test` has installed of tests/clients/package-lock.json."""

COMPILE = (
    *("node", "node_modules/typescript/bin/tsc", "--strict", "--module", "nodenext", "--target", "es2022"),
    # The declarations of the libraries, which take most of the time, are not ours to check.
    *("--skipLibCheck", "--noEmitOnError", "--pretty", "false"),
)
"""The TypeScript compiler with its options."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a user works, with the file that is uploaded."""
    (tmp_path / "invoice.pdf").write_text(examples.INVOICE)
    (tmp_path / "node_modules").symlink_to(TOOLS)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return tmp_path


def environment(service: Service) -> Mapping[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "SERVER": str(service.http._base_url).rstrip("/")}


async def run(*command: str, directory: Path, environment: Mapping[str, str]) -> str:
    """The standard output of a command, which has to succeed."""
    process = await asyncio.create_subprocess_exec(*command, cwd=directory, env=environment, stdout=-1, stderr=-1)
    async with in_time():
        out, err = await process.communicate()
    assert process.returncode == 0, (out.decode(), err.decode())
    return out.decode()


@pytest.mark.parametrize("document", ["/openapi.json", "/openapi-3.0.json"])
async def test_a_generated_python_client_uploads_waits_reads_lists_and_deletes(
    service: Service, directory: Path, document: str
) -> None:
    generate = blocks("sh")[1].replace("/openapi.json", document)
    (directory / "main.py").write_text(*blocks("python"))

    await run("bash", "-c", generate, directory=directory, environment=environment(service))
    shown = await run(sys.executable, "main.py", directory=directory, environment=environment(service))

    assert shown == "Invoice 4711\nTotal: 12.50 EUR\n['invoice.pdf']\n204\n"


async def test_a_generated_typescript_client_is_sound_and_uploads_waits_reads_lists_and_deletes(
    service: Service, directory: Path
) -> None:
    generate = blocks("sh")[2]
    (directory / "main.ts").write_text(*blocks("typescript"))

    await run("bash", "-c", generate, directory=directory, environment=environment(service))
    # Declarations are not checked, but a source is.
    (directory / "docserver.d.ts").rename(directory / "docserver.ts")
    await run(*COMPILE, "main.ts", directory=directory, environment=environment(service))
    shown = await run("node", "main.js", directory=directory, environment=environment(service))

    assert shown == "Invoice 4711\nTotal: 12.50 EUR\n[ 'invoice.pdf' ]\n204\n"
