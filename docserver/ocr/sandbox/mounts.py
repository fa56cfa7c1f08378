"""Child side: a scratch directory in memory whose size the kernel limits, and which ends with its processes.

Nothing of it is visible at the directory's path outside. Source: tmpfs(5), mount_namespaces(7), user_namespaces(7).
"""

import ctypes
import os
from pathlib import Path

NEW_MOUNTS = 0x00020000
NEW_USERS = 0x10000000

NOSUID, NODEV, NOEXEC = 2, 4, 8
RECURSIVE, SLAVE = 1 << 14, 1 << 19
"""Slave: what is mounted outside later is also mounted here, and never the other way around."""


def mount_scratch(directory: Path, *, size: int, entries: int) -> bool:
    """Mount a file system in memory on a directory, for this process and its descendants alone.

    `size` is in bytes; files, directories and links count as `entries`. Call this while there is a single thread.
    Returns False if the system does not allow it.
    """
    try:
        _new_namespaces()
        _call("mount", None, b"/", None, RECURSIVE | SLAVE, None)
        options = f"size={size},nr_inodes={entries},mode=700".encode()
        _call("mount", b"scratch", os.fsencode(directory), b"tmpfs", NOSUID | NODEV | NOEXEC, options)
    except OSError:
        return False
    return True


def _new_namespaces() -> None:
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        # In a user namespace, root would lose its access to the files of other users.
        _call("unshare", NEW_MOUNTS)
        return
    _call("unshare", NEW_USERS | NEW_MOUNTS)
    # Keep the user and the group. Only root may change the groups here.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
