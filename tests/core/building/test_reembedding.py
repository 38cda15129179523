"""Another encoder for a gallery that is there already: embedding, switching, going back."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.sounds import wav

from core.building.reembedding import reembed
from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery import DATABASE_NAME, Gallery, ImageChange, NewImage
from core.gallery.maintenance.encoder_switch import roll_back, switch
from core.gallery.maintenance.reembedded_vectors import PREVIOUS_FOLDER, SHADOW_FOLDER, ReembeddedVectors
from core.gallery.values import TextChange
from core.imaging.copies import encode_preview
from core.imaging.decoding import decode_image
from core.results import GalleryImage, Place
from scripts import reembed_gallery

OLD = ThumbnailEncoder(name="old")
NEW = ThumbnailEncoder(name="new", local_features=True)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A gallery of five places, made by the old encoder and at rest."""
    folder = tmp_path / "gallery"
    with Gallery.open(folder, OLD.fingerprint) as gallery:
        gallery.add([drawn(seed) for seed in range(5)])
        gallery.add([drawn(1, collection="park", place=Place("gate", "Gate", "wide", {"room": 3}))])
    return folder


def drawn(seed: int, encoder: ThumbnailEncoder = OLD, **fields) -> NewImage:
    """The place number ``seed``, ready to be stored."""
    data = encode(draw_place(seed))
    image = decode_image(data).image
    encodings = encoder.encode([image])
    return NewImage(
        data,
        f"{seed}.jpg",
        "image/jpeg",
        *image.size,
        encode_preview(image),
        -encodings.embeddings[0] if encoder is OLD else encodings.embeddings[0],
        encodings.local_features[0],
        **fields,
    )


def images_of(folder: Path) -> list[GalleryImage]:
    """All that a reader sees."""
    with Gallery.open(folder, None, read_only=True) as gallery:
        return list(gallery.list_images(limit=100).images)


def reembed_and_switch(folder: Path, encoder: ThumbnailEncoder = NEW) -> int:
    """What the script does; return how many photos were embedded."""
    with ReembeddedVectors(folder, encoder.fingerprint) as reembedded:
        embedded = sum(reembed(reembedded, encoder, batch_size=2))
        switch(reembedded)
    return embedded


def test_only_vectors_and_features_change(folder):
    """After the switch rows, places and photos are as before, and searches go by the new encoder's vectors."""
    before = images_of(folder)

    assert reembed_and_switch(folder) == 5  # of six images two show the same bytes

    assert images_of(folder) == before
    with Gallery.open(folder, NEW.fingerprint) as gallery:
        for image in before:
            photo = decode_image(gallery.original_path(image.image_id).read_bytes()).image
            best = gallery.search(NEW.encode([photo]).embeddings[0], image.collection)[0]
            assert best.image == image
            assert best.similarity == pytest.approx(1)
            assert gallery.local_features([image.image_id])[0] is not None
        assert gallery.add([drawn(9, NEW)])[0].status == "added"
    assert not (folder / SHADOW_FOLDER).exists()


def test_what_is_in_the_trash_is_embedded_too(folder):
    """A deletion before the switch can be undone after it, and after going back."""
    image = images_of(folder)[0]
    with Gallery.open(folder, OLD.fingerprint) as gallery:
        deletion = gallery.trash.put_image(image.image_id)
    reembed_and_switch(folder)

    with Gallery.open(folder, NEW.fingerprint) as gallery:
        photo = decode_image(gallery.fetch_original(image).read_bytes()).image
        assert gallery.trash.restore(deletion.deletion_id) == 1
        best = gallery.search(NEW.encode([photo]).embeddings[0], image.collection)[0]
        assert (best.image.image_id, best.similarity) == (image.image_id, pytest.approx(1))
    with pytest.raises(GalleryUnavailable, match="changed since the switch"):
        roll_back(folder)


def test_it_goes_on_where_it_stopped(folder):
    """What an interrupted run has embedded is not embedded again; photos deleted and added meanwhile are noticed."""
    with ReembeddedVectors(folder, NEW.fingerprint) as reembedded:
        assert list(islice(reembed(reembedded, NEW, batch_size=2), 1)) == [2]
    with Gallery.open(folder, OLD.fingerprint) as gallery:
        gallery.delete(images_of(folder)[0].image_id)
        gallery.delete(images_of(folder)[3].image_id)
        gallery.add([drawn(7), drawn(8)])

    assert reembed_and_switch(folder) == 4

    with Gallery.open(folder, NEW.fingerprint) as gallery:
        image_ids, embeddings = gallery.embeddings()
        assert len(image_ids) == 5
        for image_id, embedding in zip(image_ids, embeddings, strict=True):
            photo = decode_image(gallery.original_path(image_id).read_bytes()).image
            np.testing.assert_allclose(embedding, NEW.encode([photo]).embeddings[0], atol=1e-6)


def test_the_gallery_stays_in_use_while_photos_are_embedded(folder):
    """Between batches the old encoder's gallery is searched and changed; an image deleted meanwhile is passed over."""
    with Gallery.open(folder, OLD.fingerprint) as gallery:
        images = gallery.list_images().images
        with ReembeddedVectors(folder, NEW.fingerprint) as reembedded:
            batches = reembed(reembedded, NEW, batch_size=1)
            next(batches)
            gallery.delete(images[3].image_id)
            assert gallery.search(drawn(2).embedding)[0].image == images[2]
            assert sum(batches) == 4
            assert reembedded.missing() == {}


class TestSwitching:
    def test_a_gallery_in_use_is_not_switched(self, folder):
        """While another has the gallery open, reader or writer, the switch is refused and nothing is changed."""
        for read_only in (False, True):
            with (
                Gallery.open(folder, None, read_only=read_only),
                pytest.raises(GalleryUnavailable, match="stop the services"),
            ):
                reembed_and_switch(folder)
            with Gallery.open(folder, OLD.fingerprint) as gallery:
                assert gallery.count() == 6

        assert reembed_and_switch(folder) == 0

    def test_a_change_during_the_switch_is_noticed(self, folder, monkeypatch):
        """What is added while the next database is made is not lost: the switch is refused."""
        with ReembeddedVectors(folder, NEW.fingerprint) as reembedded:
            list(reembed(reembedded, NEW))
            copy_to = reembedded.source.copy_to

            def copy_then_add(path):
                copy_to(path)
                with Gallery.open(folder, OLD.fingerprint) as gallery:
                    gallery.add([drawn(7)])

            monkeypatch.setattr(reembedded.source, "copy_to", copy_then_add)
            with pytest.raises(GalleryUnavailable, match="changed meanwhile"):
                switch(reembedded)

        assert len(images_of(folder)) == 7
        assert reembed_and_switch(folder) == 1

    def test_an_unfinished_embedding_is_not_switched_to(self, folder):
        """Every photo needs its vector first."""
        with (
            ReembeddedVectors(folder, NEW.fingerprint) as reembedded,
            pytest.raises(GalleryUnavailable, match="5 photos have no vector"),
        ):
            switch(reembedded)

        Gallery.open(folder, OLD.fingerprint).close()

    @pytest.mark.parametrize("calls_survived", range(2))
    def test_dying_on_the_way_leaves_a_whole_gallery(self, folder, monkeypatch, calls_survived):
        """Interrupted before either rename, the gallery is the old encoder's; the next attempt succeeds."""
        interrupt_replacing(monkeypatch, calls_survived)
        with pytest.raises(KeyboardInterrupt):
            reembed_and_switch(folder)
        monkeypatch.undo()
        with Gallery.open(folder, OLD.fingerprint) as gallery:
            assert gallery.count() == 6

        assert reembed_and_switch(folder) == 0

        assert len(images_of(folder)) == 6
        assert roll_back(folder) == OLD.fingerprint


class TestGoingBack:
    def test_rollback_restores_the_old_vectors_and_can_be_undone(self, folder):
        """Going back gives the former database, going back again the newer one."""
        reembed_and_switch(folder)

        assert roll_back(folder) == OLD.fingerprint
        with Gallery.open(folder, OLD.fingerprint) as gallery:
            assert gallery.search(drawn(2).embedding)[0].similarity == pytest.approx(1)
        assert roll_back(folder) == NEW.fingerprint
        Gallery.open(folder, NEW.fingerprint).close()

    @pytest.mark.parametrize("change", ["add", "delete", "edit", "texts", "record", "hide", "language", "present"])
    def test_changes_since_the_switch_are_never_lost(self, folder, change: str):
        """A changed gallery is not rolled back; embedding it again with the old encoder reuses its vectors."""
        reembed_and_switch(folder)
        changes: dict[str, Callable[[Gallery, str], object]] = {
            "add": lambda gallery, _: gallery.add([drawn(7, NEW)]),
            "delete": lambda gallery, image_id: gallery.delete(image_id),
            "edit": lambda gallery, image_id: gallery.update(image_id, ImageChange(place_name="New name")),
            "texts": lambda gallery, image_id: gallery.update(image_id, ImageChange(texts={"en": TextChange("Name")})),
            "record": lambda gallery, _: gallery.recordings.put("park", "gate", "en", wav()),
            "hide": lambda gallery, image_id: gallery.update(image_id, ImageChange(is_hidden=True)),
            "language": lambda gallery, _: gallery.store_language("default", "zh"),
            "present": lambda gallery, _: gallery.change_branding("default", {"title": "New"}),
        }
        with Gallery.open(folder, NEW.fingerprint) as gallery:
            changes[change](gallery, gallery.list_images().images[0].image_id)
        changed = images_of(folder)

        with pytest.raises(GalleryUnavailable, match="changed since the switch"):
            roll_back(folder)

        assert reembed_and_switch(folder, OLD) == (1 if change == "add" else 0)
        assert images_of(folder) == changed
        Gallery.open(folder, OLD.fingerprint).close()

    def test_a_database_of_an_earlier_version_is_gone_back_to(self, folder):
        """The program may have been upgraded since the switch; the former database is, then."""
        reembed_and_switch(folder)
        with closing(sqlite3.connect(folder / PREVIOUS_FOLDER / DATABASE_NAME)) as former:
            former.executescript(
                "DROP TABLE brandings; DROP TABLE former_names; DROP TABLE collection_languages; "
                "DROP INDEX hidden_places; ALTER TABLE places DROP COLUMN is_hidden; "
                "DROP INDEX places_with_recordings; ALTER TABLE places DROP COLUMN recordings; "
                "ALTER TABLE places DROP COLUMN texts; PRAGMA user_version = 6;"
            )

        assert roll_back(folder) == OLD.fingerprint

        assert len(images_of(folder)) == 6

    def test_nothing_to_go_back_to(self, folder):
        """Without a switch there is no rollback."""
        with pytest.raises(GalleryUnavailable, match="nothing to go back to"):
            roll_back(folder)

    @pytest.mark.parametrize("calls_survived", range(2))
    def test_dying_on_the_way_back_leaves_a_whole_gallery(self, folder, monkeypatch, calls_survived):
        """Interrupted between any two renames, a rollback leaves one of the two galleries, whole."""
        reembed_and_switch(folder)
        interrupt_replacing(monkeypatch, calls_survived)

        with pytest.raises(KeyboardInterrupt):
            roll_back(folder)

        monkeypatch.undo()
        with Gallery.open(folder, None) as gallery:
            assert gallery.fingerprint == (NEW if calls_survived == 0 else OLD).fingerprint
            assert gallery.count() == 6
        assert (folder / PREVIOUS_FOLDER / DATABASE_NAME).is_file()


class TestRefused:
    def test_the_gallerys_own_encoder(self, folder):
        """There is nothing to do for the encoder that made the gallery."""
        with pytest.raises(InvalidRequest, match="already made by old"):
            ReembeddedVectors(folder, OLD.fingerprint)

    def test_the_gallerys_own_encoder_recorded_as_before(self, folder):
        """Nor where an earlier version wrote down the same weights in another way."""
        same = replace(OLD.fingerprint, weights="in another way", earlier_weights=OLD.fingerprint.weights)

        with pytest.raises(InvalidRequest, match="already made by old"):
            ReembeddedVectors(folder, same)

    def test_a_third_encoder_in_between(self, folder):
        """Unfinished work of another encoder is neither mixed in nor thrown away."""
        ReembeddedVectors(folder, NEW.fingerprint).close()

        with pytest.raises(InvalidRequest, match="unfinished work of new"):
            ReembeddedVectors(folder, ThumbnailEncoder(name="third").fingerprint)

    @pytest.mark.parametrize("damage", ["missing", "torn"])
    def test_a_damaged_original_is_named(self, folder, damage):
        """An original that cannot be read stops the work with its path; the gallery stays as it is."""
        path = Path(images_of(folder)[2].path)
        path.write_bytes(path.read_bytes()[:200]) if damage == "torn" else path.unlink()

        with pytest.raises(GalleryUnavailable, match=f"damaged: .*{path.name}"):
            reembed_and_switch(folder)

        assert len(images_of(folder)) == 6


class TestScript:
    def test_the_documented_commands(self, folder, monkeypatch, capsys):
        """Embed, switch, go back: each says what it did."""
        monkeypatch.setattr(reembed_gallery, "create_encoder", lambda *_, **__: NEW)
        gallery = ["--gallery", str(folder)]

        assert reembed_gallery.main([*gallery, "--encoder", "new"]) == 0
        assert "5 photos embedded" in (printed := capsys.readouterr().out)
        assert "with --switch" in printed
        assert reembed_gallery.main([*gallery, "--encoder", "new", "--switch"]) == 0
        assert "is made by new" in capsys.readouterr().out
        assert reembed_gallery.main([*gallery, "--rollback"]) == 0
        assert "is made by old" in capsys.readouterr().out

    def test_a_gallery_in_use_is_refused_before_any_work(self, folder, capsys):
        """--switch looks first whether the services have stopped."""
        with Gallery.open(folder, None):
            assert reembed_gallery.main(["--gallery", str(folder), "--encoder", "embedded", "--switch"]) == 2

        assert "stop the services" in capsys.readouterr().err
        assert not (folder / SHADOW_FOLDER).exists()


def interrupt_replacing(monkeypatch, calls_survived: int) -> None:
    """Let the process die at a rename, after so many."""
    replace_path, calls = Path.replace, iter(range(100))

    def replace_or_die(self, target):
        if next(calls) == calls_survived:
            raise KeyboardInterrupt
        return replace_path(self, target)

    monkeypatch.setattr(Path, "replace", replace_or_die)
