"""The queries of the decision benchmark: two models are asked once, and the evidence per place is kept."""

import argparse
import hashlib
import json
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

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
from core.verifiers import VERIFIERS
from core.verifiers.base import Verifier
from scripts import build_database
from scripts.options import add_verifier_options, json_object

_DEFAULT = "embedded geometric"


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


@dataclass(frozen=True, slots=True)
class AskedModels:
    """The models that are asked.

    Attributes:
        name: of their rule in ``core/decision/rules.toml``.
        are_default: whether these are the default models with their default options.
        rule: the shipped one.
        work: folder of the galleries and answers.
        budget_s: seconds for looks at a query.
        encoder: name of the encoder.
        encoder_options: with the model.
        verifier: name of the verifier.
        verifier_options: with the model.
        prompt_style: None is the verifier's own.
    """

    name: str
    are_default: bool
    rule: DecisionRule
    work: Path
    budget_s: float
    encoder: str
    encoder_options: dict[str, Any]
    verifier: str
    verifier_options: dict[str, Any]
    prompt_style: str | None

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Add the options that ``of`` reads."""
        parser.add_argument("--encoder", default="embedded", help="as M1_ENCODER")
        parser.add_argument("--encoder-options", type=json_object, default={}, metavar="JSON", help="with the model")
        parser.add_argument("--verifier", default="geometric", help="as M3_VERIFIER")
        add_verifier_options(parser)
        parser.add_argument("--prompt-style", help="of a verifier that is asked in prompts")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "AskedModels":
        """Read the command line, which has ``work_dir`` and ``time_budget`` too.

        Answers of other models and options lie in folders of their own.
        """
        pair = f"{arguments.encoder} {arguments.verifier}"
        options = json.dumps([arguments.encoder_options, arguments.verifier_options], sort_keys=True)
        name = f"{pair} {arguments.prompt_style}" if arguments.prompt_style else pair
        are_default = name == _DEFAULT and not arguments.encoder_options and not arguments.verifier_options
        own = f"{name.replace(' ', '-')}-{hashlib.sha256(options.encode()).hexdigest()[:8]}"
        return cls(
            name,
            are_default,
            rule_for(arguments.encoder, arguments.verifier, arguments.prompt_style),
            arguments.work_dir if are_default else arguments.work_dir / own,
            arguments.time_budget,
            arguments.encoder,
            arguments.encoder_options,
            arguments.verifier,
            arguments.verifier_options,
            arguments.prompt_style,
        )

    def measured(self, photos: Path) -> list[Query]:
        """Return the answers to all queries of a set: of an earlier run, or measured now."""
        kept = self.work / f"{photos.name}-{self.budget_s:g}s.jsonl"
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            self._measure(photos, kept)
        return [Query(json.loads(line)) for line in kept.read_text().splitlines()]

    def _measure(self, photos: Path, kept: Path) -> None:
        gallery = self.work / photos.name
        built = build_database.main(
            ["--image-dir", str(photos), "--output-dir", str(gallery), "--encoder", self.encoder,
             "--encoder-options", json.dumps(self.encoder_options)]
        )  # fmt: skip
        if built != 0:
            raise SystemExit(built)
        unfinished = kept.with_suffix(".part")
        device = "cpu" if self.encoder == "embedded" else "auto"
        retrieval = M1GlobalRetrieval(device, time_budget_s=self.budget_s, **self.encoder_options)
        with retrieval, unfinished.open("w") as file:
            retrieval.load_index(gallery)
            verifier: Verifier = VERIFIERS.create(self.verifier, **self.verifier_options)
            ask, _ = asking(retrieval, verifier, "default", prompt_style=self.prompt_style)
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
                    file.write(json.dumps(_record(match, kind, group, question.truth, seconds, self.rule)) + "\n")
        unfinished.rename(kept)


def _record(
    match: Match, kind: str, group: str, truth: str | None, seconds: float, rule: DecisionRule
) -> dict[str, object]:
    evidence = gather(
        [
            VerifiedPair(candidate.image.place.place_id, candidate.similarity, verdict, candidate.local_score)
            for candidate, verdict in zip(match.ranked, match.verdicts, strict=True)
        ],
        margin_floor=rule.margin_floor,
        rival_floor=rule.rival_floor,
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
