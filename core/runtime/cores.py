"""The processor cores of this process."""

import os


def count_cores() -> int:
    """Count the cores that this process may use; a container may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
