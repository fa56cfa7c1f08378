"""Looks at what libraries do where they promise nothing: each function is true while it is as it was."""

import ast
import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import process as futures
from multiprocessing import context
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiomysql
import pypdfium2.raw
from aiohttp import web
from aiohttp.http import StreamWriter

import docserver

PACKAGE = Path(docserver.__file__).parent


def has_parameters(call: Callable[..., Any], *names: str) -> bool:
    return set(names) <= inspect.signature(call).parameters.keys()


def has_source(thing: Any, *texts: str) -> bool:
    """For what cannot be observed from outside."""
    source = inspect.getsource(thing)
    return all(text in source for text in texts)


async def fresh_connection() -> Any:
    async def handler(_: web.BaseRequest) -> web.Response:
        return web.Response()

    return web.Server(handler)()


async def a_connection_knows_its_loop() -> bool:
    return (await fresh_connection())._loop is asyncio.get_running_loop()


async def a_driver_that_is_not_connected_has_no_reader() -> bool:
    return aiomysql.Connection()._reader is None


def a_writer_counts_what_it_sent() -> bool:
    return StreamWriter(Mock(), Mock()).output_size == 0


def an_executor_takes_its_queue_from_the_context() -> bool:
    class Recording(context.SpawnContext):
        made: Any = None

        def SimpleQueue(self) -> Any:  # noqa: N802
            Recording.made = super().SimpleQueue()
            return Recording.made

    executor: Any = ProcessPoolExecutor(max_workers=1, mp_context=Recording())
    try:
        return executor._result_queue is Recording.made and executor._processes == {}
    finally:
        executor.shutdown()


def a_result_has_the_fields_that_travel() -> bool:
    error = ValueError()
    wrapper: Any = futures._ExceptionWithTraceback
    failed: Any = futures._ResultItem(1, exception=wrapper(error, None))
    return (failed.work_id, failed.exception.exc, failed.result, failed.exit_pid) == (1, error, None, None)


def all_raw_names_exist() -> bool:
    return all(hasattr(pypdfium2.raw, name) for name in raw_names())


def raw_names() -> set[str]:
    """Everything that docserver takes from pypdfium2.raw."""
    names = set()
    for path in (PACKAGE / "ocr" / "pdf").glob("*.py"):
        tree = ast.parse(path.read_text())
        aliases = {
            alias.asname
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
            if alias.name == "pypdfium2.raw"
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "pypdfium2.raw":
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
                names.add(node.attr)
    return names
