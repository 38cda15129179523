"""The queries of the decision benchmark: asked once, and kept as evidence per place."""

import json
import time
from dataclasses import astuple
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from core.building.labels import read_folder
from core.calibration.samples import NOTHING_FOUND, Sample
from core.decision.evidence import SIGNALS, VerifiedPair, gather
from core.decision.rule import DecisionRule, rule_for
from core.evaluation.calibration_queries import asking, labelled_photos
from core.m1_retrieval import M1GlobalRetrieval
from core.matching import Match
from core.verifiers.geometric import GeometricVerifier
from scripts import build_database


class Query:
    """One answered query: evidence per place, and the truth."""

    def __init__(self, record: dict[str, object]) -> None:
        self.group: str = str(record["group"])
        self.kind: str = str(record["kind"])
        self.seconds = float(str(record["seconds"]))
        self.cpu_s = float(str(record["cpu_s"]))
        self.places: list[str] = list(record["places"])  # type: ignore[call-overload]
        self.signals: NDArray[np.float64] = np.array(record["signals"], dtype=np.float64).reshape(-1, len(SIGNALS))
        self.truth = record["truth"]

    def sample(self, rule: DecisionRule) -> Sample:
        """Score the query."""
        known = self.kind == "known"
        origin = "left out" if self.kind == "left out" else "labelled"
        if not self.places:
            return Sample(NOTHING_FOUND, known, False, origin)
        scores = rule.bias + self.signals @ np.array(rule.weights)
        first = int(np.argmax(scores))
        return Sample(float(scores[first]), known, known and self.places[first] == self.truth, origin)


def measured_queries(photos: Path, work: Path, budget: float) -> list[Query]:
    """Ask every query of a set, or read what was kept of that.

    Args:
        photos: the set's folder, with a manifest.csv.
        work: what is kept, in a file per set and budget; the galleries as well.
        budget: seconds for looks at a query.
    """
    kept = work / f"{photos.name}-{budget:g}s.jsonl"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        gallery = work / photos.name
        build_database.main(["--image-dir", str(photos), "--output-dir", str(gallery)])
        unfinished = kept.with_suffix(".part")
        with M1GlobalRetrieval("cpu", time_budget_s=budget) as retrieval, unfinished.open("w") as file:
            retrieval.load_index(gallery)
            ask, _ = asking(retrieval, GeometricVerifier(), "default")
            places = {image.place.place_id for image in retrieval.gallery.all_images("default")}
            queries = list(labelled_photos(read_folder(photos, "query"), places))
            for number, photo in enumerate(tqdm(queries, desc=photos.name, disable=None)):
                data = photo.read()
                for question in photo.questions:
                    started = time.perf_counter()
                    match = ask(data, question.exclusion)
                    seconds = time.perf_counter() - started
                    kind = "left out" if question.exclusion else "known" if question.truth else "unknown"
                    group = f"{photos.name}/{question.truth or number}"
                    file.write(json.dumps(_record(match, kind, group, question.truth, seconds)) + "\n")
        unfinished.rename(kept)
    return [Query(json.loads(line)) for line in kept.read_text().splitlines()]


def _record(match: Match, kind: str, group: str, truth: str | None, seconds: float) -> dict[str, object]:
    evidence = gather(
        [
            VerifiedPair(candidate.image.place.place_id, candidate.similarity, verdict, candidate.local_score)
            for candidate, verdict in zip(match.ranked, match.verdicts, strict=True)
        ],
        margin_floor=rule_for("embedded", "geometric").margin_floor,
        rival_floor=rule_for("embedded", "geometric").rival_floor,
    )
    return {
        "kind": kind,
        "group": group,
        "truth": truth,
        "seconds": round(seconds, 4),
        "cpu_s": round(match.cpu_s, 4),
        "places": list(evidence),
        "signals": [astuple(each) for each in evidence.values()],
    }
