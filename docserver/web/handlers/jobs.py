"""Jobs: how far the reading of a document is."""

from aiohttp import web

from docserver import reads
from docserver.web import answers, schemas
from docserver.web.handlers.common import json_response, path_id, unchanged, wait_s
from docserver.web.keys import RESOURCES
from docserver.web.openapi import operation

_WAIT_QUERY = schemas.WaitQuery()


@operation(
    summary="A job's status, at once or as soon as it is final",
    tag="jobs",
    path=["job_id"],
    schema=answers.Job,
    query=schemas.WaitQuery,
    answers={200: "The job, whatever its status", 304: "Unchanged since the version that If-None-Match names"},
    refusals=(404, 422, 429, 503),
)
async def get_job(request: web.Request) -> web.Response:
    resources = request.app[RESOURCES]
    job_id = path_id(request, "job_id")
    asked_s = schemas.load(_WAIT_QUERY, request.query)["wait"] if request.query_string else 0.0
    patience_s = wait_s(request, asked_s)
    if patience_s:
        job = await reads.final_job(resources, job_id, wait_s=patience_s)
    else:
        job = await reads.job(resources, job_id)
    headers = {"ETag": f'W/"{job.version}"', "Cache-Control": "no-cache"}
    if not job.status.final:
        headers["Retry-After"] = str(reads.RETRY_AFTER_S)
    if unchanged(request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    return json_response(job.body, headers=headers)
