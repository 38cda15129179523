"""What a match costs a GPU is counted on a CPU."""

import pytest

from benchmarks import gpu_counts
from benchmarks.gpu_counts import Count, count_all, print_table


@pytest.mark.timeout(900)
def test_passes_launches_waits_and_equality_keep_their_bars():
    """All candidates of a query take one pass, two visitors one together, and the device is never asked for a value."""
    counts = count_all()

    assert [count.name for count in counts if not count.is_met] == []
    assert all(count.now > 0 for count in counts if count.bar > 0)


def test_a_missed_bar_is_named_and_ends_with_1(capsys):
    """The table says which figure missed its bar."""
    kept = Count("passes", 4, 1, 1)

    assert print_table([kept]) == 0
    assert print_table([kept, Count("host syncs", 84, 2, 0)]) == 1

    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in printed if "host syncs" in line] == ["MISSED"]


def test_decoding_is_measured_in_reduced_decodes(monkeypatch):
    """Its figure is a ratio of two times of the same run."""
    times = iter([3.0, 2.0])
    monkeypatch.setattr(gpu_counts, "_cpu_s", lambda work: (work(), next(times))[1])

    assert gpu_counts.count_decoding().now == 1.5
