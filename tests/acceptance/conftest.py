"""Services for the tests that speak only HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.server_fixtures import empty
from tests.support.servers import Servers
from tests.support.service import Service, Start, environment_of


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(running: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """One service for the tests of a module that only look at what they uploaded themselves."""
    await empty(running)
    environment = environment_of(
        mysql_url=running.mysql_url,
        redis_url=running.redis_url,
        data_dir=tmp_path_factory.mktemp("service"),
        rate_limit="off",
    )
    service = await Service(environment).start()
    yield service
    await service.stop()


@pytest.fixture
async def start(empty_servers: Servers, tmp_path: Path) -> AsyncIterator[Start]:
    """Start services on the empty servers with a common data directory; they are stopped at the end."""
    started: list[Service] = []

    async def new(*arguments: str, directory: str = "", **more: Any) -> Service:
        environment = environment_of(
            **{
                "mysql_url": empty_servers.mysql_url,
                "redis_url": empty_servers.redis_url,
                "data_dir": tmp_path / "data",
                "rate_limit": "off",
                **more,
            }
        )
        service = Service(environment, arguments=arguments, directory=directory)
        started.append(service)
        return await service.start()

    yield new
    for service in started:
        await service.stop()
