"""The names that enumerations have in the OpenAPI document, so that generated clients have one type for each."""

from collections.abc import Mapping, Sequence
from typing import Any

from docserver.caller import Scope
from docserver.database.tables.audit_log import Action
from docserver.documents.inspection import UNITS
from docserver.documents.page_images import IMAGE_FORMATS
from docserver.elements import BARCODE_KINDS, SELECTION_STATES
from docserver.errors import DocumentErrorCode
from docserver.formats import FORMATS
from docserver.job_history import Outcome, Step
from docserver.layout import EngineName
from docserver.model import Source, Status
from docserver.reading_options import EngineChoice, Mode, Rotate
from docserver.sniff import SUPPORTED
from docserver.webhook_types import CHOOSABLE_EVENTS, DeliveryStatus, DisabledReason, EventType, Fault

ENUMERATIONS: Mapping[str, tuple[Sequence[str], str]] = {
    "JobStatus": (list(Status), "Where a job stands. The last three are final."),
    "FailureCode": (list(DocumentErrorCode), "Why a job or page failed; docs/errors.md explains each."),
    "BatchStatus": (["receiving", "processing", "completed"], "Where a batch stands."),
    "HistoryStep": (list(Step), "A part of a job's work that has an outcome of its own."),
    "HistoryOutcome": (list(Outcome), "How a step ended; lost: its worker disappeared."),
    "ReadingMode": (list(Mode), "Where the text of a PDF's pages comes from."),
    "RotateMode": (list(Rotate), "Whether pages are turned upright."),
    "EngineChoice": (list(EngineChoice), "The engines that read pictures of pages."),
    "EngineName": (list(EngineName), "An engine that reads pictures of pages."),
    "PageSource": (list(Source), "Where a page's words come from."),
    "BlockSource": ([Source.OCR, Source.TEXT_LAYER], "Where a block's words come from."),
    "BarcodeKind": (list(BARCODE_KINDS), "The kind of a barcode."),
    "SelectionState": (list(SELECTION_STATES), "Whether a box of a form is marked."),
    "ResultFormat": (sorted(FORMATS), "The format of a result; docs/formats.md describes each."),
    "ImageFormat": (IMAGE_FORMATS, "The format of the picture of a page."),
    "Highlight": (["words"], "What the picture of a page marks."),
    "DocumentType": (list(SUPPORTED), "The media types that a document may have."),
    "SizeUnit": (list(UNITS), "What the size of a page is measured in."),
    "DocumentSort": (["created_at_desc", "created_at_asc"], "The order of documents: the latest or the oldest first."),
    "TotalRelation": (["exact", "at_least"], "Whether all were counted."),
    "HealthStatus": (["ok", "degraded", "unavailable", "starting"], "How well the service works."),
    "Scope": (list(Scope), "What a key may do."),
    "AuditAction": (list(Action), "What was done."),
    "WebhookEvent": (list(CHOOSABLE_EVENTS), "The events that a webhook can get."),
    "DeliveryType": (list(EventType), "What a delivery tells."),
    "DeliveryStatus": (list(DeliveryStatus), "Where a delivery stands."),
    "DeliveryFault": (list(Fault), "Why an attempt got no answer; docs/webhooks.md explains each."),
    "DisabledReason": (list(DisabledReason), "Why a webhook gets no more events."),
}
"""Name → values and description. No two have the same values."""

_NAMES = {tuple(values): name for name, (values, _) in ENUMERATIONS.items()}


def named(part: Any) -> Any:
    """The same part of an OpenAPI 3.1 document, with references in place of enumerations."""
    if isinstance(part, list):
        return [named(item) for item in part]
    if not isinstance(part, dict):
        return part
    if not isinstance(part.get("enum"), list):
        return {key: named(value) for key, value in part.items()}
    rest = {key: value for key, value in part.items() if key not in ("enum", "type")}
    reference = {"$ref": f"#/components/schemas/{_NAMES[tuple(part['enum'])]}"}
    return {**rest, "anyOf": [reference, {"type": "null"}]} if "null" in part["type"] else {**rest, **reference}


def components() -> dict[str, Any]:
    """The enumerations as schemas."""
    return {
        name: {"type": "string", "enum": list(values), "description": description}
        for name, (values, description) in ENUMERATIONS.items()
    }
