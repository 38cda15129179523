"""Collections that get another name, and collections that go."""

import threading
from pathlib import Path

import pytest
from databases import on_both_databases

from core.errors import EmptyGallery, InvalidRequest, UnknownCollection, UnknownImage
from core.gallery import Gallery
from core.results import Place

pytestmark = on_both_databases


def found(gallery: Gallery, embedding, collection: str) -> list[str]:
    """The ids that a search finds, best first."""
    return [candidate.image.image_id for candidate in gallery.search(embedding, collection, top_k=50)]


def stored_files(folder: Path) -> list[str]:
    """Names of all originals and previews."""
    return sorted(path.name for kind in ("originals", "previews") for path in (folder / kind).rglob("*.*"))


class TestRenaming:
    def test_searches_follow_at_once(self, gallery, new_image):
        """The images are found under the new name, with ids, places and order as before; the old name is unknown."""
        news = [new_image(seed, collection="old", place=Place(f"p{seed}", f"Place {seed}")) for seed in range(5)]
        before = [result.image for result in gallery.add(news)]
        gallery.add([new_image(9, collection="other")])

        gallery.rename_collection("old", "新馆")

        assert found(gallery, news[2].embedding, "新馆")[0] == before[2].image_id
        assert len(found(gallery, news[2].embedding, "新馆")) == 5
        assert [image.image_id for image in gallery.list_images("新馆").images] == [image.image_id for image in before]
        assert gallery.places("新馆").total == 5
        assert {summary.name: summary.images for summary in gallery.collections()} == {"other": 1, "新馆": 5}
        assert len(found(gallery, news[2].embedding, "other")) == 1
        with pytest.raises(UnknownCollection):
            gallery.search(news[0].embedding, "old")

    def test_former_names_lead_to_it(self, gallery, new_image):
        """However often it is renamed, back to a former name as well; they read places, and change nothing."""
        gallery.add([new_image(1, collection="old", place=Place("gate", "Gate"))])
        for name, new_name in (("old", "newer"), ("newer", "newest")):
            gallery.rename_collection(name, new_name)

        assert [gallery.current_name(name) for name in ("old", "newer", "newest", "never")] == ["newest"] * 3 + [
            "never"
        ]
        assert [gallery.find_collection(name) for name in ("old", "newest")] == ["newest", "newest"]
        assert gallery.place("old", "gate").collection == "newest"
        assert gallery.collections()[0].former_names == ("newer", "old")
        with pytest.raises(UnknownCollection):
            gallery.delete_collection("old")
        gallery.rename_collection("newest", "old")
        assert gallery.collections()[0].former_names == ("newer", "newest")

    def test_another_collection_may_have_a_former_name(self, gallery, new_image):
        """Then it means that one, and does not lead back when that one has gone: its visitors would be led astray."""
        gallery.add([new_image(1, collection="old")])
        gallery.rename_collection("old", "new")
        gallery.add([new_image(2, collection="old")])

        shadowed = [(summary.name, summary.former_names) for summary in gallery.collections()]
        found = gallery.current_name("old")
        gallery.trash.put_collection("old")

        assert shadowed == [("new", ()), ("old", ())]
        assert found == "old"
        assert gallery.current_name("old") == "old"
        with pytest.raises(UnknownCollection):
            gallery.find_collection("old")

    def test_former_names_are_deleted_and_restored_with_it(self, gallery, new_image):
        """In the trash they lead nowhere; restored, also into a successor of the same name, they lead to it again."""
        gallery.add([new_image(1, collection="old")])
        gallery.rename_collection("old", "park")
        deletion = gallery.trash.put_collection("park")
        deleted = gallery.current_name("old")
        gallery.trash.restore(deletion.deletion_id)
        restored = gallery.current_name("old")
        deletion = gallery.trash.put_collection("park")
        gallery.add([new_image(2, collection="park")])

        gallery.trash.restore(deletion.deletion_id)

        assert (deleted, restored, gallery.current_name("old")) == ("old", "park", "park")

    def test_the_calibration_follows(self, gallery, new_image):
        """What was calibrated holds under the new name; nothing stays under the old one."""
        gallery.add([new_image(1, collection="old")])
        gallery.store_calibration("old", "2026-01-01", "measured")

        gallery.rename_collection("old", "new")

        assert gallery.calibration("new") == "measured"
        assert gallery.calibration("old") is None

    def test_a_calibration_left_behind_under_the_new_name_is_not_inherited(self, gallery, new_image):
        """A collection that was emptied photo by photo leaves nothing to its successor of the same name."""
        (gone,) = gallery.add([new_image(1, collection="new")])
        gallery.store_calibration("new", "2026-01-01", "of others")
        gallery.delete(gone.image.image_id)
        gallery.add([new_image(2, collection="old")])

        gallery.rename_collection("old", "new")

        assert gallery.calibration("new") is None

    def test_a_name_in_use_is_refused(self, gallery, new_image):
        """Two collections never become one by accident; nothing has changed."""
        gallery.add([new_image(1, collection="old"), new_image(2, collection="taken")])
        generation = gallery.generation

        with pytest.raises(InvalidRequest, match="'taken' exists already"):
            gallery.rename_collection("old", "taken")

        assert gallery.generation == generation
        assert gallery.count("old") == gallery.count("taken") == 1

    @pytest.mark.parametrize("name", ["", "  ", "two\nlines", "x" * 201])
    def test_a_name_that_names_nothing_is_refused(self, gallery, new_image, name):
        """As with new images."""
        gallery.add([new_image(1, collection="old")])

        with pytest.raises(InvalidRequest, match="collection"):
            gallery.rename_collection("old", name)

    def test_its_own_name_changes_nothing(self, gallery, new_image):
        """Saving a form without an edit is no change."""
        gallery.add([new_image(1, collection="old")])
        generation = gallery.generation

        gallery.rename_collection("old", "old")

        assert gallery.generation == generation

    def test_an_unknown_collection_is_refused(self, gallery):
        """The message names it."""
        with pytest.raises(UnknownCollection, match="'nowhere'"):
            gallery.rename_collection("nowhere", "somewhere")

    def test_other_processes_follow(self, gallery, folder, new_image, storage):
        """Whoever else has the gallery open finds the images under the new names alone, even when two were swapped."""
        first, second = new_image(1, collection="first"), new_image(2, collection="second")
        ids = [result.image.image_id for result in gallery.add([first, second])]
        with Gallery.open(folder, None, read_only=True, storage=storage) as reader:
            assert found(reader, first.embedding, "first") == ids[:1]

            gallery.rename_collection("first", "spare")
            gallery.rename_collection("second", "first")
            gallery.rename_collection("spare", "second")
            (third,) = gallery.add([new_image(3, collection="second")])

            assert found(reader, first.embedding, "second") == [ids[0], third.image.image_id]
            assert found(reader, first.embedding, "first") == ids[1:]

    def test_other_processes_notice_a_swap_of_equal_sums(self, gallery, folder, new_image, storage):
        """Two collections of as many images whose numbers add up alike are told apart all the same."""
        names = ["first", "second", "second", "first"]
        added = gallery.add([new_image(seed, collection=name) for seed, name in enumerate(names)])
        ids = [result.image.image_id for result in added]
        with Gallery.open(folder, None, read_only=True, storage=storage) as reader:
            assert set(found(reader, new_image(0).embedding, "first")) == {ids[0], ids[3]}

            gallery.rename_collection("first", "spare")
            gallery.rename_collection("second", "first")
            gallery.rename_collection("spare", "second")

            assert set(found(reader, new_image(0).embedding, "second")) == {ids[0], ids[3]}
            assert set(found(reader, new_image(0).embedding, "first")) == {ids[1], ids[2]}

    def test_a_hit_of_another_collection_is_no_answer(self, gallery, new_image):
        """Whatever the vectors' store says, only images of the collection asked about are answered."""
        gallery.add([new_image(1, collection="asked"), new_image(2, collection="other")])
        with gallery._database.writing() as connection:
            connection.execute("UPDATE images SET place = (SELECT min(place) FROM images), collection = 'other'")
            connection.execute("COMMIT")  # as if the store had not noticed

        assert found(gallery, new_image(1).embedding, "asked") == []

    def test_searches_meanwhile_see_one_name_or_the_other(self, gallery, new_image):
        """While the name goes to and fro, a search finds everything under a name or nothing, never a part."""
        news = [new_image(seed, collection="a") for seed in range(20)]
        gallery.add(news)
        stop, counts = threading.Event(), set[int]()

        def search() -> None:
            while not stop.is_set():
                for name in ("a", "b"):
                    try:
                        counts.add(len(found(gallery, news[0].embedding, name)))
                    except UnknownCollection:
                        counts.add(0)

        thread = threading.Thread(target=search)
        thread.start()
        for name, new_name in [("a", "b"), ("b", "a")] * 10:
            gallery.rename_collection(name, new_name)
        stop.set()
        thread.join()

        assert counts <= {0, 20}


class TestDeleting:
    def test_nothing_of_it_is_left(self, gallery, folder, new_image):
        """Images, vectors, features, places, calibration and files are gone at once; the others' are untouched."""
        news = [new_image(seed, collection="gone") for seed in range(450)]
        ids = [result.image.image_id for result in gallery.add(news)]
        gallery.local_features(ids)
        gallery.store_calibration("gone", "2026-01-01", "measured")
        kept = new_image(1000, collection="kept")
        gallery.add([kept])

        assert gallery.delete_collection("gone") == 450

        assert [summary.name for summary in gallery.collections()] == ["kept"]
        assert gallery.places("gone").total == 0
        assert gallery.calibration("gone") is None
        assert gallery.local_features(ids[:3]) == [None] * 3
        assert len(stored_files(folder)) == 2
        with pytest.raises(UnknownImage):
            gallery.get(ids[0])
        with pytest.raises(UnknownCollection):
            gallery.search(news[0].embedding, "gone")
        assert len(found(gallery, kept.embedding, "kept")) == 1

    def test_photos_that_another_collection_holds_keep_their_files(self, gallery, folder, new_image):
        """The same bytes lie on disk once, for both."""
        gallery.add([new_image(1, collection="gone"), new_image(1, collection="kept")])

        gallery.delete_collection("gone")

        assert len(stored_files(folder)) == 2
        (image,) = gallery.list_images("kept").images
        assert gallery.original_path(image.image_id).is_file()

    def test_the_last_collection_leaves_an_empty_gallery(self, gallery, new_image):
        """As it was in the beginning; and the same photos may come back."""
        new = new_image(1)
        gallery.add([new])

        gallery.delete_collection("default")

        with pytest.raises(EmptyGallery):
            gallery.search(new.embedding)
        assert gallery.add([new])[0].status == "added"

    def test_an_unknown_collection_is_refused(self, gallery):
        """The message names it."""
        with pytest.raises(UnknownCollection, match="'nowhere'"):
            gallery.delete_collection("nowhere")

    def test_other_processes_follow(self, gallery, folder, new_image, storage):
        """Whoever else has the gallery open finds nothing any more, and what came after."""
        gallery.add([new_image(1, collection="gone"), new_image(2, collection="kept")])
        with Gallery.open(folder, None, read_only=True, storage=storage) as reader:
            assert len(found(reader, new_image(1).embedding, "gone")) == 1

            gallery.delete_collection("gone")
            with pytest.raises(UnknownCollection):
                reader.search(new_image(1).embedding, "gone")
            (later,) = gallery.add([new_image(3, collection="gone")])

            assert found(reader, new_image(1).embedding, "gone") == [later.image.image_id]
