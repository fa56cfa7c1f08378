"""The application that answers while the service starts: the service is alive but not ready, and why."""

from dataclasses import dataclass

from aiohttp import web

from docserver.errors import Starting
from docserver.web.handlers import system
from docserver.web.handlers.common import json_response
from docserver.web.middleware import errors_as_problems

RETRY_AFTER_S = 2
"""A start takes seconds if nothing is missing; if it takes longer, clients should not ask too often."""


@dataclass
class Progress:
    """The progress of the service's start."""

    waits_for: str = "settings"
    """The part that the service is waiting for."""


def make_starting_app(progress: Progress) -> web.Application:
    """Make the application that answers during the start. Its connections are closed when the real one takes over."""

    async def readyz(request: web.Request) -> web.Response:  # noqa: ARG001 - the answer is the same for all
        return json_response(
            {"status": "starting", "checks": {progress.waits_for: {"status": "waiting"}}},
            status=503,
            headers={"Cache-Control": "no-store", "Retry-After": str(RETRY_AFTER_S)},
        )

    async def anything(request: web.Request) -> web.Response:  # noqa: ARG001 - the answer is the same for all
        raise Starting(
            f"The service is starting and waits for: {progress.waits_for}.",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )

    app = web.Application(middlewares=[errors_as_problems])
    app.router.add_get("/livez", system.get_liveness)
    app.router.add_get("/readyz", readyz)
    app.router.add_route("*", "/{path:.*}", anything)
    return app
