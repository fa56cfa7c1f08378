"""The reads of `cached_reads` with FastAPI, as its documentation and SQLAlchemy's show: a response model, a session of
SQLAlchemy for each request, and redis-py as a cache before the database. It has no rate limit and no ETags.
"""

import argparse
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel
from redis.asyncio import Redis
from sqlalchemy import Column, MetaData, String, Table, Text, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

CACHED_S = 3600

metadata = MetaData()
jobs = Table("jobs", metadata, Column("id", String(36), primary_key=True), Column("job", Text), Column("text", Text))


class Job(BaseModel):
    """A job as docserver describes it. What is in its objects is not described further, which spares the peer work."""

    job_id: str
    document_id: str
    status: str
    pages: dict[str, int | None]
    progress: float
    confidence: float | None
    needs_review: list[int]
    eta_seconds: float | None
    queue_position: int | None
    attempt: int
    history: list[dict[str, Any]]
    options: dict[str, Any]
    error: dict[str, Any] | None
    deduplicated: bool
    engine: dict[str, Any] | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    links: dict[str, str]


async def session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as opened:
        yield opened


async def cache(request: Request) -> Redis:
    redis: Redis = request.app.state.redis
    return redis


Session = Annotated[AsyncSession, Depends(session)]
Cached = Annotated[Redis, Depends(cache)]


async def _value(job_id: str, column: str, database: AsyncSession, redis: Redis) -> str:
    key = f"{column}:{job_id}"
    if (cached := await redis.get(key)) is not None:
        return str(cached)
    row = (await database.execute(select(jobs.c[column]).where(jobs.c.id == job_id))).scalar_one_or_none()
    if row is None:
        raise HTTPException(404, "There is no such job.")
    await redis.set(key, row, ex=CACHED_S)
    return str(row)


async def read_job(job_id: str, database: Session, redis: Cached) -> Job:
    return Job.model_validate_json(await _value(job_id, "job", database, redis))


async def read_result(job_id: str, database: Session, redis: Cached) -> Response:
    return Response(await _value(job_id, "text", database, redis), media_type="text/plain")


def make_app(*, database_url: str, redis_url: str, rows: list[dict[str, str]]) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = create_async_engine(database_url)
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.execute(insert(jobs), rows)
        app.state.sessions = async_sessionmaker(engine)
        app.state.redis = Redis.from_url(redis_url, decode_responses=True)
        yield
        await app.state.redis.aclose()
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)
    app.add_api_route("/v1/jobs/{job_id}", read_job, response_model=Job)
    app.add_api_route("/v1/jobs/{job_id}/result", read_result)
    return app


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--database-url", required=True)
    arguments.add_argument("--redis-url", required=True)
    arguments.add_argument("--rows", type=Path, required=True, help="the jobs, as JSON")
    given = arguments.parse_args()
    app = make_app(database_url=given.database_url, redis_url=given.redis_url, rows=json.loads(given.rows.read_text()))
    # With its extra "standard", uvicorn uses uvloop and httptools; it logs each request unless told otherwise.
    uvicorn.run(app, host="127.0.0.1", port=given.port)


if __name__ == "__main__":
    main()
