"""The service held against its own OpenAPI document by Schemathesis: right and wrong requests, and in `make fuzz` also
boundary values and requests that follow the links of answers.
"""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from docserver.web import examples
from tests.fuzz.effort import EXAMPLES
from tests.support import openapi
from tests.support.servers import Servers
from tests.support.service import Service, environment_of
from tests.support.tenants import key_for_everything
from tests.support.waiting import HANG_S

CONFIG = Path(__file__).with_name("schemathesis.toml")

RUNS: Mapping[str, int] = (
    {"examples,coverage,fuzzing": max(1, EXAMPLES // 50), "stateful": max(1, EXAMPLES // 25)}
    if EXAMPLES
    else {"examples,fuzzing": 3}
)
"""The phases of each run, and how many examples there are of each operation, or sequences of requests. `make test`
sends about 200 requests; the boundary values alone are thousands.
"""

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


async def test_every_answer_is_one_that_the_openapi_document_promises_and_none_is_a_fault(
    empty_servers: Servers, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    service = await _service(empty_servers, tmp_path)
    document = await (await service.http.get("/openapi.json")).json()
    key = await key_for_everything(empty_servers.mysql_url, tenant="contract")
    seed = pytestconfig.getoption("hypothesis_seed") or "20"

    try:
        for phases, each in RUNS.items():
            described = _strict(_fitting(document) if phases == "stateful" else document)
            options = ("--phases", phases, "--max-examples", str(each), "--seed", seed)
            await _check(service, described, *options, key=key, directory=tmp_path)
    finally:
        await service.stop()


async def _service(servers: Servers, directory: Path) -> Service:
    environment = environment_of(
        mysql_url=servers.mysql_url,
        redis_url=servers.redis_url,
        data_dir=directory / "data",
        wait_limit_s="0.5",
        deduplicate="on",
        auth="keys",
        # The limits are on, for their headers, and out of reach.
        rate_limit_default="1000000/60",
        rate_limit_reads="1000000/60",
        # Nothing is sent to the URLs of webhooks.
        webhook_connections="0",
    )
    return await Service(environment).start()


async def _check(service: Service, document: Any, *options: str, key: str, directory: Path) -> None:
    """Let Schemathesis hold the service against a document, with all its checks."""
    listening = await service.logged("listening")
    described = directory / "openapi.json"
    described.write_bytes(orjson.dumps(document))
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run", *options),
        *("--checks", "all", "--header", f"Authorization: Bearer {key}"),
        *(f"--exclude-operation-id={name}" for name in ENDS_KEYS),
        *("--request-timeout", str(HANG_S), "--continue-on-failure"),
        *("--url", f"http://127.0.0.1:{listening['port']}", str(described)),
        # It leaves notes for its next run, which would make that another one.
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
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
