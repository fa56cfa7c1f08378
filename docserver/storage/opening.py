"""Opens the storage that the settings name: a bucket, or else a directory."""

from docserver.room import UNLIMITED, Room
from docserver.settings import Settings, SettingsError, variable
from docserver.storage import Storage
from docserver.storage.identity import Identities, IdentityFiles
from docserver.storage.local import LocalStorage


def open_storage(settings: Settings, room: Room = UNLIMITED) -> Storage:
    """The storage of the originals. Uploads are refused when `room` has too little for them. Raises SettingsError."""
    storage = _storage(settings, room)
    if settings.storage_redirects and storage.links is None:
        raise SettingsError(
            f"{variable('storage_redirects')} needs an S3 bucket ({variable('storage_url')}) whose requests are signed"
        )
    return storage


def _storage(settings: Settings, room: Room) -> Storage:
    if settings.storage_dir:
        return LocalStorage(settings.storage_dir, room, max_result_bytes=settings.max_result_bytes)
    from docserver.storage.objects import ObjectStorage

    return ObjectStorage(settings, room)


def open_identities(settings: Settings) -> Identities:
    """The identities that the storage has. Raises SettingsError."""
    if settings.storage_dir:
        return IdentityFiles(settings.storage_dir)
    from docserver.storage.object_identity import ObjectIdentities

    return ObjectIdentities(settings)
