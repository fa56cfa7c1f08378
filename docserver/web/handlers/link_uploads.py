"""Uploads by a link to the bucket: begin one, send the file there, complete it here."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from aiohttp import web

from docserver import tracing
from docserver.documents import link_uploads
from docserver.errors import NotFound
from docserver.storage import UploadLink
from docserver.timestamps import rfc3339
from docserver.web import examples, password_schemas, request_schemas, response_schemas, validation
from docserver.web.administration_examples import UPLOAD_LINK
from docserver.web.handlers import passwords
from docserver.web.handlers.accepting import accept, answer, load_options, upload_of
from docserver.web.handlers.common import extend_deadline, granted_wait_s, json_response, path_id
from docserver.web.handlers.options import json_and_query
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.openapi import operation
from docserver.web.validation import Places

_BEGUN_UPLOAD = request_schemas.BegunUpload()
_COMPLETED_UPLOAD = password_schemas.CompletedUpload()


@operation(
    summary="Get a link to which a file is sent, where the service keeps its files in a bucket",
    description="For large files: they do not pass through the service. The link takes one PUT, with the headers that "
    "the answer names, and only until it expires.",
    tag="uploads",
    body=request_schemas.BegunUpload,
    body_example={"size": 577},
    schema=response_schemas.UploadLink,
    responses={201: "The link: PUT the file's bytes there, then complete the upload"},
    examples={201: UPLOAD_LINK},
    errors=(409, 429, 503, 507),
    headers={201: ("Location", "Cache-Control")},
)
async def begin_upload(request: web.Request) -> web.Response:
    sent, places = await json_and_query(request, password=passwords.AT_COMPLETION)
    given = validation.load(_BEGUN_UPLOAD, sent, places=places)
    begun = await link_uploads.begin(request.app[RESOURCES], request[CALLER].tenant, size=given["size"])
    body = _as_json(begun)
    headers = {"Location": body["links"]["complete"], "Cache-Control": "no-store"}
    return json_response(body, status=201, headers=headers)


@operation(
    summary="Make a document of a file that was sent to a link; its text is read in the background",
    description="Options may be in the body or in the query. A request that is sent again gets the same job.",
    tag="uploads",
    path=["upload_id"],
    query=request_schemas.NamedUpload,
    body=password_schemas.CompletedUpload,
    body_example={"filename": "invoice.pdf", "languages": "eng"},
    request_headers=("Prefer",),
    schema=response_schemas.Job,
    responses={
        202: "Accepted: the job, and its address in Location; the same again if the request is repeated",
        200: "The job, if Prefer: wait=N was sent and the job finished in time",
    },
    examples={202: examples.PENDING_JOB, 200: examples.COMPLETED_JOB},
    errors=(404, 409, 429, 503, 507),
    headers={202: ("Location", "Retry-After"), 200: ("Location", "Preference-Applied")},
)
async def complete_upload(request: web.Request) -> web.Response:
    resources, tenant, upload_id = request.app[RESOURCES], request[CALLER].tenant, path_id(request, "upload_id")
    wait_s = granted_wait_s(request, 0.0)
    extend_deadline(request, resources.settings.upload_timeout_s)
    fields, places = await json_and_query(request)
    given = load_options(request, _COMPLETED_UPLOAD, fields, places=places)
    completed = await link_uploads.completed(resources, tenant, upload_id)
    if completed is None:
        try:
            return await _complete(request, upload_id, given, places, wait_s=wait_s)
        except NotFound:
            # An equal request may have completed it meanwhile.
            completed = await link_uploads.completed(resources, tenant, upload_id)
            if completed is None:
                raise
    job, deduplicated = completed
    return await answer(request, job, deduplicated=deduplicated, wait_s=wait_s)


async def _complete(
    request: web.Request, upload_id: UUID, given: dict[str, Any], places: Places, *, wait_s: float
) -> web.Response:
    resources = request.app[RESOURCES]
    sent = await link_uploads.find(resources, request[CALLER].tenant, upload_id)
    upload = upload_of(request, given, filename=given.get("filename", ""), places=places)
    with tracing.span("receive document"):
        received = await link_uploads.receive(resources, sent)
    job, deduplicated = await accept(request, received, lambda: replace(upload, job_id=upload_id, is_sent_by_link=True))
    await link_uploads.finish(resources, request[CALLER].tenant, sent, job_id=job.id)
    return await answer(request, job, deduplicated=deduplicated, wait_s=wait_s)


def _as_json(begun: UploadLink) -> dict[str, Any]:
    return {
        "upload_id": str(begun.id),
        "method": "PUT",
        "url": begun.url,
        "headers": {"Content-Length": str(begun.size)},
        "expires_at": rfc3339(begun.expires_at.replace(tzinfo=None)),
        "links": {"complete": f"/v1/uploads/{begun.id}/complete"},
    }
