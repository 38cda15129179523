"""The retrieval service over a vector engine of its own: readiness and metrics tell how far that is behind."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient
from servers.ports import free_port

from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings


@pytest.fixture
def retrieval(folder: Path) -> Iterator[AppClient]:
    """The service; nothing listens where its engine should be."""
    nowhere = {"uri": f"http://127.0.0.1:{free_port()}", "timeout_s": 0.2}
    settings = RetrievalSettings(data_dir=folder, vector_index="milvus", vector_index_options=nowhere)
    with AppClient(create_app(settings, encoder=ThumbnailEncoder())) as client:
        client.call(client.app.state.loading.finished)
        yield client


def test_an_engine_that_is_away_is_told(retrieval: AppClient):
    """Photos are taken while the engine is away; operators read how many wait for it, and why."""
    photos = [("file", (f"{seed}.jpg", encode(draw_place(seed)))) for seed in range(3)]
    assert retrieval.post("/index/images", files=photos).status_code == 200
    pause = Event()
    for _ in range(200):
        ready = retrieval.get("/health/ready")
        details = ready.json()["details"]
        if details["vectors_waiting"] == len(photos):
            break
        pause.wait(0.05)

    assert details["vectors_waiting"] == len(photos)
    assert "127.0.0.1" in details["vector_engine"]
    assert ready.status_code == 200
    assert ready.json()["reason"] == (
        "searches may fail, because the vector engine is unavailable or being repaired; photos can be added"
    )
    told = retrieval.get("/metrics").text
    assert 'matcher_vectors_waiting{process="retrieval"} 3.0' in told
    assert 'matcher_vector_engine_answers{process="retrieval"} 0.0' in told
