"""A model that computes NaN, as damaged weights do: who is told, and what is stored."""

from pathlib import Path

from fakes.encoders import NumberlessEncoder
from fakes.images import draw_place, encode
from in_process import AppClient, error_of
from PIL import Image

from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings


def test_a_model_that_computes_no_numbers_is_not_ready(tmp_path: Path):
    """The photo that it is tried with shows it; the reason says what to choose."""
    encoder = NumberlessEncoder()
    encoder.overflows = True
    with AppClient(create_app(RetrievalSettings(data_dir=tmp_path), encoder=encoder)) as client:
        ready = client.get("/health/ready")

    assert ready.status_code == 503
    assert "choose the dtype float32" in ready.json()["reason"]


def test_a_photo_that_a_model_overflows_on_is_not_blamed_on_its_sender(tmp_path: Path):
    """Asked about, it is answered 503 and not 4xx; added, it alone is rejected, and the others are stored."""
    black, photo = encode(Image.new("RGB", (320, 240))), encode(draw_place(1))
    with AppClient(create_app(RetrievalSettings(data_dir=tmp_path), encoder=NumberlessEncoder())) as client:
        files = [("file", ("black.jpg", black)), ("file", ("photo.jpg", photo))]
        added = client.post("/index/images", files=files).json()
        asked = client.post("/search", content=black)
        found = client.post("/search", content=photo)

    assert [each["status"] for each in added["results"]] == ["rejected", "added"]
    assert "no numbers" in added["results"][0]["reason"]
    assert (asked.status_code, error_of(asked)["code"]) == (503, "backend_unavailable")
    assert found.status_code == 200
