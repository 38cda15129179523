"""The accuracy bars: builds a gallery from each set of evaluation photos and asks it all the set's queries.

    python -m benchmarks.accuracy --eval-dir PHOTOS

PHOTOS holds ``museum/``, ``scenic/`` and ``objects/``, each with a manifest.csv (see core/building/labels.py). Prints
every figure beside its bar; exits with 1 if one is missed.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bars import compare
from scripts import build_database, test_matching

# (set, figure, at least or at most, bar)
BARS = [
    ("museum", "recall_at_5", ">=", 0.99),
    ("museum", "final_top1", ">=", 0.99),
    ("museum", "right", ">=", 0.98),
    ("museum", "wrong_place", "<=", 0.0),
    ("museum", "false_accepts", "<=", 0.02),
    ("museum", "mean_cpu_s", "<=", 3.0),
    ("scenic", "recall_at_5", ">=", 0.98),
    ("scenic", "final_top1", ">=", 0.97),
    ("scenic", "right", ">=", 0.93),
    ("scenic", "wrong_place", "<=", 0.01),
    ("scenic", "false_accepts", "<=", 0.02),
    ("scenic", "mean_cpu_s", "<=", 4.0),
    ("objects", "recall_at_5", ">=", 0.97),
    ("objects", "final_top1", ">=", 0.95),
    ("objects", "right", ">=", 0.87),
    ("objects", "wrong_place", "<=", 0.01),
    ("objects", "false_accepts", "<=", 0.03),
    ("objects", "mean_cpu_s", "<=", 4.0),
]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and compare with the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval-dir", type=Path, required=True)
    parser.add_argument("--work-dir", type=Path, help="keeps galleries and results; default: a temporary folder")
    parser.add_argument("--sets", nargs="+", default=["museum", "scenic", "objects"])
    arguments = parser.parse_args(argv)
    if not arguments.eval_dir.is_dir():
        print(f"error: no evaluation photos in {arguments.eval_dir}: nothing was measured", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work_dir or Path(temporary)
        figures = {name: _measure(arguments.eval_dir / name, work / name) for name in arguments.sets}
    return compare(figures, BARS)


def _measure(photos: Path, work: Path) -> dict[str, float]:
    print(f"\n== {photos.name}")
    gallery = work / "gallery"
    if build_database.main(["--image-dir", str(photos), "--output-dir", str(gallery)]) != 0:
        raise SystemExit(f"the gallery of {photos} could not be built")
    arguments = ["--query-dir", str(photos), "--db-dir", str(gallery), "--output-dir", str(work / "results")]
    test_matching.main([*arguments, "--verifier", "geometric"])
    summary: dict[str, float] = json.loads((work / "results" / "results.json").read_text())["summary"]
    return summary


if __name__ == "__main__":
    raise SystemExit(main())
