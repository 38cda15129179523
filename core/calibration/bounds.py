"""What a number of mistakes proves: exact intervals, and thresholds that hold for unseen photos."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
"""Of every interval given."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A share and how far from it the truth may lie.

    Attributes:
        share: observed, [0, 1]; NaN of nothing.
        low: lower end, [0, 1].
        high: upper end, [0, 1].
        count: of how many.
    """

    share: float
    low: float
    high: float
    count: int


def exact_interval(hits: int, count: int, level: float = LEVEL) -> Interval:
    """Interval of a share from a count, exact for the binomial distribution (Clopper and Pearson, Biometrika 1934).

    Args:
        hits: 0 to ``count``.
        count: how many were asked.
        level: that the interval holds the truth at least so often, (0, 1).
    """
    if count == 0:
        return Interval(math.nan, 0.0, 1.0, 0)
    from scipy import special  # here, because SciPy's start takes a second and 60 MB

    tail = (1 - level) / 2
    low = special.betaincinv(hits, count - hits + 1, tail) if hits else 0.0
    high = special.betaincinv(hits + 1, count - hits, 1 - tail) if hits < count else 1.0
    return Interval(hits / count, float(low), float(high), count)


def least_count(target: float) -> int:
    """Return how many unknown photos a threshold for ``target`` needs, a share in (0, 1)."""
    return math.ceil(1 / target - 1e-9) - 1


def conformal_threshold(unknown: Sequence[float], target: float) -> float | None:
    """The lowest score above which at most a share ``target`` of unknown photos will come to lie.

    A photo is answered when its score is *above* the threshold. This is the split-conformal test for outliers (Vovk et
    al., "Algorithmic Learning in a Random World", 2005; Bates et al., "Testing for outliers with conformal p-values",
    Annals of Statistics 2023): a photo is answered when 1 + the number of these scores not below its own is at most
    ``target`` times 1 + their number. If it is exchangeable with them, it is answered with probability at most
    ``target``, whatever their distribution.

    Args:
        unknown: scores of photos whose place is not in the collection.
        target: in (0, 1).

    Returns:
        None where they are too few for any such promise; see ``least_count``.
    """
    allowed = math.floor(target * (len(unknown) + 1) + 1e-9) - 1
    return sorted(unknown, reverse=True)[allowed] if allowed >= 0 else None


def tail_threshold(unknown: Sequence[float], target: float) -> float:
    """A threshold for a target that the scores are too few to prove, by the shape of their upper half.

    Log-odds of unknown photos fall off exponentially, so their excesses over the median are fitted by an exponential
    distribution: the tail model of Scheirer et al., "Meta-Recognition" (PAMI 2011), in its simplest form. An estimate,
    not a promise; never below the highest score seen.

    Args:
        unknown: N >= 2 scores.
        target: in (0, 1).
    """
    scores = np.asarray(unknown, dtype=np.float64)
    middle = float(np.median(scores))
    excess = float((scores[scores > middle] - middle).mean()) if (scores > middle).any() else 0.0
    return max(float(scores.max()), middle + excess * math.log(0.5 / target))
