"""The service itself: alive, ready, and what it can read."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from docserver.errors import ServiceError
from docserver.ocr.engine import EngineMissing, check_programs
from docserver.ocr.languages import candidates
from docserver.web import response_schemas
from docserver.web.handlers.common import json_response
from docserver.web.keys import RESOURCES
from docserver.web.openapi import operation

CHECK_S = 2.0
"""A part that takes longer to say that it is there is not ready."""

DISPENSABLE = {"redis", "sandbox"}
"""Without these it works, if not as well."""


@operation(summary="Whether the process is alive", tag="system", schema=response_schemas.Health, answers={200: "It is"})
async def livez(request: web.Request) -> web.Response:  # noqa: ARG001 - the answer is the same for all
    return json_response({"status": "ok"})


@operation(
    summary="The languages that documents can be read in",
    tag="system",
    schema=response_schemas.Languages,
    answers={200: "Those installed, and the default"},
    refusals=(429, 503),
)
async def languages(request: web.Request) -> web.Response:
    resources = request.app[RESOURCES]
    installed = sorted(resources.engine.models)
    return json_response(
        {"default": resources.settings.languages, "installed": installed, "auto": sorted(candidates(installed))}
    )


@operation(
    summary="Whether the service can do its work, and the state of each of its parts",
    tag="system",
    schema=response_schemas.Health,
    answers={200: "It can; without Redis it is slower, without a sandbox less safe: degraded", 503: "It cannot"},
)
async def readyz(request: web.Request) -> web.Response:
    resources = request.app[RESOURCES]
    checks: dict[str, Callable[[], Awaitable[None]]] = {
        "mysql": resources.db.ping,
        "redis": resources.redis.ping,
        "storage": resources.storage.check,
        "engine": lambda: asyncio.to_thread(check_programs),
    }
    found = dict(zip(checks, await asyncio.gather(*map(_state, checks.values())), strict=True))
    states = {name: {"status": state} for name, state in found.items()}
    states["sandbox"] = {"status": resources.sandbox.status, "detail": resources.sandbox.detail}
    failed = {name for name, state in states.items() if state["status"] == "unavailable"}
    status = "ok" if not failed else "degraded" if failed <= DISPENSABLE else "unavailable"
    return json_response(
        {"status": status, "checks": states},
        status=503 if status == "unavailable" else 200,
        headers={"Cache-Control": "no-store", **({"Retry-After": "5"} if status == "unavailable" else {})},
    )


async def _state(check: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(CHECK_S):
            await check()
    except (ServiceError, OSError, TimeoutError, EngineMissing):
        return "unavailable"
    return "ok"
