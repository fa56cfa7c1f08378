"""Child side: what an OCR process may reach, and the giving up of all else; how Landlock and seccomp work is not here.

Run as a program, it confines itself and says what took hold: the server's way to know what the kernel can do.
"""

import ctypes
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from docserver.ocr.sandbox import landlock, seccomp
from docserver.ocr.sandbox.landlock import Rule
from docserver.settings import SandboxMode

PROGRAMS = ("tesseract", "pdftoppm", "pdfinfo")
"""What is started: where they lie, their libraries and data lie."""

READ = landlock.READ_FILE | landlock.READ_DIR
RUN = READ | landlock.EXECUTE
KEEP = READ | landlock.WRITE_FILE | landlock.TRUNCATE | landlock.MAKE_REG | landlock.MAKE_DIR
KEEP |= landlock.REMOVE_FILE | landlock.REMOVE_DIR
"""Write, but run nothing that was written, and make neither links, sockets nor pipes."""

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
BELOW_PREFIX = ("bin", "lib", "lib64", "libexec", "pyvenv.cfg", "share")
CONFIGURATION = (
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/papersize",
    "/etc/ssl/openssl.cnf",
    "/sys/devices/system/cpu",
    "/var/cache/fontconfig",
)
BELOW_HOME = (".cache/fontconfig", ".config/fontconfig", ".fonts", ".fonts.conf", ".local/share/fonts")
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
PLACES_IN_ENVIRONMENT = ("TESSDATA_PREFIX", "FONTCONFIG_FILE", "FONTCONFIG_PATH", "LD_LIBRARY_PATH")

PR_SET_NO_NEW_PRIVS = 38
CAPABILITY_VERSION = 0x20080522
DAC_READ_SEARCH = 1 << 2
"""Root's programs and files may belong to others; what may be read is Landlock's to say."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What took hold."""

    landlock: int
    """The ABI version that is in force; 0 is none."""
    seccomp: bool

    @property
    def complete(self) -> bool:
        """Whether a document's process can reach neither files nor networks that are not its own."""
        return bool(self.landlock) and self.seccomp

    def __str__(self) -> str:
        landlock = f"Landlock ABI {self.landlock}" if self.landlock else "no Landlock"
        return f"{landlock}, {'seccomp' if self.seccomp else 'no seccomp'}"


class NotConfined(Exception):
    """The sandbox is required and cannot be had."""


def confine(*, mode: SandboxMode, models: Path, scratch: Path, source: Path) -> Confinement:
    """Keep what reading needs, the files in `source`, and writing in `scratch`; there is no way back.

    Call it with a single thread, as all threads to come inherit it. Raises NotConfined if `mode` requires all of it.
    """
    _give_up_privileges()
    if mode is SandboxMode.OFF:
        return Confinement(landlock=0, seccomp=False)
    found = Confinement(
        landlock=_restrict_files(models=models, scratch=scratch, source=source), seccomp=_filter_calls()
    )
    if mode is SandboxMode.REQUIRE and not found.complete:
        raise NotConfined(str(found))
    return found


def rules(*, models: Path, scratch: Path, source: Path) -> Iterator[Rule]:
    """What may be reached: programs, libraries, models and fonts, the document's directory, the scratch directory."""
    yield from (Rule(Path(place), RUN) for place in SYSTEM)
    yield from (Rule(place, RUN) for place in _installed())
    # In a source tree the package stands beside the data directory, so its own directory and no more.
    yield Rule(Path(__file__).parents[2], READ)
    yield from (Rule(Path(place), READ) for place in CONFIGURATION)
    if home := os.environ.get("HOME"):
        yield from (Rule(Path(home) / place, READ) for place in BELOW_HOME)
    if cache := os.environ.get("XDG_CACHE_HOME"):
        yield Rule(Path(cache) / "fontconfig", READ)
    for variable in PLACES_IN_ENVIRONMENT:
        places = map(Path, os.environ.get(variable, "").split(os.pathsep))
        yield from (Rule(place, READ) for place in places if place.is_absolute())
    yield from (Rule(Path(device), landlock.READ_FILE) for device in DEVICES)
    yield Rule(Path(os.devnull), landlock.READ_FILE | landlock.WRITE_FILE)
    yield Rule(models, READ)
    yield Rule(source, landlock.READ_FILE)
    yield Rule(scratch, KEEP)


def _installed() -> set[Path]:
    """Where Python and the programs are, with their libraries and data, if that is none of the system's places."""
    found, prefixes = set(), {Path(sys.prefix), Path(sys.base_prefix)}
    for program in PROGRAMS:
        if path := shutil.which(program):
            homes = {Path(path).absolute().parent, Path(path).resolve().parent}
            found |= homes
            prefixes |= {home.parent for home in homes}
    return found | {prefix / place for prefix in prefixes for place in BELOW_PREFIX}


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
    server = os.getppid()
    try:
        seccomp.install(server=server, group=os.getpgid(server))
    except OSError:
        return False
    return True


def _give_up_privileges() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    # Effective, permitted, inheritable, and the three again for the higher numbers.
    held = (ctypes.c_uint32 * 6)()
    if libc.capget(ctypes.byref(header), ctypes.byref(held)) == 0:
        kept = held[1] & DAC_READ_SEARCH
        libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)))


def main() -> None:
    """Confine this process, and print what took hold as JSON."""
    nowhere = Path(os.devnull)
    found = confine(mode=SandboxMode.PREFER, models=nowhere, scratch=nowhere, source=nowhere)
    sys.stdout.write(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
