"""Rules for SQL and transactions that hold in the whole program, read from its source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import docserver

PACKAGE = Path(docserver.__file__).parent
MIGRATIONS = PACKAGE.parent / "sql"

SKIP_LOCKED = re.compile(r"\bSKIP\s+LOCKED\b", re.IGNORECASE)
"""A lock on Galera, or in a group of MySQL servers, is known to one server alone: what another one has locked is not
skipped, and who commits second is rolled back. TiDB ignores the words."""

DEFINES_IT = "database/connection.py"


def test_no_statement_skips_locked_rows() -> None:
    sources = [*PACKAGE.rglob("*.py"), *MIGRATIONS.glob("*.sql")]
    assert len(sources) > 100

    assert [path.name for path in sources if SKIP_LOCKED.search(path.read_text())] == []


def test_each_transaction_stands_alone_in_a_function_that_is_repeated_when_it_was_rolled_back() -> None:
    wrong, right = [], 0
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text()
        if str(path).endswith(DEFINES_IT) or ".transaction" not in source:
            continue
        for function, calls in _transactions(ast.parse(source)):
            decorators = [ast.unparse(each) for each in function.decorator_list]
            if calls == 1 and decorators == ["transactional"]:
                right += 1
            else:
                wrong.append(f"{path.relative_to(PACKAGE)}: {function.name}")

    assert wrong == []
    assert right > 20


def _transactions(tree: ast.AST) -> Iterator[tuple[ast.AsyncFunctionDef, int]]:
    """The functions that begin transactions themselves, and how many."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef):
            inner = {each for function in _functions_in(node) for each in ast.walk(function)}
            calls = sum(_begins_transaction(each) for each in ast.walk(node) if each not in inner)
            if calls:
                yield node, calls


def _functions_in(function: ast.AsyncFunctionDef) -> list[ast.AST]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return [each for each in ast.walk(function) if isinstance(each, kinds) and each is not function]


def _begins_transaction(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "transaction"
