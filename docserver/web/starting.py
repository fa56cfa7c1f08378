"""What answers while the service still waits for its parts: alive, not ready and for what it waits, try again soon."""

from dataclasses import dataclass

from aiohttp import web

from docserver.errors import Starting
from docserver.web.handlers import system
from docserver.web.handlers.common import json_response
from docserver.web.middleware import outermost

RETRY_AFTER_S = 2
"""Parts that are there answer within seconds; those that are not should not be asked after by every client at once."""


@dataclass
class Progress:
    """How far the start is."""

    waits_for: str = "settings"
    """The part that the service is waiting for."""


def make_starting_app(progress: Progress) -> web.Application:
    """An application in place of the real one, whose connections are closed when that takes over."""

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

    app = web.Application(middlewares=[outermost])
    app.router.add_get("/livez", system.livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_route("*", "/{path:.*}", anything)
    return app
