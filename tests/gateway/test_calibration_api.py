"""A collection is calibrated over HTTP: in the background, politely, visibly, for one set of models."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calibrated import calibrate_to_maybe
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode, see_again
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient, error_of

from core.results import Verdict
from core.verifiers.base import Verifier
from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from standalone.app import compose

PATH = "/collections/default/calibration"


class AlikeVerifier(ScriptedVerifier):
    """Believes in the candidate whose thumbnail is nearest, the more so the nearer it is."""

    def verify(self, query, candidates, *, prompt_style=None, explain=False):
        encoder = ThumbnailEncoder()
        asked = encoder.encode([query.load()]).embeddings[0]
        found = encoder.encode([candidate.load() for candidate in candidates]).embeddings @ asked
        return [
            Verdict(bool(similarity > 0.8), min(0.99, max(0.01, float(similarity))), "alike") for similarity in found
        ]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., AppClient]]:
    """Starts the product over one gallery, with a verifier."""
    started: list[AppClient] = []

    def start(verifier: Verifier | None = None, encoder: ThumbnailEncoder | None = None) -> AppClient:
        stop()
        folder = tmp_path / "gallery"
        retrieval = create_retrieval(
            RetrievalSettings(data_dir=folder, audit_file=tmp_path / "audit.jsonl"), encoder=encoder
        )
        judging = create_verifier(VerifierSettings(data_dir=folder), verifier=verifier)
        client = AppClient(compose(GatewaySettings(), retrieval=retrieval, verifier=judging))
        client.__enter__()
        started.append(client)
        for service in (retrieval, judging):
            client.call(service.state.loading.finished)
        return client

    def stop() -> None:
        while started:
            started.pop().__exit__(None, None, None)

    yield start
    stop()


@pytest.fixture
def product(start: Callable[..., AppClient]) -> AppClient:
    """Twelve places on fakes of the models."""
    product = start(AlikeVerifier(), ThumbnailEncoder(local_features=True))
    fill(product)
    return product


def fill(product: AppClient, places: int = 12) -> None:
    """Add drawn places."""
    photos = [("file", (f"{seed}.jpg", encode(draw_place(seed)))) for seed in range(places)]
    assert product.post("/index/images", files=photos).json()["added"] == places


def wait(product: AppClient, path: str = PATH) -> dict:
    """Poll until the job has ended; what GET says then."""
    ends_at = time.monotonic() + 900
    while time.monotonic() < ends_at:
        reply = product.get(path).json()
        if reply["job"]["state"] != "running":
            return reply
        product.call(asyncio.sleep, 0.05)
    raise TimeoutError(str(reply))


def test_a_collection_is_calibrated_over_http(product: AppClient, tmp_path: Path):
    """Two samples a photo, one of them with its place left out; then it is on record, valid, and in the audit log."""
    begun = product.post(PATH, json={"target": 0.2, "photos": 10})

    reply = wait(product)

    assert (begun.status_code, begun.json()["state"]) == (202, "running")
    assert (reply["state"], reply["job"]["state"], reply["job"]["done"], reply["job"]["total"]) == (
        "valid",
        "done",
        20,
        20,
    )
    body = reply["calibration"]
    assert (body["unknown_by_origin"], body["known_by_origin"]) == ({"left out": 10}, {"simulated": 10})
    assert body["right"]["share"] >= 0.4  # above the shipped threshold, which made photos never lower
    assert (body["verifier"], body["promised"]) == ("scripted (fake)", True)
    assert '"calibration.make"' in (tmp_path / "audit.jsonl").read_text()


def test_a_valid_calibration_decides(product: AppClient):
    """The next match says that the collection's own threshold was used, and what it promises."""
    product.post(PATH, json={"target": 0.2, "photos": 10})
    threshold = wait(product)["calibration"]["threshold"]

    decision = product.post("/match", files={"file": ("q.jpg", encode(draw_place(3)))}).json()["decision"]

    assert (decision["calibration"], decision["target"]) == ("valid", 0.2)
    assert decision["threshold"] == pytest.approx(threshold)


def test_the_promise_of_several_photos_is_that_of_the_question(product: AppClient):
    """Two photos have a threshold for two, which one of them must pass alone; ten samples suffice for no more."""
    product.post(PATH, json={"target": 0.2, "photos": 10})
    questions = wait(product)["calibration"]["questions"]

    def ask(count: int) -> dict:
        views = [("file", ("q.jpg", encode(see_again(draw_place(3), seed).image))) for seed in range(count)]
        return product.post("/match", files=views).json()["decision"]

    two, three = ask(2), ask(3)

    assert (two["calibration"], two["target"], two["maybe_threshold"]) == ("valid", 0.2, None)
    assert two["threshold"] == pytest.approx(questions[1]["threshold"])
    assert two["photo_score"] <= two["score"]
    assert (three["calibration"], three["target"]) == ("stale", None)
    assert three["threshold"] == pytest.approx(questions[2]["threshold"])
    assert "3 photos are asked about together" in three["stale_because"]


def test_a_photo_between_the_two_thresholds_is_a_maybe(product: AppClient, tmp_path: Path):
    """It is no match and has no place; its first candidate is the place to ask about. Uncalibrated, it was a match.

    The list of answers says which was which.
    """
    photo = {"file": ("q.jpg", encode(draw_place(3)))}
    first = product.post("/match", files=photo).json()
    calibrate_to_maybe(tmp_path / "gallery", first)

    reply = product.post("/match", files=photo).json()
    unverified = product.post("/match", files=photo, data={"verify": "false"}).json()

    assert (first["answer"], first["matched"], first["decision"]["maybe_threshold"]) == ("match", True, None)
    assert (reply["answer"], reply["matched"], reply["place"]) == ("maybe", False, None)
    assert reply["candidates"][0]["place"] == first["place"]
    decision = reply["decision"]
    assert decision["maybe_threshold"] < decision["score"] < decision["threshold"]
    assert (decision["maybe_target"], decision["target"]) == (0.2, 0.02)
    assert unverified["answer"] == ("match" if unverified["matched"] else "none")
    said = {"request_id": unverified["request_id"], "verdict": "right"}
    product.post("/feedback", json=said).raise_for_status()  # when it has been answered, all answers are on record
    listed = product.get("/collections/default/matches").json()["matches"]
    assert [entry["answer"] for entry in listed] == [each["answer"] for each in (unverified, reply, first)]


def test_another_verifier_makes_it_stale(start: Callable[..., AppClient], product: AppClient):
    """After a change of the verifier the shipped rule decides again; the record and every match say why."""
    product.post(PATH, json={"target": 0.2, "photos": 10})
    assert wait(product)["state"] == "valid"

    changed = start(AlikeVerifier(name="other"), ThumbnailEncoder(local_features=True))
    reply = changed.get(PATH).json()
    decision = changed.post("/match", files={"file": ("q.jpg", encode(draw_place(3)))}).json()["decision"]

    assert (reply["state"], reply["stale_because"], reply["job"]["state"]) == ("stale", "another verifier", "done")
    assert (decision["calibration"], decision["stale_because"]) == ("stale", "another verifier")


def test_the_target_is_changed_at_once(product: AppClient):
    """PATCH answers with the refitted calibration; no job runs."""
    product.post(PATH, json={"target": 0.2, "photos": 10})
    made = wait(product)

    changed = product.request("PATCH", PATH, json={"target": 0.1}).json()

    assert (changed["state"], changed["calibration"]["target"]) == ("valid", 0.1)
    assert changed["calibration"]["threshold"] >= made["calibration"]["threshold"]
    assert changed["job"] == made["job"]


def test_one_runs_at_a_time_and_can_be_cancelled(product: AppClient):
    """A second start is refused with how far the first has come; DELETE ends the first and keeps what is on record."""
    product.post(PATH, json={"photos": 12})
    refused = product.post(PATH, json={"photos": 12})
    cancelled = product.request("DELETE", PATH)

    reply = product.get(PATH).json()

    assert (refused.status_code, error_of(refused)["code"]) == (409, "already_running")
    assert "is being calibrated" in error_of(refused)["message"]
    assert (cancelled.status_code, reply["job"]["state"], reply["state"]) == (204, "cancelled", "none")
    assert product.post(PATH, json={"photos": 12}).status_code == 202


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/x-www-form-urlencoded"}], ids=["none", "curl"])
def test_the_body_is_json_whatever_it_is_called(product: AppClient, headers: dict[str, str]):
    """``curl -d`` without a header, and clients that send none, are understood as they were in 0.1.0."""
    started = product.post(PATH, content=b'{"photos": 8}', headers=headers)
    product.request("DELETE", PATH)

    assert started.status_code == 202, started.text


def test_removed_is_removed(product: AppClient):
    """Where nothing runs DELETE forgets the calibration."""
    product.post(PATH, json={"target": 0.2, "photos": 10})
    wait(product)

    assert product.request("DELETE", PATH).status_code == 204
    assert product.get(PATH).json()["state"] == "none"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"prompt_style": "baroque"}, "unknown prompt style"),
        ({"target": 0.01}, "at least 8 are needed, and 99 to promise 1.0%"),
    ],
)
def test_a_job_that_fails_says_why(start: Callable[..., AppClient], asked: dict, said: str):
    """In the words of the service that refused; nothing is on record."""
    product = start(ScriptedVerifier(), ThumbnailEncoder(local_features=True))
    fill(product, 4)

    product.post(PATH, json=asked)
    reply = wait(product)

    assert (reply["job"]["state"], reply["state"]) == ("failed", "none")
    assert said in reply["job"]["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/collections/nowhere/calibration", {}, 404),
        ("GET", "/collections/nowhere/calibration", None, 404),
        ("POST", PATH, {"target": 0.7}, 422),
        ("POST", PATH, {"photos": 3}, 422),
        ("POST", PATH, {"goal": 0.1}, 422),
        ("PATCH", PATH, {"target": 0}, 422),
        ("PATCH", PATH, {"target": 0.1}, 422),
    ],
)
def test_bad_requests_are_refused_with_the_reason(
    product: AppClient, method: str, path: str, body: dict | None, status: int
):
    """An unknown collection, a target outside its range, an unknown field, nothing to refit."""
    answer = product.request(method, path, json=body)

    assert answer.status_code == status
    assert error_of(answer)["message"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_embedded_default_is_calibrated(start: Callable[..., AppClient]):
    """With the real models, over drawn places: known ones are answered, unknown ones refused, the promise told."""
    product = start()
    fill(product)

    product.post(PATH, json={"target": 0.15, "photos": 8})
    reply = wait(product)
    seen = encode(see_again(draw_place(5), seed=1).image)
    known, unknown = (
        product.post("/match", files={"file": ("q.jpg", photo)}).json() for photo in (seen, encode(draw_place(99)))
    )

    assert (reply["state"], reply["calibration"]["promised"]) == ("valid", True)
    assert reply["calibration"]["right"]["share"] >= 0.7
    assert (known["matched"], known["place"]["name"], known["decision"]["calibration"]) == (True, "5", "valid")
    assert (unknown["matched"], unknown["decision"]["calibration"]) == (False, "valid")
