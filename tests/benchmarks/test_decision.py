"""The benchmark of the promise: false answers to questions of one to five photos."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from benchmarks import decision
from core.calibration.calibration import Models, calibrate
from core.calibration.samples import Sample
from core.decision.evidence import SIGNALS


@pytest.mark.parametrize("photos", [1, 2, 3, 4, 5])
def test_every_question_that_can_be_drawn_is_counted(photos: int):
    """The share is that of all sets of different unknown photos of which one passes the threshold for so many."""
    calibration = calibrate([Sample(float(n), False, False, "labelled") for n in range(100)], 0.05, Models("", ""))
    unknown = [95.5, 97.5, 99.5, 99.6, *range(8)]
    threshold = calibration.threshold_for(photos).threshold

    share = decision.false_answers(unknown, calibration, photos)

    questions = list(combinations(unknown, photos))
    assert share == pytest.approx(np.mean([max(question) > threshold for question in questions]))
    assert 0 < share < 1


def test_a_maybe_is_counted_between_the_two_thresholds():
    """Of known photos by whether the place is right; of unknown photos alone, and with those that are answered."""
    calibration = calibrate([Sample(float(n), False, False, "labelled") for n in range(100)], 0.05, Models("", ""))
    question = calibration.threshold_for(1)
    above, between, below = question.threshold + 0.5, question.maybe_threshold + 0.5, question.maybe_threshold
    known = [(above, True), (between, True), (between, False), (below, True)]
    asked = [Sample(score, True, right, "labelled") for score, right in known]
    asked += [Sample(score, False, False, "labelled") for score in (above, between, below, below, below)]

    assert decision.maybe_answers(asked, calibration) == pytest.approx((0.25, 0.25, 0.2, 0.4))


def test_without_a_second_threshold_nothing_is_a_maybe():
    """A target as loose as that of a maybe leaves none."""
    calibration = calibrate([Sample(float(n), False, False, "labelled") for n in range(100)], 0.2, Models("", ""))
    asked = [Sample(score, known, known, "labelled") for score in (70.0, 90.0) for known in (True, False)]

    assert decision.maybe_answers(asked, calibration) == pytest.approx((0, 0, 0, 0.5))


def record_set(name: str, work: Path, chance: np.random.Generator) -> None:
    """Write what the benchmark keeps of a set: of thirty places as they are and left out, and thirty unknown photos."""

    def record(kind: str, number: int, verdict: float) -> dict[str, object]:
        truth = None if kind == "unknown" else f"place {number}"
        places = [truth if kind == "known" else "other", "another"]
        signals = [dict.fromkeys(SIGNALS, 0.0) | {"verdict": odds, "rival": -4.0} for odds in (verdict, -6.0)]
        return {
            "kind": kind,
            "group": f"{name}/{truth or number}",
            "truth": truth,
            "seconds": 0.5,
            "cpu_s": 0.6,
            "places": places,
            "signals": [list(values.values()) for values in signals],
        }

    rows = [record("known", number, chance.normal(3, 2)) for number in range(30)]
    rows += [record("left out", number, chance.normal(-3, 1)) for number in range(30)]
    rows += [record("unknown", number, chance.normal(-3, 1)) for number in range(100, 130)]
    kept = work / f"{name}-2.5s.jsonl"
    kept.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_figures_of_one_to_five_photos_are_printed_with_their_bar(tmp_path: Path, capsys):
    """For every set and target; photos like those of the calibration keep the promise for every number of photos."""
    for name in decision.SETS:
        record_set(name, tmp_path, np.random.default_rng(1))

    decision.main(["--eval-dir", str(tmp_path), "--work-dir", str(tmp_path), "--time-budget", "2.5"])

    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    maybe = [row for row in rows if len(row) == 13 and row[0] in ("1%", "2%", "5%")]
    assert [row[0] for row in maybe] == ["1%", "2%", "5%"] * 3
    assert all(0 <= float(row[-3]) <= 0.4 for row in maybe)
    by_photos = [(row[0], row[1]) for row in rows if len(row) > 2 and row[0] in "12345" and row[1].endswith("%")]
    assert by_photos == [(str(photos), target) for target in ("1%", "2%", "5%") for photos in range(1, 6)] * 3
    assert printed.count("1 to 5 photos within the interval    1.000   >= 0.95   kept") == 3
