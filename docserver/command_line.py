"""The command line: its commands, options and their help. `__main__` does what it says."""

import argparse
import re
from typing import TypeAlias
from uuid import UUID

from docserver import __version__
from docserver.caller import DEFAULT_TENANT, Scope
from docserver.setting_types import MAX_QUOTA, MAX_WEIGHT
from docserver.tenants.administration import GRACE_S, MAX_KEY_S, TENANT_NAME_RULE, is_tenant_name

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")

MAX_LINES = 100_000
"""Most entries of the audit log that are shown at once, to limit the memory."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line. Its result has `command`, for some commands `action`, and their options."""
    parser = argparse.ArgumentParser(
        prog="docserver",
        description="Documents go in over HTTP, text comes out. Settings are environment variables, see .env.example.",
    )
    parser.add_argument("--version", action="version", version=f"docserver {__version__}")
    _take_embedded(parser, default=False)
    parser.add_argument("--worker-only", action="store_true", default=False, help="read pages, but serve no API")
    commands = parser.add_subparsers(dest="command", metavar="command", title="commands")
    serve = _add(commands, "serve", "run the service (the default)")
    # The options may stand before a command or after it. A command's default must not undo what stands before it.
    serve.add_argument("--worker-only", action="store_true", default=argparse.SUPPRESS, help="serve no API")
    _add(commands, "migrate", "bring the database up to date")
    adopting = _add(
        commands,
        "adopt",
        "from now on, use this storage with this database, although they did not belong together",
    )
    adopting.add_argument(
        "--without-originals",
        action="store_true",
        help="although the storage has the original of no document of the database",
    )
    _add(commands, "doctor", "check settings, servers, programs and disk, and say what to do")
    _add_quarantine(commands)
    _add_keys(commands)
    _add_tenants(commands)
    searching = _actions(_add(commands, "search", "build the index for searches anew"))
    _add(searching, "rebuild", "build it from all pages that were read; until then, searches are refused")
    audit = _add(commands, "audit", "show who changed keys and tenants, and deleted documents, the latest first")
    audit.add_argument("--tenant", type=tenant_name, help="only what concerns this tenant")
    audit.add_argument("--limit", type=count, default=100, metavar="N", help="at most so many lines (100)")
    return parser


def duration_s(text: str) -> int:
    """Seconds, from text such as 90d, 12h, 30m or 45s."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError("a number and one of s, m, h, d, as in 90d")
    if (seconds := int(match[1]) * _UNITS_S[match[2]]) > MAX_KEY_S:
        raise argparse.ArgumentTypeError("at most a hundred years")
    return seconds


def count(text: str) -> int:
    """A number of lines."""
    if not (text.isdecimal() and 1 <= int(text) <= MAX_LINES):
        raise argparse.ArgumentTypeError(f"a number from 1 to {MAX_LINES}")
    return int(text)


def tenant_name(text: str) -> str:
    """The name of a tenant."""
    if not is_tenant_name(text):
        raise argparse.ArgumentTypeError(TENANT_NAME_RULE)
    return text


def _listed_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a whole id, as the action `list` shows it") from None


def _weight(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MAX_WEIGHT):
        raise argparse.ArgumentTypeError(f"a number from 1 to {MAX_WEIGHT}")
    return int(text)


def _quota(text: str) -> int | None:
    if text == "default":
        return None
    if not (text.isdecimal() and int(text) <= MAX_QUOTA):
        raise argparse.ArgumentTypeError(f"a number up to {MAX_QUOTA}, or default")
    return int(text)


def _scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope(name.strip()) for name in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"some of {','.join(Scope)}, separated by commas") from error


def _add_quarantine(commands: Commands) -> None:
    actions = _actions(_add(commands, "quarantine", "list and restore originals that no document knows"))
    _add(actions, "list", "list them")
    restoring = _add(actions, "restore", "make documents of them, and read these")
    documents = restoring.add_mutually_exclusive_group(required=True)
    documents.add_argument("documents", nargs="*", default=[], type=_listed_id, metavar="id", help="ids, as listed")
    documents.add_argument("--all", action="store_true", help="all that are listed")


def _add_keys(commands: Commands) -> None:
    actions = _actions(_add(commands, "keys", "make, list, revoke and rotate API keys"))
    creating = _add(actions, "create", "make a key, and its tenant if there is none of that name; shows the key once")
    creating.add_argument(
        "--tenant", type=tenant_name, default=DEFAULT_TENANT, help=f"whose key it is ({DEFAULT_TENANT})"
    )
    creating.add_argument("--name", default="", help="what it is for")
    creating.add_argument(
        "--scopes",
        type=_scopes,
        default=frozenset({Scope.READ, Scope.WRITE}),
        help="what it may do: some of read,write,admin (read,write)",
    )
    listing = _add(actions, "list", "list keys, without their secrets")
    listing.add_argument("--tenant", type=tenant_name, help="only those of this tenant")
    revoking = _add(actions, "revoke", "refuse a key from now on")
    rotating = _add(actions, "rotate", "make a key that replaces this one; shows it once")
    rotating.add_argument(
        "--grace",
        type=duration_s,
        default=GRACE_S,
        metavar="TIME",
        help="how long the old key stays valid, as in 24h (1d)",
    )
    for each in (creating, rotating):
        each.add_argument("--expires-in", type=duration_s, metavar="TIME", help="as in 90d or 12h; without it, never")
    for each in (revoking, rotating):
        each.add_argument("key", type=_listed_id, metavar="id", help="its id, as listed")


def _add_tenants(commands: Commands) -> None:
    actions = _actions(_add(commands, "tenants", "list, make, limit and delete tenants"))
    _add(actions, "list", "list them")
    setting = _add(actions, "set", "make a tenant, if there is none of this name, and set its weight and quotas")
    setting.add_argument(
        "--weight", type=_weight, default=argparse.SUPPRESS, metavar="N", help="turns in a row, 1 to 100 (1)"
    )
    for option, meaning in (
        ("--pages-per-day", "most pages that are read on a day (UTC)"),
        ("--max-bytes", "most bytes of files that are kept"),
        ("--max-unfinished-jobs", "most jobs that have not ended"),
        ("--max-connections", "most requests that are answered at the same time"),
    ):
        setting.add_argument(
            option, type=_quota, default=argparse.SUPPRESS, metavar="N", help=f"{meaning}; default: as the settings say"
        )
    deleting = _add(actions, "delete", "delete a tenant with all it has; without --yes, say only what that is")
    deleting.add_argument("--yes", action="store_true", help="delete it")
    for each in (setting, deleting):
        each.add_argument("tenant", type=tenant_name, metavar="name")


def _actions(command: argparse.ArgumentParser) -> Commands:
    return command.add_subparsers(dest="action", required=True)


def _add(commands: Commands, name: str, purpose: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
    _take_embedded(command, default=argparse.SUPPRESS)
    return command


def _take_embedded(parser: argparse.ArgumentParser, *, default: object) -> None:
    parser.add_argument("--embedded", action="store_true", default=default, help="with a private MariaDB and Redis")
