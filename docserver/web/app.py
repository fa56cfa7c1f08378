"""The application: all routes and middlewares."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import hdrs, web

from docserver import tracing
from docserver.documents.batch_events import BatchFeed
from docserver.documents.events import Feed
from docserver.resources import Resources
from docserver.tenants.authentication import Authentication
from docserver.tenants.connections import ConnectionQuotas
from docserver.web import cors, documentation, scraping
from docserver.web.callers import AUTHENTICATION
from docserver.web.deadlines import Deadlines
from docserver.web.handlers import (
    administration,
    batches,
    deliveries,
    documents,
    events,
    inspection,
    jobs,
    link_uploads,
    page_images,
    results,
    search,
    system,
    uploads,
    usage,
    webhooks,
)
from docserver.web.idempotency import answer_once
from docserver.web.keys import CONNECTIONS, DEADLINES, RESOURCES
from docserver.web.middleware import admit, deadline, errors_as_problems
from docserver.web.refusals import REFUSALS, Refusals
from docserver.web.traces import traced

FORM_BYTES = 1 << 20
"""Largest body of any request except an upload; uploads are streamed and have a limit of their own."""

DOCUMENT = "/v1/documents/{document_id:[0-9A-Fa-f-]{36}}"
UPLOAD = "/v1/uploads/{upload_id:[0-9A-Fa-f-]{36}}"
JOB = "/v1/jobs/{job_id:[0-9A-Fa-f-]{36}}"
BATCH = "/v1/batches/{batch_id:[0-9A-Fa-f-]{36}}"
KEY = "/v1/keys/{key_id:[0-9A-Fa-f-]{36}}"
WEBHOOK = "/v1/webhooks/{webhook_id:[0-9A-Fa-f-]{36}}"
"""The patterns match only text that may be an id. So `list-document` is never taken for an id, and a request to it with
a wrong method gets 405."""

NAMED_FILE = "/v1/documents/{name:(?![0-9A-Fa-f-]{36}$|list-document$|search$|upload-document$|inspect$)[^/]*}"
"""`curl -T` adds the file's name to a URL that ends with a slash. An id is no name here: a PUT that would replace a
document gets 405."""

TENANT = "/v1/tenants/{tenant}"


class PutAlone(web.DynamicResource):
    """An address that exists for PUT alone, and for OPTIONS: other methods get 404, not 405."""

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        found, methods = await super().resolve(request)
        return found, methods if request.method == hdrs.METH_OPTIONS else set()


def make_app(resources: Resources) -> web.Application:
    """Make the application. It uses these resources, and the caller closes them."""
    middlewares = [errors_as_problems, admit, deadline, answer_once]
    if tracing.is_on():
        middlewares.insert(0, traced)
    app = web.Application(middlewares=middlewares, client_max_size=FORM_BYTES)
    app[RESOURCES] = resources
    app[REFUSALS] = Refusals()
    app[AUTHENTICATION] = Authentication(resources)
    app[CONNECTIONS] = ConnectionQuotas(resources)
    app[DEADLINES] = Deadlines()
    app.cleanup_ctx.append(_connection_quotas)
    app[system.READINESS] = system.Readiness(resources)
    app[scraping.SCRAPER] = scraping.Scraper(resources)
    app[events.FEED], app[events.BATCH_FEED] = Feed(resources), BatchFeed(resources)
    app.cleanup_ctx.append(_feeds)
    app.on_shutdown.append(_close_feeds)
    if resources.settings.cors_origins:
        app.on_response_prepare.append(cors.add_headers)
    router = app.router
    _add_uploads(router)
    router.add_post("/v1/documents/inspect", inspection.inspect_document, name="inspect")
    router.add_post("/v1/uploads", link_uploads.begin_upload, name="begin-upload")
    router.add_post(f"{UPLOAD}/complete", link_uploads.complete_upload, name="complete-upload")
    router.add_post("/v1/batches", batches.create_batch, name="create-batch")
    router.add_get(BATCH, batches.get_batch, name="batch")
    router.add_get(f"{BATCH}/events", events.get_batch_events, name="batch-events")
    router.add_get("/v1/documents/list-document", documents.list_documents, name="list")
    router.add_get("/v1/documents/search", search.search_documents, name="search")
    router.add_get(DOCUMENT, documents.get_document, name="document")
    router.add_delete(DOCUMENT, documents.delete_document, name="delete")
    router.add_get(f"{DOCUMENT}/file", documents.get_file, name="file")
    router.add_post(f"{DOCUMENT}/jobs", jobs.create_job, name="create-job")
    # Patterns are tried in this order, so what is asked for most often comes first.
    router.add_get(JOB, jobs.get_job, name="job")
    router.add_get(f"{JOB}/result", results.get_result, name="result")
    router.add_get(f"{JOB}/events", events.get_events, name="events")
    router.add_post(f"{JOB}/cancel", jobs.cancel_job, name="cancel")
    router.add_post(f"{JOB}/retry", jobs.retry_job, name="retry")
    router.add_get(f"{JOB}/pages/{{number:\\d+}}", results.get_page, name="page")
    router.add_get(f"{JOB}/pages/{{number:\\d+}}/image", page_images.get_page_image, name="page-image")
    _add_administration(router)
    _add_webhooks(router)
    router.add_get("/v1/usage", usage.get_usage, name="usage")
    router.add_get("/v1/languages", system.get_languages, name="languages")
    router.add_get("/livez", system.get_liveness, name="livez")
    router.add_get("/readyz", system.get_readiness, name="readyz")
    router.add_get("/metrics", scraping.get_metrics, name="metrics")
    documentation.set_up(app)
    return app


def _add_uploads(router: web.UrlDispatcher) -> None:
    router.add_post("/v1/documents/upload-document", uploads.upload_document, name="upload")
    router.add_post("/v1/documents", uploads.post_document, name="upload-body")
    router.add_put("/v1/documents", uploads.put_document, name="put-body")
    resource = PutAlone(NAMED_FILE, name="put-named")
    router.register_resource(resource)
    resource.add_route("PUT", uploads.put_named_document)


def _add_administration(router: web.UrlDispatcher) -> None:
    router.add_get("/v1/keys", administration.list_keys, name="keys")
    router.add_post("/v1/keys", administration.create_key, name="create-key")
    router.add_delete(KEY, administration.revoke_key, name="revoke-key")
    router.add_post(f"{KEY}/rotate", administration.rotate_key, name="rotate-key")
    router.add_get("/v1/tenants", administration.list_tenants, name="tenants")
    router.add_get(TENANT, administration.get_tenant, name="tenant")
    router.add_put(TENANT, administration.set_tenant, name="set-tenant")
    router.add_delete(TENANT, administration.delete_tenant, name="delete-tenant")
    router.add_get("/v1/audit", administration.get_audit_log, name="audit")


def _add_webhooks(router: web.UrlDispatcher) -> None:
    router.add_get(f"{JOB}/deliveries", deliveries.list_job_deliveries, name="deliveries")
    router.add_post(
        f"{JOB}/deliveries/{{delivery_id:[0-9A-Fa-f-]{{36}}}}/replay", deliveries.replay_delivery, name="replay"
    )
    router.add_get(f"{BATCH}/deliveries", deliveries.list_batch_deliveries, name="batch-deliveries")
    router.add_post(
        f"{BATCH}/deliveries/{{delivery_id:[0-9A-Fa-f-]{{36}}}}/replay",
        deliveries.replay_batch_delivery,
        name="replay-of-batch",
    )
    router.add_get("/v1/webhooks", webhooks.list_webhooks, name="webhooks")
    router.add_post("/v1/webhooks", webhooks.create_webhook, name="create-webhook")
    router.add_get(WEBHOOK, webhooks.get_webhook, name="webhook")
    router.add_delete(WEBHOOK, webhooks.delete_webhook, name="delete-webhook")
    router.add_get(f"{WEBHOOK}/deliveries", deliveries.list_webhook_deliveries, name="webhook-deliveries")
    router.add_post(f"{WEBHOOK}/test", webhooks.test_webhook, name="test-webhook")
    router.add_post(f"{WEBHOOK}/rotate", webhooks.rotate_webhook_secret, name="rotate-webhook")
    router.add_post(f"{WEBHOOK}/enable", webhooks.enable_webhook, name="enable-webhook")


async def _feeds(app: web.Application) -> AsyncIterator[None]:
    async with app[events.FEED].running(), app[events.BATCH_FEED].running():
        yield


async def _close_feeds(app: web.Application) -> None:
    app[events.FEED].close()
    app[events.BATCH_FEED].close()


async def _connection_quotas(app: web.Application) -> AsyncIterator[None]:
    running = asyncio.create_task(app[CONNECTIONS].run())
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
