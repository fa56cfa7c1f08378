"""The cores that a process may use."""

import os

import pytest

from docserver import cpu as module
from docserver.cpu import usable_cores


class Machine:
    """A machine whose files about control groups are what a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, cores: int) -> None:
        self.files: dict[str, str] = {}
        monkeypatch.setattr(module, "_read", lambda path: self.files.get(str(path), ""))
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch, cores=8)


def test_without_a_quota_all_cores_of_the_affinity_are_usable(machine: Machine) -> None:
    machine.files = {"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n"}

    assert usable_cores() == 8


@pytest.mark.parametrize(
    ("quota", "cores"), [("200000 100000", 2), ("250000 100000", 2), ("50000 100000", 1), ("9900000 100000", 8)]
)
def test_a_quota_of_the_own_group_narrows_the_cores(machine: Machine, quota: str, cores: int) -> None:
    machine.files = {
        "/proc/self/cgroup": "0::/app.slice/docserver\n",
        "/sys/fs/cgroup/app.slice/docserver/cpu.max": quota,
    }

    assert usable_cores() == cores


def test_a_quota_of_any_ancestor_narrows_the_cores(machine: Machine) -> None:
    machine.files = {
        "/proc/self/cgroup": "0::/a/b/c\n",
        "/sys/fs/cgroup/a/b/c/cpu.max": "600000 100000",
        "/sys/fs/cgroup/a/cpu.max": "300000 100000",
    }

    assert usable_cores() == 3


def test_a_quota_of_the_root_as_a_container_sees_it_narrows_the_cores(machine: Machine) -> None:
    machine.files = {"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "400000 100000"}

    assert usable_cores() == 4


def test_a_quota_of_the_old_kind_of_groups_narrows_the_cores(machine: Machine) -> None:
    machine.files = {
        "/proc/self/cgroup": "3:cpu,cpuacct:/docker/x\n2:memory:/docker/x\n",
        "/sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us": "500000\n",
        "/sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us": "100000\n",
    }

    assert usable_cores() == 5


def test_an_unlimited_quota_of_the_old_kind_of_groups_narrows_nothing(machine: Machine) -> None:
    machine.files = {
        "/proc/self/cgroup": "3:cpu:/\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }

    assert usable_cores() == 8


def test_a_machine_without_control_groups_uses_its_affinity(machine: Machine) -> None:
    assert machine.files == {}
    assert usable_cores() == 8
