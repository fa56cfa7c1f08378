"""A receiver of webhooks inside the test's own process. It keeps what it is sent, and answers as a test wants."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

from tests.support.waiting import until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Delivered:
    """A request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return orjson.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str = SECRET) -> Any:
        """The event; raises WebhookVerificationError of the public library if the signature is wrong."""
        return Webhook(secret).verify(self.body, self.headers)


async def accept(request: web.Request) -> web.StreamResponse:
    return web.Response(status=204)


@dataclass
class Receiver:
    port: int = 0
    received: list[Delivered] = field(default_factory=list)
    answer: Answer = accept

    def url(self, path: str = "/hook", *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def answers(self, *statuses: int, **headers: str) -> None:
        """Answer with these statuses in turn, and then with the last one for ever."""
        waiting = list(statuses)

        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(status=waiting.pop(0) if len(waiting) > 1 else waiting[0], headers=headers)

        self.answer = answer

    async def arrived(self, count: int = 1) -> list[Delivered]:
        """Wait until this many have arrived in all."""
        await until(lambda: len(self.received) >= count)
        return self.received

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Delivered(request.path, headers, await request.read()))
        return await self.answer(request)


@asynccontextmanager
async def receiving(host: str = "0.0.0.0", port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver on all addresses of this machine: names of 127.0.0.0/8 are receivers of their own."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    server = TestServer(app, host=host, port=port)
    await server.start_server()
    receiver.port = server.port or 0
    try:
        yield receiver
    finally:
        await server.close()
