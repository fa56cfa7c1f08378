"""Uploads: a document as a part of a form, or as the whole body."""

from functools import partial

from aiohttp import web

from docserver import tracing
from docserver.documents import intake
from docserver.settings import Settings
from docserver.web import (
    examples,
    multipart,
    openapi,
    part_headers,
    password_schemas,
    request_schemas,
    response_schemas,
    upload_body,
    validation,
)
from docserver.web.handlers import passwords
from docserver.web.handlers.accepting import accepted, load_options, upload_of
from docserver.web.handlers.common import extend_deadline, granted_wait_s
from docserver.web.keys import RESOURCES
from docserver.web.openapi import operation

_UPLOAD_OPTIONS = request_schemas.UploadOptions()
_UPLOAD_FORM = password_schemas.UploadForm()
_NAMED_UPLOAD = request_schemas.NamedUpload()

_upload_operation = partial(
    operation,
    tag="documents",
    schema=response_schemas.Job,
    responses={
        202: "Accepted: the job, and its address in Location",
        200: "The job, if Prefer: wait=N was sent and the job finished in time",
    },
    examples={202: examples.PENDING_JOB, 200: examples.COMPLETED_JOB},
    errors=(429, 503, 507),
    headers={202: ("Location", "Retry-After", "Preference-Applied"), 200: ("Location", "Preference-Applied")},
)
"""Documents an upload."""

_file_operation = partial(
    _upload_operation,
    description="The body is the file, as curl -T and many programs send it. Its name is in `filename`, at the end of "
    "the path or in Content-Disposition, its options are in the query. All else is as with a form.",
    query=request_schemas.NamedUpload,
    request_headers=("Prefer", "Content-Disposition", password_schemas.HEADER),
    upload=openapi.file_body(),
)
"""Documents one whose body is the file."""


@_upload_operation(
    summary="Upload a document; its text is read in the background",
    description="The answer is a job, which is read in its turn: ask for it until it has ended, or let the answer "
    "wait with Prefer: wait=N. If the same bytes were uploaded before with the same options, that job is the answer.",
    request_headers=("Prefer",),
    query=request_schemas.UploadOptions,
    upload=openapi.form_body(),
)
async def upload_document(request: web.Request) -> web.Response:
    resources = request.app[RESOURCES]
    wait_s = granted_wait_s(request, 0.0)
    extend_deadline(request, resources.settings.upload_timeout_s)
    # Check the query's options before reading the body, so that a wrong one is refused early.
    load_options(request, _UPLOAD_OPTIONS, passwords.query_of(request, place=passwords.IN_FORM))
    with tracing.span("receive document"):
        form = await multipart.read(
            request,
            receive=lambda chunks: intake.receive(resources, chunks),
            discard=resources.storage.discard,
            bounds=bounds_of(resources.settings),
        )
    return await accepted(request, form.received, lambda: _upload(request, form), wait_s=wait_s)


@_file_operation(summary="Upload a document as the body itself; Content-Disposition or ?filename= names it")
async def post_document(request: web.Request) -> web.Response:
    return await _raw(request)


@_file_operation(summary="The same as POST, for programs that upload by PUT, such as curl -T")
async def put_document(request: web.Request) -> web.Response:
    return await _raw(request)


@_file_operation(
    summary="The same for curl -T, which adds the file's name to an address that ends with a slash",
    path=["name"],
)
async def put_named_document(request: web.Request) -> web.Response:
    return await _raw(request)


async def _raw(request: web.Request) -> web.Response:
    resources = request.app[RESOURCES]
    wait_s = granted_wait_s(request, 0.0)
    extend_deadline(request, resources.settings.upload_timeout_s)
    # What is wrong besides the file is found before the body is read.
    query = passwords.query_of(request, place=passwords.IN_HEADER)
    given = load_options(request, _NAMED_UPLOAD, query) | passwords.in_header(request)
    disposition = request.headers.get("Content-Disposition", "")
    # aiohttp takes headers for UTF-8, which old clients do not send.
    named = part_headers.filename(disposition.encode("utf-8", "surrogateescape").decode("latin-1"))
    named = request.match_info.get("name") or named
    upload = upload_of(request, given, filename=given.get("filename", named), places=validation.IN_QUERY)
    with tracing.span("receive document"):
        received = await upload_body.read(
            request,
            receive=lambda chunks: intake.receive(resources, chunks),
            bounds=bounds_of(resources.settings),
        )
    return await accepted(request, received, lambda: upload, wait_s=wait_s)


def bounds_of(settings: Settings) -> upload_body.Bounds:
    """The limits of a body that has a file."""
    return upload_body.Bounds(
        file_bytes=settings.max_upload_bytes, silence_s=settings.body_timeout_s, total_s=settings.upload_timeout_s
    )


def _upload(request: web.Request, form: multipart.Form) -> intake.Upload:
    """Everything about an upload except its bytes; raises Unprocessable."""
    form.fields.extend(request.query)
    given = load_options(request, _UPLOAD_FORM, form.fields, places=validation.IN_BODY)
    return upload_of(request, given, filename=form.filename, places=validation.IN_BODY)
