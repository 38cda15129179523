"""The gallery as the verifier reads it, from several threads."""

from contextlib import closing
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder

from core.errors import GalleryUnavailable
from core.gallery import Gallery
from core.imaging.decoding import ImageLimits
from services.verifier.gallery_access import GalleryAccess


def test_a_gallery_closed_meanwhile_is_opened_again(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Another thread, all of whose candidates are gone, opens the gallery anew; this one's question is answered."""
    read, closed = Gallery.calibration, []

    def read_late(gallery: Gallery, collection: str) -> str | None:
        if not closed:
            access.close()  # as the other thread does, just before this one reads
            closed.append(gallery)
        return read(gallery, collection)

    monkeypatch.setattr(Gallery, "calibration", read_late)
    with (
        Gallery.open(folder, ThumbnailEncoder().fingerprint),
        closing(GalleryAccess(folder, ImageLimits())) as access,
    ):
        assert access.calibration("default") is None
    assert len(closed) == 1


def test_a_gallery_that_is_missing_is_no_reason_to_try_for_ever(folder: Path):
    """It is refused once, with the cause."""
    with closing(GalleryAccess(folder, ImageLimits())) as access, pytest.raises(GalleryUnavailable, match="no gallery"):
        access.calibration("default")
