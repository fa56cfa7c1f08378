"""The form of the Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header-07)."""

import re
from collections.abc import Sequence

from docserver.errors import BadRequest, KeyInUse, KeyReused

HEADER = "Idempotency-Key"

IN_USE, REUSED = KeyInUse.code, KeyReused.code
"""The codes of the problems that only this header leads to."""

MAX_CHARS = 255
"""Most characters of the header: far more than a UUID, which is what clients should send."""

PATTERN = r"""^("([ !#-\[\]-~]|\\["\\])+"|[A-Za-z0-9!#$%&'*+.^_`|~:/=@-]+)$"""
"""A string of structured fields (RFC 9651, 3.3.3), or the same without its quotation marks."""


_RIGHT = (
    'Put the key in quotation marks, as in "letter 4711": one text in ASCII, without control characters, in which \\ '
    f'stands before " and \\; with the marks, at most {MAX_CHARS} characters.'
)


def parse(headers: Sequence[str]) -> str:
    """The key; raises BadRequest."""
    text = headers[0].strip(" \t")
    if len(headers) != 1 or len(text) > MAX_CHARS or not re.fullmatch(PATTERN, text):
        raise BadRequest(
            f"{HEADER}: {_RIGHT}",
            errors=[{"detail": _RIGHT, "header": HEADER}],
        )
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
