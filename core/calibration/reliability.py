"""Calibrated confidence: of the answers with confidence 0.8, eight in ten are right."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
"""Of a reliability diagram, each a tenth of the confidence wide."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same confidence.

    Attributes:
        low: the bin's lower edge; the last bin holds its upper edge too.
        confidence: their mean.
        right: share of them that were right.
        count: how many.
    """

    low: float
    confidence: float
    right: float
    count: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability diagram (DeGroot and Fienberg, 1983).

    Attributes:
        bins: of equal width, without the empty ones.
        error: expected calibration error, [0, 1]: mean distance of the bins from the diagonal, weighted by count
            (Naeini et al., AAAI 2015); NaN of nothing.
    """

    bins: tuple[Bin, ...]
    error: float


def probability(log_odds: float) -> float:
    """1 / (1 + exp(-log_odds)), [0, 1]."""
    return 1 / (1 + math.exp(-max(min(log_odds, 700.0), -700.0)))


def reliability(
    confidences: Sequence[float], right: Sequence[bool], bins: int = BINS, weights: Sequence[float] | None = None
) -> Reliability:
    """Compare confidences with what was right.

    Args:
        confidences: N numbers in [0, 1].
        right: N truths.
        bins: between 0 and 1.
        weights: N, how much each counts; None counts them alike.
    """
    stated, was = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.float64)
    share = np.ones(len(stated)) if weights is None else np.asarray(weights, dtype=np.float64)
    numbers = np.minimum((stated * bins).astype(int), bins - 1)
    filled, error = [], 0.0
    for number in np.unique(numbers).tolist():
        inside = numbers == number
        weight = share[inside] / share[inside].sum()
        mean, accuracy = float(stated[inside] @ weight), float(was[inside] @ weight)
        filled.append(Bin(number / bins, mean, accuracy, int(inside.sum())))
        error += float(share[inside].sum() / share.sum()) * abs(mean - accuracy)
    return Reliability(tuple(filled), error if filled else math.nan)


def fit_scaling(scores: Sequence[float], right: Sequence[bool], weights: Sequence[float]) -> tuple[float, float]:
    """Fit ``confidence = 1 / (1 + exp(-(slope * score + offset)))`` to what was right (Platt scaling, 1999).

    A weak prior holds the line near ``slope`` 1 and ``offset`` 0, which the shipped rule has, so that a handful of
    queries, or queries that are all right, cannot make it certain.

    Args:
        scores: log-odds, N.
        right: N truths.
        weights: N, how much each counts; their sum is taken as the number of queries.

    Returns:
        Slope, at least 0.1, and offset.
    """
    from scipy import optimize, special  # here, because SciPy's start takes a second and 60 MB

    x = np.clip(np.asarray(scores, dtype=np.float64), -30, 30)
    y, w = np.asarray(right, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    prior, strength = np.array([1.0, 0.0]), np.array([4.0, 0.5])

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = line[0] * x + line[1]
        slack = w * (special.expit(margins) - y)
        value = w @ (np.logaddexp(0, margins) - y * margins) + strength @ (line - prior) ** 2 / 2
        return float(value), np.array([slack @ x, slack.sum()]) + strength * (line - prior)

    slope, offset = optimize.minimize(loss, prior, jac=True, tol=1e-7).x
    return max(float(slope), 0.1), float(offset)
