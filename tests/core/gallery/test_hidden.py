"""Hidden places: left out of every answer at once, and kept in everything else."""

import pytest
from databases import on_both_databases

from core.building.merging import merge
from core.errors import UnknownPlace
from core.evaluation.calibration_queries import gallery_photos
from core.gallery import Gallery, ImageChange
from core.gallery.tags import place_tag
from core.results import Place

pytestmark = on_both_databases

GATE, TOWER = Place("gate", "Gate"), Place("tower", "Tower")


@pytest.fixture
def filled(gallery, new_image) -> Gallery:
    """A gallery with one photo of the gate and two of the tower."""
    places = {1: GATE, 2: TOWER, 3: TOWER}
    gallery.add([new_image(seed, place=place) for seed, place in places.items()])
    return gallery


def hide(gallery: Gallery, *place_ids: str, is_hidden: bool = True) -> None:
    """Hide places, or show them again."""
    for place_id in place_ids:
        gallery.change_place("default", place_id, ImageChange(is_hidden=is_hidden))


def found(gallery: Gallery, new, top_k: int = 50) -> list[str]:
    """Ids of the places that a search for an image's own photo finds, best first."""
    return [candidate.image.place.place_id for candidate in gallery.search(new.embedding, top_k=top_k)]


def state(gallery: Gallery) -> dict[str, bool]:
    """Which places there are, and whether they are hidden."""
    return {place.place.place_id: place.place.is_hidden for place in gallery.places().places}


class TestSearching:
    def test_other_places_fill_the_answer(self, gallery, new_image):
        """However many photos of hidden places are nearer, as many others are found as were asked for."""
        far = new_image(31, place=TOWER, embedding=-new_image(1).embedding)
        gallery.add([*(new_image(seed, place=GATE) for seed in range(1, 31)), far])

        hide(gallery, "gate")

        assert found(gallery, new_image(1), top_k=1) == found(gallery, new_image(1)) == ["tower"]
        assert [candidate.rank for candidate in gallery.search(new_image(1).embedding)] == [1]

    def test_a_place_that_is_shown_again_is_found_at_once(self, filled, new_image):
        """With the photos that it had, and nothing was indexed again."""
        before = filled.search(new_image(1).embedding)
        hide(filled, "gate")
        hide(filled, "gate", is_hidden=False)

        assert filled.search(new_image(1).embedding) == before

    def test_a_collection_of_hidden_places_has_no_answer(self, filled, new_image):
        """That is no error: the collection exists, and a visitor gets an honest no."""
        hide(filled, "gate", "tower")

        filled.check_collection("default")
        assert found(filled, new_image(1)) == []
        assert filled.count_places() == 0

    def test_another_process_notices(self, filled, new_image, fingerprint, folder, storage):
        """One that has searched before answers as the one that hides the place."""
        with Gallery.open(folder, fingerprint, read_only=True, storage=storage) as reader:
            assert found(reader, new_image(1))[0] == "gate"
            hide(filled, "gate")
            assert found(reader, new_image(1)) == ["tower", "tower"]
            hide(filled, "gate", is_hidden=False)
            assert found(reader, new_image(1))[0] == "gate"

    def test_a_new_photo_of_a_hidden_place_is_not_found_either(self, filled, new_image):
        """It is known to uploads, though, as all photos of the place are."""
        hide(filled, "gate")

        filled.add([new_image(4, place=GATE)])

        assert "gate" not in found(filled, new_image(4))
        assert filled.add([new_image(4, place=TOWER)])[0].status == "duplicate"


class TestReading:
    def test_hidden_places_are_listed_and_marked(self, filled):
        """A list has all places, only hidden ones, or only the others."""
        hide(filled, "gate")

        assert state(filled) == {"gate": True, "tower": False}
        for is_hidden, place_id in ((True, "gate"), (False, "tower")):
            page = filled.places("default", is_hidden=is_hidden)
            assert ([place.place.place_id for place in page.places], page.total) == ([place_id], 1)

    def test_collections_are_counted_with_them_and_without(self, filled, new_image):
        """Their places and their images; a collection in which nothing is shown is there, and looks empty."""
        filled.add([new_image(seed, collection="zoo", place=Place("den", "Den", is_hidden=True)) for seed in (5, 6)])
        hide(filled, "tower")

        def counts(**arguments) -> dict[str, tuple[int, int]]:
            return {found.name: (found.images, found.places) for found in filled.collections(**arguments)}

        assert counts() == {"default": (3, 2), "zoo": (2, 1)}
        assert counts(with_hidden=False) == {"default": (1, 1), "zoo": (0, 0)}
        assert filled.count_places() == 1

    def test_a_reader_of_shown_places_does_not_learn_of_it(self, filled):
        """The error is that of a place that does not exist."""
        hide(filled, "gate")

        with pytest.raises(UnknownPlace, match="no place of id 'gate'"):
            filled.place("default", "gate", with_hidden=False)
        assert filled.place("default", "gate").place.is_hidden
        assert filled.place("default", "tower", with_hidden=False).images == 2

    def test_the_tag_of_the_place_changes(self, filled):
        """Whoever edits it learns that somebody has hidden it meanwhile."""
        before = place_tag(filled.place("default", "gate").place)

        hide(filled, "gate")

        assert place_tag(filled.place("default", "gate").place) != before


class TestKeeping:
    def test_it_comes_back_hidden_from_the_trash(self, filled, new_image):
        """With its place and with its collection, under a new name of the collection as well."""
        hide(filled, "gate")
        filled.trash.restore(filled.trash.put_place("default", "gate").deletion_id)
        filled.trash.restore(filled.trash.put_collection("default").deletion_id)
        filled.rename_collection("default", "museum")

        assert state(filled) == {"gate": True, "tower": False}
        assert [c.image.place.place_id for c in filled.search(new_image(1).embedding, "museum")] == ["tower"] * 2

    @pytest.mark.parametrize("kind", ["image", "place", "collection"])
    def test_what_comes_back_hidden_is_not_shown_by_a_place_of_its_id(self, filled, new_image, kind):
        """One that was made meanwhile is hidden with it, until somebody shows both."""
        hide(filled, "gate")
        deletion = {
            "image": lambda: filled.trash.put_image(filled.list_images(place_id="gate").images[0].image_id),
            "place": lambda: filled.trash.put_place("default", "gate"),
            "collection": lambda: filled.trash.put_collection("default"),
        }[kind]()
        filled.add([new_image(4, place=GATE), new_image(5, place=TOWER)])
        assert found(filled, new_image(4))[0] == "gate"

        filled.trash.restore(deletion.deletion_id)

        assert state(filled) == {"gate": True, "tower": False}
        assert "gate" not in found(filled, new_image(1)) + found(filled, new_image(4))
        hide(filled, "gate", is_hidden=False)
        assert found(filled, new_image(1)).count("gate") == 2

    @pytest.mark.parametrize("is_there", [True, False])
    @pytest.mark.parametrize("is_hidden", [True, False])
    def test_a_photo_comes_back_to_its_place_as_that_was_last(self, filled, is_hidden, is_there):
        """Not as it was when the photo was deleted; also where the place itself has been deleted since."""
        hide(filled, "tower", is_hidden=not is_hidden)
        deletion = filled.trash.put_image(filled.list_images(place_id="tower").images[0].image_id)
        hide(filled, "tower", is_hidden=is_hidden)
        if not is_there:
            filled.trash.put_place("default", "tower")

        filled.trash.restore(deletion.deletion_id)

        assert state(filled) == {"gate": False, "tower": is_hidden}

    def test_it_comes_back_hidden_when_its_photo_is_added_again(self, filled, new_image):
        """What the trash gives back to the same photo includes that nobody is to see it."""
        hide(filled, "gate")
        filled.trash.put_place("default", "gate")

        filled.add([new_image(1, place=GATE)])

        assert state(filled) == {"gate": True, "tower": False}

    @pytest.mark.parametrize(
        ("hidden", "becomes_hidden"), [(["gate", "tower"], True), (["gate"], False), (["tower"], False)]
    )
    def test_a_merge_of_hidden_places_alone_makes_a_hidden_one(self, filled, hidden, becomes_hidden):
        """Nothing is shown by a merge into a new place, unless a photo of it was shown before."""
        hide(filled, *hidden)

        filled.move_images("default", "both", places=["gate", "tower"])

        assert state(filled) == {"both": becomes_hidden}

    def test_a_photo_takes_its_state_into_a_new_place(self, filled):
        """And that of a place that is there from there."""
        hide(filled, "tower")
        first, second = filled.list_images(place_id="tower").images

        filled.update(first.image_id, ImageChange(place_id="roof"))
        filled.update(second.image_id, ImageChange(place_id="gate"))

        assert state(filled) == {"gate": False, "roof": True}

    def test_it_stays_hidden_in_a_merged_gallery(self, filled, fingerprint, tmp_path):
        """A place that the target has already keeps the target's state."""
        hide(filled, "gate")

        with Gallery.open(tmp_path / "merged", fingerprint) as target:
            assert sum(batch.added for batch in merge(filled, target)) == 3
            assert state(target) == {"gate": True, "tower": False}

    def test_calibrations_ask_about_no_hidden_place(self, filled):
        """Their photos would be ones of a place that no answer names."""
        hide(filled, "gate")

        asked = gallery_photos(filled, "default", 10)

        assert {question.truth for photo in asked for question in photo.questions} == {"tower"}
