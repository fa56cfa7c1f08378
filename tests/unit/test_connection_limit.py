"""How many connections there may be, by the setting and by the limit on open files."""

import logging
import resource

import pytest

from docserver.web.connection_limits import OTHER_DESCRIPTORS, RESERVE, _limit

FEW = RESERVE + OTHER_DESCRIPTORS + 20


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """The limit on open files, soft and hard, as the system has it."""
    system: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "getrlimit", lambda _: system["files"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: system.update(files=new))
    return system


def test_without_a_limit_on_files_the_setting_counts(limits: dict[str, tuple[int, int]]) -> None:
    limits["files"] = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    assert _limit(1000) == 1000


@pytest.mark.parametrize("hard", [1_000_000, resource.RLIM_INFINITY])
def test_the_limit_on_files_is_raised_as_far_as_needed(limits: dict[str, tuple[int, int]], hard: int) -> None:
    limits["files"] = (FEW, hard)

    assert _limit(1000) == 1000
    assert limits["files"] == (RESERVE + OTHER_DESCRIPTORS + 2000, hard)


def test_a_low_limit_on_files_allows_fewer_connections_and_is_told(
    limits: dict[str, tuple[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    limits["files"] = (FEW - 10, FEW)

    assert _limit(1000) == 10
    assert limits["files"] == (FEW, FEW)
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "fewer connections than set"
    ]


def test_there_is_always_one_connection(limits: dict[str, tuple[int, int]]) -> None:
    limits["files"] = (1, 1)

    assert _limit(1000) == 1
