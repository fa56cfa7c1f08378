"""Loads what only some tiers need; unit tests start without it."""

import pytest

# Before anything imports them: a failed assertion there then shows its values too.
pytest.register_assert_rewrite("tests.support")

TIERS_WITH_SERVERS = ("integration", "acceptance")


def pytest_collectstart(collector: pytest.Collector) -> None:
    if isinstance(collector, pytest.Directory) and collector.path.name in TIERS_WITH_SERVERS:
        collector.config.pluginmanager.import_plugin("tests.support.server_fixtures")
