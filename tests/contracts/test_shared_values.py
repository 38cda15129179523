"""What core and the wire must both say, though neither may import the other."""

import ast
from pathlib import Path

from contracts import texts, verification
from contracts.matching import LEAST_CONSIDERED
from core.calibration.calibration import MOST_PHOTOS
from core.decision.acceptance import PLACES_CONSIDERED
from core.gallery.validation import MOST_LANGUAGES

ROOT = Path(__file__).parents[2]


def test_a_match_considers_as_many_places_as_a_calibration_was_measured_with():
    """The gateway asks for the number of places that calibrations promise for, or no calibration would ever hold."""
    assert LEAST_CONSIDERED == PLACES_CONSIDERED


def test_a_calibration_has_a_threshold_for_every_number_of_photos_that_may_be_sent():
    """Its report lists one for one photo up to the most that a match takes."""
    assert MOST_PHOTOS == verification.MOST_PHOTOS


def test_the_wire_takes_as_many_languages_as_are_stored():
    """No text is refused late that was let in."""
    assert texts.MOST_LANGUAGES == MOST_LANGUAGES


def test_models_of_the_wire_are_told_from_the_classes_they_mirror():
    """A wire model of a class of core has its name and ``Body``, so that a reader never takes one for the other."""
    wire, core = _classes("contracts"), _classes("core")

    assert wire
    assert wire & core == set()
    assert {f"{name}Body" for name in ("Place", "Verdict", "Decision", "Interval", "ImagePage")} <= wire


def _classes(package: str) -> set[str]:
    trees = [ast.parse(path.read_text()) for path in (ROOT / package).rglob("*.py")]
    return {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
