"""The gallery as the verifier reads it, from several threads."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient

from core.errors import GalleryUnavailable
from core.gallery import Gallery
from core.imaging.decoding import ImageLimits
from services.verifier.app import create_app
from services.verifier.gallery_access import GalleryAccess
from services.verifier.settings import VerifierSettings


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


def test_a_gallery_that_exists_is_open_before_the_first_visitor(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A verifier that is loaded has opened it: on a database and an object store this takes longer than a verdict."""
    opened, open_gallery = [], Gallery.open

    def note(*arguments: Any, **options: Any) -> Gallery:
        opened.append(arguments)
        return open_gallery(*arguments, **options)

    with open_gallery(folder, ThumbnailEncoder().fingerprint):
        monkeypatch.setattr(Gallery, "open", note)
        with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=ScriptedVerifier({}))):
            assert len(opened) == 1


def test_a_gallery_that_is_missing_is_no_reason_to_try_for_ever(folder: Path):
    """It is refused once, with the cause."""
    with closing(GalleryAccess(folder, ImageLimits())) as access:
        access.open_early()
        with pytest.raises(GalleryUnavailable, match="no gallery"):
            access.calibration("default")
