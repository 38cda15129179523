"""Galleries of one encoder become one."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.sounds import wav

from core.building.indexing import PhotoToIndex, index_photos
from core.building.labels import read_folder
from core.building.merging import MergedBatch, merge
from core.building.work_shards import Shard
from core.errors import EncoderMismatch, GalleryUnavailable
from core.gallery import DATABASE_NAME, DEFAULT_COLLECTION, Gallery, ImageChange, Storage
from core.gallery.storage import LOCAL
from core.gallery.validation import MOST_LANGUAGES
from core.gallery.values import TextChange
from core.local_features.codec import pack
from scripts import build_database, merge_galleries

ROOT = Path(__file__).parents[3]
ENCODER = ThumbnailEncoder(local_features=True)
SHARDS = (1, 2, 3)
Known = dict[tuple[str, str], tuple[object, ...]]


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Twelve photos of five places, one of them described in a manifest, in two languages, and a photo of no place."""
    folder = tmp_path_factory.mktemp("photos")
    rows = ["file,place_id,place_name,description,latitude,longitude,metadata,description.de"]
    for number in range(13):
        (folder / f"{number}.jpg").write_bytes(encode(draw_place(number, (96, 72))))
        place = f"p{number % 5}"
        described = (
            f'{place},Gate {place},"Wide, old",1.5,2.5,"{{""room"": 3}}",Alt' if place == "p3" else f"{place},,,,,,"
        )
        rows.append(f"{number}.jpg,{described if number < 12 else ',,,,,,'}")
    (folder / "manifest.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def shards(photos, tmp_path_factory) -> list[Path]:
    """Three galleries, each of a part of the photos."""
    folder = tmp_path_factory.mktemp("shards")
    return [build(photos, folder / str(number), Shard(number, len(SHARDS))) for number in SHARDS]


def build(photos: Path, folder: Path, shard: Shard | None = None, encoder: ThumbnailEncoder = ENCODER) -> Path:
    """What build_database does, with an encoder that takes no time."""
    listed = [PhotoToIndex(photo.path, photo.place) for photo in read_folder(photos, "reference", shard)]
    with Gallery.open(folder, encoder.fingerprint) as gallery:
        assert {outcome.status for outcome in index_photos(gallery, encoder, listed, DEFAULT_COLLECTION)} == {"added"}
    return folder


def merge_all(target: Path, sources: Sequence[Path]) -> list[MergedBatch]:
    """Merge one after the other; return what became of each batch."""
    batches = []
    for folder in sources:
        with (
            Gallery.open(folder, None, read_only=True) as source,
            Gallery.open(target, source.fingerprint, load_vectors=False) as opened,
        ):
            batches += merge(source, opened)
    return batches


def contents(folder: Path, storage: Storage = LOCAL) -> Known:
    """All that a gallery holds, by collection and content, but for ids and times, which every build makes anew."""
    found: Known = {}
    with Gallery.open(folder, None, read_only=True, storage=storage) as gallery:
        for collection in gallery.collections():
            image_ids, embeddings = gallery.embeddings(collection.name)
            features = gallery.local_features(image_ids)
            for image_id, embedding, local_features in zip(image_ids, embeddings, features, strict=True):
                image, place = gallery.get(image_id), gallery.get(image_id).place
                assert local_features is not None
                found[collection.name, image.content_hash] = (
                    "its own" if place.place_id == image_id else place,
                    (image.filename, image.media_type, image.width, image.height, image.byte_size),
                    embedding.tobytes(),
                    pack(local_features),
                    gallery.original_path(image_id).read_bytes(),
                    gallery.preview_path(image_id).read_bytes(),
                )
    return found


def test_shards_merged_equal_one_build(photos, shards, tmp_path):
    """Photos, places, vectors, features and files are those of a build in one go; the sources stay as they are."""
    before = [contents(shard) for shard in shards]

    batches = merge_all(tmp_path / "merged", shards)

    assert sum(batch.added for batch in batches) == 13
    assert contents(tmp_path / "merged") == contents(build(photos, tmp_path / "whole"))
    assert [contents(shard) for shard in shards] == before
    with Gallery.open(tmp_path / "merged", ENCODER.fingerprint) as gallery:
        assert gallery.places().total == 6
        for image in gallery.all_images(DEFAULT_COLLECTION):
            photo = ENCODER.encode([draw_place(int(Path(image.filename).stem), (96, 72))]).embeddings[0]
            assert gallery.search(photo)[0].image == image


def test_image_ids_stay(shards, tmp_path):
    """What was written down of an image, in feedback or in another system, still names it."""
    merge_all(tmp_path / "merged", shards)

    with Gallery.open(tmp_path / "merged", None, read_only=True) as gallery:
        for shard in shards:
            with Gallery.open(shard, None, read_only=True) as source:
                for image in source.all_images(DEFAULT_COLLECTION):
                    merged = gallery.get(image.image_id)
                    assert (merged.content_hash, merged.place) == (image.content_hash, image.place)


def test_a_second_merge_adds_nothing(shards, tmp_path):
    """Merging again changes nothing, not even what was edited in between."""
    merge_all(tmp_path / "merged", shards)
    with Gallery.open(tmp_path / "merged", None) as gallery:
        gallery.update(
            next(iter(gallery.all_images(DEFAULT_COLLECTION))).image_id,
            ImageChange(place_name="Renamed", description="New"),
        )
    edited = contents(tmp_path / "merged")

    batches = merge_all(tmp_path / "merged", shards)

    assert (sum(batch.added for batch in batches), sum(batch.known for batch in batches)) == (0, 13)
    assert contents(tmp_path / "merged") == edited


def test_the_language_of_a_collection_comes_along(photos, tmp_path):
    """Where the target knows none; one that it knows stays."""
    sources = [build(photos, tmp_path / name, Shard(1, 6)) for name in ("first", "second")]
    for folder, language in zip(sources, ("zh", "en"), strict=True):
        with Gallery.open(folder, None) as gallery:
            gallery.store_language(DEFAULT_COLLECTION, language)

    merge_all(tmp_path / "merged", sources)

    with Gallery.open(tmp_path / "merged", None, read_only=True) as gallery:
        assert gallery.language() == "zh"


@pytest.mark.parametrize("is_known", [False, True], ids=["new places", "known places"])
def test_recordings_come_along(photos, tmp_path, is_known: bool):
    """With their bytes and their transcripts; one that the target has in the same language stays."""
    if is_known:
        build(photos, tmp_path / "merged", Shard(1, 6))
    sources = [build(photos, tmp_path / name, Shard(1, 6)) for name in ("first", "second")]
    for folder, pitch in zip(sources, (440, 550), strict=True):
        with Gallery.open(folder, None) as gallery:
            place_id = next(iter(gallery.all_places(DEFAULT_COLLECTION))).place.place_id
            gallery.recordings.put(DEFAULT_COLLECTION, place_id, "en", wav(pitch=pitch))
            change = ImageChange(texts={"en": TextChange(transcript=f"{pitch} Hz")})
            gallery.change_place(DEFAULT_COLLECTION, place_id, change)

    merge_all(tmp_path / "merged", sources)

    with Gallery.open(tmp_path / "merged", None, read_only=True) as gallery:
        with gallery.recordings.open(DEFAULT_COLLECTION, place_id, "en")[1] as file:
            assert file.read() == wav(pitch=440)
        assert gallery.place(DEFAULT_COLLECTION, place_id).place.texts["en"].transcript == "440 Hz"


def test_a_recording_that_cannot_come_along_keeps_no_other_back(photos, tmp_path, caplog):
    """Where the target's place has texts in as many languages as it may; the log names it."""
    source, target = (build(photos, tmp_path / name, Shard(1, 3)) for name in ("source", "merged"))
    with Gallery.open(source, None) as gallery:
        full, *_, last = (summary.place.place_id for summary in gallery.all_places(DEFAULT_COLLECTION))
        for place_id in (full, last):
            gallery.recordings.put(DEFAULT_COLLECTION, place_id, "fr", wav())
    with Gallery.open(target, None) as gallery:
        known = gallery.place(DEFAULT_COLLECTION, full).place.texts
        further = {f"en-x-{number}": TextChange("Gate") for number in range(MOST_LANGUAGES - len(known))}
        gallery.change_place(DEFAULT_COLLECTION, full, ImageChange(texts=further))

    merge_all(target, [source])

    with Gallery.open(target, None, read_only=True) as gallery:
        recorded = {s.place.place_id for s in gallery.all_places(DEFAULT_COLLECTION) if "fr" in s.place.texts}
    assert recorded == {last}
    assert f"the recording of place {full!r} in fr does not come along: too many languages" in caplog.text


def test_a_renamed_collection_is_another(shards, tmp_path):
    """After a rename in the target the same photos come again under the old name, with ids of their own."""
    merge_all(tmp_path / "merged", shards[:1])
    with Gallery.open(tmp_path / "merged", None) as gallery:
        gallery.rename_collection(DEFAULT_COLLECTION, "museum")

    merge_all(tmp_path / "merged", shards[:1])

    with Gallery.open(tmp_path / "merged", None, read_only=True) as gallery:
        museum, default = ({image.image_id for image in gallery.all_images(n)} for n in ("museum", DEFAULT_COLLECTION))
        assert len(museum) == len(default) > 0
        assert not museum & default


def test_an_interrupted_merge_goes_on(photos, tmp_path):
    """Killed with kill -9 after some batches, the merge passes over what is there and ends with what one go gives."""
    source = build(photos, tmp_path / "source")
    command = [sys.executable, Path(__file__).with_name("merging_process.py"), tmp_path / "merged", source]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "3 0\n"
        process.kill()
    with Gallery.open(tmp_path / "merged", None, read_only=True) as gallery:
        acknowledged = gallery.count()

    batches = merge_all(tmp_path / "merged", [source])

    assert 3 <= acknowledged < 13
    assert sum(batch.known for batch in batches) == acknowledged
    assert contents(tmp_path / "merged") == contents(source)


def test_another_encoders_shard_is_refused(photos, shards, tmp_path, capsys):
    """Vectors of two encoders are never mixed: the script names the shard, and nothing is made."""
    other = build(photos, tmp_path / "other", Shard(1, 3), ThumbnailEncoder(name="other"))

    code = merge_galleries.main(["--into", str(tmp_path / "merged"), str(shards[0]), str(other)])

    assert code == 2
    assert f"error: {other} was made by other" in capsys.readouterr().err
    assert not (tmp_path / "merged").exists()
    with pytest.raises(EncoderMismatch):
        merge_all(other, shards)


def test_a_damaged_photo_stops_the_merge(photos, tmp_path):
    """A photo that is no longer as it was written is named; after it is restored, the merge goes on."""
    source = build(photos, tmp_path / "source")
    with Gallery.open(source, None, read_only=True) as gallery:
        path = gallery.original_path(list(gallery.all_images(DEFAULT_COLLECTION))[5].image_id)
    whole = path.read_bytes()
    path.write_bytes(bytes(len(whole)))

    with pytest.raises(GalleryUnavailable, match=path.name):
        merge_all(tmp_path / "merged", [source])

    path.write_bytes(whole)
    merge_all(tmp_path / "merged", [source])
    assert contents(tmp_path / "merged") == contents(source)


@pytest.mark.parametrize("lost", ["original", "preview"])
def test_a_lost_photo_stops_the_merge(photos, tmp_path, lost):
    """A photo that is missing while its image is not is named."""
    source = build(photos, tmp_path / "source")
    with Gallery.open(source, None, read_only=True) as gallery:
        image_id = list(gallery.all_images(DEFAULT_COLLECTION))[5].image_id
        path = gallery.original_path(image_id) if lost == "original" else gallery.preview_path(image_id)
    path.unlink()

    with pytest.raises(GalleryUnavailable, match=path.name):
        merge_all(tmp_path / "merged", [source])


@pytest.mark.parametrize("moment", ["get", "original_path", "preview_path", "local_features"])
@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
def test_an_image_deleted_meanwhile_is_passed_over(photos, tmp_path, monkeypatch, moment, is_before):
    """Deleted by a service at any moment of its reading, an image is left out; all others come, with their features."""
    folder = build(photos, tmp_path / "source")
    with (
        Gallery.open(folder, None) as service,
        Gallery.open(folder, None, read_only=True) as source,
        Gallery.open(tmp_path / "merged", source.fingerprint) as target,
    ):
        doomed = list(service.all_images(DEFAULT_COLLECTION))[5].image_id
        read = getattr(source, moment)

        def delete_meanwhile(asked):
            is_now = doomed in asked and service.count() == 13
            answers = [] if is_now and is_before else [read(asked)]
            if is_now:
                service.delete(doomed)
            return answers[0] if answers else read(asked)

        monkeypatch.setattr(source, moment, delete_meanwhile)
        assert sum(batch.added for batch in merge(source, target)) == 12

    assert contents(tmp_path / "merged") == contents(folder)


def test_features_of_the_sources_are_not_kept(shards, tmp_path, monkeypatch):
    """However many parts are merged, the features of an image are in memory no longer than its batch."""
    kept = []

    def merge_and_look(source, target):
        yield from merge(source, target)
        kept.append(source.feature_cache.byte_size)

    monkeypatch.setattr(merge_galleries, "merge", merge_and_look)

    assert merge_galleries.main(["--into", str(tmp_path / "merged"), *map(str, shards)]) == 0
    assert kept == [0, 0, 0]


class CountingEncoder(ThumbnailEncoder):
    """Counts the photos that it is given."""

    def __init__(self) -> None:
        super().__init__(local_features=True)
        self.encoded = 0

    def encode(self, images):
        self.encoded += len(images)
        return super().encode(images)


def test_the_scripts_build_in_parts_and_merge(photos, tmp_path, monkeypatch, capsys):
    """Parts built by the script, each begun twice, encode every photo once, and the merge none."""
    encoder = CountingEncoder()
    monkeypatch.setattr(build_database, "create_encoder", lambda *_, **__: encoder)
    folders = [str(tmp_path / str(number)) for number in SHARDS]
    for number, folder in zip(SHARDS * 2, folders * 2, strict=True):
        command = ["--image-dir", str(photos), "--output-dir", folder, "--shard", f"{number}/{len(SHARDS)}"]
        assert build_database.main(command) == 0

    assert merge_galleries.main(["--into", str(tmp_path / "merged"), *folders]) == 0

    assert encoder.encoded == 13
    assert "merged: 13 images, made by thumbnail" in capsys.readouterr().out
    assert contents(tmp_path / "merged") == contents(build(photos, tmp_path / "whole"))


def test_shards_may_write_into_one_shared_gallery(photos, shards, tmp_path, monkeypatch, postgres):
    """With --database-url all parts go into one PostgreSQL, two of them at once, and nothing is left to merge."""
    monkeypatch.setattr(build_database, "create_encoder", lambda *_, **__: ENCODER)
    url = postgres.create_database()
    into = ["--output-dir", str(tmp_path / "shared"), "--database-url", url]
    command = ["--image-dir", str(photos), *into, "--shard"]
    with ThreadPoolExecutor(2) as machines:
        assert list(machines.map(lambda number: build_database.main([*command, f"{number}/3"]), (1, 2))) == [0, 0]

    merged = ["--into", str(tmp_path / "shared"), "--database-url", url, str(shards[2])]
    assert merge_galleries.main(merged) == 0

    whole = contents(build(photos, tmp_path / "whole"))
    assert contents(tmp_path / "shared", Storage(database_url=url)) == whole


def test_a_shard_may_be_empty(photos, tmp_path):
    """Of few photos in many parts some part has none: its gallery is made all the same, and merges as nothing."""
    empty = next(n for n in range(1, 101) if not read_folder(photos, "reference", Shard(n, 100)))
    command = ["--image-dir", str(photos), "--output-dir", str(tmp_path / "empty"), "--shard", f"{empty}/100"]

    assert build_database.main(command) == 0
    assert merge_galleries.main(["--into", str(tmp_path / "merged"), str(tmp_path / "empty")]) == 0


def test_no_gallery_is_merged_into_itself(shards, capsys):
    """The mistake is named before anything is opened for writing."""
    assert merge_galleries.main(["--into", str(shards[0]), str(shards[1]), str(shards[0])]) == 2
    assert "into itself" in capsys.readouterr().err


def test_the_services_index_learns_of_each_photo(photos, tmp_path, monkeypatch):
    """With --vector-index milvus what is built waits in the outbox, whether or not Milvus is there just then."""
    monkeypatch.setattr(build_database, "create_encoder", lambda *_, **__: ENCODER)
    index = ["--vector-index", "milvus", "--vector-index-options", '{"uri": "http://127.0.0.1:1"}']

    assert build_database.main(["--image-dir", str(photos), "--output-dir", str(tmp_path / "gallery"), *index]) == 0

    with closing(sqlite3.connect(tmp_path / "gallery" / DATABASE_NAME)) as database:
        assert database.execute("SELECT count(*) FROM outbox").fetchone() == (13,)
