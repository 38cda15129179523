"""Fits the geometric verifier's confidence rules, and says how well the fit holds on photos it did not see.

    python -m benchmarks.fit_geometric_confidence --eval-dir PHOTOS

Measures the evidence of every query of ``museum/``, ``scenic/`` and ``objects/`` against its candidates. Fits both
logistic rules (the weights to put into core/verifiers/geometric/confidence.py) on the queries of one half of the
places, and reports on the other half, ten times: how many right and false answers a threshold of 0.5 gives by XFeat
alone, and by both stages.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.logistic import fit_logistic
from core.building.labels import read_folder
from core.imaging.decoding import decode_image
from core.m1_retrieval import M1GlobalRetrieval
from core.results import Photo
from core.runtime.threads import limit_threads
from core.verifiers.geometric import ConfidenceRule, GeometricEvidence, GeometricVerifier
from scripts import build_database

SETS = ("museum", "scenic", "objects")
SPLITS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One query's candidates: evidence and whether each shows the query's place."""

    group: str
    known: bool
    evidence: list[GeometricEvidence]
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
    queries = {name: _measure(arguments.eval_dir / name) for name in SETS}
    groups = sorted({query.group for part in queries.values() for query in part})
    rates: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for seed in range(SPLITS):
        seen = set(random.Random(seed).sample(groups, len(groups) // 2))
        rule = fit([query for part in queries.values() for query in part if query.group in seen])
        print(f"half {seed}: {rule}")
        for name, part in queries.items():
            unseen = [query for query in part if query.group not in seen]
            rates.setdefault((name, "XFeat alone"), []).append(_rates([_first_only(query) for query in unseen], rule))
            rates.setdefault((name, "both stages"), []).append(_rates(unseen, rule))
    for (name, stages), pairs in rates.items():
        right, false = np.array(pairs).T
        print(
            f"{name:8} {stages}: right {right.mean():.3f} (sd {right.std():.3f}), false accepts {false.mean():.3f} "
            f"(sd {false.std():.3f}); the other half of the places"
        )
    return 0


def fit(queries: Sequence[Query]) -> ConfidenceRule:
    """Fit both rules by logistic regression; every set weighs the same."""
    pairs = [
        (query.group.partition("/")[0], evidence, same)
        for query in queries
        for evidence, same in zip(query.evidence, query.same, strict=True)
    ]
    first = _fit([(name, _first_signals(evidence), same) for name, evidence, same in pairs], penalty=1.0)
    compared = [
        (name, [1.0, float(np.log1p(evidence.second.match_score))], same)
        for name, evidence, same in pairs
        if evidence.second is not None
    ]
    second = _fit(compared, penalty=0.1)
    return ConfidenceRule(*first.round(2).tolist(), ConfidenceRule().lowered, *second.round(2).tolist())


def _fit(pairs: Sequence[tuple[str, list[float], np.bool_]], penalty: float) -> NDArray[np.float64]:
    names = np.array([name for name, _, _ in pairs])
    weights = np.array([1 / np.count_nonzero(names == name) for name in names])
    x, y = np.array([signals for _, signals, _ in pairs]), np.array([float(same) for _, _, same in pairs])
    return fit_logistic(x, y, weights / weights.mean(), penalty)


def _first_signals(evidence: GeometricEvidence) -> list[float]:
    counts = (evidence.first.planar_inliers, evidence.first.match_score, evidence.local_score)
    return [1.0, *np.log1p(counts).tolist()]


def _first_only(query: Query) -> Query:
    return replace(query, evidence=[replace(evidence, second=None) for evidence in query.evidence])


def _measure(photos: Path) -> list[Query]:
    verifier = GeometricVerifier(aliked=True)
    measured = []
    with tempfile.TemporaryDirectory() as folder, M1GlobalRetrieval("cpu") as retrieval:
        build_database.main(["--image-dir", str(photos), "--output-dir", folder])
        retrieval.load_index(folder)
        for photo in tqdm(read_folder(photos, "query"), desc=photos.name, disable=None):
            image = decode_image(photo.path.read_bytes()).image
            found = retrieval.retrieve(image, 5)
            query = Photo(lambda image=image: image, None, found.local_features)  # type: ignore[misc]
            candidates = retrieval.gallery.photos([candidate.image for candidate in found.candidates])
            truth = photo.place.place_id if photo.place else None
            measured.append(
                Query(
                    group=f"{photos.name}/{truth or photo.path.name}",
                    known=truth is not None,
                    evidence=verifier.measure(query, candidates),
                    same=np.array([candidate.image.place.place_id == truth for candidate in found.candidates]),
                )
            )
    verifier.close()
    return measured


def _rates(queries: Sequence[Query], rule: ConfidenceRule) -> tuple[float, float]:
    right, false = [], []
    for query in queries:
        confidences = [rule.confidence(evidence) for evidence in query.evidence]
        best = int(np.argmax(confidences))
        if query.known:
            right.append(bool(query.same[best] and confidences[best] >= 0.5))
        else:
            false.append(confidences[best] >= 0.5)
    return float(np.mean(right)), float(np.mean(false))


if __name__ == "__main__":
    raise SystemExit(main())
