"""Fits the geometric verifier's confidence rule, and measures the fit on held-out photos.

    python -m benchmarks.fit_geometric_confidence --eval-dir PHOTOS

Measures the evidence of every query of ``museum/`` and ``scenic/`` against its candidates. Fits the logistic rule on
all of them; the weights are for core/verifiers/geometric.py. Also fits it ten times on the queries of a random half of
the places, and reports on the other half: log loss, and the right and false answers at a threshold of 0.5.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from benchmarks.logistic import fit_logistic
from core.building.labels import read_folder
from core.imaging.decoding import decode_image
from core.m1_retrieval import M1GlobalRetrieval
from core.results import Photo
from core.runtime.threads import limit_threads
from core.verifiers.geometric import ConfidenceRule, GeometricEvidence, GeometricVerifier
from scripts import build_database


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One query's candidates: their evidence, and whether they show the query's place."""

    group: str
    known: bool
    signals: NDArray[np.float64]
    same: NDArray[np.bool_]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, fit, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval-dir", type=Path, required=True)
    arguments = parser.parse_args(argv)
    if not arguments.eval_dir.is_dir():
        print(f"error: no evaluation photos in {arguments.eval_dir}: nothing was fitted", file=sys.stderr)
        return 2
    limit_threads(1)
    queries = {name: _measure(arguments.eval_dir / name) for name in ("museum", "scenic")}
    everything = [query for part in queries.values() for query in part]
    rule = fit(everything, {name: len(part) for name, part in queries.items()})
    print("fitted on all:", dict(zip([field.name for field in fields(ConfidenceRule)], rule.round(2), strict=True)))
    for name, part in queries.items():
        print(f"{name:8} all        {_report(part, rule)}")
    for name, part in queries.items():
        loss, right, false = np.array([_held_out(queries, name, seed) for seed in range(10)]).T
        print(
            f"{name:8} held out   right {right.mean():.3f} (sd {right.std():.3f}), false accepts {false.mean():.3f} "
            f"(sd {false.std():.3f}), log loss {loss.mean():.3f}; {len(part)} queries"
        )
    return 0


def signals(evidence: GeometricEvidence) -> list[float]:
    """Return the inputs of the rule, in the order of its fields; 1 for the bias."""
    counts = (evidence.planar_inliers, evidence.match_score, evidence.local_score)
    return [1.0, *np.log1p(counts).tolist()]


def fit(queries: Sequence[Query], sizes: dict[str, int]) -> NDArray[np.float64]:
    """Fit by logistic regression; both sets have the same weight."""
    x = np.concatenate([query.signals for query in queries])
    y = np.concatenate([query.same for query in queries]).astype(np.float64)
    share = np.concatenate([np.full(len(q.same), 1 / sizes[q.group.split("/")[0]]) for q in queries])
    weight = share / share.mean()
    return fit_logistic(x, y, weight)


def _measure(photos: Path) -> list[Query]:
    verifier = GeometricVerifier()
    measured = []
    with tempfile.TemporaryDirectory() as folder, M1GlobalRetrieval("cpu") as retrieval:
        build_database.main(["--image-dir", str(photos), "--output-dir", folder])
        retrieval.load_index(folder)
        for photo in tqdm(read_folder(photos, "query"), desc=photos.name, disable=None):
            image = decode_image(photo.path.read_bytes()).image
            found = retrieval.retrieve(image, 5)
            stored = retrieval.gallery.local_features([candidate.image.image_id for candidate in found.candidates])
            # All features are known by now, so no pixels are needed.
            blank = partial(Image.new, "RGB", (1, 1))
            query = Photo(blank, None, found.local_features)
            evidence = verifier.measure(query, [Photo(blank, None, features) for features in stored])
            truth = photo.place.place_id if photo.place else None
            measured.append(
                Query(
                    group=f"{photos.name}/{truth or photo.path.name}",
                    known=truth is not None,
                    signals=np.array([signals(item) for item in evidence]),
                    same=np.array([candidate.image.place.place_id == truth for candidate in found.candidates]),
                )
            )
    verifier.close()
    return measured


def _held_out(queries: dict[str, list[Query]], name: str, seed: int) -> tuple[float, float, float]:
    """Fit on half of the places of both sets; return log loss, right and false answers on the other half of one set."""
    groups = sorted({query.group for part in queries.values() for query in part})
    seen = set(random.Random(seed).sample(groups, len(groups) // 2))
    training = {key: [query for query in part if query.group in seen] for key, part in queries.items()}
    rule = fit([q for part in training.values() for q in part], {key: len(part) for key, part in training.items()})
    unseen = [query for query in queries[name] if query.group not in seen]
    x, y = np.concatenate([q.signals for q in unseen]), np.concatenate([q.same for q in unseen])
    probability = np.clip(1 / (1 + np.exp(-x @ rule)), 1e-6, 1 - 1e-6)
    loss = -np.log(np.where(y, probability, 1 - probability)).mean()
    return float(loss), *_rates(unseen, rule)


def _rates(queries: Sequence[Query], rule: NDArray[np.float64]) -> tuple[float, float]:
    right, false = [], []
    for query in queries:
        log_odds = query.signals @ rule
        best = int(np.argmax(log_odds))
        if query.known:
            right.append(bool(query.same[best] and log_odds[best] >= 0))
        else:
            false.append(bool(log_odds[best] >= 0))
    return float(np.mean(right)), float(np.mean(false))


def _report(queries: Sequence[Query], rule: NDArray[np.float64]) -> str:
    right, false = _rates(queries, rule)
    return f"right {right:.3f}, false accepts {false:.3f} of {len(queries)} queries"


if __name__ == "__main__":
    raise SystemExit(main())
