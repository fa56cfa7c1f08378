"""What is installed: the programs, Tesseract and its models; and the default languages, checked against them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from docserver.ocr import engine
from docserver.ocr.engine import Engine, EngineMissing, check_default_languages, describe
from docserver.ocr.limits import LIBRARY, PROGRAM
from docserver.settings import SettingsError

ENGINE = Engine("tesseract", "5.3.0", dict.fromkeys(("deu", "eng", "script/Latin"), "sha256:0"), PROGRAM, "/models")


@pytest.mark.parametrize("languages", ["eng", "deu+eng", "script/Latin", "eng+script/Latin", "auto"])
def test_languages_that_are_installed_may_be_the_default(languages: str) -> None:
    check_default_languages(languages, ENGINE)


@pytest.mark.parametrize(
    ("languages", "packages"),
    [
        ("xyz", "tesseract-ocr-xyz"),
        ("eng+fra+chi_sim+fra", "tesseract-ocr-fra tesseract-ocr-chi-sim"),
        ("script/Greek+script/Thai", "tesseract-ocr-all"),
    ],
)
def test_languages_that_are_missing_are_refused_with_their_packages(languages: str, packages: str) -> None:
    with pytest.raises(EngineMissing, match=rf"^DOCSERVER_LANGUAGES names .*; install: apt-get install {packages}$"):
        check_default_languages(languages, ENGINE)


@pytest.mark.parametrize("languages", ["auto+eng", "eng+auto"])
def test_auto_stands_alone(languages: str) -> None:
    with pytest.raises(SettingsError, match=r"^DOCSERVER_LANGUAGES must be auto alone"):
        check_default_languages(languages, ENGINE)


@pytest.mark.parametrize(
    "languages", ["eng,deu", "eng deu", "eng+", "+", "../eng", "--help", "osd", "eng+osd", "+".join(["eng"] * 200)]
)
def test_what_names_no_languages_is_refused(languages: str) -> None:
    with pytest.raises(SettingsError, match=r"^DOCSERVER_LANGUAGES must be languages joined by \+"):
        check_default_languages(languages, ENGINE)


@pytest.fixture
def tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a program with this script in the place of tesseract, beside the other programs that are needed."""

    def install(script: str) -> None:
        for program in engine.PACKAGES:
            path = tmp_path / program
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


LISTS = """case $1 in --list-langs) echo 'List of available languages in "{directory}" (1):'; echo {names};; esac"""


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("exit 0", "no language installed; install: apt-get install tesseract-ocr-eng"),
        (LISTS.format(directory="/nowhere", names=""), "no language installed"),
        (LISTS.format(directory="/nowhere", names="osd"), "no language installed"),
        (LISTS.format(directory="/nowhere", names="eng"), "the model of the language eng cannot be read: No such file"),
        ("exit 3", "tesseract ended with 3; reinstall: tesseract-ocr"),
    ],
)
async def test_a_tesseract_that_does_not_work_is_refused(
    tesseract: Callable[[str], None], script: str, complaint: str
) -> None:
    tesseract(script)

    with pytest.raises(EngineMissing, match=complaint):
        await describe(PROGRAM)


async def test_a_tesseract_that_hangs_is_refused(
    tesseract: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "TIMEOUT_S", 0.1)
    tesseract("exec sleep 60")

    with pytest.raises(EngineMissing, match=r"did not answer within 0\.1 seconds"):
        await describe(PROGRAM)


async def test_programs_that_are_missing_are_named_with_their_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EngineMissing, match=r"tesseract.* not found; install: apt-get install .*tesseract-ocr"):
        await describe(PROGRAM)


async def test_a_library_that_is_missing_is_named(
    tesseract: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tesseract("exit 0")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(EngineMissing, match=r"tesserocr not found; install: pip install 'docserver\[tesserocr\]'"):
        await describe(LIBRARY)
