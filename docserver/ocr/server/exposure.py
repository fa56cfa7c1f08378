"""Server side: refuses a data directory that OCR processes could read. Landlock grants whole directories, and cannot
exclude one that lies in them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docserver.ocr.sandbox.policy import readable
from docserver.settings import SettingsError, variable

KEPT = ("incoming", "mysql", "mysql.tmp", "originals", "quarantine", "redis", "run", "scratch")
"""The directories of the data directory that must not have a readable place in them. Others may: in the container
image, the data directory is also the home directory, where fontconfig looks for fonts."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system, or a part of one."""

    device: str
    root: Path
    """The mounted directory, as a path within its file system."""
    place: Path


def refuse_exposed(data_dir: Path, *, models: Path) -> None:
    """Raise SettingsError if OCR processes could read documents in the data directory under any of its names."""
    places = {place.resolve() for place in readable(models)}
    mounts = _mounts()
    whole = set(_names(data_dir, mounts))
    parts = {name for part in KEPT for name in _names(data_dir / part, mounts)}
    above = {place for name in whole | parts for place in (name, *name.parents)}
    for place in sorted(places):
        if place in above or not parts.isdisjoint((place, *place.parents)):
            raise SettingsError(
                f"{variable('data_dir')} is {data_dir}, but OCR processes may read {place} and could read documents "
                "there; choose another directory, or change what adds this place: PATH, HOME, XDG_CACHE_HOME, "
                "LD_LIBRARY_PATH, TESSDATA_PREFIX, FONTCONFIG_PATH or FONTCONFIG_FILE"
            )


def _names(directory: Path, mounts: list[Mount]) -> Iterator[Path]:
    """All paths of a directory: without symbolic links, and where its file system is also mounted."""
    directory = directory.resolve()
    yield directory
    # The last mount at the longest path is the one that is seen.
    above = [mount for mount in mounts if directory.is_relative_to(mount.place)]
    if not above:
        return
    own = max(above, key=lambda mount: len(mount.place.parts))
    inside = own.root / directory.relative_to(own.place)
    for mount in mounts:
        if mount.device == own.device and inside.is_relative_to(mount.root):
            yield mount.place / inside.relative_to(mount.root)


def _mounts() -> list[Mount]:
    """The mounts that this process sees, latest first (proc_pid_mountinfo(5))."""
    lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    fields = [line.split(" ") for line in reversed(lines)]
    return [Mount(device, Path(_unescaped(root)), Path(_unescaped(place))) for _, _, device, root, place, *_ in fields]


def _unescaped(path: str) -> str:
    """A path of mountinfo, in which white space is written as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
