"""The scripts on a gallery that several machines share: rows in PostgreSQL, photos in a bucket."""

from dataclasses import replace

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from servers.bucket import CREDENTIALS

from core.gallery import Gallery, NewImage, Storage
from core.gallery.orphans import Leftovers
from core.imaging.copies import encode_preview
from core.imaging.decoding import decode_image
from core.results import Place
from scripts import check_gallery, merge_galleries, sweep_photos


@pytest.fixture
def shared(postgres, bucket_server, monkeypatch) -> Storage:
    """Where nothing is yet."""
    bucket_server.empty()
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return Storage(postgres.create_database(), "s3://photos/gallery", bucket_server.endpoint)


@pytest.fixture
def options(shared) -> list[str]:
    """The same as options of a script."""
    return [
        *("--database-url", shared.database_url),
        *("--photo-store", shared.photo_store),
        *("--s3-endpoint", shared.s3_endpoint),
    ]


@pytest.fixture
def local(tmp_path):
    """A gallery of one machine, with three places."""
    encoder = ThumbnailEncoder(local_features=True)
    with Gallery.open(tmp_path / "local", encoder.fingerprint) as gallery:
        for seed in range(3):
            data = encode(draw_place(seed), "jpeg")
            decoded = decode_image(data)
            encodings = encoder.encode([decoded.image])
            gallery.add(
                [
                    NewImage(
                        data=data,
                        filename=f"{seed}.jpg",
                        media_type=decoded.media_type,
                        width=decoded.width,
                        height=decoded.height,
                        preview=encode_preview(decoded.image),
                        embedding=encodings.embeddings[0],
                        local_features=encodings.local_features[0],
                        place=Place(f"p{seed}", f"Place {seed}", f"Number {seed}"),
                    )
                ]
            )
        yield gallery


def test_the_services_variables_name_the_gallery(tmp_path, local, shared, monkeypatch, capsys):
    """Where a service's variables are set a script writes into its gallery, unless told to make one of its own."""
    monkeypatch.setenv("M1_DATABASE_URL", shared.database_url)
    monkeypatch.setenv("M1_PHOTO_STORE", shared.photo_store)
    monkeypatch.setenv("M1_S3_ENDPOINT", shared.s3_endpoint)
    assert merge_galleries.main(["--into", str(tmp_path / "copies"), str(local.folder)]) == 0
    assert merge_galleries.main(["--into", str(tmp_path / "own"), str(local.folder), "--database-url", ""]) == 0

    with (
        Gallery.open(tmp_path / "elsewhere", None, read_only=True, storage=shared) as moved,
        Gallery.open(tmp_path / "own", None, read_only=True) as own,
    ):
        assert moved.count() == own.count() == local.count()

    monkeypatch.setenv("M1_VECTOR_INDEX_OPTIONS", "{")
    assert merge_galleries.main(["--into", str(tmp_path / "copies"), str(local.folder)]) == 2
    assert "M1_VECTOR_INDEX_OPTIONS" in capsys.readouterr().err


def test_a_gallery_moves_from_one_machine_to_several(tmp_path, local, shared, options, bucket_server, capsys):
    """Merging into a blank database and bucket moves everything, under the ids of before; again, it changes nothing."""
    for _ in range(2):
        assert merge_galleries.main(["--into", str(tmp_path / "copies"), str(local.folder), *options]) == 0

    with Gallery.open(tmp_path / "elsewhere", None, read_only=True, storage=shared) as moved:
        ids, embeddings = moved.embeddings()
        assert ids == local.embeddings()[0]
        for image_id, embedding in zip(ids, embeddings, strict=True):
            assert moved.search(embedding)[0].image.image_id == image_id
            assert moved.original_path(image_id).read_bytes() == local.original_path(image_id).read_bytes()
            assert moved.get(image_id).place == local.get(image_id).place
    assert len(bucket_server.objects()) == 6
    assert "3 images" in capsys.readouterr().out


def test_it_is_checked_and_swept(tmp_path, local, options, bucket_server, capsys):
    """A health check reads the bucket's photos; a sweep deletes those of no image, and no others."""
    merge_galleries.main(["--into", str(tmp_path / "copies"), str(local.folder), *options])
    bucket_server.put(f"gallery/originals/ab/{'ab' * 32}.jpg", b"left behind")
    arguments = ["--db-dir", str(tmp_path / "elsewhere"), *options]

    assert check_gallery.main([*arguments, "--verifier", "none"]) in (0, 1)
    assert "3 photos of 3 places" in capsys.readouterr().out
    assert sweep_photos.main(arguments) == 0
    assert "1 photos of no image deleted" in capsys.readouterr().out
    assert len(bucket_server.objects()) == 6


def test_a_sweep_with_another_gallerys_database_is_refused(tmp_path, local, shared, options, bucket_server, capsys):
    """Most photos are unknown to the database: nothing is deleted until it is told how many may be."""
    blank = Gallery.open(tmp_path / "elsewhere", local.fingerprint, storage=replace(shared, photo_store=""))
    blank.close()
    for number in range(3):
        bucket_server.put(f"gallery/originals/{number:02x}/{number:064x}.jpg", b"somebody's")
    arguments = ["--db-dir", str(tmp_path / "elsewhere"), *options]

    assert sweep_photos.main(arguments) == 2
    assert sweep_photos.main([*arguments, "--yes-delete", "2"]) == 2
    assert "add --yes-delete 3" in capsys.readouterr().err
    assert sweep_photos.main([*arguments, "--dry-run"]) == 0
    assert "3 of 3 photos belong to no image in postgresql://" in capsys.readouterr().out
    assert len(bucket_server.objects()) == 3

    assert sweep_photos.main([*arguments, "--yes-delete", "3"]) == 0
    assert bucket_server.objects() == []


@pytest.mark.parametrize(
    ("leftovers", "expected"),
    [((1, 7), True), ((4, 7), False), ((100, 5000), True), ((101, 5000), False), ((5000, 1_000_000), True)],
)
def test_leftovers_are_few(leftovers, expected):
    """What processes can have left is told from what is probably another gallery's."""
    assert Leftovers(*leftovers).is_plausible == expected


def test_a_sweep_of_nothing_deletes_nothing(tmp_path, options, bucket_server, capsys):
    """Without a gallery in the database, no photo is taken for a leftover."""
    bucket_server.put(f"gallery/originals/ab/{'ab' * 32}.jpg", b"somebody's")

    assert sweep_photos.main(["--db-dir", str(tmp_path / "elsewhere"), *options]) == 2

    assert "no gallery in postgresql://" in capsys.readouterr().err
    assert len(bucket_server.objects()) == 1
