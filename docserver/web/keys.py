"""The keys of the values that the application and its requests hold for the handlers."""

from aiohttp import web

from docserver.caller import Caller
from docserver.resources import Resources
from docserver.tenants.connections import ConnectionQuotas
from docserver.web.deadlines import Deadline, Deadlines

RESOURCES: web.AppKey[Resources] = web.AppKey("resources", Resources)
CONNECTIONS: web.AppKey[ConnectionQuotas] = web.AppKey("connections", ConnectionQuotas)
REQUEST_ID = "request_id"
TRACE_IDS = "trace_ids"
"""The key of the ids of a request's span, for the line that is logged after its response."""
CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
WAITS = "waits"
"""The key of a flag: True if a request waits for the end of a job."""
DEADLINES: web.AppKey[Deadlines] = web.AppKey("deadlines", Deadlines)
DEADLINE: web.RequestKey[Deadline] = web.RequestKey("deadline", Deadline)
