"""The input of a calibration: one scored query, and whether its first place was right."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from core.errors import InvalidRequest

Origin = Literal["labelled", "feedback", "left out", "other collection", "simulated"]
"""Where a sample comes from: a photo with a label; an answer that somebody confirmed or corrected; a photo asked about
with its own place taken out of the collection; a photo of another collection; a gallery photo made to look
re-photographed."""


ORIGINS: tuple[Origin, ...] = get_args(Origin)

NOTHING_FOUND = -30.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One query.

    Attributes:
        score: log-odds of the first place; NOTHING_FOUND without any.
        known: the collection holds the photo's place, so that an answer was possible.
        right: the first place is the photo's; never where ``known`` is False.
        origin: see ``Origin``.
    """

    score: float
    known: bool
    right: bool
    origin: Origin

    def __post_init__(self) -> None:
        if not math.isfinite(self.score):
            raise InvalidRequest(f"the score of a sample is {self.score}; accepted: a finite number")
