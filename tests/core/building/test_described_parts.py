"""A reference photo that shows a picture small on plain ground is described by the whole and by the picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from fakes.encoders import ThumbnailEncoder
from fakes.images import HUNG_CORNERS, WALL, encode, hang, see_again
from in_process import AppClient
from PIL import Image

from core.building.indexing import PhotoToIndex, index_photos
from core.building.reembedding import reembed
from core.building.verifier_features import VerifierFeatureMaker
from core.gallery import DEFAULT_COLLECTION, Gallery
from core.gallery.maintenance.encoder_switch import switch
from core.gallery.maintenance.reembedded_vectors import ReembeddedVectors
from core.local_features.aliked import EXTRACTOR
from core.m1_retrieval import M1GlobalRetrieval
from core.matching import match_photo
from core.results import Place
from core.verifiers.geometric import GeometricVerifier
from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings

NAMES = ("coffee", "astronaut", "chelsea", "rocket", "immunohistochemistry")
PICTURES = {name: Image.fromarray(getattr(skimage.data, name)()).convert("RGB") for name in NAMES}


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[PhotoToIndex]:
    """Five pictures, each small on a plain wall."""
    found, wall = [], tmp_path_factory.mktemp("wall")
    for name, picture in PICTURES.items():
        path = wall / f"{name}.png"
        hang(picture).save(path)
        found.append(PhotoToIndex(path, Place(name, name)))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory, embedded, photos) -> Path:
    """A gallery of them, with the second features."""
    made = tmp_path_factory.mktemp("gallery")
    with Gallery.open(made, embedded.fingerprint) as gallery:
        assert {outcome.status for outcome in index_photos(gallery, embedded, photos, DEFAULT_COLLECTION)} == {"added"}
        maker = VerifierFeatureMaker(gallery)
        for image in maker.pending():
            maker.make(image)
    return made


def share_inside(keypoints: np.ndarray) -> float:
    """Of points in fractions of the photo, those in the frame or within ten pixels of it."""
    frame = HUNG_CORNERS.astype(np.float32)
    return float(np.mean([cv2.pointPolygonTest(frame, (float(x), float(y)), True) > -10 for x, y in keypoints * WALL]))


@pytest.mark.parametrize("see", [see_again, lambda picture, seed: see_again(hang(picture), seed)], ids=["close", "far"])
def test_a_photo_is_answered_with_points_on_the_picture(folder, see):
    """It comes first by the vector alone, and what agrees is drawn where the reference photo shows it."""
    with M1GlobalRetrieval("cpu") as retrieval:
        retrieval.load_index(folder)
        verifier = GeometricVerifier()
        for seed, (name, picture) in enumerate(PICTURES.items()):
            match = match_photo(encode(see(picture, seed).image), retrieval, verifier)

            first = match.ranked[0]
            assert match.decision.matched
            assert first.image.place.place_id == name
            assert first.similarity == max(candidate.similarity for candidate in match.ranked)
            points = match.verdicts[0].correspondences.candidate_points
            assert len(points) > 30
            assert share_inside(points) > 0.98
        verifier.close()


def test_views_of_the_whole_come_first_then_those_of_the_picture(folder):
    """Of both extractors; keypoints of the picture lie in it, and are as many as of the picture alone."""
    with Gallery.open(folder, None, read_only=True) as gallery:
        images = gallery.all_images(DEFAULT_COLLECTION)
        first = gallery.local_features([image.image_id for image in images])
        second = gallery.verifier_features([image.content_hash for image in images], EXTRACTOR)

    for features in (*first, *second):
        half = len(features.views) // 2
        for whole, inside in zip(features.views[:half], features.views[half:], strict=True):
            assert WALL[0] / WALL[1] == pytest.approx(whole.size[0] / whole.size[1], rel=0.1)
            assert max(whole.size) < max(inside.size)
            assert share_inside(inside.keypoints) == 1
            assert len(inside.keypoints) > 200


def test_an_upload_and_another_encoder_describe_it_likewise(folder, tmp_path, embedded, photos):
    """The service's vectors and those of a gallery that takes this encoder over are those of ``index_photos``."""
    with AppClient(create_app(RetrievalSettings(data_dir=tmp_path / "service"), encoder=embedded)) as client:
        for photo in photos:
            client.post("/index/images", files=[("file", (photo.path.name, photo.path.read_bytes(), "image/png"))])
    old = ThumbnailEncoder()
    with Gallery.open(tmp_path / "switched", old.fingerprint) as gallery:
        list(index_photos(gallery, old, photos, DEFAULT_COLLECTION))
    with ReembeddedVectors(tmp_path / "switched", embedded.fingerprint) as reembedded:
        list(reembed(reembedded, embedded))
        switch(reembedded)

    expected, expected_points = described(folder)
    for other in ("service", "switched"):
        vectors, points = described(tmp_path / other)
        assert {name: vectors[name] @ vector for name, vector in expected.items()} == dict.fromkeys(
            NAMES, pytest.approx(1, abs=1e-4)
        )
        assert all(np.array_equal(points[name], expected_points[name]) for name in NAMES)


def test_its_vector_is_like_those_of_both(folder, embedded):
    """Those two are not alike: their cosine is below 0.1."""
    alone = embedded.encode(list(PICTURES.values())).embeddings
    whole = embedded.encode([hang(picture) for picture in PICTURES.values()]).embeddings

    vectors, _ = described(folder)

    assert np.sum(alone * whole, axis=1).max() < 0.1
    assert min(vectors[name] @ vector for name, vector in zip(NAMES, alone, strict=True)) > 0.25
    assert min(vectors[name] @ vector for name, vector in zip(NAMES, whole, strict=True)) > 0.7


def described(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The vectors and the first keypoints of a gallery, by the names of the pictures."""
    with Gallery.open(folder, None, read_only=True) as gallery:
        images = {image.image_id: Path(image.filename).stem for image in gallery.all_images(DEFAULT_COLLECTION)}
        image_ids, vectors = gallery.embeddings()
        features = gallery.local_features(image_ids)
        names = [images[image_id] for image_id in image_ids]
        points = [found.views[0].keypoints for found in features]
        return dict(zip(names, vectors, strict=True)), dict(zip(names, points, strict=True))
