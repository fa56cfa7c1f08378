"""The commands `keys`, `tenants` and `audit`."""

import asyncio
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from datetime import datetime

import orjson

from docserver.commands import print_line
from docserver.database.connection import Database
from docserver.database.tables.tenant_deletions import Receipt
from docserver.database.tables.tenants import QUOTAS, Tenant
from docserver.documents import tenant_deletion
from docserver.errors import DatabaseUnavailable, ServiceError
from docserver.resources import Resources, checked_engine, opened
from docserver.setting_types import Auth
from docserver.settings import Settings
from docserver.tenants import administration, queries
from docserver.tenants.administration import NewKey

ACTOR = "command line"
"""Who makes the changes, in the audit log."""

LISTED_AT_ONCE = 500
"""Rows that one statement reads for a list."""

REMOVED_AT_ONCE = 100
"""Documents of a deleted tenant that are removed before the receipt is looked at."""

REPORT_S = 5.0
"""Time between two lines about the progress of a deletion."""

LAST_TRIES = 10
"""Tries to remove the last files of a deleted tenant. After them, the command leaves that to maintenance."""

TRY_AGAIN_S = 1.0
"""Pause between these tries."""


async def run(settings: Settings, options: Namespace) -> bool:
    """Do what the command line says. False if it is refused; then the reason is printed. Raises DatabaseUnavailable."""
    db = Database(settings.mysql_url, size=1, timeout_s=settings.mysql_timeout_s)
    try:
        match options.command:
            case "keys":
                await _keys(db, options, asks_for_keys=settings.auth is Auth.KEYS)
            case "tenants":
                return await _tenants(settings, db, options)
            case _:
                await _audit(db, options)
    except DatabaseUnavailable:
        raise
    except ServiceError as error:
        sys.stderr.write(f"docserver: {error.detail}\n")
        return False
    finally:
        await db.close()
    return True


async def _keys(db: Database, options: Namespace, *, asks_for_keys: bool) -> None:
    match options.action:
        case "create":
            new = await administration.create_key(
                db,
                tenant=options.tenant,
                name=options.name,
                scopes=options.scopes,
                expires_in_s=options.expires_in,
                actor=ACTOR,
            )
            _show(new, asks_for_keys=asks_for_keys)
        case "list":
            await _list_keys(db, options.tenant)
        case "revoke":
            key = await administration.revoke_key(db, options.key, actor=ACTOR)
            print_line(f"The key {key.prefix} of {key.tenant} is refused within two seconds, by every process.")
        case "rotate":
            new = await administration.rotate_key(
                db, options.key, grace_s=options.grace, expires_in_s=options.expires_in, actor=ACTOR
            )
            _show(new, asks_for_keys=asks_for_keys)


def _show(new: NewKey, *, asks_for_keys: bool) -> None:
    """Print a new key. Standard output has the key alone, so that a script can take it."""
    scopes = ",".join(sorted(new.key.scopes))
    until = f", valid until {_time(new.key.expires_at)}" if new.key.expires_at else ""
    sys.stderr.write(
        f"A key of {new.key.tenant} with the scopes {scopes}{until}. Its id is {new.key.id}.\n"
        "It is shown this once and cannot be shown again; keep it where only its user can read it:\n"
    )
    sys.stderr.flush()
    print_line(new.text)
    if not asks_for_keys:
        sys.stderr.write("The service asks for no key until DOCSERVER_AUTH=keys is set.\n")


async def _list_keys(db: Database, tenant: str | None) -> None:
    after = None
    while part := await queries.key_list(db, tenant=tenant, after=after, limit=LISTED_AT_ONCE):
        for key in part:
            state = f"revoked {_time(key.revoked_at)}" if key.revoked_at else f"expires {_time(key.expires_at)}"
            print_line(
                f"{key.id}  {key.tenant}  {key.prefix}  {','.join(sorted(key.scopes))}  "
                f"created {_time(key.created_at)}  {state}  {key.name}".rstrip()
            )
        after = part[-1].id
    if after is None:
        sys.stderr.write("There is no key.\n")


async def _tenants(settings: Settings, db: Database, options: Namespace) -> bool:
    match options.action:
        case "list":
            await _list_tenants(db)
        case "set":
            limits = {name: value for name, value in vars(options).items() if name in ("weight", *QUOTAS)}
            tenant, is_new = await administration.set_tenant(db, options.tenant, actor=ACTOR, **limits)
            print_line(f"{tenant.name}  {'made' if is_new else 'was there already'}  {_limits(tenant)}")
        case "delete":
            return await _delete_tenant(settings, db, options.tenant, confirmed=options.yes)
    return True


async def _list_tenants(db: Database) -> None:
    after = ""
    while part := await queries.tenant_list(db, after=after, limit=LISTED_AT_ONCE):
        for tenant in part:
            deleted = f"  deleted {_time(tenant.deleted_at)}" if tenant.deleted_at else ""
            print_line(f"{tenant.name}  created {_time(tenant.created_at)}  {_limits(tenant)}{deleted}")
        after = part[-1].name


def _limits(tenant: Tenant) -> str:
    """The weight of a tenant, and those of its quotas that are not the default."""
    own = {name: value for name, value in asdict(tenant.quotas).items() if value is not None}
    return "  ".join(f"{name} {value}" for name, value in {"weight": tenant.weight, **own}.items())


async def _delete_tenant(settings: Settings, db: Database, name: str, *, confirmed: bool) -> bool:
    """Delete a tenant with all it has, and print the receipt. False if it is not confirmed, or if something is left."""
    tenant_deletion.check_deletable(name)
    _, receipt = await queries.tenant(db, name)
    if receipt is None and not confirmed:
        documents, size = await queries.documents_of(db, name)
        has = f"documents {documents}, bytes {size}"
        print_line(f"Nothing is deleted without --yes. With it, {name} goes with all it has: {has}.")
        return False
    async with opened(settings, await checked_engine(settings)) as resources:
        receipt = await tenant_deletion.begin(resources, name, actor=ACTOR)
        receipt = await _remove(resources, receipt)
    print_line(_receipt(receipt))
    return receipt.finished_at is not None


async def _remove(resources: Resources, receipt: Receipt) -> Receipt:
    """Remove what a deleted tenant has, and print now and then how much that is so far."""
    tries, reported = 0, time.monotonic()
    while receipt.finished_at is None and tries < LAST_TRIES:
        before = receipt.documents
        receipt = await tenant_deletion.advance(resources, receipt.tenant, limit=REMOVED_AT_ONCE)
        if receipt.documents == before and receipt.finished_at is None:
            tries += 1
            await asyncio.sleep(TRY_AGAIN_S)
        if time.monotonic() - reported > REPORT_S:
            reported = time.monotonic()
            sys.stderr.write(f"removed so far: documents {receipt.documents}\n")
    return receipt


def _receipt(receipt: Receipt) -> str:
    removed = (
        f"documents {receipt.documents}, jobs {receipt.jobs}, pages {receipt.pages}, bytes {receipt.bytes}, "
        f"keys {receipt.api_keys}, webhooks {receipt.webhooks}, deliveries {receipt.deliveries}"
    )
    end = (
        f"Nothing is left since {_time(receipt.finished_at)}."
        if receipt.finished_at
        else "Something is left, which the running service removes; this command goes on with it too."
    )
    return f"{receipt.tenant} was deleted at {_time(receipt.started_at)} by {receipt.actor}. Removed: {removed}. {end}"


async def _audit(db: Database, options: Namespace) -> None:
    for entry in await queries.audit_entries(db, tenant=options.tenant, before=None, limit=options.limit):
        details = orjson.dumps(entry.details).decode()
        print_line(f"{_time(entry.at)}  {entry.actor}  {entry.action}  {entry.tenant}  {entry.subject}  {details}")


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "never"
