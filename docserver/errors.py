"""All errors with their codes: request errors (HTTP status and problem) and document errors (of a job or a page)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar


class DocumentErrorCode(StrEnum):
    """Why a job or a page failed. This set is closed; `docs/errors.md` explains each to a user."""

    ENCRYPTED = "encrypted"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - the name of a fault
    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported"
    EMPTY = "empty"
    PAGE_OUT_OF_RANGE = "page_out_of_range"
    TOO_MANY_PAGES = "too_many_pages"
    TOO_MANY_PIXELS = "too_many_pixels"
    PAGE_TIMEOUT = "page_timeout"
    OUT_OF_MEMORY = "out_of_memory"
    ENGINE_CRASHED = "engine_crashed"
    STORAGE_MISSING = "storage_missing"
    QUOTA_EXCEEDED = "quota_exceeded"
    LOST = "lost"


RESOURCE_FAULTS = frozenset(
    {DocumentErrorCode.PAGE_TIMEOUT, DocumentErrorCode.OUT_OF_MEMORY, DocumentErrorCode.ENGINE_CRASHED}
)
"""Faults that may not occur again in another try at once."""

RETRYABLE = RESOURCE_FAULTS | {DocumentErrorCode.LOST, DocumentErrorCode.QUOTA_EXCEEDED}
"""Failures that may not occur again when the job is started again. All others are faults of the document itself, and
trying again cannot help."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a document or a page cannot be read: a result, never an exception. `message` is for people to read."""

    code: DocumentErrorCode
    message: str
    page: int | None = None

    @property
    def retryable(self) -> bool:
        """True if reading the same document again may succeed."""
        return self.code in RETRYABLE


STORAGE_MISSING = Failure(
    DocumentErrorCode.STORAGE_MISSING, "The document's file in the storage is missing or damaged; upload it again."
)
"""The failure of a document whose stored file is not there, or does not have the bytes of the upload."""


class ServiceError(Exception):
    """An error of a request; the web middleware turns it into problem+json (RFC 9457)."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """`errors` and `extra` become members of the problem.

        Each item of `errors` has a detail and one of pointer, parameter or header (RFC 9457).
        """
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = list(errors)
        self.extra = dict(extra or {})


class BadRequest(ServiceError):
    status, code, title = 400, "bad_request", "Malformed request"


class Unauthorized(ServiceError):
    """The request has no valid API key."""

    status, code, title = 401, "unauthorized", "An API key is needed"

    def __init__(self, detail: str, *, invalid: bool = False) -> None:
        """`invalid` if the request has a key, which is not valid (RFC 6750, 3)."""
        challenge = 'Bearer realm="docserver"' + (', error="invalid_token"' if invalid else "")
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class Forbidden(ServiceError):
    """The API key is valid, but must not do this."""

    status, code, title = 403, "insufficient_scope", "Not allowed with this API key"


class NotFound(ServiceError):
    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(ServiceError):
    status, code, title = 405, "method_not_allowed", "Method not allowed"


class NotAcceptable(ServiceError):
    status, code, title = 406, "not_acceptable", "No such format"


class RequestTimeout(ServiceError):
    status, code, title = 408, "request_timeout", "The request took too long to arrive"


class Conflict(ServiceError):
    status, code, title = 409, "conflict", "Not in this state"


class KeyInUse(Conflict):
    """A request with the same Idempotency-Key is carried out now."""

    code, title = "key_in_use", "A request with this key is still being carried out"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class ResultNotReady(Conflict):
    code, title = "not_ready", "The result is not ready"


class JobFailed(Conflict):
    code, title = "job_failed", "The job has no result"


class PageFailed(Conflict):
    code, title = "page_failed", "The page could not be read"


class Gone(ServiceError):
    status, code, title = 410, "deleted", "Deleted"


class PreconditionFailed(ServiceError):
    status, code, title = 412, "precondition_failed", "Another version"


class TooLarge(ServiceError):
    status, code, title = 413, "too_large", "The upload is too large"


class UnsupportedMedia(ServiceError):
    status, code, title = 415, "unsupported_media_type", "Not a supported type"


class RangeNotSatisfiable(ServiceError):
    status, code, title = 416, "range_not_satisfiable", "No such range"


class ExpectationFailed(ServiceError):
    status, code, title = 417, "expectation_failed", "Not a supported expectation"


class Misdirected(ServiceError):
    status, code, title = 421, "misdirected_request", "Not a host of this service"


class Unprocessable(ServiceError):
    status, code, title = 422, "invalid", "Understood, but not acceptable"


class KeyReused(Unprocessable):
    """Another request was sent with the same Idempotency-Key."""

    code, title = "key_reused", "The key belongs to another request"


class NotRenderable(ServiceError):
    status, code, title = 422, "not_renderable", "Not possible in this format"


class TooManyRequests(ServiceError):
    status, code, title = 429, "rate_limited", "Too many requests"


class QuotaExceeded(ServiceError):
    """A tenant would have more than one of its quotas allows."""

    status, code, title = 429, "quota_exceeded", "Over a quota"

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        """`retry_after_s` if waiting alone may help."""
        super().__init__(detail, headers={} if retry_after_s is None else {"Retry-After": str(retry_after_s)})


class Unavailable(ServiceError):
    status, code, title = 503, "unavailable", "Temporarily unavailable"


class Starting(Unavailable):
    code, title = "starting", "The service is starting"


class DatabaseUnavailable(Unavailable):
    """The database did not answer. If a commit fails with this error, it may or may not have taken place."""

    code = "database_unavailable"


class RedisUnavailable(Unavailable):
    """Redis did not answer; every caller can continue without Redis."""

    code = "redis_unavailable"


class StorageUnavailable(Unavailable):
    """The directory with the original files is not writable."""

    code = "storage_unavailable"


class SearchIncomplete(Unavailable):
    """The search index is being built, so a search would not find everything."""

    code, title = "search_index_incomplete", "The search index is being built"


class ListTooSlow(ServiceError):
    """A list took too long. This is no 503, because the same request would take as long again."""

    status, code, title = 504, "list_too_slow", "The list takes too long"


class StorageFull(ServiceError):
    status, code, title = 507, "storage_full", "No room to store the upload"
