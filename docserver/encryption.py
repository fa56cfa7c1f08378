"""Encrypts secrets that the database keeps: those that sign webhooks, and passwords of PDFs. Makes the key at the first
start.

The key is not in the database, so a copy of the database alone tells no secret.
"""

import base64
import hmac
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from docserver.settings import Settings, SettingsError, variable
from docserver.storage.directories import link_new, sync

KEY_FILE = "secret_key"
"""The file in the data directory that has the key, unless the setting has it."""

MIN_KEY_CHARS = 32
"""Fewest characters of a key from the settings. Keys are hashed and not stretched, so they must not be guessable."""


class Undecryptable(Exception):
    """The text was encrypted with a key that this process does not have, or it is damaged."""


class Encryption:
    """Encrypts with the first key, and decrypts with any of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(sha256(key.encode()).digest())) for key in keys])
        self._key = sha256(f"digest\0{keys[0]}".encode()).digest()

    def encrypt(self, text: str) -> bytes:
        """The encrypted text; about 100 bytes longer, and a third."""
        return self._fernet.encrypt(text.encode())

    def digest(self, data: bytes) -> bytes:
        """A hash of 32 bytes. Without the key, nobody finds out by trying which data it is of."""
        return hmac.digest(self._key, data, "sha256")

    def decrypt(self, encrypted: bytes) -> str:
        """The inverse of `encrypt`; raises Undecryptable."""
        try:
            return self._fernet.decrypt(encrypted).decode()
        except InvalidToken as error:
            raise Undecryptable from error


def has_key(settings: Settings) -> bool:
    """True if there is a key, so that `open_encryption` makes none. Blocks."""
    return bool(settings.secret_key) or (settings.data_dir / KEY_FILE).exists()


def open_encryption(settings: Settings) -> Encryption:
    """Encryption with the keys of the settings, else with that in the data directory, which is made if it is missing.

    Blocks. Raises SettingsError for a key that is too short or damaged, and OSError.
    """
    keys = [key.strip() for key in settings.secret_key.split(",") if key.strip()]
    if not keys:
        return Encryption([_key_in(settings.data_dir)])
    if any(len(key) < MIN_KEY_CHARS for key in keys):
        raise SettingsError(f"{variable('secret_key')} must have at least {MIN_KEY_CHARS} characters in each key")
    return Encryption(keys)


def _key_in(directory: Path) -> str:
    """The key in the data directory. Processes that start for the first time at the same time agree on one."""
    path = directory / KEY_FILE
    if not path.exists():
        _make_key(path)
    key = path.read_text(errors="replace").strip()
    if len(key) < MIN_KEY_CHARS:
        raise SettingsError(f"the file {path} is damaged: restore it from a backup")
    return key


def _make_key(path: Path) -> None:
    new = path.with_name(f"{path.name}.{uuid4()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.urlsafe_b64encode(os.urandom(32)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        link_new(new, path)
    finally:
        new.unlink(missing_ok=True)
    sync(path.parent)
