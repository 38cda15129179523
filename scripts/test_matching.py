"""Match a folder of photos against a gallery and measure the accuracy of the answers.

    python scripts/test_matching.py --query-dir queries/ --db-dir data/gallery --output-dir results/

The query folder holds one folder per place (named by the gallery's place ids, NFC or NFD), a manifest.csv, or
unlabelled photos.
For a folder that names no place of the gallery, and a manifest row without place_id, the right answer is "not in the
collection". Writes results.json, results.csv and report.html, a page with pictures that needs no network.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from core.building.labels import LabelledPhoto, read_folder, true_places
from core.decision.acceptance import at_confidence
from core.decision.explanations import ExplainedPair, explain
from core.errors import InvalidImage, SemanticMatchError
from core.evaluation.outcomes import QueryOutcome, Summary, by_source, summarise
from core.gallery import DEFAULT_COLLECTION, Gallery
from core.imaging.decoding import read_photo
from core.m1_retrieval import M1GlobalRetrieval
from core.m3_verifier import LocalM3Verifier
from core.matching import Match, match_photo
from core.results import Verdict
from core.runtime.threads import limit_threads
from core.verifiers import VERIFIERS
from core.verifiers.base import Verifier
from scripts.options import add_storage_options, add_verifier_options, json_object, print_any_name, storage_of
from scripts.report.page import write_report
from scripts.report.records import ReportedCandidate, ReportedQuery, RunFacts

_WRITTEN = ("results.json", "results.csv", "report.html")


def main(argv: Sequence[str] | None = None) -> int:
    """Match every photo; return 0 if all could be read and matched."""
    print_any_name()
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments)
    except SemanticMatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--query-dir", type=Path, required=True, help="photos to test with")
    parser.add_argument("--db-dir", type=Path, required=True, help="the gallery, from build_database.py or a service")
    parser.add_argument("--output-dir", type=Path, required=True, help="folder for the results and the report")
    parser.add_argument("--collection", default=DEFAULT_COLLECTION)
    parser.add_argument("--top-k", type=int, default=5, help="candidates to verify")
    parser.add_argument(
        "--encoder-options",
        type=json_object,
        default={},
        help='the options that the gallery was built with, e.g. {"model": "/models/dinov2-giant", "pooling": "gem"}',
    )
    parser.add_argument("--verifier", help=f"{', '.join(VERIFIERS.names)} or none; default: what this machine can run")
    parser.add_argument("--model", help="model id or folder of the verifier")
    add_verifier_options(parser)
    parser.add_argument("--prompt-style", default="simple")
    parser.add_argument("--accept-threshold", type=float, help="confidence from which an answer is given, [0, 1]")
    parser.add_argument(
        "--all-pictures", action="store_true", help="report.html shows every query, not a sample of the right ones"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N")
    parser.add_argument("--threads", type=int, default=1, help="threads per numerical library")
    add_storage_options(parser)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    limit_threads(arguments.threads)
    photos = read_folder(arguments.query_dir, "query")
    if not photos:
        print(f"error: no photos in {arguments.query_dir}", file=sys.stderr)
        return 2
    with M1GlobalRetrieval(arguments.device, **arguments.encoder_options) as retrieval:
        retrieval.load_index(arguments.db_dir, storage=storage_of(arguments))
        places = _place_names(retrieval, arguments.collection)
        truths = true_places(photos, places)
        with _open_verifier(arguments) as verifier:
            queries = [
                _ask(photo, truths.get(photo.path), retrieval, verifier, arguments)
                for photo in tqdm(photos, unit="query", disable=None)
            ]
            facts = RunFacts(
                query_folder=arguments.query_dir.resolve().name,
                collection=arguments.collection,
                encoder=str(retrieval.gallery.fingerprint),
                verifier=verifier.fingerprint if verifier is not None else None,
                accept_threshold=arguments.accept_threshold,
                top_k=arguments.top_k,
                place_names=places,
            )
    outcomes = [query.outcome for query in queries]
    strangers = {photo.place.place_id for photo in photos if photo.place and photo.path not in truths}
    if strangers:
        print(f"not in the gallery, so counted as unknown: {', '.join(sorted(strangers))}")
    _write(arguments.output_dir, outcomes)
    print_summary(outcomes)
    write_report(arguments.output_dir / "report.html", queries, facts, all_pictures=arguments.all_pictures)
    print("written: " + ", ".join(str(arguments.output_dir / name) for name in _WRITTEN))
    return 1 if any(outcome.error for outcome in outcomes) else 0


def _place_names(retrieval: M1GlobalRetrieval, collection: str) -> dict[str, str]:
    places = (summary.place for summary in retrieval.gallery.all_places(collection))
    return {place.place_id: place.name for place in places if not place.is_hidden}


@contextmanager
def _open_verifier(arguments: argparse.Namespace) -> Iterator[Verifier | None]:
    if arguments.verifier == "none":
        yield None
        return
    with LocalM3Verifier(
        arguments.prompt_style,
        verifier=arguments.verifier,
        model=arguments.model,
        device=arguments.device,
        **arguments.verifier_options,
    ) as door:
        yield door.backend


def _ask(
    photo: LabelledPhoto,
    truth: str | None,
    retrieval: M1GlobalRetrieval,
    verifier: Verifier | None,
    arguments: argparse.Namespace,
) -> ReportedQuery:
    name = str(photo.path.relative_to(arguments.query_dir))
    try:
        match = match_photo(
            read_photo(photo.path),
            retrieval,
            verifier,
            top_k=arguments.top_k,
            collection=arguments.collection,
            prompt_style=arguments.prompt_style,
            acceptance=None if arguments.accept_threshold is None else at_confidence(arguments.accept_threshold),
        )
    except InvalidImage as error:
        outcome = QueryOutcome(name, photo.labelled, truth, photo.source, (), None, False, 0.0, 0.0, error=str(error))
        return ReportedQuery(outcome, photo.path)
    first = match.ranked[0] if match.ranked else None
    outcome = QueryOutcome(
        file=name,
        labelled=photo.labelled,
        true_place=truth,
        source=photo.source,
        retrieved_places=tuple(candidate.image.place.place_id for candidate in match.retrieved),
        final_place=first.image.place.place_id if first else None,
        matched=match.decision.matched,
        confidence=match.decision.confidence,
        similarity=first.similarity if first else 0.0,
        timings_ms=match.timings_ms,
        cpu_s=match.cpu_s,
        stage=match.verdicts[0].stage if match.verdicts else "",
    )
    return _reported(outcome, photo.path, match, _a_photo_of(truth, retrieval, arguments.collection), retrieval.gallery)


def _reported(
    outcome: QueryOutcome, photo: Path, match: Match, true_photo: Path | None, gallery: Gallery
) -> ReportedQuery:
    verdicts: list[Verdict | None] = [*match.verdicts] or [None] * len(match.ranked)
    pairs = [
        ExplainedPair(candidate.image.place.place_id, candidate.image.place.name, candidate.similarity, verdict)
        for candidate, verdict in zip(match.ranked, match.verdicts, strict=False)
    ]
    return ReportedQuery(
        outcome=outcome,
        photo=photo,
        candidates=tuple(
            ReportedCandidate(
                candidate.image.place.place_id,
                gallery.fetch_original(candidate.image),
                candidate.similarity,
                candidate.rank,
                verdict,
            )
            for candidate, verdict in zip(match.ranked, verdicts, strict=True)
        ),
        reason=match.decision.reason,
        explanation=explain(pairs, matched=match.decision.matched) if pairs else None,
        true_photo=true_photo,
    )


def _a_photo_of(place_id: str | None, retrieval: M1GlobalRetrieval, collection: str) -> Path | None:
    if place_id is None:
        return None
    images = retrieval.gallery.list_images(collection, place_id=place_id, limit=1).images
    return retrieval.gallery.fetch_original(images[0]) if images else None


def _write(folder: Path, outcomes: Sequence[QueryOutcome]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    summary = asdict(summarise(outcomes))
    sources = {source: asdict(part) for source, part in by_source(outcomes).items()}
    queries = [asdict(outcome) | {"verdict": outcome.verdict} for outcome in outcomes]
    report = {"summary": summary, "by_source": sources, "queries": queries}
    (folder / "results.json").write_text(json.dumps(_without_nan(report), indent=2, ensure_ascii=False))
    with (folder / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "verdict", "true_place", "answer", "first_place", "confidence", "similarity", "ms"])
        for outcome in outcomes:
            answer = outcome.final_place if outcome.matched else ""
            numbers = (f"{outcome.confidence:.4f}", f"{outcome.similarity:.4f}")
            total = f"{outcome.timings_ms.get('total', 0):.0f}"
            row = (outcome.file, outcome.verdict, outcome.true_place or "", answer, outcome.final_place or "")
            writer.writerow([*row, *numbers, total])


def _without_nan(value: object) -> object:
    """Replace NaN by None, because JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value


def print_summary(outcomes: Sequence[QueryOutcome]) -> None:
    """Print the pooled figures, then one line per source."""
    summary = summarise(outcomes)
    print(f"{summary.in_gallery} queries of gallery places, {summary.out_of_gallery} of nothing in the gallery")
    if summary.in_gallery:
        print(f"  retrieval alone    recall@1 {summary.recall_at_1:.3f}   recall@5 {summary.recall_at_5:.3f}")
        print(f"  after verification top-1    {summary.final_top1:.3f}   (before any threshold)")
        print(f"  answers given      right    {summary.right:.3f}   wrong place {summary.wrong_place:.3f}")
    if summary.settled_by:
        by_stage = "   ".join(f"{stage} {share:.3f}" for stage, share in summary.settled_by.items())
        print(f"    of them settled by        {by_stage}")
    if summary.out_of_gallery:
        print(f"  out of gallery     answered {summary.false_accepts:.3f}   (false accepts)")
    for outcome in outcomes:
        if outcome.error:
            print(f"  unreadable: {outcome.file}: {outcome.error}")
        elif not outcome.labelled:
            print(f"  {outcome.file}: {outcome.final_place if outcome.matched else 'not in the collection'}")
    print("  median ms          " + "   ".join(f"{stage} {ms:.0f}" for stage, ms in summary.median_ms.items()))
    print(f"  mean CPU seconds   {summary.mean_cpu_s:.2f}")
    sources = by_source(outcomes)
    if len(sources) > 1:
        print(f"  {'source':58} known  r@5  top1 right wrong | unknown  false")
        for source, part in sources.items():
            print(_source_line(source, part))


def _source_line(source: str, part: Summary) -> str:
    return (
        f"  {source[:58]:58} {part.in_gallery:5} {part.recall_at_5:4.2f}  {part.final_top1:4.2f}  {part.right:4.2f}  "
        f"{part.wrong_place:4.2f} | {part.out_of_gallery:7} {part.false_accepts:6.2f}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
