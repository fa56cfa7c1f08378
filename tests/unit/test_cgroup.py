"""Cgroups that are gone, full or refused, in plain directories in their place: tests where the kernel has them are in
`tests/integration/test_cgroup.py`.
"""

from pathlib import Path

import pytest

from docserver.ocr.server import cgroup
from docserver.ocr.server.cgroup import PREFIX, SERVER, Cgroup, Cgroups, service_cgroups
from tests.support.limits import LIMITS


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "REMOVAL_S", 0)


@pytest.fixture
def delegated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in the place of a cgroup that this service may use."""
    monkeypatch.setattr(cgroup, "own_cgroup", lambda: tmp_path)
    monkeypatch.setattr(cgroup, "delegated", lambda own: own)
    return tmp_path


@pytest.mark.parametrize(
    ("events", "exceeded"),
    [
        ("low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\n", True),
        ("low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\n", False),
        ("low 0\nhigh 0\nmax 9\noom 1\noom_kill 0\n", False),
    ],
    ids=["killed for its own use", "killed because the machine has no memory", "not killed"],
)
def test_only_a_process_that_was_killed_for_its_own_use_took_too_much_memory(
    events: str, exceeded: bool, tmp_path: Path, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "memory.events").write_text(events)

    assert Cgroup(tmp_path).end() is exceeded
    # In a plain directory, the file stays.
    assert caplog.messages == ["cgroup cannot be removed"]


def test_a_cgroup_that_is_gone_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Cgroup(tmp_path / "gone").end() is False
    assert caplog.messages == []


def test_a_process_that_a_cgroup_refuses_has_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cgroup.subtree_control").touch()

    assert Cgroups(tmp_path).enter(1, LIMITS) is None
    assert not [*tmp_path.glob("slot-*")]
    assert caplog.messages == ["OCR process has no cgroup"]


def test_without_a_cgroup_a_service_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "own_cgroup", lambda: None)

    with service_cgroups() as cgroups:
        assert cgroups is None


@pytest.mark.parametrize("refused", ["the process", "any directory"])
def test_a_delegated_cgroup_that_cannot_be_used_is_left_as_it_was(
    refused: str, delegated: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if refused == "any directory":
        monkeypatch.setattr(cgroup, "PREFIX", "missing/")

    with service_cgroups() as cgroups:
        # A plain directory has no file that a process could be written to.
        assert cgroups is None
        assert list(delegated.iterdir()) == []
    assert caplog.messages == ["the delegated cgroup cannot be used"]


def test_of_other_services_only_cgroups_of_those_that_have_ended_are_removed(delegated: Path) -> None:
    (delegated / f"{PREFIX}ended" / SERVER).mkdir(parents=True)
    (delegated / f"{PREFIX}starting").mkdir()

    with service_cgroups():
        pass

    assert [left.name for left in delegated.iterdir()] == [f"{PREFIX}starting"]


def test_a_controller_that_the_cgroup_above_refuses_is_not_asked_of_the_own(tmp_path: Path) -> None:
    own = tmp_path / "service" / "cgroup.subtree_control"
    own.parent.mkdir()
    own.touch()
    (tmp_path / "cgroup.type").touch()

    assert cgroup._cgroups(own.parent).limited == ()
    assert own.read_text() == ""

    (tmp_path / "cgroup.subtree_control").touch()
    cgroup._cgroups(own.parent)
    assert own.read_text() != ""
