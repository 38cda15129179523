"""When a question of one or several photos is answered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QuestionThreshold:
    """When a question of several photos is answered.

    Attributes:
        photos: number of different photos, >= 1.
        threshold: log-odds; one of the photos alone must have a higher score.
        promised: this keeps the calibration's target for such questions; else it is an estimate.
        needed_unknown: how many unknown photos that promise needs.
        maybe_threshold: log-odds; where no answer is given, the first place may be it if one of the photos alone has a
            higher score. At most ``core.calibration.calibration.MAYBE_TARGET`` of questions about nothing in the
            collection have such a photo. None where that is not promised, or where all such questions are answered.
    """

    photos: int
    threshold: float
    promised: bool
    needed_unknown: int
    maybe_threshold: float | None = None
