"""The figures of ``benchmarks.match_speed``, from what was measured."""

import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.naive_match import Cost
from core.building.labels import LabelledPhoto
from core.retrieval.retriever import TIME_BUDGET_S
from core.verifiers.geometric.verifier import SECOND_BUDGET_S

ALL = "all"


@dataclass(frozen=True, slots=True)
class Query:
    """A photo to ask about, and whether it shows a place of the gallery."""

    photo: LabelledPhoto
    is_known: bool


@dataclass(frozen=True, slots=True)
class Match:
    """One match that was asked while nobody else asked.

    Attributes:
        query: that was asked about.
        wall_s: until the answer, at the client.
        cpu_s: seconds of work of the product meanwhile.
        reply: of ``POST /match``.
    """

    query: Query
    wall_s: float
    cpu_s: float
    reply: Mapping[str, Any]

    @property
    def is_right(self) -> bool:
        """Whether the right place was given."""
        return self.query.is_known and bool(self.reply["matched"]) and self.query.photo.shows(self.reply["place"]["id"])

    @property
    def is_clear(self) -> bool:
        """Whether the photo was answered rightly after a single look at it, and without second features."""
        is_seen_once = self.reply["looks"] == 1 and "retrieval_second_features" not in self.reply["timings_ms"]
        return self.is_right and is_seen_once


@dataclass(slots=True)
class Measured:
    """What was measured of all sets.

    Attributes:
        matches: by set.
        naive: costs of the networks of a match, run naively.
        naive_on_one: the same on one core.
        indexed: photos indexed, and the seconds that it took.
        bare: seconds of the networks that describe a photo, on one core.
        crowd: verified answers to the clients together, the seconds that it took, answers without verification or
            other failures, and CPU seconds that the same photos took before.
        memory_mb: resident memory at the end.
        most_memory_mb: the most of it since the start.
    """

    matches: dict[str, list[Match]] = field(default_factory=dict)
    naive: list[Cost] = field(default_factory=list)
    naive_on_one: list[Cost] = field(default_factory=list)
    indexed: tuple[int, float] = (0, 0.0)
    bare: list[Cost] = field(default_factory=list)
    crowd: tuple[int, float, int, float] = (0, 0.0, 0, 0.0)
    memory_mb: float = math.nan
    most_memory_mb: float = math.nan


def figures_of(measured: Measured) -> dict[str, dict[str, float]]:
    """Return all figures by set and name; NaN where no photo was of the kind."""
    naive_s = statistics.mean(cost.wall_s for cost in measured.naive)
    naive_cpu_s = statistics.mean(cost.cpu_s for cost in measured.naive_on_one)
    everything = [match for matches in measured.matches.values() for match in matches]
    figures = {name: _of_set(matches, naive_s, naive_cpu_s) for name, matches in measured.matches.items()}
    photos, seconds = measured.indexed
    answered, crowd_s, _, alone_cpu_s = measured.crowd
    asked = answered + measured.crowd[2]
    figures[ALL] = _of_set(everything, naive_s, naive_cpu_s) | {
        "naive s": naive_s,
        "naive s on one core": statistics.mean(cost.wall_s for cost in measured.naive_on_one),
        "most of a budget": max(_most_of_a_budget(match.reply) for match in everything),
        "photos indexed / s": photos / seconds,
        "indexing / bare": photos / seconds * statistics.mean(cost.wall_s for cost in measured.bare),
        "16 clients / s": answered / crowd_s,
        "16 clients / cores": answered / crowd_s * (alone_cpu_s / asked) / cores(),
        "memory MB": measured.memory_mb,
        "most memory MB": measured.most_memory_mb,
    }
    return figures


def _of_set(matches: Sequence[Match], naive_s: float, naive_cpu_s: float) -> dict[str, float]:
    known = [match for match in matches if match.query.is_known]
    unknown = [match for match in matches if not match.query.is_known]
    cpu_s = _mean([match.cpu_s for match in matches])
    return {
        "clear": _mean([match.is_clear for match in known]),
        "clear / naive": _mean([match.wall_s for match in known if match.is_clear]) / naive_s,
        "known / naive": _mean([match.wall_s for match in known]) / naive_s,
        "unknown / naive": _mean([match.wall_s for match in unknown]) / naive_s,
        "all / naive": _mean([match.wall_s for match in matches]) / naive_s,
        "longest s": max(match.wall_s for match in matches),
        "CPU s per match": cpu_s,
        "CPU / naive": cpu_s / naive_cpu_s,
        "right": _mean([match.is_right for match in known]),
        "wrong place": _mean([match.reply["matched"] and not match.is_right for match in known]),
        "false accepts": _mean([match.reply["matched"] for match in unknown]),
    }


def _most_of_a_budget(reply: Mapping[str, Any]) -> float:
    """Return which share of its budget of CPU seconds a search or a second stage took, whichever took more."""
    cpu_ms = reply.get("cpu_ms", {})
    search, second = (cpu_ms.get(stage, 0.0) for stage in ("retrieval_search", "verification_second_stage"))
    return max(search / TIME_BUDGET_S, second / SECOND_BUDGET_S) / 1000


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else math.nan


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))
