"""The processor cores of this process."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup/cpu.max")


def count_cores(cgroup: Path = _CGROUP) -> int:
    """Count the cores that this process may use; a container may have fewer than the machine.

    Args:
        cgroup: file with the quota of the container, see cpu.max in Linux' documentation of cgroup v2.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, cgroup.read_text().split())
    except (OSError, ValueError):  # no such file, or the quota is "max"
        return allowed
    return max(1, min(allowed, math.ceil(quota / period)))
