"""Child side: Landlock through ctypes. A process uses it to give up files, TCP, and signals to other processes.

What is given up is decided in `policy`. The only library on PyPI (landlock 1.0.0.dev5) supports neither networks nor
scopes. Source: landlock(7) and linux/landlock.h.
"""

import ctypes
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# System call numbers, which are the same on every architecture.
SYS_CREATE_RULESET = 444
SYS_ADD_RULE = 445
SYS_RESTRICT_SELF = 446

CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
REMOVE_DIR = 1 << 4
REMOVE_FILE = 1 << 5
MAKE_DIR = 1 << 7
MAKE_REG = 1 << 8
TRUNCATE = 1 << 14

HANDLED_FILES = ((1, (1 << 13) - 1), (2, 1 << 13), (3, TRUNCATE), (5, 1 << 15))
"""Pairs of an ABI version and the rights to files that it adds. Every right is refused unless a rule grants it."""

HANDLED_TCP = (4, 0b11)
"""The ABI version that adds TCP, and the rights: bind and connect."""

SCOPED = (6, 0b11)
"""The ABI version that adds scopes, and the scopes: no abstract unix sockets of processes outside the sandbox, and no
signals to them."""

ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
"""The rights that a rule for a single file may grant."""


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


@dataclass(frozen=True, slots=True)
class Rule:
    """The rights to a file, or to a directory and everything below it."""

    path: Path
    access: int


def abi() -> int:
    """The version of the kernel's Landlock; 0 if the kernel has none."""
    version: int = ctypes.CDLL(None).syscall(SYS_CREATE_RULESET, None, 0, CREATE_RULESET_VERSION)
    return max(0, version)


def restrict(rules: Iterable[Rule]) -> None:
    """Refuse this thread and its descendants everything that no rule grants. Rules for missing paths are skipped.

    Needs no-new-privileges. Raises OSError if the kernel refuses.
    """
    version = abi()
    files = sum(rights for since, rights in HANDLED_FILES if version >= since)
    attributes = _Ruleset(files, _since(HANDLED_TCP, version), _since(SCOPED, version))
    # An older kernel accepts fields that it does not know, if their value is 0.
    ruleset = _call(SYS_CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    try:
        for rule in rules:
            _add(ruleset, rule, files)
        _call(SYS_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _since(feature: tuple[int, int], version: int) -> int:
    since, value = feature
    return value if version >= since else 0


def _add(ruleset: int, rule: Rule, handled: int) -> None:
    try:
        place = os.open(rule.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        access = rule.access & handled
        if not rule.path.is_dir():
            access &= ON_FILES
        beneath = _PathBeneath(access, place)
        _call(SYS_ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(beneath), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
