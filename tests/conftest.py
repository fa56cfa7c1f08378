"""Loads what only some tiers need; unit tests start without it."""

import pytest

# Before anything imports them: a failed assertion there then shows its values too.
pytest.register_assert_rewrite("tests.support")

PLUGINS = {
    "integration": ("tests.support.server_fixtures", "pytest_aiohttp.plugin"),
    "acceptance": ("tests.support.server_fixtures",),
}
"""By tier."""


def pytest_collectstart(collector: pytest.Collector) -> None:
    if isinstance(collector, pytest.Directory):
        for plugin in PLUGINS.get(collector.path.name, ()):
            collector.config.pluginmanager.import_plugin(plugin)
