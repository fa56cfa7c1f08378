"""How many cores this process may use, by its affinity and its control group."""

import os
from pathlib import Path


def usable_cores() -> int:
    """The cores that this process may use: its affinity, narrowed by the CPU quota of its control group (v2 or v1)."""
    cores = len(os.sched_getaffinity(0))
    for quota_us, period_us in _cgroup_quotas():
        cores = min(cores, max(1, int(quota_us / period_us)))
    return cores


def _cgroup_quotas() -> list[tuple[int, int]]:
    root = Path("/sys/fs/cgroup")
    found = []
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            # A quota may stand on any ancestor; inside a container the own group is the root.
            own = root / path.lstrip("/")
            for group in {root, own, *(p for p in own.parents if p.is_relative_to(root))}:
                quota, _, period = _read(group / "cpu.max").strip().partition(" ")
                if quota.isdigit() and period.isdigit():
                    found.append((int(quota), int(period)))
        elif "cpu" in controllers.split(","):
            for group in (root / "cpu", root / "cpu" / path.lstrip("/")):
                quota, period = _read(group / "cpu.cfs_quota_us").strip(), _read(group / "cpu.cfs_period_us").strip()
                if quota.isdigit() and period.isdigit():
                    found.append((int(quota), int(period)))
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
