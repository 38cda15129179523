"""Uploads to a gallery that keeps originals without their metadata."""

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient

from core.imaging.decoding import decode_image
from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings

PLACE = draw_place(1)


def serve(folder: Path, *, strip_metadata: bool) -> AppClient:
    """The retrieval service."""
    settings = RetrievalSettings(data_dir=folder, strip_metadata=strip_metadata)
    return AppClient(create_app(settings, encoder=ThumbnailEncoder()))


@pytest.fixture
def stripping(folder: Path) -> Iterator[AppClient]:
    """With the setting on, and an empty gallery."""
    with serve(folder, strip_metadata=True) as client:
        yield client


def add(retrieval: AppClient, data: bytes) -> dict:
    """Add one photo: its result."""
    return retrieval.post("/index/images", files={"file": ("a.jpg", data)}).json()["results"][0]


@pytest.mark.parametrize("kind", ["jpeg", "heic"])
def test_the_original_is_kept_without_its_position(stripping: AppClient, folder: Path, kind: str):
    """What is on the disk and what is given back shows the same picture upright, and says nothing else."""
    data = encode(PLACE, kind, orientation=6 if kind == "jpeg" else None, gps=True)

    image = add(stripping, data)["image"]
    original = stripping.get(image["file_url"]).content

    assert decode_image(original).image.tobytes() == decode_image(data).image.tobytes()
    assert len(original) <= len(data)
    assert original != data
    assert image["content_hash"] == hashlib.sha256(original).hexdigest()
    assert [path.read_bytes() for path in (folder / "originals").glob("*/*")] == [original]


def test_the_same_photo_is_known_again(stripping: AppClient):
    """The same file is a duplicate, and so is the same picture taken out of another program with other metadata."""
    first = add(stripping, encode(PLACE, gps=True))

    again, without, as_kept = (
        add(stripping, data)
        for data in (encode(PLACE, gps=True), encode(PLACE), stripping.get(first["image"]["file_url"]).content)
    )

    assert first["status"] == "added"
    assert [result["status"] for result in (again, without, as_kept)] == ["duplicate"] * 3
    assert {result["image"]["id"] for result in (again, without, as_kept)} == {first["image"]["id"]}


def test_what_was_kept_whole_before_is_known_as_well(folder: Path):
    """A photo stored before the setting was switched on is not stored a second time."""
    data = encode(PLACE, gps=True)
    with serve(folder, strip_metadata=False) as before:
        kept = add(before, data)["image"]
        assert before.get(kept["file_url"]).content == data

    with serve(folder, strip_metadata=True) as after:
        again = add(after, data)

    assert (again["status"], again["image"]["id"]) == ("duplicate", kept["id"])


def test_a_photo_that_cannot_be_stripped_is_refused(stripping: AppClient):
    """Where metadata cannot be told from the picture, the photo is refused with what to send instead."""
    result = add(stripping, _avif_sequence())

    assert (result["status"], result["code"]) == ("rejected", "invalid_image")
    assert "send a JPEG" in result["reason"]


def _avif_sequence() -> bytes:
    buffer = BytesIO()
    PLACE.save(buffer, "avif", save_all=True, append_images=[PLACE.rotate(90)], speed=9)
    return buffer.getvalue()
