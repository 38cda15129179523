"""Galleries of drawn places, filed by a careless hand."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.images import encode
from PIL import Image

from core.encoders.embedded import EmbeddedEncoder
from core.gallery import Gallery, NewImage
from core.imaging.copies import encode_preview
from core.results import Place

Filing = Callable[..., str]


@pytest.fixture
def gallery(tmp_path: Path, embedded: EmbeddedEncoder) -> Iterator[Gallery]:
    """An empty gallery of the embedded encoder."""
    with Gallery.open(tmp_path / "gallery", embedded.fingerprint) as opened:
        yield opened


@pytest.fixture
def file_photo(gallery: Gallery, embedded: EmbeddedEncoder) -> Filing:
    """File a photo under a place, as an upload would; returns the image's id."""

    def file(photo: Image.Image, place_id: str, name: str | None = None, **fields) -> str:
        encodings = embedded.encode([photo])
        new = NewImage(
            data=encode(photo, "png"),
            filename=f"{place_id}.png",
            media_type="image/png",
            width=photo.width,
            height=photo.height,
            preview=encode_preview(photo),
            embedding=encodings.embeddings[0],
            local_features=encodings.local_features[0],
            place=Place(place_id, name or f"The {place_id}", **fields),
        )
        (added,) = gallery.add([new])
        return added.image.image_id

    return file
