"""The `Expect` header (RFC 9110, 10.1.1): a client that sends `100-continue` sends its body only when it is asked for.

aiohttp would ask for the body before any check, so that a client sends all of an upload that is refused.
"""

from collections.abc import Callable
from typing import Any

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy

from docserver.errors import ExpectationFailed

RequestFactory = Callable[..., web.BaseRequest]

_EXPECTED: web.RequestKey[str] = web.RequestKey("expected", str)
"""What the client expects before it sends the body; "" if nothing, or nothing any more. Every request that came through
the listener has it.
"""


def wrap(make_request: RequestFactory) -> RequestFactory:
    """Make requests as the given function does, without the header, which aiohttp would answer."""

    def make(message: RawRequestMessage, *arguments: Any, **options: Any) -> web.BaseRequest:
        expected = message.headers.get(hdrs.EXPECT, "").lower()
        if expected:
            message = message._replace(headers=_without(hdrs.EXPECT, message.headers))
        request = make_request(message, *arguments, **options)
        # Clients of HTTP/1.0 do not know the header; a proxy has passed it on.
        request[_EXPECTED] = expected if request.version >= HttpVersion11 else ""
        return request

    return make


def _without(name: str, headers: CIMultiDictProxy[str]) -> CIMultiDictProxy[str]:
    others = CIMultiDict(headers)
    del others[name]
    return CIMultiDictProxy(others)


def check(request: web.BaseRequest) -> None:
    """Raise ExpectationFailed if the client expects what the service does not do."""
    if request[_EXPECTED] not in ("", "100-continue"):
        raise ExpectationFailed("The only supported Expect is 100-continue.")


async def ask_for_body(request: web.BaseRequest) -> None:
    """Tell a client that waits for it to send the body. Nothing but the body may be wrong with the request any more."""
    if request.get(_EXPECTED):
        request[_EXPECTED] = ""
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # aiohttp takes an answer for begun if something was sent.
        request.writer.output_size = 0


def may_send_body(request: web.BaseRequest) -> bool:
    """True if a client was not asked for its body, and may send it or not: what comes next is not known."""
    return bool(request[_EXPECTED]) and not request.content.is_eof()
