"""Batches: many files in one request, and what becomes of them."""

from hashlib import sha256

from aiohttp import web

from docserver.documents import batch_states, batches, queries
from docserver.documents.zip_archive import MAX_ENTRIES
from docserver.web import (
    batch_examples,
    batch_schemas,
    callers,
    idempotency,
    multipart,
    openapi,
    password_schemas,
    request_schemas,
    upload_body,
    validation,
)
from docserver.web.batch_files import BatchReceiver
from docserver.web.batch_json import as_json
from docserver.web.handlers import passwords
from docserver.web.handlers.accepting import load_options, upload_of
from docserver.web.handlers.common import extend_deadline, granted_wait_s, json_response, path_id, versioned_response
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.openapi import operation

MAX_FILES = 1000
"""Most files of a form. Of each, the first 4 kB are kept in memory until all have arrived; a ZIP may have more."""

_OPTIONS = request_schemas.UploadOptions()
_FORM = password_schemas.UploadForm()
_QUERY = batch_schemas.BatchQuery()


@operation(
    summary="Upload many files at once",
    description=f"Up to {MAX_FILES} parts named `file`, or one ZIP of up to {MAX_ENTRIES} entries, and options for "
    "all. Each file becomes a document with a job of its own, or is refused for itself; `items` tells which. Nothing "
    "is accepted before the whole batch has arrived.",
    tag="documents",
    query=request_schemas.UploadOptions,
    upload=openapi.form_body(several=True),
    schema=batch_schemas.Batch,
    responses={202: "What became of each file, and the address of the batch in Location"},
    examples={202: batch_examples.BATCH},
    errors=(429, 503, 507),
    headers={202: ("Location", "Retry-After")},
)
async def create_batch(request: web.Request) -> web.Response:
    resources = request.app[RESOURCES]
    settings, tenant = resources.settings, request[CALLER].tenant
    extend_deadline(request, settings.upload_timeout_s)
    load_options(request, _OPTIONS, passwords.query_of(request, place=passwords.IN_FORM))
    receiver = BatchReceiver(resources)
    received = []
    try:
        form = await multipart.read_files(
            request,
            receive=receiver.receive,
            discard=receiver.discard,
            bounds=upload_body.Bounds(
                file_bytes=receiver.max_bytes, silence_s=settings.body_timeout_s, total_s=settings.upload_timeout_s
            ),
            max_files=MAX_FILES,
            max_bytes=receiver.max_bytes,
        )
        received = [file for _, file in form.files]
        await callers.check_again(request)
        form.fields.extend(request.query)
        upload = upload_of(
            request,
            load_options(request, _FORM, form.fields, places=validation.IN_BODY),
            filename="",
            places=validation.IN_BODY,
        )
        files = await receiver.files(form.files)
        content = sha256(b"".join(sha256(name.encode()).digest() + file.sha256 for name, file in form.files)).digest()
        batch_id = await idempotency.bind_batch(request, content, upload)
        # What was received whole is accepted, however long that takes the storage.
        extend_deadline(request, settings.upload_timeout_s)
        await batches.accept(resources, batch_id, files, upload)
    finally:
        for file in received:
            await receiver.discard(file)
        receiver.close()
    batch = await batch_states.get(resources, batch_id, tenant=tenant, limit=len(files))
    headers = {"Location": f"/v1/batches/{batch_id}", "Retry-After": str(queries.RETRY_AFTER_S)}
    return json_response(as_json(batch), status=202, headers=headers)


@operation(
    summary="Show how a batch stands",
    description="How many of its files were refused, how its jobs stand, how many pages were read, and a part of its "
    "files. With `wait`, the answer comes when all jobs have ended, or when the time is over.",
    tag="documents",
    path=["batch_id"],
    query=batch_schemas.BatchQuery,
    request_headers=("Prefer",),
    schema=batch_schemas.Batch,
    responses={200: "The batch, however it stands", 304: "Unchanged since the version that If-None-Match names"},
    examples={200: batch_examples.BATCH},
    errors=(404, 422, 429, 503),
    headers={200: ("ETag", "Retry-After"), 304: ("ETag", "Retry-After")},
)
async def get_batch(request: web.Request) -> web.Response:
    batch_id, tenant = path_id(request, "batch_id"), request[CALLER].tenant
    given = validation.load(_QUERY, request.query)
    wait_s = granted_wait_s(request, given["wait"])
    batch = await batch_states.get_completed(
        request.app[RESOURCES],
        batch_id,
        tenant=tenant,
        after=given.get("cursor", 0),
        # One more than the client gets, to know whether there is a next part.
        limit=given["limit"] + 1,
        wait_s=wait_s,
    )
    if wait_s:
        await callers.check_again(request)
    headers = {} if batch.is_completed else {"Retry-After": str(queries.RETRY_AFTER_S)}
    return versioned_response(request, as_json(batch, limit=given["limit"]), headers=headers)
