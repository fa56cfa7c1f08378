"""The examples of docs/keys.md and docs/quotas.md, run as they stand there: to a first key, and what an admin does."""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.support.samples import png
from tests.support.service import Service
from tests.support.waiting import in_time

PAGE = Path(__file__).parents[2] / "docs" / "keys.md"
STRICT = 'set -euo pipefail; curl() { command curl -sS --fail-with-body "$@"; echo; }\n'


def examples(page: Path) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)


async def run(script: str, directory: Path, environment: dict[str, str]) -> str:
    """The standard output of a script, in which each command has to succeed."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", STRICT + script, cwd=directory, env=environment, stdout=-1, stderr=-1
    )
    async with in_time():
        out, err = await process.communicate()
    assert process.returncode == 0, (out, err)
    return out.decode()


async def test_the_page_leads_from_nothing_to_a_key_and_an_admin(tmp_path: Path) -> None:
    (tmp_path / "docserver").write_text(f'#!/bin/sh\nexec {sys.executable} -m docserver "$@"\n')
    (tmp_path / "docserver").chmod(0o755)
    (tmp_path / "letter.png").write_bytes(png())
    settings = {"DOCSERVER_DATA_DIR": str(tmp_path / "data"), "DOCSERVER_SLOTS": "1"}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DOCSERVER_")}
    environment = {
        **inherited,
        **settings,
        "PATH": f"{tmp_path}:{inherited['PATH']}",
        "PYTHONPATH": str(PAGE.parents[1]),
    }
    first, upload, administration = examples(PAGE)
    (quotas,) = examples(PAGE.with_name("quotas.md"))
    making, serving = first.rstrip().rsplit("\n", 1)
    assert serving == "docserver --embedded"

    await run(making, tmp_path, environment)
    service = await Service({**settings, "DOCSERVER_AUTH": "keys"}, arguments=("--embedded",)).start()
    try:
        address = str(service.http._base_url).rstrip("/")
        uploaded = await run(upload.replace("http://localhost:8000", address), tmp_path, environment)
        as_admin = f"{administration}\n{quotas}".replace("http://localhost:8000", address)
        answers = await run(as_admin, tmp_path, environment)
    finally:
        assert await service.stop() == 0

    assert '"status":"pending"' in uploaded
    assert answers.count('"secret":"dsk_') == 1
    assert '"deletion":{"actor":"key:' in answers
    assert '"pages_per_day":1000,"max_bytes":null' in answers
    key = (tmp_path / "key").read_text().strip()
    assert re.fullmatch(r"dsk_[0-9A-Za-z]{46}", key)
    assert key not in answers + str(service.lines)
    assert [line for line in service.lines if "dsk_" in str(line) and line["message"] != "API key changed"] == []
