"""Checks Redis: reachable, version, what it does when its memory is full, and whether it can save."""

from collections.abc import AsyncIterator, Mapping

from docserver.doctor.findings import Finding, ok, problem, warning
from docserver.errors import RedisUnavailable
from docserver.redis.client import Redis
from docserver.settings import Settings, SettingsError

OLDEST = (6, 2)
"""The first release with BLMOVE."""

SUBJECT = "redis"


async def check_redis(settings: Settings) -> AsyncIterator[Finding]:
    """Everything about Redis."""
    try:
        redis = Redis(settings.redis_url, timeout_s=settings.redis_timeout_s)
    except SettingsError as error:
        yield problem(SUBJECT, str(error), "correct it")
        return
    try:
        info = _facts(await redis.command("INFO"))
    except RedisUnavailable as error:
        # Its text may have the URL.
        fault = type(error.__cause__).__name__
        yield warning(SUBJECT, f"does not answer ({fault})", "start it, or correct DOCSERVER_REDIS_URL")
        return
    finally:
        await redis.close()
    yield _version(info.get("redis_version", "0"))
    yield _memory(info)
    if "err" in (info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status")):
        yield warning(SUBJECT, "it cannot save, so it may refuse to write", "look into its log, and free its disk")
    else:
        saves = "an append-only file" if info.get("aof_enabled") == "1" else "snapshots at most"
        yield ok(SUBJECT, f"saves {saves}; docserver needs neither")


def _facts(info: bytes) -> Mapping[str, str]:
    """The lines `name:value` of Redis' INFO."""
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    return {name: value for name, _, value in lines}


def _version(version: str) -> Finding:
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    if numbers < OLDEST:
        return warning(SUBJECT, f"Redis {version}", "upgrade it to 6.2 or later")
    return ok(SUBJECT, f"Redis {version}")


def _memory(info: Mapping[str, str]) -> Finding:
    limit, policy = info.get("maxmemory", "0"), info.get("maxmemory_policy", "noeviction")
    if limit == "0":
        return ok(SUBJECT, "its memory has no limit")
    detail = f"its memory has a limit, and its maxmemory-policy is {policy}"
    if policy.startswith("volatile-"):
        return ok(SUBJECT, detail)
    return warning(SUBJECT, detail, "set maxmemory-policy to volatile-lru, or it drops queues or refuses to write")
