"""Child side: checks the objects of a part of a PDF, whatever they mean: their sizes and how their data are encoded.

What PDF/A does not allow and nobody sees is removed from them.
"""

from typing import Any

from pikepdf import Array, Dictionary, Name, Object, PdfError, Stream, String

from docserver.ocr.archival.unfit import Unfit

MAX_INTEGER, MAX_STRING, MAX_NAME = 2**31 - 1, 32767, 127
"""Limits of ISO 19005-2, 6.1.13."""

MAX_OBJECTS = 2_000_000
"""Most objects of a part that are looked at, which takes some seconds. A page of a map has some ten thousand."""

FILTERS = frozenset({"ASCIIHexDecode", "ASCII85Decode", "FlateDecode", "RunLengthDecode", "CCITTFaxDecode"})
IMAGE_FILTERS = frozenset({"JBIG2Decode", "DCTDecode", "JPXDecode"})
LZW = "LZWDecode"

UPWARDS = frozenset({"/Parent", "/P", "/Pg", "/StructParent", "/StructParents"})
"""Keys that lead out of a page, to objects that are looked at elsewhere."""

UNSEEN = frozenset({"/Metadata", "/PieceInfo", "/AF", "/Alternates", "/OPI", "/Thumb", "/LastModified"})
"""Keys of what is not seen, and would need checks of its own."""


def check_objects(root: Object, seen: set[tuple[int, int]]) -> None:
    """Check an object and all that it leads to, except for pages and for what was `seen`. Raises Unfit."""
    waiting: list[Any] = [root]
    looked_at = 0
    while waiting:
        value = waiting.pop()
        looked_at += 1
        if looked_at > MAX_OBJECTS:
            raise Unfit("too many objects")
        if isinstance(value, Object) and value.is_indirect:
            if value.objgen in seen:
                continue
            seen.add(value.objgen)
        if isinstance(value, Dictionary | Stream):
            if value is not root and value.get(Name.Type) == Name.Page:
                continue
            waiting += _members(value)
        elif isinstance(value, Array):
            waiting.extend(value)
        else:
            _check_value(value)


def filters_of(stream: Object) -> list[str]:
    """The names of a stream's filters, without the slash."""
    filters = stream.get(Name.Filter)
    return [str(each)[1:] for each in (filters if isinstance(filters, Array) else [filters]) if each is not None]


def _members(value: Object) -> list[Any]:
    if isinstance(value, Stream):
        _check_stream(value)
    for key in UNSEEN:
        if key in value:
            del value[key]
    members = []
    for key, member in value.items():
        _check_name(key)
        if key not in UPWARDS:
            members.append(member)
    return members


def _check_value(value: Any) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise Unfit("an integer is too large")
    elif isinstance(value, String):
        if len(bytes(value)) > MAX_STRING:
            raise Unfit("a string is too long")
    elif isinstance(value, Name):
        _check_name(str(value))


def _check_name(name: str) -> None:
    try:
        encoded = name.encode()
    except UnicodeEncodeError as error:
        raise Unfit("a name is not UTF-8") from error
    if len(encoded) > MAX_NAME + 1:
        raise Unfit("a name is too long")


def _check_stream(stream: Stream) -> None:
    if Name.F in stream or Name.FFilter in stream or Name.FDecodeParms in stream:
        raise Unfit("data are in another file")
    filters = filters_of(stream)
    if LZW in filters:
        try:
            stream.write(stream.read_bytes())
        except PdfError as error:
            raise Unfit("LZW data cannot be decoded") from error
        return
    if not set(filters) <= FILTERS | IMAGE_FILTERS:
        raise Unfit("a filter is not allowed")
