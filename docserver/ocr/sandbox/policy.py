"""Child side: what an OCR process may access; it gives up everything else through `landlock` and `seccomp`.

Run as a program, this module confines its process and prints what was enforced. The server uses this to find out what
the kernel supports.
"""

import ctypes
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from docserver.ocr.sandbox import landlock, mounts, seccomp
from docserver.ocr.sandbox.landlock import Rule
from docserver.setting_types import SandboxMode

PROGRAMS = ("tesseract", "pdftoppm", "pdfinfo")
"""The programs that an OCR process starts. Their libraries and data are in directories next to theirs."""

READ = landlock.READ_FILE | landlock.READ_DIR
RUN = READ | landlock.EXECUTE
READ_WRITE = READ | landlock.WRITE_FILE | landlock.TRUNCATE | landlock.MAKE_REG | landlock.MAKE_DIR
READ_WRITE |= landlock.REMOVE_FILE | landlock.REMOVE_DIR
"""Rights to the scratch directory. The rights to run programs and to make links, sockets or pipes are not included."""

BELOW_PREFIX = ("bin", "lib", "lib32", "lib64", "libexec", "pyvenv.cfg", "sbin", "share")
"""What programs and libraries need of a prefix such as /usr. Other directories there may hold anything, as /usr/src."""

SYSTEM = (
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *(f"{prefix}/{place}" for prefix in ("/usr", "/usr/local") for place in BELOW_PREFIX),
)
CONFIGURATION = (
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/papersize",
    "/etc/ssl/openssl.cnf",
    # ONNX Runtime aborts the process without it.
    "/proc/cpuinfo",
    "/sys/devices/system/cpu",
    "/var/cache/fontconfig",
)
BELOW_HOME = (".cache/fontconfig", ".config/fontconfig", ".fonts", ".fonts.conf", ".local/share/fonts")
DEVICES = ("/dev/null", "/dev/random", "/dev/urandom")
"""Not /dev/zero: to map it is another way to get shared memory that nobody sees."""
PLACES_IN_ENVIRONMENT = ("TESSDATA_PREFIX", "FONTCONFIG_FILE", "FONTCONFIG_PATH", "LD_LIBRARY_PATH")

PR_SET_NO_NEW_PRIVS = 38
CAPABILITY_VERSION = 0x20080522
DAC_READ_SEARCH = 1 << 2
"""The only capability that root keeps. It allows reading files of other users; Landlock still limits which files."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What the kernel enforces on a process."""

    landlock: int
    """The ABI version in force; 0 if Landlock is not in force."""
    seccomp: bool
    scratch: bool = False
    """True if the kernel limits the size of the scratch directory; otherwise the watchdog does."""

    @property
    def complete(self) -> bool:
        """True if Landlock and seccomp are in force: the process can access neither other files nor networks."""
        return bool(self.landlock) and self.seccomp

    def __str__(self) -> str:
        landlock = f"Landlock ABI {self.landlock}" if self.landlock else "no Landlock"
        return f"{landlock}, {'seccomp' if self.seccomp else 'no seccomp'}{', tmpfs' if self.scratch else ''}"


class NotConfined(Exception):
    """The sandbox is required, but the kernel does not support it."""


def confine(*, mode: SandboxMode, models: Path, scratch: Path, source: Path) -> Confinement:
    """Give up everything for ever, except what reading needs, the files in `source`, and writing in `scratch`.

    Call this while there is a single thread; later threads inherit the sandbox. Raises NotConfined if `mode` requires
    more than the kernel supports.
    """
    _give_up_privileges()
    if mode is SandboxMode.OFF:
        return Confinement(landlock=0, seccomp=False)
    confinement = Confinement(
        landlock=_restrict_files(models=models, scratch=scratch, source=source), seccomp=_filter_calls()
    )
    if mode is SandboxMode.REQUIRE and not confinement.complete:
        raise NotConfined(str(confinement))
    return confinement


def rules(*, models: Path, scratch: Path, source: Path) -> Iterator[Rule]:
    """The rules for programs, libraries, models and fonts, for the document's directory and the scratch directory."""
    yield from _shared_rules(models)
    yield from (Rule(Path(device), landlock.READ_FILE) for device in DEVICES)
    yield Rule(Path(os.devnull), landlock.READ_FILE | landlock.WRITE_FILE)
    yield Rule(source, landlock.READ_FILE)
    yield Rule(scratch, READ_WRITE)


def readable(models: Path) -> set[Path]:
    """The files and directories that all OCR processes of this environment may read, with everything in them."""
    return {rule.path for rule in _shared_rules(models)}


def _shared_rules(models: Path) -> Iterator[Rule]:
    yield from (Rule(Path(place), RUN) for place in SYSTEM)
    yield from (Rule(place, RUN) for place in _installed())
    # Allow the package's own directory and not its parent: in a source tree, the parent contains the data directory.
    yield Rule(Path(__file__).parents[2], READ)
    yield from (Rule(Path(place), READ) for place in CONFIGURATION)
    if home := os.environ.get("HOME"):
        yield from (Rule(Path(home) / place, READ) for place in BELOW_HOME)
    if cache := os.environ.get("XDG_CACHE_HOME"):
        yield Rule(Path(cache) / "fontconfig", READ)
    for variable in PLACES_IN_ENVIRONMENT:
        places = map(Path, os.environ.get(variable, "").split(os.pathsep))
        yield from (Rule(place, READ) for place in places if place.is_absolute())
    yield Rule(models, READ)


def _installed() -> set[Path]:
    """The directories of Python and the programs, with their libraries and data. Some may not be below SYSTEM."""
    directories, prefixes = set(), {Path(sys.prefix), Path(sys.base_prefix)}
    for program in PROGRAMS:
        if path := shutil.which(program):
            homes = {Path(path).absolute().parent, Path(path).resolve().parent}
            directories |= homes
            prefixes |= {home.parent for home in homes}
    return directories | {prefix / place for prefix in prefixes for place in BELOW_PREFIX}


def _restrict_files(*, models: Path, scratch: Path, source: Path) -> int:
    version = landlock.abi()
    if not version:
        return 0
    try:
        landlock.restrict(rules(models=models, scratch=scratch, source=source))
    except OSError:
        return 0
    return version


def _filter_calls() -> bool:
    if not seccomp.supported():
        return False
    try:
        seccomp.install()
    except OSError:
        return False
    return True


def _give_up_privileges() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    # The effective, permitted and inheritable sets for capabilities 0 to 31, and then the same for those above.
    sets = (ctypes.c_uint32 * 6)()
    # If this fails, the sets stay empty, and no capability is left below.
    libc.capget(ctypes.byref(header), ctypes.byref(sets))
    # An ordinary user has it only in the user namespace of its mounts, where it is of no use.
    remaining = sets[1] & DAC_READ_SEARCH if os.geteuid() == 0 else 0
    libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)(remaining, remaining, 0, 0, 0, 0)))


def main() -> None:
    """Confine this process, and print as JSON what the kernel enforces."""
    nothing = Path(os.devnull)
    mounted = mounts.mount_scratch(Path.cwd(), size=1 << 20, entries=10)
    confinement = confine(mode=SandboxMode.PREFER, models=nothing, scratch=nothing, source=nothing)
    sys.stdout.write(json.dumps(asdict(replace(confinement, scratch=mounted))))


if __name__ == "__main__":
    main()
