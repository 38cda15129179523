"""The tables of docs/scale.md are computed, and of these figures."""

from pathlib import Path

import pytest

from benchmarks import scale_model

DOCS = Path(__file__).parents[2] / "docs" / "scale.md"


def test_the_document_has_the_models_tables(capsys: pytest.CaptureFixture[str]):
    """Whoever changes a figure prints the tables anew."""
    assert scale_model.main() == 0

    written = set(DOCS.read_text().splitlines())
    assert [line for line in capsys.readouterr().out.splitlines() if line not in written] == []


def test_every_figure_says_what_it_is_worth():
    """Each input has a source; what nobody measured is called computed or assumed, as all that rests on a GPU is."""
    rows = {name: (kind, source) for name, _, kind, source in scale_model.inputs()[1:]}

    assert all(source for _, source in rows.values())
    assert {rows[name][0] for name in ("verify floor s", "photo flop")} == {"computed"}
    assert {rows[name][0] for name in ("gpu share", "gpu price", "original bytes")} == {"assumed"}


def test_sizes_and_times_grow_with_the_images():
    """A million 1280-d vectors in float32 are 5.12 GB; a hundred times as many are a hundred times as much."""
    row = next(row for row in scale_model.keeping() if "float32" in row[0])

    assert row[2:] == ("5.12 GB", "51.2 GB", "512 GB")
