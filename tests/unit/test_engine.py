"""The default languages, checked against the models that are installed."""

import pytest

from docserver.ocr.engine import PROGRAM, Engine, EngineMissing, check_default_languages
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
