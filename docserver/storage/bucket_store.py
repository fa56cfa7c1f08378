"""Opens a bucket by the library that reads and writes objects, with bounds for each request."""

import re
from contextlib import suppress
from datetime import timedelta
from typing import Any

from obstore.exceptions import BaseError
from obstore.store import from_url

from docserver.settings import SettingsError, variable
from docserver.storage.bucket_faults import is_panic
from docserver.storage.bucket_url import BucketUrl

RETRIES = 5
"""Most repetitions of a request that the bucket has refused for now (503 SlowDown) or not answered."""

CONNECT_S = 5.0
"""Longest wait for a connection. Servers that are there answer within a fraction of a second."""

_UNKNOWN = re.compile(r"Configuration key: '(\w{1,60})' is not valid")


def open_store(url: BucketUrl, *, timeout_s: float) -> Any:
    """The library's store; raises SettingsError."""
    try:
        return _store(url.place, url.config, allow_http=url.allow_http, timeout_s=timeout_s)
    except BaseException as error:
        if not (isinstance(error, (BaseError, ValueError)) or is_panic(error)):
            raise
        # The library's message may have a key.
        unknown = _UNKNOWN.search(str(error))
    if unknown:
        raise SettingsError(f"{variable('storage_url')} has an unknown parameter {unknown[1]}")
    for name in url.config:
        rest = {other: value for other, value in url.config.items() if other != name}
        with suppress(BaseError, ValueError):
            _store(url.place, rest, allow_http=url.allow_http, timeout_s=timeout_s)
            raise url.refusal(name, f"{url.scheme}:// does not take its value")
    raise SettingsError(f"{variable('storage_url')} has parameters whose values {url.scheme}:// does not take")


def _store(place: str, config: dict[str, str], *, allow_http: bool, timeout_s: float) -> Any:
    # A request is repeated for half the time; the last repetition may take the other half.
    half = timedelta(seconds=timeout_s / 2)
    any_store: Any = from_url
    return any_store(
        place,
        config=config,
        client_options={
            "allow_http": allow_http,
            "timeout": half,
            "connect_timeout": min(half, timedelta(seconds=CONNECT_S)),
        },
        retry_config={"max_retries": RETRIES, "retry_timeout": half},
    )
