"""Jobs as the cache has them, and a cache to have them in."""

from docserver.model import Status
from docserver.redis.cache import Cache, CachedJob, CacheEntry
from docserver.redis.client import Redis

TTL_S = 100


def cache_in(redis: Redis) -> Cache:
    return Cache(redis, ttl_s=TTL_S, max_result_bytes=1000)


def job(version: int, status: Status = Status.PENDING, body: bytes = b'{"a": "\xc3\xbc\\n"}') -> CachedJob:
    return CachedJob(version, status, body)


DONE = job(5, Status.COMPLETED)


def fresh(state: CachedJob, result: bytes | None) -> CacheEntry:
    """What a reader gets without a look at the database."""
    return CacheEntry(state, fresh=True, result=result)
