"""What all tests share: the event loop. Loads what only some tiers need; unit tests start without it."""

import asyncio
import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

# As in OCR processes: with more threads, tests that call Tesseract in their own process take twice the CPU time.
os.environ["OMP_THREAD_LIMIT"] = "1"

# Before anything imports them: a failed assertion there then shows its values too.
pytest.register_assert_rewrite("tests.support")

UNIT = Path(__file__).parent / "unit"

pytest_plugins = ("tests.support.hanging",)

OF_OTHER_TIERS = ("pytest_aiohttp.plugin", "tests.support.server_fixtures")


def pytest_configure(config: pytest.Config) -> None:
    """Load the plugins of the other tiers, unless only unit tests are asked for: importing them takes a second."""
    asked = [Path(config.invocation_params.dir, argument.partition("::")[0]).resolve() for argument in config.args]
    if not all(path.is_relative_to(UNIT) for path in asked):
        for plugin in OF_OTHER_TIERS:
            config.pluginmanager.import_plugin(plugin)


def pytest_collection(session: pytest.Session) -> None:
    """Leave what is imported and collected out of garbage collections: a million objects, which stay to the end."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def _asyncio_loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The event loop of the service, which raises where asyncio's own is silent, as after writes to closed pipes.

    This overrides a fixture of pytest-asyncio. Its hook for loop factories ends fixtures of the session, such as the
    servers, between tests that are coroutines and tests that are none.
    """
    import uvloop  # Most unit tests need no event loop.

    return uvloop.new_event_loop
