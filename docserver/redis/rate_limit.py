"""The token buckets of clients. They are in Redis for all processes; while Redis does not answer, they are local."""

import math
import time
from collections import OrderedDict
from typing import NamedTuple

from docserver.errors import RedisUnavailable
from docserver.redis.client import Key, Redis
from docserver.redis.node import Script
from docserver.setting_types import Rate

LOCAL_CLIENTS = 10_000
"""Most local buckets, to limit the memory. If there are more, the least recently used one is dropped, and its client
gets a full bucket again."""

_token_bucket = Script.load("token_bucket")


# A tuple, because each request makes one: a dataclass takes five times as long.
class Verdict(NamedTuple):
    """The decision whether a request is allowed, and the state of the bucket."""

    allowed: bool
    remaining: int
    """Whole tokens left."""
    reset_s: int
    """Seconds until the next whole token."""
    retry_after_s: int
    """Seconds until this request could be allowed."""


class Limiter:
    """Takes tokens from the bucket of a client; never raises."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._local: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    async def take(self, *, bucket: str, client: str, rate: Rate, cost: int) -> Verdict:
        """Take `cost` tokens if the client has them. A cost below 0 gives tokens back."""
        try:
            reply = await self._redis.run(
                _token_bucket, keys=[bucket_key(bucket, client)], args=[rate.quota, rate.window_s, cost]
            )
        except RedisUnavailable:
            return self._take_locally((bucket, client), rate=rate, cost=cost)
        taken, remaining, reset_ms, retry_ms = map(int, reply)
        return Verdict(bool(taken), remaining, -(-reset_ms // 1000), -(-retry_ms // 1000))

    def _take_locally(self, key: tuple[str, str], *, rate: Rate, cost: int) -> Verdict:
        now = time.monotonic()
        per_token_s = rate.window_s / rate.quota
        tokens, since = self._local.pop(key, (float(rate.quota), now))
        tokens = min(float(rate.quota), tokens + (now - since) / per_token_s)
        allowed = tokens >= cost
        if allowed:
            tokens = min(float(rate.quota), tokens - cost)
        self._local[key] = (tokens, now)
        if len(self._local) > LOCAL_CLIENTS:
            self._local.popitem(last=False)
        whole = math.floor(tokens)
        until_next_s = (whole + 1 - tokens) * per_token_s if whole < rate.quota else 0.0
        return Verdict(allowed, whole, math.ceil(until_next_s), math.ceil(max(0.0, cost - tokens) * per_token_s))


def bucket_key(bucket: str, client: str) -> Key:
    """The key of a client's bucket, a string."""
    return Key(f"bucket:{bucket}:{client}".encode())
