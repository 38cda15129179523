"""Exact intervals for shares."""

import math
from collections.abc import Callable


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Bounds that hold the true share with at least the given probability, however small the sample.

    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934).

    Args:
        successes: [0, trials].
        trials: >= 0; none at all say nothing: (0, 1).
        level: of confidence, (0, 1).

    Returns:
        Lower and upper bound, [0, 1].
    """
    if not trials:
        return 0.0, 1.0
    tail, observed = (1 - level) / 2, successes / trials
    lower = upper = observed
    if successes > 0:
        lower = _bisect(0.0, observed, lambda share: _at_least(successes, trials, share) < tail)
    if successes < trials:
        # As many failures or more, seen from the other side.
        upper = _bisect(observed, 1.0, lambda share: _at_least(trials - successes, trials, 1 - share) >= tail)
    return lower, upper


def _at_least(successes: int, trials: int, share: float) -> float:
    """Probability of so many successes or more, where that is no less than what is expected: the terms only fall."""
    if share <= 0:
        return 0.0
    term = total = math.exp(
        math.lgamma(trials + 1)
        - math.lgamma(successes + 1)
        - math.lgamma(trials - successes + 1)
        + successes * math.log(share)
        + (trials - successes) * (math.log1p(-share) if share < 1 else 0.0)
    )
    for count in range(successes, trials):
        term *= (trials - count) / (count + 1) * share / (1 - share)
        total += term
        if term < total * 1e-16:
            break
    return total


def _bisect(low: float, high: float, is_below: Callable[[float], bool]) -> float:
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2
