"""Child side: mends PDFs that some readers open and PDFium does not: cut off at the end, or with `%pdf` for a header.

Leaves a file as it is if it may lack pages.
"""

import mmap
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WITHIN = 1024
"""Readers look for the header of a PDF in this many bytes at its start, and for its end in as many at its end (ISO
32000-1, annex H, notes 13 and 18)."""

MAX_BYTES = 64 * 1024 * 1024
"""Largest file that is mended. An OCR process may not write much larger ones."""

_HEADER = re.compile(rb"%PDF-", re.IGNORECASE)
_END = re.compile(rb"startxref|%%EOF")
_TABLE = re.compile(rb"\s*(?:xref\b|\d+\s+\d+\s+obj\s*<<[^\x80-\xff]*?/Type\s*/XRef\b)")
"""The start of the table of objects, as a text or as a stream, which follows the last object of a PDF."""

_ENCRYPTED = re.compile(rb"/Encrypt\b|/Filter\s*/(?:Standard|Adobe\.PubSec)\b")
_ROOT = re.compile(rb"/Root\s+(\d+)\s+(\d+)\s+R\b")
_START = re.compile(rb"(?<!\d)(\d+)\s+(\d+)\s+obj$")
MAX_START_BYTES, MAX_CATALOG_BYTES = 32, 4096
"""Most bytes of the start of an object, and of the entries of a catalog before its type."""


@contextmanager
def mended(source: str, *, scratch: Path) -> Iterator[str]:
    """The path of a PDF: of the file itself, or of a mended copy in the scratch directory during the block."""
    with Path(source).open("rb") as file:
        file.seek(0, 2)
        length = file.tell()
        file.seek(0)
        header = _HEADER.search(file.read(WITHIN))
        file.seek(max(0, length - WITHIN))
        is_cut = not _END.search(file.read())
        is_lower = header is not None and header[0] != b"%PDF-"
        if not (0 < length <= MAX_BYTES and (is_cut or is_lower)):
            yield source
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as content:
            if header is not None:
                content[header.start() : header.end()] = b"%PDF-"
            end = _end(content) if is_cut else None
            if not (end or is_lower):
                yield source
                return
            with tempfile.NamedTemporaryFile(dir=scratch, suffix=".pdf") as copy:
                for piece in (content[: end[0]], end[1]) if end else (content,):
                    copy.write(piece)
                copy.flush()
                yield copy.name


def _end(content: mmap.mmap) -> tuple[int, bytes] | None:
    """Where the objects of a PDF end, and what is to follow them; None if it may lack objects or may be encrypted."""
    end_of_objects = content.rfind(b"endobj") + len(b"endobj")
    rest = content[end_of_objects:]
    # Without the key, an encrypted page would look empty.
    if not _TABLE.match(rest) or _ENCRYPTED.search(content):
        return None
    root = _ROOT.search(rest) or _catalog(content)
    # Without a valid place of the table, readers look for the objects themselves.
    return root and (end_of_objects, b"\ntrailer\n<</Root %b %b R>>\nstartxref\n0\n%%%%EOF\n" % root.groups())


def _catalog(content: mmap.mmap) -> re.Match[bytes] | None:
    """The numbers of the last catalog. The search does not backtrack, because the file may be made to take long."""
    type_of_catalog = content.rfind(b"/Catalog")
    start = content.rfind(b"obj", max(0, type_of_catalog - MAX_CATALOG_BYTES), max(0, type_of_catalog)) + len(b"obj")
    return _START.search(content[max(0, start - MAX_START_BYTES) : start])
