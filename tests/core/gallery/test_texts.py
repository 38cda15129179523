"""Names and descriptions in further languages, and the language of a collection's own."""

from contextlib import closing
from dataclasses import replace

import pytest
from databases import on_both_databases

from core.errors import InvalidRequest, UnknownCollection
from core.gallery import Gallery, ImageChange
from core.gallery.maintenance.backup import back_up, restore
from core.gallery.tags import place_tag
from core.gallery.values import TextChange
from core.results import Place, PlaceText

ENGLISH = PlaceText("Vase", "Blue and **white**.\n\nSecond paragraph.")
JAPANESE = PlaceText("花瓶", "", is_machine_translated=True)
VASE = Place("vase", "青花瓶", "青花", texts={"en": ENGLISH, "ja": JAPANESE})


def texts_of(gallery: Gallery, collection: str = "default", place_id: str = "vase"):
    """The texts that are stored."""
    return gallery.place(collection, place_id).place.texts


@on_both_databases
class TestStored:
    def test_every_way_out_gives_them(self, gallery, folder, fingerprint, storage, new_image):
        """The place alone, the list, the image and a search give what was added, also after a new start."""
        new = new_image(1, place=VASE)
        gallery.add([new])

        with Gallery.open(folder, fingerprint, storage=storage) as again:
            assert again.place("default", "vase").place == VASE
            assert again.places().places[0].place == VASE
            assert again.list_images().images[0].place == VASE
            assert again.search(new.embedding)[0].image.place == VASE

    def test_a_tag_has_one_spelling(self, gallery, new_image):
        """However it is written, it names the same text."""
        gallery.add([new_image(1, place=Place("vase", "青花瓶", texts={"ZH-hant": PlaceText("青花瓶")}))])

        gallery.change_place("default", "vase", ImageChange(texts={"zh-HANT": TextChange(description="青花")}))

        assert texts_of(gallery) == {"zh-Hant": PlaceText("青花瓶", "青花")}

    def test_a_known_place_gets_the_languages_it_lacks(self, gallery, new_image):
        """A further photo brings what is missing; what is stored stays."""
        gallery.add([new_image(1, place=Place("vase", "青花瓶", texts={"en": ENGLISH}))])

        other = PlaceText("Another vase")
        gallery.add([new_image(2, place=Place("vase", "青花瓶", texts={"en": other, "fr": PlaceText("Vase bleu")}))])

        assert texts_of(gallery) == {"en": ENGLISH, "fr": PlaceText("Vase bleu")}

    def test_merged_places_keep_the_languages_of_all(self, gallery, new_image):
        """What the kept place says stays; of the others, in order, it gets the languages that it lacks."""
        merged = [
            VASE,
            Place("a", "A", texts={"en": PlaceText("Another"), "fr": PlaceText("Vase bleu")}),
            Place("b", "B", "b", texts={"fr": PlaceText("Vase"), "ko": PlaceText("꽃병")}),
        ]
        gallery.add([new_image(number, place=place) for number, place in enumerate(merged)])

        summary, _ = gallery.move_images("default", "vase", places=["a", "b"])

        assert summary.place == replace(
            VASE, texts={**VASE.texts, "fr": PlaceText("Vase bleu"), "ko": PlaceText("꽃병")}
        )
        assert texts_of(gallery) == summary.place.texts

    def test_a_correction_has_only_the_languages_that_differ(self, gallery, new_image):
        """One that says what is stored changes nothing, and nor does a dry run."""
        gallery.add([new_image(1, place=VASE)])
        same = {"en": TextChange(ENGLISH.name, ENGLISH.description)}
        changed = {"fr": TextChange("Vase bleu")}

        assert gallery.correct_places("default", {"vase": ImageChange(texts=same)}).changes == ()
        (tried,) = gallery.correct_places("default", {"vase": ImageChange(texts=same | changed)}, dry_run=True).changes

        assert (tried.place, tried.change) == (VASE, ImageChange(texts=changed))
        assert texts_of(gallery) == VASE.texts

    def test_they_are_searched(self, gallery, new_image):
        """A word of any language finds the place, and no word of the way in which they are stored does."""
        gallery.add([new_image(1, place=VASE), new_image(2, place=Place("bell", "钟"))])

        def found(*texts: str) -> list[list[str]]:
            return [[summary.place.place_id for summary in gallery.places(text=text).places] for text in texts]

        assert found("WHITE", "花瓶") == [["vase"], ["vase"]]
        assert found("description", "is_machine", "true", "ja", '{"', '", "') == [[]] * 6

    def test_they_are_searched_as_they_are_written(self, gallery, new_image):
        """Marks that JSON writes in another way are found, and so is a text in any field and language."""
        texts = {"en": PlaceText("Vase", 'Said "blue" \\ white\n100%'), "fr": PlaceText(transcript="Voilà_un vase")}
        gallery.add([new_image(1, place=replace(VASE, texts=texts)), new_image(2, place=Place("bell", "钟"))])

        searched = ['"BLUE"', "\\ white", "white\n1", "100%", "à_u"]

        assert [gallery.places(text=text).total for text in searched] == [1] * len(searched)
        assert [gallery.places(text=text).total for text in ("a_u", "e%w")] == [0, 0]

    def test_they_change_language_by_language(self, gallery, new_image):
        """Fields and languages that are not named stay; None deletes, and so does a text that says nothing."""
        gallery.add([new_image(1, place=VASE)])
        tag = place_tag(VASE)

        changes = {"en": TextChange(name="A vase"), "ja": None, "fr": TextChange(name="Vase bleu")}
        changed = gallery.change_place("default", "vase", ImageChange(texts=changes), expected={tag}).place

        assert changed.texts == {"en": PlaceText("A vase", ENGLISH.description), "fr": PlaceText("Vase bleu")}
        assert place_tag(changed) != tag
        gallery.change_place("default", "vase", ImageChange(texts={"fr": TextChange(name="")}))
        assert set(texts_of(gallery)) == {"en"}

    def test_a_changed_text_is_a_persons(self, gallery, new_image):
        """The mark of a machine goes with its words; it stays while they stay, and is set and cleared by name."""
        gallery.add([new_image(1, place=VASE)])

        def mark_after(**fields) -> bool:
            gallery.change_place("default", "vase", ImageChange(texts={"ja": TextChange(**fields)}))
            return texts_of(gallery)["ja"].is_machine_translated

        assert mark_after(name=JAPANESE.name)
        assert not mark_after(name="花瓶、青花")
        assert mark_after(is_machine_translated=True)
        assert mark_after(description="青と白", is_machine_translated=True)
        assert not mark_after(is_machine_translated=False)

    @pytest.mark.parametrize(
        "texts",
        [
            {"en_US": PlaceText("Vase")},
            {"en": PlaceText("x" * 501)},
            {"en": PlaceText("two\nlines")},
            {"en": PlaceText("Vase", "x" * 20_001)},
            {f"en-x-{number}": PlaceText("Vase") for number in range(51)},
        ],
        ids=["tag", "long name", "lines in a name", "long description", "too many"],
    )
    def test_what_cannot_be_stored_is_refused_as_a_whole(self, gallery, new_image, texts):
        """As an addition and as a change; nothing of it is stored."""
        gallery.add([new_image(1, place=VASE)])
        change = {tag: TextChange(text.name, text.description) for tag, text in texts.items()}

        with pytest.raises(InvalidRequest):
            gallery.add([new_image(2, place=Place("bell", "钟", texts=texts))])
        with pytest.raises(InvalidRequest):
            gallery.change_place("default", "vase", ImageChange(texts=change))

        assert gallery.count() == 1
        assert texts_of(gallery) == VASE.texts

    def test_they_come_back_from_the_trash(self, gallery, new_image):
        """Restored with their place, or with the photo that is added again."""
        new = new_image(1, place=VASE)
        gallery.add([new])

        gallery.trash.restore(gallery.trash.put_place("default", "vase").deletion_id)
        restored = texts_of(gallery)
        gallery.trash.put_place("default", "vase")
        gallery.add([new_image(1, place=Place("vase", "vase"))])

        assert restored == texts_of(gallery) == VASE.texts


@on_both_databases
class TestOwnLanguage:
    def test_it_belongs_to_the_collection(self, gallery, new_image):
        """It is stored in its usual spelling, goes with a new name, and is deleted and restored with the collection."""
        gallery.add([new_image(1, collection="old", place=VASE)])
        assert gallery.language("old") == ""

        gallery.store_language("old", "ZH-hans")
        gallery.rename_collection("old", "new")
        renamed = [gallery.language(name) for name in ("old", "new")]
        deletion = gallery.trash.put_collection("new")
        deleted = gallery.language("new")
        gallery.trash.restore(deletion.deletion_id)

        assert (renamed, deleted) == (["", "zh-Hans"], "")
        assert [(summary.name, summary.language) for summary in gallery.collections()] == [("new", "zh-Hans")]

    def test_it_is_set_when_a_collection_is_created_and_can_be_forgotten(self, gallery):
        """A collection without photos has one; an empty tag is none."""
        assert gallery.create_collection("park", "fr").language == "fr"

        assert gallery.store_language("park", "").language == ""

    def test_only_a_collection_that_exists_has_one(self, gallery):
        """And only a language."""
        gallery.create_collection("park")

        with pytest.raises(UnknownCollection):
            gallery.store_language("nowhere", "en")
        with pytest.raises(InvalidRequest, match="BCP 47"):
            gallery.store_language("park", "not a language")

    def test_a_successor_of_the_same_name_does_not_inherit_it(self, gallery, new_image):
        """Neither after a permanent deletion, nor by a rename to the name of one that has ended."""
        (gone,) = gallery.add([new_image(1, collection="ended")])
        gallery.store_language("ended", "zh")
        gallery.delete(gone.image.image_id)
        gallery.create_collection("park", "fr")
        gallery.delete_collection("park")

        gallery.add([new_image(2, collection="park")])
        gallery.add([new_image(3, collection="east")])
        gallery.rename_collection("east", "ended")

        assert [gallery.language(name) for name in ("park", "ended")] == ["", ""]


def test_a_backup_carries_them(folder, fingerprint, new_image, tmp_path):
    """What is restored has all texts, and the language of the collection."""
    with closing(Gallery.open(folder, fingerprint)) as gallery:
        gallery.add([new_image(1, place=VASE)])
        gallery.store_language("default", "zh")

    back_up(folder, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")

    with Gallery.open(tmp_path / "restored", fingerprint) as restored:
        assert texts_of(restored) == VASE.texts
        assert restored.language("default") == "zh"
