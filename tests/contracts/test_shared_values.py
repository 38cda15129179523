"""What core and the wire must both say, though neither may import the other."""

from contracts.matching import LEAST_CONSIDERED
from core.decision.acceptance import PLACES_CONSIDERED


def test_a_match_considers_as_many_places_as_a_calibration_was_measured_with():
    """The gateway asks for the number of places that calibrations promise for, or no calibration would ever hold."""
    assert LEAST_CONSIDERED == PLACES_CONSIDERED
