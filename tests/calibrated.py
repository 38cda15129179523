"""Calibrations for tests, stored beside a running product as ``scripts/calibrate.py`` stores them."""

from pathlib import Path
from typing import Any

from core.calibration.calibration import calibrate
from core.calibration.samples import Sample
from core.decision.rule import models_in_use
from core.gallery import Gallery


def calibrate_to_maybe(folder: Path, reply: dict[str, Any]) -> None:
    """Store a calibration between whose two thresholds the score of an answer lies."""
    models = reply["models"]
    score = reply["decision"]["score"]
    unknown = [score + 20] * 3 + [score - 20] * 57
    calibration = calibrate(
        [Sample(value, False, False, "labelled") for value in unknown],
        0.02,
        models_in_use(models["encoder"], models["verifier"], models["prompt_style"]),
    )
    with Gallery.open(folder, None) as gallery:
        gallery.store_calibration(reply["collection"], calibration.made_at, calibration.to_json())
