"""Makes a document of a file that was received, and answers with its job: what all ways to upload have in common."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from marshmallow import Schema
from multidict import MultiMapping

from docserver import tracing
from docserver.documents import intake, queries
from docserver.model import Job
from docserver.page_ranges import format_pages
from docserver.reading_options import Options
from docserver.storage import Received
from docserver.web import callers, idempotency, validation
from docserver.web.handlers.common import json_response, preferences
from docserver.web.handlers.options import reading_options
from docserver.web.handlers.webhooks import callback, url_check
from docserver.web.keys import CALLER, REQUEST_ID, RESOURCES
from docserver.web.validation import Places

RESPOND_ASYNC = re.compile(r"(?:^|[,;\s])respond-async(?:$|[,;\s])", re.IGNORECASE)
"""The preference for an answer at once (RFC 7240, 4.1). It is what clients get unless they prefer to wait."""


def load_options(
    request: web.Request, schema: Schema, given: MultiMapping[Any], *, places: Places = validation.IN_QUERY
) -> dict[str, Any]:
    """The options of an upload or a job, converted. Raises Unprocessable, which names all that are wrong, also by the
    settings.
    """

    def check_reading(loaded: Mapping[str, Any]) -> None:
        # Of a language that is wrong, nobody knows which engine reads it.
        is_known = "languages" in loaded or "languages" not in given
        options_of(request, {name: loaded[name] for name in loaded if is_known or name != "engine"}, places=places)

    check_callback = url_check(request.app[RESOURCES].settings, field="callback_url", places=places)
    return validation.load(schema, given, places=places, checks=(check_reading, check_callback))


def upload_of(request: web.Request, given: dict[str, Any], *, filename: str, places: Places) -> intake.Upload:
    """Everything about an upload except its bytes, from options that `load_options` has taken."""
    settings = request.app[RESOURCES].settings
    return intake.Upload(
        filename=filename,
        options=options_of(request, given, places=places),
        expires_in_s=given.get("expires_in", settings.retention_s or None),
        callback=callback(settings, given),
        password=given.get("password") or None,
        caller=request[CALLER],
        request_id=request[REQUEST_ID],
        traceparent=tracing.traceparent(),
    )


def options_of(request: web.Request, given: Mapping[str, Any], *, places: Places) -> Options:
    """How a job reads, from `JobOptions` that are loaded; raises Unprocessable."""
    resources = request.app[RESOURCES]
    reading = reading_options(resources, {"languages": resources.settings.languages, **given}, places=places)
    return Options(**reading, pages=format_pages(given["pages"]) if "pages" in given else None)


async def accepted(
    request: web.Request, received: Received, upload: Callable[[], intake.Upload], *, wait_s: float
) -> web.Response:
    """Accept an upload as `accept` does, and answer at once or, if the job ends within `wait_s`, then."""
    job, deduplicated = await accept(request, received, upload)
    return await answer(request, job, deduplicated=deduplicated, wait_s=wait_s)


async def accept(request: web.Request, received: Received, upload: Callable[[], intake.Upload]) -> tuple[Job, bool]:
    """Accept an upload. Returns its job, and True if it is that of an earlier equal upload.

    `upload` gives all but the bytes, and may raise ServiceError. If the upload is not accepted, its file is removed.
    """
    resources = request.app[RESOURCES]
    try:
        await callers.check_again(request)
        return await intake.accept(resources, received, await idempotency.bind_upload(request, received, upload()))
    finally:
        # If the upload was accepted, its file has been moved and nothing happens here. Otherwise this removes the file.
        await resources.storage.discard(received)


async def answer(request: web.Request, job: Job, *, deduplicated: bool, wait_s: float) -> web.Response:
    """The answer to a request that has made this job, or found it: at once or, if it ends within `wait_s`, then."""
    state = await queries.accepted(request.app[RESOURCES], job, wait_s=wait_s)
    if wait_s:
        await callers.check_again(request)
    if deduplicated:
        state = state.marked_deduplicated()
    location = f"/v1/jobs/{job.id}"
    if wait_s and state.status.final:
        return json_response(state.body, headers={"Location": location, "Preference-Applied": "wait"})
    headers = {"Location": location, "Retry-After": str(queries.RETRY_AFTER_S)}
    if RESPOND_ASYNC.search(preferences(request)):
        headers["Preference-Applied"] = "respond-async"
    return json_response(state.body, status=202, headers=headers)
