"""Secrets that the database keeps: with which keys they are encrypted, and where the key comes from."""

from dataclasses import replace
from pathlib import Path

import pytest

from docserver.encryption import Encryption, Undecryptable, open_encryption
from docserver.settings import Settings, SettingsError

OLD, NEW = "old" * 11, "new" * 11


def settings(directory: Path, key: str = "") -> Settings:
    return replace(Settings(), data_dir=directory, secret_key=key)


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    encrypted = open_encryption(settings(tmp_path)).encrypt("whsec_x")

    assert b"whsec" not in encrypted
    assert open_encryption(settings(tmp_path)).decrypt(encrypted) == "whsec_x"
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_setting_takes_the_place_of_the_file(tmp_path: Path) -> None:
    encrypted = open_encryption(settings(tmp_path, OLD)).encrypt("whsec_x")

    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Undecryptable):
        open_encryption(settings(tmp_path)).decrypt(encrypted)


def test_after_a_change_of_the_key_the_old_one_still_decrypts(tmp_path: Path) -> None:
    encrypted = Encryption([OLD]).encrypt("whsec_x")
    changed = open_encryption(settings(tmp_path, f" {NEW} , {OLD}"))

    assert changed.decrypt(encrypted) == "whsec_x"
    assert Encryption([NEW]).decrypt(changed.encrypt("whsec_y")) == "whsec_y"


def test_a_key_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DOCSERVER_SECRET_KEY must have at least 32 characters"):
        open_encryption(settings(tmp_path, f"{NEW},short"))


def test_an_empty_file_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()

    with pytest.raises(SettingsError, match="damaged"):
        open_encryption(settings(tmp_path))


def test_a_digest_cannot_be_made_without_the_key() -> None:
    digest = Encryption([NEW, OLD]).digest(b"secret")

    assert digest == Encryption([NEW]).digest(b"secret")
    assert digest not in (Encryption([OLD]).digest(b"secret"), Encryption([NEW]).digest(b"Secret"))
    assert len(digest) == 32
