"""A gallery without some of its places."""

import numpy as np

from core.results import Candidate, GalleryImage, Place
from core.retrieval.exclusion import ExcludingGallery, Exclusion


class Row:
    """A gallery of images in a row, the first most similar; every place has two."""

    def __init__(self, images: int):
        self.asked: list[int] = []
        self.images = [
            GalleryImage(str(i), "default", Place(f"p{i // 2}", ""), "", "", "image/jpeg", 1, 1, 1, "", "")
            for i in range(images)
        ]

    def search(self, embedding, collection, top_k):
        self.asked.append(top_k)
        return [Candidate(image, 1 - rank / 100, rank) for rank, image in enumerate(self.images[:top_k], 1)]

    def local_features(self, image_ids):
        return [None] * len(image_ids)


def ids(gallery, exclusion, top_k):
    found = ExcludingGallery(gallery, exclusion).search(np.zeros(1, np.float32), "default", top_k)
    return [candidate.image.image_id for candidate in found]


def test_all_images_of_a_place_are_passed_over():
    """The nearest others move up; nothing of the place is left."""
    assert ids(Row(8), Exclusion(place_id="p0"), 3) == ["2", "3", "4"]


def test_one_image_is_passed_over():
    """Another image of the same place is found instead."""
    assert ids(Row(8), Exclusion(image_id="0"), 2) == ["1", "2"]


def test_as_many_as_asked_for_are_found_however_large_the_place():
    """A place of hundreds of images at the top costs deeper searches, not candidates."""
    gallery = Row(600)
    crowd = Place("crowd", "")
    gallery.images = [
        GalleryImage(i.image_id, "default", crowd if n < 500 else i.place, "", "", "", 1, 1, 1, "", "")
        for n, i in enumerate(gallery.images)
    ]

    assert ids(gallery, Exclusion(place_id="crowd"), 5) == ["500", "501", "502", "503", "504"]
    assert len(gallery.asked) < 12


def test_nothing_is_left_of_a_collection_of_one_place():
    """There is no error, and no candidate."""
    assert ids(Row(2), Exclusion(place_id="p0"), 5) == []
