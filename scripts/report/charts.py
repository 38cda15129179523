"""Draws the report's charts as inline SVG; the page's style sets the colours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from core.calibration.reliability import BINS, Bin
from core.evaluation.curves import ThresholdPoint
from core.evaluation.outcomes import Summary
from scripts.report.words import LANGUAGES, plain

_SIZE = (380, 260)
_SMALL = (250, 150)
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 22, 24, 44
_HISTOGRAM_BARS = 24
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart: (x, y) pairs, points with NaN left out; ``name`` is a CSS class and key of its legend."""

    name: str
    points: Sequence[tuple[float, float]]


def recall_chart(recalls: Sequence[float]) -> Markup:
    """Draw recall@k for k = 1, 2, ...; points have their values if there is room."""
    points = [(float(k), recall) for k, recall in enumerate(recalls, start=1)]
    last = max(2, len(points))
    frame = _Frame(0.6, last + 0.4)  # from 1 on, the first point would be on the axis
    step = math.ceil(last / 10)
    labels = [
        Markup('<text class="value" x="{:.1f}" y="{:.1f}">{:.3f}</text>').format(*frame.at(x, y, up=-9), y)
        for x, y in points[:: max(1, math.ceil(len(points) / 6))]
    ]
    dots = [
        Markup('<circle class="right" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(*frame.at(x, y)) for x, y in points
    ]
    ticks = [(float(k), str(k)) for k in range(1, last + 1, step)]
    body = [frame.grid("k", "recall", ticks), _line(frame, Series("right", points)), *dots, *labels]
    return _svg(plain("recall.title")[0], body)


def precision_recall_chart(curve: Sequence[ThresholdPoint], summary: Summary) -> Markup:
    """Draw precision over recall, with a ring at the threshold in use."""
    frame = _Frame(0.0, 1.0)
    line = _line(frame, Series("right", [(point.right, point.precision) for point in curve]))
    answers = (summary.right + summary.wrong_place) * summary.in_gallery
    answers += summary.false_accepts * summary.out_of_gallery if summary.out_of_gallery else 0
    body = [frame.grid("recall", "precision", _percent_ticks()), line]
    if answers > 0:
        precision = summary.right * summary.in_gallery / answers
        body.append(
            Markup('<circle class="here" cx="{:.1f}" cy="{:.1f}" r="6"/>').format(*frame.at(summary.right, precision))
        )
    return _svg(plain("pr.title")[0], body)


def threshold_chart(curve: Sequence[ThresholdPoint]) -> Markup:
    """Draw right answers, wrong places and false accepts over the threshold."""
    frame = _Frame(0.0, 1.0)
    lines = [
        Series("right", [(point.threshold, point.right) for point in curve]),
        Series("wrong", [(point.threshold, point.wrong_place) for point in curve]),
        Series("false", [(point.threshold, point.false_accepts) for point in curve]),
    ]
    body = [frame.grid("threshold", "share", _percent_ticks()), *(_line(frame, line) for line in lines)]
    return _svg(plain("threshold.title")[0], body)


def reliability_chart(bins: Sequence[Bin]) -> Markup:
    """Draw the accuracy per bin of confidence with the number of photos, and the diagonal."""
    frame = _Frame(0.0, 1.0)
    body = [frame.grid("confidence", "accuracy", _percent_ticks())]
    for bar in bins:
        x0, y0 = frame.at(bar.low + 0.008, bar.right)
        x1, bottom = frame.at(bar.low + 1 / BINS - 0.008, 0.0)
        body.append(
            Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                x0, y0, x1 - x0, max(1.0, bottom - y0)
            )
        )
        body.append(
            Markup('<text class="count" x="{:.1f}" y="{}">{}</text>').format((x0 + x1) / 2, _TOP - 8, bar.count)
        )
    (x0, y0), (x1, y1) = frame.at(0, 0), frame.at(1, 1)
    body.append(
        Markup('<line class="diagonal" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(x0, y0, x1, y1)
    )
    return _svg(plain("reliability.title")[0], body)


def time_histogram(stage: str, milliseconds: Sequence[float]) -> Markup:
    """Draw a histogram of one stage's times up to the 99th percentile; longer times are in the last bar."""
    top = max(float(np.percentile(milliseconds, 99)), 1.0)
    counts, edges = np.histogram(np.minimum(milliseconds, top), bins=_HISTOGRAM_BARS, range=(0.0, top))
    frame = _Frame(0.0, top, y_high=float(counts.max()), size=_SMALL, left=_RIGHT)
    step = _round_step(top / 4)
    ticks = [(step * count, f"{step * count:,g}") for count in range(int(top / step) + 1)]
    body = [frame.grid("milliseconds", None, ticks)]
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        (x0, y0), (x1, bottom) = frame.at(low, count), frame.at(high, 0.0)
        body.append(
            Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                x0 + 0.5, y0, max(1.0, x1 - x0 - 1), bottom - y0
            )
        )
    x, _ = frame.at(float(np.median(milliseconds)), 0.0)
    body.append(
        Markup('<line class="median" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(
            x, _TOP, _SMALL[1] - _BOTTOM
        )
    )
    return _svg(stage, body, _SMALL)


class _Frame:
    """The plot area: maps data to picture coordinates, and draws the grid."""

    def __init__(
        self, x_low: float, x_high: float, *, y_high: float = 1.0, size: tuple[int, int] = _SIZE, left: int = _LEFT
    ) -> None:
        self._x = (x_low, x_high)
        self._y_high = y_high
        self._left, self._right = left, size[0] - _RIGHT
        self._floor = size[1] - _BOTTOM

    def at(self, x: float, y: float, *, up: float = 0.0) -> tuple[float, float]:
        low, high = self._x
        across = self._left + (x - low) / (high - low) * (self._right - self._left)
        return across, self._floor - y / self._y_high * (self._floor - _TOP) + up

    def grid(self, x_key: str, y_key: str | None, x_ticks: Sequence[tuple[float, str]]) -> Markup:
        """Draw lines and labels; without ``y_key`` there is no vertical axis."""
        parts = []
        for tick in _TICKS if y_key is not None else (0.0,):
            _, y = self.at(self._x[0], tick)
            parts.append(
                Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
                    self._left, self._right, y, y
                )
            )
            if y_key is not None:
                parts.append(
                    Markup('<text class="tick y" x="{}" y="{:.1f}">{:g}</text>').format(self._left - 6, y + 4, tick)
                )
        for value, label in x_ticks:
            x, _ = self.at(value, 0.0)
            parts.append(Markup('<text class="tick x" x="{:.1f}" y="{}">{}</text>').format(x, self._floor + 16, label))
        middle = (self._left + self._right) / 2
        parts.append(_axis_label(x_key, f'x="{middle:.0f}" y="{self._floor + _BOTTOM - 8}"'))
        if y_key is not None:
            height = (self._floor + _TOP) / 2
            parts.append(_axis_label(y_key, f'transform="translate(12 {height:.0f}) rotate(-90)"'))
        return Markup("").join(parts)


def _percent_ticks() -> list[tuple[float, str]]:
    return [(tick, f"{tick:g}") for tick in _TICKS]


def _round_step(least: float) -> float:
    """Return the smallest number >= ``least`` that is 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)


def _axis_label(key: str, place: str) -> Markup:
    words: Mapping[str, str] = dict(zip(LANGUAGES, plain(key), strict=True))
    return Markup("").join(
        Markup('<text class="label" lang="{}" {}>{}</text>').format(language, Markup(place), text)
        for language, text in words.items()
    )


def _line(frame: _Frame, series: Series) -> Markup:
    known = [frame.at(x, y) for x, y in series.points if not (math.isnan(x) or math.isnan(y))]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in known)
    return Markup('<polyline class="line {}" points="{}"/>').format(series.name, path) if known else Markup("")


def _svg(title: str, body: Sequence[Markup], size: tuple[int, int] = _SIZE) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        *size, title, Markup("").join(body)
    )
