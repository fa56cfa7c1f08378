"""The keys under which an application and its requests hold what handlers need."""

from aiohttp import web

from docserver.resources import Resources

RESOURCES: web.AppKey[Resources] = web.AppKey("resources", Resources)
REQUEST_ID = "request_id"
DEADLINE = "deadline"
"""The `asyncio.Timeout` of a request, see `handlers.common.extend_deadline`."""
