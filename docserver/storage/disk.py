"""Runs operations on the disk in threads, and turns errors of the disk and of a bucket into errors of a request."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from docserver.errors import ServiceError, StorageFull, StorageUnavailable
from docserver.room import FULL
from docserver.storage import BucketError

RETRY_AFTER_S = 10
"""Retry-After when the disk fails. It is long because an operator has to repair the disk."""

log = logging.getLogger("docserver.storage")
T = TypeVar("T")


async def on_disk(act: Callable[..., T], *arguments: Any) -> T:
    """Run a disk operation in a thread; raises StorageFull and StorageUnavailable."""
    try:
        return await asyncio.to_thread(act, *arguments)
    except OSError as error:
        raise failed(error) from error


def failed(error: OSError) -> ServiceError:
    """The error of a request during which the disk failed. Logs what an operator has to repair."""
    if error.errno in FULL:
        return full()
    log.error("storage fault", extra={"number": error.errno}, exc_info=error)
    return unavailable()


def refusal(error: BucketError) -> ServiceError:
    """The error of a request that the bucket has failed."""
    return full() if error.errno in FULL else unavailable()


@contextmanager
def refusals() -> Iterator[None]:
    """Turn errors of a bucket and of the local disk into StorageFull and StorageUnavailable."""
    try:
        yield
    except BucketError as error:
        raise refusal(error) from error
    except OSError as error:
        raise failed(error) from error


def full() -> StorageFull:
    """The error of an upload that there is no room for."""
    return StorageFull("There is no room left to store uploads.")


def unavailable() -> StorageUnavailable:
    """The error of a request while the disk fails."""
    return StorageUnavailable(
        "The storage cannot be used now; try again soon.", headers={"Retry-After": str(RETRY_AFTER_S)}
    )
