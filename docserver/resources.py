"""Everything that a process opens when it starts and closes when it stops; the same for the API and the workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from docserver.database.connection import Database
from docserver.formats.result_writer import LARGE_RESULT_BYTES, ResultWriter
from docserver.ocr.engine import Engine, check_default_languages
from docserver.ocr.engine import describe as describe_engine
from docserver.ocr.server.sandbox_probe import Sandbox, probe_sandbox
from docserver.ocr.server.scratch import private_directory
from docserver.ocr.server.searchable_pdf import PdfMaker
from docserver.redis.cache import TTL_S, Cache
from docserver.redis.changes import Changes
from docserver.redis.client import Redis
from docserver.redis.queue import Queue
from docserver.redis.rate_limit import Limiter
from docserver.settings import Settings
from docserver.storage import Storage
from docserver.storage.local import LocalStorage


@dataclass(frozen=True)
class Resources:
    """The servers, storage and programs that a process works with."""

    settings: Settings
    db: Database
    redis: Redis
    queue: Queue
    cache: Cache
    changes: Changes
    limiter: Limiter
    storage: Storage
    engine: Engine
    sandbox: Sandbox
    pdf_maker: PdfMaker
    result_writer: ResultWriter


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Resources]:
    """Open all resources. The database and Redis need not answer yet.

    Raises EngineMissing, NotConfined, OSError, and SettingsError for default languages that cannot be used.
    """
    engine = await describe_engine(settings.engine)
    check_default_languages(settings.languages, engine)
    sandbox = await probe_sandbox(settings.sandbox, slots=settings.slot_count)
    storage = LocalStorage(settings.data_dir)
    await storage.prepare()
    db = Database(settings.mysql_url, size=settings.mysql_pool_size, timeout_s=settings.mysql_timeout_s)
    redis = Redis(settings.redis_url, timeout_s=settings.redis_timeout_s)
    changes = Changes(redis)
    listening = asyncio.create_task(changes.listen())
    try:
        with private_directory(settings.data_dir / "scratch") as scratch:
            yield Resources(
                settings=settings,
                db=db,
                redis=redis,
                queue=Queue(redis),
                cache=Cache(redis, ttl_s=TTL_S, max_result_bytes=LARGE_RESULT_BYTES),
                changes=changes,
                limiter=Limiter(redis),
                storage=storage,
                engine=engine,
                sandbox=sandbox,
                pdf_maker=PdfMaker(settings, engine, scratch=scratch),
                result_writer=ResultWriter(scratch=scratch, max_bytes=LARGE_RESULT_BYTES),
            )
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await redis.close()
        await db.close()
