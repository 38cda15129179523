"""Calibrations on record: fitted, kept, refitted, compared with the models in use."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient, error_of
from PIL import Image

from contracts.calibration import CalibrationRequest
from core.calibration.samples import NOTHING_FOUND, Sample
from core.errors import InvalidRequest
from core.journal import GivenFeedback, MatchRecord, StoredMatch
from core.results import LocalFeatures, Look
from services.retrieval.app import create_app
from services.retrieval.background.calibrations import Measurement, feedback_sample
from services.retrieval.settings import RetrievalSettings
from serving.health import describe_version

VERIFIER = "scripted (fake)"
PATH = "/collections/default/calibration"

UNKNOWN = [Sample(-6 + 0.1 * n, False, False, "left out") for n in range(60)]
KNOWN = [Sample(-1 + 0.2 * n, True, n >= 5, "simulated") for n in range(40)]
"""60 unknown photos of scores -6 to -0.1, and 40 known ones from -1 to 6.8, of which the highest 35 are right."""


class VerifierInUse:
    """The verifier service, as far as it says what it runs."""

    fingerprint: str | None = VERIFIER

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What ``GET /version`` answers, if anything does."""
        if self.fingerprint is None:
            raise httpx.ConnectError("nobody listens", request=request)
        return httpx.Response(200, content=describe_version(verifier=self.fingerprint).model_dump_json())


@pytest.fixture
def verifier() -> VerifierInUse:
    return VerifierInUse()


@pytest.fixture
def filled(folder: Path, verifier: VerifierInUse) -> Iterator[AppClient]:
    """The service with eleven images of ten places."""
    app = create_app(RetrievalSettings(data_dir=folder), encoder=ThumbnailEncoder(local_features=True))
    app.state.verifier_transport = httpx.MockTransport(verifier.answer)
    with AppClient(app) as retrieval:
        for number, place in enumerate("aabcdefghij"):
            photo = encode(draw_place(number))
            retrieval.post("/index/images", files={"file": (f"{number}.jpg", photo)}, data={"place_id": place})
        yield retrieval


def fit(client: AppClient, samples: list[Sample] | None = None, *, use_feedback: bool = False) -> dict:
    """Keep a calibration for one in twenty; what is on record then."""
    calibrations = client.app.state.loading.get().calibrations
    measured = Measurement(UNKNOWN + KNOWN if samples is None else samples, VERIFIER, None)
    wanted = CalibrationRequest(target=0.05, use_feedback=use_feedback)
    client.call(calibrations.fit, "default", measured, wanted)
    return client.get(PATH).json()["calibration"]


def test_nothing_is_on_record_at_first(filled: AppClient):
    """A collection that was never calibrated says so; one that does not exist is unknown."""
    assert filled.get(PATH).json()["state"] == "none"
    assert filled.get("/collections/nowhere/calibration").status_code == 404


def test_what_was_measured_is_fitted_and_kept(filled: AppClient):
    """The report says what the threshold does to the samples, with intervals, and what other targets would do."""
    fit(filled)

    reply = filled.get(PATH).json()

    body = reply["calibration"]
    assert (reply["state"], body["promised"], body["needed_unknown"]) == ("valid", True, 19)
    assert body["unknown_by_origin"] == {"left out": 60}
    assert (body["known_by_origin"], body["simulated"]) == ({"simulated": 40}, True)
    assert [(asked["photos"], asked["promised"]) for asked in body["questions"]] == [
        (1, True), (2, True), (3, True), (4, False), (5, False)
    ]  # fmt: skip
    assert body["questions"][0]["threshold"] == body["threshold"] <= body["questions"][1]["threshold"]
    assert body["false_answers"]["count"] == 60
    assert body["false_answers"]["share"] <= 0.05
    assert body["answered"]["low"] < body["answered"]["share"] < body["answered"]["high"] <= 1
    assert body["right"]["share"] + body["wrong_place"]["share"] == pytest.approx(body["answered"]["share"])
    assert 0 <= body["calibration_error"] < 0.3
    assert sum(tenth["count"] for tenth in body["reliability"]) == 100
    assert "thumbnail" in body["encoder"]


def test_the_curve_shows_the_price_of_a_promise(filled: AppClient):
    """A stricter target never answers more, and only those that the samples suffice for are promised."""
    curve = fit(filled)["curve"]

    assert (curve[0]["target"], curve[-1]["target"], len(curve)) == (0.005, 0.2, 25)
    shares = [point["answered"]["share"] for point in curve]
    assert shares == sorted(shares)
    assert [point["promised"] for point in curve] == [point["target"] >= 1 / 61 for point in curve]


def test_a_few_labelled_photos_leave_a_gap_and_no_failure(filled: AppClient):
    """Five labelled unknown photos are too few to decide alone, even where a lenient target asks for no more."""
    body = fit(filled, [Sample(-1.0, False, False, "labelled")] * 5 + UNKNOWN + KNOWN)

    assert body["unknown_by_origin"] == {"labelled": 5, "left out": 60}
    assert body["curve"][0]["target"] == 0.005


def test_another_target_needs_no_new_photos(filled: AppClient):
    """PATCH refits from what was measured: what it says is what the curve had said."""
    point = fit(filled)["curve"][20]

    body = filled.request("PATCH", PATH, json={"target": point["target"]}).json()["calibration"]

    assert {name: body[name] for name in point} == point


@pytest.mark.parametrize(
    ("in_use", "state", "because"),
    [(VERIFIER, "valid", None), ("another", "stale", "another verifier"), (None, "unknown", None)],
)
def test_a_calibration_holds_for_its_models(
    filled: AppClient, verifier: VerifierInUse, in_use: str | None, state: str, because: str | None
):
    """Another verifier makes it stale, visibly; where none can be asked that is said."""
    fit(filled)
    verifier.fingerprint = in_use

    reply = filled.get(PATH).json()

    assert (reply["state"], reply["stale_because"]) == (state, because)
    assert reply["calibration"]["verifier"] == VERIFIER


def test_a_restart_forgets_nothing(folder: Path, filled: AppClient):
    """A calibration that was acknowledged is on the disk; another encoder's gallery cannot come by it."""
    made = fit(filled)

    with AppClient(create_app(RetrievalSettings(data_dir=folder), encoder=ThumbnailEncoder(local_features=True))) as it:
        assert it.get(PATH).json()["calibration"] == made


def test_removed_is_gone(filled: AppClient):
    """The shipped rule decides again; removing twice is fine."""
    fit(filled)

    assert [filled.request("DELETE", PATH).status_code for _ in range(2)] == [204, 204]
    assert filled.get(PATH).json()["state"] == "none"


def test_too_few_samples_are_refused(filled: AppClient):
    """With fewer than eight unknown photos nothing is kept, and the message says how many a promise takes."""
    with pytest.raises(InvalidRequest, match=r"at least 8 are needed, and 19 to promise 5\.0%"):
        fit(filled, UNKNOWN[55:] + KNOWN)

    assert filled.get(PATH).json()["state"] == "none"


def test_a_target_needs_something_measured(filled: AppClient):
    """There is nothing to refit in a collection that was never calibrated."""
    refused = filled.request("PATCH", PATH, json={"target": 0.02})

    assert refused.status_code == 422
    assert "was never calibrated" in error_of(refused)["message"]


def test_photos_that_found_nothing_teach_nothing_of_a_threshold(filled: AppClient):
    """A left-out photo without a score says nothing of a threshold; a known one is not answered."""
    nothing = [Sample(NOTHING_FOUND, False, False, "left out")] * 20
    samples = nothing + UNKNOWN[50:51] * 20 + [Sample(NOTHING_FOUND, True, False, "simulated")] * 3

    body = fit(filled, samples)

    assert body["unknown_by_origin"] == {"left out": 20}
    assert (body["answered"]["share"], body["answered"]["count"]) == (0, 3)


def commented(verdict: str, place_id: str | None = None, **changes: object) -> StoredMatch:
    """A match on record that somebody commented."""
    values = {
        "request_id": "r",
        "at": 0.0,
        "collection": "default",
        "matched": True,
        "place_id": "a",
        "place_name": "A",
        "confidence": 0.9,
        "score": 2.5,
        "verification": "done",
        "encoder": "e",
        "verifier": "v",
        "evidence": {"signal bias": -0.3},
    }
    return StoredMatch(1, MatchRecord(**{**values, **changes}), GivenFeedback(verdict, place_id, 1.0, False))


@pytest.mark.parametrize(
    ("stored", "known", "right"),
    [
        (commented("right"), True, True),
        (commented("right", matched=False), False, False),
        (commented("not_in_collection"), False, False),
        (commented("other_place", "b"), True, False),
        (commented("other_place", "a", matched=False), True, True),
    ],
)
def test_feedback_says_what_a_photo_showed(stored: StoredMatch, known: bool, right: bool):
    """A refusal that was right was of an unknown photo; another place is a known one."""
    sample = feedback_sample(stored)

    assert sample is not None
    assert (sample.known, sample.right, sample.origin, sample.score) == (known, right, "feedback", 2.5)


@pytest.mark.parametrize(
    "stored",
    [commented("wrong"), commented("right", verification="unavailable"), commented("right", evidence={})],
)
def test_feedback_that_leaves_the_truth_open_teaches_nothing(stored: StoredMatch):
    """A bare "wrong", an answer that nothing verified, and one of before decisions had scores are left out."""
    assert feedback_sample(stored) is None


def test_feedback_of_the_same_models_is_learnt_from(filled: AppClient):
    """Answers of the same encoder, verifier and style join the samples; those of others do not."""
    encoder = filled.get("/version").json()["encoder"]
    records = [
        {
            "request_id": f"r{number}",
            "at": 1e9 + number + 8e8,
            "collection": "default",
            "matched": False,
            "place_id": "a",
            "place_name": "A",
            "confidence": 0.1,
            "score": -2.0,
            "verification": "done",
            "encoder": encoder,
            "verifier": verifier,
            "evidence": {"signal bias": -0.3},
        }
        for number, verifier in enumerate([VERIFIER, VERIFIER, "another", f"{VERIFIER}, asked in the style simple"])
    ]
    filled.post("/matches", json={"matches": records})
    for number in range(4):
        filled.post("/feedback", json={"request_id": f"r{number}", "verdict": "other_place", "place_id": "a"})

    body = fit(filled, use_feedback=True)

    assert body["known_by_origin"] == {"simulated": 40, "feedback": 2}


class LookingAgain(ThumbnailEncoder):
    """Counts how often it is asked to look at a photo again, and sees what it saw before."""

    looks = 0

    def look_again(self, image: Image.Image, first: LocalFeatures) -> Iterator[Look]:
        for _ in range(3):
            self.looks += 1
            yield Look(first)


@pytest.mark.parametrize(("budget_s", "looks"), [(0, 0), (60, 3)])
def test_no_further_look_begins_after_the_time_budget(folder: Path, budget_s: float, looks: int):
    """M1_TIME_BUDGET_S bounds how often an unclear photo is looked at."""
    encoder = LookingAgain(local_features=True)
    settings = RetrievalSettings(data_dir=folder, time_budget_s=budget_s)
    with AppClient(create_app(settings, encoder=encoder)) as client:
        client.post("/index/images", files={"file": ("a.jpg", encode(draw_place(1)))})
        client.post("/search", content=encode(Image.new("RGB", (480, 360), "grey")))

    assert encoder.looks == looks
