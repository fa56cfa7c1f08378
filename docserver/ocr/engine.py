"""Both sides: describes the installed OCR engine: its version, its models and their digests. Reads no documents."""

import asyncio
import hashlib
import importlib.util
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from docserver.ocr.languages import MAX_NAMES, NAMES, candidates
from docserver.ocr.limits import LIBRARY, PROGRAM
from docserver.reading_options import AUTO
from docserver.settings import SettingsError, variable

PACKAGES: Mapping[str, str] = MappingProxyType(
    {"tesseract": "tesseract-ocr", "pdftoppm": "poppler-utils", "pdfinfo": "poppler-utils"}
)
"""Program → the Debian package that contains it."""

TIMEOUT_S = 30.0
"""Longest time for a command that describes the engine. It takes 20 ms; only a machine that is swapping needs more."""

NOT_LANGUAGES = frozenset({"osd", "equ"})
"""Models for page orientation and for formulas, which do not recognise text."""

_PRINT_LIBRARY_VERSION = f"import {LIBRARY}; print({LIBRARY}.tesseract_version())"

_DIRECTORY = re.compile(r'in "(?P<directory>[^"\n]+)"')


class EngineMissing(Exception):
    """A program or a model that recognition needs is not installed; the message names the package."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine's name and version, as results show them, its models, and how to call it."""

    name: str
    version: str
    models: Mapping[str, str]
    """Language → digest of its model, as `sha256:…`."""
    binding: str
    """LIBRARY or PROGRAM."""
    tessdata: str
    """The directory of the models."""

    def models_of(self, languages: str) -> dict[str, str | None]:
        """The digests of the models that may be used for a page in these languages; None for a missing model."""
        names = candidates(self.models) if languages == AUTO else languages.split("+")
        return {name: self.models.get(name) for name in names}


def check_programs() -> None:
    """Raise EngineMissing if a program is missing; the message names all missing packages."""
    missing = [program for program in PACKAGES if shutil.which(program) is None]
    if missing:
        packages = sorted({PACKAGES[program] for program in missing})
        raise EngineMissing(f"{' and '.join(missing)} not found; install: apt-get install {' '.join(packages)}")


def check_default_languages(languages: str, engine: Engine) -> None:
    """Check DOCSERVER_LANGUAGES: an upload that names no languages must not fail because of it.

    Raises SettingsError if it is malformed, EngineMissing if a model is not installed.
    """
    if languages == AUTO:
        return
    names, name_of_setting = languages.split("+"), variable("languages")
    if AUTO in names:
        raise SettingsError(f"{name_of_setting} must be {AUTO} alone, or languages without {AUTO}")
    if len(languages) > MAX_NAMES or not NAMES.fullmatch(languages) or NOT_LANGUAGES & set(names):
        raise SettingsError(f"{name_of_setting} must be languages joined by +, as in eng+deu, or {AUTO}")
    missing = [name for name in dict.fromkeys(names) if name not in engine.models]
    if missing:
        raise EngineMissing(
            f"{name_of_setting} names {' and '.join(missing)}, which Tesseract does not have; "
            f"install: apt-get install {' '.join(dict.fromkeys(map(_package_of, missing)))}"
        )


def _package_of(language: str) -> str:
    """The Debian package of a model. Packages of whole scripts have other names, so the package of all is returned."""
    return "tesseract-ocr-all" if "/" in language else f"tesseract-ocr-{language.lower().replace('_', '-')}"


async def describe(choice: str) -> Engine:
    """Describe the installed engine. `choice` is DOCSERVER_ENGINE. Raises EngineMissing if it is absent or broken."""
    check_programs()
    installed = importlib.util.find_spec(LIBRARY) is not None
    if choice == LIBRARY and not installed:
        raise EngineMissing(f"{LIBRARY} not found; install: pip install 'docserver[{LIBRARY}]'")
    binding = LIBRARY if installed and choice != PROGRAM else PROGRAM
    # Ask for the version in a separate process, so that the server does not load the library.
    command = (sys.executable, "-c", _PRINT_LIBRARY_VERSION) if binding == LIBRARY else ("tesseract", "--version")
    version = (await _output_of(*command)).partition("\n")[0].removeprefix("tesseract").strip()
    heading, _, names = (await _output_of("tesseract", "--list-langs")).strip().partition("\n")
    directory = _DIRECTORY.search(heading)
    languages = sorted({name.strip() for name in names.splitlines()} - NOT_LANGUAGES - {""})
    if not directory or not languages:
        raise EngineMissing("tesseract has no language installed; install: apt-get install tesseract-ocr-eng")
    tessdata = directory["directory"]
    models = await asyncio.to_thread(_digests, Path(tessdata), languages)
    return Engine("tesseract", version, MappingProxyType(models), binding, tessdata)


async def poppler_version() -> str:
    """The version of `pdftoppm`, as in 25.03.0. Raises EngineMissing if it does not run."""
    return (await _output_of("pdftoppm", "-v")).partition("\n")[0].removeprefix("pdftoppm version").strip()


async def _output_of(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise EngineMissing(f"{Path(command[0]).name} did not answer within {TIMEOUT_S:g} seconds") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        package = PACKAGES.get(command[0], PACKAGES["tesseract"])
        raise EngineMissing(f"{Path(command[0]).name} ended with {process.returncode}; reinstall: {package}")
    return output.decode(errors="replace")


def _digests(directory: Path, languages: list[str]) -> dict[str, str]:
    digests = {}
    for language in languages:
        try:
            with (directory / f"{language}.traineddata").open("rb") as model:
                digests[language] = f"sha256:{hashlib.file_digest(model, 'sha256').hexdigest()}"
        except OSError as error:
            raise EngineMissing(f"the model of the language {language} cannot be read: {error.strerror}") from error
    return digests
