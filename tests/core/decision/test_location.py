"""Where the visitor stands makes places likelier, and never decides."""

import pytest

from core.decision.location import Whereabouts, distance_m, location_odds
from core.results import Place

HERE = Place("here", "Here", latitude=48.8606, longitude=2.3376, metadata={"floor": 2, "room": "12 "})
FAR = Place("far", "Far", latitude=48.8530, longitude=2.3499)
NOWHERE = Place("nowhere", "Nowhere")
VISITOR = Whereabouts(48.8606, 2.3377, 20.0)


def test_distances_are_metres():
    """The Louvre is 1.2 km from Notre-Dame, and a degree of longitude wraps around the date line."""
    assert distance_m(48.8606, 2.3376, 48.8530, 2.3499) == pytest.approx(1234, rel=0.01)
    assert distance_m(0, 179.999, 0, -179.999) == pytest.approx(222, rel=0.01)


def test_what_is_near_is_likelier():
    """A place nearby gains, one a kilometre away loses, one of unknown position stays as it was."""
    assert location_odds(VISITOR, HERE) > 1
    assert location_odds(VISITOR, FAR) < -1
    assert location_odds(VISITOR, NOWHERE) == 0
    assert location_odds(Whereabouts(), HERE) == 0


def test_a_wrong_position_costs_a_bounded_amount():
    """However far away, a position never excludes a place."""
    antipode = Whereabouts(-48.86, -177.66, 1.0, {"floor": "9", "room": "1", "wing": "x"})

    assert location_odds(antipode, HERE) == -4


def test_rooms_and_floors_are_compared_as_people_write_them():
    """A floor or room that agrees with the place's metadata gains, another loses, an unknown one says nothing."""
    assert location_odds(Whereabouts(area={"floor": "2", "room": "12"}), HERE) == 2
    assert location_odds(Whereabouts(area={"floor": "1"}), HERE) == -1
    assert location_odds(Whereabouts(area={"beacon": "a7"}), HERE) == 0
