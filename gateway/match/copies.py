"""Finds copies among the photos of one match: a copy is no further evidence, whatever was done to its file."""

import base64
from collections.abc import Sequence
from math import sqrt
from operator import mul

from contracts.retrieval import SIGNATURE_SIDE as SIDE

ALIKE = 0.98
"""Correlation from which two signatures are of one photo; see ``core.imaging.signature``."""


def is_copy(signature: str | None, of: str | None) -> bool:
    """Tell whether two signatures from retrieval are of one photo, upright or rotated by 90, 180 or 270 degrees."""
    one, other = _read(signature), _read(of)
    if one is None or other is None:
        return False
    for _ in range(4):
        if _correlation(one, other) >= ALIKE:
            return True
        other = _turned(other)
    return False


def _read(signature: str | None) -> Sequence[int] | None:
    if signature is None:
        return None
    values = memoryview(base64.b64decode(signature)).cast("b").tolist()
    return values if len(values) == SIDE * SIDE else None


def _correlation(one: Sequence[int], other: Sequence[int]) -> float:
    """Compute the cosine, which is the correlation because the means are 0; for a photo of one colour it is 0."""
    norms = sqrt(sum(map(mul, one, one)) * sum(map(mul, other, other)))
    return sum(map(mul, one, other)) / norms if norms else 0.0


def _turned(values: Sequence[int]) -> Sequence[int]:
    """Rotate by 90 degrees."""
    rows = [values[start : start + SIDE] for start in range(0, SIDE * SIDE, SIDE)]
    return [value for row in zip(*rows[::-1], strict=True) for value in row]
