"""Inspection: what a file is, without keeping it."""

from functools import partial

from aiohttp import web

from docserver.documents import inspection
from docserver.ocr.server.on_demand import ANSWER_S
from docserver.storage import Received
from docserver.web import (
    callers,
    examples,
    idempotency,
    inspection_schemas,
    multipart,
    openapi,
    password_schemas,
    upload_body,
    validation,
)
from docserver.web.handlers import passwords
from docserver.web.handlers.common import extend_deadline, json_response
from docserver.web.handlers.uploads import bounds_of
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.openapi import operation

_NO_OPTIONS = validation.Strict()
_FORM = password_schemas.InspectionForm()


@operation(
    summary="What a file is, without keeping it: its kind, pages, their sizes and own text, and what is wrong with it",
    description="An OCR process looks at the file, which is then removed. It is no document, and counts for no quota.",
    tag="documents",
    request_headers=(password_schemas.HEADER,),
    upload=openapi.inspected_body(),
    schema=inspection_schemas.Inspection,
    responses={200: "What the file is; what keeps it from being read is in `problems`"},
    examples={200: examples.INSPECTION},
    errors=(429, 503, 507),
    headers={200: ("Cache-Control",)},
)
async def inspect_document(request: web.Request) -> web.Response:
    resources = request.app[RESOURCES]
    place = passwords.IN_FORM if _has_form(request) else passwords.IN_HEADER
    validation.load(_NO_OPTIONS, passwords.query_of(request, place=place))
    # It may wait for its turn as long as it takes.
    extend_deadline(request, resources.settings.upload_timeout_s + 2 * ANSWER_S)
    received, password = await _receive(request)
    try:
        await callers.check_again(request)
        await idempotency.bind(request, received.sha256 + (password or "").encode())
        client = request[CALLER].client
        report = await inspection.inspect(resources, received, password=password, client=client)
    finally:
        await inspection.discard(received)
    return json_response(report, headers={"Cache-Control": "no-store"})


def _has_form(request: web.Request) -> bool:
    return request.content_type.startswith("multipart/")


async def _receive(request: web.Request) -> tuple[Received, str | None]:
    """The file of a form, or the body itself, and the password that came with it."""
    resources = request.app[RESOURCES]
    receive, bounds = partial(inspection.receive, resources), bounds_of(resources.settings)
    if not _has_form(request):
        password = passwords.in_header(request).get("password")
        return await upload_body.read(request, receive=receive, bounds=bounds), password
    form = await multipart.read(request, receive=receive, discard=inspection.discard, bounds=bounds)
    try:
        given = validation.load(_FORM, form.fields, places=validation.IN_BODY)
    except BaseException:
        await inspection.discard(form.received)
        raise
    return form.received, given.get("password")
