"""Encoders for tests: instant, deterministic, without any network's weights."""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from core.results import EncoderFingerprint, Encodings, FeatureView, LocalFeatures, Look

_GRID = 8


class ThumbnailEncoder:
    """Describes a photo by a tiny thumbnail of it: places drawn by ``fakes.images`` keep their neighbours.

    With ``local_features`` it also yields a few: one per cell of the grid, described by the cell's colours.
    """

    photo_side = 1280

    def __init__(self, *, local_features: bool = False, name: str = "thumbnail") -> None:
        self.fingerprint = EncoderFingerprint(name, "none", f"{_GRID}x{_GRID} colours", _GRID * _GRID * 3)
        self._wants_features = local_features

    def encode(self, images: Sequence[Image.Image]) -> Encodings:
        """Embed photos of any size."""
        embeddings = np.stack([_embed(image) for image in images])
        return Encodings(embeddings, tuple(_features(image) if self._wants_features else None for image in images))

    def look_again(self, image: Image.Image, first: LocalFeatures) -> Iterator[Look]:
        """Has nothing to add."""
        return iter(())


class NumberlessEncoder(ThumbnailEncoder):
    """Computes NaN for black photos, as a model does that overflows; for all once ``overflows`` is set."""

    overflows = False

    def encode(self, images: Sequence[Image.Image]) -> Encodings:
        """Embed photos, of which black ones have no vector."""
        vectors = super().encode(images).embeddings.copy()
        vectors[[self.overflows or image.getbbox() is None for image in images]] = np.nan
        return Encodings(vectors, (None,) * len(images))


class FailingEncoder:
    """Raises the given error, always or for the first ``times`` calls only."""

    photo_side = 1280

    def __init__(self, error: Exception, times: int | None = None) -> None:
        self._working = ThumbnailEncoder()
        self.fingerprint = self._working.fingerprint
        self._error = error
        self._failures_left = times

    def encode(self, images: Sequence[Image.Image]) -> Encodings:
        """Raise, or embed once the failures are used up."""
        if self._failures_left == 0:
            return self._working.encode(images)
        if self._failures_left is not None:
            self._failures_left -= 1
        raise self._error

    def look_again(self, image: Image.Image, first: LocalFeatures) -> Iterator[Look]:
        """Has nothing to add."""
        return iter(())


def _embed(image: Image.Image) -> np.ndarray:
    colours = _cells(image, 1).ravel()
    centered = colours - colours.mean() + 1e-3  # the offset keeps a picture of one colour from having no direction
    return centered / np.linalg.norm(centered)


def _features(image: Image.Image) -> LocalFeatures:
    """One keypoint per cell: descriptors float16 [64, 64], the cell's 4 x 4 colours and their mean's share."""
    patches = _cells(image, 4).reshape(_GRID, 4, _GRID, 4, 3).swapaxes(1, 2).reshape(_GRID * _GRID, 48)
    descriptors = np.pad(patches - patches.mean(axis=1, keepdims=True), ((0, 0), (0, 16)), constant_values=1e-3)
    contrast = np.linalg.norm(descriptors, axis=1)
    order = np.argsort(-contrast, kind="stable")
    rows, columns = np.divmod(order, _GRID)
    view = FeatureView(
        keypoints=(np.stack([columns, rows], axis=1) + 0.5).astype(np.float32) / _GRID,
        descriptors=(descriptors[order] / contrast[order, None]).astype(np.float16),
        scores=contrast[order].astype(np.float32),
        size=(_GRID * 4, _GRID * 4),
    )
    return LocalFeatures((view,), "thumbnail-cells")


def _cells(image: Image.Image, per_cell: int) -> np.ndarray:
    """Colours of a grid over the photo: float32 [8 * per_cell, 8 * per_cell, 3] in [0, 1]."""
    side = _GRID * per_cell
    small = image.convert("RGB").resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / 255
