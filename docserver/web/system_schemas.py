"""The shapes of JSON responses about the service itself, for the OpenAPI document: health, languages and quotas."""

from marshmallow import Schema, fields

from docserver.web.response_schemas import COUNT


class Check(Schema):
    """The state of one part of the service."""

    status = fields.String(required=True, metadata={"description": "ok, or what is wrong."})
    detail = fields.String(metadata={"description": "More about the state, for people."})


class Health(Schema):
    """The state of the service and of its parts."""

    status = fields.String(
        required=True,
        metadata={
            "enum": ["ok", "degraded", "unavailable", "starting"],
            "description": "degraded: the service works, but not as well as it should.",
        },
    )
    checks = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(Check, metadata={"description": "The part's state."}),
        metadata={"description": "The state of each part, by its name."},
    )


class Languages(Schema):
    """The languages that a client can choose, and the default."""

    default = fields.String(required=True, metadata={"description": "What is used if an upload names no languages."})
    installed = fields.List(
        fields.String(), required=True, metadata={"description": "The languages that an upload may name."}
    )
    auto = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The languages that languages=auto chooses from."},
    )


class Quota(Schema):
    """What a tenant has used of a quota."""

    used = fields.Integer(required=True, metadata={**COUNT, "description": "What is used."})
    limit = fields.Integer(
        required=True, allow_none=True, metadata={**COUNT, "description": "null if there is no limit."}
    )


class DailyQuota(Quota):
    """What a tenant has used of a quota since the last midnight (UTC)."""

    resets_at = fields.DateTime(required=True, metadata={"description": "The next midnight (UTC)."})


class ConnectionQuota(Quota):
    """How many requests of a tenant are being answered."""

    used = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            **COUNT,
            "description": "With this request. Counted only where there is a limit, else null.",
        },
    )


class Usage(Schema):
    """What a tenant has used of its quotas."""

    tenant = fields.String(required=True, metadata={"description": "The tenant's name."})
    pages_per_day = fields.Nested(DailyQuota, required=True, metadata={"description": "Pages that are read on a day."})
    bytes = fields.Nested(Quota, required=True, metadata={"description": "Bytes of files that are kept."})
    unfinished_jobs = fields.Nested(Quota, required=True, metadata={"description": "Jobs that have not ended."})
    connections = fields.Nested(
        ConnectionQuota, required=True, metadata={"description": "Requests that are answered at the same time."}
    )
