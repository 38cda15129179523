"""Visitors' photos end where the operator's permission ends, on the disk and in backups."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient

from core.gallery.maintenance.backup import back_up
from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings


@contextmanager
def service(folder: Path, inbox_days: float) -> Iterator[AppClient]:
    """The retrieval service, which keeps photos so long."""
    settings = RetrievalSettings(data_dir=folder, inbox_days=inbox_days)
    with AppClient(create_app(settings, encoder=ThumbnailEncoder(local_features=True))) as client:
        yield client


@pytest.fixture
def kept(tmp_path: Path) -> bytes:
    """A photo that was sent to the inbox of the gallery in ``tmp_path / "gallery"``, as it is kept there."""
    match = {
        "request_id": "r1", "at": time.time(), "collection": "park", "matched": False, "place_id": None,
        "place_name": None, "confidence": 0.1, "score": 0.1, "verification": "done", "encoder": "e", "verifier": "v",
    }  # fmt: skip
    with service(tmp_path / "gallery", inbox_days=14) as client:
        client.post("/index/images", files={"file": ("a.jpg", encode(draw_place(2)))}, data={"collection": "park"})
        client.post("/matches", json={"matches": [match]})
        assert client.post("/inbox?request_id=r1", content=encode(draw_place(1))).status_code == 201
        (entry,) = client.get("/collections/park/inbox").json()["entries"]
        return client.get(entry["photo_url"]).content


def lies_in(folder: Path, photo: bytes) -> bool:
    """Whether any part of a photo is in any file below a folder; a database may store it in several pieces."""
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    parts = [photo[start : start + 64] for start in range(1000, len(photo) - 64, 1000)]
    return any(part in data for part in parts for data in files)


def test_switching_the_inbox_off_removes_its_photos_from_the_disk(tmp_path: Path, kept: bytes):
    """The next start overwrites them, before it answers what visitors asked."""
    assert lies_in(tmp_path / "gallery", kept)

    with service(tmp_path / "gallery", inbox_days=0) as client:
        assert client.get("/collections/park/matches").json()["matches"]  # read by the thread that deletes, after it

    assert not lies_in(tmp_path / "gallery", kept)


def test_a_backup_of_the_gallery_has_no_photo_of_a_visitor(tmp_path: Path, kept: bytes):
    """So no backup keeps a photo longer than the visitor was told."""
    assert back_up(tmp_path / "gallery", tmp_path / "backup").images == 1

    assert not lies_in(tmp_path / "backup", kept)
