"""What setup.cfg, .env.example and docker-compose.yml say, against what the code has."""

import ast
import re
import sys
from configparser import ConfigParser
from dataclasses import fields
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from docserver.settings import Settings, load, variable
from docserver.variables import PREFIX

TOP = Path(__file__).parents[2]
OWN = {"docserver", "tests", "bench"}

NEWER = {"compression"}
"""Of the standard library, but not of the oldest Python that is supported."""

OF_DEBIAN = {"eventlet", "swift"}
"""What `tests/support/s3_program.py` imports: packages of the system's Python."""

NAME = re.compile(r"[A-Za-z0-9._-]+")
ASSIGNMENT = re.compile(r"^#?([A-Z_]+)=(.*)$", re.MULTILINE)


@cache
def setup_cfg() -> ConfigParser:
    config = ConfigParser()
    config.read(TOP / "setup.cfg")
    return config


def listed(section: str, option: str) -> list[str]:
    return [line for line in setup_cfg()[section][option].splitlines() if line and not line.startswith("#")]


def distribution(requirement: str) -> str:
    """The name that a requirement begins with, normalised as PEP 503 says."""
    name = NAME.match(requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def undeclared(directory: str, *extras: str) -> list[str]:
    """The packages that the files below this directory import, and that no requirement installs."""
    lines = [*listed("options", "install_requires")]
    for extra in extras:
        lines += listed("options.extras_require", extra)
    declared = {distribution(line) for line in lines}
    names: set[str] = set()
    for path in (TOP / directory).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").partition(".")[0])
    known = packages_distributions()
    # What only the benchmarks need may not be installed here; its distributions are named like their packages. Several
    # distributions may share a package, as OpenTelemetry's do.
    return [
        name
        for name in names - OWN - OF_DEBIAN - NEWER - sys.stdlib_module_names
        if declared.isdisjoint(distribution(owner) for owner in known.get(name, [name]))
    ]


def examples() -> list[tuple[str, str]]:
    return ASSIGNMENT.findall((TOP / ".env.example").read_text())


def test_every_package_is_listed_once() -> None:
    packages = {
        ".".join(path.parent.relative_to(TOP).parts)
        for path in (TOP / "docserver").rglob("*")
        if path.suffix in (".py", ".lua") and "__pycache__" not in path.parts
    }
    assert listed("options", "packages") == sorted(packages | {"docserver.sql"})


def test_files_that_are_not_python_are_package_data() -> None:
    patterns = set(setup_cfg()["options.package_data"].items())
    data = {
        (".".join(path.parent.relative_to(TOP).parts), f"*{path.suffix}")
        for path in (TOP / "docserver").rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    data |= {("docserver.sql", f"*{path.suffix}") for path in (TOP / "sql").iterdir() if path.suffix not in (".py", "")}
    assert patterns == data


def test_what_the_program_imports_is_declared() -> None:
    assert undeclared("docserver", "ppocr", "tesserocr", "tracing") == []


@pytest.mark.parametrize(("directory", "extras"), [("tests", ("dev", "tracing")), ("bench", ("bench",))])
def test_what_tests_and_benchmarks_import_is_declared(directory: str, extras: tuple[str, ...]) -> None:
    assert undeclared(directory, *extras) == []


def test_no_dependency_is_declared_twice() -> None:
    lines = listed("options", "install_requires") + listed("options.extras_require", "dev")
    names = [distribution(line) for line in lines]
    assert len(names) == len(set(names))


def test_every_setting_stands_in_the_example_once_and_in_the_same_order() -> None:
    names = [name for name, _ in examples() if name.startswith(PREFIX)]
    assert names == [variable(setting.name) for setting in fields(Settings)]


def test_the_values_in_the_example_are_the_defaults() -> None:
    assert load(dict(examples()), dotenv=None) == Settings()
    empty = {name for name, value in examples() if not value and name.startswith(PREFIX)}
    assert empty == {variable(s.name) for s in fields(Settings) if s.default in ("", (), None)}


def test_other_names_in_the_example_are_those_of_docker_compose() -> None:
    others = {name: value for name, value in examples() if not name.startswith(PREFIX)}
    asked = re.findall(r"\$\{([A-Z_]+):(?:-([^}]*)|\?[^}]*)\}", (TOP / "docker-compose.yml").read_text())
    assert others == {name: value for name, value in asked if not name.startswith(PREFIX)}


def test_docker_compose_passes_on_only_settings_that_exist() -> None:
    names = re.findall(rf"{PREFIX}[A-Z_]+", (TOP / "docker-compose.yml").read_text() + (TOP / "Dockerfile").read_text())
    assert set(names) <= {variable(setting.name) for setting in fields(Settings)}
