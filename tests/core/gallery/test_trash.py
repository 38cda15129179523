"""The trash: what is deleted is gone for readers at once, and comes back whole."""

import time
from pathlib import Path

import pytest
from databases import on_both_databases

from core.errors import (
    ChangedMeanwhile,
    CollectionExists,
    EmptyGallery,
    InvalidRequest,
    UnknownCollection,
    UnknownDeletion,
    UnknownImage,
    UnknownPlace,
)
from core.gallery import Gallery, ImageChange
from core.gallery.orphans import count_leftovers, sweep
from core.gallery.tags import image_tag, place_tag
from core.results import Place

pytestmark = on_both_databases

GATE = Place("gate", "Gate", "red", {"room": 3}, 1.0, 2.0)


def found(gallery: Gallery, new, collection: str = "default") -> list[str]:
    """The ids that a search for an image's own photo finds, best first."""
    return [candidate.image.image_id for candidate in gallery.search(new.embedding, collection, top_k=50)]


def stored_files(folder: Path) -> list[str]:
    """Names of all originals and previews."""
    return sorted(path.name for kind in ("originals", "previews") for path in (folder / kind).rglob("*.*"))


class TestDeleting:
    def test_a_deleted_image_is_gone_for_every_reader(self, gallery, new_image, fingerprint, folder, storage):
        """Searches, lists, counts and direct questions know nothing of it, in another process either."""
        kept, gone = (added.image for added in gallery.add([new_image(1), new_image(2)]))

        gallery.trash.put_image(gone.image_id)

        with Gallery.open(folder, fingerprint, read_only=True, storage=storage) as reader:
            for store in (gallery, reader):
                assert found(store, new_image(2)) == [kept.image_id]
                assert [image.image_id for image in store.list_images().images] == [kept.image_id]
                assert store.list_images().total == store.count() == store.places().total == 1
                assert [(one.name, one.images) for one in store.collections()] == [("default", 1)]
                assert store.find_by_content("default", gone.content_hash) is None
                for ask in (store.get, store.original_path, store.preview_path):
                    with pytest.raises(UnknownImage):
                        ask(gone.image_id)

    def test_a_reader_that_had_loaded_everything_notices(self, gallery, new_image, fingerprint, folder, storage):
        """A process that searched before another one deletes and takes back answers as that one does."""
        images = [added.image for added in gallery.add([new_image(seed) for seed in range(1, 4)])]
        with Gallery.open(folder, fingerprint, read_only=True, storage=storage) as reader:
            assert len(found(reader, new_image(1))) == 3
            deletion = gallery.trash.put_image(images[0].image_id)
            assert images[0].image_id not in found(reader, new_image(1))
            gallery.trash.restore(deletion.deletion_id)
            assert found(reader, new_image(1))[0] == images[0].image_id

    def test_no_name_of_a_caller_reaches_into_the_trash(self, gallery, new_image):
        """Not even the name of the collection that deleted images are kept in."""
        image = gallery.add([new_image(1), new_image(2)])[0].image
        hidden = f"\x7f{gallery.trash.put_image(image.image_id).deletion_id}"

        for ask in (gallery.check_collection, gallery.check_collection_exists, gallery.delete_collection):
            with pytest.raises(UnknownCollection):
                ask(hidden)
        with pytest.raises(UnknownCollection):
            gallery.search(new_image(1).embedding, hidden)
        with pytest.raises(InvalidRequest):
            gallery.add([new_image(3, collection=hidden)])
        with pytest.raises(InvalidRequest):
            gallery.rename_collection("default", hidden)

    def test_a_place_goes_with_all_its_images(self, gallery, new_image):
        """And no other; the trash says what it was."""
        gallery.add([new_image(seed, place=GATE) for seed in (1, 2)])
        other = gallery.add([new_image(3)])[0].image

        deletion = gallery.trash.put_place("default", "gate")

        assert (deletion.kind, deletion.name, deletion.place_id, deletion.images) == ("place", "Gate", "gate", 2)
        assert gallery.trash.page().deletions == (deletion,)
        assert [image.image_id for image in gallery.list_images().images] == [other.image_id]
        with pytest.raises(UnknownPlace, match="gate"):
            gallery.trash.put_place("default", "gate")

    def test_a_collection_goes_at_once_whatever_it_holds(self, gallery, new_image):
        """It is unknown afterwards, and its name is free."""
        gallery.add([new_image(seed, collection="park") for seed in range(5)])
        gallery.add([new_image(9)])

        deletion = gallery.trash.put_collection("park")

        assert (deletion.kind, deletion.name, deletion.images) == ("collection", "park", 5)
        assert [collection.name for collection in gallery.collections()] == ["default"]
        with pytest.raises(UnknownCollection):
            gallery.search(new_image(1).embedding, "park")
        assert gallery.add([new_image(20, collection="park")])[0].status == "added"
        assert gallery.count("park") == 1

    def test_where_all_is_deleted_the_gallery_is_empty(self, gallery, new_image):
        """A search says that there is nothing yet, as in a new gallery."""
        gallery.add([new_image(1)])
        gallery.trash.put_collection("default")

        with pytest.raises(EmptyGallery):
            gallery.search(new_image(1).embedding)


class TestTakingBack:
    @pytest.mark.parametrize("kind", ["image", "place", "collection"])
    def test_everything_is_as_it_was(self, gallery, new_image, kind):
        """Ids, places, texts, times, photos, features and the calibration come back; the trash is empty then."""
        news = [new_image(seed, place=GATE) for seed in (1, 2)]
        before = {added.image.image_id: added.image for added in gallery.add(news)}
        gallery.store_calibration("default", "2026-01-01", "measured")
        image_id = next(iter(before))
        deletions = {
            "image": lambda: [gallery.trash.put_image(shown) for shown in before],
            "place": lambda: [gallery.trash.put_place("default", "gate")],
            "collection": lambda: [gallery.trash.put_collection("default")],
        }[kind]()
        assert gallery.count() == 0
        assert gallery.calibration() is None

        assert sum(gallery.trash.restore(deletion.deletion_id) for deletion in reversed(deletions)) == 2

        assert {image.image_id: image for image in gallery.list_images().images} == before
        assert found(gallery, news[0])[0] == image_id
        assert gallery.original_path(image_id).read_bytes() == news[0].data
        assert gallery.preview_path(image_id).read_bytes() == news[0].preview
        assert gallery.local_features([image_id])[0] is not None
        assert gallery.calibration() == "measured"
        assert gallery.trash.page().total == 0
        with pytest.raises(UnknownDeletion):
            gallery.trash.restore(deletions[0].deletion_id)

    def test_a_collection_comes_back_into_one_of_the_same_name(self, gallery, new_image):
        """What was put there meanwhile stays, a place keeps its new texts, and what is missing comes back."""
        gallery.add([new_image(seed, collection="park", place=GATE) for seed in (1, 2)])
        deletion = gallery.trash.put_collection("park")
        gallery.add([new_image(7, collection="park", place=Place("gate", "North gate"))])

        assert gallery.trash.restore(deletion.deletion_id) == 2

        assert gallery.count("park") == 3
        (place,) = gallery.places("park").places
        assert (place.place.name, place.place.description, place.images) == ("North gate", "red", 3)
        assert len(found(gallery, new_image(1), "park")) == 3

    def test_a_single_photo_follows_its_collection_to_a_new_name(self, gallery, new_image):
        """What was deleted from a collection goes back to it, whatever it is called by then."""
        images = gallery.add([new_image(seed, collection="old") for seed in (1, 2)])
        deletion = gallery.trash.put_image(images[0].image.image_id)
        gallery.rename_collection("old", "new")

        gallery.trash.restore(deletion.deletion_id)

        assert gallery.count("new") == 2
        assert [collection.name for collection in gallery.collections()] == ["new"]

    def test_a_deleted_collection_keeps_its_name(self, gallery, new_image):
        """A new one of the same name may be renamed without taking the deleted one along."""
        gallery.add([new_image(1, collection="park")])
        deletion = gallery.trash.put_collection("park")
        gallery.add([new_image(2, collection="park")])
        gallery.rename_collection("park", "garden")

        gallery.trash.restore(deletion.deletion_id)

        assert {collection.name: collection.images for collection in gallery.collections()} == {"garden": 1, "park": 1}


class TestAddingAgain:
    @pytest.mark.parametrize("kind", ["image", "place", "collection"])
    def test_the_same_photo_is_taken_out_of_the_trash(self, gallery, new_image, kind, folder):
        """It is added, under its former id, and neither undoing nor emptying the trash changes that.

        Only a deleted collection is listed without a photo: it has more to give back.
        """
        image = gallery.add([new_image(1, place=GATE)])[0].image
        deletion = {
            "image": lambda: gallery.trash.put_image(image.image_id),
            "place": lambda: gallery.trash.put_place("default", "gate"),
            "collection": lambda: gallery.trash.put_collection("default"),
        }[kind]()

        (again,) = gallery.add([new_image(1, place=Place("gate", "North gate"))])

        assert again.status == "added"
        assert again.image.image_id == image.image_id
        assert again.image.place == Place("gate", "North gate", "red", {"room": 3}, 1.0, 2.0)
        assert gallery.trash.page().total == (kind == "collection")
        assert gallery.trash.restore(deletion.deletion_id) == 0
        assert gallery.trash.page().total == 0
        gallery.trash.empty()
        assert found(gallery, new_image(1)) == [image.image_id]
        assert gallery.original_path(image.image_id).read_bytes() == new_image(1).data
        assert len(stored_files(folder)) == 2

    def test_it_shows_what_the_upload_says(self, gallery, new_image):
        """A photo deleted because it lay at the wrong place goes to the right one, with nothing of the wrong one."""
        image = gallery.add([new_image(1, place=GATE)])[0].image
        gallery.trash.put_image(image.image_id)

        (again,) = gallery.add([new_image(1, place=Place("tower", "Tower"))])

        assert again.image.place == Place("tower", "Tower")
        assert [place.place.place_id for place in gallery.places().places] == ["tower"]
        assert gallery.trash.page().total == 0

    def test_a_deletion_stays_while_it_has_another_photo(self, gallery, new_image):
        """Which comes back when the deletion is undone."""
        gallery.add([new_image(seed, place=GATE) for seed in (1, 2)])
        deletion = gallery.trash.put_place("default", "gate")

        gallery.add([new_image(1, place=Place("tower", "Tower"))])

        assert [left.images for left in gallery.trash.page().deletions] == [1]
        assert gallery.trash.restore(deletion.deletion_id) == 1
        assert {place.place.place_id: place.images for place in gallery.places().places} == {"gate": 1, "tower": 1}

    def test_a_collection_that_ended_with_it_is_as_it_was(self, gallery, new_image):
        """It has its branding and its calibration again."""
        image = gallery.add([new_image(1)])[0].image
        gallery.store_calibration("default", "2026-01-01", "measured")
        branding = gallery.change_branding("default", {"title": "Museum"})
        gallery.trash.put_image(image.image_id)

        gallery.add([new_image(1)])

        assert (gallery.calibration(), gallery.branding()) == ("measured", branding)
        assert gallery.trash.page().total == 0

    def test_deleted_twice_and_taken_back_twice(self, gallery, new_image):
        """Whatever the order of deletions, uploads and undoing, the photo is there once or not at all."""
        image = gallery.add([new_image(1, place=GATE), new_image(2)])[0].image
        first = gallery.trash.put_image(image.image_id)
        gallery.add([new_image(1, place=GATE)])
        second = gallery.trash.put_image(image.image_id)
        assert gallery.trash.restore(first.deletion_id) == 0
        assert gallery.count() == 1

        assert gallery.trash.restore(second.deletion_id) == 1

        assert gallery.count() == 2
        assert found(gallery, new_image(1))[0] == image.image_id

    def test_another_collection_is_not_concerned(self, gallery, new_image):
        """The same photo in another collection leaves the trash alone."""
        image = gallery.add([new_image(1), new_image(2)])[0].image
        deletion = gallery.trash.put_image(image.image_id)

        assert gallery.add([new_image(1, collection="other")])[0].image.image_id != image.image_id

        assert gallery.trash.restore(deletion.deletion_id) == 1
        assert gallery.count() == 3


class TestEmptying:
    def test_photos_of_the_trash_are_kept_until_it_is_emptied(self, gallery, new_image, folder):
        """A sweep spares them, and emptying removes exactly those that nobody else has."""
        images = gallery.add([new_image(1), new_image(2), new_image(2, collection="other")])
        gallery.trash.put_collection("default")
        assert count_leftovers(gallery._database, gallery._files).count == 0
        assert sweep(gallery._database, gallery._files) == 0
        assert len(stored_files(folder)) == 4

        gallery.trash.empty()

        assert {name.partition(".")[0] for name in stored_files(folder)} == {images[2].image.content_hash}
        assert gallery.trash.page().total == 0
        with gallery._database.reading() as connection:
            assert connection.execute("SELECT count(*) FROM images").fetchone()[0] == 1
            assert connection.execute("SELECT count(*) FROM embeddings").fetchone()[0] == 1

    def test_what_is_old_enough_is_told(self, gallery, new_image):
        """What was deleted after the moment that is given stays and can be taken back."""
        first, second, _ = gallery.add([new_image(seed) for seed in (1, 2, 3)])
        old = gallery.trash.put_image(first.image.image_id)
        new = gallery.trash.put_image(second.image.image_id)

        assert gallery.trash.expired(old.deleted_at) == [old.deletion_id]
        gallery.trash.empty(deletion_id=old.deletion_id)

        assert gallery.trash.page().deletions == (new,)
        assert gallery.trash.expired(old.deleted_at) == []
        assert gallery.trash.restore(new.deletion_id) == 1

    def test_one_entry_or_one_collection_can_be_emptied(self, gallery, new_image):
        """The others stay."""
        images = gallery.add([new_image(seed, collection=name) for seed, name in ((1, "a"), (2, "a"), (3, "b"))])
        deletions = [gallery.trash.put_image(added.image.image_id) for added in images]

        assert gallery.trash.empty(deletion_id=deletions[0].deletion_id) == [deletions[0].deletion_id]
        assert gallery.trash.empty(collection="b") == [deletions[2].deletion_id]

        assert gallery.trash.page().deletions == (deletions[1],)
        assert gallery.trash.page(["b"]).total == 0
        with pytest.raises(UnknownDeletion):
            gallery.trash.empty(deletion_id=deletions[0].deletion_id)

    @pytest.mark.parametrize("kind", ["place", "collection"])
    def test_deleting_for_good_empties_what_was_deleted_of_it_before(self, gallery, new_image, folder, kind):
        """Whoever asks for their photos to be gone need not know of the trash."""
        images = gallery.add([new_image(seed, place=GATE) for seed in (1, 2)])
        gallery.trash.put_image(images[0].image.image_id)

        count = gallery.delete_place("default", "gate") if kind == "place" else gallery.delete_collection("default")

        assert count == 1
        assert gallery.trash.page().total == 0
        assert stored_files(folder) == []

    def test_some_collections_are_listed(self, gallery, new_image):
        """Page by page, with their total; no collections have no entries."""
        images = gallery.add([new_image(seed, collection=name) for seed, name in enumerate("abcab", start=1)])
        deletions = [gallery.trash.put_image(added.image.image_id) for added in images]

        first = gallery.trash.page(["c", "b"], limit=2)
        second = gallery.trash.page(["c", "b"], cursor=first.next_cursor, limit=2)

        assert (first.total, first.deletions) == (3, (deletions[4], deletions[2]))
        assert (second.deletions, second.next_cursor) == ((deletions[1],), None)
        assert gallery.trash.page([]).total == 0

    def test_the_trash_is_listed_page_by_page(self, gallery, new_image):
        """Newest first, every entry once."""
        images = gallery.add([new_image(seed) for seed in range(1, 6)])
        deletions = [gallery.trash.put_image(added.image.image_id) for added in images]
        listed, cursor = [], None
        while True:
            page = gallery.trash.page(cursor=cursor, limit=2)
            assert page.total == 5
            listed += page.deletions
            cursor = page.next_cursor
            if cursor is None:
                break

        assert listed == deletions[::-1]
        assert all(abs(deletion.deleted_at - time.time()) < 60 for deletion in listed)


class TestCreatedCollections:
    def test_a_created_collection_exists_without_images(self, gallery, new_image):
        """It is listed, says what it lacks when it is searched, and lives through the deletion of its last photo."""
        assert gallery.create_collection("新馆").images == 0
        gallery.add([new_image(1)])

        assert {collection.name: collection.images for collection in gallery.collections()} == {"default": 1, "新馆": 0}
        with pytest.raises(EmptyGallery, match="新馆"):
            gallery.search(new_image(1).embedding, "新馆")
        image = gallery.add([new_image(2, collection="新馆")])[0].image
        gallery.delete(image.image_id)
        assert "新馆" in {collection.name for collection in gallery.collections()}

    def test_a_name_in_use_is_refused(self, gallery, new_image):
        """Whether it was created or came with its first photo; also as the new name of another one."""
        gallery.create_collection("empty")
        gallery.add([new_image(1, collection="full")])

        for name in ("empty", "full"):
            with pytest.raises(CollectionExists, match=name):
                gallery.create_collection(name)
        with pytest.raises(InvalidRequest, match="exists already"):
            gallery.rename_collection("full", "empty")

    def test_it_is_renamed_deleted_and_taken_back(self, gallery):
        """As any other."""
        gallery.create_collection("empty")
        gallery.rename_collection("empty", "still empty")
        deletion = gallery.trash.put_collection("still empty")
        assert gallery.collections() == []

        assert gallery.trash.restore(deletion.deletion_id) == 0

        assert [collection.name for collection in gallery.collections()] == ["still empty"]
        gallery.delete_collection("still empty")
        assert gallery.collections() == []


class TestEditing:
    def test_an_edit_of_what_somebody_else_changed_is_refused(self, gallery, new_image):
        """Two people who edit the same place do not overwrite each other in silence."""
        gallery.add([new_image(1, place=GATE)])
        read = place_tag(gallery.place("default", "gate").place)
        gallery.change_place("default", "gate", ImageChange(place_name="North gate"), expected={read})

        with pytest.raises(ChangedMeanwhile):
            gallery.change_place("default", "gate", ImageChange(description="tall"), expected={read})

        now = gallery.place("default", "gate").place
        assert (now.name, now.description) == ("North gate", "red")
        gallery.change_place("default", "gate", ImageChange(description="tall"), expected={read, place_tag(now)})
        assert gallery.place("default", "gate").place.description == "tall"

    def test_the_same_holds_for_an_image(self, gallery, new_image):
        """Its tag changes with the place that it shows."""
        image = gallery.add([new_image(1, place=GATE)])[0].image
        gallery.change_place("default", "gate", ImageChange(place_name="North gate"))

        with pytest.raises(ChangedMeanwhile):
            gallery.update(image.image_id, ImageChange(description="tall"), expected={image_tag(image)})

        changed = gallery.get(image.image_id)
        assert gallery.update(image.image_id, ImageChange(description="tall"), expected={image_tag(changed)})

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            (ImageChange(latitude=None), "longitude without latitude"),
            (ImageChange(longitude=None), "latitude without longitude"),
        ],
    )
    def test_half_a_position_is_refused(self, gallery, new_image, change, named):
        """A position is whole or none, whichever way it would become half."""
        image = gallery.add([new_image(1, place=GATE)])[0].image

        with pytest.raises(InvalidRequest, match=named):
            gallery.update(image.image_id, change)
        with pytest.raises(InvalidRequest, match=named):
            gallery.change_place("default", "gate", change)
        with pytest.raises(InvalidRequest, match="latitude without longitude"):
            gallery.add([new_image(2, place=Place("p", "p", latitude=1.0))])

        assert gallery.place("default", "gate").place == GATE
        gallery.update(image.image_id, ImageChange(latitude=None, longitude=None))
        assert gallery.place("default", "gate").place.latitude is None
