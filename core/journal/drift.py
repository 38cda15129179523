"""Does a collection answer as it used to? Week by week: the share of photos answered, and where the scores lie.

A week is unusual when its share of answered photos cannot be chance (its exact 99 % interval and that of the reference
do not touch), or when its scores have moved and by enough to matter: the two-sample Kolmogorov-Smirnov test says that
they have (p < 0.005 over all weeks together, by Bonferroni), and the population stability index that it matters (0.2 or
more over the reference's deciles, the usual bound in credit scoring, beyond what chance alone gives: (bins - 1)(1/n +
1/m), Yurdakul, "Statistical properties of population stability index", 2018). Weeks are ISO weeks, in UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from core.calibration.bounds import exact_interval

REFERENCE_MATCHES = 200
"""So many matches of the first weeks are the reference, where no calibration set is given. Guessed."""
LEAST_MATCHES = 30
"""A week of fewer is shown and not judged. Guessed."""

_FLAGGING_LEVEL = 0.99
_KS_LEVEL = 0.005
_PSI_LEVEL = 0.2
_BINS = 10
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Share:
    """A share and its exact 95 % interval.

    Attributes:
        count: of those counted.
        total: of all; 0 leaves the share unknown.
    """

    count: int
    total: int

    @property
    def value(self) -> float | None:
        """[0, 1]; None of nothing."""
        return self.count / self.total if self.total else None

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Clopper-Pearson bounds."""
        found = exact_interval(self.count, self.total, level)
        return found.low, found.high


@dataclass(frozen=True, slots=True, eq=False)
class MatchColumns:
    """Matches of one collection and one pair of models, oldest first.

    Attributes:
        at: float64 [N], seconds since 1970 UTC.
        matched: bool [N].
        score: float64 [N].
        right: int8 [N], 1 or 0 if feedback tells whether the place was right, else -1.
        left_out: matches that were not verified, were answered by other models, or are older than the newest 100,000.
        encoder: fingerprint; None without matches.
        verifier: likewise.
    """

    at: NDArray[np.float64]
    matched: NDArray[np.bool_]
    score: NDArray[np.float64]
    right: NDArray[np.int8]
    left_out: int = 0
    encoder: str | None = None
    verifier: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a week is compared with.

    Attributes:
        source: ``calibration`` or ``first_weeks``.
        answered: share of its photos.
        scores: float64 [N].
        threshold: applied to the scores of all weeks, so that another target is no drift; None takes what was answered.
    """

    source: str
    answered: Share
    scores: NDArray[np.float64]
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Week:
    """One week's answers.

    Attributes:
        start: its Monday, ISO 8601.
        is_complete: it has ended.
        is_reference: it is part of what the others are compared with.
        answered: photos that were given a place.
        precision: share of right places among the answers with feedback.
        psi: population stability index against the reference, beyond chance; None where the week is not judged.
        ks_p: of the Kolmogorov-Smirnov test; None where the week is not judged.
        answers_changed: more or fewer photos are answered than chance allows.
        scores_changed: the scores lie elsewhere.
    """

    start: str
    is_complete: bool
    is_reference: bool
    answered: Share
    precision: Share
    psi: float | None
    ks_p: float | None
    answers_changed: bool
    scores_changed: bool


@dataclass(frozen=True, slots=True)
class Drift:
    """The report.

    Attributes:
        state: ``too_few``, ``usual`` or ``unusual``.
        en: the report in one sentence or several, in English.
        zh: the same in Chinese.
        reference_source: of the reference; None without one.
        reference: photos answered in it.
        weeks: oldest first.
        precision: over all weeks.
        left_out: matches that were not verified, were answered by other models, or are older than the newest 100,000.
        encoder: fingerprint; None without matches.
        verifier: likewise.
    """

    state: str
    en: str
    zh: str
    reference_source: str | None
    reference: Share
    weeks: tuple[Week, ...]
    precision: Share
    left_out: int


def report_drift(columns: MatchColumns, now: float, calibration: Reference | None = None) -> Drift:
    """Compare every week with the calibration set, or with the first weeks.

    Args:
        columns: the matches.
        now: seconds since 1970 UTC.
        calibration: scores and answers of the calibration set, if there is one.
    """
    weeks = _weeks(columns.at)
    first = 0
    reference = calibration
    if reference is not None and reference.threshold is not None:
        columns = replace(columns, matched=columns.score > reference.threshold)
    if reference is None:
        first, reference = _first_weeks(columns, weeks)
    ks_level = _KS_LEVEL / max(1, len(weeks) - first)
    judged = [
        _judge(columns, start, rows, now, reference, None if index < first else ks_level)
        for index, (start, rows) in enumerate(weeks)
    ]
    precision = _precision(columns, np.arange(len(columns.at)))
    state, en, zh = _say(judged, reference, len(columns.at))
    return Drift(
        state=state,
        en=en,
        zh=zh,
        reference_source=reference.source if reference else None,
        reference=reference.answered if reference else Share(0, 0),
        weeks=tuple(judged),
        precision=precision,
        left_out=columns.left_out,
    )


def population_stability(reference: NDArray[np.float64], sample: NDArray[np.float64]) -> float:
    """Population stability index over the reference's deciles, less what two samples of one distribution would have.

    Half a photo is added to every bin, so that none is empty.
    """
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, _BINS + 1)[1:-1]))
    first, second = (
        np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) + 0.5
        for values in (reference, sample)
    )
    first, second = first / first.sum(), second / second.sum()
    by_chance = len(edges) * (1 / len(reference) + 1 / len(sample))
    return max(0.0, float(((second - first) * np.log(second / first)).sum()) - by_chance)


def kolmogorov_smirnov(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Probability that two samples of one distribution differ at least as much; conservative where values repeat."""
    from scipy import stats  # here, because SciPy's start takes a second and 60 MB

    return float(stats.ks_2samp(first, second, method="asymp").pvalue)


def _weeks(at: NDArray[np.float64]) -> list[tuple[datetime, NDArray[np.intp]]]:
    """Group matches by week, oldest first; weeks without any are left out."""
    days = np.floor(at / 86_400).astype(np.int64)
    numbers = (days + 3) // 7  # 1970-01-01 was a Thursday
    return [
        (datetime(1969, 12, 29, tzinfo=UTC) + int(number) * _WEEK, np.flatnonzero(numbers == number))
        for number in np.unique(numbers)
    ]


def _first_weeks(
    columns: MatchColumns, weeks: Sequence[tuple[datetime, NDArray[np.intp]]]
) -> tuple[int, Reference | None]:
    rows = np.zeros(0, np.intp)
    for count, (_, of_week) in enumerate(weeks, start=1):
        rows = np.concatenate([rows, of_week])
        if len(rows) >= REFERENCE_MATCHES:
            answered = Share(int(columns.matched[rows].sum()), len(rows))
            return count, Reference("first_weeks", answered, columns.score[rows])
    return 0, None


def _judge(
    columns: MatchColumns,
    start: datetime,
    rows: NDArray[np.intp],
    now: float,
    reference: Reference | None,
    ks_level: float | None,
) -> Week:
    """Judge one week; with ``ks_level`` None it is part of the reference."""
    answered = Share(int(columns.matched[rows].sum()), len(rows))
    psi = ks_p = None
    answers_changed = scores_changed = False
    if reference is not None and ks_level is not None and len(rows) >= LEAST_MATCHES:
        psi = population_stability(reference.scores, columns.score[rows])
        ks_p = kolmogorov_smirnov(reference.scores, columns.score[rows])
        scores_changed = ks_p < ks_level and psi >= _PSI_LEVEL
        low, high = answered.interval(_FLAGGING_LEVEL)
        usual_low, usual_high = reference.answered.interval(_FLAGGING_LEVEL)
        answers_changed = high < usual_low or low > usual_high
    return Week(
        start=start.date().isoformat(),
        is_complete=(start + _WEEK).timestamp() <= now,
        is_reference=ks_level is None,
        answered=answered,
        precision=_precision(columns, rows),
        psi=psi,
        ks_p=ks_p,
        answers_changed=answers_changed,
        scores_changed=scores_changed,
    )


def _precision(columns: MatchColumns, rows: NDArray[np.intp]) -> Share:
    feedback = columns.right[rows]
    return Share(int((feedback == 1).sum()), int((feedback >= 0).sum()))


def _say(weeks: Sequence[Week], reference: Reference | None, total: int) -> tuple[str, str, str]:
    judged = [week for week in weeks if week.psi is not None]
    if reference is None or not judged:
        needed = REFERENCE_MATCHES if reference is None else LEAST_MATCHES
        of_week = "" if reference is None else " in one week"
        return (
            "too_few",
            f"Too few matches to say anything: {total} so far; {needed} are needed{of_week}.",
            f"识别次数太少，还无法判断：目前 {total} 次，需要{'单周' if of_week else ''}达到 {needed} 次。",
        )
    unusual = [week for week in judged if week.answers_changed or week.scores_changed]
    if not unusual:
        return "usual", f"Nothing unusual in {len(judged)} weeks.", f"{len(judged)} 周内未见异常。"
    lines = [_say_week(week, reference) for week in reversed(unusual)]
    return "unusual", " ".join(en for en, _ in lines), "".join(zh for _, zh in lines)


def _say_week(week: Week, reference: Reference) -> tuple[str, str]:
    before, now = reference.answered.value or 0.0, week.answered.value or 0.0
    if week.answers_changed:
        en, zh = ("fell", "下降") if now < before else ("rose", "上升")
        return (
            f"In the week of {week.start} the share of answered photos {en} from {before:.0%} to {now:.0%} "
            f"({week.answered.total} photos).",
            f"{week.start} 起的一周，得到答案的照片比例由 {before:.0%} {zh}到 {now:.0%}"
            f"（共 {week.answered.total} 张）。",
        )
    return (
        f"In the week of {week.start} the scores have moved (PSI {week.psi:.2f}), though as many photos "
        f"were answered ({now:.0%} of {week.answered.total}).",
        f"{week.start} 起的一周，得分分布发生变化（PSI {week.psi:.2f}），但得到答案的比例相近"
        f"（{week.answered.total} 张中的 {now:.0%}）。",
    )
