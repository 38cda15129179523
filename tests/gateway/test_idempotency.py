"""``Idempotency-Key``: a write that is sent again is done once."""

from pathlib import Path

import httpx
import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient, error_of

from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings

PHOTO = encode(draw_place(1))


def create(product: AppClient, name: str, key: str) -> httpx.Response:
    """Create a collection."""
    return product.post("/collections", json={"name": name}, headers={"Idempotency-Key": key})


def upload(product: AppClient, key: str, photo: bytes = PHOTO, **fields: str) -> httpx.Response:
    """Add a photo; the client chooses another boundary every time."""
    options = {"files": {"file": ("front.jpg", photo)}, "data": {"place_id": "gate", **fields}}
    return product.post("/index/images", headers={"Idempotency-Key": key}, **options)


def test_a_collection_is_created_once(product: AppClient):
    """The second answer is the first one again, and says so; without a key it is a conflict."""
    first, second = create(product, "east", "k1"), create(product, "east", "k1")

    assert (first.status_code, first.headers.get("idempotent-replayed")) == (201, None)
    assert (second.status_code, second.json(), second.headers["idempotent-replayed"]) == (201, first.json(), "true")
    assert product.post("/collections", json={"name": "east"}).status_code == 409


def test_a_photo_is_added_once(product: AppClient):
    """An upload is known by its fields, file names and files, also below /v1."""
    first = upload(product, "k1")
    options = {"files": {"file": ("front.jpg", PHOTO)}, "data": {"place_id": "gate"}}
    second = product.post("/v1/index/images", headers={"Idempotency-Key": "k1"}, **options)

    assert (first.json()["added"], second.json()) == (1, first.json())
    assert upload(product, "k2").json()["duplicates"] == 1


@pytest.mark.parametrize("changed", [{"place_id": "tower"}, {"photo": encode(draw_place(2))}])
def test_a_key_is_not_used_for_another_request(product: AppClient, changed: dict):
    """Whatever differs, it is refused, and nothing is done."""
    upload(product, "k1")

    refused = upload(product, "k1", **changed)

    assert (refused.status_code, error_of(refused)["code"]) == (422, "invalid_request")
    assert "use a new key" in error_of(refused)["message"]
    assert product.get("/index/images").json()["total"] == 1
    assert create(product, "east", "k1").status_code == 422


def test_a_write_that_failed_can_be_sent_again(product: AppClient):
    """Only success is repeated."""
    assert create(product, "", "k1").status_code == 422
    assert create(product, "east", "k1").status_code == 201


def test_a_collection_is_restored_once(filled: AppClient):
    """The second time, the deletion is no longer in the trash."""
    trash_id = filled.request("DELETE", "/collections/default").headers["x-trash-id"]

    first, second = (filled.post(f"/trash/{trash_id}/restore", headers={"Idempotency-Key": "k1"}) for _ in range(2))

    assert (first.status_code, second.status_code, second.json()) == (200, 200, first.json())
    assert filled.post(f"/trash/{trash_id}/restore").status_code == 404


@pytest.mark.parametrize("key", ["", "k" * 256, "two words"])
def test_what_is_no_key_is_refused(product: AppClient, key: str):
    """Before anything is done."""
    refused = create(product, "east", key)

    assert (refused.status_code, error_of(refused)["field"]) == (422, "Idempotency-Key")


def test_replies_survive_a_restart(tmp_path: Path):
    """They are in the database beside the gallery."""
    answers = []
    for _ in range(2):
        service = create_retrieval(RetrievalSettings(data_dir=tmp_path), encoder=ThumbnailEncoder())
        with AppClient(service) as client:
            answers.append(create(client, "east", "k1"))

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].headers["idempotent-replayed"] == "true"
