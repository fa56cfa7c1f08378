"""Examples for the OpenAPI document: keys, tenants, the audit log, webhooks, and the state of the service."""

from typing import Any

from docserver.web.batch_examples import BATCH
from docserver.web.examples import JOB_ID
from docserver.web.request_fields import EXAMPLE_SECRET

KEY_ID = "01a22954-aabf-7719-951e-0ff94a86df04"
UPLOAD_ID = "01a22954-fb0c-7e21-8d54-5f5d6a0c3b1e"
WEBHOOK_ID = "01a22954-f84b-761b-aee4-5405ab0fc3f0"
DELIVERY_ID = "01a22954-f9a7-7414-99a5-e0cf79c31de9"

_ACTOR = "key:01a22954-afaa-76d3-8f55-4c7f3521c17b"

UPLOAD_LINK: dict[str, Any] = {
    "upload_id": UPLOAD_ID,
    "method": "PUT",
    "url": f"https://bucket.example.org/docserver/uploads/{UPLOAD_ID}?X-Amz-Expires=3600&X-Amz-Signature=0a1b2c",
    "headers": {"Content-Length": "577"},
    "expires_at": "2026-11-29T23:02:43.258496Z",
    "links": {"complete": f"/v1/uploads/{UPLOAD_ID}/complete"},
}

NEW_KEY: dict[str, Any] = {
    "tenant": "acme",
    "name": "invoice archive",
    "scopes": ["read", "write"],
    "expires_in": 31536000,
}
KEY: dict[str, Any] = {
    "key_id": KEY_ID,
    "tenant": "acme",
    "name": "invoice archive",
    "prefix": "dsk_aD8bnWzR",
    "scopes": ["read", "write"],
    "created_at": "2026-11-29T22:02:24.319708Z",
    "expires_at": "2027-11-29T22:02:24.319708Z",
    "revoked_at": None,
}
KEY_WITH_SECRET: dict[str, Any] = {**KEY, "secret": "dsk_aD8bnWzRvfpnFcS4VGSvrqeL7RLnNsGnMYZFxCwU3E5g7M"}
KEYS: dict[str, Any] = {"items": [KEY], "next_cursor": None}

TENANT_CHANGE: dict[str, Any] = {"weight": 2, "pages_per_day": 5000, "max_bytes": 10737418240}
_TENANT: dict[str, Any] = {
    "name": "acme",
    "created_at": "2026-11-29T22:02:24.304506Z",
    "deleted_at": None,
    "weight": 2,
    "pages_per_day": 5000,
    "max_bytes": 10737418240,
    "max_unfinished_jobs": None,
    "max_connections": None,
}
TENANT: dict[str, Any] = {**_TENANT, "deletion": None}
TENANTS: dict[str, Any] = {"items": [_TENANT], "next_cursor": None}
DELETED_TENANT: dict[str, Any] = {
    **_TENANT,
    "deleted_at": "2026-11-29T22:09:31.104145Z",
    "deletion": {
        "actor": _ACTOR,
        "started_at": "2026-11-29T22:09:31.105147Z",
        "finished_at": None,
        "removed": {
            "documents": 128,
            "jobs": 131,
            "pages": 902,
            "bytes": 48210944,
            "keys": 1,
            "webhooks": 1,
            "deliveries": 128,
        },
    },
}
AUDIT_LOG: dict[str, Any] = {
    "items": [
        {
            "at": "2026-11-29T22:02:43.980138Z",
            "actor": _ACTOR,
            "action": "tenant.limited",
            "tenant": "acme",
            "subject": "acme",
            "details": TENANT_CHANGE,
        },
        {
            "at": "2026-11-29T22:02:24.321316Z",
            "actor": "command line",
            "action": "key.created",
            "tenant": "acme",
            "subject": KEY_ID,
            "details": {"prefix": "dsk_aD8bnWzR", "name": "invoice archive", "scopes": ["read", "write"]},
        },
    ],
    "next_cursor": None,
}

NEW_WEBHOOK: dict[str, Any] = {"url": "https://app.example.org/docserver", "events": ["job.completed", "job.failed"]}
WEBHOOK: dict[str, Any] = {
    "webhook_id": WEBHOOK_ID,
    **NEW_WEBHOOK,
    "created_at": "2026-11-29T22:02:44.177464Z",
    "failing_since": None,
    "disabled_at": None,
    "disabled_reason": None,
    "links": {"self": f"/v1/webhooks/{WEBHOOK_ID}", "deliveries": f"/v1/webhooks/{WEBHOOK_ID}/deliveries"},
}
WEBHOOK_WITH_SECRET: dict[str, Any] = {**WEBHOOK, "secret": EXAMPLE_SECRET}
WEBHOOKS: dict[str, Any] = {"items": [WEBHOOK]}
DELIVERY: dict[str, Any] = {
    "delivery_id": DELIVERY_ID,
    "webhook_id": WEBHOOK_ID,
    "job_id": str(JOB_ID),
    "batch_id": None,
    "type": "job.completed",
    "url": "https://app.example.org/docserver",
    "status": "delivered",
    "created_at": "2026-11-29T22:02:44.520019Z",
    "finished_at": "2026-11-29T22:02:50.611402Z",
    "next_attempt_at": None,
    "attempts": [
        {"ended_at": "2026-11-29T22:02:44.535955Z", "duration_ms": 3, "http_status": None, "fault": "connection"},
        {"ended_at": "2026-11-29T22:02:50.579106Z", "duration_ms": 48, "http_status": 204, "fault": None},
    ],
}
DELIVERIES: dict[str, Any] = {"items": [DELIVERY], "next_cursor": None}
REPLAYED: dict[str, Any] = {
    **DELIVERY,
    "status": "pending",
    "finished_at": None,
    "next_attempt_at": "2026-11-29T22:08:42.960235Z",
}

_OF_BATCH = {"job_id": None, "batch_id": BATCH["batch_id"], "type": "batch.completed"}
BATCH_DELIVERIES: dict[str, Any] = {"items": [{**DELIVERY, **_OF_BATCH}], "next_cursor": None}
BATCH_REPLAYED: dict[str, Any] = {**REPLAYED, **_OF_BATCH}

USAGE: dict[str, Any] = {
    "tenant": "acme",
    "pages_per_day": {"used": 2, "limit": 5000, "resets_at": "2026-11-30T00:00:00.000000Z"},
    "bytes": {"used": 577, "limit": 10737418240},
    "unfinished_jobs": {"used": 0, "limit": None},
    "connections": {"used": None, "limit": None},
}
LANGUAGES: dict[str, Any] = {
    "default": "eng",
    "installed": ["deu", "eng", "rus"],
    "auto": ["deu", "eng", "rus"],
}
_READY = {"status": "ok"}
HEALTHY: dict[str, Any] = {
    "status": "ok",
    "checks": {
        "mysql": _READY,
        "redis": _READY,
        "storage": _READY,
        "engine": _READY,
        "sandbox": {"status": "ok", "detail": "Landlock ABI 7, seccomp, tmpfs, cgroup"},
    },
}
UNHEALTHY: dict[str, Any] = {
    "status": "unavailable",
    "checks": {**HEALTHY["checks"], "mysql": {"status": "unavailable", "detail": "The database does not answer."}},
}
METRICS = """# HELP docserver_http_requests_total Requests that were answered, by the name of the route and by status.
# TYPE docserver_http_requests_total counter
docserver_http_requests_total{route="upload",status="202"} 1.0
"""
