"""The identities in a bucket, as `IdentityFiles` keeps them in a data directory: an object for each."""

import errno
from uuid import UUID, uuid4

from docserver.errors import StorageUnavailable
from docserver.model import parse_id
from docserver.settings import Settings, variable
from docserver.storage import BucketError
from docserver.storage.bucket import Bucket, StoredObject, md5
from docserver.storage.bucket_faults import is_settings_fault
from docserver.storage.identity import LONGEST, IdentityError


class ObjectIdentities:
    """The objects `directory` and `database` below `identity/`. All methods block.

    They raise StorageUnavailable while the bucket does not answer, and IdentityError if it refuses.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError."""
        self._bucket = Bucket(settings)
        self.place = f"storage {self._bucket.place}"

    def directory(self) -> UUID | None:
        return self._read("directory")

    def database(self) -> UUID | None:
        return self._read("database")

    def claim_directory(self) -> UUID:
        return self._claim("directory", uuid4())

    def claim_database(self, identity: UUID) -> UUID:
        return self._claim("database", identity)

    def replace_database(self, identity: UUID) -> None:
        try:
            self._bucket.put(_key("database"), _text(identity))
        except BucketError as error:
            raise self._error(error) from error

    def _claim(self, name: str, identity: UUID) -> UUID:
        present = self._read(name)
        if present:
            return present
        try:
            self._bucket.put_new(_key(name), _text(identity))
        except BucketError as error:
            raise self._error(error) from error
        written = self._read(name)
        if written is None:
            raise IdentityError(f"the object {_key(name)} in the {self.place} vanishes as soon as it is written")
        return written

    def _read(self, name: str) -> UUID | None:
        try:
            text, given = self._bucket.fetch(_key(name), length=LONGEST)
            identity = parse_id(text.decode(errors="replace").strip())
            stored = self._bucket.listed(_key(name))
            if stored is None or md5(text).hexdigest() != stored.etag:
                self._require_sound_way(given, stored, is_damaged=identity is None)
        except FileNotFoundError:
            return None
        except BucketError as error:
            raise self._error(error) from error
        if identity is None:
            raise IdentityError(
                f"the object {_key(name)} in the {self.place} is damaged: delete it and run `docserver adopt`"
            )
        return identity

    def _require_sound_way(self, given: StoredObject, stored: StoredObject | None, *, is_damaged: bool) -> None:
        """Raise BucketError if an identity was damaged on its way: an operator might give up one that seems lost."""
        if stored is None or stored.etag != given.etag or self._bucket.has_md5(stored):
            raise BucketError(errno.EIO, "other bytes than the bucket says it has")
        if is_damaged:
            self._bucket.require_same_bytes()

    def _error(self, error: BucketError) -> IdentityError | StorageUnavailable:
        if is_settings_fault(error):
            return IdentityError(
                f"the {self.place} cannot be used ({error.strerror}): correct {variable('storage_url')}"
            )
        return StorageUnavailable(f"the {self.place} cannot be used now ({error.strerror})")


def _key(name: str) -> str:
    return f"identity/{name}"


def _text(identity: UUID) -> bytes:
    return f"{identity}\n".encode()
