"""The span of a request, by OpenTelemetry's semantic conventions for HTTP servers.

See https://opentelemetry.io/docs/specs/semconv/http/http-spans/. A span never has the query, nor the client's address.
"""

from aiohttp import web

from docserver import tracing
from docserver.web.keys import TRACE_IDS
from docserver.web.middleware import UNLIMITED, Handler, is_public


@web.middleware
async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record a span for the request. It continues the trace of the caller, if that names one.

    Paths without a route, health checks, metrics and the documentation have no spans: probes would fill a collector.
    """
    if is_public(request) or request.match_info.route.name in UNLIMITED:
        return await handler(request)
    resource = request.match_info.route.resource
    assert resource is not None, "a route with a name has one"
    attributes = {
        "http.request.method": request.method,
        "http.route": resource.canonical,
        # The paths of routes contain ids alone.
        "url.path": request.path,
        "url.scheme": request.scheme,
    }
    # Two of these headers are as good as none (W3C Trace Context, 3.2.1).
    traceparents = request.headers.getall("traceparent", ())
    traceparent = traceparents[0] if len(traceparents) == 1 else None
    name = f"{request.method} {resource.canonical}"
    with tracing.continued(traceparent), tracing.span(name, attributes, kind="server") as span:
        request[TRACE_IDS] = tracing.ids()
        response = await handler(request)
        span.set({"http.response.status_code": response.status})
        if response.status >= 500:
            span.fail(str(response.status))
        return response
