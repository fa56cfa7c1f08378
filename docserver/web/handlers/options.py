"""The options of a request, which arrive in a form, in the query or as a JSON object; and those of reading."""

from typing import Any

import orjson
from aiohttp import web
from multidict import MultiDict

from docserver.errors import BadRequest, Unprocessable, UnsupportedMedia
from docserver.reading_options import AUTO
from docserver.resources import Resources
from docserver.web.handlers import passwords

READING_OPTIONS = ("languages", "mode", "rotate", "barcodes")
"""The fields of `Options` that are taken from a request unchanged."""


async def json_and_query(request: web.Request, *, password: str = passwords.IN_JSON) -> MultiDict[Any]:
    """The fields of the query and of a JSON object in the body; raises BadRequest, UnsupportedMedia, Unprocessable.
    `password` is the place of a password, as for `passwords.query_of`.
    """
    given: MultiDict[Any] = MultiDict(passwords.query_of(request, place=password))
    given.extend(await json_body(request))
    return given


async def json_body(request: web.Request) -> MultiDict[Any]:
    """The fields of a JSON object in the body, if there is one; raises BadRequest, UnsupportedMedia, Unprocessable."""
    body = await request.read()
    if not body:
        return MultiDict()
    if request.content_type != "application/json":
        raise UnsupportedMedia("Send the body as application/json.")
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest("The body is not JSON.") from error
    if not isinstance(fields, dict):
        raise Unprocessable("The body is not a JSON object.")
    return MultiDict(fields)


def reading_options(resources: Resources, loaded: dict[str, Any], *, kind: str) -> dict[str, Any]:
    """Arguments for `Options`, except for the pages; raises Unprocessable for a language that is not installed.

    `kind` is the key under which an error names a field: pointer or parameter.
    """
    if "languages" in loaded:
        _require_installed(resources, loaded["languages"], kind=kind)
    return {name: loaded[name] for name in READING_OPTIONS if name in loaded}


def _require_installed(resources: Resources, languages: str, *, kind: str) -> None:
    if languages == AUTO:
        return
    place = {kind: "/languages" if kind == "pointer" else "languages"}
    names, installed = languages.split("+"), sorted(resources.engine.models)
    if AUTO in names:
        raise Unprocessable(
            f"{AUTO} cannot be combined with others: it chooses among those installed, {', '.join(installed)}.",
            errors=[{"detail": f"{AUTO} cannot be combined.", **place}],
        )
    missing = [name for name in names if name not in installed]
    if missing:
        raise Unprocessable(
            f"Not installed: {', '.join(missing)}. Installed languages: {', '.join(installed)}.",
            errors=[{"detail": f"Not installed: {', '.join(missing)}.", **place}],
        )
