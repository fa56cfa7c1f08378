"""The peer of `cached_reads`: a bare aiohttp handler on uvloop that does one Redis GET. Uses nothing of docserver."""

import argparse

import uvloop
from aiohttp import web
from redis.asyncio import Redis

REDIS = web.AppKey("redis", Redis)


async def read(request: web.Request) -> web.Response:
    body = await request.app[REDIS].get(request.match_info["key"])
    return web.Response(body=body, content_type="application/json")


def app(redis_url: str) -> web.Application:
    """`GET /{key}` answers with the value of that key; the client is redis-py's default, with hiredis."""
    bare = web.Application()
    bare[REDIS] = Redis.from_url(redis_url)
    bare.router.add_get("/{key}", read)
    return bare


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--redis-url", required=True)
    given = arguments.parse_args()
    web.run_app(
        app(given.redis_url),
        host="127.0.0.1",
        port=given.port,
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
