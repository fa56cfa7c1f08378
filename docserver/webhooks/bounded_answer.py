"""Connections to receivers that read a limited number of bytes of each answer."""

import asyncio
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

MAX_ANSWER_BYTES = 1 << 16
"""Most bytes that are read of an answer; a status line and headers take a few kilobytes. Without this limit, a receiver
that sends interim responses (100 Continue) without end keeps the event loop busy.
"""


class BoundedConnector(aiohttp.TCPConnector):
    """Closes each connection after MAX_ANSWER_BYTES. An answer whose head came before that counts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        handler: type[ResponseHandler] = _BoundedHandler
        self._factory = partial(handler, loop=asyncio.get_running_loop())


class _BoundedHandler(ResponseHandler):
    _left = MAX_ANSWER_BYTES

    def data_received(self, data: bytes) -> None:
        if not self._left:
            return
        taken = data[: self._left]
        self._left -= len(taken)
        super().data_received(taken)
        if not self._left and self.transport:
            self.transport.abort()
