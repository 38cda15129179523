"""The gallery as the verifier reads it, from several threads."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from fakes.encoders import ThumbnailEncoder

from core.gallery import Gallery
from core.images import ImageLimits
from services.verifier.gallery_access import GalleryAccess


def test_threads_do_not_close_the_gallery_under_each_other(folder: Path):
    """While one opens it anew, because all of its candidates are gone, the others' questions are answered."""
    fingerprint = ThumbnailEncoder().fingerprint

    def ask_for_what_is_gone(access: GalleryAccess) -> None:
        for _ in range(100):
            assert access.photos(["0" * 32]) == []

    def ask_for_what_is_there(access: GalleryAccess) -> None:
        for _ in range(300):
            assert access.calibration("default") is None
            assert access.encoder() == str(fingerprint)

    with (
        Gallery.open(folder, fingerprint),
        closing(GalleryAccess(folder, ImageLimits())) as access,
        ThreadPoolExecutor(2) as threads,
    ):
        for each in [threads.submit(ask, access) for ask in (ask_for_what_is_gone, ask_for_what_is_there)]:
            each.result()
