"""A manifest changes the recordings of many places."""

import struct
from pathlib import Path

from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode

from core.building.corrections import correct_places
from core.building.indexing import prepare_photo
from core.building.manifest_rows import ManifestRow
from core.building.recordings import DescribedPlace, recording_path
from core.gallery import Gallery
from core.results import Place

_LARGE = 33 * 1024 * 1024
"""Bytes of which only one recording fits into a transaction."""


def large_wav(number: int) -> bytes:
    """A recording that is as large as that."""
    return b"RIFF" + struct.pack("<I", _LARGE - 8) + b"WAVE" + bytes([number]) * (_LARGE - 12)


def test_recordings_change_places_in_parts(tmp_path: Path):
    """Every place gets that of the one before, named by its hash alone; none is lost between two transactions."""
    encoder, names = ThumbnailEncoder(), ["a", "b", "c"]
    with Gallery.open(tmp_path / "gallery", encoder.fingerprint) as gallery:
        for number, name in enumerate(names):
            photo = prepare_photo(gallery, "default", encode(draw_place(number, (64, 48))), "a.jpg", Place(name, name))
            gallery.add([photo.entry("default", [(encoder.encode([photo.decoded.image]).embeddings[0], None)])])
            gallery.recordings.put("default", name, "en", large_wav(number))
        former = [gallery.place("default", name).place.texts["en"].recording for name in names]
        assert None not in former
        paths = [recording_path(recording) for recording in former if recording is not None]
        rows = [ManifestRow("a.jpg", recordings={"en": paths[number - 1]}) for number in range(3)]

        described = [DescribedPlace(name, row) for name, row in zip(names, rows, strict=True)]
        corrected = correct_places(gallery, "default", described)

        assert (corrected.changed, corrected.refused) == (3, ())
        for number, name in enumerate(names):
            recording, file = gallery.recordings.open("default", name, "en")
            with file:
                assert (recording, file.read()) == (former[number - 1], large_wav((number - 1) % 3))
