"""Builds the report: selects and sorts the queries with pictures, and fills the template."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.evaluation import curves
from core.evaluation.outcomes import QueryOutcome, by_source, summarise
from scripts.report import charts
from scripts.report.pictures import THUMBNAIL_SIDE, Album, Picture, pair, single
from scripts.report.records import ReportedCandidate, ReportedQuery, RunFacts
from scripts.report.words import both, plain, say, say_stage

WRONG_FIRST = ("false accept", "wrong place", "missed", "unreadable")
# A query takes some 90 KB; a phone opens a page with a hundred.
MOST_WRONG = 100
SAMPLE = 12


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """One candidate of a card: its small photo, and whether it shows the right place."""

    candidate: ReportedCandidate
    thumbnail: Markup
    name: str
    points: int | None
    is_truth: bool


@dataclass(frozen=True, slots=True)
class Card:
    """One query of the page."""

    query: ReportedQuery
    drawing: Markup
    truth: Markup | None
    true_name: Markup
    answer: Markup
    reasons: Markup
    rows: Sequence[CandidateRow]


def write_report(path: Path, queries: Sequence[ReportedQuery], facts: RunFacts, *, all_pictures: bool = False) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        queries: in the order of the evaluation.
        facts: of the evaluation.
        all_pictures: show every query with pictures, whatever the size of the page.
    """
    path.write_text(render(queries, facts, all_pictures=all_pictures), encoding="utf-8")


def render(queries: Sequence[ReportedQuery], facts: RunFacts, *, all_pictures: bool = False) -> str:
    """Return the page's HTML; see ``write_report``."""
    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "say": say,
        "say_stage": say_stage,
        "plain": plain,
        "style": Markup((folder / "page.css").read_text(encoding="utf-8")),
        "script": Markup((folder / "page.js").read_text(encoding="utf-8")),
    }
    environment.filters |= {"share": _share, "figure": _figure, "seconds": _seconds}
    return environment.get_template("page.html").render(_content(queries, facts, all_pictures=all_pictures))


def _content(queries: Sequence[ReportedQuery], facts: RunFacts, *, all_pictures: bool) -> dict[str, object]:
    album = Album()
    outcomes = [query.outcome for query in queries]
    wrong = sorted(
        (query for query in queries if query.outcome.verdict in WRONG_FIRST),
        key=lambda query: (WRONG_FIRST.index(query.outcome.verdict), -query.outcome.confidence),
    )
    fine = [query for query in queries if query.outcome.verdict in ("right", "rightly refused")]
    unlabelled = [query for query in queries if query.outcome.verdict == "unlabelled"]
    limit = None if all_pictures else MOST_WRONG
    shown_fine, shown_unlabelled = (group if all_pictures else _sample(group, SAMPLE) for group in (fine, unlabelled))
    places = curves.by_place(outcomes)
    summary, curve = summarise(outcomes), curves.threshold_curve(outcomes)
    reliability = curves.reliability_of(outcomes)
    return {
        "facts": facts,
        "name": lambda place_id: facts.place_names.get(place_id, place_id),
        "count": len(queries),
        "summary": summary,
        "missed": _missed(outcomes),
        "wrong": [_card(query, facts, album) for query in wrong[:limit]],
        "wrong_rest": wrong[limit:] if limit is not None else [],
        "fine": [_card(query, facts, album) for query in shown_fine],
        "is_sample": len(shown_fine) < len(fine),
        "unlabelled": [_card(query, facts, album) for query in shown_unlabelled],
        "recall": charts.recall_chart(curves.recall_curve(outcomes, facts.top_k)) if summary.in_gallery else None,
        "precision_recall": charts.precision_recall_chart(curve, summary) if summary.in_gallery else None,
        "threshold": charts.threshold_chart(curve) if summary.in_gallery or summary.out_of_gallery else None,
        "reliability": charts.reliability_chart(reliability.bins) if reliability.bins else None,
        "ece": f"{reliability.error:.3f}",
        "times": _times(outcomes),
        "confusions": curves.confusions(outcomes),
        "places": places,
        "troubled": [place for place in places if place.right < place.queries],
        "sources": by_source(outcomes),
        "pictures": album.definitions(),  # last, because the cards above fill the album
    }


def _card(query: ReportedQuery, facts: RunFacts, album: Album) -> Card:
    outcome = query.outcome
    names = facts.place_names
    first = query.candidates[0] if query.candidates else None
    nearest = names.get(first.place_id, first.place_id) if first else None
    answer = say("no_answer") if nearest is None else say("no_answer_nearest", place=nearest)
    if not outcome.labelled:
        true_name = say("unknown_truth")
    elif outcome.true_place is None:
        true_name = say("not_in_collection")
    else:
        true_name = Markup("{}").format(names.get(outcome.true_place, outcome.true_place))
    is_elsewhere = query.true_photo is not None and first is not None and first.place_id != outcome.true_place
    truth = album.add(query.true_photo) if query.true_photo is not None and is_elsewhere else None
    return Card(
        query=query,
        drawing=_drawing(query, album),
        truth=single(truth, plain("truth_photo")[0]) if truth else None,
        true_name=true_name,
        answer=Markup("{}").format(nearest) if outcome.matched and nearest is not None else answer,
        reasons=_reasons(query),
        rows=[_row(candidate, outcome, facts, album) for candidate in query.candidates],
    )


def _drawing(query: ReportedQuery, album: Album) -> Markup:
    asked = album.add(query.photo)
    if asked is None:
        return Markup("")
    description = f"{plain('query')[0]}: {query.outcome.file}"
    found: Picture | None = album.add(query.candidates[0].photo) if query.candidates else None
    if found is None:
        return single(asked, description)
    verdict = query.candidates[0].verdict
    region = query.explanation.regions[0] if query.explanation is not None else None
    return pair(asked, found, verdict.correspondences if verdict else None, region, description)


def _row(candidate: ReportedCandidate, outcome: QueryOutcome, facts: RunFacts, album: Album) -> CandidateRow:
    name = facts.place_names.get(candidate.place_id, candidate.place_id)
    thumbnail = album.add(candidate.photo, THUMBNAIL_SIDE)
    points = candidate.verdict.correspondences if candidate.verdict is not None else None
    return CandidateRow(
        candidate=candidate,
        thumbnail=single(thumbnail, name) if thumbnail else Markup(""),
        name=name,
        points=None if points is None else len(points.query_points),
        is_truth=outcome.labelled and candidate.place_id == outcome.true_place,
    )


def _reasons(query: ReportedQuery) -> Markup:
    if query.explanation is None:
        return Markup("{}").format(query.outcome.error or query.reason)
    reasons = query.explanation.reasons
    english, chinese = (
        " ".join(reason.say("en") for reason in reasons),
        "".join(reason.say("zh") for reason in reasons),
    )
    return both(english, chinese)


def _missed(outcomes: Sequence[QueryOutcome]) -> float:
    known = [outcome for outcome in outcomes if outcome.labelled and outcome.true_place is not None]
    return sum(not outcome.matched for outcome in known) / len(known) if known else math.nan


def _times(outcomes: Sequence[QueryOutcome]) -> list[tuple[str, Markup, Markup]]:
    """Return the key, the histogram and a note of every stage."""
    pairs = sorted((stage, spent) for outcome in outcomes for stage, spent in outcome.timings_ms.items())
    by_stage = {stage: [spent for _, spent in group] for stage, group in groupby(pairs, key=lambda pair: pair[0])}
    order = list(dict.fromkeys(stage for outcome in outcomes for stage in outcome.timings_ms))
    return [
        (
            stage,
            charts.time_histogram(stage, by_stage[stage]),
            say(
                "times.note",
                median=_seconds(float(np.median(by_stage[stage]))),
                high=_seconds(float(np.percentile(by_stage[stage], 95))),
            ),
        )
        for stage in order
    ]


def _sample(queries: Sequence[ReportedQuery], count: int) -> Sequence[ReportedQuery]:
    """Take ``count`` queries evenly from the list, so that all sources and both kinds of right answers are included."""
    if len(queries) <= count:
        return queries
    return [queries[index] for index in np.linspace(0, len(queries) - 1, count).round().astype(int)]


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"


def _figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.0f} ms"
