"""Jobs: a further one of a document, status, cancel, retry."""

from collections.abc import Mapping

import orjson
from aiohttp import web

from docserver import tracing
from docserver.documents import cancel_retry, further_jobs, queries
from docserver.documents.further_jobs import FurtherJob
from docserver.errors import Unprocessable
from docserver.model import Job
from docserver.web import (
    callers,
    examples,
    idempotency,
    password_schemas,
    request_schemas,
    response_schemas,
    validation,
)
from docserver.web.conditions import not_modified
from docserver.web.handlers.accepting import answer, load_options, options_of
from docserver.web.handlers.common import granted_wait_s, json_response, path_id
from docserver.web.handlers.options import json_and_query, reading_options
from docserver.web.handlers.webhooks import callback
from docserver.web.keys import CALLER, REQUEST_ID, RESOURCES
from docserver.web.openapi import operation

_JOB_BODY = password_schemas.JobBody()
_WAIT_QUERY = request_schemas.WaitQuery()
_NO_QUERY = validation.Strict()
_RETRY_BODY = password_schemas.RetryBody()


@operation(
    summary="Read a document once more, with other options; its earlier jobs and their results stay as they are",
    description="The document gets a further job. Options may be in the body or in the query.",
    tag="jobs",
    path=["document_id"],
    schema=response_schemas.Job,
    query=request_schemas.JobOptions,
    body=password_schemas.JobBody,
    body_example={"mode": "force"},
    request_headers=("Prefer",),
    responses={
        202: "The new job, or an earlier one with the same options (`deduplicated`), and its address in Location",
        200: "The job, if Prefer: wait=N was sent and the job finished in time",
    },
    examples={202: examples.PENDING_JOB, 200: examples.COMPLETED_JOB},
    errors=(404, 409, 410, 429, 503),
    headers={202: ("Location", "Retry-After", "Preference-Applied"), 200: ("Location", "Preference-Applied")},
)
async def create_job(request: web.Request) -> web.Response:
    resources, document_id = request.app[RESOURCES], path_id(request, "document_id")
    wait_s = granted_wait_s(request, 0.0)
    sent, places = await json_and_query(request)
    given = load_options(request, _JOB_BODY, sent, places=places)
    asked = FurtherJob(
        job_id=idempotency.job_id(request),
        options=options_of(request, given, places=places),
        caller=request[CALLER],
        request_id=request[REQUEST_ID],
        callback=callback(resources.settings, given),
        password=given.get("password"),
        traceparent=tracing.traceparent(),
    )
    job, deduplicated = await further_jobs.create(resources, document_id, asked)
    return await answer(request, job, deduplicated=deduplicated, wait_s=wait_s)


@operation(
    summary="A job's status, at once or when it is final",
    description="A job is final when it is completed, failed or cancelled. With `wait`, or Prefer: wait=N, the answer "
    "is held until then, but not longer than the client asks for or the service allows.",
    tag="jobs",
    path=["job_id"],
    schema=response_schemas.Job,
    query=request_schemas.WaitQuery,
    request_headers=("Prefer",),
    responses={200: "The job, whatever its status", 304: "Unchanged since the version that If-None-Match names"},
    examples={200: examples.COMPLETED_JOB},
    errors=(404, 422, 429, 503),
    headers={200: ("ETag", "Retry-After"), 304: ("ETag", "Retry-After")},
)
async def get_job(request: web.Request) -> web.Response:
    resources = request.app[RESOURCES]
    job_id, tenant = path_id(request, "job_id"), request[CALLER].tenant
    asked_s = validation.load(_WAIT_QUERY, request.query)["wait"] if request.query_string else 0.0
    wait_s = granted_wait_s(request, asked_s)
    if wait_s:
        job = await queries.final_job(resources, job_id, tenant=tenant, wait_s=wait_s)
        await callers.check_again(request)
    else:
        job = await queries.job(resources, job_id, tenant=tenant)
    headers = {"ETag": f'W/"{job.version}"', "Cache-Control": "no-cache"}
    if not job.status.final:
        headers["Retry-After"] = str(queries.RETRY_AFTER_S)
    if not_modified(request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    return json_response(job.body, headers=headers)


@operation(
    summary="Stop a job at once, even in the middle of a page",
    description="What was read is dropped. A job that has ended cannot be cancelled; a cancelled one can be retried.",
    tag="jobs",
    path=["job_id"],
    schema=response_schemas.Job,
    responses={200: "The job, cancelled"},
    examples={200: examples.CANCELLED_JOB},
    errors=(404, 409, 422, 429, 503),
    headers={200: ("ETag",)},
)
async def cancel_job(request: web.Request) -> web.Response:
    validation.load(_NO_QUERY, request.query)
    job = await cancel_retry.cancel(request.app[RESOURCES], path_id(request, "job_id"), tenant=request[CALLER].tenant)
    return _response(job)


@operation(
    summary="Read a document, or some of its pages, again after its job has ended, with the same or other options",
    description="Options may be in the body or in the query. What they do not name stays as it was.",
    tag="jobs",
    path=["job_id"],
    schema=response_schemas.Job,
    query=request_schemas.RetryOptions,
    body=password_schemas.RetryBody,
    body_example={"mode": "force"},
    responses={202: "The job, which starts again; pages that are not read again keep their text"},
    examples={202: examples.RETRIED_JOB},
    errors=(404, 409, 429, 503),
    headers={202: ("Location", "Retry-After", "ETag")},
)
async def retry_job(request: web.Request) -> web.Response:
    resources = request.app[RESOURCES]
    job_id = path_id(request, "job_id")
    sent, places = await json_and_query(request)
    given = validation.load(_RETRY_BODY, sent, places=places)
    earlier = await queries.job(resources, job_id, tenant=request[CALLER].tenant)
    changes = reading_options(resources, given, places=places, before=orjson.loads(earlier.body)["options"])
    try:
        job = await cancel_retry.retry(
            resources,
            job_id,
            tenant=request[CALLER].tenant,
            selection=given.get("pages"),
            changes=changes,
            password=given.get("password"),
            request_id=request[REQUEST_ID],
        )
    except Unprocessable as error:
        # Only here it is known where the pages stand that the job does not have.
        errors = [
            each if "pointer" in each else {"detail": each["detail"], **places.of("pages")} for each in error.errors
        ]
        raise Unprocessable(error.detail, errors=errors) from error
    headers = {"Location": f"/v1/jobs/{job.id}", "Retry-After": str(queries.RETRY_AFTER_S)}
    return _response(job, status=202, headers=headers)


def _response(job: Job, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return json_response(
        job.as_json(),
        status=status,
        headers={**(headers or {}), "ETag": f'W/"{job.version}"', "Cache-Control": "no-cache"},
    )
