"""The verifier service: verdicts in, order and decision out, candidates read from the gallery."""

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bad_photos import BAD_PHOTOS, GOOD_PHOTO
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.verifiers import FailingVerifier, ScriptedVerifier
from in_process import AppClient, error_of

from core.errors import BackendUnavailable
from core.gallery import Gallery
from core.gallery.values import NewImage
from core.imaging.copies import encode_preview
from core.imaging.decoding import decode_image
from core.local_features.codec import pack
from core.results import Correspondences, Place, Verdict
from services.verifier.app import create_app
from services.verifier.settings import VerifierSettings

PHOTOS = {f"place-{seed}": encode(draw_place(seed)) for seed in (1, 2, 3)}


@pytest.fixture
def gallery(folder: Path) -> Iterator[Gallery]:
    """Three places with one photo each, as the retrieval service stores them."""
    with Gallery.open(folder, ThumbnailEncoder().fingerprint) as gallery:
        for place_id, data in PHOTOS.items():
            store(gallery, place_id, data)
        yield gallery


def store(gallery: Gallery, place_id: str, data: bytes) -> str:
    """Add a photo with its features; return its id."""
    image = decode_image(data).image
    encodings = ThumbnailEncoder(local_features=True).encode([image])
    new = NewImage(
        data=data,
        filename=f"{place_id}.jpg",
        media_type="image/jpeg",
        width=image.width,
        height=image.height,
        preview=encode_preview(image),
        embedding=encodings.embeddings[0],
        local_features=encodings.local_features[0],
        place=Place(place_id, place_id),
    )
    return gallery.add([new])[0].image.image_id


def scripted(**confidences: float) -> ScriptedVerifier:
    """A verifier that knows the confidence of each place's photo."""
    named = {name.replace("_", "-"): value for name, value in confidences.items()}
    return ScriptedVerifier({hashlib.sha256(PHOTOS[name]).hexdigest(): value for name, value in named.items()})


def ask(client: AppClient, gallery: Gallery, *, photo: bytes = GOOD_PHOTO, features: bytes | None = None, **options):
    """Ask for verdicts on all images of the gallery, or on ``candidates``."""
    images = gallery.list_images().images
    candidates = options.pop("candidates", None) or [
        {"image_id": image.image_id, "place_id": image.place.place_id, "similarity": 0.5} for image in images
    ]
    files = {"file": ("photo", photo)}
    if features is not None:
        files["features"] = ("features", features)
    return client.post("/verify", files=files, data={"request": json.dumps({"candidates": candidates, **options})})


def ids(gallery: Gallery) -> dict[str, str]:
    """Image id by place id."""
    return {image.place.place_id: image.image_id for image in gallery.list_images().images}


def test_verdicts_come_best_first_with_the_decision(folder: Path, gallery: Gallery):
    """The most confident candidate leads, and its verdict is the answer."""
    app = create_app(VerifierSettings(data_dir=folder), verifier=scripted(place_2=0.9, place_3=0.4))
    with AppClient(app) as client:
        reply = ask(client, gallery).json()

    by_id = {image_id: place_id for place_id, image_id in ids(gallery).items()}
    assert [by_id[entry["image_id"]] for entry in reply["ranking"]] == ["place-2", "place-3", "place-1"]
    assert (reply["matched"], reply["confidence"]) == (True, pytest.approx(0.9))
    assert reply["dropped"] == []
    assert set(reply["timings_ms"]) == {"wait", "gallery", "verify", "total"}
    assert set(reply["cpu_ms"]) == {"gallery", "verify"}


def test_nothing_confident_is_no_match(folder: Path, gallery: Gallery):
    """Candidates that are all improbable give no match, still ranked."""
    app = create_app(VerifierSettings(data_dir=folder), verifier=scripted(place_2=0.3))
    with AppClient(app) as client:
        reply = ask(client, gallery).json()

    assert (reply["matched"], reply["confidence"], len(reply["ranking"])) == (False, pytest.approx(0.3), 3)
    assert reply["decision"]["score"] < reply["decision"]["threshold"]
    assert reply["decision"]["calibration"] == "none"


@pytest.mark.parametrize(("threshold", "matched"), [(0.95, False), (0.85, True)])
def test_the_accept_threshold_is_the_operators(folder: Path, gallery: Gallery, threshold: float, matched: bool):
    """A threshold in the settings decides instead of the backend's own."""
    settings = VerifierSettings(data_dir=folder, accept_threshold=threshold)
    with AppClient(create_app(settings, verifier=scripted(place_2=0.9))) as client:
        assert ask(client, gallery).json()["matched"] is matched


def test_candidates_deleted_meanwhile_are_dropped(folder: Path, gallery: Gallery):
    """A candidate that was deleted since it was retrieved is noted; the others are judged."""
    candidates = [
        {"image_id": image_id, "place_id": place, "similarity": 0.5} for place, image_id in ids(gallery).items()
    ]
    gone = ids(gallery)["place-2"]
    gallery.delete(gone)
    app = create_app(VerifierSettings(data_dir=folder), verifier=scripted(place_1=0.8))
    with AppClient(app) as client:
        reply = ask(client, gallery, candidates=candidates).json()

    assert reply["dropped"] == [gone]
    assert len(reply["ranking"]) == 2
    assert reply["matched"]


@pytest.mark.parametrize("fault", ["missing", "damaged", "too large"])
def test_a_candidates_photo_that_cannot_be_used_is_dropped(
    folder: Path, gallery: Gallery, fault: str, caplog: pytest.LogCaptureFixture
):
    """A gallery photo that is missing, damaged or over the limits is the gallery's fault: logged, dropped, no 4xx."""
    culprit = ids(gallery)["place-2"]
    original = gallery.original_path(culprit)
    settings = VerifierSettings(data_dir=folder)
    if fault == "missing":
        original.unlink()
    elif fault == "damaged":
        original.write_bytes(original.read_bytes()[:200])
    else:
        largest = max(len(GOOD_PHOTO), *(len(data) for data in PHOTOS.values()))
        original.write_bytes(PHOTOS["place-2"] + bytes(largest))
        settings = VerifierSettings(data_dir=folder, max_photo_bytes=largest)
    with AppClient(create_app(settings, verifier=PixelVerifier())) as client:
        answer = ask(client, gallery)

    assert answer.status_code == 200
    assert answer.json()["dropped"] == [culprit]
    assert len(answer.json()["ranking"]) == 2
    assert culprit in caplog.text


def test_all_candidates_deleted_is_no_match(folder: Path, gallery: Gallery):
    """With nothing left to verify the answer is an honest no."""
    app = create_app(VerifierSettings(data_dir=folder), verifier=scripted())
    with AppClient(app) as client:
        reply = ask(client, gallery, candidates=[{"image_id": "gone", "place_id": "p", "similarity": 0.9}]).json()

    assert (reply["matched"], reply["ranking"], reply["dropped"]) == (False, [], ["gone"])


def test_additions_of_the_other_process_are_seen(folder: Path, gallery: Gallery):
    """A photo indexed after the verifier opened the gallery is a candidate like any other."""
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=scripted())) as client:
        ask(client, gallery)
        candidate = {"image_id": store(gallery, "p", encode(draw_place(9))), "place_id": "p", "similarity": 0.1}
        reply = ask(client, gallery, candidates=[candidate]).json()

    assert len(reply["ranking"]) == 1


class PixelVerifier(ScriptedVerifier):
    """Looks at the pixels and the features of both sides."""

    def verify(self, query, candidates, *, prompt_style=None, explain=False):
        sizes = [photo.load().size for photo in (query, *candidates)]
        known = [photo.local_features is not None for photo in (query, *candidates)]
        points = np.array([[0.25, 0.5]], dtype=np.float32)
        self.seen = (sizes, known)
        return [Verdict(True, 0.9, "same", Correspondences(points, points, 90)) for _ in candidates]


def test_a_backend_gets_pixels_and_features_of_both_sides(folder: Path, gallery: Gallery):
    """The query's features come with the request, the candidates' from the gallery; pixels on demand."""
    verifier = PixelVerifier()
    features = ThumbnailEncoder(local_features=True).encode([draw_place(1)]).local_features[0]
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=verifier)) as client:
        answer = ask(client, gallery, features=pack(features))

    assert answer.status_code == 200
    assert verifier.seen == ([draw_place(1).size] * 4, [True] * 4)


@pytest.mark.parametrize("explain", [True, False])
def test_evidence_is_sent_where_asked_for(folder: Path, gallery: Gallery, explain: bool):
    """Agreeing points are in the reply with explain=true, and cost nobody else their bytes."""
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=PixelVerifier())) as client:
        reply = ask(client, gallery, explain=explain).json()

    verdict = reply["ranking"][0]["verdict"]
    expected = {
        "query_points": [[0.25, 0.5]],
        "candidate_points": [[0.25, 0.5]],
        "rotation": 90,
        "query_region": [],
        "candidate_region": [],
        "is_planar": False,
    }
    assert verdict["correspondences"] == (expected if explain else None)
    assert ("1 point agrees in one scene." in verdict["reasons"]) is explain
    assert bool(reply["reasons"]) is explain


class PlaneVerifier(ScriptedVerifier):
    """Sees the candidate whole, in the left half of the query."""

    def verify(self, query, candidates, *, prompt_style=None, explain=False):
        points = np.random.default_rng(1).uniform(0.05, 0.95, (40, 2)).astype(np.float32)
        found = Correspondences(points * np.float32([0.5, 1]), points)
        return [Verdict(True, 0.9, "same", found) for _ in candidates]


def test_the_matched_region_and_the_reasons_are_sent(folder: Path, gallery: Gallery):
    """With explain=true come both photos' regions, as fractions of their sides, and reasons in the language wanted."""
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=PlaneVerifier())) as client:
        reply = ask(client, gallery, explain=True, language="zh").json()

    found = reply["ranking"][0]["verdict"]["correspondences"]
    assert found["is_planar"]
    assert np.ptp(found["candidate_region"], axis=0) == pytest.approx([1, 1], abs=0.01)
    assert np.ptp(found["query_region"], axis=0) == pytest.approx([0.5, 1], abs=0.01)
    assert reply["reasons"][0] == "40 个点在同一平面上吻合。"


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_bad_photos_are_refused_by_kind(folder: Path, gallery: Gallery, name: str):
    """A backend that looks at pixels refuses an unusable query as retrieval would."""
    data, status, code = BAD_PHOTOS[name]

    class QueryLooker(ScriptedVerifier):
        def verify(self, query, candidates, *, prompt_style=None, explain=False):
            query.load()
            return super().verify(query, candidates)

    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=QueryLooker())) as client:
        answer = ask(client, gallery, photo=data)

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"prompt_style": "rude"}, "rude"),
        ({"features": b"nonsense"}, "features"),
        ({"candidates": [{"image_id": "x"}]}, "place_id"),
    ],
)
def test_bad_requests_name_what_is_wrong(folder: Path, gallery: Gallery, options: dict, hint: str):
    """An unknown style, damaged features or an incomplete candidate is the caller's 422."""
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=scripted())) as client:
        answer = ask(client, gallery, **options)

    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_request")
    assert hint in error_of(answer)["message"]


def test_a_backend_that_fails_is_unavailable(folder: Path, gallery: Gallery):
    """A backend's own failure is a 503 with its reason, not a crash."""

    class FailingLater(FailingVerifier):
        def verify(self, query, candidates, *, prompt_style=None, explain=False):
            if query.content_hash is None:  # the start's own pair
                return [Verdict(True, 1.0, "")]
            return super().verify(query, candidates)

    verifier = FailingLater(BackendUnavailable("the endpoint is down"))
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=verifier)) as client:
        answer = ask(client, gallery)

    assert (answer.status_code, error_of(answer)["code"]) == (503, "backend_unavailable")


def test_settings_for_other_backends_do_not_stop_the_start(folder: Path):
    """The README's prompt style and a device are settings of any start: geometry needs neither."""
    settings = VerifierSettings(data_dir=folder, prompt_style="simple", device="auto")
    with AppClient(create_app(settings)) as client:
        assert client.get("/health/ready").json()["details"]["verifier"].startswith("geometric")


def test_a_model_is_not_named_in_vain(folder: Path):
    """A model for a backend that takes none is refused: whoever named it expects it to answer."""
    settings = VerifierSettings(data_dir=folder, model="Qwen/Qwen3-VL-8B-Instruct")
    with AppClient(create_app(settings)) as client:
        assert "takes no 'model'" in client.get("/health/ready").json()["reason"]


def test_a_misspelt_option_of_the_backend_stops_the_start(folder: Path):
    """What was said for this backend and is not among its options is reported, not ignored."""
    settings = VerifierSettings(data_dir=folder, verifier_options={"tresholt": 0.5})
    with AppClient(create_app(settings)) as client:
        assert "tresholt" in client.get("/health/ready").json()["reason"]


def test_a_gallery_that_is_not_there_yet_is_waited_for(tmp_path: Path):
    """The verifier starts before any gallery exists, says so when asked, and finds it once it is made."""
    folder = tmp_path / "later"
    candidate = {"image_id": "x", "place_id": "p", "similarity": 0.5}
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=scripted())) as client:
        ready = client.get("/health/ready")
        files, data = {"file": ("photo", GOOD_PHOTO)}, {"request": json.dumps({"candidates": [candidate]})}
        before = client.post("/verify", files=files, data=data)
        Gallery.open(folder, ThumbnailEncoder().fingerprint).close()
        after = client.post("/verify", files=files, data=data)

    assert ready.status_code == 200
    assert (before.status_code, error_of(before)["code"]) == (503, "gallery_unavailable")
    assert (after.status_code, after.json()["dropped"]) == (200, ["x"])


def test_a_replaced_gallery_is_noticed(folder: Path, gallery: Gallery, tmp_path: Path):
    """When the folder holds another gallery than before, its candidates are found without a restart."""
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=scripted(place_1=0.9))) as client:
        ask(client, gallery)
        folder.rename(tmp_path / "old")
        with Gallery.open(folder, ThumbnailEncoder().fingerprint) as fresh:
            store(fresh, "place-1", PHOTOS["place-1"])
            reply = ask(client, fresh).json()

    assert (len(reply["ranking"]), reply["dropped"]) == (1, [])


def test_too_many_photos_are_refused_at_once(folder: Path, gallery: Gallery):
    """A full house answers 503 with Retry-After while the one inside is served."""

    class GatedVerifier(ScriptedVerifier):
        def verify(self, query, candidates, *, prompt_style=None, explain=False):
            verifying.set()
            may_finish.wait(timeout=30)
            return super().verify(query, candidates)

    verifying, may_finish = threading.Event(), threading.Event()
    may_finish.set()
    answers = []
    settings = VerifierSettings(data_dir=folder, max_waiting=1)
    with AppClient(create_app(settings, verifier=GatedVerifier())) as client:
        may_finish.clear()
        verifying.clear()
        inside = threading.Thread(target=lambda: answers.append(ask(client, gallery)))
        inside.start()
        verifying.wait(timeout=30)
        refused = ask(client, gallery)
        may_finish.set()
        inside.join()

    assert (refused.status_code, error_of(refused)["code"]) == (503, "overloaded")
    assert answers[0].status_code == 200


def test_pairs_belong_to_photos(folder: Path, gallery: Gallery):
    """Each photo is compared with its own candidates, and what they say of a place is taken together."""
    known = ids(gallery)
    candidates = [
        {"image_id": known[place], "place_id": place, "similarity": 0.5, "photo": photo}
        for place, photo in (("place-1", 0), ("place-2", 0), ("place-2", 1))
    ]
    verifier = scripted(place_2=0.9)
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=verifier)) as client:
        files = [("file", ("photo", GOOD_PHOTO)), ("file", ("photo", PHOTOS["place-3"]))]
        reply = client.post("/verify", files=files, data={"request": json.dumps({"candidates": candidates})}).json()

    assert [len(asked) for asked in verifier.asked[-2:]] == [2, 1]
    assert sorted((entry["image_id"], entry["photo"]) for entry in reply["ranking"]) == sorted(
        (candidate["image_id"], candidate["photo"]) for candidate in candidates
    )
    assert reply["decision"]["signals"]["agreeing"] > 0


@pytest.mark.parametrize(("photo", "features"), [(1, 0), (0, 2)])
def test_what_belongs_to_no_photo_is_refused(folder: Path, gallery: Gallery, photo: int, features: int):
    """A candidate of a photo that was not sent, or features of more photos than there are."""
    candidate = {"image_id": "a", "place_id": "a", "similarity": 0.5, "photo": photo}
    files = [("file", ("photo", GOOD_PHOTO)), *[("features", ("features", b"x"))] * features]
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=scripted())) as client:
        refused = client.post("/verify", files=files, data={"request": json.dumps({"candidates": [candidate]})})

    assert refused.status_code == 422
    assert "1 photos came" in error_of(refused)["message"]
