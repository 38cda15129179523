import os

import pytest

from core.runtime.cores import count_cores

MINE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("100000 100000", 1), ("50000 100000", 1), (f"{MINE * 900_000} 100000", MINE), ("max 100000", MINE), ("", MINE)],
)
def test_a_containers_quota_counts(tmp_path, quota, cores):
    """A container that may use one processor of many has one; without a quota, all that the process may run on."""
    file = tmp_path / "cpu.max"
    file.write_text(quota)

    assert count_cores(file) == cores


def test_without_a_container_all_cores_count(tmp_path):
    """Where there is no such file, nothing limits the process."""
    assert count_cores(tmp_path / "missing") == MINE
