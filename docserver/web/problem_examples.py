"""Examples of problems for the OpenAPI document: errors as the service raises them, by their codes."""

from collections.abc import Mapping
from typing import Any

from docserver import errors
from docserver.errors import DocumentErrorCode, Failure, ServiceError
from docserver.model import failure_json
from docserver.web import examples, problems

_REQUEST_ID = "01a22954-f49b-714d-921b-1dfe61c5ce9b"

_UPLOAD = "/v1/documents/upload-document"
_LIST = "/v1/documents/list-document"
_JOB = f"/v1/jobs/{examples.JOB_ID}"
_RESULT = f"{_JOB}/result"
_DOCUMENT = f"/v1/documents/{examples.DOCUMENT_ID}"
_FILE = f"{_DOCUMENT}/file"

_LIMIT = "Must be greater than or equal to 1 and less than or equal to 100."
_ENCRYPTED = failure_json(examples.ENCRYPTED)
_TIMEOUT = failure_json(Failure(DocumentErrorCode.PAGE_TIMEOUT, "Reading the page took longer than 120 s.", page=1))

_GENERAL: tuple[tuple[ServiceError, str], ...] = (
    (errors.BadRequest("The multipart body is malformed: Unexpected end of input."), _UPLOAD),
    (errors.Unauthorized("Send an API key, as in Authorization: Bearer dsk_…, or as X-API-Key."), _LIST),
    (errors.Forbidden("The API key has the scopes read; this needs write."), _UPLOAD),
    (errors.NotFound("There is no such job."), _JOB),
    (errors.NotAcceptable("The Accept header names no format that is offered: text/plain, application/json."), _RESULT),
    (errors.RequestTimeout("The upload stopped or was too slow; bytes received: 65536."), _UPLOAD),
    (errors.Conflict("The job is completed already."), f"{_JOB}/cancel"),
    (errors.Gone("The document was deleted."), _DOCUMENT),
    (errors.PreconditionFailed("The file is not the version that the request names."), _FILE),
    (errors.TooLarge("The upload is larger than the 200 MB that are accepted."), _UPLOAD),
    (errors.UnsupportedMedia("Send the document as multipart/form-data with a part named file."), _UPLOAD),
    (errors.RangeNotSatisfiable("The size of the file is 577 bytes."), _FILE),
    (errors.ExpectationFailed("The only supported Expect is 100-continue."), _UPLOAD),
    (errors.Misdirected("The service does not answer to this host name; see DOCSERVER_ALLOWED_HOSTS."), _LIST),
    (errors.Unprocessable(f"limit: {_LIMIT}", errors=[{"detail": _LIMIT, "parameter": "limit"}]), _LIST),
    (errors.TooManyRequests("The limit of requests is 60 in 60 s; wait 1 s."), _UPLOAD),
    (errors.QuotaExceeded("Pages to be read: 12. Left of today's quota (UTC): 3 of 5000."), _UPLOAD),
    (problems.InternalError(), _LIST),
    (errors.DatabaseUnavailable("The database does not answer; try again soon."), _JOB),
    (errors.ListTooSlow("The list took too long to make; narrow it by date_from and date_to."), _LIST),
    (errors.StorageFull("There is no room left to store uploads."), _UPLOAD),
)

_PARTICULAR: tuple[tuple[ServiceError, str], ...] = (
    (
        errors.KeyInUse(
            "Another request with this Idempotency-Key is still being received or answered; try again soon."
        ),
        _UPLOAD,
    ),
    (errors.ResultNotReady("The job is processing; ask again when it is completed."), _RESULT),
    (
        errors.SearchIncomplete(
            "The search index is being built, from all pages that were read; search again when it is complete.",
            extra={"progress": 0.4},
        ),
        "/v1/documents/search",
    ),
    (
        errors.JobFailed(
            "The job is failed with encrypted; job_error has the details.", extra={"job_error": _ENCRYPTED}
        ),
        _RESULT,
    ),
    (errors.PageFailed(_TIMEOUT["message"], extra={"job_error": _TIMEOUT}), f"{_JOB}/pages/1"),
    (errors.KeyReused("The Idempotency-Key was sent with another request; send each with a key of its own."), _UPLOAD),
    (errors.NotRenderable(_ENCRYPTED["message"], extra={"job_error": _ENCRYPTED}), _RESULT),
)
"""Of few operations, which name their codes."""

COMPONENTS: Mapping[str, Mapping[str, Any]] = {
    error.code: {
        "summary": error.title,
        "value": problems.as_json(error, instance=instance, request_id=_REQUEST_ID),
    }
    for error, instance in (*_GENERAL, *_PARTICULAR)
}
"""Code → example, as components of the document."""

BY_STATUS: Mapping[int, tuple[str, ...]] = {
    status: tuple(error.code for error, _ in _GENERAL if error.status == status)
    for status in {error.status for error, _ in _GENERAL}
}
"""Status → the codes that it has in any operation."""
