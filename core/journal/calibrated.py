"""The photos of a calibration, with which drift is compared."""

import numpy as np

from core.calibration.calibration import Calibration
from core.errors import InvalidRequest
from core.journal.drift import LEAST_MATCHES, MatchColumns, Reference, Share


def calibration_reference(stored: str | None, columns: MatchColumns) -> Reference | None:
    """Return the labelled photos that a collection was calibrated with.

    Photos that were made unknown by leaving out their place, and photos simulated from the collection, are not used:
    visitors send others.

    Args:
        stored: the calibration as the gallery keeps it, or None.
        columns: the matches that are to be compared with it.

    Returns:
        None if there are fewer than a week needs, or if other models have answered since.
    """
    if stored is None:
        return None
    try:
        calibration = Calibration.from_json(stored)
    except InvalidRequest:
        return None
    models = calibration.models
    # A prompt style follows the name of the verifier.
    if columns.encoder != models.encoder or not (columns.verifier or "").startswith(models.verifier):
        return None
    scores = [sample.score for sample in calibration.samples if sample.origin in ("labelled", "feedback")]
    if len(scores) < LEAST_MATCHES:
        return None
    answered = sum(calibration.accepts(score) for score in scores)
    return Reference("calibration", Share(answered, len(scores)), np.array(scores), calibration.threshold)
