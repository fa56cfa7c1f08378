"""What the caller's tenant has used of its quotas."""

from aiohttp import web

from docserver.tenants import quotas
from docserver.web import system_schemas, validation
from docserver.web.administration_examples import USAGE
from docserver.web.handlers.common import json_response
from docserver.web.keys import CALLER, CONNECTIONS, RESOURCES
from docserver.web.openapi import operation

_NO_QUERY = validation.Strict()


@operation(
    summary="What the caller has used of its quotas",
    description="A quota without a limit is counted all the same, except for connections.",
    tag="system",
    schema=system_schemas.Usage,
    examples={200: USAGE},
    responses={200: "Each quota: what is used, and what is allowed"},
    errors=(422, 429, 503),
)
async def get_usage(request: web.Request) -> web.Response:
    validation.load(_NO_QUERY, request.query)
    tenant = request[CALLER].tenant
    in_use = await request.app[CONNECTIONS].in_use(tenant)
    report = await quotas.report(request.app[RESOURCES], tenant, connections=in_use)
    return json_response(report, headers={"Cache-Control": "no-store"})
