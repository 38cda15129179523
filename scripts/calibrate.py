"""Choose a collection's answer threshold for a target such as "at most 2 % of unknown photos get an answer".

    python scripts/calibrate.py --db-dir data/gallery --target 0.02 --query-dir PHOTOS
    python scripts/calibrate.py --db-dir data/gallery --target 0.02

With --query-dir, labelled photos are measured: one folder per place, or a manifest.csv. Photos of places that the
collection does not hold should get no answer. A photo of a known place is measured a second time without that place.
Without --query-dir, or with too few labelled photos, the collection's own photos are used, changed to look like a
visitor's photos. The result is stored with the collection; the running service uses it from the next photo on.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from core.building.labels import read_folder, true_places
from core.calibration.bounds import Interval, least_count
from core.calibration.calibration import MAYBE_TARGET, Calibration, calibrate, check_target, choose_unknown, describe
from core.calibration.samples import Origin, Sample
from core.errors import SemanticMatchError
from core.evaluation.calibration_queries import QueryPhoto, asking, gallery_photos, labelled_photos, take
from core.gallery import DEFAULT_COLLECTION, Gallery
from core.m1_retrieval import M1GlobalRetrieval
from core.m3_verifier import LocalM3Verifier
from core.runtime.threads import limit_threads
from scripts.options import add_storage_options, add_verifier_options, print_any_name, storage_of

TARGETS = (0.01, 0.02, 0.05, 0.1)


def main(argv: Sequence[str] | None = None) -> int:
    """Calibrate."""
    print_any_name()
    arguments = _parse(argv)
    limit_threads(1)
    try:
        check_target(arguments.target)
        with M1GlobalRetrieval(arguments.device, time_budget_s=arguments.time_budget) as retrieval:
            retrieval.load_index(arguments.db_dir, storage=storage_of(arguments))
            calibration = _remembered(arguments, retrieval) if arguments.refit else _measured(arguments, retrieval)
        print_report(calibration)
        if not arguments.dry_run:
            with Gallery.open(arguments.db_dir, None, storage=storage_of(arguments)) as gallery:
                gallery.store_calibration(arguments.collection, calibration.made_at, calibration.to_json())
            print(f"kept with collection {arguments.collection!r}")
    except SemanticMatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db-dir", type=Path, required=True, help="folder of the gallery")
    parser.add_argument("--collection", default=DEFAULT_COLLECTION)
    parser.add_argument("--target", type=float, default=0.02, help="share of unknown photos that may be answered")
    parser.add_argument("--query-dir", type=Path, help="labelled photos")
    parser.add_argument("--photos", type=int, default=100, help="most photos of the collection to use (default: 100)")
    parser.add_argument("--refit", action="store_true", help="set another target for the last measurements")
    parser.add_argument("--dry-run", action="store_true", help="print the report, store nothing")
    parser.add_argument("--verifier", help="verifier; default: the one that the service would choose")
    parser.add_argument("--model", help="model of the verifier")
    add_verifier_options(parser)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--prompt-style", help="for verifiers that use a prompt")
    parser.add_argument("--top-k", type=int, default=5)
    parser.add_argument(
        "--time-budget", type=float, default=60.0, help="seconds for all looks at one photo; the default is ample"
    )
    add_storage_options(parser)
    return parser.parse_args(argv)


def _measured(arguments: argparse.Namespace, retrieval: M1GlobalRetrieval) -> Calibration:
    gallery = retrieval.gallery
    door = LocalM3Verifier(
        *([arguments.prompt_style] if arguments.prompt_style else []),
        verifier=arguments.verifier,
        model=arguments.model,
        device=arguments.device,
        **arguments.verifier_options,
    )
    ask, models = asking(
        retrieval, door.backend, arguments.collection, top_k=arguments.top_k, prompt_style=arguments.prompt_style
    )
    samples: list[Sample] = []

    def measure(photos: list[QueryPhoto], what: str) -> None:
        for photo in tqdm(photos, desc=what, unit="photo", disable=None):
            samples.extend(take(photo, ask))

    if arguments.query_dir is not None:
        shown = gallery.all_places(arguments.collection)
        places = {summary.place.place_id for summary in shown if not summary.place.is_hidden}
        photos = read_folder(arguments.query_dir, "query")
        known = true_places(photos, places)
        strangers = {photo.place.place_id for photo in photos if photo.place and photo.path not in known}
        if strangers:
            print(f"not in the collection, so counted as photos of nothing in it: {', '.join(sorted(strangers))}")
        measure(list(labelled_photos(photos, places)), "labelled")
    if len(choose_unknown(samples, arguments.target)) < least_count(arguments.target):
        measure(gallery_photos(gallery, arguments.collection, arguments.photos), "own photos")
    return calibrate(samples, arguments.target, models, places=gallery.count_places(arguments.collection))


def _remembered(arguments: argparse.Namespace, retrieval: M1GlobalRetrieval) -> Calibration:
    stored = retrieval.gallery.calibration(arguments.collection)
    if stored is None:
        raise SystemExit(f"error: collection {arguments.collection!r} was never calibrated; leave --refit out")
    return Calibration.from_json(stored).with_target(arguments.target)


def print_report(calibration: Calibration) -> None:
    """Print the effect of the threshold, and the guaranteed bounds."""
    report = describe(calibration)
    print(f"\ntarget: at most {calibration.target:.1%} of questions about nothing in the collection are answered")
    confidence = calibration.confidence(calibration.threshold)
    print(f"threshold: score above {calibration.threshold:.2f}, confidence {confidence:.2f}")
    unknown = _by_origin(report.unknown_by_origin)
    if calibration.promised:
        print(f"promised: {unknown} unknown photos suffice (split-conformal test, see docs/calibration.md)")
    else:
        needed = report.questions[0].needed_unknown
        print(f"NOT promised: {unknown} unknown photos, {needed} needed; the threshold is an estimate")
    print(f"known photos: {_by_origin(report.known_by_origin)}")
    if report.simulated:
        print("simulated: the collection's own photos, changed as if taken again; expect fewer answers for real photos")
    for name, interval in (
        ("unknown answered", report.false_answers),
        ("known answered", report.answered),
        ("  with the right place", report.right),
        ("  with a wrong place", report.wrong_place),
    ):
        print(f"{name:24} {_say(interval)}")
    print(f"calibration error (ECE)  {report.reliability.error:.3f}")
    print(f"\nmaybe: at most {MAYBE_TARGET:.0%} of questions about nothing get an answer or a maybe")
    print("photos in a question  one of them must score above     for a maybe")
    for question in report.questions:
        maybe = "-" if question.maybe_threshold is None else f"{question.maybe_threshold:.2f}"
        print(f"{question.photos:20}  {question.threshold:24.2f} {maybe:>15}{_mark(question.promised)}")
    print("\nother targets      threshold  known photos answered")
    for target in TARGETS:
        other = calibration.with_target(target)
        print(
            f"{target:8.1%}           {other.threshold:8.2f}  {_say(describe(other).answered)}{_mark(other.promised)}"
        )


def _by_origin(counts: Mapping[Origin, int]) -> str:
    return ", ".join(f"{count} {origin}" for origin, count in counts.items()) or "none"


def _mark(promised: bool) -> str:
    return "" if promised else "   (estimate)"


def _say(interval: Interval) -> str:
    if not interval.count:
        return "no photo"
    return f"{interval.share:.3f}  (95 %: {interval.low:.3f} to {interval.high:.3f}, of {interval.count})"


if __name__ == "__main__":
    raise SystemExit(main())
