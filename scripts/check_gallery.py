"""Find problems of a gallery's collections, and suggest what to photograph next.

    python scripts/check_gallery.py --db-dir data/gallery
    python scripts/check_gallery.py --db-dir data/gallery --collection museum --language zh --json health.json

Finds one picture under two places, places that are likely to be confused, photos that are blurred, dark, overexposed,
low in contrast or small, places with one photo, and places without a name or description. Services may be running.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from core.errors import SemanticMatchError
from core.gallery import Gallery
from core.gallery_health import HealthCheck, HealthReport
from core.runtime.threads import limit_threads
from core.verifiers import VERIFIERS
from scripts.options import add_storage_options, storage_of


def main(argv: Sequence[str] | None = None) -> int:
    """Check; return 0 if no problem was found, 1 if there are problems, 2 if the check failed."""
    arguments = _parser().parse_args(argv)
    limit_threads(arguments.threads)
    try:
        reports = list(_check(arguments))
    except SemanticMatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not reports:
        print(f"error: the gallery in {arguments.db_dir} holds no image", file=sys.stderr)
        return 2
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(report) for report in reports], indent=2, ensure_ascii=False))
        print(f"written: {arguments.json}")
    return 1 if any(report.faulty_photos.total or report.pairs.total for report in reports) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db-dir", type=Path, required=True, help="folder of the gallery")
    parser.add_argument("--collection", help="check only this collection; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all findings to this file")
    parser.add_argument("--language", choices=["en", "zh"], default="en", help="language of the printed advice")
    parser.add_argument("--show", type=int, default=10, help="most lines to print per list")
    parser.add_argument("--budget", type=float, default=60, metavar="SECONDS", help="time per collection")
    parser.add_argument(
        "--verifier",
        default="geometric",
        help=f"verifier for the most similar places: {', '.join(VERIFIERS.names)}, none",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads per numerical library")
    add_storage_options(parser)
    return parser


def _check(arguments: argparse.Namespace) -> Iterator[HealthReport]:
    verifier = None if arguments.verifier == "none" else VERIFIERS.create(arguments.verifier)
    with Gallery.open(arguments.db_dir, None, read_only=True, storage=storage_of(arguments)) as gallery:
        names = (
            [arguments.collection]
            if arguments.collection
            else [collection.name for collection in gallery.collections()]
        )
        check = HealthCheck(gallery, verifier)
        for name in names:
            report = check.run(name, budget_s=arguments.budget)
            print_report(report, arguments.show, arguments.language)
            yield report


def print_report(report: HealthReport, show: int, language: str) -> None:
    """Print the first lines of every list."""
    print(f"{report.collection}: {report.images} photos of {report.places} places, checked in {report.took_s:.1f} s")
    if not report.is_complete:
        print(
            f"  not everything in that time: {report.photos_compared} photos compared, "
            f"{report.photos_measured} measured, {report.pairs_tested} pairs tested; raise --budget"
        )
    _print_list("one picture under two places, or places that may be confused", report.pairs.total, show, (
        f"{pair.kind:12} {pair.first.name} | {pair.second.name}   similarity {pair.similarity:.2f}"
        + (f", local score {pair.local_score:.0f}" if pair.local_score is not None else "")
        + (f", confidence {pair.confidence:.2f}" if pair.confidence is not None else "")
        for pair in report.pairs.entries
    ))  # fmt: skip
    _print_list("photos to take again", report.faulty_photos.total, show, (
        f"{', '.join(photo.faults):20} {photo.filename} of {photo.place.name}" for photo in report.faulty_photos.entries
    ))  # fmt: skip
    print(f"  places with one photo: {report.one_view.total}")
    print(f"  places without a name of their own: {report.unnamed.total}")
    print(f"  places without a description: {report.undescribed.total}")
    _print_list("what to photograph next", report.advice.total, show, (
        advice.zh if language == "zh" else advice.en for advice in report.advice.entries
    ))  # fmt: skip


def _print_list(title: str, total: int, show: int, lines: Iterator[str]) -> None:
    print(f"  {title}: {total}")
    for line, _ in zip(lines, range(show), strict=False):
        print(f"    {line}")


if __name__ == "__main__":
    raise SystemExit(main())
