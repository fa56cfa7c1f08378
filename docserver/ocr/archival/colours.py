"""Child side: checks colour spaces (ISO 19005-2, 6.2.4): each says which colours are meant, or is grey or RGB.

The document's output intent says which colours these are.
"""

from typing import Any

from pikepdf import Array, Dictionary, Name, Object, PdfError, Stream

from docserver.ocr.archival.unfit import Unfit

DEVICE_INDEPENDENT = frozenset({"/CalGray", "/CalRGB", "/Lab"})
EXPLAINED = frozenset({"/DeviceGray", "/DeviceRGB", "/G", "/RGB", "/Pattern"})
"""Names of colour spaces that need no more, with those that inline images use."""

DEFAULTS = ("/DefaultGray", "/DefaultRGB", "/DefaultCMYK")

CHANNELS = {b"GRAY": 1, b"RGB ": 3, b"Lab ": 3, b"CMYK": 4}
PROFILE_CLASSES = frozenset({b"prtr", b"mntr", b"scnr", b"spac"})
MAX_PROFILE_VERSION = 4
PROFILE_HEADER_BYTES = 128

MAX_DEPTH = 8
"""Most levels of colour spaces within colour spaces. Real ones need three."""

MAX_COLORANTS = 32


class ColourChecks:
    """The checks of one document. They remember the colour spaces that were in order."""

    def __init__(self) -> None:
        self._fit: set[tuple[int, int]] = set()
        self._tints: dict[str, bytes] = {}
        """What each name of a colorant means. It must mean the same everywhere."""

    def check(self, space: Any, resources: Object | None, depth: int = 0) -> None:
        """Check a colour space, which may be the name of one of the resources. Raises Unfit."""
        if depth > MAX_DEPTH:
            raise Unfit("colour spaces lie too deep")
        if isinstance(space, Name):
            self._check_name(str(space), resources, depth)
            return
        if not isinstance(space, Array) or not len(space):
            raise Unfit("a colour space is invalid")
        if space.is_indirect and space.objgen in self._fit:
            return
        self._check_array(space, resources, depth)
        if space.is_indirect:
            self._fit.add(space.objgen)

    def _check_name(self, name: str, resources: Object | None, depth: int) -> None:
        if name in EXPLAINED:
            return
        named = resources.get(Name.ColorSpace) if isinstance(resources, Dictionary) else None
        if not isinstance(named, Dictionary) or name not in named:
            raise Unfit(f"the colour space {name[1:]} has no profile")
        self.check(named[name], None, depth + 1)

    def _check_array(self, space: Array, resources: Object | None, depth: int) -> None:
        kind = str(space[0])
        if kind in DEVICE_INDEPENDENT or (kind in EXPLAINED and len(space) == 1):
            return
        if kind == "/ICCBased":
            self._check_profile(space[1])
        elif kind in ("/Indexed", "/I", "/Pattern"):
            self.check(space[1], resources, depth + 1)
        elif kind == "/Separation":
            self._check_tint(str(space[1]), space)
            self.check(space[2], resources, depth + 1)
        elif kind == "/DeviceN":
            self._check_device_n(space, resources, depth)
        else:
            raise Unfit("a colour space is not known")

    def _check_profile(self, profile: Any) -> None:
        if not isinstance(profile, Stream):
            raise Unfit("a colour profile is missing")
        try:
            header = profile.read_bytes()[:PROFILE_HEADER_BYTES]
        except PdfError as error:
            raise Unfit("a colour profile cannot be read") from error
        if (
            len(header) < PROFILE_HEADER_BYTES
            or header[8] > MAX_PROFILE_VERSION
            or header[12:16] not in PROFILE_CLASSES
            or CHANNELS.get(header[16:20]) != profile.get(Name.N)
        ):
            raise Unfit("a colour profile is not allowed")

    def _check_tint(self, name: str, space: Array) -> None:
        meaning = b" ".join(_reference(part) for part in (space[2], space[3]))
        if self._tints.setdefault(name, meaning) != meaning:
            raise Unfit("a colorant has two meanings")

    def _check_device_n(self, space: Array, resources: Object | None, depth: int) -> None:
        names = [str(name) for name in space[1]]
        attributes = space[4] if len(space) > 4 else Dictionary()
        colorants = attributes.get(Name.Colorants, Dictionary())
        process = attributes.get(Name.Process, Dictionary())
        explained = {*colorants.keys(), *(str(name) for name in process.get(Name.Components, [])), "/None"}
        if len(names) > MAX_COLORANTS or not set(names) <= explained:
            raise Unfit("colorants are not explained")
        if Name.ColorSpace in process:
            self.check(process[Name.ColorSpace], resources, depth + 1)
        for colorant in colorants.values():
            self.check(colorant, resources, depth + 1)
        self.check(space[2], resources, depth + 1)


def _reference(part: Any) -> bytes:
    """Tells whether two parts are the same object, or look the same."""
    if isinstance(part, Object) and part.is_indirect:
        return b"%d %d R" % part.objgen
    return part.unparse(resolved=False) if isinstance(part, Object) else repr(part).encode()
