"""The number of cores that this process may use."""

import os
from pathlib import Path


def usable_cores() -> int:
    """The number of cores in the process's affinity, or fewer if its control group (v2 or v1) has a CPU quota."""
    cores = len(os.sched_getaffinity(0))
    for quota_us, period_us in _cgroup_quotas():
        cores = min(cores, max(1, int(quota_us / period_us)))
    return cores


def _cgroup_quotas() -> list[tuple[int, int]]:
    """Quota and period in microseconds, of each control group that sets them."""
    root = Path("/sys/fs/cgroup")
    quotas = []
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            # Any ancestor may have a quota. Inside a container, the root directory is the container's own group.
            own = root / path.lstrip("/")
            for group in {root, own, *(p for p in own.parents if p.is_relative_to(root))}:
                quota, _, period = _read(group / "cpu.max").strip().partition(" ")
                if quota.isdigit() and period.isdigit():
                    quotas.append((int(quota), int(period)))
        elif "cpu" in controllers.split(","):
            for group in (root / "cpu", root / "cpu" / path.lstrip("/")):
                quota, period = _read(group / "cpu.cfs_quota_us").strip(), _read(group / "cpu.cfs_period_us").strip()
                if quota.isdigit() and period.isdigit():
                    quotas.append((int(quota), int(period)))
    return quotas


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
