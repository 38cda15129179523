"""The benchmark of the promise: false answers to questions of one to five photos."""

import argparse
import json
import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from fakes.images import draw_place, see_again

from benchmarks import decision
from benchmarks.decision_queries import AskedModels
from core.calibration.calibration import Models, calibrate
from core.calibration.samples import Sample
from core.decision.evidence import SIGNALS
from scripts.tiny_models.dino import build_dinov3


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


GPU_MODELS = ("--encoder", "dinov3", "--verifier", "qwen3-vl")


def asked(work: Path, *options: str) -> AskedModels:
    parser = argparse.ArgumentParser()
    AskedModels.add_options(parser)
    arguments = parser.parse_args(options)
    arguments.work_dir, arguments.time_budget = work, 2.5
    return AskedModels.of(arguments)


def test_other_models_get_a_table_of_their_own(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    """One command fits the rule of two models, and prints what belongs into core/decision/rules.toml."""
    monkeypatch.setattr(decision, "SPLITS", 1)  # its figures are those of the test above
    models = asked(tmp_path, *GPU_MODELS)
    models.work.mkdir()
    for name in decision.SETS:
        record_set(name, models.work, np.random.default_rng(1))

    folders = ["--eval-dir", str(tmp_path), "--work-dir", str(tmp_path)]
    status = decision.main([*folders, "--time-budget", "2.5", *GPU_MODELS])

    printed = capsys.readouterr().out
    rules = tomllib.loads(printed[printed.index('["dinov3 qwen3-vl"]') :])
    rule = rules["dinov3 qwen3-vl"]
    assert (status, set(rule)) == (
        0,
        {"bias", "verdict", "rival", "agreeing", "location", "margin_floor", "rival_floor"},
    )
    assert rule["verdict"] > 0
    assert (rule["agreeing"], rule["location"]) == (0.5, 1.0)  # what single photos cannot tell
    assert "kept" not in printed  # the bars are those of the default models


def test_models_and_options_are_not_mixed(tmp_path: Path):
    """Answers of other options, or in another style, lie elsewhere."""
    works = [
        asked(tmp_path, *models, *options).work
        for models in ([], GPU_MODELS)
        for options in ([], ["--verifier-options", '{"model": "a"}'], ["--prompt-style", "reranker"])
    ]
    assert len(set(works)) == 6
    assert works[0] == tmp_path  # the default models and options
    assert asked(tmp_path, *GPU_MODELS, "--prompt-style", "reranker").name == "dinov3 qwen3-vl reranker"


def test_answers_of_a_gpus_models_are_measured(tmp_path: Path, qwen_folders: dict[str, Path]):
    """A gallery by DINOv3, verdicts of Qwen3-VL: a row for every question, known, left out and unknown."""
    photos = tmp_path / "museum"
    photos.mkdir()
    rows = ["file,place_id,role"]
    for seed, place in enumerate(["one", "two", "three", ""]):
        for role in ("db", "query") if place else ("query",):
            see_again(draw_place(seed), role == "query").image.save(photos / f"{role}{seed}.jpg")
            rows.append(f"{role}{seed}.jpg,{place},{role}")
    (photos / "manifest.csv").write_text("\n".join(rows))
    options = {
        "--encoder-options": {"model": str(build_dinov3(tmp_path / "dino"))},
        "--verifier-options": {"model": str(qwen_folders["qwen3_vl"]), "query_tokens": 16},
    }
    models = asked(
        tmp_path, *GPU_MODELS, *(text for name, value in options.items() for text in (name, json.dumps(value)))
    )
    queries = models.measured(photos)
    assert [query.kind for query in queries] == ["known", "left out"] * 3 + ["unknown"]
    assert all(len(query.places) == 3 - (query.kind == "left out") for query in queries)
    assert np.isfinite(np.concatenate([query.signals for query in queries])).all()
    assert [query.places for query in models.measured(photos)] == [query.places for query in queries]
