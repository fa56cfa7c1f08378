"""Data directories that OCR processes could read are refused, under whatever name."""

import errno
import shutil
from pathlib import Path

import pytest

from docserver.ocr.server import exposure
from docserver.ocr.server.exposure import Mount, refuse_exposed
from docserver.settings import SettingsError

MODELS = Path("/usr/share/tesseract-ocr/5/tessdata")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "of a service" / "data"
    directory.mkdir(parents=True)
    return directory


@pytest.mark.parametrize("place", ["/usr/src/app/data", "/srv/data", "/usr/data", "/opt/docserver/data", "/data"])
def test_a_directory_of_its_own_is_accepted(place: str) -> None:
    refuse_exposed(Path(place), models=MODELS)


@pytest.mark.parametrize(
    "place", ["/usr/lib/data", "/usr/local/share/data", "/lib/data", "/usr/share", "/etc/fonts/data"]
)
def test_a_directory_below_programs_libraries_or_fonts_is_refused(place: str) -> None:
    with pytest.raises(SettingsError, match=r"DOCSERVER_DATA_DIR is .* OCR processes may read /"):
        refuse_exposed(Path(place), models=MODELS)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LD_LIBRARY_PATH", "/"),
        ("LD_LIBRARY_PATH", "/usr/lib:{data}"),
        ("TESSDATA_PREFIX", "{data}/originals"),
        ("TESSDATA_PREFIX", "{data}/.."),
        ("FONTCONFIG_PATH", "{data}/mysql/docserver"),
        ("FONTCONFIG_FILE", "{data}/scratch/fonts.conf"),
    ],
)
def test_a_variable_that_makes_documents_readable_is_refused(
    variable: str, value: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_exposed(data, models=MODELS)
    monkeypatch.setenv(variable, value.format(data=data))

    with pytest.raises(SettingsError, match="DOCSERVER_DATA_DIR"):
        refuse_exposed(data, models=MODELS)


def test_programs_beside_the_data_directory_make_it_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = data.parent / "tesseract"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(data.parent))
    assert shutil.which("tesseract") == str(program)

    with pytest.raises(SettingsError, match="DOCSERVER_DATA_DIR"):
        refuse_exposed(data, models=MODELS)


@pytest.mark.parametrize(("variable", "value"), [("HOME", "{data}"), ("TESSDATA_PREFIX", "{data}/tessdata")])
def test_fonts_and_models_may_lie_in_the_data_directory(
    variable: str, value: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value.format(data=data))

    refuse_exposed(data, models=data / "tessdata")


@pytest.mark.parametrize("linked", ["", "originals"])
def test_a_symbolic_link_to_a_readable_place_is_refused(linked: str, data: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    (models / "elsewhere").mkdir(parents=True)
    link = data / linked if linked else tmp_path / "link"
    link.symlink_to(models / "elsewhere")

    with pytest.raises(SettingsError, match="models"):
        refuse_exposed(data if linked else link, models=models)


@pytest.mark.parametrize(
    "mounted",
    [
        [Mount("8:1", Path("/"), Path("/")), Mount("8:1", Path("{data}"), Path("{models}/data"))],
        [Mount("8:1", Path("/"), Path("/")), Mount("8:1", Path("{data}/originals"), Path("{models}/some"))],
        [Mount("8:2", Path("/"), Path("{models}/all")), Mount("8:2", Path("/below"), Path("{data}"))],
        [Mount("8:3", Path("/sub"), Path("{data}/originals")), Mount("8:3", Path("/sub"), Path("{models}/sub"))],
    ],
)
def test_a_mount_that_shows_documents_below_a_readable_place_is_refused(
    mounted: list[Mount], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"

    def placed(path: Path) -> Path:
        return Path(str(path).format(data=data, models=models))

    mounts = [Mount(mount.device, placed(mount.root), placed(mount.place)) for mount in mounted]
    monkeypatch.setattr(exposure, "_mounts", lambda: mounts)

    with pytest.raises(SettingsError, match="models"):
        refuse_exposed(data, models=models)


def test_the_mounts_of_this_system_are_read() -> None:
    places = [mount.place for mount in exposure._mounts()]

    assert Path("/") in places
    assert Path("/proc") in places
    assert exposure._unescaped(r"/my\040data") == "/my data"


def test_mounts_that_cannot_be_read_are_an_error_and_not_none(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse)

    with pytest.raises(PermissionError, match="mountinfo"):
        refuse_exposed(data, models=MODELS)
