"""The features of the second extractor are made in the background, once, while the service answers."""

import base64
import time
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient
from PIL import ImageFilter

from core.encoders.embedded import EmbeddedEncoder
from core.gallery import Gallery
from core.local_features.aliked import EXTRACTOR, AlikedExtractor
from core.local_features.codec import unpack_all
from services.retrieval.app import create_app
from services.retrieval.background import verifier_features
from services.retrieval.settings import RetrievalSettings


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Look for photos without features at once."""
    monkeypatch.setattr(verifier_features, "_LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(verifier_features, "_AFTER_FAILURE_S", 0.1)


def serve(folder: Path, **settings) -> AppClient:
    return AppClient(
        create_app(
            RetrievalSettings(data_dir=folder, **settings),
            encoder=ThumbnailEncoder(local_features=True, name="embedded"),
        )
    )


def left(client: AppClient) -> int | None:
    return client.get("/health/ready").json()["details"].get("photos_without_verifier_features")


def wait_for(condition, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_every_photo_gets_them_once_and_keeps_them(folder: Path):
    """Those of photos added later as well; after a restart there is nothing to do."""
    with serve(folder) as client:
        for seed in (1, 2):
            client.post("/index/images", files=[("file", (f"{seed}.jpg", encode(draw_place(seed)), "image/jpeg"))])
            with Gallery.open(folder, None, read_only=True) as gallery:
                wait_for(lambda gallery=gallery: not gallery.without_verifier_features(EXTRACTOR))
        wait_for(lambda: left(client) == 0)

    with Gallery.open(folder, None, read_only=True) as gallery:
        hashes = [image.content_hash for image in gallery.all_images("default")]
        stored = gallery.verifier_features(hashes, EXTRACTOR)
    assert [len(features.views[0].keypoints) > 100 for features in stored] == [True, True]


def test_an_unclear_query_is_described_by_them_too(folder: Path):
    """Retrieval compares what its own features leave unclear, and hands what ALIKED found to the verifier."""
    unclear = encode(draw_place(7, (320, 240)).filter(ImageFilter.GaussianBlur(8)))
    with AppClient(create_app(RetrievalSettings(data_dir=folder), encoder=EmbeddedEncoder())) as client:
        client.post("/index/images", files=[("file", ("1.jpg", encode(draw_place(1)), "image/jpeg"))])
        reply = client.post("/search", content=unclear).json()

    sent = unpack_all(base64.b64decode(reply["query_features"]))
    assert [features.extractor for features in sent] == ["xfeat-1", EXTRACTOR]
    assert reply["cpu_ms"]["second_features"] > 0


def test_a_damaged_original_does_not_stop_the_others(folder: Path):
    """It is passed over, and counted as left."""
    with serve(folder, verifier_features=False) as client:
        for seed in (1, 2):
            client.post("/index/images", files=[("file", (f"{seed}.jpg", encode(draw_place(seed)), "image/jpeg"))])
        damaged = client.get("/index/images").json()["images"][1]["id"]
    with Gallery.open(folder, None, read_only=True) as gallery:
        Path(gallery.get(damaged).path).write_bytes(b"no photo")

    with serve(folder) as client:
        wait_for(lambda: left(client) == 1)


def test_an_unforeseen_failure_leaves_out_one_photo(folder: Path, monkeypatch):
    """The others get theirs, and the service answers."""
    extract, failed = AlikedExtractor.extract, []

    def fail_once(self, image, rotation=0, *, mirrored=False):
        if not failed:
            failed.append(image)
            raise MemoryError
        return extract(self, image, rotation, mirrored=mirrored)

    monkeypatch.setattr(AlikedExtractor, "extract", fail_once)
    with serve(folder, verifier_features=False) as client:
        for seed in (1, 2):
            client.post("/index/images", files=[("file", (f"{seed}.jpg", encode(draw_place(seed)), "image/jpeg"))])

    with serve(folder) as client:
        wait_for(lambda: failed and left(client) == 1)


def test_it_can_be_switched_off(folder: Path):
    """Then nothing is made, and nothing is counted."""
    with serve(folder, verifier_features=False) as client:
        assert left(client) is None
