"""What a bucket's answers mean: turns the errors of the library that reads and writes objects into OSErrors.

Their texts have no secret; the library's own have addresses and signatures.
"""

import errno
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError

from docserver.storage import BucketError, ObjectMissing

FULL_CODES = frozenset(
    {"EntityTooLarge", "InsufficientStorage", "AccountProblem", "XMinioStorageFull", "StorageCapExceeded"}
)
"""Error codes of S3 servers that mean that no more may be stored. Amazon's own buckets are never full."""

QUOTA_CODE = "QuotaExceeded"
"""What the codes of servers for a quota that is used up end with, such as ServiceQuotaExceeded."""

FULL_STATUSES = ("413", "507")
"""Swift, and proxies before a bucket, answer 413 if an object would be larger than a quota or a limit allows."""

WRONG_SCOPE = "AuthorizationHeaderMalformed"
"""The error code for a request that was signed for another region, or by a key that cannot be one."""

MISSING_OBJECT = frozenset({"NoSuchKey", "BlobNotFound"})
"""Error codes by which S3, Google and Azure say that there is no such object. A proxy answers 404 as well."""

MISSING_BUCKET = ("NoSuchBucket", "NoSuchContainer", "ContainerNotFound")
"""Error codes by which they say that there is no such bucket."""

NO_ANSWERS = {
    "InvalidContentType": "no answer by TLS: its address must begin with http:// and not with https://",
    "InvalidCertificate": "a certificate that is not trusted",
    "dns error": "no answer: the name of its host is unknown",
    "ConnectionRefused": "no answer: the connection is refused",
    "kind: Timeout": "no answer in time",
}
"""Words of the library's errors where there is no answer, with what they mean."""

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_NEEDS_TLS = re.compile(r"HTTP request (was sent )?to (an )?HTTPS (server|port)")
"""The answer of Go's servers, and of nginx, at a port that speaks TLS alone."""

log = logging.getLogger("docserver.storage")


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turn the library's errors, and its panics, into OSErrors."""
    try:
        yield
    except (FileNotFoundError, BaseError) as error:
        translation = _translation(operation, error)
    except BaseException as error:
        if not is_panic(error):
            raise
        translation = _fault(operation, "a panic of the library, which cannot use a value", errno.EINVAL)
    else:
        return
    raise translation from None


def is_panic(error: BaseException) -> bool:
    """True if the library gave up. The class is no Exception, and cannot be imported."""
    return type(error).__name__ == "PanicException"


def is_settings_fault(error: BucketError) -> bool:
    """True if no request will succeed before the settings, the bucket, or its rights are corrected."""
    return error.errno in (errno.EACCES, errno.ENXIO, errno.EINVAL, errno.EPROTO)


def _translation(operation: str, error: BaseException) -> OSError:
    number = _number(error)
    if number != errno.ENOSPC and isinstance(error, AlreadyExistsError):
        return FileExistsError(errno.EEXIST, "object exists")
    if _code(str(error)) in MISSING_OBJECT and isinstance(error, FileNotFoundError):
        return ObjectMissing(errno.ENOENT, "no such object")
    return _fault(operation, _kind(error), number)


def _fault(operation: str, kind: str, number: int) -> BucketError:
    if number not in (errno.EOPNOTSUPP, errno.ERANGE):
        log.warning("bucket does not do what it is asked for", extra={"operation": operation, "fault": kind})
    return BucketError(number, f"the bucket answers a request ({operation}) with {kind}")


def _code(text: str) -> str:
    """The code of an error that a bucket has answered with, or nothing."""
    match = _CODE.search(text)
    return match[1] if match else ""


def _kind(error: BaseException) -> str:
    """What of an error may be shown: its code and status, or else why there is none, or its class."""
    text = str(error)
    parts = [match[1] for match in (_STATUS.search(text), _CODE.search(text)) if match]
    if _NEEDS_TLS.search(text):
        parts.append("(its address must begin with https:// and not with http://)")
    if _code(text) == WRONG_SCOPE:
        parts.append("(its region, or the key's id, is another one)")
    if parts:
        return " ".join(parts)
    if "HTTP error" not in text:
        return type(error).__name__
    return next((meaning for words, meaning in NO_ANSWERS.items() if words in text), "no answer")


def _number(error: BaseException) -> int:
    text, (status, _, code) = str(error), _kind(error).partition(" ")
    # Ceph answers with 403 when a quota is used up, as if a right was missing.
    if status in FULL_STATUSES or code in FULL_CODES or code.endswith(QUOTA_CODE):
        return errno.ENOSPC
    if _NEEDS_TLS.search(text) or "InvalidContentType" in text or _code(text) == WRONG_SCOPE:
        return errno.EPROTO
    if status == "501":
        return errno.EOPNOTSUPP
    if any(missing in text for missing in MISSING_BUCKET):
        return errno.ENXIO
    if status in ("401", "403") or isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        return errno.EACCES
    return errno.ERANGE if (status, code) == ("416", "InvalidRange") else errno.EIO
