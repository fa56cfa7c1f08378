"""What happens to a job or a batch, as server-sent events."""

from aiohttp import web

from docserver.documents.batch_events import BatchFeed
from docserver.documents.events import Feed, Position, Subscription
from docserver.errors import NotAcceptable
from docserver.formats.negotiation import accepts
from docserver.web import batch_examples, callers, examples, request_schemas, validation
from docserver.web.event_stream import MEDIA_TYPE, EventStream
from docserver.web.handlers.common import path_id
from docserver.web.keys import CALLER, WAITS
from docserver.web.openapi import operation

FEED: web.AppKey[Feed] = web.AppKey("feed", Feed)

BATCH_FEED: web.AppKey[BatchFeed] = web.AppKey("batch_feed", BatchFeed)

_QUERY = request_schemas.EventsQuery()
_NO_QUERY = validation.Strict()


@operation(
    summary="What happens to a job, as server-sent events: its status, its pages as they are read, and its end",
    description="The stream begins with `status`, whose data is the job. Each page that is done is a `page`, whose "
    "data is the page without its blocks. The stream ends with `done` and the job.",
    tag="jobs",
    path=["job_id"],
    query=request_schemas.EventsQuery,
    request_headers=("Last-Event-ID",),
    responses={
        200: "The events as they come",
        204: "The client has got `done`, and nothing has happened since",
    },
    produces=[MEDIA_TYPE],
    examples={MEDIA_TYPE: examples.EVENTS},
    errors=(404, 406, 422, 429, 503),
)
async def get_events(request: web.Request) -> web.StreamResponse:
    query = validation.load(_QUERY, request.query)
    _check_accepts(request)
    subscription = request.app[FEED].subscribe(
        path_id(request, "job_id"), caller=request[CALLER], with_text=query["text"]
    )
    return await _stream(request, subscription)


@operation(
    summary="What happens to a batch, as server-sent events: how its files, jobs and pages stand, and its end",
    description="The stream begins with `status`, whose data is the batch without its files; another one follows when "
    "that has changed, at most once a second. The stream ends with `done` when all jobs have ended.",
    tag="documents",
    path=["batch_id"],
    request_headers=("Last-Event-ID",),
    responses={
        200: "The events as they come",
        204: "The client has got `done`, and nothing has happened since",
    },
    produces=[MEDIA_TYPE],
    examples={MEDIA_TYPE: batch_examples.EVENTS},
    errors=(404, 406, 422, 429, 503),
)
async def get_batch_events(request: web.Request) -> web.StreamResponse:
    validation.load(_NO_QUERY, request.query)
    _check_accepts(request)
    subscription = request.app[BATCH_FEED].subscribe(path_id(request, "batch_id"), caller=request[CALLER])
    return await _stream(request, subscription)


def _check_accepts(request: web.Request) -> None:
    if not accepts(",".join(request.headers.getall("Accept", ())), MEDIA_TYPE):
        raise NotAcceptable(f"The Accept header does not name the only format that is offered: {MEDIA_TYPE}.")


async def _stream(request: web.Request, subscription: Subscription) -> web.StreamResponse:
    """The events after the last one that the client has got. The stream closes the subscription."""
    position = Position.parse(request.headers.get("Last-Event-ID", ""))
    try:
        first = await subscription.updates(after=position)
    except BaseException:
        subscription.close()
        raise
    if first.state.is_final and position == Position.end(first.state.version):
        # Browsers connect again after the end of a stream. This status stops them.
        subscription.close()
        return web.Response(status=204, headers={"Cache-Control": "no-store"})
    request[WAITS] = True
    return EventStream(
        subscription,
        first,
        position=position,
        check_caller=lambda: callers.caller_of(request, request[CALLER].limited_as),
    )
