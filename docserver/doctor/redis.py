"""Checks Redis: reachable, failover, version, what it does when its memory is full, and whether it can save."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping

from redis.exceptions import AuthenticationError, ResponseError

from docserver.doctor.findings import Finding, ok, problem, warning
from docserver.errors import RedisUnavailable
from docserver.redis.address import check_files, parse
from docserver.redis.client import Redis
from docserver.redis.topology import Cluster, Sentinels, UnknownService
from docserver.settings import Settings, SettingsError, variable

OLDEST = (6, 2)
"""The first release with BLMOVE."""

SUBJECT = "redis"


async def check_redis(settings: Settings) -> AsyncIterator[Finding]:
    """Everything about Redis."""
    try:
        await asyncio.to_thread(lambda: check_files(parse(settings.redis_url)))
        redis = Redis(settings.redis_url, timeout_s=settings.redis_timeout_s, prefix=settings.redis_prefix)
    except SettingsError as error:
        yield problem(SUBJECT, str(error), "correct it")
        return
    try:
        servers = await redis.on_each_primary("INFO")
        failover = await _failover(redis)
    except RedisUnavailable as error:
        yield _fault(error)
        return
    finally:
        await redis.close()
    if failover:
        yield failover
    # The primaries of a cluster are usually alike: what holds for several is said once.
    findings = [finding for info in servers.values() for finding in _server(_facts(info))]
    for finding in dict.fromkeys(findings):
        yield finding


def _fault(error: BaseException) -> Finding:
    """Why no server can be used. The text of an error may have the URL."""
    fault = error.__cause__ or error
    setting = variable("redis_url")
    if isinstance(fault, UnknownService):
        return warning(SUBJECT, str(fault), f"correct the name after the slash in {setting}")
    name = type(fault).__name__
    if isinstance(fault, AuthenticationError):
        remedy = f"correct the user and the password, or sentinel_password, in {setting}"
        return warning(SUBJECT, f"refuses the user or the password ({name})", remedy)
    if _is_refusal(error):
        remedy = f"correct {setting}: its database, its user, or whether it is a cluster"
        return warning(SUBJECT, f"answers, and refuses what docserver asks for ({name})", remedy)
    return warning(SUBJECT, f"does not answer ({name})", f"start it, or correct {setting}")


def _is_refusal(error: BaseException | None) -> bool:
    """True if a server has answered. redis-py calls a database that is not there an error of the connection."""
    while error and not isinstance(error, ResponseError):
        error = error.__cause__
    return error is not None


async def _failover(redis: Redis) -> Finding | None:
    """Whether another server can take over; None for a single server."""
    topology = redis.topology
    if isinstance(topology, Sentinels):
        (primary,), asked, answering = topology.primaries(), topology.number, await topology.answering()
        detail = f"{primary} is the primary, and {answering} of {asked} Sentinels answer"
        return ok(SUBJECT, detail) if answering == asked else warning(SUBJECT, detail, "look after the other Sentinels")
    if isinstance(topology, Cluster):
        detail = f"a cluster of {len(topology.primaries())} primaries"
        if not topology.without_replica:
            return ok(SUBJECT, f"{detail}, each with a replica")
        return warning(SUBJECT, f"{detail}, {topology.without_replica} without a replica", "add replicas")
    return None


def _server(info: Mapping[str, str]) -> Iterator[Finding]:
    if info.get("role") == "slave" and info.get("slave_read_only") != "0":
        yield warning(SUBJECT, "a replica, which takes no writes", "name the primary in DOCSERVER_REDIS_URL")
    yield _version(info)
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


def _version(info: Mapping[str, str]) -> Finding:
    if valkey := info.get("valkey_version"):
        # All releases of Valkey have what docserver uses. It also names the release of Redis that it resembles.
        return ok(SUBJECT, f"Valkey {valkey}")
    version = info.get("redis_version", "0")
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
