"""Damaged uploads of every kind, a short run of the long one under ``benchmarks/``."""

import asyncio
import random
from pathlib import Path

import pytest

from benchmarks.fuzz_uploads import fuzz, main
from benchmarks.mutations import mutate, sound_uploads


@pytest.mark.filterwarnings("ignore::UserWarning")  # what decoders say of damage is not theirs to answer for
def test_damaged_uploads_are_their_senders_fault(tmp_path: Path):
    """Of a few hundred damaged uploads none is answered with a 5xx, in another shape, or late."""
    report = asyncio.run(fuzz(300, 7, tmp_path))

    assert report.failures == []
    assert report.total.statuses.total() == 300
    assert {status for status in report.total.statuses if status >= 500} <= {503}
    assert report.total.hangs == 0
    # Some of the damage is noticed, and some of it harms nobody.
    assert min(kind.statuses.total() for kind in report.kinds.values()) > 0
    assert {"added", "rejected"} <= report.total.outcomes.keys()


def test_a_run_can_be_repeated():
    """The same seed damages the same files in the same ways; animations and archives hold the time they were made."""
    first, again = sound_uploads(3), sound_uploads(3)
    others = list(first.values())

    assert first.keys() == again.keys()
    assert {name for name in first if first[name] != again[name]} <= {"avif animated", "zip manifest", "zip"}
    for data in others:
        assert mutate(random.Random(5), data, others) == mutate(random.Random(5), data, others)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_table_has_a_line_for_each_kind(capsys: pytest.CaptureFixture[str]):
    """The benchmark prints what became of each kind, and ends well."""
    assert main(["--inputs", "17"]) == 0

    printed = capsys.readouterr().out
    assert all(name in printed for name in sound_uploads(0))
    assert "failures: none" in printed
