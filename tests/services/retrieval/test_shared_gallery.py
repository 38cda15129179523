"""The two services on a gallery that several machines share: rows in PostgreSQL, photos in a bucket."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient, error_of
from servers.bucket import CREDENTIALS
from servers.postgres import PostgresServer

from core.results import Correspondences, Verdict
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings


class PixelVerifier(ScriptedVerifier):
    """Looks at the pixels of every photo."""

    def verify(self, query, candidates, *, prompt_style=None, explain=False):
        for photo in (query, *candidates):
            photo.load()
        points = np.array([[0.25, 0.5]], dtype=np.float32)
        return [Verdict(True, 0.9, "same", Correspondences(points, points, 90)) for _ in candidates]


@pytest.fixture
def shared(postgres, bucket_server, monkeypatch) -> dict[str, Any]:
    """Settings of where everything is."""
    bucket_server.empty()
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return {
        "database_url": postgres.create_database(),
        "photo_store": "s3://photos/gallery",
        "s3_endpoint": bucket_server.endpoint,
    }


def retrieval_on(folder: Path, shared: dict[str, Any]) -> AppClient:
    """A retrieval service with a folder of its own."""
    settings = RetrievalSettings(data_dir=folder, **shared)
    return AppClient(create_retrieval(settings, encoder=ThumbnailEncoder(local_features=True)))


def add(retrieval: AppClient, seed: int) -> str:
    """Add a drawn place and return its image's id."""
    answer = retrieval.post("/index/images", files={"file": (f"{seed}.jpg", encode(draw_place(seed)))})
    return answer.json()["results"][0]["image"]["id"]


def test_machines_without_a_common_folder_answer_together(tmp_path, shared):
    """A photo added through one retrieval service is found, shown and verified by others; a deleted one by none."""
    verifier_settings = VerifierSettings(data_dir=tmp_path / "verifier", **shared)
    with (
        retrieval_on(tmp_path / "one", shared) as one,
        retrieval_on(tmp_path / "other", shared) as other,
        AppClient(create_verifier(verifier_settings, verifier=PixelVerifier())) as verifier,
    ):
        image_id, photo = add(one, 1), encode(draw_place(1))

        (found,) = other.post("/search", content=photo).json()["candidates"]
        assert found["image"]["id"] == image_id
        assert other.get(f"/index/images/{image_id}/file").content == photo
        assert other.get(f"/index/images/{image_id}/preview").status_code == 200
        request = {"candidates": [{"image_id": image_id, "place_id": "p", "similarity": 1.0}]}
        reply = verifier.post("/verify", files={"file": photo}, data={"request": json.dumps(request)}).json()
        assert reply["ranking"][0]["verdict"]["confidence"] == 0.9

        assert other.request("DELETE", f"/index/images/{image_id}").status_code == 204
        assert one.get(f"/index/images/{image_id}/file").status_code == 404
        assert error_of(one.post("/search", content=photo))["code"] == "empty_gallery"


def test_without_the_bucket_photos_are_unavailable_and_searches_go_on(tmp_path, shared, bucket_server):
    """While the bucket is away, photos are answered 503 with the cause, and searches as before."""
    with retrieval_on(tmp_path / "one", shared) as retrieval:
        image_id = add(retrieval, 1)
        bucket_server.kill()

        file = retrieval.get(f"/index/images/{image_id}/file")
        assert (file.status_code, error_of(file)["code"]) == (503, "gallery_unavailable")
        assert "store does not answer" in error_of(file)["message"]
        added = retrieval.post("/index/images", files={"file": ("2.jpg", encode(draw_place(2)))})
        assert added.status_code == 503
        assert len(retrieval.post("/search", content=encode(draw_place(1))).json()["candidates"]) == 1


def test_a_service_started_before_its_database_waits_for_it(tmp_path):
    """Without the database the process lives, says why it is not ready, without the password, and tries again."""
    with PostgresServer() as server:
        shared = {"database_url": server.url("postgres", password="told-to-nobody")}
        server.stop()
        with retrieval_on(tmp_path / "one", shared) as retrieval:
            ready = retrieval.get("/health/ready")
            assert ready.status_code == 503
            assert "server does not answer" in ready.json()["reason"]
            assert "told-to-nobody" not in ready.text

            server.start()
            retrieval.call(retrieval.app.state.loading.loaded)

            assert retrieval.get("/health/ready").status_code == 200
            assert add(retrieval, 1)

            server.stop()
            ready = retrieval.get("/health/ready")
            assert (ready.status_code, ready.json()["reason"]) == (503, "the gallery does not answer")
            assert "server does not answer" in ready.json()["details"]["gallery"]


def test_a_password_is_in_no_settings_that_are_shown():
    """Settings that are printed hide the database's password."""
    settings = RetrievalSettings(database_url="postgresql://user:told-to-nobody@host/db")

    assert "told-to-nobody" not in f"{settings!r} {settings} {settings.storage!r}"


def test_settings_show_no_secret():
    """What a log or a traceback shows of the settings holds neither passwords nor keys."""
    retrieval = RetrievalSettings(
        database_url="postgresql://user:told-to-nobody@host/matcher",
        vector_index_options={"token": "root:told-to-nobody"},
    )
    verifier = VerifierSettings(
        verifier_options={"api_key": "told-to-nobody", "url": "http://user:told-to-nobody@host/v1"}
    )

    assert "told-to-nobody" not in repr(retrieval)
    assert "told-to-nobody" not in repr(verifier)
