"""Reads headers of uploads as clients write them: their parameters, and file names in all encodings that are in use.

`intake` makes file names fit for display.
"""

import re
from collections.abc import Sequence
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import decode_params, unquote

MAX_ENCODED_WORDS = 2000
"""Longest name, in characters, in which encoded words are looked for. Encoded names of 255 letters are shorter, and
Python's search takes quadratic time."""

BROWSER_ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}
"""The characters that browsers escape in the names of a form (HTML, multipart/form-data encoding algorithm)."""

OTHER_CHARSET = "cp1252"
"""The charset of names that are not UTF-8: the code page of Western Windows, which contains Latin-1."""


_PARAMETER = re.compile(r';\s*([\w*-]{1,40})\s*=\s*("(?:\\.|[^"\\])*"(?=\s*(?:;|$))|[^;]*)', re.ASCII)
"""A parameter. Some clients quote neither names with spaces, nor quotes in names, nor boundaries with `=`."""

Extended = tuple[str | None, str | None, str]
"""A value with charset and language (RFC 8187), whose bytes were decoded as Latin-1."""


def parameters(header: str) -> Sequence[tuple[str, str | Extended]]:
    """The parameters of a Content-Type or Content-Disposition header, names in lower case, extended values last."""
    given = [(name.lower(), value.strip()) for name, value in _PARAMETER.findall(header)]
    try:
        # The function of the standard library expects the header's own value first.
        decoded = decode_params([("", ""), *given])[1:]
    except TypeError:
        # It cannot sort the pieces of a value that is also given whole (`filename*` and `filename*0*`).
        decoded = [(name, value) for name, value in given if "*" not in name]
    return [(name, unquote(value) if isinstance(value, str) else _unquoted(value)) for name, value in decoded]


def filename(disposition: str) -> str:
    """The file name in a Content-Disposition header that was decoded as Latin-1; "" if there is none.

    A name with a charset of its own (`filename*`) precedes one without.
    """
    names = [value for name, value in reversed(parameters(disposition)) if name == "filename"]
    return next(filter(None, (_plain(name) if isinstance(name, str) else _extended(name) for name in names)), "")


def text(latin1: str) -> str:
    """The text of a header that was decoded as Latin-1. Bytes that are no letters in OTHER_CHARSET are replaced."""
    sent = latin1.encode("latin-1")
    try:
        return sent.decode()
    except UnicodeDecodeError:
        return sent.decode(OTHER_CHARSET, "replace")


def _unquoted(value: Extended) -> Extended:
    charset, language, latin1 = value
    return charset, language, unquote(latin1)


def _extended(name: Extended) -> str:
    """The name, or "" if its charset is unknown."""
    charset, _, value = name
    try:
        return value.encode("latin-1").decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return ""


def _plain(name: str) -> str:
    for escape, character in BROWSER_ESCAPES.items():
        name = name.replace(escape, character)
    name = text(name)
    if "=?" in name and name.isascii() and len(name) <= MAX_ENCODED_WORDS:
        return _of_encoded_words(name)
    return name


def _of_encoded_words(name: str) -> str:
    """The name that a mail library has written as encoded words (RFC 2047), or the given text if it has none."""
    try:
        return "".join(
            part if isinstance(part, str) else part.decode((charset or "ascii").partition("*")[0], "replace")
            for part, charset in decode_header(name)
        )
    except (HeaderParseError, LookupError, ValueError):
        return name
