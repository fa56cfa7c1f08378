"""The text of API keys: how one is made, recognised and hashed. Keys are stored and looked up elsewhere.

A key is `dsk_`, 8 characters by which it is looked up, 32 that are secret, and 6 of a checksum, in letters and digits.
Secret scanners find keys by `dsk_`, and tell them from other text by the checksum.
"""

import re
import secrets
import string
from dataclasses import dataclass
from hashlib import sha256
from zlib import crc32

KEY_MARK = "dsk_"
"""Begins every key, so that secret scanners recognise one."""

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase

PREFIX_LENGTH = len(KEY_MARK) + 8
"""The characters that are no secret. Lists and logs name a key by them."""

SECRET_LENGTH = 32
"""190 bits: nobody can guess a key, so a plain hash protects it as well as a slow one."""

CHECKSUM_LENGTH = 6

_KEY = re.compile(rf"{KEY_MARK}[0-9A-Za-z]{{{PREFIX_LENGTH - len(KEY_MARK) + SECRET_LENGTH + CHECKSUM_LENGTH}}}")


@dataclass(frozen=True, slots=True)
class HashedKey:
    """What is stored of a key."""

    prefix: str
    sha256: bytes


def new_key() -> str:
    """A new key. It is shown once, and only `hashed` of it is stored."""
    length = PREFIX_LENGTH - len(KEY_MARK) + SECRET_LENGTH
    unchecked = KEY_MARK + "".join(secrets.choice(ALPHABET) for _ in range(length))
    return unchecked + _checksum(unchecked)


def hashed(text: str) -> HashedKey | None:
    """What is stored of a key; None if the text is no key."""
    if not _KEY.fullmatch(text) or _checksum(text[:-CHECKSUM_LENGTH]) != text[-CHECKSUM_LENGTH:]:
        return None
    return HashedKey(text[:PREFIX_LENGTH], sha256(text.encode()).digest())


def _checksum(text: str) -> str:
    """The CRC-32 in base 62, as in the tokens of GitHub."""
    number, digits = crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
