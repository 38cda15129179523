"""Calibrations on record: fitted, kept, refitted, compared with the models in use; and photos taken again."""

import math
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient, error_of
from PIL import Image

from core.journal import GivenFeedback, MatchRecord, StoredMatch
from core.results import LocalFeatures, Look
from services.retrieval.app import create_app
from services.retrieval.background.calibrations import feedback_sample
from services.retrieval.settings import RetrievalSettings

VERIFIER = "scripted (fake)"


@pytest.fixture
def filled(retrieval: AppClient) -> AppClient:
    """The service with eleven images of ten places."""
    for number, place in enumerate("aabcdefghij"):
        photo = encode(draw_place(number))
        retrieval.post("/index/images", files={"file": (f"{number}.jpg", photo)}, data={"place_id": place})
    return retrieval


def measured(**changes: object) -> dict:
    """60 unknown photos of scores -6 to -0.1, and 40 known ones from -1 to 6.8, of which the highest 35 are right."""
    unknown = [{"score": -6 + 0.1 * n, "known": False, "right": False, "origin": "left out"} for n in range(60)]
    known = [{"score": -1 + 0.2 * n, "known": True, "right": n >= 5, "origin": "simulated"} for n in range(40)]
    return {"target": 0.05, "verifier": VERIFIER, "samples": unknown + known, "use_feedback": False, **changes}


def test_nothing_is_on_record_at_first(filled: AppClient):
    """A collection that was never calibrated says so; one that does not exist is unknown."""
    assert filled.get("/calibrations/default").json()["state"] == "none"
    assert filled.get("/calibrations/nowhere").status_code == 404


def test_what_was_measured_is_fitted_and_kept(filled: AppClient):
    """The report says what the threshold does to the samples, with intervals, and what other targets would do."""
    filled.request("PUT", "/calibrations/default", json=measured())

    reply = filled.get("/calibrations/default", params={"verifier": VERIFIER}).json()

    body = reply["calibration"]
    assert (reply["state"], body["promised"], body["needed_unknown"]) == ("valid", True, 19)
    assert body["unknown_by_origin"] == {"left out": 60}
    assert body["known_by_origin"] == {"simulated": 40}
    assert body["false_answers"]["count"] == 60
    assert body["false_answers"]["share"] <= 0.05
    assert body["answered"]["low"] < body["answered"]["share"] < body["answered"]["high"] <= 1
    assert body["right"]["share"] + body["wrong_place"]["share"] == pytest.approx(body["answered"]["share"])
    assert 0 <= body["calibration_error"] < 0.3
    assert sum(each["count"] for each in body["reliability"]) == 100
    assert "thumbnail" in body["encoder"]


def test_the_curve_shows_the_price_of_a_promise(filled: AppClient):
    """A stricter target never answers more, and only those that the samples suffice for are promised."""
    body = filled.request("PUT", "/calibrations/default", json=measured()).json()["calibration"]

    curve = body["curve"]
    assert (curve[0]["target"], curve[-1]["target"], len(curve)) == (0.005, 0.2, 25)
    shares = [point["answered"]["share"] for point in curve]
    assert shares == sorted(shares)
    assert [point["promised"] for point in curve] == [point["target"] >= 1 / 61 for point in curve]


def test_a_few_labelled_photos_leave_a_gap_and_no_failure(filled: AppClient):
    """Five labelled unknown photos are too few to decide alone, even where a lenient target asks for no more."""
    labelled = [{"score": -1.0, "known": False, "right": False, "origin": "labelled"}] * 5

    body = filled.request(
        "PUT", "/calibrations/default", json=measured(samples=labelled + measured()["samples"])
    ).json()["calibration"]

    assert body["unknown_by_origin"] == {"labelled": 5, "left out": 60}
    assert body["curve"][0]["target"] == 0.005


def test_another_target_needs_no_new_photos(filled: AppClient):
    """PATCH refits from what was measured: what it says is what the curve had said."""
    curve = filled.request("PUT", "/calibrations/default", json=measured()).json()["calibration"]["curve"]
    point = curve[20]

    body = filled.request("PATCH", "/calibrations/default", json={"target": point["target"]}).json()["calibration"]

    assert {name: body[name] for name in point} == point


@pytest.mark.parametrize(
    ("verifier", "state", "because"),
    [(VERIFIER, "valid", None), ("another", "stale", "another verifier"), (None, "unknown", None)],
)
def test_a_calibration_holds_for_its_models(filled: AppClient, verifier: str | None, state: str, because: str | None):
    """Another verifier makes it stale, visibly; where none can be asked that is said."""
    filled.request("PUT", "/calibrations/default", json=measured())

    reply = filled.get("/calibrations/default", params={"verifier": verifier} if verifier else {}).json()

    assert (reply["state"], reply["stale_because"]) == (state, because)
    assert reply["calibration"]["verifier"] == VERIFIER


def test_a_restart_forgets_nothing(folder: Path, filled: AppClient):
    """A calibration that was acknowledged is on the disk; another encoder's gallery cannot come by it."""
    made = filled.request("PUT", "/calibrations/default", json=measured()).json()["calibration"]

    with AppClient(create_app(RetrievalSettings(data_dir=folder), encoder=ThumbnailEncoder(local_features=True))) as it:
        assert it.get("/calibrations/default").json()["calibration"] == made


def test_removed_is_gone(filled: AppClient):
    """The shipped rule decides again; removing twice is fine."""
    filled.request("PUT", "/calibrations/default", json=measured())

    assert [filled.request("DELETE", "/calibrations/default").status_code for _ in range(2)] == [204, 204]
    assert filled.get("/calibrations/default").json()["state"] == "none"


def test_too_few_samples_are_refused(filled: AppClient):
    """With fewer than eight unknown photos nothing is kept, and the message says how many a promise takes."""
    refused = filled.request("PUT", "/calibrations/default", json=measured(samples=measured()["samples"][55:]))

    assert refused.status_code == 422
    assert "at least 8 are needed, and 19 to promise 5.0%" in error_of(refused)["message"]
    assert filled.get("/calibrations/default").json()["state"] == "none"


def test_a_target_needs_something_measured(filled: AppClient):
    """There is nothing to refit in a collection that was never calibrated."""
    assert filled.request("PATCH", "/calibrations/default", json={"target": 0.02}).status_code == 422


def test_photos_that_found_nothing_teach_nothing_of_a_threshold(filled: AppClient):
    """A left-out photo without a score says nothing of a threshold; a known one is not answered."""
    nothing = {"score": None, "known": False, "right": False, "origin": "left out"}
    samples = [nothing] * 20 + [{**nothing, "score": -1.0}] * 20 + [{**nothing, "known": True}] * 3

    body = filled.request("PUT", "/calibrations/default", json=measured(samples=samples)).json()["calibration"]

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

    body = filled.request("PUT", "/calibrations/default", json=measured(use_feedback=True)).json()["calibration"]

    assert body["known_by_origin"] == {"simulated": 40, "feedback": 2}


@pytest.fixture
def image_ids(filled: AppClient) -> Iterator[dict[str, str]]:
    """Image ids by file name."""
    return {each["filename"]: each["id"] for each in filled.get("/index/images").json()["images"]}


def test_a_photo_is_taken_again(filled: AppClient, image_ids: dict[str, str]):
    """The same image and seed give the same JPEG; another seed gives another."""
    path = f"/rephotographed/{image_ids['0.jpg']}"

    answer, again, other = (filled.get(path, params={"seed": seed}) for seed in (7, 7, 8))

    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(BytesIO(answer.content)).size == (480, 360)
    assert answer.content == again.content != other.content
    assert filled.get(f"/rephotographed/{'0' * 32}").status_code == 404


def test_a_search_passes_over_what_is_left_out(filled: AppClient, image_ids: dict[str, str]):
    """Without an image its place is found by another; without the place it is not found at all."""
    photo = encode(draw_place(0))

    def first(**params: str) -> dict:
        reply = filled.post("/search", params=params, content=photo)
        return reply.json()["candidates"][0]["image"]

    assert first()["filename"] == "0.jpg"
    assert first(leave_out_image=image_ids["0.jpg"])["filename"] != "0.jpg"
    candidates = filled.post("/search", params={"leave_out_place": "a"}, content=photo).json()["candidates"]
    assert candidates
    assert "a" not in {each["image"]["place"]["id"] for each in candidates}


def test_a_search_without_anything_left_finds_nothing(filled: AppClient):
    """A collection of one place, without that place, has no candidate; that is an answer."""
    filled.post("/index/images", files={"file": ("x.jpg", encode(draw_place(9)))}, data={"collection": "one"})
    place = filled.get("/index/places?collection=one").json()["places"][0]["id"]

    reply = filled.post(
        "/search", params={"collection": "one", "leave_out_place": place}, content=encode(draw_place(9))
    ).json()

    assert (reply["candidates"], reply["decision"]["matched"]) == ([], False)
    assert not math.isnan(reply["decision"]["confidence"])


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
