"""Photos that were torn, changed or lost on the disk are noticed, and never shown as if nothing were wrong."""

import pytest
from fakes.images import draw_place, encode

from core.errors import GalleryUnavailable, InvalidRequest, UnknownImage
from core.gallery import Gallery
from core.gallery.maintenance.backup import check_gallery
from core.imaging.copies import encode_preview, side_of_pixels
from core.imaging.decoding import open_image
from scripts import backup_gallery

PHOTO = encode(draw_place(1))


@pytest.fixture
def image(gallery, new_image):
    """A real photo in the gallery."""
    return gallery.add([new_image(1, data=PHOTO, preview=encode_preview(draw_place(1)))])[0].image


def test_a_torn_original_is_not_served(gallery, image):
    """Half a photo is refused with its path; the image itself is still on record."""
    path = gallery.original_path(image.image_id)
    path.write_bytes(PHOTO[: len(PHOTO) // 2])

    with pytest.raises(GalleryUnavailable, match=path.name):
        gallery.original_path(image.image_id)

    assert gallery.get(image.image_id) == image


@pytest.mark.parametrize("damage", ["lost", "empty", "torn", "of something else"])
def test_a_damaged_preview_is_made_again(gallery, image, damage):
    """A preview is the original's child: whatever has become of it, the next who asks gets a whole one."""
    path = gallery.preview_path(image.image_id)
    whole = path.read_bytes()
    path.unlink()
    if damage != "lost":
        path.write_bytes({"empty": b"", "torn": whole[:-100], "of something else": b"text"}[damage])

    again = gallery.preview_path(image.image_id)

    assert again == path
    assert open_image(again).image.size == open_image(gallery.original_path(image.image_id)).image.size
    assert again.read_bytes()[-2:] == whole[-2:]


def test_a_reduced_photo_is_read_from_its_preview(gallery, new_image):
    """Who needs no more pixels than the preview has needs no original."""
    width, height = draw_place(1).size
    new = new_image(1, data=PHOTO, preview=encode_preview(draw_place(1)), width=width, height=height)
    (added,) = gallery.add([new])
    gallery.original_path(added.image.image_id).unlink()
    (photo,) = gallery.photos([added.image])

    assert photo.reduced(768).size == (width, height)
    with pytest.raises(GalleryUnavailable, match="missing or damaged"):
        photo.load()


@pytest.mark.parametrize("preview", [b"\xff\xd8 torn \xff\xd9", encode_preview(draw_place(1), max_side=320)])
def test_a_preview_that_does_not_serve_is_passed_over(gallery, new_image, preview):
    """A damaged preview, and one smaller than asked for, as earlier versions made them: the original is decoded."""
    (added,) = gallery.add([new_image(1, data=PHOTO, preview=preview)])
    (photo,) = gallery.photos([added.image])

    assert photo.reduced(400).size == (400, 300)
    assert photo.reduced(2000).size == draw_place(1).size


def test_larger_previews_serve_readers_of_more_pixels(folder, storage, fingerprint, new_image):
    """A gallery may make larger previews; a reader is not told, and one that is made again is as large."""
    photo = draw_place(2, (2000, 1500))
    new = new_image(2, data=encode(photo, "jpeg"), preview=encode_preview(photo, max_side=906), width=2000, height=1500)
    with Gallery.open(folder, fingerprint, storage=storage, preview_side=906) as gallery:
        (added,) = gallery.add([new])
        original = gallery.original_path(added.image.image_id)
        kept = original.read_bytes()
        original.unlink()
        with Gallery.open(folder, None, read_only=True, storage=storage) as reader:
            (shown,) = reader.photos([reader.get(added.image.image_id)])
            assert shown.reduced(side_of_pixels(512 * 32**2)).size == (906, 680)
            with pytest.raises(GalleryUnavailable, match="missing or damaged"):
                shown.reduced(1200)
        original.write_bytes(kept)
        gallery.preview_path(added.image.image_id).unlink()
        assert open_image(gallery.preview_path(added.image.image_id)).image.size == (906, 680)


@pytest.mark.parametrize("side", [639, 1281])
def test_previews_of_a_side_out_of_range_are_refused(folder, fingerprint, side):
    """Smaller ones would not serve the page, and larger ones no model."""
    with pytest.raises(InvalidRequest, match=f"previews of {side} pixels; accepted: 640 to 1280"):
        Gallery.open(folder, fingerprint, preview_side=side)


def test_a_reader_makes_no_preview(gallery, folder, image):
    """A reader, which may write nothing, says what is damaged."""
    path = gallery.preview_path(image.image_id)
    path.write_bytes(b"")

    with Gallery.open(folder, None, read_only=True) as reader, pytest.raises(GalleryUnavailable, match=path.name):
        reader.preview_path(image.image_id)


def test_without_its_original_there_is_no_preview(gallery, image):
    """Where neither can be read, the damage is said; a deleted image stays unknown."""
    gallery.preview_path(image.image_id).unlink()
    gallery.original_path(image.image_id).write_bytes(bytes(len(PHOTO)))

    with pytest.raises(GalleryUnavailable, match="damaged"):
        gallery.preview_path(image.image_id)

    gallery.delete(image.image_id)
    with pytest.raises(UnknownImage):
        gallery.preview_path(image.image_id)


class TestVerify:
    def test_a_whole_gallery_passes(self, gallery, folder, image, capsys):
        """Everything is read, and counted."""
        assert check_gallery(folder).images == 1

        assert backup_gallery.main(["--verify", "--gallery", str(folder)]) == 0
        assert "1 images, 1 files" in capsys.readouterr().out

    @pytest.mark.parametrize("damage", ["lost", "torn", "one bit"])
    def test_a_changed_original_is_named(self, gallery, folder, image, damage, capsys):
        """Even a single bit that has changed is found, and the file named."""
        path = gallery.original_path(image.image_id)
        path.unlink()
        if damage != "lost":
            path.write_bytes(PHOTO[:-9] if damage == "torn" else PHOTO[:-9] + bytes([PHOTO[-9] ^ 1]) + PHOTO[-8:])

        assert backup_gallery.main(["--verify", "--gallery", str(folder)]) == 2

        assert path.name in capsys.readouterr().err
