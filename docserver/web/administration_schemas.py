"""Marshmallow schemas for keys, tenants and the audit log: of requests first, then of responses."""

import re

from marshmallow import Schema, ValidationError, fields, validate

from docserver.caller import Scope
from docserver.database.tables.audit_log import Action
from docserver.setting_types import MAX_QUOTA, MAX_WEIGHT
from docserver.tenants.administration import (
    GRACE_S,
    MAX_KEY_NAME,
    MAX_KEY_S,
    TENANT_NAME,
    TENANT_NAME_RULE,
    is_tenant_name,
)
from docserver.web.request_fields import Parsed, id_cursor
from docserver.web.response_schemas import COUNT, next_cursor_field
from docserver.web.validation import Strict

_NUMBER = re.compile("[0-9]{1,18}", re.ASCII)

_KEY_EXPIRES = "Seconds for which the new key is valid. Without it, the key does not expire."

TENANT = f"^{TENANT_NAME.pattern}$"
"""The form of a tenant's name, for the OpenAPI document."""

MAX_LISTED = 1000
"""Most keys, tenants or entries of the audit log in one response. They are small."""


def tenant_name(text: str) -> str:
    """The name of a tenant."""
    if not is_tenant_name(text):
        raise ValidationError(f"{TENANT_NAME_RULE}.")
    return text


def parse_number_cursor(text: str) -> int:
    """The number of the last item of the previous response."""
    if not _NUMBER.fullmatch(text):
        raise ValidationError("Not a cursor of this service.")
    return int(text)


class NewKey(Strict):
    """A key to be made."""

    tenant = fields.String(
        required=True,
        metadata={"pattern": TENANT, "description": "Whose key it is; made if there is none of this name."},
    )
    name = fields.String(
        load_default="", validate=validate.Length(max=MAX_KEY_NAME), metadata={"description": "What it is for."}
    )
    scopes = fields.List(
        fields.Enum(Scope, by_value=fields.String),
        load_default=lambda: [Scope.READ, Scope.WRITE],
        validate=validate.Length(min=1, max=len(Scope)),
        metadata={"description": "What it may do. Default: read and write."},
    )
    expires_in = fields.Integer(
        strict=True, validate=validate.Range(min=1, max=MAX_KEY_S), metadata={"description": _KEY_EXPIRES}
    )


class Rotation(Strict):
    """How a key is replaced."""

    grace = fields.Integer(
        strict=True,
        load_default=GRACE_S,
        validate=validate.Range(min=0, max=MAX_KEY_S),
        metadata={"description": "Seconds for which the old key stays valid."},
    )
    expires_in = fields.Integer(
        strict=True, validate=validate.Range(min=1, max=MAX_KEY_S), metadata={"description": _KEY_EXPIRES}
    )


_WEIGHT = "Turns in a row when slots serve tenants."
_PAGES_PER_DAY = "Most pages that are read on a day (UTC)."
_MAX_BYTES = "Most bytes of files that are kept."
_MAX_UNFINISHED_JOBS = "Most jobs that have not ended."
_MAX_CONNECTIONS = "Most requests that are answered at the same time."


def _quota(meaning: str) -> fields.Integer:
    return fields.Integer(
        strict=True,
        allow_none=True,
        validate=validate.Range(min=0, max=MAX_QUOTA),
        metadata={"description": f"{meaning} null: the default of the settings."},
    )


class TenantChange(Strict):
    """What can be set of a tenant. What is not given stays as it is."""

    weight = fields.Integer(
        strict=True,
        validate=validate.Range(min=1, max=MAX_WEIGHT),
        metadata={"description": f"{_WEIGHT} A new tenant has 1."},
    )
    pages_per_day = _quota(_PAGES_PER_DAY)
    max_bytes = _quota(_MAX_BYTES)
    max_unfinished_jobs = _quota(_MAX_UNFINISHED_JOBS)
    max_connections = _quota(_MAX_CONNECTIONS)


class _Part(Strict):
    limit = fields.Integer(
        load_default=100,
        validate=validate.Range(min=1, max=MAX_LISTED),
        metadata={"description": "The most items of a part.", "examples": [100]},
    )


class TenantsQuery(_Part):
    cursor = Parsed(
        tenant_name, description="`next_cursor` of the previous response.", pattern=TENANT, examples=["acme"]
    )


class KeysQuery(_Part):
    tenant = Parsed(tenant_name, description="Only this tenant's.", pattern=TENANT, examples=["acme"])
    cursor = id_cursor()


class AuditQuery(_Part):
    tenant = Parsed(tenant_name, description="Only what concerns this tenant.", pattern=TENANT, examples=["acme"])
    cursor = Parsed(
        parse_number_cursor,
        description="`next_cursor` of the previous response.",
        pattern=f"^{_NUMBER.pattern}$",
        examples=["4711"],
    )


class Key(Schema):
    """An API key, without its secret."""

    key_id = fields.UUID(required=True, metadata={"description": "The key's id."})
    tenant = fields.String(required=True, metadata={"description": "Whose key it is."})
    name = fields.String(required=True, metadata={"description": "What it is for."})
    prefix = fields.String(required=True, metadata={"description": "The first characters of the secret."})
    scopes = fields.List(
        fields.String(metadata={"enum": list(Scope)}), required=True, metadata={"description": "What it may do."}
    )
    created_at = fields.DateTime(required=True, metadata={"description": "When it was made."})
    expires_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "Until when it is valid; null: for ever."}
    )
    revoked_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When it was revoked; null if it was not."}
    )


class KeyWithSecret(Key):
    """A new API key."""

    secret = fields.String(required=True, metadata={"description": "The key itself. It cannot be shown again."})


class KeyList(Schema):
    """A part of the list of keys."""

    items = fields.List(fields.Nested(Key), required=True, metadata={"description": "The keys, oldest first."})
    next_cursor = next_cursor_field()


def _set_quota(meaning: str) -> fields.Integer:
    return fields.Integer(
        required=True,
        allow_none=True,
        metadata={**COUNT, "description": f"{meaning} null: the default of the settings."},
    )


class Tenant(Schema):
    """A tenant, perhaps deleted."""

    name = fields.String(required=True, metadata={"description": "The tenant's name."})
    created_at = fields.DateTime(required=True, metadata={"description": "When it was made."})
    deleted_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When it was deleted; null if it was not."}
    )
    weight = fields.Integer(required=True, metadata={"minimum": 1, "description": _WEIGHT})
    pages_per_day = _set_quota(_PAGES_PER_DAY)
    max_bytes = _set_quota(_MAX_BYTES)
    max_unfinished_jobs = _set_quota(_MAX_UNFINISHED_JOBS)
    max_connections = _set_quota(_MAX_CONNECTIONS)


class Removed(Schema):
    """What a deletion has removed so far."""

    documents = fields.Integer(required=True, metadata={**COUNT, "description": "Documents with all they have."})
    jobs = fields.Integer(required=True, metadata={**COUNT, "description": "Jobs of these documents."})
    pages = fields.Integer(required=True, metadata={**COUNT, "description": "Pages that were read."})
    bytes = fields.Integer(required=True, metadata={**COUNT, "description": "The sizes of the original files."})
    keys = fields.Integer(required=True, metadata={**COUNT, "description": "API keys."})
    webhooks = fields.Integer(required=True, metadata={**COUNT, "description": "Callbacks of uploads too."})
    deliveries = fields.Integer(required=True, metadata={**COUNT, "description": "Those to the webhooks."})


class Deletion(Schema):
    """The receipt of a deleted tenant."""

    actor = fields.String(required=True, metadata={"description": "Who deleted it."})
    started_at = fields.DateTime(required=True, metadata={"description": "When the deletion began."})
    finished_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "null while something is left."}
    )
    removed = fields.Nested(Removed, required=True, metadata={"description": "What is removed so far."})


class TenantWithDeletion(Tenant):
    """A tenant, and the receipt of its deletion."""

    deletion = fields.Nested(
        Deletion,
        required=True,
        allow_none=True,
        metadata={"description": "The receipt of its deletion; null if it is not deleted."},
    )


class TenantList(Schema):
    """A part of the list of tenants."""

    items = fields.List(fields.Nested(Tenant), required=True, metadata={"description": "The tenants by name."})
    next_cursor = next_cursor_field()


class AuditEntry(Schema):
    """What somebody did."""

    at = fields.DateTime(required=True, metadata={"description": "When it was done."})
    actor = fields.String(required=True, metadata={"description": "`key:` and an id, an address, or `command line`."})
    action = fields.String(required=True, metadata={"enum": list(Action), "description": "What was done."})
    tenant = fields.String(required=True, metadata={"description": "Whose key or document it is."})
    subject = fields.String(required=True, metadata={"description": "The id of the key or document, or the tenant."})
    details = fields.Dict(required=True, metadata={"description": "More about it; its members depend on the action."})


class AuditLog(Schema):
    """A part of the audit log."""

    items = fields.List(
        fields.Nested(AuditEntry), required=True, metadata={"description": "The entries, latest first."}
    )
    next_cursor = next_cursor_field()
