"""What a gallery keeps, finds, changes and forgets."""

import hashlib
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from databases import on_both_databases
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode, see_again

from core.building.corrections import corrections
from core.building.manifest_rows import ManifestRow
from core.errors import EmptyGallery, GalleryUnavailable, InvalidRequest, UnknownCollection, UnknownImage, UnknownPlace
from core.gallery import Gallery, ImageChange, NewImage
from core.gallery.database import embeddings as vector_rows
from core.gallery.values import PLACE_FIELDS, PlaceCorrection
from core.imaging.copies import encode_preview
from core.imaging.decoding import decode_image
from core.results import Place

pytestmark = on_both_databases


def stored_files(folder: Path) -> list[Path]:
    """Originals and previews on disk."""
    return sorted(path for kind in ("originals", "previews") for path in (folder / kind).rglob("*") if path.is_file())


class TestAdding:
    def test_everything_given_comes_back(self, gallery, new_image):
        """All fields of an added image are returned as they were given, and so are its files and features."""
        place = Place("p1", "Pagoda", "seven storeys", {"dynasty": "宋", "height_m": 59.9}, 30.2, 120.1)
        new = new_image(1, collection="west-lake", place=place, filename="塔 1.jpg")

        (result,) = gallery.add([new])

        image = gallery.get(result.image.image_id)
        assert result.status == "added"
        assert image == result.image
        assert (image.collection, image.place, image.filename) == ("west-lake", place, "塔 1.jpg")
        assert (image.media_type, image.width, image.height, image.byte_size) == ("image/jpeg", 640, 480, 500)
        assert image.content_hash == hashlib.sha256(new.data).hexdigest()
        assert image.added_at.endswith("+00:00")
        assert Path(image.path).read_bytes() == new.data
        assert gallery.original_path(image.image_id).read_bytes() == new.data
        assert gallery.preview_path(image.image_id).read_bytes() == new.preview
        (features,) = gallery.local_features([image.image_id])
        np.testing.assert_allclose(features.views[0].keypoints, new.local_features.views[0].keypoints, atol=1e-4)

    def test_an_image_without_place_is_its_own(self, gallery, new_image):
        """Without a place the image becomes one, named after its file."""
        image = gallery.add([new_image(1, filename="shots\\2024\\Old Bridge.jpeg")])[0].image

        assert (image.place.place_id, image.place.name) == (image.image_id, "Old Bridge")

    def test_same_bytes_are_stored_once_per_collection(self, gallery, new_image):
        """Bytes that a collection holds already are reported as duplicate and change nothing."""
        first = gallery.add([new_image(1)])[0]
        generation = gallery.generation

        again = gallery.add([new_image(1, filename="copy.jpg"), new_image(1)])
        elsewhere = gallery.add([new_image(1, collection="other")])[0]

        assert [result.status for result in again] == ["duplicate", "duplicate"]
        assert [result.image for result in again] == [first.image] * 2
        assert elsewhere.status == "added"
        assert gallery.count("default") == gallery.count("other") == 1
        assert gallery.generation == generation + 1

    def test_duplicates_within_one_batch(self, gallery, new_image):
        """The same bytes twice in one batch are stored once."""
        results = gallery.add([new_image(1), new_image(2), new_image(1)])

        assert [result.status for result in results] == ["added", "added", "duplicate"]
        assert results[2].image == results[0].image

    def test_a_known_place_is_completed_but_not_overwritten(self, gallery, new_image):
        """Further images fill in what a place lacks and leave the rest alone."""
        gallery.add([new_image(1, place=Place("p", "p"))])
        gallery.add([new_image(2, place=Place("p", "Pagoda", "tall", {"a": 1}, 1.0, 2.0))])
        gallery.add([new_image(3, place=Place("p", "Tower", "small", {"b": 2}, 3.0, 4.0))])

        (summary,) = gallery.places().places
        assert summary.place == Place("p", "Pagoda", "tall", {"a": 1}, 1.0, 2.0)
        assert summary.images == 3

    def test_one_bad_image_stores_none_of_the_batch(self, gallery, new_image, folder):
        """A batch is stored as a whole or not at all."""
        bad_place = Place("p", "Pagoda", latitude=91.0)

        with pytest.raises(InvalidRequest, match="latitude"):
            gallery.add([new_image(1), new_image(2, place=bad_place)])

        assert gallery.count() == 0
        assert stored_files(folder) == []

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"collection": " "}, "collection"),
            ({"collection": "a\nb"}, "collection"),
            ({"media_type": "image/gif"}, "image/gif"),
            ({"embedding": np.ones(4, np.float32) / 2}, "embedding"),
            ({"embedding": np.full(16, np.nan, np.float32)}, "norm"),
            ({"place": Place("", "x")}, "place_id"),
            ({"place": Place("x", "y" * 501)}, "place_name"),
            ({"place": Place("x", "y", "\ud800")}, "description"),
            ({"place": Place("x", "y", metadata={"a": {1, 2}})}, "metadata"),
            ({"place": Place("x", "y", metadata={"a": float("nan")})}, "metadata"),
            ({"place": Place("x", "y", longitude=float("nan"))}, "longitude"),
        ],
    )
    def test_unacceptable_fields_are_named(self, gallery, new_image, fields, named):
        """Each field out of range is refused by name."""
        with pytest.raises(InvalidRequest, match=named):
            gallery.add([new_image(1, **fields)])

    def test_file_names_no_text_can_hold_are_stored_readably(self, gallery, new_image):
        """A name from disk with undecodable bytes or line breaks does not keep its photo out."""
        image = gallery.add([new_image(1, filename="caf\udce9\n1.jpg")])[0].image

        assert image.filename == "caf??1.jpg"

    def test_nothing_to_add_is_fine(self, gallery):
        """An empty batch adds nothing and changes nothing."""
        assert gallery.add([]) == []
        assert gallery.generation == 0


class TestChunks:
    def test_vectors_are_read_in_chunks(self, gallery, new_image, monkeypatch):
        """More vectors than fit one statement's answer are all read, once, in order, and of that collection alone."""
        monkeypatch.setattr(vector_rows, "_ROWS_PER_CHUNK", 3)
        news = [new_image(seed, collection="odd" if seed % 2 else "even") for seed in range(20)]
        ids = [result.image.image_id for result in gallery.add(news)]

        found, embeddings = gallery.embeddings("odd")

        assert found == ids[1::2]
        np.testing.assert_array_equal(embeddings, [new.embedding for new in news[1::2]])
        assert gallery.embeddings("nowhere")[0] == []


class TestSearching:
    def test_most_similar_first(self, gallery, new_image):
        """Candidates come by descending cosine, ranked from 1, at most top_k."""
        news = [new_image(seed) for seed in range(30)]
        ids = [result.image.image_id for result in gallery.add(news)]
        query = new_image(99).embedding

        candidates = gallery.search(query, top_k=7)

        cosines = np.stack([new.embedding for new in news]) @ query
        expected = np.argsort(-cosines)[:7]
        assert [candidate.image.image_id for candidate in candidates] == [ids[row] for row in expected]
        assert [candidate.rank for candidate in candidates] == list(range(1, 8))
        np.testing.assert_allclose([candidate.similarity for candidate in candidates], cosines[expected], atol=1e-6)

    def test_only_the_collection_asked_for(self, gallery, new_image):
        """A search never leaves its collection."""
        gallery.add([new_image(1, collection="a"), new_image(2, collection="b")])

        candidates = gallery.search(new_image(1).embedding, "b", top_k=5)

        assert [candidate.image.collection for candidate in candidates] == ["b"]

    def test_similarity_of_itself_is_one_at_most(self, gallery, new_image):
        """Rounding never yields a cosine above 1."""
        news = [new_image(seed) for seed in range(40)]
        gallery.add(news)

        similarities = [gallery.search(new.embedding, top_k=1)[0].similarity for new in news]

        assert max(similarities) <= 1
        assert min(similarities) > 0.999

    def test_an_empty_gallery_says_so(self, gallery, new_image):
        """Searching where there is nothing is an error that says what to do."""
        with pytest.raises(EmptyGallery, match="build_database"):
            gallery.search(new_image(1).embedding)

    def test_an_unknown_collection_is_named_with_those_known(self, gallery, new_image):
        """The refusal lists the collections that exist."""
        gallery.add([new_image(1, collection="museum"), new_image(2, collection="park")])

        with pytest.raises(UnknownCollection, match=r"'zoo'; known: museum, park"):
            gallery.search(new_image(1).embedding, "zoo")

    @pytest.mark.parametrize("top_k", [0, -3])
    def test_top_k_must_be_positive(self, gallery, new_image, top_k):
        """No candidates at all cannot be asked for."""
        with pytest.raises(InvalidRequest, match="top_k"):
            gallery.search(new_image(1).embedding, top_k=top_k)

    def test_embeddings_of_another_length_are_refused(self, gallery):
        """A query of another encoder's dimension is refused with both shapes."""
        with pytest.raises(InvalidRequest, match=r"\(3,\).*\[16\]"):
            gallery.search(np.array([1, 0, 0], np.float32))

    def test_drawn_places_are_recognised_in_other_views(self, folder, storage):
        """With a real (tiny) encoder the place seen again is found first."""
        encoder = ThumbnailEncoder(local_features=True)
        places = [draw_place(seed) for seed in range(12)]
        with Gallery.open(folder, encoder.fingerprint, storage=storage) as gallery:
            for number, place in enumerate(places):
                data = encode(place, "jpeg")
                decoded = decode_image(data)
                encodings = encoder.encode([decoded.image])
                new = NewImage(
                    data, f"{number}.jpg", decoded.media_type, decoded.width, decoded.height,
                    encode_preview(decoded.image), encodings.embeddings[0], encodings.local_features[0],
                    place=Place(str(number), f"place {number}"),
                )  # fmt: skip
                gallery.add([new])

            views = [see_again(place, seed=5).image for place in places]
            found = [gallery.search(embedding)[0] for embedding in encoder.encode(views).embeddings]

            assert [candidate.image.place.place_id for candidate in found] == [str(n) for n in range(12)]


class TestChanging:
    def test_fields_belong_to_the_place(self, gallery, new_image):
        """A changed description shows on every image of the place; what is left out stays."""
        place = Place("p", "Pagoda", "old", {"a": 1}, 1.0, 2.0)
        first, second = (result.image for result in gallery.add([new_image(n, place=place) for n in (1, 2)]))

        changed = gallery.update(first.image_id, ImageChange(description="new"))

        assert changed.place == gallery.get(second.image_id).place == Place("p", "Pagoda", "new", {"a": 1}, 1.0, 2.0)

    def test_none_forgets_a_position(self, gallery, new_image):
        """None empties a position, which leaving it out would not."""
        image = gallery.add([new_image(1, place=Place("p", "Pagoda", latitude=1.0, longitude=2.0))])[0].image

        changed = gallery.update(image.image_id, ImageChange(latitude=None, longitude=None))

        assert (changed.place.latitude, changed.place.longitude) == (None, None)

    def test_moving_to_a_new_place_makes_it(self, gallery, new_image):
        """A new place_id makes a place; the other fields go to it, and the place left behind keeps its own."""
        old = Place("old", "Old", "old words")
        first, second = (result.image for result in gallery.add([new_image(n, place=old) for n in (1, 2)]))

        moved = gallery.update(first.image_id, ImageChange(place_id="new", description="new words"))

        assert moved.place == Place("new", "new", "new words")
        assert gallery.get(second.image_id).place == old

    def test_moving_to_a_known_place_joins_it(self, gallery, new_image):
        """Moving the last image of a place away removes that place; the other one keeps its name."""
        first, second = (
            result.image
            for result in gallery.add([new_image(1, place=Place("a", "A")), new_image(2, place=Place("b", "B"))])
        )

        moved = gallery.update(first.image_id, ImageChange(place_id="b"))

        assert moved.place == second.place
        assert [(summary.place.name, summary.images) for summary in gallery.places().places] == [("B", 2)]

    def test_places_are_merged(self, gallery, new_image):
        """All their photos show the place that is kept, searches say so, and the others are gone with their texts."""
        names = ["a", "a", "b", "c"]
        images = [
            result.image
            for result in gallery.add([new_image(n, place=Place(p, p.upper(), p)) for n, p in enumerate(names)])
        ]

        summary, moved = gallery.move_images("default", "b", places=["a", "b"], images=[images[3].image_id])

        assert (summary.place, summary.images, moved) == (Place("b", "B", "b"), 4, 3)
        assert [place.place.name for place in gallery.places().places] == ["B"]
        for number, image in enumerate(images):
            assert gallery.search(new_image(number).embedding, top_k=1)[0].image.image_id == image.image_id
            assert gallery.get(image.image_id).place.name == "B"

    def test_images_are_moved_to_a_new_place(self, gallery, new_image):
        """It is made, and the place that they leave keeps what is left of it."""
        first, second = (result.image for result in gallery.add([new_image(n, place=Place("a", "A")) for n in (1, 2)]))

        summary, moved = gallery.move_images("default", "new", images=[first.image_id])

        assert (summary.place, summary.images, moved) == (Place("new", "new"), 1, 1)
        assert gallery.get(second.image_id).place == Place("a", "A")

    @pytest.mark.parametrize(
        ("wanted", "error", "named"),
        [
            ({"places": ["b", "none"]}, UnknownPlace, "none"),
            ({"images": ["none"], "places": ["b"]}, UnknownImage, "none"),
            ({"images": ["other"], "places": ["b"]}, UnknownImage, "default"),
            ({}, InvalidRequest, "nothing to move"),
        ],
    )
    def test_all_images_are_moved_or_none(self, gallery, new_image, wanted, error, named):
        """What is not there, or belongs to another collection, is named, and nothing has changed."""
        gallery.add([new_image(1, place=Place("a", "A")), new_image(2, place=Place("b", "B"))])
        other = gallery.add([new_image(3, collection="zoo", place=Place("a", "A"))])[0].image.image_id
        before = (gallery.generation, gallery.places().places)
        images = [other if image == "other" else image for image in wanted.get("images", [])]

        with pytest.raises(error, match=named):
            gallery.move_images("default", "a", **{**wanted, "images": images})

        assert (gallery.generation, gallery.places().places) == before

    def test_a_correction_that_is_refused_writes_nothing(self, gallery, new_image):
        """A latitude alone is no position: its place stays as it is, also while another one is corrected."""
        gallery.add([new_image(1, place=Place("a", "A")), new_image(2, place=Place("b", "B"))])
        wanted = {"a": ImageChange(place_name="New", latitude=39.9), "b": ImageChange(description="new")}

        done = gallery.correct_places("default", wanted)

        assert (done.changed, len(done.refused)) == (1, 1)
        assert gallery.place("default", "a").place == Place("a", "A")
        assert gallery.place("default", "b").place == Place("b", "B", "new")

    def test_whatever_a_place_has_one_value_of_is_corrected(self, gallery, new_image):
        """By a row of a manifest too; what is the same already is left out."""
        gallery.add([new_image(1, place=Place("a", "A"))])
        given = {"place_name": "B", "description": "new", "metadata": {"year": 1}, "latitude": 1.5, "longitude": 2.5}
        given["is_hidden"] = True
        wanted = corrections([("a", ManifestRow("a.jpg", 2, **given))])

        done, again = (gallery.correct_places("default", wanted).changes for _ in range(2))

        place = gallery.place("default", "a").place
        assert {field.name for field in fields(Place)} == {"place_id", "texts", *PLACE_FIELDS.values()}
        assert given.keys() == PLACE_FIELDS.keys()
        assert {name: getattr(place, field) for name, field in PLACE_FIELDS.items()} == given
        assert (done, again) == ((PlaceCorrection(Place("a", "A"), ImageChange(**given)),), ())

    def test_corrections_can_be_tried(self, gallery, new_image):
        """A dry run names the fields that differ, with the place as it is, and changes nothing."""
        place = Place("a", "A", "old", {"year": 1})
        gallery.add([new_image(1, place=place)])
        wanted = {"a": ImageChange(place_name="A", description="new", metadata={"year": 2}), "b": ImageChange()}

        tried = gallery.correct_places("default", wanted, dry_run=True)
        kept = gallery.place("default", "a").place
        done = gallery.correct_places("default", wanted)

        assert tried == done
        assert tried.changes == (PlaceCorrection(place, ImageChange(description="new", metadata={"year": 2})),)
        assert (tried.changed, tried.unknown, kept) == (1, ("b",), place)
        assert gallery.place("default", "a").place == Place("a", "A", "new", {"year": 2})

    def test_places_of_two_collections_are_apart(self, gallery, new_image):
        """The same place_id in two collections means two places."""
        first, second = (
            result.image
            for result in gallery.add([new_image(n, collection=f"c{n}", place=Place("p", "P")) for n in (1, 2)])
        )

        gallery.update(first.image_id, ImageChange(place_name="changed"))

        assert gallery.get(second.image_id).place.name == "P"

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            (ImageChange(place_id=""), "place_id"),
            (ImageChange(place_id=None), "place_id"),
            (ImageChange(place_name=None), "place_name"),
            (ImageChange(description=None), "description"),
            (ImageChange(description="x" * 20_001), "20,000"),
            (ImageChange(metadata=None), "metadata"),
            (ImageChange(latitude=-90.5), "latitude"),
        ],
    )
    def test_unacceptable_changes_change_nothing(self, gallery, new_image, change, named):
        """A refused change names the field and leaves everything as it was."""
        image = gallery.add([new_image(1, place=Place("p", "Pagoda", "old"))])[0].image
        generation = gallery.generation

        with pytest.raises(InvalidRequest, match=named):
            gallery.update(image.image_id, change)

        assert gallery.get(image.image_id) == image
        assert gallery.generation == generation

    def test_search_shows_the_change(self, gallery, new_image):
        """A candidate carries its place as it is now."""
        image = gallery.add([new_image(1)])[0].image

        gallery.update(image.image_id, ImageChange(place_name="Renamed"))

        assert gallery.search(new_image(1).embedding)[0].image.place.name == "Renamed"


class TestForgetting:
    def test_a_deleted_image_is_gone_everywhere(self, gallery, new_image, folder):
        """After delete there is no row, no place, no vector, no features and no file."""
        kept, deleted = (result.image for result in gallery.add([new_image(1), new_image(2)]))
        gallery.local_features([deleted.image_id])

        gallery.delete(deleted.image_id)

        assert [candidate.image for candidate in gallery.search(new_image(2).embedding)] == [kept]
        assert gallery.local_features([deleted.image_id]) == [None]
        assert gallery.count() == len(gallery.places().places) == 1
        assert gallery.embeddings()[0] == [kept.image_id]
        assert {path.stem for path in stored_files(folder)} == {kept.content_hash}
        with pytest.raises(UnknownImage):
            gallery.get(deleted.image_id)

    def test_files_stay_while_another_collection_uses_them(self, gallery, new_image, folder):
        """Files shared by two collections go with the last of the two."""
        first, second = (result.image for result in gallery.add([new_image(1), new_image(1, collection="b")]))

        gallery.delete(first.image_id)
        after_first = len(stored_files(folder))
        gallery.delete(second.image_id)

        assert after_first == 2
        assert stored_files(folder) == []

    def test_the_same_bytes_can_come_back(self, gallery, new_image):
        """A deleted image can be added again, as a new one."""
        first = gallery.add([new_image(1)])[0].image
        gallery.delete(first.image_id)

        again = gallery.add([new_image(1)])[0]

        assert again.status == "added"
        assert gallery.original_path(again.image.image_id).is_file()
        assert [candidate.image for candidate in gallery.search(new_image(1).embedding)] == [again.image]

    @pytest.mark.parametrize("call", ["get", "delete", "original_path", "preview_path"])
    def test_unknown_ids_are_named(self, gallery, call):
        """An unknown id is an error of its own."""
        with pytest.raises(UnknownImage, match="no-such-id"):
            getattr(gallery, call)("no-such-id")

    def test_updating_an_unknown_id(self, gallery):
        """An unknown id cannot be changed."""
        with pytest.raises(UnknownImage, match="no-such-id"):
            gallery.update("no-such-id", ImageChange(place_name="x"))


class TestReading:
    def test_content_is_found_by_its_hash(self, gallery, new_image):
        """A resumed build asks by hash whether a file is known."""
        image = gallery.add([new_image(1)])[0].image

        assert gallery.find_by_content("default", image.content_hash) == image
        assert gallery.find_by_content("other", image.content_hash) is None
        assert gallery.find_by_content("default", "0" * 64) is None

    def test_local_features_keep_the_order_asked_for(self, gallery, new_image):
        """One entry per id in their order, None for those without features, from disk and from memory alike."""
        ids = [result.image.image_id for result in gallery.add([new_image(1), new_image(2, local_features=None)])]
        asked = [ids[1], ids[0], "no-such-id", ids[0]]

        for _ in range(2):
            found = gallery.local_features(asked)
            assert [features is not None for features in found] == [False, True, False, True]

    def test_embeddings_are_exported_as_they_were_added(self, gallery, new_image):
        """The export has one row per image of the collection, oldest first."""
        news = [new_image(seed) for seed in range(5)]
        ids = [result.image.image_id for result in gallery.add(news)]
        gallery.add([new_image(9, collection="other")])

        image_ids, embeddings = gallery.embeddings("default")

        assert image_ids == ids
        np.testing.assert_array_equal(embeddings, np.stack([new.embedding for new in news]))
        assert gallery.embeddings("none")[1].shape == (0, 16)

    def test_a_missing_file_is_reported_as_damage(self, gallery, new_image, folder):
        """An original that vanished from the disk is named."""
        image = gallery.add([new_image(1)])[0].image
        shutil.rmtree(folder / "originals")

        with pytest.raises(GalleryUnavailable, match=image.image_id):
            gallery.original_path(image.image_id)

    def test_every_change_counts(self, gallery, new_image):
        """The generation grows with each add, change and delete, and with nothing else."""
        generations = [gallery.generation]
        image = gallery.add([new_image(1), new_image(2)])[0].image
        generations.append(gallery.generation)
        gallery.update(image.image_id, ImageChange(place_name="x"))
        generations.append(gallery.generation)
        gallery.delete(image.image_id)
        generations.append(gallery.generation)
        gallery.search(new_image(2).embedding)

        assert generations == [0, 1, 2, 3]
        assert gallery.generation == 3
