"""The options of a request, which arrive in a form, in the query or as a JSON object; and those of reading."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from multidict import MultiDict

from docserver.errors import BadRequest, Unprocessable, UnsupportedMedia
from docserver.ocr.languages import reads
from docserver.reading_options import AUTO, EngineChoice
from docserver.resources import Resources
from docserver.web import validation
from docserver.web.handlers import passwords

READING_OPTIONS = ("languages", "mode", "rotate", "barcodes", "engine")
"""The fields of `Options` that are taken from a request unchanged."""


async def json_and_query(
    request: web.Request, *, password: str = passwords.IN_JSON
) -> tuple[MultiDict[Any], validation.Places]:
    """The fields of the query and of a JSON object in the body, and their places; raises BadRequest, UnsupportedMedia,
    Unprocessable. `password` is the place of a password, as for `passwords.query_of`.
    """
    given: MultiDict[Any] = MultiDict(passwords.query_of(request, place=password))
    body = await json_body(request)
    # A field that is missing belongs where the others are.
    is_in_query = bool(given) and not body
    places = validation.IN_QUERY if is_in_query else validation.Places("pointer", query=frozenset(given))
    given.extend(body)
    return given, places


async def json_body(request: web.Request) -> MultiDict[Any]:
    """The fields of a JSON object in the body, if there is one; raises BadRequest, UnsupportedMedia, Unprocessable."""
    body = await request.read()
    if not body:
        return MultiDict()
    if request.content_type != "application/json":
        raise UnsupportedMedia("Send the body as application/json.")
    try:
        fields = orjson.loads(body)
        # orjson takes the last of several fields with the same name.
        json.loads(body, object_pairs_hook=_check_names, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON, or is nested too deeply.") from error
    if not isinstance(fields, dict):
        raise Unprocessable("The body is not a JSON object.")
    return MultiDict(fields)


def _check_names(fields: list[tuple[str, Any]]) -> None:
    """Raise Unprocessable if an object has two fields with the same name: nobody can know which one is meant."""
    repeated = [name for name, number in Counter(name for name, _ in fields).items() if number > 1]
    if repeated:
        places = [
            {"detail": "Given more than once.", "pointer": f"/{name}"} for name in repeated[: validation.MAX_ERRORS]
        ]
        raise Unprocessable(f"{', '.join(repeated[: validation.MAX_ERRORS])}: Given more than once.", errors=places)


def reading_options(
    resources: Resources,
    loaded: dict[str, Any],
    *,
    places: validation.Places,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Arguments for `Options`, except for the pages; raises Unprocessable for a language that is not installed,
    and for an engine that is not, or does not read the language. `before` are those of a job, as it shows them, for
    what is not given.
    """
    if "languages" in loaded:
        _require_installed(resources, loaded["languages"], places=places)
    reading = {name: loaded[name] for name in READING_OPTIONS if name in loaded}
    effective = {**(before or {}), **reading}
    if reading.keys() & {"engine", "languages"} and effective.get("engine") == EngineChoice.PPOCR:
        _require_second_engine(resources, effective["languages"], places=places)
    return reading


def _require_second_engine(resources: Resources, languages: str, *, places: validation.Places) -> None:
    """Raise Unprocessable if PP-OCR is not installed, or does not read one of these languages."""
    place = places.of("engine")
    if resources.engine.second is None:
        raise Unprocessable(
            "PP-OCR is not installed on this server, or is switched off. Ask for auto or tesseract.",
            errors=[{"detail": "Not installed, or switched off.", **place}],
        )
    unread = [] if languages == AUTO else [name for name in languages.split("+") if not reads(name)]
    if unread:
        raise Unprocessable(
            f"PP-OCR does not read {', '.join(unread)} as well as Tesseract. Ask for auto or tesseract.",
            errors=[{"detail": f"Not read by ppocr: {', '.join(unread)}.", **place}],
        )


def _require_installed(resources: Resources, languages: str, *, places: validation.Places) -> None:
    if languages == AUTO:
        return
    place = places.of("languages")
    names, installed = languages.split("+"), sorted(resources.engine.models)
    if AUTO in names:
        raise Unprocessable(
            f"{AUTO} cannot be combined with others: it chooses among those installed, {', '.join(installed)}.",
            errors=[{"detail": f"{AUTO} cannot be combined.", **place}],
        )
    missing = [name for name in names if name not in installed]
    if missing:
        detail = f"Not installed: {', '.join(missing)}. Installed languages: {', '.join(installed)}."
        raise Unprocessable(detail, errors=[{"detail": detail, **place}])
