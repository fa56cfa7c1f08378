"""The lock file, against setup.cfg and pyproject.toml, and the licences of everything that it names."""

import re
import tomllib
from configparser import ConfigParser
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[2]
PARTS = ("build", "run", "tracing", "test", "chart", "verapdf", "ppocr")
HASH = re.compile(r" \\\n    --hash=sha256:[0-9a-f]{64}")

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")

FREE = re.compile(r"\b(MIT|BSD|Apache|MPL|Mozilla Public License|PSF|Python Software Foundation|ISC|HPND|Unlicense)\b")
"""Licences under which a package may be used and passed on together with programs under any other licence."""

COPYLEFT = re.compile(r"GPL|General Public|Affero|EUPL|SSPL", re.IGNORECASE)

EXAMINED = {
    "pi-heif": "Its own code is BSD-3-Clause. Its wheels also hold libheif and libde265, under LGPL-3.0, as shared "
    "libraries of their own, which may be passed on unchanged and replaced.",
}
"""Packages whose licence had to be looked at by a person, and why they may be used."""


@cache
def lock() -> dict[str, list[str]]:
    """The lines of each part of the lock file, each with its hashes."""
    text = (TOP / "requirements.lock").read_text()
    assert re.findall(r"^# (\w+)$", text, re.MULTILINE) == list(PARTS)
    return {part: re.split(r"\n(?=\S)", body.strip()) for part, body in parts(text)}


def parts(text: str) -> list[tuple[str, str]]:
    pieces = re.split(r"^# (\w+)$", text, flags=re.MULTILINE)[1:]
    return list(zip(pieces[::2], pieces[1::2], strict=True))


def locked(*names: str) -> list[Requirement]:
    return [Requirement(HASH.sub("", entry)) for name in names for entry in lock()[name]]


@cache
def setup_cfg() -> ConfigParser:
    config = ConfigParser()
    config.read(TOP / "setup.cfg")
    return config


def declared(section: str, option: str) -> list[Requirement]:
    lines = setup_cfg()[section][option].splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def wanted() -> list[tuple[Requirement, tuple[str, ...]]]:
    """What the project requires, and the parts of the lock file that may have it."""
    build = tomllib.loads((TOP / "pyproject.toml").read_text())["build-system"]["requires"]
    run = declared("options", "install_requires") + declared("options.extras_require", "tesserocr")
    return [
        *((Requirement(line), ("build",)) for line in build),
        *((requirement, ("run",)) for requirement in run),
        *((requirement, ("tracing",)) for requirement in declared("options.extras_require", "tracing")),
        *((requirement, ("ppocr",)) for requirement in declared("options.extras_require", "ppocr")),
        *((requirement, PARTS) for requirement in declared("options.extras_require", "dev")),
    ]


@pytest.mark.parametrize("part", PARTS)
def test_each_line_pins_one_version_with_hashes_and_names_no_index(part: str) -> None:
    for entry in lock()[part]:
        assert HASH.search(entry), entry
        (specifier,) = Requirement(HASH.sub("", entry)).specifier
        assert specifier.operator == "=="


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_has_one_version_of_each_requirement_and_it_satisfies_it(python: str, machine: str) -> None:
    environment: dict[str, str] = {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": python,
        "python_full_version": f"{python}.9",
        "platform_machine": machine,
    }
    for requirement, where in wanted():
        if requirement.marker and not requirement.marker.evaluate(environment):
            continue
        versions = {
            next(iter(pin.specifier)).version
            for pin in locked(*where)
            if canonicalize_name(pin.name) == canonicalize_name(requirement.name)
            and (pin.marker is None or pin.marker.evaluate(environment))
        }
        assert len(versions) == 1, requirement
        assert requirement.specifier.contains(versions.pop(), prereleases=True), requirement


def test_nothing_is_installed_without_hashes_but_docserver_itself_and_tools_that_users_choose() -> None:
    text = "".join((TOP / file).read_text().replace("\\\n", " ") for file in ("Makefile", "Dockerfile"))
    installs = re.findall(r"^.*(?:pip\"? install|\$\(pip\)) .*$", text, re.MULTILINE)
    unlocked = [line for line in installs if "--require-hashes" not in line and "--no-deps" not in line]

    assert len(installs) > len(unlocked)
    assert [line.split()[-1] for line in unlocked] == ["'.[bench]'", "--disable-pip-version-check", "uv"]


def test_each_package_has_a_free_licence() -> None:
    refused = {}
    for pin in locked(*PARTS):
        name = canonicalize_name(pin.name)
        # A package of another system or Python is not installed here, and is looked at where it is.
        with suppress(PackageNotFoundError):
            statement = licence(name)
            if name not in EXAMINED and (COPYLEFT.search(statement) or not FREE.search(statement)):
                refused[name] = statement
    assert refused == {}


def test_what_was_examined_is_still_locked_and_still_unclear() -> None:
    for name in EXAMINED:
        assert name in {canonicalize_name(pin.name) for pin in locked(*PARTS)}
        assert COPYLEFT.search(licence(name)) or not FREE.search(licence(name))


def licence(name: str) -> str:
    """What the metadata of an installed package says of its licence, in the best form that it has."""
    about = metadata(name)
    classifiers = [line for line in about.get_all("Classifier") or [] if line.startswith("License ::")]
    expressions = about.get_all("License-Expression") or classifiers or about.get_all("License") or []
    return "; ".join(expressions)
