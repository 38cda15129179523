"""Which threshold holds for a query."""

import json
from dataclasses import asdict, replace

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
    """An uncalibrated collection is answered from even odds on, and knows no maybe."""
    assert (choose(None).state, choose(None).threshold, choose(None).maybe_threshold) == ("none", 0.0, None)


def test_a_maybe_needs_a_calibration_that_promises_it(stored):
    """Its threshold lies below that of an answer; other models, or a collection of another size, leave none."""
    stored = calibrate(SAMPLES, 0.05, MODELS, places=40).to_json()

    assert choose(stored).maybe_threshold < choose(stored).threshold
    assert choose(stored, QueryConditions(MODELS, photos=3)).maybe_threshold is not None
    assert choose(stored, verifier="verifier 2").maybe_threshold is None
    assert choose(stored, QueryConditions(MODELS, places=90)).maybe_threshold is None


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (QueryConditions(MODELS, places=90), "had 40 places and has 90"),
        (QueryConditions(MODELS, places=19), "had 40 places and has 19"),
        (QueryConditions(MODELS, considered=20), "20 places are considered"),
    ],
)
def test_another_way_of_asking_is_promised_nothing(asked, what):
    """A collection twice as large, or more places: the threshold decides, and promises nothing."""
    stored = calibrate(SAMPLES, 0.05, MODELS, places=40).to_json()

    acceptance = choose(stored, asked=asked)

    assert (acceptance.state, acceptance.promised) == ("stale", False)
    assert what in acceptance.stale_because
    assert acceptance.threshold == pytest.approx(-1.2)
    assert choose(stored, asked=QueryConditions(MODELS, places=79, considered=3)).state == "valid"


def test_a_question_of_several_photos_has_a_threshold_of_its_own(stored):
    """One that keeps the target for questions, where there are enough unknown photos; 40 are, for two photos at 5 %."""
    one, two, three = (choose(stored, QueryConditions(MODELS, photos=photos)) for photos in (1, 2, 3))

    assert one.threshold < two.threshold < three.threshold
    assert [(asked.state, asked.promised) for asked in (one, two, three)] == [
        ("valid", True),
        ("valid", True),
        ("stale", False),
    ]
    assert three.stale_because == (
        "3 photos are asked about together; to promise 5.0% of such questions, 59 photos of nothing in the collection "
        "are needed"
    )


def test_an_estimate_is_no_promise():
    """A calibration with too few unknown photos decides, but says of no answer that the target is kept."""
    few = calibrate(SAMPLES, 0.01, MODELS).to_json()

    assert (choose(few).state, choose(few).promised) == ("valid", False)


def test_what_version_0_1_0_has_stored_is_enough_for_several_photos():
    """It stored the samples, from which the thresholds of several photos follow; nothing has to be measured again."""
    stored = json.dumps(
        {
            "models": {"encoder": "encoder 1", "verifier": "verifier 1", "prompt_style": None, "rule": ""},
            "target": 0.05,
            "threshold": -1.2,
            "promised": True,
            "slope": 1.0,
            "offset": 0.0,
            "made_at": "2026-01-01T00:00:00+00:00",
            "samples": [asdict(sample) for sample in SAMPLES],
            "places": 40,
        }
    )

    assert choose(stored).threshold == -1.2
    assert choose(stored, QueryConditions(MODELS, photos=2)).threshold == pytest.approx(-1.1)


def test_a_stored_calibration_that_no_threshold_follows_from_stops_nobody():
    """Without samples there is no threshold for several photos: the shipped rule decides, and the reason is given."""
    stored = replace(calibrate(SAMPLES, 0.05, MODELS), samples=()).to_json()

    acceptance = choose(stored, QueryConditions(MODELS, photos=2))

    assert (acceptance.state, acceptance.threshold, acceptance.calibration) == ("stale", 0.0, None)
    assert choose(stored).state == "valid"


def test_what_cannot_be_read_is_stale_and_stops_nobody():
    """A calibration of another version of the program leaves the shipped rule at work."""
    acceptance = choose('{"made": "by somebody else"}')

    assert (acceptance.state, acceptance.threshold) == ("stale", 0.0)
    assert "cannot be read" in acceptance.stale_because
