"""The service held against its own OpenAPI document by Schemathesis: right, wrong and connected requests."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson

from docserver.caller import Scope
from docserver.database.connection import Database
from docserver.tenants.administration import create_key
from tests.support import openapi
from tests.support.servers import Servers
from tests.support.service import Start

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = "10"
"""For each operation, in each phase that generates any: about ten seconds altogether."""

SEED = "20"
RUN_S = 280.0

ENDS_KEYS = ("revoke_key", "rotate_key", "delete_tenant")
"""Operations that are left out: lists show what exists, and Schemathesis would end the key that it uses."""


async def test_every_answer_is_one_that_the_openapi_document_promises_and_none_is_a_fault(
    start: Start, empty_servers: Servers, tmp_path: Path
) -> None:
    # The limit is on, for its headers, and out of reach.
    out_of_reach = {"rate_limit_default": "1000000/60", "rate_limit_reads": "1000000/60"}
    service = await start(slots="1", rate_limit="on", wait_limit_s="0.5", deduplicate="on", auth="keys", **out_of_reach)
    key = await _key(empty_servers)
    listening = await service.logged("listening")
    document = tmp_path / "openapi.json"
    document.write_bytes(orjson.dumps(_strict(await (await service.http.get("/openapi.json")).json())))

    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"),
        *("--header", f"Authorization: Bearer {key}"),
        *(f"--exclude-operation-id={name}" for name in ENDS_KEYS),
        *("--seed", SEED, "--max-examples", EXAMPLES, "--request-timeout", "30", "--continue-on-failure"),
        *("--url", f"http://127.0.0.1:{listening['port']}", str(document)),
        # It leaves notes for its next run, which would make that another one.
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(RUN_S):
            report, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert process.returncode == 0, report.decode()
    assert [line for line in service.lines if line["level"] == "error"] == []
    assert [line for line in service.lines if line["message"] == "request" and line["status"] >= 500] == []


def _strict(document: Any) -> Any:
    """The document as the service has to keep it today, when no answer has a field of tomorrow. Schemathesis holds each
    event of a stream against the schema, which OpenAPI 3.1 has no words for.
    """
    strict = openapi.closed(document)
    events = strict["paths"]["/v1/jobs/{job_id}/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    events["schema"] = {
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "event": {"enum": ["status", "page", "done"]},
            "id": {"type": "string"},
            "data": {"type": "string"},
        },
        "additionalProperties": False,
    }
    del events["example"]
    return strict


async def _key(servers: Servers) -> str:
    """A key that may do everything."""
    db = Database(servers.mysql_url, size=1, timeout_s=10)
    try:
        new = await create_key(db, tenant="contract", name="", scopes=list(Scope), expires_in_s=None, actor="a test")
    finally:
        await db.close()
    return new.text
