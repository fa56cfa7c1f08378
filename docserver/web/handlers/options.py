"""How a document is to be read, as an upload or a retry may say it: in a form, in the query or as a JSON object."""

from typing import Any

import orjson
from aiohttp import web
from multidict import MultiDict

from docserver.errors import BadRequest, Unprocessable, UnsupportedMedia
from docserver.model import AUTO
from docserver.resources import Resources

READING = ("languages", "mode", "rotate")
"""The fields of `model.Options` that are taken over as they are given."""


async def json_and_query(request: web.Request) -> MultiDict[Any]:
    """What the query and a JSON object in the body say; raises BadRequest, UnsupportedMedia, Unprocessable."""
    given: MultiDict[Any] = MultiDict(request.query)
    sent = await request.read()
    if not sent:
        return given
    if request.content_type != "application/json":
        raise UnsupportedMedia("Send the options as application/json, or in the query.")
    try:
        body = orjson.loads(sent)
    except orjson.JSONDecodeError as error:
        raise BadRequest("The body is not JSON.") from error
    if not isinstance(body, dict):
        raise Unprocessable("The body is not a JSON object.")
    given.extend(body)
    return given


def reading_options(resources: Resources, loaded: dict[str, Any], *, kind: str) -> dict[str, Any]:
    """What was given of `model.Options`, but for pages; raises Unprocessable for a language that is not installed.

    `kind` is where it was given, as errors tell it: pointer or parameter.
    """
    if "languages" in loaded:
        _require_installed(resources, loaded["languages"], kind=kind)
    return {name: loaded[name] for name in READING if name in loaded}


def _require_installed(resources: Resources, languages: str, *, kind: str) -> None:
    if languages == AUTO:
        return
    place = {kind: "/languages" if kind == "pointer" else "languages"}
    names, installed = languages.split("+"), sorted(resources.engine.models)
    if AUTO in names:
        raise Unprocessable(
            f"The language {AUTO} stands alone: it chooses among those installed, {', '.join(installed)}.",
            errors=[{"detail": f"{AUTO} stands alone.", **place}],
        )
    missing = [name for name in names if name not in installed]
    if missing:
        raise Unprocessable(
            f"The language {' and '.join(missing)} is not installed; installed are: {', '.join(installed)}.",
            errors=[{"detail": f"Not installed: {', '.join(missing)}.", **place}],
        )
