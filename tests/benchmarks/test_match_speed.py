"""The speed benchmark measures a real product, and fails where a bar is missed."""

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fakes.images import draw_place, encode, see_again

from benchmarks.bars import compare
from benchmarks.match_speed import BARS, SETS, main


def write_set(folder: Path, first: int) -> None:
    """Write two places with a query each, and a query of a third place that has a name, but no reference."""
    folder.mkdir()
    rows = []
    for number in range(first, first + 3):
        place, known = draw_place(number), number < first + 2
        if known:
            (folder / f"{number}.jpg").write_bytes(encode(place))
            rows.append(("db", f"{number}.jpg", f"place-{number}"))
        (folder / f"seen-{number}.jpg").write_bytes(encode(see_again(place, 5).image))
        rows.append(("query", f"seen-{number}.jpg", f"place-{number}"))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("role", "file", "place_id"), *rows])


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch with one thread: on a busy machine, two that wait for one another take many times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.timeout(900)  # half a minute of work; on a busy machine it takes ten times as long
@pytest.mark.usefixtures("one_thread")
def test_a_missed_bar_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """A run with a bar that no process can keep exits with 1 and names it; every figure that has a bar is measured."""
    monkeypatch.setenv("M1_VERIFIER_FEATURES", "false")
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, name in enumerate(SETS):
        write_set(photos / name, 10 * number)
    impossible, certain = ("all", "memory MB", "<=", 1.0), ("museum", "right", ">=", 1.0)

    status = main(
        ["--eval-dir", str(photos), "--quick", "--output", str(tmp_path / "figures.json")], bars=[impossible, certain]
    )

    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert status == 1
    assert [line.split()[1] for line in printed.splitlines() if line.endswith("MISSED")] == ["memory"]
    assert all(math.isfinite(figures[name][figure]) for name, figure, _, _ in BARS)
    assert all(stage in printed for stage in ("local test", "further looks", "verify, second stage", "gateway"))
    assert compare(figures, [certain]) == 0


def test_without_photos_nothing_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture):
    """A folder that lacks a set is refused before anything starts."""
    assert main(["--eval-dir", str(tmp_path)]) == 2
    assert "museum" in capsys.readouterr().err
