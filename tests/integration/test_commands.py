"""The commands `keys`, `tenants` and `audit`, and what they print."""

import re
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from docserver.caller import Scope
from docserver.command_line import make_parser
from docserver.commands import administration
from docserver.documents import deletion
from docserver.errors import RedisUnavailable
from docserver.resources import Resources
from docserver.tenants import queries
from docserver.tenants.authentication import Authentication
from tests.support.client import kept_files
from tests.support.rows import change, make_job, put_original

Command = Callable[..., Awaitable[tuple[bool, str, str]]]


@pytest.fixture
def command(resources: Resources, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line; returns whether it was done, and what it printed on either stream."""

    async def run(*arguments: str) -> tuple[bool, str, str]:
        done = await administration.run(resources.settings, make_parser().parse_args(arguments))
        printed = capsys.readouterr()
        return done, printed.out, printed.err

    return run


async def made(command: Command, *more: str) -> tuple[str, str]:
    """A new key and its id."""
    done, out, err = await command("keys", "create", *more)
    assert done
    match = re.search(r"Its id is ([0-9a-f-]{36})", err)
    assert match
    return out.strip(), match[1]


async def test_a_new_key_stands_alone_on_standard_output_and_works(command: Command, resources: Resources) -> None:
    done, out, err = await command(
        "keys", "create", "--tenant", "acme", "--scopes", "read,admin", "--expires-in", "90d"
    )

    assert done
    assert re.fullmatch(r"dsk_[0-9A-Za-z]{46}\n", out)
    assert err.startswith("A key of acme with the scopes admin,read, valid until 2")
    assert err.endswith("The service asks for no key until DOCSERVER_AUTH=keys is set.\n")
    caller = await Authentication(resources).caller(out.strip())
    assert (caller.tenant, caller.scopes) == ("acme", frozenset({Scope.READ, Scope.ADMIN}))


async def test_keys_are_listed_one_a_line_without_their_secrets(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(administration, "LISTED_AT_ONCE", 1)
    keys = [await made(command, "--tenant", tenant, "--name", "for scans") for tenant in ("acme", "other", "acme")]
    await command("keys", "revoke", keys[0][1])

    _, every, _ = await command("keys", "list")
    _, one, _ = await command("keys", "list", "--tenant", "other")

    assert [line.split()[0] for line in every.splitlines()] == [key_id for _, key_id in keys]
    assert one == every.splitlines(keepends=True)[1]
    assert re.fullmatch(
        rf"{keys[1][1]}  other  {keys[1][0][:12]}  read,write  created \S+  expires never  for scans\n", one
    )
    assert "revoked 20" in every.splitlines()[0]
    assert not any(key in every for key, _ in keys)


async def test_that_there_is_no_key_is_said_beside_an_empty_list(command: Command) -> None:
    assert await command("keys", "list") == (True, "", "There is no key.\n")


async def test_a_key_is_rotated_with_a_grace_time(command: Command) -> None:
    _, key_id = await made(command)

    new, _ = (await command("keys", "rotate", key_id, "--grace", "30m", "--expires-in", "12h"))[1:]
    _, listed, _ = await command("keys", "list")

    assert new.startswith("dsk_")
    assert [line.count("expires never") for line in listed.splitlines()] == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("keys", "create", "--name", "x" * 101), "A key's name has"),
        (("keys", "revoke", "01960000-0000-7000-8000-000000000000"), "There is no such key."),
        (("tenants", "delete", "nobody", "--yes"), "There is no such tenant."),
        (("tenants", "delete", "default", "--yes"), "The tenant default cannot be deleted"),
        (("tenants", "delete", "default"), "The tenant default cannot be deleted"),
    ],
)
async def test_what_is_refused_is_said_in_one_line(command: Command, arguments: tuple[str, ...], reason: str) -> None:
    done, out, err = await command(*arguments)

    assert (done, out, err.count("\n")) == (False, "", 1)
    assert err.startswith(f"docserver: {reason}")


async def test_a_tenant_is_deleted_only_with_yes_and_leaves_its_receipt(command: Command, resources: Resources) -> None:
    document_id, _ = await make_job(resources.db)
    put_original(resources, document_id)
    await made(command, "--tenant", "acme")
    await change(resources.db, "UPDATE documents d JOIN jobs j SET d.tenant = 'acme', j.tenant = 'acme'")

    asked = await command("tenants", "delete", "acme")
    before = kept_files(resources)
    done = await command("tenants", "delete", "acme", "--yes")
    again = await command("tenants", "delete", "acme")
    _, listed, _ = await command("tenants", "list")

    assert asked[:2] == (
        False,
        "Nothing is deleted without --yes. With it, acme goes with all it has: documents 1, bytes 5.\n",
    )
    assert [UUID(file.name) for file in before] == [document_id]
    assert kept_files(resources) == []
    assert done[0] is True
    removed = "documents 1, jobs 1, pages 0, bytes 5, keys 1, webhooks 0, deliveries 0"
    assert f"by command line. Removed: {removed}. Nothing is left" in done[1]
    assert again == done
    assert [line.split()[0] for line in listed.splitlines()] == ["acme", "default"]
    assert "deleted" in listed.splitlines()[0]


async def test_a_deletion_that_cannot_be_finished_says_so(
    command: Command, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_job(resources.db)
    await command("tenants", "set", "acme")
    await change(resources.db, "UPDATE documents d JOIN jobs j SET d.tenant = 'acme', j.tenant = 'acme'")

    async def fails(*_: object) -> None:
        raise RedisUnavailable("forced")

    monkeypatch.setattr(deletion, "clear", fails)
    monkeypatch.setattr(administration, "TRY_AGAIN_S", 0.0)
    monkeypatch.setattr(administration, "REPORT_S", -1.0)
    done, out, err = await command("tenants", "delete", "acme", "--yes")

    assert done is False
    assert "documents 1, jobs 1" in out
    assert "Something is left" in out
    assert "removed so far: documents 1\n" in err


async def test_the_audit_log_is_shown_the_latest_first(command: Command, resources: Resources) -> None:
    await command("tenants", "set", "acme")
    _, key_id = await made(command, "--tenant", "acme")
    await made(command, "--tenant", "other")

    _, every, _ = await command("audit")
    _, one, _ = await command("audit", "--tenant", "acme", "--limit", "1")

    assert len(every.splitlines()) == 4
    assert re.match(rf"\S+  command line  key\.created  acme  {key_id}  {{\"prefix\":", one)
    assert len(await queries.audit_entries(resources.db, tenant=None, before=None, limit=10)) == 4
