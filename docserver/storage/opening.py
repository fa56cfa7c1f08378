"""Opens the storage that the settings name: a bucket, or else the data directory."""

from docserver.room import UNLIMITED, Room
from docserver.settings import Settings
from docserver.storage import Storage
from docserver.storage.identity import Identities, IdentityFiles
from docserver.storage.local import LocalStorage


def open_storage(settings: Settings, room: Room = UNLIMITED) -> Storage:
    """The storage of the originals. Uploads are refused when `room` has too little for them. Raises SettingsError."""
    if not settings.storage_url:
        return LocalStorage(settings.data_dir, room)
    from docserver.storage.objects import ObjectStorage

    return ObjectStorage(settings, room)


def open_identities(settings: Settings) -> Identities:
    """The identities that the storage has. Raises SettingsError."""
    if not settings.storage_url:
        return IdentityFiles(settings.data_dir)
    from docserver.storage.object_identity import ObjectIdentities

    return ObjectIdentities(settings)
