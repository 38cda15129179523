"""Which threshold holds for a query."""

from dataclasses import replace

import pytest

from core.calibration.calibration import Models, calibrate
from core.calibration.samples import Sample
from core.decision.acceptance import QueryConditions, choose_acceptance

MODELS = Models("encoder 1", "verifier 1")
SAMPLES = [Sample(-5.0 + 0.1 * number, False, False, "labelled") for number in range(40)] + [
    Sample(2.0 + number, True, True, "labelled") for number in range(10)
]


@pytest.fixture(scope="module")
def stored() -> str:
    return calibrate(SAMPLES, 0.05, MODELS).to_json()


def choose(stored, asked=None, **changes):
    models = replace(MODELS, **changes)
    return choose_acceptance(stored, replace(asked or QueryConditions(MODELS), models=models))


def test_the_calibration_holds_for_its_models(stored):
    """With the models it was made with, the collection's own threshold and confidence hold."""
    acceptance = choose(stored)

    assert acceptance.state == "valid"
    assert acceptance.threshold == pytest.approx(-1.2)
    assert acceptance.confidence(5.0) > 0.9


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"encoder": "encoder 2"}, "encoder"),
        ({"verifier": "verifier 2"}, "verifier"),
        ({"prompt_style": "strict"}, "prompt style"),
    ],
)
def test_another_model_makes_it_stale(stored, changes, what):
    """A changed encoder, verifier or prompt style is named, and the shipped threshold holds again."""
    acceptance = choose(stored, **changes)

    assert (acceptance.state, acceptance.threshold) == ("stale", 0.0)
    assert what in acceptance.stale_because


def test_without_calibration_the_shipped_rule_holds():
    """An uncalibrated collection is answered from even odds on."""
    assert (choose(None).state, choose(None).threshold) == ("none", 0.0)


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (QueryConditions(MODELS, places=90), "had 40 places and has 90"),
        (QueryConditions(MODELS, places=19), "had 40 places and has 19"),
        (QueryConditions(MODELS, considered=20), "20 places are considered"),
        (QueryConditions(MODELS, photos=2), "2 photos"),
    ],
)
def test_another_way_of_asking_is_promised_nothing(asked, what):
    """A collection twice as large, more places, several photos: the threshold decides, and promises nothing."""
    stored = calibrate(SAMPLES, 0.05, MODELS, places=40).to_json()

    acceptance = choose(stored, asked=asked)

    assert acceptance.state == "stale"
    assert what in acceptance.stale_because
    assert acceptance.threshold == pytest.approx(-1.2)
    assert choose(stored, asked=QueryConditions(MODELS, places=79, considered=3)).state == "valid"


def test_what_cannot_be_read_is_stale_and_stops_nobody():
    """A calibration of another version of the program leaves the shipped rule at work."""
    acceptance = choose('{"made": "by somebody else"}')

    assert (acceptance.state, acceptance.threshold) == ("stale", 0.0)
    assert "cannot be read" in acceptance.stale_because
