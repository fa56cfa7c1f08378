"""Servers that may be hurt, and a place on them for each test."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.place import Place
from tests.support import previous_release
from tests.support.fragile_servers import Servers, own_servers

_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hurt(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """A MariaDB and a Redis for the tests that hurt them; each heals what it did."""
    async with own_servers(tmp_path_factory.mktemp("hurt")) as servers:
        yield servers


@pytest.fixture(scope="session")
def previous(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The directory of the previous release."""
    directory = tmp_path_factory.mktemp("previous_release")
    previous_release.unpack(directory)
    return str(directory)


@pytest_asyncio.fixture(loop_scope="session")
async def place(hurt: Servers, tmp_path: Path) -> AsyncIterator[Place]:
    """An empty database, Redis and data directory; the services there are killed at the end."""
    new_place = Place(hurt, next(_numbers), tmp_path / "data")
    yield new_place
    await new_place.close()
    await hurt.heal()
