"""The API inside the test's own process, listening as the program does."""

from collections.abc import Awaitable, Callable

from docserver.web.listener import Listener
from tests.support.raw_http import Wire

Serve = Callable[..., Awaitable[Listener]]
"""Starts the API with some settings of its own."""


def port_of(listener: Listener) -> int:
    assert listener._socket is not None
    return int(listener._socket.sockets[0].getsockname()[1])


def busy(listener: Listener) -> int:
    """How many connections are being answered."""
    connections = [connection for of_client in listener._connections._open.values() for connection in of_client]
    return sum(not connection.idle for connection in connections)


async def ask(sender: Wire, path: str = "/livez", *headers: str) -> int:
    """The status of the answer to a GET."""
    await sender.send_head(*headers, method="GET", path=path)
    return (await sender.answer()).status
