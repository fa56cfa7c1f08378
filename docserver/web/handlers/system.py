"""The service itself: whether it is alive, whether it is ready, and the languages that it can read."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from docserver.database.faults import ReadOnlyServer
from docserver.errors import ServiceError, StorageFull
from docserver.exclusive import SingleFlight
from docserver.ocr.engine import EngineMissing, check_programs
from docserver.ocr.languages import candidates
from docserver.resources import Resources
from docserver.room import require_writable
from docserver.storage.identity import public_mark
from docserver.web import administration_examples, problems, system_schemas
from docserver.web.handlers.common import json_response, versioned_response
from docserver.web.keys import RESOURCES
from docserver.web.openapi import operation

CHECK_S = 2.0
"""A part that does not answer in this time is not ready."""

FULL = "full"
"""The state of the storage while uploads are refused because the disk is nearly full. Everything else goes on, so the
service still counts as ready."""

READ_ONLY = "read_only"
"""The state of the database while its server takes no writes. Uploads get 503, and everything is still shown, so the
service still counts as ready."""

DEPLOYMENT_HEADER = "X-Deployment"
"""By this header of `readyz` and of the metrics' own port, `docserver doctor` knows its own service from another."""

States = dict[str, dict[str, str]]
"""The parts of the service, each with its `status`."""

NOT_REQUIRED = {"redis", "sandbox"}
"""The service also works without these parts, but slower (redis) or less safely (sandbox)."""


class Readiness:
    """Checks each part of the service. Requests that arrive during a check get its outcome.

    Requests for health have no limit. So each part is asked once at a time, however many requests there are.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._round: SingleFlight[None, tuple[str, States]] = SingleFlight()

    async def check(self) -> tuple[str, States]:
        """The status of the service, and that of each part."""
        return await self._round.do(None, self._check_parts)

    async def _check_parts(self) -> tuple[str, States]:
        resources = self._resources
        checks: dict[str, Callable[[], Awaitable[None]]] = {
            "mysql": resources.health_db.check_writable,
            "redis": resources.redis.check_writable,
            "storage": self._check_storage,
            "engine": lambda: asyncio.to_thread(check_programs),
        }
        results = await asyncio.gather(*map(_state, checks.values()))
        states: States = dict(zip(checks, results, strict=True))
        states["sandbox"] = {"status": resources.sandbox.status, "detail": resources.sandbox.detail}
        failed = {name for name, state in states.items() if state["status"] == "unavailable"}
        degraded = failed or any(state["status"] in (FULL, READ_ONLY) for state in states.values())
        return "unavailable" if failed - NOT_REQUIRED else "degraded" if degraded else "ok", states

    async def _check_storage(self) -> None:
        await self._resources.storage.check()
        await asyncio.to_thread(require_writable, self._resources.settings.data_dir / "scratch")


READINESS: web.AppKey[Readiness] = web.AppKey("readiness", Readiness)


@operation(
    summary="Whether the process is alive",
    description="For supervisors that start a process again when it hangs. It asks no other part of the service.",
    tag="system",
    schema=system_schemas.Health,
    responses={200: "It is alive"},
    examples={200: {"status": "ok"}},
)
async def get_liveness(request: web.Request) -> web.Response:  # noqa: ARG001 - the answer is the same for all
    return json_response({"status": "ok"})


@operation(
    summary="The languages in which documents can be read",
    description="Their names are Tesseract's, as uploads name them in `languages`.",
    tag="system",
    schema=system_schemas.Languages,
    examples={200: administration_examples.LANGUAGES},
    responses={
        200: "The installed languages, and the default",
        304: "Unchanged since the version that If-None-Match names",
    },
    errors=(429, 503),
    headers={200: ("ETag",), 304: ("ETag",)},
)
async def get_languages(request: web.Request) -> web.Response:
    resources = request.app[RESOURCES]
    installed = sorted(resources.engine.models)
    body = {"default": resources.settings.languages, "installed": installed, "auto": sorted(candidates(installed))}
    return versioned_response(request, body)


@operation(
    summary="Whether the service can do its work, and the state of each part",
    description="For load balancers, and for people who want to know which part fails.",
    tag="system",
    schema=system_schemas.Health,
    examples={200: administration_examples.HEALTHY, 503: administration_examples.UNHEALTHY},
    responses={
        200: "It can; it is degraded without Redis (slower), a sandbox (less safe), room for uploads, or a database "
        "that takes writes",
        503: "It cannot",
    },
)
async def get_readiness(request: web.Request) -> web.Response:
    status, states = await request.app[READINESS].check()
    headers = {"Cache-Control": "no-store", **deployment_header(request.app[RESOURCES])}
    if status == "unavailable":
        headers["Retry-After"] = problems.RETRY_AFTER_S
    return json_response(
        {"status": status, "checks": states}, status=503 if status == "unavailable" else 200, headers=headers
    )


def deployment_header(resources: Resources) -> dict[str, str]:
    """The header that tells this deployment from others; none before its first start."""
    return {DEPLOYMENT_HEADER: public_mark(resources.identity)} if resources.identity else {}


async def _state(check: Callable[[], Awaitable[None]]) -> dict[str, str]:
    try:
        async with asyncio.timeout(CHECK_S):
            await check()
    except StorageFull as error:
        return {"status": FULL, "detail": error.detail}
    except ReadOnlyServer:
        return {"status": READ_ONLY, "detail": "The database server takes no writes."}
    except (ServiceError, OSError, TimeoutError, EngineMissing):
        return {"status": "unavailable"}
    return {"status": "ok"}
