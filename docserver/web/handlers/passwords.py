"""Where a request has the password of a PDF: in a field of its form or JSON, or in a header; never in the query."""

from typing import Any

from aiohttp import web
from multidict import MultiDict, MultiMapping

from docserver.errors import Unprocessable
from docserver.web import validation
from docserver.web.password_schemas import HEADER, PasswordHeader

IN_FORM = "in the field password of the form"
IN_JSON = "in the field password of a JSON body"
IN_HEADER = f"in the header {HEADER}"
AT_COMPLETION = f"{IN_JSON}, with the request that completes the upload"

_HEADER = PasswordHeader()


def query_of(request: web.Request, *, place: str) -> MultiMapping[str]:
    """The query; raises Unprocessable if a password is not in its place, in words that follow "Send it". It is never in
    the query: proxies and browsers write addresses down.
    """
    if "password" in request.query:
        detail = f"Not in the query, which is logged on the way. Send it {place}."
        raise Unprocessable(f"password: {detail}", errors=[{"detail": detail, "parameter": "password"}])
    if place != IN_HEADER and HEADER in request.headers:
        # Without it, reading would fail, and nobody would know why.
        detail = f"Not taken here. Send the password {place}."
        raise Unprocessable(f"{HEADER}: {detail}", errors=[{"detail": detail, "header": HEADER}])
    return request.query


def in_header(request: web.Request) -> dict[str, Any]:
    """The password of an upload whose body is the file itself, if there is one; raises Unprocessable."""
    given = MultiDict((HEADER, _decoded(value)) for value in request.headers.getall(HEADER, ()))
    return validation.load(_HEADER, given, places=validation.IN_HEADER) if given else {}


def _decoded(value: str) -> str:
    sent = value.encode("utf-8", "surrogateescape")
    try:
        return sent.decode()
    except UnicodeDecodeError:
        # Scripts of web pages send letters of Latin-1 alone, and as such.
        return sent.decode("latin-1")
