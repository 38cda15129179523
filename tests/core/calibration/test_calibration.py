"""From scored queries to a promise that is kept."""

import numpy as np
import pytest

from core.calibration.bounds import conformal_threshold, exact_interval, least_count, tail_threshold
from core.calibration.calibration import (
    MAYBE_TARGET,
    Calibration,
    Models,
    calibrate,
    choose_threshold,
    choose_unknown,
    describe,
)
from core.calibration.reliability import fit_scaling, probability, reliability
from core.calibration.samples import Sample
from core.errors import InvalidRequest

MODELS = Models("encoder", "verifier", "simple")


def unknown(scores, origin="labelled"):
    return [Sample(float(score), False, False, origin) for score in scores]


def known(scores, right=True):
    return [Sample(float(score), True, right, "labelled") for score in scores]


class TestBounds:
    def test_intervals_are_those_of_clopper_and_pearson(self):
        """Published values: 0 of 20 allows up to 16.8 %, 5 of 50 lies between 3.3 % and 21.8 %."""
        assert exact_interval(0, 20).high == pytest.approx(0.1684, abs=1e-4)
        assert exact_interval(0, 20).low == 0
        assert (exact_interval(5, 50).low, exact_interval(5, 50).high) == pytest.approx((0.0333, 0.2181), abs=1e-4)
        assert exact_interval(20, 20).high == 1
        assert np.isnan(exact_interval(0, 0).share)

    @pytest.mark.parametrize(("target", "count"), [(0.05, 19), (0.02, 49), (0.01, 99), (0.1, 9)])
    def test_a_promise_needs_a_least_number_of_photos(self, target, count):
        """One photo fewer than 1/target - 1 and nothing can be promised."""
        assert least_count(target) == count
        assert conformal_threshold(range(count), target) == count - 1
        assert conformal_threshold(range(count - 1), target) is None

    @pytest.mark.parametrize("target", [0.02, 0.05, 0.2])
    def test_the_promise_is_kept_on_photos_not_seen(self, target):
        """Whatever the distribution of scores, unknown photos are answered at most as often as promised."""
        chance = np.random.default_rng(7)
        for draw in (chance.normal, chance.exponential, lambda size: chance.integers(0, 5, size).astype(float)):
            rates = []
            for _ in range(400):
                threshold = conformal_threshold(draw(size=60), target)
                rates.append(np.mean(draw(size=200) > threshold))
            assert np.mean(rates) <= target + 3 * np.std(rates) / 20

    def test_an_estimate_lies_beyond_all_that_was_seen(self):
        """Too few photos give a threshold above every score, and higher for a stricter target."""
        scores = np.random.default_rng(1).exponential(size=12)

        assert tail_threshold(scores, 0.05) >= scores.max()
        assert tail_threshold(scores, 0.001) > tail_threshold(scores, 0.01)


class TestCalibrating:
    def test_the_target_chooses_the_threshold(self):
        """A looser target lowers the threshold, and more known photos are answered."""
        samples = unknown(np.linspace(-6, 1, 120)) + known(np.linspace(-2, 6, 50))
        strict, loose = (calibrate(samples, target, MODELS) for target in (0.01, 0.2))

        assert strict.promised
        assert loose.threshold < strict.threshold
        assert describe(loose).answered.share > describe(strict).answered.share
        assert describe(strict).false_answers.share <= 0.01

    def test_too_few_photos_are_said_to_be_too_few(self):
        """A target that the photos cannot prove is marked as not promised; hardly any photos are refused."""
        few = calibrate(unknown(np.linspace(-6, -1, 30)) + known([3, 4]), 0.01, MODELS)

        assert not few.promised
        assert few.threshold >= -1
        assert describe(few).questions[0].needed_unknown == 99
        with pytest.raises(InvalidRequest, match=r"7 photos .* at least 8"):
            calibrate(unknown(range(7)), 0.05, MODELS)

    @pytest.mark.parametrize("target", [0, -0.1, 0.6, float("nan")])
    def test_impossible_targets_are_refused(self, target):
        """A target is a share that makes sense; the message names the range."""
        with pytest.raises(InvalidRequest, match="accepted"):
            calibrate(unknown(range(50)), target, MODELS)

    def test_photos_that_somebody_labelled_count_before_made_ones(self):
        """Photos made unknown by leaving out their place are used only where labelled ones do not suffice."""
        told, made = unknown(np.linspace(-6, -3, 25)), unknown(np.linspace(-3, 2, 200), "left out")

        assert len(choose_unknown(told + made, 0.05)) == 25
        assert describe(calibrate(told + made, 0.05, MODELS)).false_answers.count == 25
        assert len(choose_unknown(told + made, 0.01)) == 225

    def test_a_calibration_is_read_back_as_it_was(self):
        """What the gallery keeps is the whole calibration."""
        calibration = calibrate(unknown(np.linspace(-6, 1, 40)) + known([2, 3], right=False), 0.05, MODELS)

        assert Calibration.from_json(calibration.to_json()) == calibration

    def test_another_target_needs_no_photo(self):
        """The samples stay with the calibration: another target is a matter of arithmetic."""
        calibration = calibrate(unknown(np.linspace(-6, 1, 100)) + known([2, 3]), 0.05, MODELS)

        other = calibration.with_target(0.2)

        assert other.threshold < calibration.threshold
        assert other.samples == calibration.samples


class TestQuestionsOfSeveralPhotos:
    @pytest.mark.parametrize("photos", [1, 2, 3, 4, 5])
    @pytest.mark.parametrize("alike", [0.0, 0.7, 1.0], ids=["strangers", "alike", "one photo again"])
    def test_the_promise_counts_questions(self, photos, alike):
        """However alike the photos of a question are, one of them passes in at most the target's share of questions."""
        chance, target, rates = np.random.default_rng(9), 0.05, []
        for _ in range(300):
            threshold, promised = choose_threshold(unknown(chance.normal(size=120)), target, photos=photos)
            shared, own = chance.normal(size=(400, 1)), chance.normal(size=(400, photos))
            scores = np.sqrt(alike) * shared + np.sqrt(1 - alike) * own  # every one of them is normal
            rates.append(np.mean(scores.max(axis=1) > threshold))
            assert promised

        assert np.mean(rates) <= target + 3 * np.std(rates) / np.sqrt(300)

    def test_a_threshold_never_falls_with_the_number_of_photos(self):
        """Also where labelled photos suffice for one photo, and easier ones have to be added for several."""
        samples = unknown(np.linspace(1, 4, 25)) + unknown(np.linspace(-9, -3, 400), "left out")

        thresholds = [choose_threshold(samples, 0.05, photos=photos)[0] for photos in range(1, 6)]

        assert thresholds == sorted(thresholds)
        assert thresholds[0] > 3

    def test_more_photos_need_more_to_be_promised(self):
        """Five photos at 5 % are promised from 99 unknown photos on; before, the threshold is an estimate."""
        enough, few = (calibrate(unknown(np.linspace(-6, 1, count)), 0.05, MODELS) for count in (99, 98))

        assert [question.promised for question in describe(enough).questions] == [True] * 5
        assert [question.promised for question in describe(few).questions] == [True] * 4 + [False]
        assert [question.needed_unknown for question in describe(few).questions] == [19, 39, 59, 79, 99]
        assert describe(few).questions[0].threshold == few.threshold


class TestMaybe:
    def test_its_share_is_promised_of_questions_too(self):
        """At most one in five questions about nothing passes the second threshold, of one photo or of several."""
        chance = np.random.default_rng(11)
        for photos in (1, 3):
            rates = []
            for _ in range(300):
                calibration = calibrate(unknown(chance.normal(size=60)), 0.05, MODELS)
                threshold = calibration.threshold_for(photos).maybe_threshold
                rates.append(np.mean(chance.normal(size=(300, photos)).max(axis=1) > threshold))

            assert np.mean(rates) <= MAYBE_TARGET + 3 * np.std(rates) / np.sqrt(300)
            assert np.mean(rates) > MAYBE_TARGET / 2  # it is no threshold that nothing passes

    def test_there_is_none_that_is_not_promised(self):
        """Too few unknown photos, a handful of places left out, or a target as loose: no second threshold is given."""
        few = calibrate(unknown(np.linspace(-6, 1, 23)), 0.05, MODELS)
        small = calibrate(unknown(np.linspace(-3, 3, 60), "left out"), 0.05, MODELS, places=5)
        loose = calibrate(unknown(np.linspace(-6, 1, 60)), MAYBE_TARGET, MODELS)

        assert few.threshold_for(4).maybe_threshold < few.threshold_for(4).threshold
        assert few.threshold_for(5).maybe_threshold is None
        assert small.threshold_for(1).maybe_threshold is None
        assert loose.threshold_for(1).maybe_threshold is None


class TestTheReport:
    def test_figures_from_simulated_photos_are_called_that(self):
        """A collection's own photos, changed as if taken again, are counted by their origin, and the report says so."""
        made = unknown(np.linspace(-6, 1, 40), "left out") + [Sample(3.0, True, True, "simulated")] * 30
        labelled = unknown(np.linspace(-6, 1, 40)) + known([2, 3, 4])

        report = describe(calibrate(made, 0.05, MODELS))

        assert (report.simulated, report.known_by_origin) == (True, {"simulated": 30})
        assert report.unknown_by_origin == {"left out": 40}
        assert not describe(calibrate(labelled, 0.05, MODELS)).simulated


class TestWhatFeedbackMayDo:
    def test_confirmed_refusals_never_lower_the_threshold(self):
        """However many visitors confirm refusals, the threshold stays, and so does what is promised."""
        made = unknown(np.linspace(-3, 3, 60), "left out")

        assert (
            calibrate(made + unknown([-6.0] * 60, "feedback"), 0.05, MODELS).threshold
            == calibrate(made, 0.05, MODELS).threshold
        )

    def test_answers_reported_as_wrong_raise_it(self):
        """A handful of reported mistakes above the threshold raise it."""
        made = unknown(np.linspace(-3, 3, 60), "left out")

        assert calibrate(made + unknown([4.0] * 5, "feedback"), 0.05, MODELS).threshold == 4.0


class TestWithoutLabels:
    def test_photos_that_were_made_never_lower_the_threshold(self):
        """A sparse collection, whose left-out photos score far below strangers', answers no more than before."""
        made = unknown(np.linspace(-12, -9, 60), "left out")

        assert calibrate(made, 0.05, MODELS).threshold == 0
        assert calibrate(unknown(np.linspace(-12, -9, 12)), 0.05, MODELS).threshold == 0  # labelled, and too few
        assert calibrate(unknown(np.linspace(-12, -9, 60)), 0.05, MODELS).threshold < -9


class TestSmallCollections:
    def test_a_place_left_out_of_nothing_says_nothing(self):
        """Where no other place was there to be found, a photo is no evidence that strangers are refused."""
        with pytest.raises(InvalidRequest, match="0 photos"):
            calibrate(unknown([-30.0] * 60, "left out"), 0.05, MODELS)

    def test_a_handful_of_places_left_out_promises_nothing(self):
        """Below ten places, photos left out meet too few others; labelled ones promise all the same."""
        made, told = unknown(np.linspace(-6, 1, 60), "left out"), unknown(np.linspace(-6, 1, 60))

        assert not calibrate(made, 0.05, MODELS, places=5).promised
        assert calibrate(made, 0.05, MODELS, places=50).promised
        assert calibrate(told, 0.05, MODELS, places=5).promised


class TestReliability:
    def test_honest_confidence_has_no_error(self):
        """Where as many are right as was said, the error is small; where all are overrated, it is large."""
        chance = np.random.default_rng(3)
        said = chance.uniform(size=20_000)
        right = chance.uniform(size=20_000) < said

        assert reliability(said, right).error < 0.02
        assert reliability(np.full(1000, 0.9), chance.uniform(size=1000) < 0.5).error == pytest.approx(0.4, abs=0.05)

    def test_scaling_finds_the_line_behind_the_truth(self):
        """From enough queries the fitted line is the one that the truth was drawn from."""
        chance = np.random.default_rng(5)
        scores = chance.normal(0, 3, 5000)
        right = chance.uniform(size=5000) < [probability(0.5 * score - 1) for score in scores]

        assert fit_scaling(scores, right, np.ones(5000)) == pytest.approx((0.5, -1), abs=0.1)

    def test_the_fit_is_the_best_line_even_where_scores_mislead(self):
        """High scores that are wrong and low ones that are right: no line nearby explains the answers better."""
        scores, right = np.linspace(-30, 30, 200), np.linspace(-30, 30, 200) < 5
        weights = np.full(200, 10.0)

        def loss(slope, offset):
            margins = slope * scores + offset
            return weights @ (np.logaddexp(0, margins) - right * margins) + 2 * (slope - 1) ** 2 + offset**2 / 4

        slope, offset = fit_scaling(scores, right, weights)

        assert slope == 0.1  # the least there is
        right = ~right
        slope, offset = fit_scaling(scores, right, weights)
        for step in (-0.01, 0.01):
            assert loss(slope, offset) < min(loss(slope + step, offset), loss(slope, offset + step))

    def test_few_queries_do_not_make_it_certain(self):
        """Three right answers leave the shipped line nearly as it was."""
        slope, offset = fit_scaling([1.0, 2.0, 3.0], [True] * 3, [1.0] * 3)

        assert 0.5 < slope < 2
        assert abs(offset) < 1.5
