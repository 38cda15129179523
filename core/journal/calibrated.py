"""The photos of a calibration as what drift is measured against."""

import numpy as np

from core.calibration.calibration import Calibration
from core.errors import InvalidRequest
from core.journal.drift import LEAST_MATCHES, MatchColumns, Reference, Share


def calibration_reference(stored: str | None, columns: MatchColumns) -> Reference | None:
    """The photos that a collection was calibrated with, as far as people took and labelled them.

    Those made unknown by leaving out their place, and those made from the collection's own, are not what visitors send.

    Args:
        stored: the calibration as the gallery keeps it, or None.
        columns: the matches that are to be compared with it.

    Returns:
        None where such photos are fewer than a week must have to be judged, or where other models answered since.
    """
    if stored is None:
        return None
    try:
        calibration = Calibration.from_json(stored)
    except InvalidRequest:
        return None
    models = calibration.models
    # A style that was asked for is written behind the verifier.
    if columns.encoder != models.encoder or not (columns.verifier or "").startswith(models.verifier):
        return None
    scores = [sample.score for sample in calibration.samples if sample.origin in ("labelled", "feedback")]
    if len(scores) < LEAST_MATCHES:
        return None
    answered = sum(calibration.accepts(score) for score in scores)
    return Reference("calibration", Share(answered, len(scores)), np.array(scores), calibration.threshold)
