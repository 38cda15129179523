"""Recordings of places: stored once beside the photos, as long as a place or the trash has them."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from databases import on_both_databases
from fakes.sounds import ogg, wav

from core.errors import (
    GalleryUnavailable,
    InvalidRequest,
    UnknownCollection,
    UnknownPlace,
    UnknownRecording,
    UnsupportedAudio,
)
from core.gallery import Gallery, ImageChange
from core.gallery.audio import read_recording
from core.gallery.maintenance.backup import back_up, check_gallery, restore
from core.gallery.photos.port import LostPhoto
from core.gallery.tags import place_tag
from core.gallery.values import NewRecording, PlaceCorrections, TextChange
from core.results import Place, PlaceText

VASE = Place("vase", "青花瓶", texts={"en": PlaceText("Vase", "Blue")})
ENGLISH, CHINESE, JAPANESE, OTHER = wav(pitch=440), wav(pitch=550), wav(pitch=660), ogg()


@pytest.fixture
def vase(gallery, new_image) -> Gallery:
    """A vase with a recording in English."""
    gallery.add([new_image(1, place=VASE)])
    gallery.recordings.put("default", "vase", "EN", ENGLISH)
    return gallery


def heard(gallery: Gallery, language: str = "en", place_id: str = "vase", collection: str = "default") -> bytes | None:
    """The bytes of a recording; None where there is none."""
    try:
        with gallery.recordings.open(collection, place_id, language)[1] as file:
            return file.read()
    except UnknownRecording:
        return None


def stored(folder: Path) -> set[bytes]:
    """All recordings on the disk."""
    return {path.read_bytes() for path in (folder / "originals").rglob("*.[ow]*")}


def say(gallery: Gallery, **fields) -> None:
    """Change the English text."""
    gallery.change_place("default", "vase", ImageChange(texts={"en": TextChange(**fields)}))


@on_both_databases
class TestStored:
    def test_it_is_heard_by_its_language(self, vase, folder, fingerprint, storage):
        """Also in the collection's own, in which no other text is, and after a new start, which sweeps orphans."""
        summary = vase.recordings.put("default", "vase", "zh-hans", CHINESE)

        texts = summary.place.texts
        assert texts["en"] == PlaceText("Vase", "Blue", recording=read_recording(ENGLISH))
        assert texts["zh-Hans"] == PlaceText(recording=read_recording(CHINESE))
        with Gallery.open(folder, fingerprint, storage=storage) as again:
            assert (heard(again), heard(again, "zh-Hans"), heard(again, "fr")) == (ENGLISH, CHINESE, None)

    def test_another_one_takes_its_place(self, vase, folder):
        """The former bytes are gone; the transcript and the other texts stay."""
        say(vase, transcript="*Blue*, she says.")

        vase.recordings.put("default", "vase", "en", OTHER)

        assert heard(vase) == OTHER
        assert stored(folder) == {OTHER}
        assert vase.place("default", "vase").place.texts["en"].transcript == "*Blue*, she says."

    def test_its_transcript_goes_with_it(self, vase, folder):
        """Deleted, it is gone with its transcript; name and description stay, and deleting it again is an error."""
        say(vase, transcript="Blue")

        vase.recordings.remove("default", "vase", "en")

        assert (heard(vase), stored(folder)) == (None, set())
        assert vase.place("default", "vase").place == VASE
        with pytest.raises(UnknownRecording, match="vase"):
            vase.recordings.remove("default", "vase", "en")

    def test_no_change_of_a_text_touches_it(self, vase):
        """Not one that was read before it came, nor the end of the text beside it."""
        tag = place_tag(VASE)
        vase.change_place("default", "vase", ImageChange(texts={"en": TextChange(name="A vase")}), expected={tag})
        say(vase, transcript="Blue")

        vase.change_place("default", "vase", ImageChange(texts={"en": None}))

        assert vase.place("default", "vase").place.texts == {
            "en": PlaceText(transcript="Blue", recording=read_recording(ENGLISH))
        }

    def test_the_transcript_is_searched_and_the_recording_is_not(self, vase):
        """What the gallery notes of a recording is no text: parts of it find nothing."""
        say(vase, transcript="cobalt")
        recording = read_recording(ENGLISH)
        notes = ("record", "audio/wav", "hash", recording.content_hash[:8], str(recording.byte_size))

        found = {text: vase.places(text=text).total for text in ("cobalt", *notes)}

        assert found == {"cobalt": 1, **dict.fromkeys(notes, 0)}

    def test_two_places_may_have_the_same(self, vase, new_image, folder):
        """It is stored once, and stays until both are without it."""
        vase.add([new_image(2, place=Place("bell", "Bell"))])
        vase.recordings.put("default", "bell", "fr", ENGLISH)

        vase.recordings.remove("default", "vase", "en")
        first = (heard(vase, "fr", "bell"), stored(folder))
        vase.recordings.remove("default", "bell", "fr")

        assert (first, stored(folder)) == ((ENGLISH, {ENGLISH}), set())

    def test_what_cannot_be_stored_is_refused(self, vase, folder):
        """Bytes of no recording, an unknown place, a language that is none, one language too many; nothing is left."""
        for arguments, error in [
            (("vase", "en", b"no sound"), UnsupportedAudio),
            (("bell", "en", OTHER), UnknownPlace),
            (("vase", "en_US", OTHER), InvalidRequest),
        ]:
            with pytest.raises(error):
                vase.recordings.put("default", *arguments)
        further = {f"en-x-{number}": TextChange("Vase") for number in range(49)}
        vase.change_place("default", "vase", ImageChange(texts=further))
        with pytest.raises(InvalidRequest, match="too many languages"):
            vase.recordings.put("default", "vase", "fr", OTHER)

        assert (heard(vase), stored(folder)) == (ENGLISH, {ENGLISH})

    def test_it_comes_with_its_bytes_alone(self, vase, new_image):
        """A place that is added with a recording in its texts gets the texts: the bytes may not be in this gallery."""
        claimed = PlaceText("Bell", recording=read_recording(OTHER))

        vase.add([new_image(2, place=Place("bell", "Bell", texts={"en": claimed}))])

        assert vase.place("default", "bell").place.texts == {"en": PlaceText("Bell")}


def new(data: bytes, name: str = "guide.wav") -> NewRecording:
    """A recording of a manifest."""
    return NewRecording(name, read_recording(data), lambda: data)


@on_both_databases
class TestCorrected:
    def test_recordings_are_replaced_and_added_with_the_texts(self, vase, folder):
        """What is the same is no change; a transcript stays; a recording that no place has any more is deleted."""
        say(vase, transcript="Blue")
        changes = {"vase": ImageChange(texts={"fr": TextChange("Vase bleu")})}
        recordings = {"vase": {"en": new(OTHER), "fr": new(CHINESE, "bleu.wav")}}

        planned = vase.correct_places("default", changes, recordings, dry_run=True)
        before = heard(vase), stored(folder)
        corrected = vase.correct_places("default", changes, recordings)
        again = vase.correct_places("default", changes, recordings)

        assert before == (ENGLISH, {ENGLISH})
        assert planned == corrected
        (change,) = corrected.changes
        assert {tag: given.name for tag, given in change.recordings.items()} == {"en": "guide.wav", "fr": "bleu.wav"}
        assert again == PlaceCorrections()
        assert vase.place("default", "vase").place.texts == {
            "en": PlaceText("Vase", "Blue", transcript="Blue", recording=read_recording(OTHER)),
            "fr": PlaceText("Vase bleu", recording=read_recording(CHINESE)),
        }
        assert (heard(vase), heard(vase, "fr"), stored(folder)) == (OTHER, CHINESE, {OTHER, CHINESE})

    def test_a_place_has_all_of_its_changes_or_none(self, vase, new_image, folder):
        """One language too many refuses its texts too; other places are changed, unknown ones are named."""
        vase.add([new_image(2, place=Place("bell", "Bell"))])
        further = {f"en-x-{number}": TextChange("Vase") for number in range(49)}
        vase.change_place("default", "vase", ImageChange(texts=further))
        changes = dict.fromkeys(("vase", "bell", "none"), ImageChange(description="Old"))
        recordings = {place_id: {"fr": new(OTHER)} for place_id in changes}

        corrected = vase.correct_places("default", changes, recordings)

        (refused,) = corrected.refused
        assert "place 'vase': too many languages: 51" in str(refused)
        assert (corrected.changed, corrected.unknown) == (1, ("none",))
        assert vase.place("default", "vase").place.description == ""
        assert (heard(vase, "fr"), heard(vase, "fr", "bell")) == (None, OTHER)
        assert vase.place("default", "bell").place.description == "Old"

    def test_a_file_that_cannot_be_read_again_leaves_everything_as_it_was(self, vase, folder):
        """Neither texts nor files of the other recordings are left of a transaction that fails."""
        changed = NewRecording("changed.wav", read_recording(CHINESE), lambda: JAPANESE)
        changes = {"vase": ImageChange(description="Old")}

        with pytest.raises(InvalidRequest, match="has changed while it was read"):
            vase.correct_places("default", changes, {"vase": {"en": new(OTHER), "fr": changed}})

        assert vase.place("default", "vase").place.description == ""
        assert (heard(vase), stored(folder)) == (ENGLISH, {ENGLISH})


@on_both_databases
class TestMoved:
    def test_it_goes_with_the_place(self, vase, folder):
        """To another id, and with the collection to another name; visitors with the old name still hear it."""
        vase.move_images("default", "vessel", places=["vase"])
        vase.rename_collection("default", "museum")

        assert (heard(vase, place_id="vessel"), heard(vase, place_id="vessel", collection="museum")) == (ENGLISH,) * 2

    def test_a_merge_keeps_what_the_kept_place_lacks(self, vase, new_image, folder):
        """Of a language the recording and its transcript, or the text, that it has not; what is left is deleted."""
        texts = {"fr": PlaceText("Vase bleu"), "ja": PlaceText("花瓶")}
        vase.add([new_image(2, place=Place("jar", "Jar", texts=texts))])
        vase.recordings.put("default", "vase", "ja", JAPANESE)
        for language, data in (("en", OTHER), ("fr", CHINESE)):
            vase.recordings.put("default", "jar", language, data)
        vase.change_place("default", "jar", ImageChange(texts={"fr": TextChange(transcript="Bleu")}))
        vase.change_place("default", "vase", ImageChange(texts={"fr": TextChange("Un vase")}))

        summary, _ = vase.move_images("default", "vase", places=["jar"])

        assert summary.place.texts["fr"] == PlaceText("Un vase", transcript="Bleu", recording=read_recording(CHINESE))
        assert summary.place.texts["ja"] == PlaceText("花瓶", recording=read_recording(JAPANESE))
        assert (heard(vase), heard(vase, "fr")) == (ENGLISH, CHINESE)
        assert stored(folder) == {ENGLISH, CHINESE, JAPANESE}

    @pytest.mark.parametrize(
        ("own", "others", "kept"),
        [("Old", "New", "New"), ("Old", "", "Old"), ("", "New", "New")],
        ids=["both", "own", "the other's"],
    )
    def test_a_transcript_comes_with_its_recording(self, gallery, new_image, own, others, kept):
        """A place that has a transcript and no recording gets both from the other, or keeps its own."""
        gallery.add([new_image(seed, place=Place(name, name)) for seed, name in enumerate(("vase", "jar"))])
        gallery.recordings.put("default", "jar", "en", OTHER)
        for name, transcript in (("vase", own), ("jar", others)):
            change = ImageChange(texts={"en": TextChange(transcript=transcript)})
            gallery.change_place("default", name, change)

        summary, _ = gallery.move_images("default", "vase", places=["jar"])

        assert summary.place.texts["en"] == PlaceText(transcript=kept, recording=read_recording(OTHER))

    def test_it_ends_with_the_last_photo(self, vase, new_image, folder):
        """Moved to another place, or deleted permanently."""
        image = vase.add([new_image(2, place=Place("jar", "Jar"))])[0].image
        vase.recordings.put("default", "jar", "fr", OTHER)

        vase.update(image.image_id, ImageChange(place_id="bowl"))
        moved = stored(folder)
        vase.delete(vase.list_images(place_id="vase").images[0].image_id)

        assert (moved, stored(folder)) == ({ENGLISH}, set())


@on_both_databases
class TestTrash:
    def test_it_comes_back_with_the_place(self, vase, folder):
        """While the place is in the trash the recording is kept, and nobody hears it."""
        deletion = vase.trash.put_place("default", "vase")
        with pytest.raises(UnknownCollection):
            vase.recordings.open("default", "vase", "en")
        kept = stored(folder)

        vase.trash.restore(deletion.deletion_id)

        assert (kept, heard(vase)) == ({ENGLISH}, ENGLISH)

    def test_it_is_deleted_with_the_trash(self, vase, new_image, folder):
        """But for what another place has as well."""
        vase.add([new_image(2, place=Place("bell", "Bell"))])
        vase.recordings.put("default", "bell", "en", ENGLISH)
        vase.recordings.put("default", "vase", "fr", OTHER)
        vase.trash.put_place("default", "vase")

        vase.trash.empty()

        assert stored(folder) == {ENGLISH}

    def test_what_is_there_by_now_stays(self, vase, new_image, folder):
        """A place that has got a recording since keeps it; the one from the trash is deleted."""
        deletion = vase.trash.put_place("default", "vase")
        vase.add([new_image(2, place=Place("vase", "Vase"))])
        vase.recordings.put("default", "vase", "en", OTHER)

        vase.trash.restore(deletion.deletion_id)

        assert (heard(vase), stored(folder)) == (OTHER, {OTHER})

    def test_a_deleted_one_does_not_come_back(self, vase, new_image, folder):
        """With a photo or a collection that was deleted before it; other languages and other places keep theirs."""
        image = vase.add([new_image(2, place=VASE), new_image(3, place=Place("bell", "Bell"))])[0].image
        say(vase, transcript="Blue")
        for place_id, language, data in (("vase", "fr", CHINESE), ("bell", "en", JAPANESE)):
            vase.recordings.put("default", place_id, language, data)
        collection = vase.trash.put_collection("default")
        vase.add([new_image(4, place=VASE), new_image(5, place=VASE)])
        vase.recordings.put("default", "vase", "en", OTHER)
        photo = vase.trash.put_image(vase.list_images(place_id="vase").images[0].image_id)

        vase.recordings.remove("default", "vase", "en")
        for deletion in (photo, collection):
            vase.trash.restore(deletion.deletion_id)

        assert vase.get(image.image_id).place.texts == {
            "en": PlaceText("Vase", "Blue"), "fr": PlaceText(recording=read_recording(CHINESE))
        }  # fmt: skip
        assert (heard(vase, "fr"), heard(vase, "en", "bell"), stored(folder)) == (
            CHINESE,
            JAPANESE,
            {CHINESE, JAPANESE},
        )

    def test_a_photo_that_is_added_again_brings_it_back(self, vase, new_image, folder):
        """To the place that it showed; for another place it is deleted."""
        vase.trash.put_place("default", "vase")
        vase.add([new_image(1, place=Place("vase", "vase"))])
        again = heard(vase)
        vase.trash.put_place("default", "vase")
        vase.add([new_image(1, place=Place("jar", "Jar"))])

        assert (again, stored(folder)) == (ENGLISH, set())

    def test_a_whole_collection_has_it_too(self, vase, folder):
        """Deleted and restored, and deleted permanently."""
        deletion = vase.trash.put_collection("default")
        vase.trash.restore(deletion.deletion_id)
        restored = heard(vase)

        vase.delete_collection("default")

        assert (restored, stored(folder)) == (ENGLISH, set())


def test_a_backup_carries_it(vase, folder, fingerprint, tmp_path):
    """With its transcript; a torn recording is named, by a check and by a backup."""
    say(vase, transcript="Blue")

    summary = back_up(folder, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")

    assert (summary.images, summary.files) == (1, 4)
    with closing(Gallery.open(tmp_path / "restored", fingerprint)) as restored:
        assert (heard(restored), restored.place("default", "vase").place.texts["en"].transcript) == (ENGLISH, "Blue")
    assert check_gallery(folder).files == 2
    with vase.recordings.open("default", "vase", "en")[1] as file:
        path = Path(file.name)
    path.write_bytes(ENGLISH[:-1])
    for read in (lambda: back_up(folder, tmp_path / "another"), lambda: check_gallery(folder)):
        with pytest.raises(GalleryUnavailable, match=path.name):
            read()
    with pytest.raises(LostPhoto, match="in en is missing or damaged"):
        vase.recordings.open("default", "vase", "en")


def test_one_that_is_replaced_meanwhile_is_heard(vase):
    """The former or the present one, always whole: a recording that is replaced is not taken for a lost one."""
    following = [wav(0.01, pitch) for pitch in range(200, 260)]
    with ThreadPoolExecutor(1) as other:
        replacing = other.submit(lambda: [vase.recordings.put("default", "vase", "en", data) for data in following])
        results = {heard(vase)}
        while not replacing.done():
            results.add(heard(vase))
        replacing.result()

    assert results <= {ENGLISH, *following}


def test_an_orphan_is_swept_and_nothing_else(vase, folder, fingerprint):
    """A recording that was written by a process that died is deleted when the gallery is opened."""
    recording = read_recording(OTHER)
    orphan = folder / "originals" / recording.content_hash[:2] / f"{recording.content_hash}.ogg"
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(OTHER)

    with Gallery.open(folder, fingerprint):
        assert stored(folder) == {ENGLISH}
