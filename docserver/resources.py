"""Everything that a process opens when it starts and closes when it stops; the same for the API and the workers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from uuid import UUID

from docserver.database.address import Address
from docserver.database.connection import Cursor, Database
from docserver.database.replica import Replica
from docserver.database.tables import deployment
from docserver.encryption import Encryption, open_encryption
from docserver.formats.result_writer import LARGE_RESULT_BYTES, ResultWriter
from docserver.ocr.engine import Engine, check_default_languages, second_engine
from docserver.ocr.engine import describe as describe_engine
from docserver.ocr.server.cgroup import Cgroups
from docserver.ocr.server.exposure import refuse_exposed
from docserver.ocr.server.on_demand import OnDemandSlot
from docserver.ocr.server.sandbox_probe import Sandbox, probe_sandbox
from docserver.ocr.server.scratch import private_directory
from docserver.ocr.server.searchable_pdf import PdfMaker
from docserver.redis import address as redis_address
from docserver.redis.cache import TTL_S, Cache
from docserver.redis.changes import Changes
from docserver.redis.client import Redis
from docserver.redis.queue import Queue
from docserver.redis.rate_limit import Limiter
from docserver.room import RESULTS, SLOTS, UPLOADS, Room
from docserver.setting_types import SandboxMode
from docserver.settings import Settings, variable
from docserver.storage import Storage
from docserver.storage.opening import open_identities, open_storage

BULK_FACTOR = 3
"""Statements of maintenance work on up to thousands of rows, so they may take this many times as long as others."""

READ_SHARE = 0.5
"""Share of the time for a statement that those for clients may take: plenty for rows that are found by their ids, and
enough for a list that a person waits for."""

HEALTH_S = 2.0
"""Longest wait of a health check for the database, in seconds."""


@dataclass(frozen=True)
class Resources:
    """The servers, storage and programs that a process works with."""

    settings: Settings
    identity: UUID | None
    """That of the database, as the data directory knows it; None before the first start."""
    db: Database
    """For uploads, workers, and changes that clients ask for."""
    reads: Database
    """For the jobs, documents and results that clients read."""
    lists: Database
    """For lists of documents and searches that the replica does not make, and for lists of keys, tenants and audits."""
    replica: Replica
    """For lists of documents."""
    maintenance_db: Database
    index_db: Database
    """For writing the search index."""
    health_db: Database
    redis: Redis
    queue: Queue
    cache: Cache
    changes: Changes
    limiter: Limiter
    storage: Storage
    results_room: Room
    """Room for results that are too large for the memory."""
    slots_room: Room
    """Room on the disk of the embedded database for pages that slots read."""
    engine: Engine
    sandbox: Sandbox
    cgroups: Cgroups | None
    pdf_maker: PdfMaker
    on_demand: OnDemandSlot
    result_writer: ResultWriter
    encryption: Encryption
    """For secrets that the database keeps."""
    webhooks_due: asyncio.Event
    """Set when this process has committed what webhooks may have to tell."""


def check_settings(settings: Settings) -> None:
    """Raise SettingsError for settings of the servers and of the storage that cannot be used, as far as that is known
    without asking them. Blocks.
    """
    for setting in ("mysql_url", "mysql_replica_url"):
        if url := getattr(settings, setting):
            Address.parse(url, setting=setting).check_files(setting=setting)
    if settings.redis_url:
        redis_address.check_files(redis_address.parse(settings.redis_url))
    open_storage(settings)


async def checked_engine(settings: Settings) -> Engine:
    """Describe the engine, and check the settings that depend on it. Writes nothing.

    Raises EngineMissing, and SettingsError for default languages that cannot be used, or for a data directory that
    OCR processes could read.
    """
    engine = await describe_engine(settings.engine)
    if settings.second_engine == "auto":
        engine = replace(engine, second=await asyncio.to_thread(second_engine))
    check_default_languages(settings.languages, engine)
    if settings.sandbox is not SandboxMode.OFF:
        await asyncio.to_thread(refuse_exposed, settings.data_dir, models=Path(engine.tessdata))
    return engine


@asynccontextmanager
async def opened(settings: Settings, engine: Engine, *, cgroups: Cgroups | None = None) -> AsyncIterator[Resources]:
    """Open all resources, with an engine that was checked. The database and Redis need not answer yet. OCR processes
    get cgroups if there are any.

    Raises NotConfined, OSError, and SettingsError for a key that cannot be used.
    """
    sandbox = await probe_sandbox(settings.sandbox, slots=settings.slot_count, cgroups=cgroups)
    incoming = (settings.storage_dir or settings.data_dir) / "incoming"
    uploads_room = _room(settings, incoming, share=UPLOADS, stops="uploads")
    storage = open_storage(settings, uploads_room)
    await storage.prepare()
    encryption = await asyncio.to_thread(open_encryption, settings)
    identity = await asyncio.to_thread(open_identities(settings).database)
    databases = _databases(settings, identity)
    replica = Replica(_replica(settings, identity))
    redis = Redis(settings.redis_url, timeout_s=settings.redis_timeout_s, prefix=settings.redis_prefix)
    changes = Changes(redis)
    listening = asyncio.create_task(changes.listen())
    try:
        with private_directory(settings.data_dir / "scratch") as scratch:
            results_room = _room(settings, scratch, share=RESULTS, stops="large results")
            writer = ResultWriter(scratch=scratch, room=results_room, max_bytes=LARGE_RESULT_BYTES)
            drawing = OnDemandSlot(settings, engine, scratch=scratch, cgroups=cgroups)
            async with aclosing(writer) as result_writer, aclosing(drawing) as on_demand:
                yield Resources(
                    settings=settings,
                    identity=identity,
                    **databases,
                    replica=replica,
                    redis=redis,
                    queue=Queue(redis),
                    cache=Cache(redis, ttl_s=TTL_S, max_result_bytes=LARGE_RESULT_BYTES),
                    changes=changes,
                    limiter=Limiter(redis),
                    storage=storage,
                    results_room=results_room,
                    slots_room=_room(settings, share=SLOTS, stops="slots"),
                    engine=engine,
                    sandbox=sandbox,
                    cgroups=cgroups,
                    pdf_maker=PdfMaker(settings, engine, scratch=scratch, cgroups=cgroups),
                    on_demand=on_demand,
                    result_writer=result_writer,
                    encryption=encryption,
                    webhooks_due=asyncio.Event(),
                )
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await redis.close()
        for database in (*databases.values(), replica.db):
            if database:
                await database.close()


def _room(settings: Settings, *directories: Path, share: float, stops: str) -> Room:
    """Room for a kind of write, which must also leave room on the disk of the embedded database."""
    embedded = (settings.data_dir / "mysql",) if settings.embedded else ()
    return Room((*directories, *embedded), min_free_mb=settings.min_free_mb, share=share, stops=stops)


def _databases(settings: Settings, identity: UUID | None) -> dict[str, Database]:
    """The pools of `Resources`, by name. Each kind of work has connections of its own, so none can take another's."""
    size, timeout_s = settings.mysql_pool_size, settings.mysql_timeout_s
    for_clients = _for_clients(settings)
    pool = partial(Database, settings.mysql_url, check=_identity_check(identity, "mysql_url"))
    read = partial(pool, size=for_clients, timeout_s=timeout_s * READ_SHARE, for_clients=True)
    return {
        "db": pool(size=size - 2 * for_clients - 3, timeout_s=timeout_s, writes=True),
        "reads": read(),
        "lists": read(repeats_reads=False),
        "maintenance_db": pool(size=1, timeout_s=timeout_s * BULK_FACTOR, writes=True),
        "index_db": pool(size=1, timeout_s=timeout_s * BULK_FACTOR, writes=True),
        "health_db": pool(size=1, timeout_s=min(timeout_s, HEALTH_S)),
    }


def _replica(settings: Settings, identity: UUID | None) -> Database | None:
    """The pool for lists and searches that come from the replica; None if there is none."""
    if not settings.mysql_replica_url:
        return None
    setting = "mysql_replica_url"
    return Database(
        settings.mysql_replica_url,
        size=_for_clients(settings),
        timeout_s=settings.mysql_timeout_s * READ_SHARE,
        for_clients=True,
        of_replica=True,
        repeats_reads=False,
        check=_identity_check(identity, setting, otherwise=deployment.NO_REPLICA),
    )


def _for_clients(settings: Settings) -> int:
    """The connections for reads, and those for lists."""
    return max(1, (settings.mysql_pool_size - 3) // 4)


def _identity_check(
    identity: UUID | None, setting: str, *, otherwise: str = deployment.EXCHANGED
) -> Callable[[Cursor], Awaitable[None]] | None:
    """What is done with each new connection: make sure that it leads to the database with this identity."""
    if identity is None:
        return None
    return partial(deployment.require, database=identity, setting=variable(setting), otherwise=otherwise)
