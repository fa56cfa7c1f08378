"""The keys of the values that the application and its requests hold for the handlers."""

from aiohttp import web

from docserver.resources import Resources

RESOURCES: web.AppKey[Resources] = web.AppKey("resources", Resources)
REQUEST_ID = "request_id"
DEADLINE = "deadline"
"""The key of a request's `asyncio.Timeout`; see `handlers.common.extend_deadline`."""
