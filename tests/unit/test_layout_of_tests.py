"""Tests share what is in tests/support, and never import a test module, a conftest or another tier.

They run on the event loop of the service.
"""

import ast
import asyncio
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import uvloop

TESTS = Path(__file__).parents[1]


def imported(path: Path) -> Iterator[str]:
    """The names of all modules, and of all things in modules, that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports_of_tests() -> list[tuple[str, str]]:
    """Each file below tests/ with each thing below tests/ that it imports."""
    return [
        (str(path.relative_to(TESTS)), name)
        for path in sorted(TESTS.rglob("*.py"))
        for name in imported(path)
        if name.startswith("tests.")
    ]


def test_no_file_imports_a_test_module_or_a_conftest() -> None:
    assert [
        (path, name)
        for path, name in imports_of_tests()
        if any(part.startswith("test_") or part == "conftest" for part in name.split(".")[:-1])
    ] == []


def test_a_tier_imports_only_its_own_modules_and_those_of_support() -> None:
    assert [
        (path, name)
        for path, name in imports_of_tests()
        if name.split(".")[1] not in ("support", path.partition("/")[0])
    ] == []


async def test_tests_run_on_the_event_loop_of_the_service() -> None:
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
