"""The service held against its own OpenAPI document by Schemathesis: right, wrong and connected requests."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from docserver.caller import Scope
from docserver.database.connection import Database
from docserver.tenants.administration import create_key
from docserver.web import examples
from tests.support import openapi
from tests.support.servers import Servers
from tests.support.service import Service, Start

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = "10"
"""For each operation, in each phase that generates any: about ten seconds altogether."""

SEEDS = ("20", "21", "22", "23", "24", "25", "26", "27")
"""How far the links lead with a seed depends on when jobs end. Others are tried until all of `LED_TO` was reached."""

RUN_S = 280.0

ENDS_KEYS = ("revoke_key", "rotate_key", "delete_tenant")
"""Operations that are left out: lists show what exists, and Schemathesis would end the key that it uses."""

FITTING: Mapping[str, Any] = {
    "file": examples.INVOICE,
    "languages": "eng",
    "pages": "1",
    "url": "https://example.org/docserver",
    "tenant": "contract",
    "q": "invoice",
}
"""Values that this service takes, by the names of fields and parameters. Of all that their schemas allow, few are."""

HINDERING = {
    "callback_url",
    "callback_secret",
    "password",
    "offset",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Range",
}
"""Fields and parameters that seldom go with what else a request has. A replayed answer may name what is gone by now."""


LED_TO = {
    ("GET", "/v1/jobs/{job_id}"),
    ("GET", "/v1/documents/{document_id}"),
    ("GET", "/v1/documents/{document_id}/file"),
    ("DELETE", "/v1/documents/{document_id}"),
    ("GET", "/v1/webhooks/{webhook_id}"),
}
"""What the links lead to at least, with success."""


@pytest.mark.parametrize("phases", ["coverage", "examples,fuzzing"])
async def test_every_answer_is_one_that_the_openapi_document_promises_and_none_is_a_fault(
    start: Start, empty_servers: Servers, tmp_path: Path, phases: str
) -> None:
    service = await _service(start)
    document = _strict(await _document(service))

    await _check(service, document, f"--phases={phases}", key=await _key(empty_servers), directory=tmp_path)


@pytest.mark.timeout(len(SEEDS) * RUN_S)
async def test_requests_that_follow_the_links_of_answers_lead_from_uploads_to_deletions(
    start: Start, empty_servers: Servers, tmp_path: Path
) -> None:
    service = await _service(start)
    document = _strict(_fitting(await _document(service)))

    key = await _key(empty_servers)
    for seed in SEEDS:
        await _check(service, document, "--phases=stateful", key=key, directory=tmp_path, seed=seed)
        requests = [line for line in service.lines if line["message"] == "request" and line["status"] < 300]
        unreached = LED_TO - {(line["method"], line["route"]) for line in requests}
        if not unreached:
            break
    assert not unreached


async def _service(start: Start) -> Service:
    # The limit is on, for its headers, and out of reach. Nothing is sent to the URLs of webhooks.
    out_of_reach = {"rate_limit_default": "1000000/60", "rate_limit_reads": "1000000/60"}
    return await start(
        slots="1",
        rate_limit="on",
        wait_limit_s="0.5",
        deduplicate="on",
        auth="keys",
        webhook_connections="0",
        **out_of_reach,
    )


async def _document(service: Service) -> Any:
    return await (await service.http.get("/openapi.json")).json()


async def _check(
    service: Service, document: Any, *options: str, key: str, directory: Path, seed: str = SEEDS[0]
) -> None:
    """Let Schemathesis hold the service against a document, with all its checks."""
    listening = await service.logged("listening")
    described = directory / "openapi.json"
    described.write_bytes(orjson.dumps(document))
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run", *options),
        *("--checks", "all", "--header", f"Authorization: Bearer {key}"),
        *(f"--exclude-operation-id={name}" for name in ENDS_KEYS),
        *("--seed", seed, "--max-examples", EXAMPLES, "--request-timeout", "30", "--continue-on-failure"),
        *("--url", f"http://127.0.0.1:{listening['port']}", str(described)),
        # It leaves notes for its next run, which would make that another one.
        cwd=directory,
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


def _fitting(document: Any) -> Any:
    """The document with requests that this service takes, so that they lead on."""
    schemas = document["components"]["schemas"]
    requests = {name: _narrowed(schema) for name, schema in schemas.items() if "additionalProperties" in schema}
    paths = {
        path: {method: _narrowed_operation(operation) for method, operation in operations.items()}
        for path, operations in document["paths"].items()
    }
    return {**document, "paths": paths, "components": {**document["components"], "schemas": schemas | requests}}


def _narrowed_operation(operation: Any) -> Any:
    parameters = [
        parameter | {"schema": _fitting_value(parameter["name"], parameter["schema"])}
        for parameter in operation["parameters"]
        if parameter["name"] not in HINDERING
    ]
    body = {"requestBody": _narrowed(operation["requestBody"])} if "requestBody" in operation else {}
    return {**operation, "parameters": parameters, **body}


def _narrowed(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    if part.get("format") == "binary":
        return {"enum": [examples.INVOICE]}
    return {
        key: {name: _fitting_value(name, its) for name, its in value.items() if name not in HINDERING}
        if key == "properties"
        else _narrowed(value)
        for key, value in part.items()
    }


def _fitting_value(name: str, schema: Any) -> Any:
    return {"enum": [FITTING[name]]} if name in FITTING else schema


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
