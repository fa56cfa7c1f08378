"""PDFs that need a password, by all kinds of encryption."""

import io
import warnings
from typing import Literal

import pikepdf

Revision = Literal[2, 3, 4, 5, 6]
"""Of the standard security handler (ISO 32000-2, 7.6.4): RC4 of 40 and 128 bits, AES-128, AES-256 twice."""


def locked(pdf: bytes, *, password: str, revision: Revision = 6, owner: str = "of the owner") -> bytes:
    """The PDF, encrypted."""
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as opened, warnings.catch_warnings():
        # Revision 5 was never in a standard, but some files have it.
        warnings.simplefilter("ignore", UserWarning)
        is_aes = revision >= 4
        encryption = pikepdf.Encryption(user=password, owner=owner, R=revision, aes=is_aes, metadata=is_aes)
        opened.save(file, encryption=encryption)
    return file.getvalue()
