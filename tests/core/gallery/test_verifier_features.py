"""Features of a second extractor: made once, kept with the photo, gone with it."""

from dataclasses import replace

import pytest

from core.gallery import Gallery

EXTRACTOR = "second-1"


@pytest.fixture
def features(new_image):
    """Features of an extractor of the verifier's."""
    return replace(new_image(7).local_features, extractor=EXTRACTOR)


def hashes_without(gallery: Gallery) -> list[str]:
    return [image.content_hash for _, image in gallery.without_verifier_features(EXTRACTOR)]


def test_what_was_stored_is_read_also_by_another_process(gallery, new_image, features, storage):
    """Stored features come with the photo that a verifier gets; another extractor has none."""
    image = gallery.add([new_image(1)])[0].image
    gallery.store_verifier_features(image.content_hash, features)

    with Gallery.open(gallery.folder, None, read_only=True, storage=storage) as reader:
        (photo,) = reader.photos([reader.get(image.image_id)])
        stored, unknown = photo.stored_features(EXTRACTOR), photo.stored_features("other-1")

    assert stored is not None
    assert stored.extractor == EXTRACTOR
    assert stored.views[0].size == features.views[0].size
    assert unknown is None


def test_photos_without_them_are_listed_newest_first(gallery, new_image, features):
    """What has its features is not listed; a list goes on where an earlier one ended."""
    first, second, third = (added.image for added in gallery.add([new_image(seed) for seed in (1, 2, 3)]))
    ((newest, _),) = gallery.without_verifier_features(EXTRACTOR, limit=1)

    assert hashes_without(gallery) == [image.content_hash for image in (third, second, first)]
    assert [image for _, image in gallery.without_verifier_features(EXTRACTOR, before_seq=newest)] == [second, first]
    gallery.store_verifier_features(second.content_hash, features)
    assert hashes_without(gallery) == [third.content_hash, first.content_hash]
    assert gallery.count_verifier_features(EXTRACTOR) == (3, 1)


def test_one_photo_in_two_collections_is_one_photo(gallery, new_image, features):
    """Its features are made once."""
    image = gallery.add([new_image(1), new_image(1, collection="elsewhere")])[0].image
    gallery.store_verifier_features(image.content_hash, features)

    assert hashes_without(gallery) == []
    assert gallery.count_verifier_features(EXTRACTOR) == (1, 1)


def test_storing_twice_or_for_a_deleted_photo_changes_nothing(gallery, new_image, features):
    """Two replicas may have made them, and a photo may be deleted meanwhile."""
    kept, deleted = (added.image for added in gallery.add([new_image(1), new_image(2)]))
    gallery.delete(deleted.image_id)

    for image in (kept, kept, deleted):
        gallery.store_verifier_features(image.content_hash, features)

    stored, gone = gallery.verifier_features([kept.content_hash, deleted.content_hash], EXTRACTOR)
    assert stored is not None
    assert gone is None


def test_they_stay_in_the_trash_and_end_with_the_photo(gallery, new_image, features, storage):
    """A restored photo has its features; one deleted for good has none, also for a photo with the same bytes later."""
    image = gallery.add([new_image(1)])[0].image
    gallery.store_verifier_features(image.content_hash, features)

    gallery.trash.restore(gallery.trash.put_image(image.image_id).deletion_id)
    assert hashes_without(gallery) == []

    gallery.delete(image.image_id)
    gallery.add([new_image(1)])
    assert hashes_without(gallery) == [image.content_hash]
