"""Both sides: describes the installed OCR engine: its version, its models and their digests. Reads no documents."""

import asyncio
import hashlib
import importlib.util
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from docserver.layout import EngineName
from docserver.ocr.languages import DETECTOR, MAX_NAMES, NAMES, RECOGNISER, candidates, reads
from docserver.ocr.limits import LIBRARY, PROGRAM
from docserver.reading_options import AUTO, EngineChoice, Options
from docserver.settings import SettingsError, variable

PACKAGES: Mapping[str, str] = MappingProxyType(
    {"tesseract": "tesseract-ocr", "pdftoppm": "poppler-utils", "pdfinfo": "poppler-utils"}
)
"""Program → the Debian package that contains it."""

TIMEOUT_S = 30.0
"""Longest time for a command that describes the engine. It takes 20 ms; only a machine that is swapping needs more."""

RUNTIME, MODELS_PACKAGE = "onnxruntime", "rapidocr"
"""The packages that run the second engine's models, and that have them. Nothing else of the latter is used."""

NOT_LANGUAGES = frozenset({"osd", "equ"})
"""Models for page orientation and for formulas, which do not recognise text."""

_PRINT_LIBRARY_VERSION = f"import {LIBRARY}; print({LIBRARY}.tesseract_version())"

_DIRECTORY = re.compile(r'in "(?P<directory>[^"\n]+)"')


class EngineMissing(Exception):
    """A program or a model that recognition needs is not installed; the message names the package."""


@dataclass(frozen=True, slots=True)
class SecondEngine:
    """The second engine: its name and version, as results show them, and its models."""

    name: str
    version: str
    models: Mapping[str, str]
    """File → digest, as `sha256:…`."""
    directory: str
    """Where the models are."""


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
    second: SecondEngine | None = None
    """None if it is not installed, or switched off."""

    def described(self, options: Options) -> dict[str, Any]:
        """The engines and models that may read a page with these options, as jobs show them."""
        second = self.second if self.reads_again(options) else None
        return {
            "name": self.name,
            "version": self.version,
            "models": self.models_of(options.languages),
            "second": second and {"name": second.name, "version": second.version, "models": dict(second.models)},
        }

    def reads_again(self, options: Options) -> bool:
        """True if the second engine may read a page with these options."""
        return options.engine is not EngineChoice.TESSERACT and any(map(reads, self.models_of(options.languages)))

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
    """Describe the installed engine, without a second one. `choice` is DOCSERVER_ENGINE.

    Raises EngineMissing if it is absent or broken.
    """
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


def second_engine() -> SecondEngine | None:
    """Describe the second engine; None if it is not installed. Reads its models."""
    models = importlib.util.find_spec(MODELS_PACKAGE)
    if importlib.util.find_spec(RUNTIME) is None or models is None or not models.submodule_search_locations:
        return None
    directory = Path(models.submodule_search_locations[0], "models")
    try:
        digests = {name: _digest(directory / name) for name in (DETECTOR, RECOGNISER)}
    except OSError:
        return None
    version = f"PP-OCRv6 small, ONNX Runtime {metadata.version(RUNTIME)}"
    return SecondEngine(EngineName.PPOCR, version, MappingProxyType(digests), str(directory))


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
            digests[language] = _digest(directory / f"{language}.traineddata")
        except OSError as error:
            raise EngineMissing(f"the model of the language {language} cannot be read: {error.strerror}") from error
    return digests


def _digest(path: Path) -> str:
    with path.open("rb") as model:
        return f"sha256:{hashlib.file_digest(model, 'sha256').hexdigest()}"
