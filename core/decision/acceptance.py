"""From when on an answer is given, and what a score means: as shipped, as the operator says, or as calibrated."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from core.calibration.calibration import Calibration, Models
from core.calibration.reliability import probability


@dataclass(frozen=True, slots=True)
class Acceptance:
    """When to answer.

    Attributes:
        threshold: log-odds; a score above it is answered.
        calibration: what the threshold comes from, and what turns scores into confidence; None: the shipped rule.
        stale_because: what has changed since the collection was calibrated, so that the shipped rule decides again.
    """

    threshold: float = 0.0
    calibration: Calibration | None = None
    stale_because: str | None = None

    @property
    def state(self) -> Literal["none", "valid", "stale"]:
        """Whether a calibration holds."""
        if self.calibration is not None:
            return "valid"
        return "none" if self.stale_because is None else "stale"

    def confidence(self, score: float) -> float:
        """Probability that a first place with this score is right, [0, 1]."""
        return probability(score) if self.calibration is None else self.calibration.confidence(score)


def at_confidence(confidence: float) -> Acceptance:
    """Answer from this confidence on, [0, 1], as the shipped rule states it."""
    if confidence <= 0:
        return Acceptance(-math.inf)
    if confidence >= 1:
        return Acceptance(math.inf)
    # A score at the threshold is to be answered, and only what is above is.
    return Acceptance(math.nextafter(math.log(confidence / (1 - confidence)), -math.inf))


def choose_acceptance(
    stored: str | None, *, encoder: str, verifier: str, prompt_style: str | None = None, operators: float | None = None
) -> Acceptance:
    """What holds for a query.

    Args:
        stored: the collection's calibration as text, or None.
        encoder: fingerprint of the encoder in use.
        verifier: fingerprint of the verifier in use.
        prompt_style: asked for; None is the verifier's own.
        operators: confidence from which the operator wants answers, whatever was calibrated; None leaves it to that.
    """
    calibration = None if stored is None else _read(stored)
    if operators is not None:
        return at_confidence(operators)
    if calibration is None:
        return Acceptance()
    changed = calibration.models.difference(Models(encoder, verifier, prompt_style))
    if changed is not None:
        return Acceptance(stale_because=f"another {changed}")
    return Acceptance(calibration.threshold, calibration)


@lru_cache(maxsize=64)
def _read(text: str) -> Calibration:
    return Calibration.from_json(text)
